"""A cue that foretells one of several events, each with a latency and a probability."""

import dataclasses
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class MEET(Task):
    r"""After a cue event k comes at `latency` k with `probability` k; foretell which and when.

    The outputs shall be what is to be expected from the cue alone,

    $$z^*_k(t) = p_k\, e^{-(t - t_k)^2 / 2 w^2},$$

    a bump for each event as high as its probability, t from the onset of the cue. Timing,
    probability or both change from one block of trials to the next: `switched` gives the task of
    the next block. All these numbers are leaves, so a switch compiles nothing again.

    Inputs: the cue, then one channel per event: pulses of height 1 and `event_strength`.
    Outputs: one per event. The mask is 1 from the onset of the cue on.
    Conditions: `event`, the number of the one that comes; `timing` (time, events), the bumps of
    height 1 of all of them.
    Score: 1 less `relative_error`.

    Arguments:
        latency: of each event in ms from the onset of the cue.
        probability: of each event; they sum to 1.
        width: w in ms.
        event_strength: height of the pulse of an event; 0 where it is only a teacher.
        onset: ms before the cue.
        pulse: length of cue and events in ms.
        length: from the onset of the cue in ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration that makes no sense, probabilities that do not sum to 1, another
            number of latencies, or an event after the end.

    Source: Yamada and Chao (2026), arXiv:2510.14382 (the numbers are ours).

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.MEET(latency=(150.0, 300.0), probability=(0.75, 0.25))
        >>> task.trial(jax.random.key(0)).targets.max(axis=0).tolist()
        [0.75, 0.25]
        >>> later = task.switched(latency=(250.0, 300.0))
        >>> later.trial(jax.random.key(0)).targets[250].tolist()[0]
        0.75
    """

    latency: Float[Array, " events"] = _timing.number((150.0, 300.0))
    probability: Float[Array, " events"] = _timing.number((0.7, 0.3))
    width: Float[Array, ""] = _timing.number(20.0)
    event_strength: Float[Array, ""] = _timing.number(0.0)
    onset: float = _timing.ms(0.0)
    pulse: float = _timing.ms(30.0)
    length: float = _timing.ms(450.0)
    dt: float = eqx.field(static=True, converter=float, default=1.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _timing.steps(self, "pulse")
        _ = self.steps  # checks the durations
        check_positive(self, "width")
        check_positive(self, "event_strength", "latency", zero=True)
        if self.latency.ndim != 1 or self.latency.shape != self.probability.shape:
            raise ValueError(
                "latency and probability must be lists with one number per event, got shapes "
                f"{self.latency.shape} and {self.probability.shape}"
            )
        if known(self.latency) and np.any(np.asarray(self.latency) >= self.length):
            raise ValueError(
                f"events must come before the end of the trial, length={self.length:g} ms, got "
                f"latency={np.asarray(self.latency).tolist()}"
            )
        if known(self.probability):
            p = np.asarray(self.probability)
            if np.any(p < 0) or not np.isclose(p.sum(), 1.0, atol=1e-5):
                raise ValueError(
                    "probability must be numbers that are not negative and sum to 1, got "
                    f"{p.tolist()}"
                )

    @property
    def inputs(self) -> int:
        """The cue and each event."""
        return 1 + self.outputs

    @property
    def outputs(self) -> int:
        """One per event."""
        return self.latency.shape[0]

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "onset", zero=True) + _timing.steps(self, "length")

    def switched(self, *, latency: Any = None, probability: Any = None) -> "MEET":
        """The task of a block with other timing, other probabilities, or both.

        Example:
            >>> from neurojax import tasks
            >>> task = tasks.MEET(probability=(0.8, 0.2))
            >>> task.switched(probability=task.probability[::-1]).probability.round(1).tolist()
            [0.20000000298023224, 0.800000011920929]
        """
        return dataclasses.replace(
            self,
            latency=self.latency if latency is None else latency,
            probability=self.probability if probability is None else probability,
        )

    def trial(self, key) -> Trials:
        """One trial, in which one of the events comes."""
        u = _draws.uniforms(key, ())
        # the last bound would be 1 but for rounding
        event = jnp.sum(u >= jnp.cumsum(self.probability)[:-1])
        comes = (jnp.arange(self.outputs) == event).astype(self.probability.dtype)
        return self._presented(comes, {"event": event})

    def cue_only(self) -> Trials:
        """A test trial: the cue, and no event."""
        none = jnp.zeros_like(self.probability)
        return self._presented(none, {"event": jnp.asarray(-1)})

    def score(self, trials: Trials, outputs: Any) -> Array:
        """1 less the relative error; see `relative_error`."""
        return 1.0 - relative_error(trials, outputs)

    def _presented(self, comes, conditions) -> Trials:
        start = _timing.steps(self, "onset", zero=True)
        since = ((jnp.arange(self.steps) - start) * self.dt).astype(self.latency.dtype)
        after = since[:, None] - self.latency[None, :]
        timing = jnp.exp(-0.5 * (after / self.width) ** 2)
        during = lambda t: ((t >= -1e-3) & (t < self.pulse - 1e-3)).astype(timing.dtype)
        events = self.event_strength * comes[None, :] * during(after)
        inputs = jnp.concatenate([during(since)[:, None], events], axis=1)
        targets = self.probability[None, :] * timing
        mask = (since >= 0).astype(timing.dtype)
        return Trials(inputs, targets, mask, conditions | {"timing": timing}, dt=self.dt)


def relative_error(trials: Trials, outputs: Any) -> Array:
    r"""Size of the error over that of the targets, $|z - z^*| / |z^*|$, for each trial.

    The norm is over steps, weighted with the mask, and outputs. Outputs of 0 have an error of 1.

    Arguments:
        trials: one trial or a batch.
        outputs: shaped like the targets.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.tasks import Trials, meet
        >>> trials = Trials(jnp.zeros((4, 1)), jnp.full((4, 2), 2.0), dt=1.0)
        >>> float(meet.relative_error(trials, jnp.full((4, 2), 1.5)))
        0.25
    """
    outputs = checked_outputs(trials, outputs)
    weight = trials.mask[..., None]
    error = jnp.sum(weight * (outputs - trials.targets) ** 2, axis=(-2, -1))
    size = jnp.sum(weight * trials.targets**2, axis=(-2, -1))
    return jnp.sqrt(error / jnp.maximum(size, jnp.finfo(size.dtype).tiny))
