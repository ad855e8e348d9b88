"""The liquid-state machine: a spiking network on a grid, and filtered spikes for a read-out."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, as_parameter
from neurojax.core.inputs import resolve
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.random import host_generator
from neurojax.core.solvers import Heun
from neurojax.core.tracing import known
from neurojax.networks import Network, Projection
from neurojax.neurons import Izhikevich

from ..recurrent import RecurrentCircuit, check_finite, check_sizes, current, drawn
from .liquid_cells import liquid_cells
from .liquid_grid import PAIRS, LiquidGrid, check_pair, input_synapses

DRIVES = ("spikes", "current")
# pA, and mV/ms: at these a stimulus spreads, and activity dies out after it
WEIGHTS = {
    "lif": ({"EE": 300.0, "EI": 600.0, "IE": 200.0, "II": 200.0}, 600.0),
    "izhikevich": ({"EE": 3.0, "EI": 3.0, "IE": 3.0, "II": 1.5}, 8.0),
}


@final
class Liquid(RecurrentCircuit):
    r"""Spiking neurons on a grid that hear input channels; what a read-out sees is filtered spikes.

    The neurons are an `nj.Network` of the populations `"E"` and `"I"`, wired by `LiquidGrid`. For
    each neuron

    $$z(t + dt) = e^{-dt/\tau}\,z(t) + s(t + dt)$$

    with s its spikes: the rates of the circuit, excitatory neurons first. With `tau_trace=jnp.inf`
    they are the numbers of spikes since the start.

    Without loss this is a `RecurrentCircuit`: it runs in `nj.simulate`, and one compiled scan
    presents a batch of samples (`nj.circuits.responses`). The network is at `.network`, its state
    at `state["network"]`; spikes are recorded by `nj.Spikes("E", "I")`.

    Arguments:
        shape: of the grid, or a `LiquidGrid`.
        inputs: number of input channels.
        outputs: number of output channels.
        cells: `"lif"`; `"izhikevich"`, see `heterogeneous_izhikevich`, for steps of 0.5 ms at most;
            or neurons of `nj.neurons` by kind, `{"E": ..., "I": ...}`, with receptors at the ports
            `exc` and `inh`.
        weight: sizes of the synapses by pair, such as `{"EE": 300.0}`, not negative; one number is
            for all. In the unit of the receptors: pA, mV/ms for Izhikevich neurons, or nS. Those
            left out have defaults for the named cells, 1 for others.
        delay: ms, for all synapses within the liquid.
        release: short-term dynamics by pair, such as `{"EE": nj.synapses.TsodyksMarkram()}`.
        density: fraction of pairs of channel and neuron that are joined, by a fixed number of
            pairs.
        input_weight: size of input weights, scalar or one per channel; each has a random sign.
        input: B (n, inputs) [to, from] instead of that.
        drive: `"spikes"`: `u` counts the spikes of each channel in the step; weights above zero
            end on `exc`, the others on `inh`. `"current"`: B u is a current.
        output: $W_{out}$ (outputs, n), default 0.
        tau_trace: $\tau$, ms.
        key: draws places, synapses, signs and what differs among neurons; default key 0.

    Inputs: `u` (inputs,); `I_e` into each neuron, scalar or (n,); and `"E"`, `"I"` with inputs
    of the populations.

    Raises:
        ValueError: for sizes or shapes that do not fit, negative weights, a `tau_trace` that is
            not positive, steps above 0.5 ms for Izhikevich neurons.
        UnknownNameError: for unknown cells or pairs.

    Source: Maass, Natschläger and Markram (2002), Neural Comput. 14:2531.

    Example:
        >>> import jax, neurojax as nj
        >>> key = jax.random.key(0)
        >>> liquid = nj.circuits.Liquid((4, 4, 4), inputs=8, tau_trace=jax.numpy.inf, key=key)
        >>> trains = jax.random.bernoulli(key, 0.05, (10, 100, 8))  # sample, step, channel
        >>> counts = nj.circuits.responses(liquid, trains, dt=1.0)
        >>> counts.shape, bool(counts.sum() > 0)
        ((10, 64), True)
    """

    network: Network
    input: Any
    output: Any
    feedback: Any
    output_bias: Any
    tau_trace: Parameter
    drive: str = eqx.field(static=True)
    n_E: int = eqx.field(static=True)
    n: int = eqx.field(static=True)
    sign: tuple[float, float] = eqx.field(static=True)

    def __init__(
        self,
        shape: Any,
        *,
        inputs: int = 0,
        outputs: int = 0,
        cells: Any = "lif",
        weight: Any = None,
        delay: Any = 1.0,
        release: dict[str, Any] | None = None,
        density: float | int = 0.15,
        input_weight: Any = None,
        input: Any = None,
        drive: str = "spikes",
        output: Any = None,
        tau_trace: Any = 20.0,
        key: Any = None,
    ):
        keys = jax.random.split(own_or_first(key), 4)
        grid = shape if isinstance(shape, LiquidGrid) else LiquidGrid(shape, key=keys[0])
        n, n_E = grid.n, grid.n_E
        check_sizes(n, inputs, outputs)
        populations = liquid_cells(cells, n_E, n - n_E, keys[1])
        usual, usual_input = WEIGHTS.get(cells if isinstance(cells, str) else "", ({}, 1.0))
        weight, release = _by_pair("weight", weight, usual), dict(release or {})
        for pair in release:
            check_pair(pair)
        # inhibition is a negative current, but a conductance like any other
        self.sign = tuple(
            -1.0 if populations[kind].receptors["inh"].is_linear else 1.0 for kind in "EI"
        )  # type: ignore
        projections = [
            Projection(
                pair[0], pair[1], "exc" if pair[0] == "E" else "inh", grid.connectivity(pair),
                weight=weight[pair] * (1.0 if pair[0] == "E" else self.sign["EI".index(pair[1])]),
                delay=delay, release=release.get(pair), name=pair,
            )
            for pair in PAIRS
        ]  # fmt: skip
        self.network = Network(populations, projections, key=keys[2])
        if input is None and inputs:
            size = usual_input if input_weight is None else input_weight
            check_finite("input_weight", size)
            if np.shape(size) not in ((), (inputs,)):
                raise ValueError(
                    f"input_weight must be a number or have shape ({inputs},), one per channel, "
                    f"got {np.shape(size)}"
                )
            reached, signs = input_synapses(n, inputs, density, host_generator(keys[3]))
            input = jnp.broadcast_to(jnp.asarray(size, float), reached.shape) * (reached * signs)
        self.input = drawn(input, keys[3], (n, inputs), 1.0, "input")
        output = jnp.zeros((outputs, n)) if output is None and outputs else output
        self.output = drawn(output, keys[3], (outputs, n), 1.0, "output")
        self.feedback, self.output_bias = None, jnp.zeros(outputs) if outputs else None
        self.tau_trace = as_parameter(tau_trace)
        self.drive, self.n, self.n_E = drive, n, n_E

    def __check_init__(self):
        check_choice(self, "drive", DRIVES)
        check_positive(self, "tau_trace")

    def init_state(self, *, key=None) -> dict[str, Any]:
        """The network at its start, no spikes so far."""
        return {"network": self.network.init_state(key=key), "trace": jnp.zeros(self.n)}

    def recounted(self, state, before, dt):
        """What the network counts in steps."""
        return state | {"network": self.network.recounted(state["network"], before, dt)}

    def narrowed(self, state):
        """See `Dynamics`, for the network."""
        own, same = self.network.narrowed(state["network"])
        return state | {"network": own}, same

    def rates(self, state) -> Array:
        """The filtered spikes of all neurons, excitatory ones first."""
        return state["trace"]

    def visible(self, state):
        """The visible states of the populations, and the filtered spikes as `"trace"`."""
        return self.network.visible(state["network"]) | {"trace": state["trace"]}

    def on_grid(self, dt: float) -> "Liquid":
        """The same liquid with its delays counted in steps of `dt` ms."""
        cells = self.network.populations.values()
        coarse = any(isinstance(c, Izhikevich) and isinstance(c.solver, Heun) for c in cells)
        if coarse and known(dt) and float(dt) > 0.5 + 1e-6:
            raise ValueError(
                "Izhikevich neurons of a liquid are solved in steps of 0.5 ms at most, got "
                f"dt={float(dt):g}: give a smaller one, or cells with another solver"
            )
        return self._with(self.network.on_grid(dt))

    def prepare(self) -> "Liquid":
        """The same liquid with its network prepared."""
        return self._with(self.network.prepare())

    def prepare_steps(self, state, inputs, clock: Clock) -> "Liquid":
        """The same liquid with the solvers of its neurons prepared."""
        given = self._given(resolve(inputs, clock))
        return self._with(self.network.prepare_steps(state["network"], given, clock))

    def _with(self, network: Network) -> "Liquid":
        return eqx.tree_at(lambda liquid: liquid.network, self, network)

    def step(self, state, inputs, clock: Clock):
        """One step of the network; see the class."""
        network, output = self.network.step(state["network"], self._given(inputs), clock)
        emitted: list[Any] = [output.parts[kind].spikes for kind in "EI"]
        spikes = jnp.concatenate([one.values() for one in emitted])
        trace = state["trace"] * jnp.exp(-clock.dt / self.tau_trace) + spikes
        state = {"network": network, "trace": trace}
        return state, Output(parts=output.parts, values=self.values(state))

    def _given(self, inputs) -> dict[str, Any]:
        """The inputs of the network."""
        given = {kind: dict(inputs.get(kind, {})) for kind in "EI"}

        def add(port, amounts):
            for kind, amount in zip("EI", jnp.split(amounts, [self.n_E]), strict=True):
                old = given[kind].get(port)
                given[kind][port] = amount if old is None else old + amount

        if self.input is not None and "u" in inputs:
            u = jnp.asarray(inputs["u"], jnp.result_type(float))
            if self.drive == "current":
                add("I_e", current(self.input, u))
            else:
                sign = jnp.repeat(
                    jnp.array(self.sign), jnp.array([self.n_E, self.n - self.n_E]),
                    total_repeat_length=self.n,
                )  # fmt: skip
                add("exc", current(jnp.maximum(self.input, 0.0), u))
                add("inh", sign * current(jnp.maximum(-self.input, 0.0), u))
        if "I_e" in inputs:
            add("I_e", jnp.broadcast_to(jnp.asarray(inputs["I_e"]), (self.n,)))
        return given


def _by_pair(name: str, given, usual) -> dict[str, Any]:
    """A size for each pair of kinds."""
    sizes = {pair: usual.get(pair, 1.0) for pair in PAIRS}
    if given is None:
        return sizes
    given = given if isinstance(given, dict) else dict.fromkeys(PAIRS, given)
    for pair, size in given.items():
        check_pair(pair)
        if isinstance(size, str):
            raise TypeError(f"{name}[{pair!r}] must be a number or a law of weights, got {size!r}")
        number = isinstance(size, int | float | np.number | np.ndarray | jax.Array) and known(size)
        if number and not np.all(np.asarray(size) >= 0):
            raise ValueError(
                f"{name}[{pair!r}] is a size and must not be negative, got {size}: the sign is "
                "that of the sender"
            )
        sizes[pair] = size
    return sizes
