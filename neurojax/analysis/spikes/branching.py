"""The branching ratio of activity that spreads: conventional, and robust to subsampling."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from ._events import numbers


def branching_ratio(activity: Any) -> float:
    r"""The branching ratio m by linear regression of neighbouring bins.

    $$\langle A_{t+1} \mid A_t \rangle = m A_t + h$$

    with $h$ what comes from outside: the slope $r_1$ of $A_{t+1}$ on $A_t$. It needs all units of
    the network. If only a part of them is seen the slope is too small, see
    `multistep_regression`.

    Arguments:
        activity: spikes of the population in each bin, shape (time,) or (trial, time); as from
            `population_counts`, with bins as long as the activity takes from unit to unit.

    Returns:
        $r_1$; NaN if the activity never changes.

    Raises:
        ValueError: another shape, or fewer than three bins.

    Source: Heyde and Seneta (1972), Biometrika 59, 680; Wilting and Priesemann (2018).

    Example:
        >>> branching_ratio([8.0, 4.0, 2.0, 1.0, 0.5])
        0.5
    """
    return float(_slopes(_trials(activity), np.array([1]))[0])


@final
@dataclass(frozen=True)
class MultistepRegression:
    """What `multistep_regression` found.

    Arguments:
        m: branching ratio.
        b: amplitude, 1 where everything is seen and below it under subsampling.
        tau: autocorrelation time in bins, -1 / log(m).
        steps: distances k of the regressions, in bins.
        slopes: the regression slope at each.

    Example:
        >>> found = MultistepRegression(0.5, 1.0, 1.44, np.array([1]), np.array([0.5]))
        >>> found.m
        0.5
    """

    m: float
    b: float
    tau: float
    steps: np.ndarray
    slopes: np.ndarray


def multistep_regression(activity: Any, k_max: int = 40) -> MultistepRegression:
    r"""The branching ratio by multistep regression, which subsampling does not bias.

    The slopes $r_k$ of $A_{t+k}$ on $A_t$ decay as

    $$r_k = b\,m^k,$$

    and the part of the units that is seen affects $b$ alone. Both are fitted to
    $r_1 \dots r_{k_\mathrm{max}}$ by least squares, exactly in $b$ for each m in (0, 1).

    Arguments:
        activity: spikes of the population in each bin, shape (time,) or (trial, time). Trials are
            regressed together; their rate must be the same.
        k_max: the longest distance in bins: a few times the autocorrelation time, and short
            against the recording.

    Returns:
        A `MultistepRegression`; NaN but for its slopes if the activity never changes, or if no
        b > 0 fits: slopes that are negative, alternate, or are gone after one bin.

    Raises:
        ValueError: another shape, or a `k_max` that is no whole number between 2 and the length
            less two.

    Source: Wilting and Priesemann (2018), Nat. Commun. 9, 2325.

    Example:
        >>> import numpy as np
        >>> rng, activity = np.random.default_rng(0), [100]
        >>> for _ in range(20000):
        ...     activity.append(rng.poisson(0.9 * activity[-1] + 10.0))
        >>> seen = rng.binomial(activity, 0.1)  # every tenth spike
        >>> branching_ratio(seen) < 0.5, round(multistep_regression(seen).m, 1)
        (True, 0.9)
    """
    trials = _trials(activity)
    whole = isinstance(k_max, int | np.integer) and not isinstance(k_max, bool)
    if not (whole and 2 <= k_max <= trials.shape[1] - 2):
        raise ValueError(
            f"k_max must be a whole number between 2 and {trials.shape[1] - 2} for "
            f"{trials.shape[1]} bins, got {k_max!r}"
        )
    steps = np.arange(1, int(k_max) + 1)
    slopes = _slopes(trials, steps)
    tau = _decay(steps, slopes) if np.all(np.isfinite(slopes)) else None
    if tau is None:
        nan = float("nan")
        return MultistepRegression(nan, nan, nan, steps, slopes)
    shape = np.exp(-steps / tau)
    return MultistepRegression(
        float(np.exp(-1.0 / tau)), _amplitude(shape, slopes), tau, steps, slopes
    )


def _trials(activity) -> Float64[np.ndarray, "trial time"]:
    way = "population_counts(record, bin, t_stop=...) counts spikes in bins"
    values = numbers("activity", activity, way)
    if values.ndim not in (1, 2) or values.shape[-1] < 3:
        raise ValueError(
            "activity must have shape (time,) or (trial, time) with three bins at least, got "
            f"{values.shape}"
        )
    return np.atleast_2d(values)


def _slopes(trials, steps) -> Float64[np.ndarray, " step"]:
    """The least-squares slope of A[t + k] on A[t] for each k, all trials together."""
    slopes = []
    for k in steps:
        now, later = trials[:, :-k].ravel(), trials[:, k:].ravel()
        changes = now.min() != now.max()  # the mean of equal numbers is rounded
        now = now - now.mean()
        spread = now @ now
        slopes.append(now @ (later - later.mean()) / spread if changes and spread > 0 else np.nan)
    return np.array(slopes)


def _amplitude(shape, slopes) -> float:
    """The best b for a given decay, 0 at least."""
    return max(float(shape @ slopes / (shape @ shape)), 0.0)


def _decay(steps, slopes) -> float | None:
    """The time constant of the best b exp(-k / tau): a grid, then a search about its best.

    `None` if the best is at the short end of the grid, as where no b > 0 fits at all.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_tau):
        shape = np.exp(-steps / np.exp(log_tau))
        return np.sum((slopes - _amplitude(shape, slopes) * shape) ** 2)

    grid = np.linspace(np.log(0.1), np.log(1e3 * steps[-1]), 200)
    best = grid[np.argmin([loss(x) for x in grid])]
    if best == grid[0]:
        return None
    width = grid[1] - grid[0]
    found = minimize_scalar(
        loss, bounds=(best - width, best + width), method="bounded", options={"xatol": 1e-10}
    )
    return float(np.exp(found.x))
