"""Surrogate gradients: a step function with a derivative that training can use."""

import math
from abc import abstractmethod
from functools import partial
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .parameter_checks import check_positive

__all__ = [
    "AbstractSurrogate",
    "ArcTan",
    "FastSigmoid",
    "Gaussian",
    "MultiGaussian",
    "Sigmoid",
    "StraightThrough",
    "Triangle",
]


class AbstractSurrogate(eqx.Module):
    """The Heaviside step in the forward pass, `slope` as its derivative in the backward pass."""

    @abstractmethod
    def slope(self, x: Array) -> Array:
        """The pseudo-derivative at distance `x` above threshold."""

    @property
    def support(self) -> float | None:
        """The distance beyond which the slope is exactly zero; `None`: it never is."""
        return None

    def __call__(self, x: Array) -> Array:
        """1 where x > 0, else 0."""
        return _step(self, x)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _heaviside(slope, x):
    return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x))


@_heaviside.defjvp
def _(slope, primals, tangents):
    (x,), (dx,) = primals, tangents
    return _heaviside(slope, x), slope(jnp.asarray(x)) * dx


def _step(surrogate: AbstractSurrogate, x: Array) -> Array:
    return _heaviside(surrogate.slope, x)


@final
class Triangle(AbstractSurrogate):
    r"""$\gamma \max(0, 1 - |x|/w)/w$: compact support, so the backward pass follows active neurons.

    Arguments:
        width: half width $w$ in the units of x (mV for a membrane potential; neurons of
            `neurojax.neurons` measure x in distances from rest to threshold).
        damping: $\gamma$; below 1 gradients through many steps stay small.

    Raises:
        ValueError: if `width` is not positive, or `damping` is negative.

    Source: Bellec et al. (2018), Advances in Neural Information Processing Systems 31.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> step = nj.surrogate.Triangle(width=2.0)
        >>> float(step(jnp.asarray(0.5))), float(jax.grad(step)(0.5))
        (1.0, 0.375)
    """

    width: float = eqx.field(static=True, default=10.0)
    damping: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_positive(self, "width")
        check_positive(self, "damping", zero=True)

    @property
    def support(self) -> float | None:
        """The half width."""
        return self.width

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return jnp.maximum(0.0, 1.0 - jnp.abs(x) / self.width) * (self.damping / self.width)


@final
class FastSigmoid(AbstractSurrogate):
    r"""$1 / (1 + \beta |x|)^2$, the derivative of the fast sigmoid $x / (1 + \beta |x|)$.

    Its peak is 1, its integral $2 / \beta$; the tails fall slowly.

    Arguments:
        beta: steepness, in inverse units of x.

    Raises:
        ValueError: if `beta` is not positive.

    Source: Zenke and Ganguli (2018), Neural Computation 30:1514.

    Example:
        >>> import jax, neurojax as nj
        >>> float(jax.grad(nj.surrogate.FastSigmoid(beta=2.0))(0.5))
        0.25
    """

    beta: float = eqx.field(static=True, default=10.0)

    def __check_init__(self):
        check_positive(self, "beta")

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return 1.0 / jnp.square(1.0 + self.beta * jnp.abs(x))


@final
class ArcTan(AbstractSurrogate):
    r"""$\dfrac{\alpha / 2}{1 + (\pi \alpha x / 2)^2}$, the derivative of an arctangent; integral 1.

    Arguments:
        alpha: steepness; the peak is alpha / 2.

    Raises:
        ValueError: if `alpha` is not positive.

    Source: Fang et al. (2021), IEEE/CVF International Conference on Computer Vision, 2661.

    Example:
        >>> import jax, neurojax as nj
        >>> float(jax.grad(nj.surrogate.ArcTan(alpha=2.0))(0.0))
        1.0
    """

    alpha: float = eqx.field(static=True, default=2.0)

    def __check_init__(self):
        check_positive(self, "alpha")

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return 0.5 * self.alpha / (1.0 + jnp.square(0.5 * jnp.pi * self.alpha * x))


@final
class Gaussian(AbstractSurrogate):
    r"""$\dfrac{\gamma}{\sigma\sqrt{2\pi}}\, e^{-x^2 / 2\sigma^2}$, integral $\gamma$.

    Arguments:
        sigma: width, in the units of x.
        damping: $\gamma$.

    Raises:
        ValueError: if `sigma` is not positive, or `damping` is negative.

    Source: Yin, Corradi and Bohte (2020), International Conference on Neuromorphic Systems.

    Example:
        >>> import jax, neurojax as nj
        >>> round(float(jax.grad(nj.surrogate.Gaussian(sigma=0.5))(0.0)), 4)
        0.7979
    """

    sigma: float = eqx.field(static=True, default=0.5)
    damping: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_positive(self, "sigma")
        check_positive(self, "damping", zero=True)

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return self.damping * _normal(x, 0.0, self.sigma)


@final
class MultiGaussian(AbstractSurrogate):
    r"""A Gaussian between two broad negative ones.

    $\gamma\,[(1 + h)\,N(x; 0, \sigma) - h\,N(x; \sigma, s\sigma) - h\,N(x; -\sigma, s\sigma)]$ with
    the normal densities $N(x; \mu, \sigma)$; its integral is $\gamma (1 - h)$. The negative tails
    push potentials far from threshold towards it.

    Arguments:
        sigma: width, in the units of x.
        h: height of the side lobes.
        s: their width in units of sigma.
        damping: $\gamma$.

    Raises:
        ValueError: if `sigma` or `s` is not positive, or `h` or `damping` is negative.

    Source: Yin, Corradi and Bohte (2021), Nature Machine Intelligence 3:905.

    Example:
        >>> import jax, neurojax as nj
        >>> surrogate = nj.surrogate.MultiGaussian()
        >>> float(jax.grad(surrogate)(0.0)) > 0, float(jax.grad(surrogate)(2.0)) < 0
        (True, True)
    """

    sigma: float = eqx.field(static=True, default=0.5)
    h: float = eqx.field(static=True, default=0.15)
    s: float = eqx.field(static=True, default=6.0)
    damping: float = eqx.field(static=True, default=0.5)

    def __check_init__(self):
        check_positive(self, "sigma", "s")
        check_positive(self, "h", "damping", zero=True)

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        broad = self.s * self.sigma
        sides = _normal(x, self.sigma, broad) + _normal(x, -self.sigma, broad)
        return self.damping * ((1.0 + self.h) * _normal(x, 0.0, self.sigma) - self.h * sides)


@final
class Sigmoid(AbstractSurrogate):
    r"""$\beta\, S(\beta x)\,(1 - S(\beta x))$, the derivative of the logistic function; integral 1.

    Arguments:
        beta: steepness; the peak is beta / 4.

    Raises:
        ValueError: if `beta` is not positive.

    Source: Neftci, Mostafa and Zenke (2019), IEEE Signal Processing Magazine 36:51.

    Example:
        >>> import jax, neurojax as nj
        >>> float(jax.grad(nj.surrogate.Sigmoid(beta=4.0))(0.0))
        1.0
    """

    beta: float = eqx.field(static=True, default=4.0)

    def __check_init__(self):
        check_positive(self, "beta")

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        s = jax.nn.sigmoid(self.beta * x)
        return self.beta * s * (1.0 - s)


@final
class StraightThrough(AbstractSurrogate):
    """1 everywhere: the step is ignored in the backward pass.

    For a spike drawn with probability p from x = p - u with u uniform, this is the derivative of
    the expected spike.

    Source: Bengio, Leonard and Courville (2013), arXiv:1308.3432.

    Example:
        >>> import jax, neurojax as nj
        >>> float(jax.grad(nj.surrogate.StraightThrough())(-3.0))
        1.0
    """

    def slope(self, x: Array) -> Array:
        """See `AbstractSurrogate.slope`."""
        return jnp.ones_like(x)


def _normal(x, mean: float, sd: float) -> Array:
    """The normal density."""
    return jnp.exp(-0.5 * jnp.square((x - mean) / sd)) / (sd * (2.0 * math.pi) ** 0.5)
