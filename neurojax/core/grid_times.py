"""Times of inputs as they were given, in double precision, counted on the grid of a run.

Single precision tells times apart by 0.06 ms after a quarter of an hour. What lies within a step is
kept where the numbers are known: the given ones are held beside those of single precision, and
counted in whole steps and a rest before the run.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from .multiples import LARGEST, PRODUCT
from .tracing import known

_EPS = float(np.finfo(float).eps)


def digits(*values) -> tuple[np.ndarray, ...] | None:
    """The values in double precision, or `None` where they have no more digits than arrays have."""
    if jnp.result_type(float) == jnp.float64 or not all(map(_is_double, values)):
        return None
    return tuple(np.asarray(value, np.float64) for value in values)


def _is_double(value) -> bool:
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype == np.float64 or value.dtype.kind in "iu"
    return isinstance(value, int | float)


def still(given, times) -> list[float] | None:
    """The given values, unless `times` were changed since, or are only known in a transform."""
    if given is None or not known(*given, *times):
        return None
    if any(not isinstance(x, np.ndarray) or x.dtype != np.float64 for x in given):
        return None
    with np.errstate(over="ignore"):
        same = all(np.float32(x) == np.asarray(t) for x, t in zip(given, times, strict=True))
    return [float(x) for x in given] if same else None


def place(time: float, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole steps, and the ms that are left."""
    whole, rest = _divided(time, dt) if math.isfinite(time) else (0.0, time)
    if abs(whole) >= 2.0**31:
        whole, rest = 0.0, time
    with np.errstate(over="ignore"):
        return np.asarray(whole, np.int32), np.asarray(rest, np.float32)


def sample(t0: float, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole samples modulo 2**32, as `multiple` gives them, and the part of one that is left."""
    whole, rest = _divided(t0, dt)
    return np.asarray(int(whole) % 2**32, np.uint32).view(np.int32), np.asarray(
        rest / dt, np.float32
    )


def _divided(time: float, unit: float) -> tuple[float, float]:
    """Whole units, and a rest that is more than the rounding of its parts."""
    whole = float(np.rint(time / unit))
    rest = time - whole * unit
    return whole, 0.0 if abs(rest) <= 4.0 * _EPS * abs(time) else rest


def ratio(of: float, by: float) -> tuple[Any, Any, Any]:
    """`of / by` as two whole numbers and what is left beyond theirs, for `multiple`."""
    exact = rest = of / by
    (p, q), before = (1, 0), (0, 1)
    while True:
        term = math.floor(rest)
        after = term * p + before[0], term * q + before[1]
        if max(after) > LARGEST or after[0] * after[1] > PRODUCT:
            break
        (p, q), before = after, (p, q)
        if abs(exact - p / q) <= 4.0 * _EPS * exact or rest == term:
            break
        rest = 1.0 / (rest - term)
    p, q = (p, q) if q > 0 else (0, 1)
    left = exact - p / q
    left = 0.0 if abs(left) <= 4.0 * _EPS * exact else left
    return np.asarray(p, np.int32), np.asarray(q, np.int32), np.asarray(left, np.float32)
