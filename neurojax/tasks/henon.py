"""The Hénon map, chaos in two dimensions and discrete time."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_count, check_positive

from . import _draws, _timing
from .forecast import ForecastTask, as_start, check_forecast


@final
class Henon(ForecastTask):
    r"""Forecast the two variables of the Hénon map.

    $$x_{k+1} = 1 - a x_k^2 + y_k, \qquad y_{k+1} = b x_k$$

    A step of the task is one iteration. Each trial starts at random in $|x| < 0.5$, $|y| < 0.1$,
    from where the attractor is reached at the constants of the default (at others an orbit may
    escape to infinity: the series is not finite then), and is shown after `washout`. Each variable
    is given as $(x - \mathrm{mean})/\mathrm{sd}$. The largest Lyapunov exponent is 0.419 per step.

    Inputs: x, y. Outputs: x, y `horizon` later. Conditions: none. Score: R2.

    Arguments:
        length: of a trial in ms.
        horizon: of the forecast in ms.
        a: strength of the fold.
        b: contraction of areas, with changed sign the determinant of the map.
        washout: iterations before a trial.
        mean: of each variable, shape (2,); give zeros for the raw series.
        sd: of each variable, shape (2,); give ones for the raw series.
        dt: ms per step.

    Raises:
        ValueError: for a number that makes no sense.

    Source:
        Hénon (1976), Commun. Math. Phys. 50:69.

    Example:
        >>> from neurojax import tasks
        >>> tasks.Henon().solve([0.0, 0.0], 4).round(3).tolist()
        [[0.0, 0.0], [1.0, 0.0], [-0.4..., 0.3...], [1.07..., -0.1...]]
    """

    length: float = _timing.ms(5000.0)
    horizon: float = _timing.ms(10.0)
    a: Float[Array, ""] = _timing.number(1.4)
    b: Float[Array, ""] = _timing.number(0.3)
    washout: int = eqx.field(static=True, default=100)
    mean: Float[Array, "2"] = _timing.number((0.257, 0.077))
    sd: Float[Array, "2"] = _timing.number((0.721, 0.216))
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_forecast(self)
        check_positive(self, "sd")
        whole = isinstance(self.washout, int) and not isinstance(self.washout, bool)
        if not whole or self.washout < 0:
            raise ValueError(
                f"washout must be a whole number of iterations, 0 or more, got {self.washout!r}"
            )
        for name in ("mean", "sd"):
            if getattr(self, name).shape != (2,):
                raise ValueError(f"{name} must have shape (2,), got {getattr(self, name).shape}")

    @property
    def channels(self) -> int:
        """Two."""
        return 2

    def series(self, key, count: int) -> Float[Array, "time channels"]:
        """`count` samples of a trial's series, one per step."""
        check_count("count", count)
        start = (2.0 * _draws.uniforms(key, (2,)) - 1.0) * jnp.array([0.5, 0.1])
        states = self.solve(start, self.washout + count)[self.washout :]
        return (states - self.mean[None, :]) / self.sd[None, :]

    def solve(self, start, count: int) -> Float[Array, "time 2"]:
        """`count` iterates x, y themselves, the first of which is `start`."""
        check_count("count", count)

        def step(state, _):
            x, y = state
            return (1.0 - self.a * x**2 + y, self.b * x), jnp.stack(state)

        start = as_start(self, start, jnp.result_type(self.a, self.b), (2,))
        _, states = jax.lax.scan(step, (start[0], start[1]), None, length=count)
        return states
