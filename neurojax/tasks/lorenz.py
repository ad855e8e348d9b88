"""The Lorenz system, chaos in three dimensions."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_count, check_positive

from . import _draws, _timing
from ._runge_kutta import solved
from .forecast import ForecastTask, as_start, check_flow, check_forecast


@final
class Lorenz(ForecastTask):
    r"""Forecast the three variables of the Lorenz system.

    $$\dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad \dot z = x y - \beta z$$

    Its time has no unit: a step of the task is `sampling` of it. Each trial starts near the
    attractor at random and is shown after `washout`. Integrated by the fourth-order Runge-Kutta
    method, `substeps` per step; with too few the series is not finite. Each variable is given as
    $(x - \mathrm{mean})/\mathrm{sd}$.

    Inputs: x, y, z. Outputs: x, y, z `horizon` later. Conditions: none. Score: R2.

    Arguments:
        length: of a trial in ms.
        horizon: of the forecast in ms.
        sigma: the first constant.
        rho: the second.
        beta: the third.
        sampling: time of the system in a step.
        substeps: steps of the integration in a step.
        washout: time of the system before a trial.
        mean: of each variable, shape (3,); give zeros for the raw series.
        sd: of each variable, shape (3,); give ones for the raw series.
        dt: ms per step.

    Raises:
        ValueError: for a number that makes no sense.

    Source:
        Lorenz (1963), J. Atmos. Sci. 20:130.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> tasks.Lorenz().trial(jax.random.key(0)).targets.shape
        (500, 3)
    """

    length: float = _timing.ms(5000.0)
    horizon: float = _timing.ms(50.0)
    sigma: Float[Array, ""] = _timing.number(10.0)
    rho: Float[Array, ""] = _timing.number(28.0)
    beta: Float[Array, ""] = _timing.number(8.0 / 3.0)
    sampling: float = eqx.field(static=True, converter=float, default=0.02)
    substeps: int = eqx.field(static=True, default=4)
    washout: float = eqx.field(static=True, converter=float, default=5.0)
    mean: Float[Array, "3"] = _timing.number((0.0, 0.0, 23.5))
    sd: Float[Array, "3"] = _timing.number((7.9, 9.0, 8.6))
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_forecast(self)
        check_flow(self)
        check_positive(self, "sd")
        for name in ("mean", "sd"):
            if getattr(self, name).shape != (3,):
                raise ValueError(f"{name} must have shape (3,), got {getattr(self, name).shape}")

    @property
    def channels(self) -> int:
        """Three."""
        return 3

    def series(self, key, count: int) -> Float[Array, "time channels"]:
        """`count` samples of a trial's series, one per step."""
        check_count("count", count)
        start = self.mean + self.sd * _draws.normals(key, (3,))
        skip = round(self.washout / self.sampling)
        states = self.solve(start, skip + count)[skip:]
        return (states - self.mean[None, :]) / self.sd[None, :]

    def solve(self, start, count: int) -> Float[Array, "time 3"]:
        """`count` samples of x, y, z themselves, the first of which is `start`."""
        check_count("count", count)

        def slope(state):
            x, y, z = state
            return (self.sigma * (y - x), x * (self.rho - z) - y, x * y - self.beta * z)

        start = as_start(self, start, jnp.result_type(self.sigma, self.rho, self.beta), (3,))
        return solved(slope, start, self.sampling / self.substeps, self.substeps, count)
