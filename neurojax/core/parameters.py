"""Parameters with bounds, signs or frozen values: declared with paramax, unwrapped at the doors."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax

from .tracing import is_traced
from .units import refuse_units


def unwrap(model):
    """The model with every paramax wrapper replaced by the array it stands for.

    `simulate` and `fit` do this once at entry; do it yourself before you call `step`.

    Arguments:
        model: a model, a parameter or any other tree of them.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> float(nj.unwrap(nj.positive(2.0)))
        2.0
    """
    return paramax.unwrap(model)


def positive(value) -> Any:
    """A parameter that stays positive under gradient steps: trained as its logarithm.

    Arguments:
        value: where it starts, above 0: a number or an array, in the unit of the parameter.

    Raises:
        ValueError: if the start value is not positive.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.unwrap(nj.positive(2.0))), 6)
        2.0
    """
    value = _start(value)
    if not is_traced(value) and not np.all(np.asarray(value) > 0):
        raise ValueError(f"a positive parameter must start above 0, got {value}")
    return paramax.Parameterize(jnp.exp, jnp.log(value))


def bounded(value, low, high) -> Any:
    """A parameter that stays between `low` and `high`: trained as the logit of its place.

    Arguments:
        value: where it starts, strictly inside: a number or an array.
        low: the lower bound, a number or an array that broadcasts with `value`.
        high: the upper bound, the same.

    Raises:
        ValueError: if the start value is not strictly inside.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.unwrap(nj.bounded(0.3, 0.0, 1.0))), 6)
        0.3
    """
    value, low, high = _start(value), _start(low), _start(high)
    if not is_traced(value) and not np.all((np.asarray(value) > low) & (np.asarray(value) < high)):
        raise ValueError(f"a bounded parameter must start between {low} and {high}, got {value}")
    logit = jnp.log(value - low) - jnp.log(high - value)
    return paramax.Parameterize(
        _between,
        logit,
        paramax.non_trainable(low),
        paramax.non_trainable(high),
    )


def _between(x, low, high):
    return low + (high - low) * jax.nn.sigmoid(x)


def frozen(value) -> Any:
    """A parameter (or a whole part of a model) that training leaves as it is.

    Arguments:
        value: a number, an array or a part of a model.

    Example:
        >>> import jax, neurojax as nj
        >>> float(jax.grad(lambda x: nj.unwrap(nj.frozen(x)) ** 2)(3.0))
        0.0
    """
    floating = lambda x: (
        isinstance(x, float | np.floating)
        or (isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.inexact))
    )
    # paramax wraps arrays of JAX only
    arrays = jax.tree.map(lambda x: jnp.asarray(x) if floating(x) else x, value)
    return paramax.non_trainable(arrays)


Parameter = Any  # an array, or a paramax wrapper that stands for one


def parameter(default=None, *, required: bool = False) -> Any:
    """A field of a model: a number or array that becomes a floating-point array.

    It may also be given as `nj.positive(...)`, `nj.bounded(...)` or `nj.frozen(...)`.

    Arguments:
        default: the value where none is given; `None` for a parameter that may be left out.
        required: whether it must be given; it has no default then.

    Example:
        >>> import neurojax as nj
        >>> class Leak(nj.ContinuousDynamics):
        ...     g_L: nj.Parameter = nj.parameter(10.0)
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None): ...
        ...     def drift(self, t, state, inputs): ...
        >>> Leak(g_L=3).g_L.dtype.kind
        'f'
    """
    if required:
        return eqx.field(converter=as_parameter)
    return eqx.field(converter=as_parameter, default=default)


def as_parameter(value) -> Any:
    """A floating-point array of the default precision; wrappers and `None` stay what they are.

    Raises:
        TypeError: for what is no real number, list of numbers, array, distribution or wrapper.
        ValueError: for a list with rows of different lengths.

    Example:
        >>> import neurojax as nj
        >>> float(nj.core.as_parameter(3))
        3.0
    """
    wrapped = lambda x: isinstance(x, paramax.AbstractUnwrappable)
    if value is None or wrapped(value):
        return value
    return jax.tree.map(_start, value, is_leaf=lambda x: wrapped(x) or _is_list_of_numbers(x))


def _is_list_of_numbers(value) -> bool:
    # a tuple has the components of one parameter
    return type(value) is list and all(
        isinstance(x, int | float | complex | np.number) for x in jax.tree.leaves(value)
    )


def _start(value):
    refuse_units("a parameter", value)
    try:
        kind = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    except ValueError as error:
        raise ValueError(
            f"a parameter is a list with rows of different lengths, {value!r}"
        ) from error
    real = any(jnp.issubdtype(kind, k) for k in (jnp.floating, jnp.integer, jnp.bool_))
    if not real:
        raise TypeError(
            "a parameter must be a real number, an array of them, a distribution of nj.random, or "
            f"one of these in a wrapper such as nj.positive, got {value!r}"
        )
    return jnp.asarray(value, jnp.result_type(float))


def arrays_only(tree):
    """Python floats as arrays, so that changing one does not recompile."""
    convert = lambda x: jnp.asarray(x) if isinstance(x, float | complex | np.floating) else x
    return jax.tree.map(convert, tree)


def float_leaves(tree):
    """The floating-point leaves of a tree and the rest."""
    return eqx.partition(tree, eqx.is_inexact_array)
