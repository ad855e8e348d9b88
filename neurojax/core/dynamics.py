"""The contract: what every neuron, circuit and network is."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .clock import Clock
from .inputs import held, resolve
from .solvers.base import AbstractStepper
from .spikes import SpikeOutput
from .vector_field import VectorField, advanced_leaves

_BEGIN = 0.0  # of a step, in the time of its vector field, ms

State = Any  # a pytree of arrays; most models use a dictionary with NEST's names


class Output(eqx.Module):
    """What one step emits, apart from the state.

    Arguments:
        spikes: a `SpikeOutput`, or `None` for parts that do not spike.
        values: named read-outs of the step (a rate, the value of a readout).
        parts: the outputs of named parts, in a network.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.Output(values={"rate": jnp.ones(3)}).values["rate"].shape
        (3,)
    """

    spikes: SpikeOutput | None = None
    values: dict[str, Array] = eqx.field(default_factory=dict)
    parts: dict[str, "Output"] = eqx.field(default_factory=dict)


class Dynamics(eqx.Module):
    """Anything whose state moves in time; a pytree of parameters with pure transitions.

    A model in discrete time implements `init_state` and `step`; a model with a vector field
    is a `ContinuousDynamics`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class RunningSum(nj.Dynamics):
        ...     def init_state(self, *, key=None):
        ...         return {"x": jnp.zeros(())}
        ...
        ...     def step(self, state, inputs, clock):
        ...         return {"x": state["x"] + inputs["u"]}, nj.Output()
        >>> sim = nj.simulate(
        ...     RunningSum(), duration=3.0, dt=1.0, inputs={"u": 2.0}, record={"x": "x"}
        ... )
        >>> sim["x"].tolist()
        [2.0, 4.0, 6.0]
    """

    @abstractmethod
    def init_state(self, *, key=None) -> State:
        """The state before the first step, a pytree of arrays."""

    @abstractmethod
    def step(self, state: State, inputs, clock: Clock) -> tuple[State, Output]:
        """One transition over `clock.dt` ms.

        Arguments:
            state: the state at `clock.t`.
            inputs: a dictionary of arrays, as `read_inputs` makes it.
            clock: the time of the step; `clock.normal(name, shape)` draws its noise.

        Returns:
            The state at `clock.t + clock.dt` and what the step emits.
        """

    def check_state(self, state: State) -> None:
        """Refuse a state to go on from that another model made; by default none.

        `simulate` calls it with a state that it is given, where only some of its leaves may be
        known.
        """

    def recounted(self, state: State, before, dt) -> State:
        """The state with what it counts in steps of `before` ms counted in steps of `dt` ms.

        `simulate` calls it with a state that was made in other steps. By default leaves of the name
        `refractory` count steps; a model that counts others converts them here, or refuses.
        """
        ratio = before / dt

        def counted(path, leaf):
            if getattr(path[-1] if path else None, "key", None) != "refractory":
                return leaf
            return jnp.round(leaf * ratio).astype(leaf.dtype)

        return jax.tree_util.tree_map_with_path(counted, state)

    def visible(self, state: State) -> State:
        """What recorders and graded coupling see: the state with pending jumps applied."""
        return state

    def prepare(self) -> "Dynamics":
        """The same model with everything derived from its parameters computed.

        `simulate` and `fit` call it once per run, outside the loop over time: a circuit turns
        its list of synapses into a matrix here. The state must keep its structure.
        """
        return self

    def on_grid(self, dt: float) -> "Dynamics":
        """The same model for steps of `dt` ms: a network counts its delays in steps.

        `simulate` calls it first of all, with a plain number.
        """
        return self

    def without_host_data(self) -> "Dynamics":
        """The same model without what its steps do not read, for models that keep such data.

        What is static is part of what is compiled: models that differ in it are compiled each, and
        it stays in memory as long as the compiled program. `simulate` leaves it out: networks of
        different graphs and equal shapes share a program.
        """
        return self

    def narrowed(self, state: State) -> tuple[State, Any]:
        """The state with leaves in smaller types, and whether that is the same state.

        Steps that are not differentiated may go faster with it. The run calls it after
        `prepare_steps`, gives the leaves their types back at its end, and reports a state that is
        not the same as one that is not finite. By default all stays as it is.
        """
        return state, True

    def prepare_steps(self, state: State, inputs, clock: Clock) -> "Dynamics":
        """The same model with its solvers prepared for steps of `clock.dt`.

        Called once per run, after `prepare`. A model made of parts calls it for each of them, so
        that a `Propagator` forms its matrices outside the loop over time.
        """
        return self

    def carried(self):
        """Large parameters of which a step reads a small part, to be carried through the loop.

        Reverse mode adds up the derivatives by what a loop reads as constants in every step and in
        full. What is carried costs as much as `step_carrying` makes it. Read after `prepare`; by
        default nothing.
        """
        return ()

    def step_carrying(self, state: State, inputs, clock: Clock, carried):
        """`step`, given `carried` and giving it back as the third value."""
        return *self.step(state, inputs, clock), carried

    def read_inputs(self, inputs, clock: Clock):
        """The inputs as `step` wants them: every input object becomes its mean over the step."""
        return resolve(inputs, clock)


class ContinuousDynamics(Dynamics):
    r"""Dynamics with a vector field, $dy/dt = f(t, y, u)$; `step` is derived from it.

    A model gives `init_state`, `drift` and a `solver` field; everything else has a default.
    One step is

    1. `begin`: apply the pending reset, count the refractory steps down;
    2. the solver advances what `drift` describes, with the parts that `propagate` moves
       exactly (receptors) held at half a step; `hold` undoes what may not move (the voltage of
       a refractory neuron);
    3. `propagate` moves those parts over the whole step, `receive` adds the impulses that
       arrived at their ports;
    4. `emit` reads spikes or rates from the new state.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Leak(nj.ContinuousDynamics):
        ...     tau: nj.Parameter = nj.parameter(10.0)  # ms
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.RungeKutta4()
        ...
        ...     def init_state(self, *, key=None):
        ...         return {"x": jnp.ones(())}
        ...
        ...     def drift(self, t, state, inputs):
        ...         return {"x": -state["x"] / self.tau}
        >>> sim = nj.simulate(Leak(tau=5.0), duration=5.0, dt=0.1)
        >>> round(float(sim.final_state.state["x"]), 4)  # exp(-1)
        0.3679
    """

    solver: eqx.AbstractVar[AbstractStepper]

    @abstractmethod
    def drift(self, t, state: State, inputs) -> State:
        """The rate of change of the state per ms, shaped like it; `None` for integer leaves.

        Arguments:
            t: time in ms.
            state: the state.
            inputs: a dictionary of arrays.
        """

    def diffusion(self, t, state: State, inputs) -> State | None:
        r"""Amplitude $\sigma$ of independent white noise per leaf, in units per $\sqrt{ms}$.

        `None` (the default), or `None` for a leaf, means no noise.
        """
        return None

    def decay(self, t, state: State, inputs) -> State | None:
        r"""The rates $-\partial f_i / \partial y_i$ per ms, for exponential integrators.

        A coupled circuit gives it in closed form. A cell whose drift is elementwise needs
        nothing: the rates are then found by differentiation.
        """
        return None

    def bounded(self, state: State) -> State:
        """The state of a stage as graded couplings read it; by default as it is.

        An explicit solver may carry a membrane that runs away far beyond where it is reset. A drift
        that reads it at a bound gives this bound here too.
        """
        return state

    def begin(self, state: State, clock: Clock) -> State:
        """What happens to the state before it is integrated; by default nothing."""
        return state

    def hold(self, before: State, after: State) -> State:
        """The state after the solver, with what may not move taken from before it.

        A linear model stays linear this way: the drift knows no refractoriness.
        """
        return after

    def propagate(self, state: State, h) -> State | None:
        """The leaves with an exact flow of their own, advanced by `h` ms; `None` elsewhere.

        They may depend on each other, but on no other leaf of the state.
        """
        return None

    def receive(self, state: State, inputs) -> State:
        """Add the impulses that arrived in this step; by default there are no ports."""
        return state

    def emit(self, state: State, clock: Clock) -> Output:
        """What the new state emits; by default nothing."""
        return Output()

    def prepare_steps(self, state: State, inputs, clock: Clock) -> "ContinuousDynamics":
        """The same model with its solver prepared for steps of `clock.dt`."""
        moving, _, field = self._split(state, clock)
        ready = self.solver.prepare(field, _BEGIN, clock.dt, moving, resolve(inputs, clock))
        return eqx.tree_at(lambda model: model.solver, self, ready)

    def read_inputs(self, inputs, clock: Clock):
        """Smooth inputs stay functions of time (the solver's stages read them), others are held."""
        return held(inputs, clock)

    def step(self, state: State, inputs, clock: Clock) -> tuple[State, Output]:
        """Begin, advance, propagate and receive, emit: see the class. Never overridden.

        Raises:
            ValueError: if the model has noise and its solver does not integrate noise, or if
                the drift is not shaped like the state.
        """
        inputs = resolve(inputs, clock) if self.solver.holds_inputs else held(inputs, clock)
        state = self.begin(state, clock)
        moving, exact, field = self._split(state, clock)
        if self.solver.calculus is None and field.is_noisy(_BEGIN, moving, inputs):
            raise ValueError(
                f"{type(self).__name__} has noise (its diffusion is not None), which "
                f"{type(self.solver).__name__} does not integrate; use "
                "solver=nj.solvers.EulerMaruyama() or Heun()"
            )
        moved = self.solver.advance(field, _BEGIN, clock.dt, moving, inputs)
        state = self.hold(state, eqx.combine(moved, state))
        if exact is not None:
            # without the barrier XLA updates the receptors before the membrane has read them,
            # which costs a copy of each
            state = jax.lax.optimization_barrier(state)
            state = eqx.combine(self.propagate(state, clock.dt), state)
        state = self.receive(state, resolve(inputs, clock))
        return state, self.emit(state, clock)

    def _split(self, state: State, clock: Clock):
        """What the solver advances, what moves exactly, and the field with the latter half-way."""
        exact = self.propagate(state, clock.dt)
        moving, rest = advanced_leaves(state, exact)
        if exact is not None:
            rest = eqx.combine(self.propagate(state, 0.5 * clock.dt), rest)
        return moving, exact, VectorField(self, rest, clock)
