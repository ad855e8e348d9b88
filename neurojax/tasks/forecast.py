"""Tasks of forecasting a time series."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_count, check_positive
from neurojax.core.tracing import known

from . import _timing
from .scores import r2
from .task import Task
from .trials import Trials

_ON_A_CPU, _ELSEWHERE = 128, 8192  # trials at once


class ForecastTask(Task):
    """The series is the input, and the same series `horizon` ms later is the target.

    Attributes:
        length: of a trial in ms.
        horizon: how far ahead the targets are, ms.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> class Wave(nj.tasks.ForecastTask):
        ...     dt: float = 1.0
        ...     length: float = 100.0
        ...     horizon: float = 5.0
        ...     channels = 1
        ...
        ...     def series(self, key, count):
        ...         return jnp.sin(0.1 * self.dt * jnp.arange(count))[:, None]
        >>> trial = Wave().trial(jax.random.key(0))
        >>> trial.inputs.shape, bool(trial.targets[0, 0] == trial.inputs[5, 0])
        ((100, 1), True)
    """

    length: eqx.AbstractVar[float]
    horizon: eqx.AbstractVar[float]

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of components of the series."""

    @abstractmethod
    def series(self, key, count: int) -> Float[Array, "time channels"]:
        """`count` samples of the series, one per step."""

    @property
    def inputs(self) -> int:
        """One per component of the series."""
        return self.channels

    @property
    def outputs(self) -> int:
        """One per component of the series."""
        return self.channels

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "length")

    def several(self, keys, count: int) -> Float[Array, "trial time channels"]:
        """`series` of each key."""
        return jax.vmap(lambda key: self.series(key, count))(keys)

    def trial(self, key) -> Trials:
        """One trial."""
        ahead = _timing.steps(self, "horizon")
        series = self.series(key, self.steps + ahead)
        return Trials(series[: self.steps], series[ahead:], dt=self.dt)

    def _batch(self, keys) -> Trials:
        """Some trials at a time, whose states all lie in the cache while they are integrated."""
        at_once = _ON_A_CPU if jax.default_backend() == "cpu" else _ELSEWHERE
        ahead = _timing.steps(self, "horizon")

        def part(keys):
            series = self.several(keys, self.steps + ahead)
            return Trials(series[:, : self.steps], series[:, ahead:], dt=self.dt)

        if len(keys) <= at_once:
            return part(keys)
        parts = -(-len(keys) // at_once)
        # the last part is filled up, so that it needs no program of its own
        filled = keys[jnp.minimum(jnp.arange(parts * at_once), len(keys) - 1)]
        trials = jax.lax.map(part, filled.reshape(parts, at_once))
        flat = lambda x: x.reshape(-1, *x.shape[2:])
        # a slice would copy even what it takes as a whole
        kept = lambda x: flat(x) if parts * at_once == len(keys) else flat(x)[: len(keys)]
        return jax.tree.map(kept, trials)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """R2 of the forecast over the trial; see `neurojax.tasks.r2`."""
        return r2(trials, outputs)


def check_forecast(task: ForecastTask) -> None:
    """Numbers are finite, and durations that all these tasks share whole numbers of steps."""
    _timing.check_dt(task)
    _timing.check_whole(task, "length", "horizon")
    _timing.check_finite(task)


def check_flow(task: Any) -> None:
    """Steps of the integration and what comes before a trial, in the time of the system."""
    check_count("substeps", task.substeps)
    check_positive(task, "sampling")
    check_positive(task, "washout", zero=True)
    if task.washout > 0 and round(task.washout / task.sampling) == 0:
        raise ValueError(
            f"washout={task.washout:g} of {type(task).__name__} is shorter than half a step of "
            f"sampling={task.sampling:g}"
        )


def as_start(task: ForecastTask, start: Any, dtype: Any, shape: tuple[int, ...] | None) -> Array:
    """Where a solution begins, as finite numbers, of any shape if none is asked for.

    Raises:
        ValueError: for another shape, or values that are not finite.
    """
    start = jnp.asarray(start, dtype)
    name = f"start of {type(task).__name__}.solve"
    if shape is not None and start.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, one value per variable, got {start.shape}"
        )
    if known(start) and not np.all(np.isfinite(np.asarray(start))):
        raise ValueError(f"{name} must be finite, got {start}")
    return start
