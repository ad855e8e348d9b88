"""The Rössler system, chaos with one nonlinear term."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_count, check_positive

from . import _draws, _timing
from ._runge_kutta import solved
from .forecast import ForecastTask, as_start, check_flow, check_forecast


@final
class Rossler(ForecastTask):
    r"""Forecast the three variables of the Rössler system.

    $$\dot x = -y - z, \quad \dot y = x + a y, \quad \dot z = b + z (x - c)$$

    Its time has no unit: a step of the task is `sampling` of it. Each trial starts at random in
    the square $|x|, |y| < 5$ of the plane z = 0, from where the attractor is reached, and is shown
    after `washout`. Integrated by the fourth-order Runge-Kutta method, `substeps` per step; with
    too few, or at other constants, the series may not be finite. Each variable is given as
    $(x - \mathrm{mean})/\mathrm{sd}$.

    Inputs: x, y, z. Outputs: x, y, z `horizon` later. Conditions: none. Score: R2.

    Arguments:
        length: of a trial in ms.
        horizon: of the forecast in ms.
        a: the first constant.
        b: the second.
        c: the third.
        sampling: time of the system in a step.
        substeps: steps of the integration in a step.
        washout: time of the system before a trial.
        mean: of each variable, shape (3,); give zeros for the raw series.
        sd: of each variable, shape (3,); give ones for the raw series.
        dt: ms per step.

    Raises:
        ValueError: for a number that makes no sense.

    Source:
        Rössler (1976), Phys. Lett. A 57:397.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> tasks.Rossler().trial(jax.random.key(0)).targets.shape
        (500, 3)
    """

    length: float = _timing.ms(5000.0)
    horizon: float = _timing.ms(50.0)
    a: Float[Array, ""] = _timing.number(0.2)
    b: Float[Array, ""] = _timing.number(0.2)
    c: Float[Array, ""] = _timing.number(5.7)
    sampling: float = eqx.field(static=True, converter=float, default=0.1)
    substeps: int = eqx.field(static=True, default=4)
    washout: float = eqx.field(static=True, converter=float, default=50.0)
    mean: Float[Array, "3"] = _timing.number((0.2, -0.9, 0.9))
    sd: Float[Array, "3"] = _timing.number((5.1, 4.8, 2.8))
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
        x, y = 10.0 * _draws.uniforms(key, (2,)) - 5.0
        skip = round(self.washout / self.sampling)
        states = self.solve(jnp.stack([x, y, jnp.zeros_like(x)]), skip + count)[skip:]
        return (states - self.mean[None, :]) / self.sd[None, :]

    def solve(self, start, count: int) -> Float[Array, "time 3"]:
        """`count` samples of x, y, z themselves, the first of which is `start`."""
        check_count("count", count)

        def slope(state):
            x, y, z = state
            return (-y - z, x + self.a * y, self.b + z * (x - self.c))

        start = as_start(self, start, jnp.result_type(self.a, self.b, self.c), (3,))
        return solved(slope, start, self.sampling / self.substeps, self.substeps, count)
