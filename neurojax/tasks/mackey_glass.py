"""The Mackey-Glass equation, a chaotic series with a delay."""

import math
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.keys import check_key
from neurojax.core.parameter_checks import check_count, check_positive

from . import _draws, _timing
from .forecast import ForecastTask, as_start, check_flow, check_forecast


@final
class MackeyGlass(ForecastTask):
    r"""Forecast the Mackey-Glass series.

    $$\dot x = \frac{\beta\, x(t - \tau)}{1 + x(t - \tau)^n} - \gamma\, x$$

    Its time has no unit: a step of the task is `sampling` of it. Each trial starts from a constant
    history between 0.7 and 1.3 and is shown after `washout`. Integrated by the fourth-order
    Runge-Kutta method, `substeps` per step, with cubic interpolation of the delayed values: the
    method is of fourth order. The series is given as $(x - \mathrm{mean})/\mathrm{sd}$.

    Inputs: the series. Output: the series `horizon` later. Conditions: none. Score: R2.

    Arguments:
        length: of a trial in ms.
        horizon: of the forecast in ms.
        tau: delay, in the time of the equation.
        beta: rate of production.
        gamma: rate of decay.
        n: exponent.
        sampling: time of the equation in a step.
        substeps: steps of the integration in a step; tau must be a whole number of them.
        washout: time of the equation before a trial.
        mean: of the series; give 0 for the raw series.
        sd: of the series; give 1 for the raw series.
        dt: ms per step.

    Raises:
        ValueError: for a number that makes no sense, or a delay off the grid.

    Source:
        Mackey and Glass (1977), Science 197:287.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> tasks.MackeyGlass(washout=20.0).trial(jax.random.key(0)).targets.shape
        (500, 1)
    """

    length: float = _timing.ms(5000.0)
    horizon: float = _timing.ms(60.0)
    tau: float = eqx.field(static=True, converter=float, default=17.0)
    beta: Float[Array, ""] = _timing.number(0.2)
    gamma: Float[Array, ""] = _timing.number(0.1)
    n: int = eqx.field(static=True, default=10)
    sampling: float = eqx.field(static=True, converter=float, default=1.0)
    substeps: int = eqx.field(static=True, default=10)
    washout: float = eqx.field(static=True, converter=float, default=300.0)
    mean: Float[Array, ""] = _timing.number(0.93)
    sd: Float[Array, ""] = _timing.number(0.23)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_forecast(self)
        check_flow(self)
        check_positive(self, "tau", "n", "sd")
        check_positive(self, "beta", "gamma", zero=True)
        ratio = self.tau / self._h
        if abs(ratio - round(ratio)) > 1e-6 * ratio:
            raise ValueError(
                f"tau={self.tau:g} must be a whole number of substeps of {self._h:g}; "
                "change sampling or substeps"
            )

    @property
    def channels(self) -> int:
        """One."""
        return 1

    @property
    def _h(self) -> float:
        return self.sampling / self.substeps

    def series(self, key, count: int) -> Float[Array, "time channels"]:
        """`count` samples of a trial's series, one per step."""
        check_count("count", count)
        check_key(key)
        return self.several(key[None], count)[0]

    def several(self, keys, count: int) -> Float[Array, "trial time channels"]:
        """`series` of each key."""
        start = 0.7 + 0.6 * jax.vmap(lambda key: _draws.uniforms(key, ()))(keys)
        skip = round(self.washout / self.sampling)
        x = self.solve(start, skip + count)[skip:]
        return ((x.T - self.mean) / self.sd)[:, :, None]

    def solve(self, start, count: int) -> Float[Array, "time ..."]:
        """`count` samples of x itself, from constant histories `start` (...) on."""
        check_count("count", count)
        start = as_start(self, start, jnp.result_type(self.beta, self.gamma), None)
        lag = round(self.tau / self._h)
        return _series(start, self.beta, self.gamma, self.n, self._h, lag, self.substeps, count)


def _series(start, beta, gamma, n: int, h: float, lag: int, every: int, count: int):
    """Samples of x (time, ...) from constant histories `start` (...).

    Starts lie along the last axis, where a step is whole vectors; along the first, where `vmap`
    would put them, it takes twice as long.
    """
    blocks = math.ceil(((count - 1) * every + 1) / lag)
    production = lambda x: beta * x / (1.0 + x**n)

    # the production at both ends of a substep and in its middle is known, and x moves linearly: the
    # four stages of the method add up to new = decay * x + gain, with all gains of a block at once
    z = gamma * h
    decay = 1.0 - z * (1.0 - z / 2.0 * (1.0 - z / 3.0 * (1.0 - z / 4.0)))
    first = h / 6.0 * (1.0 - z * (1.0 - z / 2.0 * (1.0 - z / 2.0)))
    middle = h / 6.0 * (4.0 - z * (2.0 - z / 2.0))
    last = h / 6.0

    def substep(x, gain):
        new = decay * x + gain
        return new, new

    def block(history, _):
        """One delay of time from the one before it: values and derivatives at lag + 1 points.

        The two sides of a kink between blocks belong to different ones.
        """
        x, slope = history
        between = 0.5 * (x[:-1] + x[1:]) + h / 8.0 * (slope[:-1] - slope[1:])
        sources = production(x)
        gains = first * sources[:-1] + middle * production(between) + last * sources[1:]
        _, later = jax.lax.scan(substep, x[-1], gains)
        new = jnp.concatenate([x[-1:], later])
        return (new, sources - gamma * new), new[:-1:thin]

    # where samples fall on the same places of all blocks the rest is not written to memory
    thin = every if lag % every == 0 else 1
    shape = (lag + 1, *start.shape)
    history = (jnp.broadcast_to(start, shape), jnp.zeros(shape, start.dtype))
    _, values = jax.lax.scan(block, history, None, length=blocks)
    return values.reshape(-1, *start.shape)[:: every // thin][:count]
