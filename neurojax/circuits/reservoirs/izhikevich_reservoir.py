"""A reservoir of heterogeneous Izhikevich neurons, excitatory and inhibitory."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, as_parameter, frozen, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_positive, check_shapes
from neurojax.core.tracing import known
from neurojax.neurons import IzhikevichPublished

from ..rate_rnn import per_unit
from ..recurrent import (
    RecurrentCircuit,
    check_finite,
    check_shape,
    check_sizes,
    current,
    drawn,
    real_parameter,
)


@final
class IzhikevichReservoir(RecurrentCircuit):
    r"""Spiking neurons of many kinds with fixed random weights, for linear read-outs.

    With r uniform in [0, 1], drawn for each neuron, excitatory neurons have a = 0.02, b = 0.2,
    $c = -65 + 15 r^2$, $d = 8 - 6 r^2$ (regular spiking to chattering), inhibitory ones
    $a = 0.02 + 0.08 r$, $b = 0.25 - 0.05 r$, c = -65, d = 2 (fast spiking to low-threshold). They
    move by the scheme of the paper, steps of 1 ms (`nj.neurons.IzhikevichPublished`), and receive

    $$I = W s + B u + F (W_{out} z + c) + b + I_e,$$

    where s and z rise by 1 with each spike of their neuron and decay with `tau_syn` and
    `tau_trace`. The rates of the circuit, which a read-out sees, are z. The first
    `round(excitatory n)` neurons are excitatory: their columns of W are not negative, the others
    not positive. W, B and F are fixed (`nj.frozen`).

    The scheme is chaotic in itself, whatever the weights: a jitter of 0.02 mV is seen in the spike
    times some 200 ms later. Neurons that a strong input made fire together then pause together, for
    some 100 ms at the defaults, in which z only decays and no read-out can time anything.

    The state is `{"V_m", "u", "s", "z"}`, each (n,); a step emits spikes, `rate` (z) and `output`.

    Arguments:
        n: number of neurons.
        inputs: number of input channels.
        outputs: number of output channels.
        excitatory: share of excitatory neurons.
        density: probability of each synapse; none onto oneself.
        weight: mean weight of an excitatory synapse, mV/ms; weights are uniform between 0 and
            twice the mean. Default 4 / (density n): larger ones make the course of a trial depend
            on its start, until nothing that repeats is left to be read.
        inhibition: mean weight of an inhibitory synapse over that of an excitatory one.
        recurrent: W (n, n) [to, from] if not drawn, with the signs above.
        input: B (n, inputs) in mV/ms; default each channel excites a quarter of the excitatory
            neurons, by `input_scaling` times a number uniform in [0.5, 1.5].
        input_scaling: mV/ms.
        output: $W_{out}$ (outputs, n), default 0.
        feedback: F (n, outputs) in mV/ms; a number is the bound of uniform draws; default none.
        bias: b, scalar or (n,), mV/ms; default uniform in [3, 4.5] for excitatory neurons, of
            which a part fires without input, and in [0, 1] for inhibitory ones.
        tau_syn: ms.
        tau_trace: ms. Above some 50 ms traces are too alike for a read-out that learns online.
        jitter: standard deviation of `V_m` at the start around -65 mV, where `init_state` is given
            a key.
        key: draws what is not given; default key 0.

    Inputs: `u` (inputs,), and `I_e`, mV/ms into each neuron, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, a share or density outside [0, 1], a weight of the
            wrong sign, a time constant that is not positive, or a step other than 1 ms.

    Source: Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569; as a reservoir: Yamada and Chao
    (2026), arXiv:2510.14382.

    Example:
        >>> import jax, neurojax as nj
        >>> circuit = nj.circuits.IzhikevichReservoir(100, inputs=1, outputs=1)
        >>> sim = nj.simulate(circuit, duration=200.0, dt=1.0, record={"z": "rate"})
        >>> sim["z"].shape, int(sim.stats.spikes[""]) > 0
        ((200, 100), True)
    """

    cells: IzhikevichPublished
    recurrent: Any
    input: Any
    output: Any
    feedback: Any
    bias: Parameter
    output_bias: Any
    tau_syn: Parameter
    tau_trace: Parameter
    jitter: Any
    n_excitatory: int = eqx.field(static=True)
    n: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        excitatory: float | int = 0.8,
        density: float | int = 0.1,
        weight: Any = None,
        inhibition: Any = 4.0,
        recurrent: Any = None,
        input: Any = None,
        input_scaling: Any = 10.0,
        output: Any = None,
        feedback: Any = None,
        bias: Any = None,
        tau_syn: Any = 5.0,
        tau_trace: Any = 20.0,
        jitter: Any = 0.0,
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        for name, value in (("excitatory", excitatory), ("density", density)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}")
        weight = 4.0 / max(density * n, 1.0) if weight is None else weight
        for name, value in (("weight", weight), ("inhibition", inhibition)):
            check_finite(name, value)
            if np.ndim(value) != 0:
                raise ValueError(
                    f"{name} must be one number, got {value!r}: weights of each synapse are "
                    "recurrent="
                )
            if known(value) and not float(value) >= 0:
                raise ValueError(f"{name} must not be negative, got {value}")
        check_finite("input_scaling", input_scaling)
        keys = jax.random.split(own_or_first(key), 6)
        n, self.n, self.n_excitatory = int(n), int(n), round(excitatory * n)
        sends = jnp.arange(n) < self.n_excitatory
        self.cells = _cells(keys[0], sends)
        if recurrent is None:
            recurrent = _synapses(keys[1], sends, density, weight, inhibition)
        self.recurrent = frozen(_signed(real_parameter("recurrent", recurrent), sends))
        self.input = None
        if inputs and input is None:
            self.input = frozen(jnp.asarray(input_scaling) * _afferents(keys[2], sends, inputs))
        elif inputs or input is not None:
            self.input = frozen(drawn(input, keys[2], (n, inputs), 1.0, "input"))
        output = jnp.zeros((outputs, n)) if output is None and outputs else output
        self.output = drawn(output, keys[3], (outputs, n), 1.0, "output")
        self.feedback = None
        if feedback is not None and feedback is not False:
            if not outputs:
                raise ValueError("feedback needs a circuit with outputs: their number is 0")
            if jnp.ndim(unwrap(feedback)) == 0:
                bound = feedback
                feedback = bound * jax.random.uniform(keys[4], (n, outputs), minval=-1.0)
            self.feedback = frozen(drawn(feedback, keys[4], (n, outputs), 1.0, "feedback"))
        if bias is None:
            even = jax.random.uniform(keys[5], (n,))
            bias = jnp.where(sends, 3.0 + 1.5 * even, even)
        self.bias = per_unit(bias, n, "bias")
        check_finite("bias", self.bias)
        self.output_bias = jnp.zeros(outputs) if outputs else None
        self.tau_syn, self.tau_trace = as_parameter(tau_syn), as_parameter(tau_trace)
        self.jitter = frozen(jnp.asarray(jitter, float))

    def __check_init__(self):
        check_positive(self, "tau_syn", "tau_trace")
        check_positive(self, "jitter", zero=True)
        check_shapes(self, self.n)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """V = -65 mV and u = b V, without spikes so far; with a key, V jitters."""
        state: dict[str, Any] = self.cells.init_state()
        if key is not None:
            shaken = jax.random.normal(key, (self.n,), state["V_m"].dtype)
            state = state | {"V_m": state["V_m"] + unwrap(self.jitter) * shaken}
        silent = jnp.zeros_like(state["V_m"])
        return state | {"s": silent, "z": silent}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["z"]

    def visible(self, state):
        """The state with the pending resets applied."""
        return state | self.cells.visible({"V_m": state["V_m"], "u": state["u"]})

    def on_grid(self, dt: float) -> "IzhikevichReservoir":
        """The same model; only steps of 1 ms are what the scheme does."""
        return eqx.tree_at(lambda c: c.cells, self, self.cells.on_grid(dt))

    def step(self, state, inputs, clock: Clock):
        """One step of 1 ms; see the class."""
        total = current(self.recurrent, state["s"]) + self.bias
        if self.input is not None and "u" in inputs:
            total = total + current(self.input, inputs["u"])
        if self.feedback is not None:
            total = total + current(self.feedback, self.read_out(state["z"]))
        if "I_e" in inputs:
            total = total + inputs["I_e"]
        cells = {"V_m": state["V_m"], "u": state["u"]}
        cells, emitted = self.cells.step(cells, {"I_e": total}, clock)
        fired: Any = emitted.spikes
        spikes = fired.values()
        s = state["s"] * jnp.exp(-clock.dt / self.tau_syn) + spikes
        z = state["z"] * jnp.exp(-clock.dt / self.tau_trace) + spikes
        state = cells | {"s": s, "z": z}
        return state, Output(spikes=fired, values=self.values(state))


def _cells(key, sends) -> IzhikevichPublished:
    """The kinds of neurons, from regular spiking to chattering and fast to low-threshold."""
    r = jax.random.uniform(key, sends.shape)
    return IzhikevichPublished(
        a=jnp.where(sends, 0.02, 0.02 + 0.08 * r),
        b=jnp.where(sends, 0.2, 0.25 - 0.05 * r),
        c=jnp.where(sends, -65.0 + 15.0 * r**2, -65.0),
        d=jnp.where(sends, 8.0 - 6.0 * r**2, 2.0),
        n=sends.shape[0],
    )


def _synapses(key, sends, density, weight, inhibition) -> Array:
    """Random weights whose columns have the sign of the neuron that sends."""
    n = sends.shape[0]
    keys = jax.random.split(key)
    there = (jax.random.uniform(keys[0], (n, n)) < density) & ~jnp.eye(n, dtype=bool)
    sizes = 2.0 * weight * jax.random.uniform(keys[1], (n, n))
    signs = jnp.where(sends, 1.0, -jnp.asarray(inhibition, float))
    return jnp.where(there, sizes * signs[None, :], 0.0)


def _afferents(key, sends, inputs: int) -> Array:
    """Which neurons an input channel excites, and how much."""
    keys = jax.random.split(key)
    shape = (sends.shape[0], inputs)
    reached = (jax.random.uniform(keys[0], shape) < 0.25) & sends[:, None]
    return jnp.where(reached, 0.5 + jax.random.uniform(keys[1], shape), 0.0)


def _signed(weights, sends) -> Any:
    """Weights that obey Dale's law."""
    n = sends.shape[0]
    check_shape("recurrent", weights, (n, n))
    check_finite("recurrent", weights)
    plain = unwrap(weights)
    if known(plain) and not bool(jnp.all(jnp.where(sends[None, :], plain, -plain) >= 0)):
        raise ValueError(
            "recurrent must have columns of one sign: those of the first "
            f"{int(sends.sum())} (excitatory) neurons not negative, the others not positive"
        )
    return weights
