"""Exponential Euler: exact in each variable's own decay."""

import math
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from ..structure import local_rates
from .base import AbstractStepper, plus_noise


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
        moved = jax.tree.map(
            lambda a, k, r: a + relaxation(k, jnp.asarray(r, k.dtype), dt), y, slope, rates
        )
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


class _Split(NamedTuple):
    """How 2**-y = 2**k 2**-f is taken apart in one precision, k whole and |f| <= 1/2."""

    digits: int  # of the mantissa
    bias: int  # of the exponent
    lowest: float  # argument y, where 2**-y is infinite already
    highest: float  # above, 2**-y is lost beside 1
    series: tuple[float, ...]  # (1 - 2**-f) / f, the best of this degree for |f| <= 1/2
    least: float  # beside any rate that matters it is lost; without it 0 would be divided by 0


_SPLITS = {
    "float32": _Split(
        digits=23,
        bias=127,
        lowest=-128.4,
        highest=125.0,
        series=(
            0.69314718803071341, -0.24022650760606957, 0.05550357092689029,
            -0.00961808253863696, 0.00133908748478105, -0.00015453172887037,
        ),
        least=1e-25,
    ),
    "float64": _Split(
        digits=52,
        bias=1023,
        lowest=-1024.4,
        highest=1021.0,
        series=(
            0.693147180559945309, -0.240226506959100712, 0.0555041086648216271,
            -0.0096181291076284795, 0.00133335581464064531, -0.000154035303933707247,
            0.0000152527338415792882, -1.32154868087167075e-6, 1.01780570761553893e-7,
            -7.05489729842442407e-9, 4.45581996657214167e-10, -2.57293343650632574e-11,
        ),
        least=1e-200,
    ),
}  # fmt: skip
_HALVINGS = 1 / math.log(2)  # in one time constant


_DOUBLINGS = 60.0  # the most that a variable grows by in one step


@jax.custom_jvp
def relaxation(slope, rate, dt):
    """By how much slope moves within dt: slope (1 - exp(-rate dt)) / rate, also at a rate of 0.

    A growing variable, such as a membrane beyond its threshold, grows by at most 2**60: the spike
    is the same, and the numbers stay finite.
    """
    if rate.dtype.name not in _SPLITS:
        return _by_phi1(slope, rate, dt)
    rate = rate + _SPLITS[rate.dtype.name].least
    return (slope / rate) * _rise(rate * (dt * _HALVINGS), -_DOUBLINGS)


@relaxation.defjvp
def _(primals, tangents):
    return relaxation(*primals), jax.jvp(_by_phi1, primals, tangents)[1]


def _by_phi1(slope, rate, dt):
    z = rate * dt
    return slope * (dt * phi1(jnp.maximum(z, jnp.asarray(-_DOUBLINGS / _HALVINGS, z.dtype))))


@jax.custom_jvp
def phi1(z):
    """(1 - exp(-z)) / z, smooth and differentiable through zero."""
    if z.dtype.name not in _SPLITS:
        return phi1(z.astype(jnp.float32)).astype(z.dtype)
    z = z + _SPLITS[z.dtype.name].least
    return _rise(z * _HALVINGS) / z


@phi1.defjvp
def _(primals, tangents):
    # one array per step is kept for reverse mode, instead of one per term of the series
    (z,), (dz,) = primals, tangents
    value = phi1(z)
    small = jnp.abs(z) < 0.3  # the quotient cancels below
    safe = jnp.where(small, 1.0, z)
    near = jnp.where(small, z, 0.0)  # its powers would overflow, and a second derivative be NaN
    series = jnp.zeros_like(z)
    for k in reversed(range(12)):
        series = series * near + (-1) ** (k + 1) * (k + 1) / math.factorial(k + 2)
    slope = jnp.where(small, series, (jnp.exp(-safe) - value) / safe)
    return value, slope * dz


def _rise(y, lowest=None):
    """1 - 2**-y to all digits, with y read as `lowest` below that.

    With 2**-y = 2**k 2**-f and 1 - 2**-f = f q(f) it is 1 - 2**k + 2**k f q: one polynomial,
    as `exp` alone has. `expm1` takes twice the time. To base 2, f needs no product; the nested
    form of the polynomial has the fewest of them, which bound the speed of a wide loop.
    """
    by = _SPLITS[y.dtype.name]
    inside = jnp.clip(y, by.lowest if lowest is None else lowest, by.highest)
    # so large that its last digit is 1: a sum is rounded to a whole number, in its last bits, and
    # even, so that ties are rounded as by `round`. Those bits are the exponent of 2**-(k + 1).
    shifted = (1.5 * 2.0**by.digits + by.bias - 1) - inside
    bits = jax.lax.bitcast_convert_type(shifted, jnp.int32 if by.digits == 23 else jnp.int64)
    half = jax.lax.bitcast_convert_type(bits << by.digits, y.dtype)
    f = inside - jnp.round(inside)
    q = jnp.full_like(f, 2 * by.series[-1])
    for coefficient in by.series[-2::-1]:
        q = q * f + 2 * coefficient
    return (1 - 2 * half) + half * (f * q)
