"""Hold while a cue is there, let go when it goes."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class Fixation(Task):
    """The output shall be 1 while the cue is shown, and 0 before and after it.

    In the `grace` ms after each change of the cue the mask is 0; so it is after the release.

    Inputs: the cue. Output: fixation. Conditions: `wait`, `hold` (ms).
    Score: the fraction of time in which the output is above 1/2 during the cue, times the
    fraction in which it is below 1/2 otherwise.

    Arguments:
        wait: ms before the cue; a pair is drawn between its two numbers.
        hold: length of the cue in ms; likewise.
        release: ms after the cue.
        grace: ms after a change of the cue that do not count.
        noise: of the input: standard deviation of its mean over 100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration or noise that makes no sense.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.Fixation(wait=100.0, hold=300.0, release=100.0)
        >>> float(task.trial(jax.random.key(0)).targets.sum())
        30.0
    """

    wait: _timing.Span = _timing.span(100.0, 300.0)
    hold: _timing.Span = _timing.span(500.0, 1000.0)
    release: float = _timing.ms(300.0)
    grace: float = _timing.ms(50.0)
    noise: Float[Array, ""] = _timing.number(0.05)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        check_positive(self, "noise", zero=True)
        _timing.bounds(self, "wait")
        shortest = min(_timing.bounds(self, "hold", zero=False)[0], _timing.steps(self, "release"))
        if not _timing.steps(self, "grace", zero=True) < shortest:
            raise ValueError(
                f"grace={self.grace:g} ms must be shorter than hold={self.hold} and "
                f"release={self.release:g} ms, by a step at least"
            )

    @property
    def inputs(self) -> int:
        """One: the cue."""
        return 1

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest wait and cue."""
        longest = _timing.bounds(self, "wait")[1] + _timing.bounds(self, "hold")[1]
        return longest + _timing.steps(self, "release")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (2,))
        on = _draws.whole(u[0], *_timing.bounds(self, "wait"))
        off = on + _draws.whole(u[1], *_timing.bounds(self, "hold"))
        grace = _timing.steps(self, "grace", zero=True)
        t = jnp.arange(self.steps)
        cue = (t >= on) & (t < off)
        changing = ((t >= on) & (t < on + grace)) | ((t >= off) & (t < off + grace))
        mask = ~changing & (t < off + _timing.steps(self, "release"))
        noise = _draws.white(key, (self.steps,), self.noise, self.dt)
        target = cue.astype(noise.dtype)
        conditions = {"wait": on * self.dt, "hold": (off - on) * self.dt}
        return Trials(
            (target + noise)[:, None],
            target[:, None],
            mask.astype(noise.dtype),
            conditions,
            dt=self.dt,
        )

    def score(self, trials: Trials, outputs: Any) -> Array:
        """Fraction of the cue that was held, times the fraction of the rest that was not."""
        above = checked_outputs(trials, outputs)[..., 0] > 0.5
        cue = trials.targets[..., 0] > 0.5
        share = lambda right, when: (
            jnp.sum(trials.mask * (right & when), axis=-1) / jnp.sum(trials.mask * when, axis=-1)
        )
        return share(above, cue) * share(~above, ~cue)
