"""What point neurons share: a size, ports with receptors, initial values, refractoriness."""

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import paramax
from jaxtyping import Array

from neurojax.core import Clock, ContinuousDynamics
from neurojax.core import random as laws
from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.one_program import one_program
from neurojax.core.parameter_checks import check_no_nan, check_shapes, check_size
from neurojax.core.solvers import AbstractStepper, Heun, Propagator
from neurojax.synapses.receptor import AbstractReceptor

from ._population import drawn_parameters, refuse_laws
from ._waiting import nearest_steps

_Kind = TypeVar("_Kind", bound="AbstractNeuron")


class AbstractNeuron(ContinuousDynamics):
    """`n` neurons of one kind; a concrete class gives `rest`, `drift`, `begin` and `emit`.

    The state is a dictionary: the neuron's own leaves (`V_m`, ...), one dictionary per port with
    the state of its receptor, all of shape (n,).
    """

    n: eqx.AbstractVar[int]
    receptors: eqx.AbstractVar[dict[str, AbstractReceptor]]
    initial: eqx.AbstractVar[dict[str, Any]]

    def __post_init__(self):
        self.receptors = _as_receptors(self.receptors)
        refuse_laws(self, self.receptors.values())
        if self.solver is None:
            self.solver = self.default_solver()

    def __check_init__(self):
        check_size(self.n)
        if not isinstance(self.solver, AbstractStepper):
            raise TypeError(
                f"solver of {type(self).__name__} must be one of nj.solvers, such as "
                f"nj.solvers.Heun(), got {self.solver!r}"
            )
        self.solver.check(self)
        check_shapes(self, self.n)
        for model in (self, *self.receptors.values()):
            check_no_nan(model)
        taken = {"I_e", *paramax.unwrap(self).rest()} if self.receptors else set()
        for port in self.receptors:
            if port in taken or "." in port:
                raise ValueError(
                    f"a receptor of {type(self).__name__} cannot be called {port!r}: a port has a "
                    "name without '.', other than " + ", ".join(sorted(taken))
                )

    @property
    def has_linear_membrane(self) -> bool:
        """Whether the equations of the neuron itself are linear between spikes."""
        return False

    def default_solver(self) -> AbstractStepper:
        """Exact where membrane and receptors are linear, else second order."""
        linear = all(receptor.is_linear for receptor in self.receptors.values())
        return Propagator() if linear and self.has_linear_membrane else Heun()

    @abstractmethod
    def rest(self) -> dict[str, Any]:
        """The neuron's own leaves at rest, each a number or an array (n,)."""

    def population(self: _Kind, n: int, *, initial=None, key=None, **parameters) -> _Kind:
        """The same kind of neuron `n` times.

        Arguments:
            n: number of neurons.
            initial: values or distributions of initial leaves by name, as in the constructor.
            key: for parameters that are drawn.
            **parameters: other values for some fields; an `nj.random` distribution is drawn once
                per neuron, also one that is a parameter of a receptor in `receptors=`.

        Raises:
            ValueError: if `n` is not positive, or a distribution is given without a key.
            TypeError: for a name that is no field.

        Example:
            >>> import jax, neurojax as nj
            >>> cell = nj.neurons.LIF()
            >>> law = nj.random.Normal(-50.0, 1.0)
            >>> cell.population(100, V_th=law, key=jax.random.key(0)).V_th.shape
            (100,)
        """
        drawn = drawn_parameters(n, key, parameters)
        if initial is not None:
            drawn["initial"] = {**self.initial, **initial}
        new = dataclasses.replace(self, n=int(n), **drawn)
        if "solver" not in drawn and type(self.solver) is type(self.default_solver()):
            # other receptors may need another one
            new = dataclasses.replace(new, solver=new.default_solver())
        return new

    def init_state(self, *, key=None):
        """Rest, or what `initial` says, drawn with `key` where it is a distribution."""
        return one_program(_initial_state, self, key)

    def begin_refractory(self, state, spiked, t_ref, clock: Clock) -> Array:
        """Steps that are left in which the neuron is refractory, for `begin`.

        A spike sets round(t_ref / dt) whole steps, half a step being rounded up; the voltage is
        held while they last.
        """
        steps = nearest_steps(t_ref, clock.dt)
        return jnp.where(spiked, steps, jnp.maximum(state["refractory"] - 1, 0))

    def synaptic_current(self, state, V_m, inputs) -> Array | float:
        """The sum over all ports, pA."""
        total: Array | float = 0.0
        for port, receptor in self.receptors.items():
            total = total + receptor.current(state[port], V_m)
            if receptor.is_held and port in inputs:
                total = total + receptor.held_current(inputs[port], V_m)
        return total

    def receptor_drifts(self, state) -> dict[str, Any]:
        """The rates of the receptors by port, for `drift`."""
        return {port: r.drift(state[port]) for port, r in self.receptors.items()}

    def propagate(self, state, h):
        """The exact flow of the receptors; none where the solver moves all at once exactly."""
        if not self.receptors or isinstance(self.solver, Propagator):
            return None
        own = {name: None for name in state if name not in self.receptors}
        return own | {p: r.propagate(state[p], h) for p, r in self.receptors.items()}

    def receive(self, state, inputs):
        """Each receptor takes the impulses of its port; delta receptors move the voltage."""
        new, total = dict(state), None
        for port, receptor in self.receptors.items():
            if port in inputs and not receptor.is_held:
                impulse = jnp.asarray(inputs[port], jnp.result_type(float))
                impulse = jnp.broadcast_to(impulse, (self.n,))
                new[port] = receptor.receive(state[port], impulse)
                jump = receptor.jump(impulse)
                if jump is not None:
                    total = jump if total is None else total + jump
        return new if total is None else self.jumped(new, total)

    def jumped(self, state, jump) -> dict[str, Any]:
        """The state after delta impulses that add up to `jump`, mV."""
        return state | {"V_m": state["V_m"] + jump}


def _initial_state(cells: AbstractNeuron, key):
    state = {name: jnp.asarray(value) for name, value in cells.rest().items()}
    state = {name: jnp.broadcast_to(x, (cells.n,)) for name, x in state.items()}
    state |= {port: r.init_state(cells.n) for port, r in cells.receptors.items()}
    for path, value in cells.initial.items():
        if key is None and isinstance(value, laws.AbstractDistribution):
            raise ValueError(
                f"initial[{path!r}] is the distribution {value}, so give key=jax.random.key(0) "
                "to draw it"
            )
        own = None if key is None else Clock(0, 1.0, key).child(path).key
        state = _with_leaf(state, path, lambda s, v=value, k=own: laws.draw(v, k, s), cells.n)
    return state


def _as_receptors(receptors) -> dict[str, AbstractReceptor]:
    """The `receptors=` argument of a neuron."""
    if not isinstance(receptors, Mapping):
        raise TypeError(
            "receptors must be a dictionary by name of port, for example "
            f"{{'exc': nj.synapses.ExpCurrent(tau=2.0)}}, got {receptors!r}"
        )
    receptors = dict(receptors)
    for port, receptor in receptors.items():
        if not isinstance(receptor, AbstractReceptor):
            raise TypeError(
                f"receptors[{port!r}] must be one of nj.synapses, such as ExpCurrent(tau=2.0), "
                f"got {receptor!r}"
            )
    return receptors


def _with_leaf(state, path: str, make, n: int):
    """The state with the leaf at a dotted path replaced."""
    first, _, rest = path.partition(".")
    if first not in state or (rest and not isinstance(state[first], dict)):
        raise UnknownNameError(
            f"initial names {path!r}, which is no leaf of the state.{suggestion(first, state)}"
        )
    if rest:
        return state | {first: _with_leaf(state[first], rest, make, n)}
    old = state[first]
    if isinstance(old, dict):
        raise UnknownNameError(
            f"initial[{path!r}] names a receptor: say which of its leaves: "
            + (", ".join(f"'{path}.{leaf}'" for leaf in old) or "it has none")
        )
    try:
        return state | {first: make((n,)).astype(old.dtype)}
    except ValueError as error:
        raise ValueError(f"initial[{path!r}] does not fit {n} neurons: {error}") from error
