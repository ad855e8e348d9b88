"""Time as an integer step count, and the random numbers that belong to a step."""

import math
import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from . import _counter, _threefry
from .keys import check_key
from .tracing import known


class Portion(eqx.Module):
    """The neurons of a population that one of several devices holds.

    Arguments:
        neurons: their numbers, shape (m,).
        n: number of neurons of the population.
    """

    neurons: Int[Array, " m"]
    n: int = eqx.field(static=True)


class Clock(eqx.Module):
    r"""The time of one step: $t = \mathrm{step} \cdot dt$, with the key of its noise.

    Time is never accumulated in floating point. All fields are arrays, so a new `dt` or
    `step` does not recompile anything.

    Arguments:
        step: number of steps since time zero, an integer.
        dt: step length in ms, positive.
        key: a `jax.random.key`, or `None` where nothing is random.
        noise: `"threefry"` (default) or `"counter"`, a counter hash that is several times
            faster and only approximately normal (see `neurojax.Clock.normal`).

    Raises:
        TypeError: if `key` is not a key.
        ValueError: for an unknown kind of noise.

    Example:
        >>> import neurojax as nj
        >>> float(nj.Clock(step=500, dt=0.1).t)
        50.0
    """

    step: Int[Array, ""]
    dt: Float[Array, ""]
    key: PRNGKeyArray | UInt32[Array, "2"] | None
    noise: str = eqx.field(static=True)
    portion: Portion | None

    def __init__(self, step=0, dt=0.1, key=None, noise: str = "threefry"):
        if noise not in ("threefry", "counter"):
            raise ValueError(f"noise must be 'threefry' or 'counter', got {noise!r}")
        self.step = jnp.asarray(step)
        dt = jnp.asarray(dt)
        self.dt = dt if jnp.issubdtype(dt.dtype, jnp.inexact) else dt.astype(float)
        self.noise = noise
        if key is not None:
            check_key(key)
        if key is not None and noise == "counter" and not _is_words(key):
            key = jax.random.key_data(key).astype(jnp.uint32)[:2]
        self.key = key
        self.portion = None

    @property
    def t(self) -> Float[Array, ""]:
        """The time in ms at which the step begins."""
        return self.step.astype(self.dt.dtype) * self.dt

    def child(self, name: str) -> "Clock":
        """The clock of a named part: the same time, another stream of random numbers.

        A stable hash of the name is folded into the key, so that no two parts share a draw
        and the order in which parts were added does not matter.
        """
        if self.key is None:
            return self
        tag = zlib.crc32(name.encode())
        if self.noise == "counter":
            key = _counter.fold(self.key, tag)
        else:
            key = jax.random.fold_in(self.key, tag)
        return eqx.tree_at(lambda c: c.key, self, key)

    def of(self, portion: Portion) -> "Clock":
        """The clock of a portion of a population, which draws shapes (m,) and ().

        A random number is a function of the number of its neuron, so a population that is divided
        over devices draws what it draws as a whole.
        """
        return eqx.tree_at(lambda c: c.portion, self, portion, is_leaf=lambda x: x is None)

    def normal(self, name: str, shape: tuple[int, ...] = (), dtype=None) -> Array:
        """Standard normal numbers of this step for the noise source `name`.

        They are a pure function of (key, path of children, name, step): a run cut into pieces
        draws what the whole run draws. With `noise="counter"` a number is the standardised sum
        of eight hashed bytes: mean 0 and variance 1 exactly, excess kurtosis -0.15, bounded by
        4.88 in absolute value, and a multiple of 0.0048. Use it for membrane noise, not for
        rare events.

        Raises:
            ValueError: if the clock has no key.
        """
        dtype = jnp.result_type(float) if dtype is None else dtype
        return self._draw(name, shape, dtype, "normal")

    def uniform(self, name: str, shape: tuple[int, ...] = (), dtype=None) -> Array:
        """Uniform numbers in [0, 1) of this step for the noise source `name`.

        Raises:
            ValueError: if the clock has no key.
        """
        dtype = jnp.result_type(float) if dtype is None else dtype
        return self._draw(name, shape, dtype, "uniform")

    def _draw(self, name: str, shape: tuple[int, ...], dtype, law: str) -> Array:
        key, portion = self._draw_key(name), self.portion if shape else None
        if portion is not None and shape != portion.neurons.shape:
            raise ValueError(
                f"the noise source {name!r} draws numbers of shape {shape}; only one number for "
                f"all, or one per neuron, {portion.neurons.shape}, can be divided over devices"
            )
        counter = math.prod(shape) if portion is None else portion.neurons
        if self.noise == "counter":
            return getattr(_counter, law)(key, counter, dtype).reshape(shape)
        if _threefry.applies(key, dtype):
            return getattr(_threefry, law)(key, counter).reshape(shape)
        draw = getattr(jax.random, law)
        if portion is None:
            return draw(key, shape, dtype)
        return draw(key, (portion.n,), dtype)[portion.neurons]

    def _draw_key(self, name: str) -> Any:
        if self.key is None:
            raise ValueError(
                f"the noise source {name!r} needs random numbers, but there is no key: "
                "give key=jax.random.key(0) to the function that runs the model (or to Clock)"
            )
        key: Any = self.child(name).key
        if self.noise == "counter":
            return _counter.fold(key, self.step)
        return jax.random.fold_in(key, self.step)


def _is_words(key) -> bool:
    # a clock that is rebuilt from another one carries the hashed words already
    return not jnp.issubdtype(key.dtype, jax.dtypes.prng_key)


def checked_dt(dt) -> float:
    """A step in ms is a plain positive number, since what is compiled depends on it."""
    if not known(dt):
        raise ValueError(
            "dt must be a plain number: what is compiled depends on it. Inside jit, close over it "
            "or make it a static argument"
        )
    number = isinstance(dt, int | float | np.number | np.ndarray | jax.Array)
    fits = number and not isinstance(dt, bool) and np.ndim(dt) == 0
    if not (fits and math.isfinite(float(dt)) and float(dt) > 0):
        raise ValueError(f"dt must be a positive number of ms, got {dt!r}")
    return float(dt)
