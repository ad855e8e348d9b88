"""A circuit, an observation and an observer: what reconstructs hidden neurons."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from neurojax.core import Clock, Dynamics, unwrap
from neurojax.core.paths import get
from neurojax.observations import AbstractObservation

from .observers import AbstractObserver


@final
class Estimator(eqx.Module):
    """Drives a circuit with the neurons that are seen and reads off the others.

    Arguments:
        circuit: the dynamics; what is simulated later.
        observation: how recorded values follow from its state.
        observer: how it uses the neurons that are seen.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring)
        >>> clamp = nj.fitting.Clamp()
        >>> estimator = nj.fitting.Estimator(circuit, nj.observations.Identity(), clamp).prepare()
        >>> seen = jnp.zeros((5, 4), bool).at[:, 0].set(True)
        >>> estimator.filter(jnp.ones((5, 4)), seen, jnp.full(5, 600.0)).shape
        (4, 4)
    """

    circuit: Dynamics
    observation: AbstractObservation
    observer: AbstractObserver

    def prepare(self) -> "Estimator":
        """Wrappers resolved, matrices built: once per run.

        Estimates follow the mean: the noise of a circuit that has a `noise` is left out.
        """
        ready = unwrap(self)
        circuit = ready.circuit.prepare()
        if getattr(circuit, "noise", None) is not None:
            circuit = eqx.tree_at(lambda c: c.noise, circuit, None)
        return Estimator(circuit, ready.observation, ready.observer.prepare())

    def penalty(self) -> Array:
        """The priors of circuit and observer."""
        ready = unwrap(self)
        own = getattr(ready.circuit, "penalty", None)
        return (0.0 if own is None else own()) + ready.observer.penalty()

    def filter(
        self,
        values: Float[Array, "frame neuron"],
        seen: Bool[Array, "frame neuron"],
        dt: Float[Array, " frame"],
    ) -> Float[Array, "frame-1 neuron"]:
        """Estimates of all neurons at frames 1, 2, ... from what is seen up to each of them.

        A neuron that is seen at a frame is clamped there before the step (no lag), so its
        estimate is the circuit's one-step account of it; a neuron that is not seen runs free.
        Unseen neurons begin at the circuit's initial state. Call it on `prepare()`d estimators.

        Arguments:
            values: recorded values, anything where not seen.
            seen: where they may be used.
            dt: ms from the frame before; the first is not used.
        """
        seeing, leaf = self.observation, self.observation.leaf
        state = self.circuit.init_state()
        V = get(state, leaf)
        if V is None or V.shape != values.shape[1:]:
            raise ValueError(
                f"the circuit's state has no leaf {leaf!r} with one entry per neuron of the "
                f"recording, {values.shape[1:]}"
            )
        memory = seeing.set_known(seeing.begin(V), values[0], seen[0])
        state = self._clamped(state, jnp.where(seen[0], self._first(values[0]), V))

        def frame(carry, x):
            state, memory, step = carry
            y, known, dt = x
            clock = Clock(step, dt)
            driven = jnp.where(known, seeing.invert(memory, y, dt), get(state, leaf))
            state = self._clamped(state, driven)
            before = state
            state, _ = self.circuit.step(state, {}, clock)
            corrected = self.observer.correct(self.circuit, before, state, leaf, known, clock)
            state = self._clamped(state, corrected)
            memory = seeing.advance(memory, get(state, leaf), dt)
            estimate = seeing.read(memory)
            memory = seeing.set_known(memory, y, known)
            return (state, memory, step + 1), estimate

        start = (state, memory, jnp.zeros((), jnp.int32))
        _, estimates = jax.lax.scan(frame, start, (values[1:], seen[1:], dt[1:]))
        return estimates

    def predict(
        self,
        values: Float[Array, "frame neuron"],
        known: Bool[Array, "frame neuron"],
        dt: Float[Array, " frame"],
    ) -> Float[Array, "frame-1 neuron"]:
        """One-step predictions of frames 1, 2, ...: each from what is known before it.

        Known neurons are clamped after their frame; where nothing is known for a stretch of
        frames the predictions there are a free run. The observer takes no part: this is the
        circuit. Call it on `prepare()`d estimators.

        Arguments:
            values: recorded values, anything where not known.
            known: where they may be used for later frames.
            dt: ms from the frame before; the first is not used.
        """
        seeing, leaf = self.observation, self.observation.leaf
        state = self.circuit.init_state()
        V = get(state, leaf)
        memory = seeing.set_known(seeing.begin(V), values[0], known[0])
        state = self._clamped(state, jnp.where(known[0], self._first(values[0]), V))

        def frame(carry, x):
            state, before, step = carry
            y, now, dt = x
            state, _ = self.circuit.step(state, {}, Clock(step, dt))
            memory = seeing.advance(before, get(state, leaf), dt)
            estimate = seeing.read(memory)
            driven = jnp.where(now, seeing.invert(before, y, dt), get(state, leaf))
            memory = seeing.set_known(memory, y, now)
            return (self._clamped(state, driven), memory, step + 1), estimate

        start = (state, memory, jnp.zeros((), jnp.int32))
        _, estimates = jax.lax.scan(frame, start, (values[1:], known[1:], dt[1:]))
        return estimates

    def _first(self, values):
        # before the first frame the indicator is taken to be in balance
        memory = self.observation.begin(jnp.zeros_like(values))
        return self.observation.set_known(memory, values, jnp.ones_like(values, bool))

    def _clamped(self, state, V) -> Any:
        return eqx.tree_at(lambda s: get(s, self.observation.leaf), state, V)
