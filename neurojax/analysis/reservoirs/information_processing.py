"""Which functions of its past inputs a reservoir computes, all of them counted."""

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurojax.core.precision import unrounded
from neurojax.core.tracing import known

from .._activity import centred, dot
from ._series import past, rates_and_inputs, runs, whole
from .ranks import counted

_MOST = 2_000_000  # terms; beyond it the list alone takes seconds
_TOGETHER = 128  # terms whose series exist at the same time


class ProcessingCapacity(eqx.Module):
    r"""The capacity of each product of polynomials.

    Arguments:
        capacities: [term], from 0 to 1, without the bias; 0 where the measured one does not
            pass the threshold; NaN for rates that are not finite, and inside transforms where
            the steps are so few that none could pass.
        measured: [term], as measured.
        threshold: that a measured capacity must pass.
        rank: number of linearly independent units.
        degrees: [term], the total degree of each product.
        factors: [term, factor, 3]: channel, delay and degree of each polynomial of a product; a
            degree of 0 fills up rows.

    Example:
        >>> import jax
        >>> u = jax.random.uniform(jax.random.key(0), (500,), minval=-1.0)
        >>> found = information_processing_capacity(u[:, None] ** 2, u, {1: 2, 2: 2})
        >>> bool(found.nonlinear == found.total), found.of_degree(1).item()
        (True, 0.0)
    """

    capacities: Float[Array, "*batch term"]
    measured: Float[Array, "*batch term"]
    threshold: Float[Array, "*batch"]
    rank: Int[Array, "*batch"]
    degrees: Int[Array, "*batch term"]
    factors: Int[Array, "*batch term factor 3"]

    @property
    def total(self) -> Float[Array, "*batch"]:
        """The sum of all capacities; at most the rank, up to sampling error."""
        return jnp.sum(self.capacities, axis=-1)

    @property
    def linear(self) -> Float[Array, "*batch"]:
        """The capacity of degree 1, which is the memory capacity (delay 0 included)."""
        return self.of_degree(1)

    @property
    def nonlinear(self) -> Float[Array, "*batch"]:
        """The capacity of degree 2 and above: the nonlinear memory capacity."""
        return jnp.sum(jnp.where(self.degrees > 1, self.capacities, 0.0), axis=-1)

    def of_degree(self, degree: int) -> Float[Array, "*batch"]:
        """The sum of the capacities of one total degree."""
        return jnp.sum(jnp.where(self.degrees == degree, self.capacities, 0.0), axis=-1)


@unrounded
def information_processing_capacity(
    rates: Any,
    inputs: Any,
    delays: Mapping[int, int],
    *,
    washout: int = 0,
    support: tuple[float, float] = (-1.0, 1.0),
    p: float = 1e-4,
    safety: float = 2.0,
    tolerance: float | None = None,
) -> ProcessingCapacity:
    r"""The information-processing capacity for products of Legendre polynomials of past inputs.

    Of a target z, centred, and the projection P onto the centred rates,

    $$C_T[z] = \frac{z^\top P z}{z^\top z}, \qquad
      z_t = \prod_i \sqrt{2 d_i + 1}\,P_{d_i}(u_{t - k_i}),$$

    for all products whose total degree $\sum_i d_i$ is a key of `delays`, over all delays from 0
    to the value given there (and all channels). For independent inputs, uniform over `support`,
    these targets are uncorrelated, and capacities of a system with fading memory add up to the
    number of its linearly independent units, if the delays and degrees take all in.

    A target that has nothing to do with the rates has a capacity of about $\chi^2_r / T$ in T
    steps, with r the rank of the rates. What does not pass `safety` times its quantile of `p` is
    set to 0. What does is freed from the bias: $C = (C_T - r/(T-1)) / (1 - r/(T-1))$, which the
    source leaves in. So more than `safety` times the quantile of steps are needed at all, 567 for
    200 units, and some ten times as many to find small capacities.

    Arguments:
        rates: [time, unit], or [series, time, unit]; no delay reaches into another series, and
            the steps of all count together. In single precision units that vary little count as
            dependent; `jax_enable_x64` keeps them.
        inputs: [time] or [time, channel], with the axis of series in front where the rates have
            it; independent and uniform over `support`.
        delays: the longest delay in steps for each total degree, such as {1: 50, 2: 20, 3: 8}.
        washout: steps that are left out at the beginning of each series.
        support: lower and upper bound of the inputs.
        p: probability that a capacity of zero passes the quantile.
        safety: factor on the quantile, since rates are correlated in time.
        tolerance: singular values of the rates below this part of the largest one do not count;
            default 10 times the root of the number of units, times the spacing of numbers at 1.

    Returns:
        The capacities, with their sums `total`, `linear`, `nonlinear` and `of_degree(d)`.

    Raises:
        ValueError: for shapes that do not fit, inputs outside the support, degrees or delays that
            are no whole numbers, too many products, a `safety` that is not positive, a negative
            tolerance, or a run so short that no capacity could pass the threshold (known rates).

    Source:
        Dambre, Verstraeten, Schrauwen and Massar (2012), Scientific Reports 2:514.

    Example:
        >>> import jax
        >>> u = jax.random.uniform(jax.random.key(0), (1000,), minval=-1.0)
        >>> rates = jnp.stack([jnp.roll(u, 1), jnp.roll(u, 2) * u], axis=1)
        >>> found = information_processing_capacity(rates, u, {1: 3, 2: 3}, washout=3)
        >>> found.linear.round(2).item(), found.nonlinear.round(2).item()
        (1.0, 1.0)
    """
    rates, inputs = rates_and_inputs(rates, inputs)
    low, high = map(float, support)
    if not low < high:
        raise ValueError(f"support must be a lower and an upper bound, got {support!r}")
    if known(inputs) and not np.all((np.asarray(inputs) >= low) & (np.asarray(inputs) <= high)):
        raise ValueError(
            f"inputs must lie in their support {support}, got values from "
            f"{float(inputs.min()):g} to {float(inputs.max()):g}; give support="
        )
    longest = _longest(delays)
    first = max(whole("washout", washout, 0), *longest.values())
    steps, units = len(rates) * max(rates.shape[1] - first, 0), rates.shape[2]
    if steps < 3:
        raise ValueError(
            f"{runs(rates)} {steps} after a washout or longest delay of {first}; at least 3 are "
            "needed"
        )
    if not 0.0 < safety < np.inf:
        raise ValueError(f"safety must be a positive factor on the quantile, got {safety!r}")
    needed = safety * _quantiles(p, units)
    if needed[1] >= steps or units >= steps - 1:
        raise _too_few(steps, units, "units", max(needed[1], units + 1))
    index, factors, degrees = _terms(longest, inputs.shape[-1])
    scaled = (2.0 * inputs - (low + high)) / (high - low)
    powers = _reach(longest)
    measured, rank = _measured(rates, scaled, jnp.asarray(index), powers, first, tolerance)
    if known(rank) and needed[int(rank)] >= steps:
        raise _too_few(steps, int(rank), "linearly independent units", needed[int(rank)])
    threshold = jnp.asarray(needed / steps, rates.dtype)[rank]
    bias = rank.astype(rates.dtype) / (steps - 1)
    capacities = jnp.where(measured <= threshold, 0.0, (measured - bias) / (1.0 - bias))
    capacities = jnp.where(threshold < 1.0, capacities, jnp.nan)
    return ProcessingCapacity(
        capacities, measured, threshold, rank, jnp.asarray(degrees), jnp.asarray(factors)
    )


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _measured(rates, inputs, index, powers, first: int, tolerance):
    """The capacity of each term, and the rank of the rates."""
    rates = centred(past(rates, 0, first))
    Q, R = jnp.linalg.qr(rates)
    U, s, _ = jnp.linalg.svd(R, full_matrices=False)
    counts = counted(s, tolerance)
    basis = dot(Q, U) * counts.astype(Q.dtype)[None, :]
    table = _table(inputs, powers, first)

    def capacity(row):
        z = jnp.prod(table[row], axis=0)
        return z - jnp.mean(z)

    def several(rows):
        z = jax.vmap(capacity)(rows)
        return jnp.sum(dot(z, basis) ** 2, axis=1) / jnp.sum(z**2, axis=1)

    whole_blocks = index.shape[0] // _TOGETHER * _TOGETHER
    blocks = index[:whole_blocks].reshape(-1, _TOGETHER, index.shape[1])
    found = jax.lax.map(several, blocks).reshape(-1)
    return jnp.concatenate([found, several(index[whole_blocks:])]), jnp.sum(counts)


def _table(inputs, powers: tuple[int, ...], first: int):
    """Series of single polynomials: a constant, then degree by degree, delay by delay."""
    steps = inputs.shape[0] * (inputs.shape[1] - first)
    before, now = jnp.ones_like(inputs), inputs
    rows = [jnp.ones((1, steps), inputs.dtype)]
    for degree, delay in enumerate(powers, start=1):
        scaled = math.sqrt(2 * degree + 1) * now
        rows += [past(scaled, k, first).T for k in range(delay + 1)]
        # Bonnet's recursion
        before, now = now, ((2 * degree + 1) * inputs * now - degree * before) / (degree + 1)
    return jnp.concatenate(rows)


def _reach(longest: dict[int, int]) -> tuple[int, ...]:
    """The longest delay at which each degree of a single polynomial occurs."""
    return tuple(
        max(delay for total, delay in longest.items() if total >= degree)
        for degree in range(1, max(longest) + 1)
    )


def _terms(longest: dict[int, int], channels: int):
    """For each product the rows of the table, the factors, and the total degree."""
    count = sum(math.comb(channels * (k + 1) + d - 1, d) for d, k in longest.items())
    if count > _MOST:
        raise ValueError(f"delays give {count} products, more than {_MOST}; shorten them")
    sizes = [channels * (delay + 1) for delay in _reach(longest)]
    begins = np.concatenate([[1], 1 + np.cumsum(sizes)])
    width = max(longest)
    rows, factors, degrees = [], [], []
    for total, delay in longest.items():
        for chosen in itertools.combinations_with_replacement(range(channels * (delay + 1)), total):
            parts = [(v, len(list(same))) for v, same in itertools.groupby(chosen)]
            row = [begins[power - 1] + v for v, power in parts]
            rows.append(row + [0] * (width - len(row)))
            named = [(v % channels, v // channels, power) for v, power in parts]
            factors.append(named + [(0, 0, 0)] * (width - len(named)))
            degrees.append(total)
    return np.array(rows), np.array(factors), np.array(degrees)


def _too_few(steps: int, count: int, what: str, needed: float) -> ValueError:
    return ValueError(
        f"{steps} steps are too few for {count} {what}: no capacity would pass the threshold; "
        f"more than {math.ceil(needed)} are needed, and some ten times as many to find small ones"
    )


def _longest(delays) -> dict[int, int]:
    if not isinstance(delays, Mapping) or not delays:
        raise ValueError(
            "delays must give the longest delay for each total degree, such as {1: 50, 2: 20}, "
            f"got {delays!r}"
        )
    return {
        whole("a degree", d, 1): whole("the longest delay", delays[d], 0) for d in sorted(delays)
    }


def _quantiles(p: float, units: int) -> np.ndarray:
    """The quantile of chi squared for each rank from 0 to the number of units."""
    from scipy.stats import chi2

    if not 0.0 < p < 1.0:
        raise ValueError(f"p must be a probability between 0 and 1, got {p!r}")
    return np.concatenate([[0.0], chi2.isf(p, np.arange(1, units + 1))])
