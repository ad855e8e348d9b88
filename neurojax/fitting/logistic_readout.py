"""A read-out for classes: multinomial logistic regression."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.circuits.recurrent import check_finite
from neurojax.core.parameter_checks import check_count
from neurojax.core.tracing import known


@final
class LogisticReadout(eqx.Module):
    """Weights of features for each class.

    Arguments:
        output: (classes, features).
        output_bias: (classes,).
        classes: the labels, in the order of the rows.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.logistic_readout import LogisticReadout
        >>> readout = LogisticReadout(jnp.array([[0.0], [2.0]]), jnp.zeros(2), ("no", "yes"))
        >>> readout.predict([[-1.0], [0.5]]).tolist()
        ['no', 'yes']
    """

    output: Float[Array, "classes features"]
    output_bias: Float[Array, " classes"]
    classes: tuple = eqx.field(static=True)

    def logits(self, features: Any) -> Float[Array, "... classes"]:
        """W r + c for features (..., features)."""
        features = jnp.asarray(features, self.output.dtype)
        if features.shape[-1:] != self.output.shape[1:]:
            raise ValueError(
                f"features must have shape (..., {self.output.shape[1]}), got {features.shape}"
            )
        check_finite("features", features)
        scores = features @ self.output.T
        return scores + jnp.broadcast_to(self.output_bias, scores.shape)

    def probabilities(self, features: Any) -> Float[Array, "... classes"]:
        """The probability of each class."""
        return jax.nn.softmax(self.logits(features), axis=-1)

    def predict(self, features: Any) -> np.ndarray:
        """The most likely label for features (..., features)."""
        return np.asarray(self.classes)[np.asarray(jnp.argmax(self.logits(features), axis=-1))]


def logistic_readout(
    features: Any, labels: Any, *, penalty: float | int = 1.0, tolerance: float | int = 1e-8,
    iterations: int = 5000,
) -> LogisticReadout:  # fmt: skip
    r"""Multinomial logistic regression, solved on the host in double precision.

    W and c minimise

    $$-\sum_b \log \mathrm{softmax}(W r_b + c)_{y_b} + \frac{\lambda}{2} |W|^2$$

    by L-BFGS (`scipy.optimize`); with a penalty above 0 there is one solution (c sums to 0).
    $\lambda = 1 / C$ in scikit-learn, and $2 / C$ for two classes, for which it has one row of
    weights. Features of very different sizes should be scaled before.

    Arguments:
        features: (samples, features), such as rates or spike counts at the end of trials.
        labels: (samples,), numbers or names.
        penalty: $\lambda$, not negative.
        tolerance: L-BFGS stops where no entry of the gradient, per sample, is larger.
        iterations: at most this many.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, fewer than two
            classes, a negative penalty or tolerance, if L-BFGS does not converge, or inside jit.

    Example:
        >>> import numpy as np
        >>> from neurojax.fitting.logistic_readout import logistic_readout
        >>> features = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> readout = logistic_readout(features, ["left", "left", "right", "right"])
        >>> readout.predict(np.array([[-3.0], [0.5]])).tolist()
        ['left', 'right']
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    if not known(*jax.tree.leaves((features, labels, penalty))):
        raise ValueError(
            "logistic_readout works on the host only, not inside jit, vmap or grad: call it outside"
        )
    X, labels = np.asarray(features, np.float64), np.asarray(labels)
    if X.ndim != 2 or labels.shape != X.shape[:1]:
        raise ValueError(
            "features must have shape (samples, features) and labels (samples,), got "
            f"{X.shape} and {labels.shape}"
        )
    if not np.all(np.isfinite(X)):
        raise ValueError("features must be finite: some are NaN or infinite")
    for name, value in (("penalty", penalty), ("tolerance", tolerance)):
        check_finite(name, value)
        if np.ndim(value) != 0 or not value >= 0:
            raise ValueError(f"{name} must be one number and not negative, got {value}")
    check_count("iterations", iterations)
    if np.issubdtype(labels.dtype, np.floating) and not np.all(np.isfinite(labels)):
        raise ValueError("labels must be finite numbers or names: some are NaN or infinite")
    if labels.dtype == object and any(label is None for label in labels):
        raise ValueError("labels must be finite numbers or names: some are None")
    classes, number = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"labels must have at least two classes, got {classes.tolist()}")
    samples, n, k = *X.shape, len(classes)
    wanted = np.eye(k)[number]

    def loss(x):
        W, c = x[: k * n].reshape(k, n), x[k * n :]
        log_p = log_softmax(X @ W.T + c, axis=1)
        error = np.exp(log_p) - wanted
        slope = np.concatenate([(error.T @ X + penalty * W).ravel(), error.sum(axis=0)])
        value = -np.sum(log_p[np.arange(samples), number]) + 0.5 * penalty * np.sum(W**2)
        return value / samples, slope / samples  # per sample, so that the tolerance has a meaning

    found = minimize(
        loss, np.zeros(k * (n + 1)), jac=True, method="L-BFGS-B",
        options={"gtol": tolerance, "ftol": 0.0, "maxiter": iterations,
                 "maxfun": 2 * iterations, "maxcor": 20},
    )  # fmt: skip
    slope = float(np.abs(found.jac).max())
    # rounding may end the search a little before the tolerance
    if not slope <= max(10.0 * tolerance, 1e-7):
        raise ValueError(
            f"L-BFGS did not converge: after {found.nit} iterations a slope of {slope:.2g} is left "
            f"({found.message}). Scale the features, or raise penalty or iterations"
        )
    W, c = found.x[: k * n].reshape(k, n), found.x[k * n :]
    return LogisticReadout(jnp.asarray(W), jnp.asarray(c - c.mean()), tuple(classes.tolist()))
