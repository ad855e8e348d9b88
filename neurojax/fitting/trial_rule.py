"""Rules that learn in the course of a trial, and are tested between trials."""

from abc import abstractmethod
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.circuits import RecurrentCircuit
from neurojax.tasks import Trials

from .unroll import begin

_Readouts = TypeVar("_Readouts")


class AbstractTrialRule(eqx.Module):
    """A rule that changes read-outs while a circuit runs; a subclass gives `trial`.

    Example:
        >>> from neurojax.fitting.force_readout import ForceTrials
        >>> from neurojax.fitting.trial_rule import AbstractTrialRule
        >>> from neurojax.fitting.what_when import ErrorModulated
        >>> all(isinstance(rule, AbstractTrialRule) for rule in (ForceTrials(), ErrorModulated()))
        True
    """

    @abstractmethod
    def trial(
        self, circuit: RecurrentCircuit, readouts: Any, trial: Trials, *, key: Any = None,
        learn: Any = True,
    ) -> tuple[Any, Any]:  # fmt: skip
        """One trial: a pure function that gives new read-outs, and what happened.

        Arguments:
            circuit: with outputs, one per event.
            readouts: as the last trial left them.
            trial: with the conditions `event` and `timing` of `nj.tasks.MEET`.
            key: for the start and the noise of the circuit.
            learn: 0 or `False` for a test trial, which leaves the read-outs as they are.

        Raises:
            UnknownNameError: if the trial lacks a condition.
            ValueError: if there are several trials, or not as many events as outputs.
        """

    def trials(
        self, circuit: RecurrentCircuit, readouts: _Readouts, trials: Trials, *, key: Any = None,
        learn: Any = True, test: Trials | None = None,
    ) -> tuple[_Readouts, Any]:  # fmt: skip
        """Trials one after the other, in one compiled loop.

        Arguments:
            circuit: see `trial`.
            readouts: before the first trial.
            trials: a batch.
            key: split over the trials.
            learn: see `trial`.
            test: a trial, such as `task.cue_only()`, with which the read-outs are tested after
                each trial, without learning; then the trace is that of the tests.

        Returns:
            The read-outs after the last trial, and traces along a first axis.

        Raises:
            ValueError: if `trials` is no batch along one axis.
        """
        if len(trials.batch) != 1:
            raise ValueError(f"trials must be a batch along one axis, got batch {trials.batch}")
        return _run(self, circuit, readouts, trials, key, learn, test)


@eqx.filter_jit
def _run(rule, circuit, readouts, trials, key, learn, test):
    keys = None if key is None else jax.random.split(key, (len(trials), 2))

    def one(readouts, given):
        trial, keys = given
        own, other = (None, None) if keys is None else (keys[0], keys[1])
        readouts, trace = rule.trial(circuit, readouts, trial, key=own, learn=learn)
        if test is not None:
            _, trace = rule.trial(circuit, readouts, test, key=other, learn=False)
        return readouts, trace

    return jax.lax.scan(one, readouts, (trials, keys))


def foretold(trial: Trials, events: int) -> tuple[Array, Array]:
    """The time course of each event (time, events), and 1 for the one that comes (events,)."""
    if trial.batch:
        raise ValueError("trial() takes one trial; trials() runs one after the other")
    timing, event = jnp.asarray(trial.condition("timing")), trial.condition("event")
    if timing.shape[-1] != events:
        raise ValueError(
            f"the read-outs are for {events} events, the trial has {timing.shape[-1]}: build the "
            f"circuit with outputs={timing.shape[-1]}"
        )
    return timing, (jnp.arange(events) == event).astype(timing.dtype)


def beginning(circuit: RecurrentCircuit, trial: Trials, key) -> Any:
    """The state at the start of a trial; with a key as the circuit draws it."""
    if key is None or trial.initial is not None:
        return begin(circuit, trial.initial)
    return circuit.init_state(key=jax.random.fold_in(key, 1))
