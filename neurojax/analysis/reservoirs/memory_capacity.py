"""How much of its past input a reservoir can give back linearly."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.precision import unrounded
from neurojax.core.ridge import ridge
from neurojax.core.tracing import known

from .._activity import dot
from ._series import past, rates_and_inputs, runs, whole


class MemoryCapacity(NamedTuple):
    """The capacity of each delay, and their sum.

    Arguments:
        total: the memory capacity.
        profile: squared correlation at each delay, from 0 to 1.

    Example:
        >>> MemoryCapacity(jnp.array(1.5), jnp.array([1.0, 0.5])).profile.tolist()
        [1.0, 0.5]
    """

    total: Float[Array, ""]
    profile: Float[Array, " delay"]


@unrounded
def memory_capacity(
    rates: Any,
    inputs: Any,
    delays: int | Iterable,
    *,
    penalty: Any = 1e-7,
    washout: int = 0,
    held_out: float = 0.5,
) -> MemoryCapacity:
    r"""The linear memory capacity.

    $$MC = \sum_k \mathrm{corr}^2\left(w_k^\top r_t + c_k,\; u_{t-k}\right)$$

    with the best linear estimates, by ridge regression. They are found in the first part of the
    run and judged in the rest, since in the part that they were fitted to n units reach a
    correlation of n / time with anything. What is left of this bias is one over the steps held
    out, for each delay. For inputs that are independent from step to step the capacity of a
    reservoir is at most n.

    Arguments:
        rates: [time, unit], or [series, time, unit]; no delay reaches into another series. In
            single precision rates with a wide range of variances lose some capacity;
            `jax_enable_x64` keeps it.
        inputs: [time] or [time, 1], with the axis of series in front where the rates have it.
        delays: k in steps; a whole number K means 1, 2, ..., K. Delay 0 is the input that the
            rates of the same step have already received.
        penalty: of the regression, on squared weights; positive.
        washout: steps that are left out at the beginning of each series.
        held_out: the part of the run, its end, on which the estimates are judged (of several
            series the last ones); 0 judges on the part that they were fitted to.

    Returns:
        `total` and `profile`.

    Raises:
        ValueError: for shapes that do not fit, delays that are no whole numbers or repeat, a
            penalty that is not positive, a run that is too short, or a part that is not in [0, 1).

    Source:
        Jaeger (2001), GMD report 152.

    Example:
        >>> import jax
        >>> u = jax.random.uniform(jax.random.key(0), (400,), minval=-1.0)
        >>> register = jnp.stack([jnp.roll(u, k) for k in (1, 2, 3)], axis=1)
        >>> memory_capacity(register, u, 3, washout=3).profile.round(3).tolist()
        [1.0, 1.0, 1.0]
    """
    rates, inputs = rates_and_inputs(rates, inputs)
    if inputs.shape[-1] != 1:
        raise ValueError(
            f"inputs must be one channel, got {inputs.shape[-1]}; information_processing_capacity "
            "takes several"
        )
    lags = _lags(delays)
    if not 0.0 <= held_out < 1.0:
        raise ValueError(f"held_out must be a part in [0, 1), got {held_out!r}")
    if known(penalty) and not np.all(np.asarray(penalty) > 0):
        raise ValueError(
            f"penalty must be positive, got {penalty!r}; a small one such as 1e-12 does"
        )
    first = max(whole("washout", washout, 0), *lags)
    steps = len(rates) * max(rates.shape[1] - first, 0)
    test = round(held_out * steps)
    if steps - test < 2 or test == 1:
        raise ValueError(
            f"{runs(rates)} {steps - test} to fit and {test} to judge after a washout or longest "
            f"delay of {first}; at least 2 of each are needed"
        )
    return _capacity(rates, inputs, jnp.asarray(penalty, rates.dtype), lags, first, test)


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _capacity(rates, inputs, penalty, lags, first: int, test: int) -> MemoryCapacity:
    targets = jnp.concatenate([past(inputs, k, first) for k in lags], axis=1)
    rates = past(rates, 0, first)
    fitted = rates.shape[0] - test
    mean = lambda x: x[:fitted].mean(axis=0, keepdims=True)
    x, y = rates - mean(rates), targets - mean(targets)
    weights = ridge(x[:fitted], y[:fitted], penalty)
    judged = slice(fitted, None) if test else slice(None)
    found, wanted = dot(x[judged], weights.T), y[judged]
    found, wanted = (a - a.mean(axis=0, keepdims=True) for a in (found, wanted))
    power = jnp.sum(found**2, axis=0) * jnp.sum(wanted**2, axis=0)
    flat = power <= 0
    squared = jnp.sum(found * wanted, axis=0) ** 2 / jnp.where(flat, 1.0, power)
    profile = jnp.where(flat, 0.0, squared)
    return MemoryCapacity(jnp.sum(profile), profile)


def _lags(delays) -> tuple[int, ...]:
    if isinstance(delays, int | np.integer) and not isinstance(delays, bool):
        return tuple(range(1, whole("delays", delays, 1) + 1))
    if not isinstance(delays, Iterable) or not (lags := list(delays)):
        raise ValueError(f"delays must be a whole number, or several of them, got {delays!r}")
    lags = tuple(whole("each of the delays", k, 0) for k in lags)
    if twice := sorted({k for k in lags if lags.count(k) > 1}):
        raise ValueError(f"delays must differ, got more than once: {', '.join(map(str, twice))}")
    return lags
