"""Distributions of initial states and parameters, and the bridge from jax keys to numpy."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class AbstractDistribution(eqx.Module):
    """A law from which initial states or heterogeneous parameters are drawn."""

    @abstractmethod
    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""


class Uniform(AbstractDistribution):
    """Uniform between `low` and `high`.

    Example:
        >>> import jax, neurojax as nj
        >>> V = nj.random.Uniform(-65.0, -50.0).sample(jax.random.key(0), (1000,))
        >>> bool((V >= -65).all() and (V < -50).all())
        True
    """

    low: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    high: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.low + (self.high - self.low) * jax.random.uniform(key, shape)


class Normal(AbstractDistribution):
    """Normal with `mean` and standard deviation `sd`.

    Example:
        >>> import jax, neurojax as nj
        >>> nj.random.Normal(0.0, 0.1).sample(jax.random.key(0), (3,)).shape
        (3,)
    """

    mean: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    sd: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.mean + self.sd * jax.random.normal(key, shape)


class LogNormal(AbstractDistribution):
    """exp of a normal, given by its `median` and the standard deviation `sigma` of its logarithm.

    Example:
        >>> import jax, neurojax as nj
        >>> bool((nj.random.LogNormal(1.0, 0.5).sample(jax.random.key(0), (100,)) > 0).all())
        True
    """

    median: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    sigma: Float[Array, "..."] = eqx.field(converter=lambda x: jnp.asarray(x, float))

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.median * jnp.exp(self.sigma * jax.random.normal(key, shape))


def draw(value, key, shape: tuple[int, ...]) -> Array:
    """`value` itself, broadcast to `shape`, or draws from it where it is a distribution.

    Raises:
        ValueError: if a distribution is given without a key.

    Example:
        >>> import jax, neurojax as nj
        >>> nj.random.draw(nj.random.Uniform(0.0, 1.0), jax.random.key(0), (3,)).shape
        (3,)
        >>> nj.random.draw(-65.0, None, (2,)).tolist()
        [-65.0, -65.0]
    """
    if isinstance(value, AbstractDistribution):
        if key is None:
            raise ValueError(f"{value} is random: give key=jax.random.key(0)")
        return value.sample(key, shape)
    return jnp.broadcast_to(jnp.asarray(value, jnp.result_type(float)), shape)


def host_generator(key) -> np.random.Generator:
    """A numpy generator that is a pure function of a jax key, for work on the host.

    Example:
        >>> import jax, neurojax as nj
        >>> a = nj.random.host_generator(jax.random.key(1)).integers(10**9)
        >>> b = nj.random.host_generator(jax.random.key(1)).integers(10**9)
        >>> a == b
        np.True_
    """
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return np.random.default_rng(np.asarray(key).astype(np.uint32).ravel().tolist())
