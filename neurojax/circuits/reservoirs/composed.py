"""Reservoirs made of reservoirs: in layers, and side by side."""

import warnings
from itertools import combinations
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, unwrap
from neurojax.core.inputs import resolve
from neurojax.core.part_inputs import with_added
from neurojax.core.tracing import known

from ..recurrent import RecurrentCircuit, channels, readout


class AbstractComposite(RecurrentCircuit):
    """A circuit made of circuits, with one read-out of them all.

    The state, and inputs beside `u`, are dictionaries with the names of the parts. Read-outs of the
    parts themselves are taken away. The names are `"0"`, `"1"`, ... unless a class says otherwise.
    """

    parts: eqx.AbstractVar[dict[str, RecurrentCircuit]]

    @property
    def input(self) -> Any:
        """The input weights of the first part, which say how many channels there are."""
        return next(iter(self.parts.values())).input  # type: ignore[attr-defined]

    @property
    def feedback(self) -> None:
        """There is none."""
        return None

    def init_state(self, *, key=None) -> dict[str, Any]:
        """The initial states of the parts by name, each with a key of its own."""
        clock = Clock(0, 1.0, key)
        return {name: p.init_state(key=clock.child(name).key) for name, p in self.parts.items()}

    def recounted(self, state, before, dt):
        """What each part counts in steps."""
        own = {n: part.recounted(state[n], before, dt) for n, part in self.parts.items()}
        return state | own

    def visible(self, state):
        """The visible states of the parts."""
        return {name: part.visible(state[name]) for name, part in self.parts.items()} | {
            name: own for name, own in state.items() if name not in self.parts
        }

    def on_grid(self, dt: float) -> Any:
        """See `Dynamics`, for each part."""
        return self._with({name: part.on_grid(dt) for name, part in self.parts.items()})

    def prepare(self) -> Any:
        """See `Dynamics`, for each part."""
        return self._with({name: part.prepare() for name, part in self.parts.items()})

    def prepare_steps(self, state, inputs, clock: Clock) -> Any:
        """See `Dynamics`, for each part."""
        given, ready = resolve(inputs, clock), {}
        for name, part in self.parts.items():
            # what drives a part is not known yet: solvers look at the form of an input only
            own = dict(given.get(name, {})) | ({"u": given["u"]} if "u" in given else {})
            if "u" in own and channels(part) != jnp.shape(own["u"])[-1]:
                own["u"] = jnp.zeros(channels(part))
            ready[name] = part.prepare_steps(state[name], own, clock.child(name))
        return self._with(ready)

    def _with(self, parts) -> Any:
        return eqx.tree_at(lambda circuit: circuit.parts, self, parts)

    def _step(self, name: str, state, inputs, u, clock: Clock, currents: Any = None):
        """One step of a part; `u` and currents into its units are left out where there are none."""
        own = dict(inputs.get(name, {}))
        if u is not None:
            own["u"] = u
        if currents is not None:
            own = with_added(own, {"I_e": currents})
        return self.parts[name].step(state[name], own, clock.child(name))


@final
class Stacked(AbstractComposite):
    r"""A deep reservoir: each layer is driven by the rates of the layer below.

    $$h^{(1)}_{t+1} = F_1(h^{(1)}_t, u_t), \qquad
      h^{(l)}_{t+1} = F_l(h^{(l)}_t, r^{(l-1)}_{t+1}), \qquad
      r = (r^{(1)}, \ldots, r^{(L)})$$

    An input reaches all layers in one step. The read-out sees the rates of all of them. The state
    is `{"0": state of the first layer, "1": ...}`.

    Arguments:
        layers: recurrent circuits of any kind, each drawn with a key of its own (those made
            without `key=` share their weights); the second and later ones have as many inputs as
            the one below has rates.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        output: (outputs, n), default 0.

    Inputs: `u` of the first layer; further inputs of a layer under its name,
    `{"1": {"I_e": ...}}`.

    Raises:
        ValueError: without layers, for numbers of inputs that do not fit, for layers with feedback.
        TypeError: for a layer that is no recurrent circuit.

    Source: Gallicchio, Micheli and Pedrelli (2017), Neurocomputing 268:87.

    Example:
        >>> import jax, neurojax as nj
        >>> first = nj.circuits.EchoState(20, inputs=1, key=jax.random.key(0))
        >>> second = nj.circuits.EchoState(30, inputs=20, key=jax.random.key(1))
        >>> reservoir = nj.circuits.Stacked([first, second])
        >>> u = jax.random.uniform(jax.random.key(0), (200, 1))
        >>> fitted = nj.fitting.fit_readout(reservoir, u[1:], u[:-1], washout=20)
        >>> reservoir.n, bool(fitted.nrmse < 0.1)
        (50, True)
    """

    parts: dict[str, RecurrentCircuit]
    output: Any
    output_bias: Any
    n: int = eqx.field(static=True)

    def __init__(self, layers: Any, *, outputs: int = 0, output: Any = None):
        self.parts = as_parts("layers", layers)
        self.n = sum(part.n for part in self.parts.values())
        below = None
        for name, part in self.parts.items():
            if below is not None and channels(part) != below.n:
                raise ValueError(
                    f"layer {name} has {channels(part)} inputs, but the layer below it has "
                    f"{below.n} rates: give it inputs={below.n}"
                )
            below = part
        self.output, self.output_bias = readout(self.n, outputs, output)

    def rates(self, state) -> Array:
        """The rates of all layers, the first one first."""
        return side_by_side(self.parts, state)

    def step(self, state, inputs, clock: Clock):
        """One step of each layer, from the first to the last."""
        u, states, emitted = inputs.get("u"), {}, {}
        for name, part in self.parts.items():
            states[name], emitted[name] = self._step(name, state, inputs, u, clock)
            u = part.rates(states[name])
        return states, Output(values=self.values(states), parts=emitted)


@final
class Grouped(AbstractComposite):
    r"""Reservoirs side by side: the same input, and one read-out of them all.

    $$h^{(i)}_{t+1} = F_i(h^{(i)}_t, u_t), \qquad r = (r^{(1)}, \ldots, r^{(k)})$$

    Such as fast and slow ones, or an echo-state network beside a `NextGeneration`. The state is
    `{"0": state of the first, "1": ...}`.

    Arguments:
        circuits: recurrent circuits of any kind with as many inputs, each drawn with a key of its
            own: those made without `key=` share their weights.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        output: (outputs, n), default 0.

    Inputs: `u`, for all; further inputs of a part under its name, `{"1": {"I_e": ...}}`.

    Raises:
        ValueError: without circuits, for different numbers of inputs, for circuits with feedback.
        TypeError: for something that is no recurrent circuit.

    Warns:
        UserWarning: if two circuits without noise are equal: they give the same features twice.

    Source: Gallicchio, Micheli and Pedrelli (2017), Neurocomputing 268:87 (grouped ESN).

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> slow = nj.circuits.EchoState(20, inputs=1, leak=0.1, key=jax.random.key(0))
        >>> fast = nj.circuits.EchoState(20, inputs=1, leak=1.0, key=jax.random.key(1))
        >>> reservoir = nj.circuits.Grouped([slow, fast])
        >>> t = jnp.arange(400.0)[:, None]
        >>> x = jnp.sin(0.3 * t) + jnp.sin(0.01 * t)
        >>> bool(nj.fitting.fit_readout(reservoir, x[:-1], x[1:], washout=50).nrmse < 0.01)
        True
    """

    parts: dict[str, RecurrentCircuit]
    output: Any
    output_bias: Any
    n: int = eqx.field(static=True)

    def __init__(self, circuits: Any, *, outputs: int = 0, output: Any = None):
        self.parts = as_parts("circuits", circuits)
        self.n = sum(part.n for part in self.parts.values())
        counts = {name: channels(part) for name, part in self.parts.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"circuits must have as many inputs as each other, got {counts}")
        for (i, one), (j, other) in combinations(self.parts.items(), 2):
            if _alike(one, other):
                warnings.warn(
                    f"circuits[{i}] and circuits[{j}] are equal in their weights and all else, and "
                    "give the same features twice: draw each with a key of its own, as in "
                    "key=jax.random.key(1)",
                    stacklevel=4,
                )
        self.output, self.output_bias = readout(self.n, outputs, output)

    def rates(self, state) -> Array:
        """The rates of all parts, those of the first one first."""
        return side_by_side(self.parts, state)

    def step(self, state, inputs, clock: Clock):
        """One step of each part."""
        u, states, emitted = inputs.get("u"), {}, {}
        for name in self.parts:
            states[name], emitted[name] = self._step(name, state, inputs, u, clock)
        return states, Output(values=self.values(states), parts=emitted)


def as_parts(what: str, circuits: Any) -> dict[str, RecurrentCircuit]:
    """Circuits by the names "0", "1", ..., without read-outs of their own."""
    if not isinstance(circuits, list | tuple) or len(circuits) == 0:
        raise ValueError(f"{what} must be a list of at least one circuit, got {circuits!r}")
    return {str(i): as_part(f"{what}[{i}]", circuit) for i, circuit in enumerate(circuits)}


def _alike(one: RecurrentCircuit, other: RecurrentCircuit) -> bool:
    """Whether two circuits are known to do the same."""
    still = getattr(unwrap(one), "noise", None) is None
    return still and known(*jax.tree.leaves((one, other))) and bool(eqx.tree_equal(one, other))


def as_part(name: str, circuit: Any) -> Any:
    """A circuit as a part of another one: without read-out, and without feedback."""
    if not isinstance(circuit, RecurrentCircuit):
        raise TypeError(f"{name} must be a recurrent circuit, got {type(circuit).__name__}")
    if getattr(circuit, "feedback", None) is not None:
        raise ValueError(
            f"{name} ({type(circuit).__name__}) feeds its outputs back, but as a part it has no "
            "outputs of its own: give it feedback=None"
        )
    if circuit.output is None and circuit.output_bias is None:
        return circuit
    none = lambda x: x is None
    where = lambda c: (c.output, c.output_bias)
    return eqx.tree_at(where, circuit, (None, None), is_leaf=none)


def side_by_side(parts: dict[str, RecurrentCircuit], state) -> Array:
    """The rates of the parts, one after the other."""
    return jnp.concatenate([part.rates(state[name]) for name, part in parts.items()])
