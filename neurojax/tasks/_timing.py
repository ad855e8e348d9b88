"""Durations in ms as whole numbers of steps, and fields that are numbers."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from neurojax.core.tracing import known

Span = tuple[float, float]


def number(default: Any) -> Any:
    """A field that becomes an array of floats: a leaf, so that another value recompiles nothing."""
    return eqx.field(converter=lambda x: jnp.asarray(x, float), default=default)


def ms(default: float) -> Any:
    """A field for a duration in ms: static, since shapes depend on it."""
    return eqx.field(static=True, converter=float, default=default)


def span(*default: float) -> Any:
    """A field for a duration that is drawn between two bounds in ms; one number is both."""
    return eqx.field(static=True, converter=_pair, default=default)


def _pair(value) -> Any:
    if np.ndim(value) == 0:
        return (float(value), float(value))
    return tuple(float(x) for x in value)


def check_dt(task) -> None:
    """The step of a task is positive."""
    if not np.isfinite(task.dt) or not task.dt > 0:
        raise ValueError(f"dt of {type(task).__name__} must be positive (ms), got {task.dt}")


def check_finite(task) -> None:
    """The numbers of a task are finite, where they are known."""
    for field in dataclasses.fields(task):
        value = getattr(task, field.name)
        number = eqx.is_array_like(value) and known(value)
        if number and not np.all(np.isfinite(np.asarray(value))):
            raise ValueError(
                f"{field.name} of {type(task).__name__} must be finite, got {np.asarray(value)}"
            )


def check_whole(task, *names: str) -> None:
    """The durations of these names are whole numbers of steps."""
    for name in names:
        count, value = steps(task, name), getattr(task, name)
        if abs(value / task.dt - count) > 1e-6 * count:
            raise ValueError(
                f"{name}={value:g} ms of {type(task).__name__} must be a whole number of steps of "
                f"dt={task.dt:g} ms, such as {count * task.dt:g}"
            )


def steps(task, name: str, zero: bool = False) -> int:
    """The duration of this name in steps, at least one unless it may be zero."""
    return _count(task, name, getattr(task, name), zero)


def bounds(task, name: str, zero: bool = True) -> tuple[int, int]:
    """The two bounds of a duration that is drawn, in steps."""
    value = getattr(task, name)
    if len(value) != 2 or not value[0] <= value[1]:
        raise ValueError(
            f"{name} of {type(task).__name__} must be a number of ms or a pair (shortest, "
            f"longest), got {value}"
        )
    return _count(task, name, value[0], zero), _count(task, name, value[1], zero)


def _count(task, name: str, value: float, zero: bool) -> int:
    if not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        what = "must not be negative" if zero else "must be positive"
        raise ValueError(f"{name} of {type(task).__name__} {what} (ms), got {value}")
    count = round(value / task.dt)
    if count == 0 and value > 0 and not zero:
        raise ValueError(
            f"{name}={value:g} ms of {type(task).__name__} is shorter than half a step of "
            f"dt={task.dt:g} ms"
        )
    return count
