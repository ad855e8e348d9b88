"""Tasks of forecasting a time series."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from . import _timing
from .scores import r2
from .task import Task
from .trials import Trials


class ForecastTask(Task):
    """The series is the input, and the same series `horizon` ms later is the target.

    Attributes:
        length: of a trial in ms.
        horizon: how far ahead the targets are, ms.
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

    def trial(self, key) -> Trials:
        """One trial."""
        ahead = _timing.steps(self, "horizon")
        series = self.series(key, self.steps + ahead)
        return Trials(series[: self.steps], series[ahead:], dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """R2 of the forecast over the trial; see `neurojax.tasks.r2`."""
        return r2(trials, outputs)


def check_forecast(task: ForecastTask) -> None:
    """The durations that all these tasks share make sense."""
    _timing.check_dt(task)
    _timing.steps(task, "length")
    _timing.steps(task, "horizon")
