"""Checks of the parameters of a model at the door, where they are numbers already."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import paramax

from .errors import suggestion
from .parameters import as_parameter
from .random import AbstractDistribution
from .tracing import known

_MOST_SHOWN = 8  # values of an array in a message


def check_size(n) -> None:
    """A population has a positive whole number of neurons."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n must be a positive whole number of neurons, got {n!r}")


def check_count(name: str, value) -> None:
    """A number of steps, settings or the like is a positive whole number."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value >= 1):
        raise ValueError(f"{name} must be a positive whole number, got {value!r}")


def each_parameter(model):
    """The name and the value of every parameter that is given, or of each component of one."""
    for field in dataclasses.fields(model):
        if field.metadata.get("converter") is not as_parameter:
            continue
        for value in components(paramax.unwrap(getattr(model, field.name))):
            if value is not None:
                yield field.name, value


def _told(number: np.ndarray, good) -> str:
    """An array in a message: of a long one how much of it is wrong, and how far."""
    if number.size <= _MOST_SHOWN:
        return str(number)
    bad = np.sort(number[~good])  # NaN last
    span = f"{bad[0]:g}" if bad.size == 1 else f"{bad[0]:g} to {bad[-1]:g}"
    return f"{bad.size} of {number.size} values that do not fit: {span}"


def check_shapes(model, n: int) -> None:
    """Every parameter, or each component of one, is a scalar or has one value per neuron.

    `None` stands for one that is not there, where that is the default.
    """
    for field in dataclasses.fields(model):
        own = field.metadata.get("converter") is as_parameter
        if own and getattr(model, field.name) is None and field.default is not None:
            raise TypeError(
                f"{field.name} of {type(model).__name__} must be a number or an array, got None"
            )
        value = getattr(model, field.name)
        several = getattr(model, "in_components", ())
        if own and isinstance(value, tuple) and field.name not in several:
            raise TypeError(
                f"{field.name} of {type(model).__name__} must be a number or an array, got a tuple "
                f"of {len(value)}: give values per neuron as an array or a list"
            )
    for name, value in each_parameter(model):
        shape = jnp.shape(value)
        if shape not in ((), (n,)):
            raise ValueError(
                f"{name} of {type(model).__name__} must be a scalar or have shape "
                f"({n},), one value per neuron (n={n}), got shape {shape}"
            )


def check_no_nan(model) -> None:
    """No parameter is NaN, where it is a number already."""
    for name, value in each_parameter(model):
        if known(value) and np.isnan(number := np.asarray(value)).any():
            raise ValueError(
                f"{name} of {type(model).__name__} must be a number, got "
                + _told(number, ~np.isnan(number))
            )


def components(value) -> tuple:
    """The components of a parameter that may have several: a tuple, or one number or array."""
    return value if isinstance(value, tuple) else (value,)


def refuse_distributions(model, advice: str) -> None:
    """All parameters are numbers or arrays.

    Raises:
        TypeError: if one is a distribution; `advice` says where `{name}` may be one.
    """
    for name, value in each_parameter(model):
        if isinstance(value, AbstractDistribution):
            raise TypeError(
                f"{name} of {type(model).__name__} is the distribution {value!r}: "
                + advice.format(name=name)
            )


def check_drawn(what: str, value) -> None:
    """A parameter is a number or an array, not a distribution."""
    if isinstance(value, AbstractDistribution):
        raise TypeError(
            f"{what} must be a number or an array, got the distribution {value!r}: draw from it, "
            "as in law.sample(jax.random.key(0), (n,))"
        )


def _numbers(model, name: str) -> list:
    """The components of a parameter that are numbers already.

    Where a model does not know how many there will be, a distribution waits to be drawn.
    """
    found = []
    for value in components(paramax.unwrap(getattr(model, name))):
        if not getattr(model, "drawn_later", False):
            check_drawn(f"{name} of {type(model).__name__}", value)
        if isinstance(value, AbstractDistribution):
            continue
        if value is not None and known(value):
            found.append(np.asarray(value))
    return found


def check_positive(model, *names: str, zero: bool = False) -> None:
    """The parameters of these names are positive, or at least not negative."""
    for name in names:
        for number in _numbers(model, name):
            good = number >= 0 if zero else number > 0
            if not np.all(good):
                what = "must not be negative" if zero else "must be positive"
                raise ValueError(
                    f"{name} of {type(model).__name__} {what}, got {_told(number, good)}"
                )


def check_probability(model, name: str) -> None:
    """A parameter lies between 0 and 1."""
    for value in _numbers(model, name):
        good = (value >= 0) & (value <= 1)
        if not np.all(good):
            raise ValueError(
                f"{name} of {type(model).__name__} must lie between 0 and 1, got "
                + _told(value, good)
            )


def check_below(model, low: str, high: str) -> None:
    """One potential lies below another."""
    below, above = (paramax.unwrap(getattr(model, name)) for name in (low, high))
    if not known(below, above) or np.all(good := np.asarray(below) < np.asarray(above)):
        return
    where = ""
    if np.size(good) > _MOST_SHOWN:
        first = int(np.argmin(good))
        below, above = (np.broadcast_to(x, good.shape).ravel()[first] for x in (below, above))
        where = f" in neuron {first}, the first of {np.sum(~good)} such among {good.size}"
    raise ValueError(
        f"{low} of {type(model).__name__} must lie below {high}, got {low}={below} and "
        f"{high}={above}{where}"
    )


def check_choice(model, name: str, choices) -> None:
    """A static field has one of a few values."""
    value = getattr(model, name)
    if value not in choices:
        raise ValueError(
            f"unknown {name} of {type(model).__name__}: {value!r}."
            + suggestion(str(value), map(str, choices))
        )


def check_components(model) -> None:
    """The parameters `in_components` of a model have the same number of them."""
    counts = {name: len(components(getattr(model, name))) for name in model.in_components}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ValueError(
            f"{type(model).__name__} needs as many components of each of its parameters, got "
            + listed
        )


def check_finite(model, *names: str) -> None:
    """The parameters of these names are neither infinite nor NaN."""
    for name in names:
        for number in _numbers(model, name):
            if not np.all(np.isfinite(number)):
                raise ValueError(
                    f"{name} of {type(model).__name__} must be finite, got "
                    + _told(number, np.isfinite(number))
                )
