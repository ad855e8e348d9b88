"""Exponential Euler: exact in each variable's own decay."""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from ..structure import local_rates
from .base import AbstractStepper, plus_noise

_MANY = 8192  # values from where on a look at the largest pays


class ExponentialEuler(AbstractStepper):
    r"""$y_i + f_i\, (1 - e^{-a_i dt})/a_i$ with $a_i = -\partial f_i/\partial y_i$ at the start.

    Stable for stiff decay at any step, exact for a variable that relaxes towards a constant;
    first order otherwise (second where $f_i$ is linear in $y_i$ alone). The rates $a$ come from
    the model's `decay`; for a cell, whose drift is elementwise, they are found by one
    forward-mode derivative per leaf of the state. With noise the variance of each variable's
    own Ornstein-Uhlenbeck process is exact.

    Raises:
        ValueError: if the model couples its variables and gives no `decay`: the derivative of
            a coupled drift in the direction of ones is a row sum, not the diagonal.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.ExponentialEuler().advance(lambda t, y, args: -y, 0.0, 1.0, 1.0, None)
        >>> round(float(y), 6)
        0.367879
    """

    order: ClassVar[int] = 1
    calculus: ClassVar[str | None] = "ito"
    holds_inputs: ClassVar[bool] = True

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        decay = getattr(f, "decay", None)
        rates = None if decay is None else decay(t, y, args)
        if rates is None:
            slope, rates = local_rates(f, t, y, args)
        else:
            slope = f(t, y, args)
        moved = jax.tree.map(lambda a, k, r: a + k * (dt * phi1(r * dt)), y, slope, rates)
        diffusion = getattr(f, "diffusion", None)
        amplitude = None if diffusion is None else diffusion(t, y, args)
        if amplitude is None:
            return moved
        spread = jax.tree.map(
            lambda s, r: None if s is None else s * jnp.sqrt(dt * phi1(2.0 * r * dt)),
            amplitude,
            rates,
            is_leaf=lambda x: x is None,
        )
        return plus_noise(moved, spread, f.normals(amplitude))


@jax.custom_jvp
def phi1(z):
    """(1 - exp(-z)) / z, smooth and differentiable through zero."""
    single = z.dtype.itemsize <= 4
    if z.size < _MANY:
        return _phi1_of_any(z, 6 if single else 12)
    # a large network is mostly far from stiff, and its series alone takes a fifth of the time
    near = lambda z: _series(z, 10 if single else 19)
    return jax.lax.cond(
        jnp.max(jnp.abs(z)) < 1.0, near, lambda z: _phi1_of_any(z, 6 if single else 12), z
    )


def _phi1_of_any(z, terms: int):
    small = jnp.abs(z) < 0.25  # the quotient cancels below; expm1 would take twice the time
    # of z itself but where it is zero: with all that is small replaced it takes half as long again
    quotient = (1.0 - jnp.exp(-z)) / jnp.where(z == 0, 1.0, z)
    return jnp.where(small, _series(z, terms), quotient)


def _series(z, terms: int):
    """The first terms of the Taylor series of `phi1`."""
    series = jnp.zeros_like(z)
    for k in reversed(range(terms)):
        series = series * z + (-1) ** k / math.factorial(k + 1)
    return series


@phi1.defjvp
def _(primals, tangents):
    # one array per step is kept for reverse mode, instead of one per term of the series
    (z,), (dz,) = primals, tangents
    value = phi1(z)
    small = jnp.abs(z) < 0.3  # the quotient cancels below
    safe = jnp.where(small, 1.0, z)
    series = jnp.zeros_like(z)
    for k in reversed(range(12)):
        series = series * z + (-1) ** (k + 1) * (k + 1) / math.factorial(k + 2)
    slope = jnp.where(small, series, (jnp.exp(-safe) - value) / safe)
    return value, slope * dz
