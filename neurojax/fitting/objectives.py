"""What a fit makes small."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import unwrap

from .batch import Batch
from .estimator import Estimator


class AbstractObjective(eqx.Module):
    """A loss of an estimator on a batch of windows.

    Attributes:
        frames: number of frames of a window.
    """

    frames: eqx.AbstractVar[int]

    @abstractmethod
    def loss(self, estimator: Estimator, batch: Batch, key) -> Array:
        """The loss, a scalar; `estimator` is as it was built, not yet prepared."""


def huber(error: Array, delta: float = 1.0) -> Array:
    """Squared error up to `delta`, linear beyond: e^2, then delta (2 |e| - delta).

    Arguments:
        error: e, any shape.
        delta: where it becomes linear, in the unit of the error.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nj.fitting.huber(jnp.array([0.5, 3.0])).tolist()
        [0.25, 5.0]
    """
    size = jnp.abs(error)
    return jnp.where(size < delta, size**2, delta * (2.0 * size - delta))


def _mean_where(values: Array, mask: Array) -> Array:
    return jnp.sum(jnp.where(mask, values, 0.0)) / jnp.maximum(jnp.sum(mask), 1)


@final
class MaskedNeurons(AbstractObjective):
    """Reconstruct randomly hidden neurons from the others: the objective for imputation.

    In each window a random fraction of the recorded neurons, uniform between `low` and `high`,
    is hidden; the loss is the Huber error of their reconstruction after `burn_in` frames, plus
    the priors of circuit and observer.

    Arguments:
        low: least fraction hidden.
        high: largest fraction hidden.
        window: frames of a window after its first.
        burn_in: frames without loss at the beginning, while hidden neurons find their way.
        penalty: weight of the priors.

    Raises:
        ValueError: if the fractions are not 0 < low <= high < 1, or burn_in leaves no frame.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.MaskedNeurons(0.1, 0.5).frames
        41
    """

    low: float = eqx.field(static=True, default=0.1)
    high: float = eqx.field(static=True, default=0.5)
    window: int = eqx.field(static=True, default=40)
    burn_in: int = eqx.field(static=True, default=8)
    penalty: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        if not 0 < self.low <= self.high < 1:
            raise ValueError(
                "MaskedNeurons hides a fraction 0 < low <= high < 1, got "
                f"{self.low} and {self.high}"
            )
        if not 0 <= self.burn_in < self.window:
            raise ValueError(f"burn_in={self.burn_in} leaves no frame of window={self.window}")

    @property
    def frames(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Frames of a window."""
        return self.window + 1

    def loss(self, estimator: Estimator, batch: Batch, key) -> Array:
        """See the class."""
        ready = estimator.prepare()
        share, which = jax.random.split(key)
        windows, _, neurons = batch.values.shape
        fraction = jax.random.uniform(share, (windows, 1), minval=self.low, maxval=self.high)
        hidden = jax.random.uniform(which, (windows, neurons)) < fraction
        seen = batch.observed & ~hidden[:, None, :]
        estimate = jax.vmap(ready.filter)(batch.values, seen, batch.dt)
        asked = (batch.observed & hidden[:, None, :])[:, 1 + self.burn_in :]
        error = estimate[:, self.burn_in :] - batch.values[:, 1 + self.burn_in :]
        return _mean_where(huber(error), asked) + self.penalty * estimator.penalty()


@final
class TeacherForced(AbstractObjective):
    """Predict the next frames from those before: the objective for identifying parameters.

    The circuit is clamped to the recording for `warm_up` frames and then runs free for `horizon`
    frames; the loss is the Huber error of all recorded neurons there, plus the circuit's prior.

    Arguments:
        horizon: frames to predict.
        warm_up: frames that are given first.
        penalty: weight of the priors.
        squared: squared instead of Huber error.

    Raises:
        ValueError: if horizon or warm_up is less than 1.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.TeacherForced(horizon=20).frames
        28
    """

    horizon: int = eqx.field(static=True, default=1)
    warm_up: int = eqx.field(static=True, default=8)
    penalty: float = eqx.field(static=True, default=1.0)
    squared: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.horizon < 1 or self.warm_up < 1:
            raise ValueError(
                f"horizon and warm_up must be at least 1, got {self.horizon} and {self.warm_up}"
            )

    @property
    def frames(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Frames of a window."""
        return self.warm_up + self.horizon

    def loss(self, estimator: Estimator, batch: Batch, key) -> Array:
        """See the class."""
        ready = estimator.prepare()
        if self.horizon == 1:  # every transition of the window counts
            known, first = batch.observed, 1
        else:
            given = jnp.arange(self.frames) < self.warm_up
            known, first = batch.observed & given[None, :, None], self.warm_up
        estimate = jax.vmap(ready.predict)(batch.values, known, batch.dt)[:, first - 1 :]
        asked, target = batch.observed[:, first:], batch.values[:, first:]
        error = estimate - target
        cost = error**2 if self.squared else huber(error)
        return _mean_where(cost, asked) + self.penalty * estimator.penalty()


@final
class UserObjective(AbstractObjective):
    """Any function of (model, batch, key) that gives a scalar; made by `fit` from a function.

    The model is the circuit with wrappers resolved, or the whole `Estimator` where an observation
    or an observer was given to `fit`.

    Arguments:
        function: of (model, batch, key); gives a scalar.
        frames: number of frames of a window.
        whole: whether it is given the `Estimator` rather than the circuit.

    Example:
        >>> import neurojax as nj
        >>> def mean_square(model, batch, key):
        ...     return (batch.values**2).mean()
        >>> nj.fitting.UserObjective(mean_square).frames
        41
    """

    function: Callable[[Any, Batch, Any], Array] = eqx.field(static=True)
    frames: int = eqx.field(static=True, default=41)
    whole: bool = eqx.field(static=True, default=False)

    def loss(self, estimator: Estimator, batch: Batch, key) -> Array:
        """The function's value."""
        ready = unwrap(estimator)
        return self.function(ready if self.whole else ready.circuit, batch, key)
