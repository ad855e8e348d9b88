"""Measure an interval and reproduce it."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class ReadySetGo(Task):
    r"""Two pulses, ready and set, mark an interval; go shall follow after the same interval.

    The output shall rise from 0 at set linearly to 1 at go, and stay there. The interval that was
    produced is read where the output crosses `threshold`.

    Inputs: ready, set. Output: the ramp. Conditions: `interval` (ms, from ready to set), `set`
    (ms), `go` (ms).
    Score: $\max(0, 1 - |\hat t - t| / t_\mathrm{go})$ with the times $\hat t$ and $t$ after set
    at which output and target cross the threshold, and $t_\mathrm{go}$ the interval to be
    produced; 0 if the output never crosses it.

    Arguments:
        onset: ms before ready; a pair is drawn between its two numbers.
        intervals: ms, one of which is drawn.
        gain: the interval to be produced, as a multiple of the one shown.
        pulse: length of the two pulses in ms.
        hold: ms for which the output shall stay at 1.
        threshold: of the output, between 0 and 1.
        noise: of both inputs: standard deviation of their mean over 100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration, gain, threshold or noise that makes no sense.

    Source:
        Jazayeri and Shadlen (2010), Nat. Neurosci. 13:1020; Wang, Narain, Hosseini and Jazayeri
        (2018), Nat. Neurosci. 21:102.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.ReadySetGo(intervals=(500.0,), gain=1.5, noise=0.0)
        >>> trial = task.trial(jax.random.key(0))
        >>> float(trial.conditions["go"] - trial.conditions["set"])
        750.0
    """

    onset: _timing.Span = _timing.span(100.0, 300.0)
    intervals: tuple[float, ...] = eqx.field(
        static=True,
        converter=lambda x: tuple(float(v) for v in np.ravel(x)),
        default=(480.0, 560.0, 640.0, 720.0, 800.0),
    )
    gain: float = eqx.field(static=True, converter=float, default=1.0)
    pulse: float = _timing.ms(50.0)
    hold: float = _timing.ms(200.0)
    threshold: Float[Array, ""] = _timing.number(0.9)
    noise: Float[Array, ""] = _timing.number(0.02)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _timing.bounds(self, "onset")
        _timing.steps(self, "hold")
        check_positive(self, "noise", zero=True)
        check_positive(self, "threshold")
        if not self.gain > 0:
            raise ValueError(f"gain must be positive, got {self.gain}")
        if not self.intervals or not min(self._counts) > _timing.steps(self, "pulse"):
            raise ValueError(
                f"intervals must be longer than the pulse of {self.pulse:g} ms, "
                f"got {self.intervals}"
            )

    @property
    def _counts(self) -> list[int]:
        return [round(interval / self.dt) for interval in self.intervals]

    @property
    def inputs(self) -> int:
        """Two: ready and set."""
        return 2

    @property
    def outputs(self) -> int:
        """One: the ramp."""
        return 1

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest interval."""
        longest = max(self._counts)
        produced = round(self.gain * longest)
        return _timing.bounds(self, "onset")[1] + longest + produced + _timing.steps(self, "hold")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (2,))
        counts = jnp.array(self._counts)
        ready = _draws.whole(u[0], *_timing.bounds(self, "onset"))
        interval = counts[_draws.whole(u[1], 0, len(self.intervals) - 1)]
        set_ = ready + interval
        length = jnp.round(self.gain * interval).astype(jnp.int32)
        t = jnp.arange(self.steps)
        width = _timing.steps(self, "pulse")
        pulse = lambda begin: (t >= begin) & (t < begin + width)
        noise = _draws.white(key, (self.steps, 2), self.noise, self.dt)
        inputs = jnp.stack([pulse(ready), pulse(set_)], axis=-1).astype(noise.dtype) + noise
        ramp = jnp.clip((t - set_) / length, 0.0, 1.0).astype(noise.dtype)
        mask = (t < set_ + length + _timing.steps(self, "hold")).astype(noise.dtype)
        times = {"interval": interval, "set": set_, "go": set_ + length}
        conditions = {name: (count * self.dt).astype(noise.dtype) for name, count in times.items()}
        return Trials(inputs, ramp[:, None], mask, conditions, dt=self.dt)

    def produced(self, trials: Trials, outputs: Any) -> Array:
        """The time in ms from set until the output first reaches the threshold; `NaN` if never."""
        above = checked_outputs(trials, outputs)[..., 0] >= self.threshold
        times = jnp.broadcast_to(trials.times, above.shape)
        since = times - trials.conditions["set"][..., None]
        crossed = above & (since > -0.5 * self.dt)
        first = jnp.min(jnp.where(crossed, since, jnp.inf), axis=-1)
        return jnp.where(jnp.isfinite(first), first, jnp.nan)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """1 less the relative error of the interval that was produced, at least 0."""
        target = self.produced(trials, trials.targets)
        length = trials.conditions["go"] - trials.conditions["set"]
        error = jnp.abs(self.produced(trials, outputs) - target) / length
        return jnp.where(jnp.isnan(error), 0.0, jnp.maximum(0.0, 1.0 - error))
