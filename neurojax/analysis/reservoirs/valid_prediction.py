"""How long a forecast is right."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.tracing import known

from .._activity import real


def valid_prediction_time(
    truth: Any, forecast: Any, *, threshold: Any = 0.4, dt: Any = 1.0, lyapunov_time: Any = 1.0
) -> Float[Array, "..."]:
    r"""The time until the normalised error of a forecast first passes a threshold.

    $$e_t = \Big(\frac{1}{D} \sum_{i=1}^D
        \frac{(\hat x_{ti} - x_{ti})^2}{\sigma_i^2}\Big)^{1/2}$$

    with $\sigma_i$ the standard deviation of each variable of the truth over time. The first
    sample is the first that was forecast. A forecast that is no number is wrong.

    Arguments:
        truth: [..., time, variable].
        forecast: of the same shape.
        threshold: of the error.
        dt: time of a step.
        lyapunov_time: one over the largest Lyapunov exponent, in the unit of `dt`; by default the
            result has the unit of `dt`.

    Returns:
        Number of steps before the first wrong one, times dt / lyapunov_time; all steps for a
        forecast that stays right. Shape: the leading axes.

    Raises:
        ValueError: the shapes, a threshold that is negative, times that are not positive.

    Source:
        Vlachas et al. (2020), Neural Networks 126:191; with another norm Pathak et al. (2018),
        Phys. Rev. Lett. 120:024102.

    Example:
        >>> truth = jnp.array([[1.0], [-1.0], [1.0], [-1.0]])
        >>> wrong = jnp.array([[1.1], [-1.2], [2.0], [-1.0]])
        >>> valid_prediction_time(truth, wrong, dt=0.5).item()
        1.0
    """
    x, y = jnp.asarray(truth), jnp.asarray(forecast)
    if x.shape != y.shape or x.ndim < 2 or x.shape[-2] < 2:
        raise ValueError(
            "truth and forecast must have the same shape [..., time, variables], of at least two "
            f"times, got {x.shape} and {y.shape}"
        )
    x, y = real(x, "truth"), real(y, "forecast")
    if known(threshold) and not np.all(np.asarray(threshold) >= 0):
        raise ValueError(f"threshold must not be negative, got {threshold}")
    for name, time in (("dt", dt), ("lyapunov_time", lyapunov_time)):
        if known(time) and not np.all(np.asarray(time) > 0):
            raise ValueError(f"{name} must be positive, got {time}")
    variance = jnp.var(x, axis=-2, keepdims=True)
    square = (y - x) ** 2
    # of a variable that does not vary every error is too large, and none is none
    relative = jnp.where(square == 0, 0.0, square / variance)
    error = jnp.sqrt(jnp.mean(relative, axis=-1))
    right = (error <= threshold).astype(int)
    steps = jnp.sum(jnp.cumprod(right, axis=-1), axis=-1)
    return steps * (jnp.asarray(dt, x.dtype) / lyapunov_time)
