"""Parts that are coupled without spikes and without delay, stepped jointly."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .clock import Clock
from .dynamics import ContinuousDynamics, Output
from .errors import UnknownNameError, suggestion
from .parameters import arrays_only, unwrap
from .part_inputs import inputs_of, with_added
from .solvers import (
    AbstractStepper,
    DiffraxStepper,
    Heun,
    Midpoint,
    PartByPart,
    Ralston,
    RungeKutta4,
)
from .tracing import known
from .vector_field import held_rates


class AbstractCoupling(eqx.Module):
    """Graded coupling from one part of a `Block` to another.

    Attributes:
        source: name of the part that is read.
        target: name of the part that is driven.
        port: name of the target's input that receives the sum.
    """

    source: eqx.AbstractVar[str]
    target: eqx.AbstractVar[str]
    port: eqx.AbstractVar[str]

    @abstractmethod
    def current(self, source, target):
        """What arrives at the target's input, from the states of both parts."""

    def prepare(self) -> "AbstractCoupling":
        """What can be computed once per run; by default nothing."""
        return self


class Block(ContinuousDynamics):
    """Parts joined by graded coupling, one vector field, advanced as a whole.

    Stepping each part alone with the others frozen would be first order whatever the solver.

    Arguments:
        parts: `ContinuousDynamics` by name; the state is a dictionary with the same names.
        couplings: graded synapses and gap junctions between the parts.
        solver: advances the whole block. By default that of the parts, where all have the same one
            and it is a Runge-Kutta method of second or higher order (`Heun`, `Midpoint`, `Ralston`,
            `RungeKutta4`, such a `DiffraxStepper`); else `Heun`, also where a part has noise that
            theirs would refuse; `PartByPart` where the spikes of a part have a time within the
            step. `Propagator` and `ExponentialEuler` are of parts alone: to step the block by one,
            give it here.

    Raises:
        ValueError: if a coupling names a part that is not there.
        TypeError: if a part has no vector field.

    Example:
        >>> import neurojax as nj
        >>> circuit = nj.circuits.ConnectomeCircuit(nj.connectomes.varshney2011())
        >>> block = nj.Block({"worm": circuit, "twin": circuit}, [])
        >>> sorted(block.init_state())
        ['twin', 'worm']
    """

    parts: dict[str, ContinuousDynamics]
    couplings: tuple[AbstractCoupling, ...]
    solver: AbstractStepper

    def __init__(self, parts, couplings=(), solver: AbstractStepper | None = None):
        for name, part in parts.items():
            if not isinstance(part, ContinuousDynamics):
                raise TypeError(
                    f"part {name!r} is a {type(part).__name__} without a vector field; "
                    "a Block joins ContinuousDynamics"
                )
        for coupling in couplings:
            for role in ("source", "target"):
                name = getattr(coupling, role)
                if name not in parts:
                    raise ValueError(
                        f"coupling {role} {name!r} is not a part of this block."
                        + suggestion(name, parts)
                    )
            check_coupling_port(coupling, parts[coupling.target])
        self.parts = dict(parts)
        self.couplings = tuple(couplings)
        self.solver = joint_solver(self.parts) if solver is None else solver

    def init_state(self, *, key=None):
        """The initial states of the parts by name, each with a key of its own."""
        clock = Clock(0, 1.0, key)
        return {name: p.init_state(key=clock.child(name).key) for name, p in self.parts.items()}

    def check_state(self, state) -> None:
        """Each part's own check."""
        for name, part in self.parts.items():
            part.check_state(state[name])

    def recounted(self, state, before, dt):
        """Each part's own counts."""
        return {n: part.recounted(state[n], before, dt) for n, part in self.parts.items()}

    def visible(self, state):
        """The visible states of the parts."""
        return {name: part.visible(state[name]) for name, part in self.parts.items()}

    def prepare(self) -> "Block":
        """Prepare every part and coupling."""
        parts = {name: part.prepare() for name, part in self.parts.items()}
        return Block(parts, tuple(c.prepare() for c in self.couplings), self.solver)

    def drift(self, t, state, inputs):
        """The drifts of the parts, with the couplings' currents added to their inputs."""
        inputs = self._driven(state, inputs)
        rates = {n: part.drift(t, state[n], inputs[n]) for n, part in self.parts.items()}
        if self.solver.holds_inputs:  # it has no stages, and may want a drift that stays linear
            return rates
        # others must not see a held membrane move in a stage, which `hold` undoes after the step
        return held_rates(self, state, rates)

    def diffusion(self, t, state, inputs):
        """The noise of the parts, `None` where none has any."""
        inputs = self._driven(state, inputs)
        noise = {n: part.diffusion(t, state[n], inputs[n]) for n, part in self.parts.items()}
        return None if all(x is None for x in noise.values()) else noise

    def bounded(self, state):
        """Each part's own bounds."""
        return {n: part.bounded(state[n]) for n, part in self.parts.items()}

    def begin(self, state, clock: Clock):
        """Each part's own beginning."""
        return {n: part.begin(state[n], clock.child(n)) for n, part in self.parts.items()}

    def hold(self, before, after):
        """What each part holds."""
        return {n: part.hold(before[n], after[n]) for n, part in self.parts.items()}

    def propagate(self, state, h):
        """Each part's own exact flow."""
        exact = {n: part.propagate(state[n], h) for n, part in self.parts.items()}
        return None if all(x is None for x in exact.values()) else exact

    def receive(self, state, inputs):
        """Each part's own impulses."""
        return {n: p.receive(state[n], inputs_of(inputs, n)) for n, p in self.parts.items()}

    def emit(self, state, clock: Clock) -> Output:
        """The outputs of the parts."""
        return Output(
            parts={n: part.emit(state[n], clock.child(n)) for n, part in self.parts.items()}
        )

    def _driven(self, state, inputs) -> dict[str, Any]:
        inputs = {} if inputs is None else inputs
        driven = {name: inputs_of(inputs, name) for name in self.parts}
        state = self.bounded(state)
        for c in self.couplings:
            # pending resets were applied by `begin`; a stage above threshold is no reset
            current = c.current(state[c.source], state[c.target])
            driven[c.target] = with_added(driven[c.target], {c.port: current})
        return driven


def joint_solver(parts: dict[str, Any]) -> AbstractStepper:
    """The default for parts that are joined, see `Block`."""
    solvers = [part.solver for part in parts.values()]
    within = any(solver.within_steps for solver in solvers)
    own = PartByPart() if within else _common(solvers)
    return Heun() if own is None or any(map(_is_noisy, parts.values())) else own


def _common(solvers: list[AbstractStepper]) -> AbstractStepper | None:
    """The one solver that all parts have, where it is no worse than `Heun` for coupled parts.

    Others are exact or stable by what they know of a part alone (`Propagator`, `ExponentialEuler`),
    or of first order; a solver of a user may rely on that too.
    """
    first = solvers[0] if solvers else None
    if isinstance(first, DiffraxStepper):
        fits = (first.solver.order(None) or 0) >= 2  # a Runge-Kutta method needs no terms for that
    else:
        fits = isinstance(first, Midpoint | Ralston | RungeKutta4)
    return first if fits and all(_is_same(first, other) for other in solvers[1:]) else None


def _is_same(a, b) -> bool:
    """Whether two solvers are of one kind, with the same settings."""
    (own, tree), (others, other) = jax.tree.flatten(a), jax.tree.flatten(b)
    return tree == other and all(
        x is y or (known(x, y) and np.array_equal(x, y)) for x, y in zip(own, others, strict=True)
    )


def _is_noisy(part: ContinuousDynamics) -> bool:
    """Whether a part has noise; by structure, not by value."""
    if type(part).diffusion is ContinuousDynamics.diffusion:
        return False
    plain = arrays_only(unwrap(part))
    noise = lambda key: plain.diffusion(jnp.zeros(()), plain.init_state(key=key), {})
    return bool(jax.tree.leaves(jax.eval_shape(noise, jax.random.key(0))))


def check_coupling_port(coupling: AbstractCoupling, part) -> None:
    """The current of a coupling ends where a part with receptors reads it.

    Raises:
        ValueError: for a receptor of spikes.
        UnknownNameError: for a port that is not there.
    """
    receptors = getattr(part, "receptors", None)
    if not isinstance(receptors, dict):
        return
    held = ["I_e", *(port for port, receptor in receptors.items() if receptor.is_held)]
    port, kind = coupling.port, type(coupling).__name__
    if port in held:
        return
    if port in receptors:
        raise ValueError(
            f"{kind} ends on the port {port!r} of {coupling.target!r}, whose receptor takes "
            "spikes; a current goes to 'I_e', or to a receptor such as nj.synapses.InjectedCurrent"
        )
    raise UnknownNameError(
        f"{kind} ends on the port {port!r} of {coupling.target!r}, which is not there."
        + suggestion(port, held)
    )
