"""Distributions of initial states and parameters, and the bridge from jax keys to numpy."""

import dataclasses
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .keys import check_key
from .tracing import known
from .units import refuse_units


def _parameter(value) -> Array:
    refuse_units("a parameter of a distribution", value)
    return jnp.asarray(value, float)


class AbstractDistribution(eqx.Module):
    """A law from which initial states or heterogeneous parameters are drawn."""

    @abstractmethod
    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Independent float64 draws on the host, by a numpy generator."""


class Uniform(AbstractDistribution):
    """Uniform between `low` and `high`.

    Example:
        >>> import jax, neurojax as nj
        >>> V = nj.random.Uniform(-65.0, -50.0).sample(jax.random.key(0), (1000,))
        >>> bool((V >= -65).all() and (V < -50).all())
        True
    """

    low: Float[Array, "..."] = eqx.field(converter=_parameter)
    high: Float[Array, "..."] = eqx.field(converter=_parameter)

    def __check_init__(self):
        _check(self, "low <= high", lambda low, high: low <= high)

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.low + (self.high - self.low) * jax.random.uniform(key, shape)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Independent float64 draws on the host, by a numpy generator."""
        low, high = _double(self.low), _double(self.high)
        return _double(low + (high - low) * rng.random(shape))


class Normal(AbstractDistribution):
    """Normal with `mean` and standard deviation `sd`.

    Example:
        >>> import jax, neurojax as nj
        >>> nj.random.Normal(0.0, 0.1).sample(jax.random.key(0), (3,)).shape
        (3,)
    """

    mean: Float[Array, "..."] = eqx.field(converter=_parameter)
    sd: Float[Array, "..."] = eqx.field(converter=_parameter)

    def __check_init__(self):
        _check(self, "sd >= 0", lambda mean, sd: sd >= 0)

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.mean + self.sd * jax.random.normal(key, shape)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Independent float64 draws on the host, by a numpy generator."""
        drawn = rng.standard_normal(shape)
        return _double(_double(self.mean) + _double(self.sd) * drawn)


class LogNormal(AbstractDistribution):
    """exp of a normal, given by its `median` and the standard deviation `sigma` of its logarithm.

    Example:
        >>> import jax, neurojax as nj
        >>> bool((nj.random.LogNormal(1.0, 0.5).sample(jax.random.key(0), (100,)) > 0).all())
        True
    """

    median: Float[Array, "..."] = eqx.field(converter=_parameter)
    sigma: Float[Array, "..."] = eqx.field(converter=_parameter)

    def __check_init__(self):
        _check(self, "sigma >= 0", lambda median, sigma: sigma >= 0)

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return self.median * jnp.exp(self.sigma * jax.random.normal(key, shape))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Independent float64 draws on the host, by a numpy generator."""
        drawn = rng.standard_normal(shape)
        return _double(_double(self.median) * np.exp(_double(self.sigma) * drawn))


class Clipped(AbstractDistribution):
    """Another distribution with what lies below `low` or above `high` moved to that bound.

    Arguments:
        distribution: such as `Normal(0.5, 0.2)`.
        low: default no bound.
        high: default no bound.

    Example:
        >>> import jax, neurojax as nj
        >>> weights = nj.random.Clipped(nj.random.Normal(0.0, 1.0), low=0.0)
        >>> float(weights.sample(jax.random.key(0), (100,)).min())
        0.0
    """

    distribution: AbstractDistribution
    low: Float[Array, "..."] = eqx.field(converter=_parameter, default=-np.inf)
    high: Float[Array, "..."] = eqx.field(converter=_parameter, default=np.inf)

    def __check_init__(self):
        _check(self, "low <= high", lambda low, high: low <= high)

    def sample(self, key, shape: tuple[int, ...] = ()) -> Array:
        """Independent draws of the given shape."""
        return jnp.clip(self.distribution.sample(key, shape), self.low, self.high)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Independent float64 draws on the host, by a numpy generator."""
        drawn = self.distribution.draw(rng, shape)
        return _double(np.clip(drawn, _double(self.low), _double(self.high)))


def _check(law: AbstractDistribution, rule: str, holds) -> None:
    """The numbers of a distribution obey a rule, where they are numbers already."""
    numbers = {
        field.name: value
        for field in dataclasses.fields(law)
        if not isinstance(value := getattr(law, field.name), AbstractDistribution)
    }
    if known(*numbers.values()) and not np.all(holds(*map(np.asarray, numbers.values()))):
        listed = ", ".join(f"{name}={np.asarray(value)}" for name, value in numbers.items())
        raise ValueError(f"{type(law).__name__} needs {rule}, got {listed}")


def _double(value) -> np.ndarray:
    return np.asarray(value, np.float64)


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
        check_key(key)
        return value.sample(key, shape)
    return jnp.broadcast_to(jnp.asarray(value, jnp.result_type(float)), shape)


def drawn(model, each):
    """A model whose parameters that are distributions are replaced by `each(name, distribution)`.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> rng = np.random.default_rng(0)
        >>> receptor = nj.synapses.ExpCurrent(tau=nj.random.Uniform(2.0, 3.0))
        >>> nj.random.drawn(receptor, lambda name, law: law.draw(rng, (5,))).tau.shape
        (5,)
    """
    given = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    laws = {name: x for name, x in given.items() if isinstance(x, AbstractDistribution)}
    return dataclasses.replace(model, **{name: each(name, law) for name, law in laws.items()})


def host_generator(key) -> np.random.Generator:
    """A numpy generator that is a pure function of a jax key, for work on the host.

    Example:
        >>> import jax, neurojax as nj
        >>> a = nj.random.host_generator(jax.random.key(1)).integers(10**9)
        >>> b = nj.random.host_generator(jax.random.key(1)).integers(10**9)
        >>> a == b
        np.True_
    """
    if not known(key):
        raise ValueError(
            "random graphs are drawn on the host, not inside jit, vmap or grad: build the network "
            "first and pass it to the function as an argument"
        )
    check_key(key)
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return np.random.default_rng(np.asarray(key).astype(np.uint32).ravel().tolist())
