"""A pen that draws a straight line."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .scores import r2
from .task import Task
from .trials import Trials


@final
class LineDrawing(Task):
    r"""The two outputs are a pen, which shall draw a line from the origin to a place that is shown.

    The place is shown during the cue; after a delay a go signal comes on, and from there the pen
    shall move along a straight line, with the profile of least jerk,

    $$p(s) = 10 s^3 - 15 s^4 + 6 s^5, \qquad s = t/\mathrm{movement},$$

    and then stay where it is.

    Inputs: x and y of the place (while the cue is shown), go. Outputs: x and y of the pen.
    Conditions: `angle` (radians), `delay` (ms), `go` (ms).
    Score: R2.

    Arguments:
        directions: number of places, evenly around the origin; 0 for any direction.
        radius: distance of the places.
        cue: for how long the place is shown, ms.
        delay: ms between cue and go; a pair is drawn between its two numbers.
        movement: length of the movement in ms.
        hold: ms for which the pen shall stay at the place.
        dt: ms per step.

    Raises:
        ValueError: for a duration, number or radius that makes no sense.

    Source:
        The profile: Flash and Hogan (1985), J. Neurosci. 5:1688.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.LineDrawing(directions=8).trial(jax.random.key(0))
        >>> round(float((trial.targets[-1] ** 2).sum()), 4)
        1.0
    """

    directions: int = eqx.field(static=True, default=8)
    radius: Float[Array, ""] = _timing.number(1.0)
    cue: float = _timing.ms(200.0)
    delay: _timing.Span = _timing.span(100.0, 300.0)
    movement: float = _timing.ms(500.0)
    hold: float = _timing.ms(200.0)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _ = self.steps  # checks the durations
        check_positive(self, "radius")
        if self.directions < 0:
            raise ValueError(f"directions must not be negative, got {self.directions}")

    @property
    def inputs(self) -> int:
        """Three: the place and go."""
        return 3

    @property
    def outputs(self) -> int:
        """Two: the pen."""
        return 2

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest delay."""
        before = _timing.steps(self, "cue") + _timing.bounds(self, "delay")[1]
        return before + _timing.steps(self, "movement") + _timing.steps(self, "hold", zero=True)

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (2,))
        n = self.directions
        turn = _draws.whole(u[0], 0, n - 1).astype(u.dtype) / n if n else u[0]
        angle = 2.0 * jnp.pi * turn
        place = self.radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        cue, movement = _timing.steps(self, "cue"), _timing.steps(self, "movement")
        go = cue + _draws.whole(u[1], *_timing.bounds(self, "delay"))
        t = jnp.arange(self.steps)
        end = go + movement + _timing.steps(self, "hold", zero=True)
        shown = jnp.where((t < cue)[:, None], place[None, :], 0.0)
        inputs = jnp.concatenate([shown, ((t >= go) & (t < end))[:, None]], axis=-1)
        s = jnp.clip((t - go) / movement, 0.0, 1.0)
        profile = s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
        targets = profile[:, None] * place[None, :]
        conditions = {"angle": angle, "delay": (go - cue) * self.dt, "go": go * self.dt}
        mask = (t < end).astype(place.dtype)
        return Trials(inputs, targets, mask, conditions, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """R2 of the pen over the trial; see `neurojax.tasks.r2`."""
        return r2(trials, outputs)
