"""What receptors with a rise and a decay share: two exponential stages, one after the other."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ._receptors import at_rest, check_normalise
from .receptor import AbstractReceptor


class AbstractCascade(AbstractReceptor):
    r"""Two stages, $\dot d = -d/\tau_r$ and $\dot g = d - g/\tau_d$.

    A spike of weight $w$ adds $w$ times `gain` to $d$; then $g$ is a difference of two
    exponentials, or $t e^{-t/\tau}$ where the two times are equal. Values and gradients are exact
    at that point and near it. The shape is the same with the two times exchanged.
    """

    leaf: eqx.AbstractClassVar[str]  # the name of g in the state; d is called "d" + leaf
    normalise: eqx.AbstractVar[str]

    def __check_init__(self):
        check_normalise(self)

    @abstractmethod
    def taus(self) -> tuple[Any, Any]:
        """The time constants of rise and decay, ms."""

    @abstractmethod
    def flow(self, h) -> tuple[Array, Array, Array]:
        """What is left of d and of g after `h` ms, and how much g a unit of d has made."""

    @property
    def peak_time(self) -> Array:
        r"""When a response is largest, $\ln(\tau_d/\tau_r)\,\tau_r\tau_d/(\tau_d-\tau_r)$, ms."""
        rise, decay = self.taus()
        return peak_time(rise, decay)

    @property
    def peak(self) -> Array:
        """The largest value of the response to a spike of weight 1."""
        return jnp.ones_like(self.gain) if self.normalise == "peak" else self.gain * self._peak()

    @property
    def area(self) -> Array:
        """The integral over time, in ms, of the response to a spike of weight 1."""
        return jnp.ones_like(self.gain) if self.normalise == "area" else self.gain * self._area()

    @property
    def gain(self) -> Array:
        """What a spike of weight 1 adds to the first stage, per ms."""
        return 1.0 / (self._peak() if self.normalise == "peak" else self._area())

    def _peak(self) -> Array:
        # at the peak the rate of g is zero: g = tau_decay * d; or with the two times exchanged,
        # which is the same number, but the exponent of the longer time rounds less
        rise, decay = self.taus()
        t = peak_time(rise, decay)
        return jnp.where(rise < decay, rise * jnp.exp(-t / decay), decay * jnp.exp(-t / rise))

    def _area(self) -> Array:
        rise, decay = self.taus()
        return rise * decay

    def init_state(self, n: int):
        """Both stages empty."""
        return at_rest(self, n, self.leaf, "d" + self.leaf)

    def drift(self, state):
        """The rates of both stages per ms."""
        rise, decay = self.taus()
        d = state["d" + self.leaf]
        return {self.leaf: d - state[self.leaf] * (1.0 / decay), "d" + self.leaf: -d * (1.0 / rise)}

    def propagate(self, state, h):
        """The exact solution after `h` ms."""
        d_left, g_left, made = self.flow(h)
        d = state["d" + self.leaf]
        return {self.leaf: state[self.leaf] * g_left + d * made, "d" + self.leaf: d * d_left}

    def receive(self, state, impulse):
        """Add the weights times `gain` to the first stage."""
        return state | {"d" + self.leaf: state["d" + self.leaf] + impulse * self.gain}


def transferred(rise, decay, h) -> Array:
    r"""What a unit of the first stage has made of the second after `h` ms.

    $(e^{-h/\tau_r} - e^{-h/\tau_d}) / (1/\tau_d - 1/\tau_r)$ without cancellation where the two
    times are close: there it is $h\,e^{-m}\sinh(x)/x$, with the mean $m$ and half the difference
    $x$ of the two exponents, and the series of an even function.
    """
    fast, slow = 1.0 / rise, 1.0 / decay
    x = 0.5 * h * (slow - fast)
    near = jnp.abs(x) < 1.0
    x2 = jnp.where(near, x, 0.0) ** 2
    series = jnp.ones_like(x2)
    for k in range(9, 0, -1):  # the next term is below 1e-19
        series = 1.0 + series * x2 / (2 * k * (2 * k + 1))
    close = h * jnp.exp(-0.5 * h * (slow + fast)) * series
    # the unused branch stays finite, and so does its gradient
    apart = (jnp.exp(-h * fast) - jnp.exp(-h * slow)) / jnp.where(near, 1.0, slow - fast)
    return jnp.where(near, close, apart)


def peak_time(rise, decay) -> Array:
    """When the second stage is largest, ms; the limit where the two times are equal."""
    z = (decay - rise) / (decay + rise)
    near = jnp.abs(z) < 0.1
    z2 = jnp.where(near, z, 0.0) ** 2
    series = jnp.zeros_like(z2)
    for k in range(9, 0, -1):  # artanh(z) / z; the next term is below 1e-21
        series = (series + 1.0 / (2 * k + 1)) * z2
    apart = 0.5 * jnp.log(decay / rise) / jnp.where(near, 1.0, z)
    return 2.0 * rise * decay / (rise + decay) * jnp.where(near, 1.0 + series, apart)
