"""A reservoir with a ridge read-out as an estimator of scikit-learn.

Only this module needs scikit-learn, and it is imported when it is first used.
"""

from typing import Any, final

import jax
import numpy as np

from neurojax.circuits import EchoState
from neurojax.core.parameter_checks import check_count
from neurojax.fitting import Ridge, fit_readout

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "ReservoirRegressor needs scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'"
    ) from error


@final
class ReservoirRegressor(RegressorMixin, BaseEstimator):
    r"""An echo-state network that follows a series: the rows of X are steps of time.

    A row of the prediction depends on the same row of X and on those before it, so rows cannot be
    shuffled or taken out. Where `predict` and `score` begin:

    - X that begins with all rows that were fitted begins at the state zero, as `fit` did.
    - All other X is taken for what follows on the fitted rows, and goes on from the state at their
      end, as the test parts of `sklearn.model_selection.TimeSeriesSplit` (with `gap=0`) do.

    A later part is predicted by giving the rows between as well, or from a state:
    `readout_.predict(X, state=...)`, with `nj.fitting.drive(circuit_, X,
    state=readout_.state).state` for the state after X; without `state=` it begins at zero, as a
    series of its own does. Several series, and weights of samples (there is no `sample_weight`),
    are for `nj.fitting.fit_readout`, which takes lists of series and the mask of `nj.tasks.Trials`.

    Arguments:
        units: number of units.
        radius: spectral radius of the recurrent weights.
        leak: in (0, 1].
        input_scaling: of the input weights, a number or one for each column of X.
        bias_scaling: of the biases.
        density: share of the recurrent weights that are there.
        penalty: of ridge regression, on squared weights.
        washout: rows at the beginning that are not fitted, while the reservoir forgets the zero.
        random_state: draws the reservoir; as everywhere in scikit-learn.

    Attributes:
        circuit_: the `nj.circuits.EchoState` with its read-out.
        readout_: the `nj.fitting.FittedReadout`, whose `.state` and `.generate` go on from X.
        n_features_in_: columns of X.
        feature_names_in_: their names, if X was a data frame.

    Raises:
        ValueError: for X or y that are no finite numbers, of different lengths or empty, or lists
            of series; parameters that an `EchoState` or `fit_readout` refuses.

    Example:
        >>> import numpy as np
        >>> from neurojax.interop.scikit_learn import ReservoirRegressor
        >>> u = np.random.default_rng(0).uniform(-1, 1, (300, 1))
        >>> y = np.roll(u[:, 0], 2)
        >>> model = ReservoirRegressor(units=50, washout=20, random_state=0).fit(u[:200], y[:200])
        >>> bool(np.allclose(model.predict(u)[200:], model.predict(u[200:])))
        True
    """

    def __init__(
        self,
        units=100,
        *,
        radius=0.9,
        leak=1.0,
        input_scaling=1.0,
        bias_scaling=0.1,
        density=0.1,
        penalty=1e-6,
        washout=0,
        random_state=None,
    ):
        self.units = units
        self.radius = radius
        self.leak = leak
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling
        self.density = density
        self.penalty = penalty
        self.washout = washout
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """What the estimator can do: several outputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any) -> "ReservoirRegressor":
        """Drive a reservoir by X and fit a linear read-out to y.

        Arguments:
            X: (time, features).
            y: (time,) or (time, outputs).

        Returns:
            The estimator itself.
        """
        check_count("units", self.units)
        if _several(X):
            raise ValueError(
                "X must be one series (time, features), got a list of series: they are for "
                "nj.fitting.fit_readout(nj.circuits.EchoState(...), X, y)"
            )
        X, y = validate_data(
            self, X, y, multi_output=True, y_numeric=True, dtype=np.float64, ensure_min_samples=2
        )
        y = np.asarray(y, float)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        reservoir = EchoState(
            self.units, inputs=X.shape[1], radius=self.radius, density=self.density,
            input_scaling=self.input_scaling, bias_scaling=self.bias_scaling, leak=self.leak,
            key=jax.random.key(seed),
        )  # fmt: skip
        targets = y[:, None] if y.ndim == 1 else y
        self.readout_: Any = fit_readout(
            reservoir, X, targets, method=Ridge(self.penalty), washout=self.washout
        )
        self.circuit_: Any = self.readout_.circuit
        self._flat, self._fitted = y.ndim == 1, X
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The outputs along X, which goes on from the fitted rows or begins with them.

        Arguments:
            X: (time, features).

        Returns:
            (time,) or (time, outputs), as y was.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        again = np.array_equal(X[: len(self._fitted)], self._fitted)
        found = self.readout_.predict(X, state=None if again else self.readout_.state)
        found = np.asarray(found, float)
        return found[:, 0] if self._flat else found


def _several(X: Any) -> bool:
    """Whether it is a list of series, which may have different lengths."""
    return isinstance(X, list | tuple) and len(X) > 0 and np.ndim(X[0]) > 1
