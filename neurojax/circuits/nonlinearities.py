"""From the activation of a unit to its rate."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core import Parameter, frozen, parameter, unwrap
from neurojax.core.errors import suggestion
from neurojax.core.tracing import known

_INVERSE = {
    "identity": lambda r: r,
    # of the activations that drive a unit; there is none for a negative rate
    "relu": lambda r: jnp.where(r < 0, jnp.nan, r),
    "sigmoid": jax.scipy.special.logit,
    "softplus": lambda r: r + jnp.log(-jnp.expm1(-r)),
    "tanh": jnp.arctanh,
}
_NAMED = {
    "identity": lambda x: x,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
}


@final
class Named(eqx.Module):
    """One of the usual nonlinearities; made from its name by the circuits."""

    name: str = eqx.field(static=True)

    def __call__(self, x):
        """The rates of activations x."""
        return _NAMED[self.name](x)

    def inverse(self, rates):
        """The activations that give these rates; NaN or infinite where there are none."""
        return _INVERSE[self.name](rates)


@final
class Hennequin(eqx.Module):
    r"""Rates as deviations from a baseline that cannot fall below zero or exceed a maximum.

    $$f(x) = \begin{cases} r_0 \tanh(g x / r_0) & x < 0 \\
      (r_{max} - r_0) \tanh(g x / (r_{max} - r_0)) & x \ge 0 \end{cases}$$

    Arguments:
        r0: the baseline in Hz, the most by which a rate can fall.
        r_max: the greatest rate in Hz.
        gain: $g$, scalar or (n,); give `nj.positive(1.0)` to train it.

    Source: Hennequin, Vogels and Gerstner (2014), Neuron 82:1394; with gains per neuron Stroud et
    al. (2018), Nature Neuroscience 21:1774.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> f = nj.circuits.Hennequin()
        >>> [round(float(r)) for r in nj.unwrap(f)(jnp.array([-1e3, 0.0, 1e3]))]
        [-20, 0, 80]
    """

    r0: Parameter = parameter(20.0)
    r_max: Parameter = parameter(100.0)
    gain: Parameter = parameter(1.0)

    def __init__(self, r0=20.0, r_max=100.0, gain=1.0):
        low, high = unwrap(r0), unwrap(r_max)
        if known(low, high) and not (jnp.all(jnp.asarray(low) > 0) and jnp.all(low < high)):
            raise ValueError(f"Hennequin needs 0 < r0 < r_max, got r0={r0} and r_max={r_max}")
        self.r0, self.r_max, self.gain = kept(r0), kept(r_max), kept(gain)

    def __call__(self, x):
        """The rates, as deviations from r0."""
        room = jnp.where(x < 0, self.r0, self.r_max - self.r0)
        return room * jnp.tanh(self.gain * x / room)

    def inverse(self, rates):
        """The activations that give these rates; NaN or infinite where there are none."""
        room = jnp.where(rates < 0, self.r0, self.r_max - self.r0)
        return room / self.gain * jnp.arctanh(rates / room)


def kept(value) -> Any:
    """A number or array that training leaves alone; what is wrapped already stays what it is.

    Time constants, gains and noise of the circuits are declared so: `nj.positive(10.0)` in place
    of `10.0` trains one.
    """
    plain = isinstance(value, int | float | list | tuple) or eqx.is_array_like(value)
    return frozen(jnp.asarray(value, jnp.result_type(float))) if plain else value


def as_nonlinearity(value) -> Callable:
    """A name, a module or a function as something that can be part of a model.

    Raises:
        ValueError: for an unknown name.
        TypeError: if it cannot be called.
    """
    if isinstance(value, str):
        if value not in _NAMED:
            raise ValueError(f"unknown nonlinearity {value!r}.{suggestion(value, _NAMED)}")
        return Named(value)
    if isinstance(value, eqx.Module) and callable(value):
        return value
    if isinstance(value, np.ufunc):
        raise TypeError(
            f"nonlinearity must be a function of JAX arrays, got that of NumPy, {value!r}: give "
            f"jax.numpy.{value.__name__} or the like"
        )
    if not callable(value):
        raise TypeError(
            f"nonlinearity must be one of {sorted(_NAMED)} or a function of an array, got {value!r}"
        )
    return jax.tree_util.Partial(value)
