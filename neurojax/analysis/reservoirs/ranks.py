"""How many inputs a reservoir tells apart: ranks of matrices of states."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from neurojax.core.tracing import known

from .._activity import activity


def kernel_quality(states: Any, *, tolerance: Any = None) -> Float[Array, ""]:
    r"""The number of linearly independent responses to different inputs.

    $$r = \#\{i : \sigma_i > \mathrm{tolerance}\; \sigma_1\}$$

    of the singular values of the matrix of states, one row for each input. With as many inputs as
    units it tells how rich the mapping is: a linear read-out can give r of the inputs any values
    it likes. Noise makes all ranks full: choose the tolerance above it.

    Arguments:
        states: [input, unit], the state after each of the inputs.
        tolerance: singular values below this part of the largest one do not count; default
            10 times the root of the smaller side of the matrix, times the spacing of numbers at 1:
            rounding reaches that, however many rows there are. Not negative.

    Returns:
        From 0 to the smaller of inputs and units; NaN for states that are not finite.

    Raises:
        ValueError: the shape, or a negative tolerance.

    Source:
        Legenstein and Maass (2007), Neural Networks 20:323.

    Example:
        >>> kernel_quality([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]).item()
        2.0
    """
    x = activity(states, "states", samples=1)
    s = jnp.linalg.svd(x, compute_uv=False)
    rank = jnp.sum(counted(s, tolerance)).astype(x.dtype)
    return jnp.where(jnp.all(jnp.isfinite(x)), rank, jnp.nan)


def generalisation_rank(states: Any, *, tolerance: Any = None) -> Float[Array, ""]:
    """The rank of the responses to inputs that should count as the same.

    As `kernel_quality`, but of the states after noisy copies of one input (or inputs that share
    their recent past): low is good. The difference of the two is a guess at what a read-out can
    learn from few examples.

    Arguments:
        states: [copy, unit], the state after each of the copies.
        tolerance: as in `kernel_quality`; give both the same one.

    Returns:
        From 0 to the smaller of copies and units; 1 if all copies lead to the same state; NaN for
        states that are not finite.

    Raises:
        ValueError: the shape, or a negative tolerance.

    Source:
        Legenstein and Maass (2007), Neural Networks 20:323.

    Example:
        >>> generalisation_rank([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]).item()
        1.0
    """
    return kernel_quality(states, tolerance=tolerance)


def counted(s: Array, tolerance: Any) -> Bool[Array, " value"]:
    """Which singular values, in falling order, are above rounding or a part of the largest."""
    if tolerance is None:
        tolerance = 10.0 * len(s) ** 0.5 * float(jnp.finfo(s.dtype).eps)
    elif known(tolerance) and not np.all(np.asarray(tolerance) >= 0):
        raise ValueError(f"tolerance must not be negative, got {tolerance!r}")
    return (s > tolerance * s[0]) & (s > 0)
