"""Branching ratios and avalanches of processes whose parameters are known."""

import inspect

import numpy as np
import pytest

import neurojax as nj

S = nj.analysis.spikes


def branching_process(m, rate, steps, seed):
    """A Galton-Watson process with Poisson offspring of mean m and immigration."""
    rng = np.random.default_rng(seed)
    activity = np.empty(steps, int)
    now = round(rate)
    for t in range(steps):
        now = rng.poisson(m * now + rate * (1.0 - m))
        activity[t] = now
    return activity, rng


@pytest.mark.parametrize("m", [0.8, 0.98])
def test_branching_ratio_with_and_without_subsampling(m):
    # standard error of the slope about sqrt((1 - m^2) / T): 0.003 and 0.001
    activity, rng = branching_process(m, 100.0, 40_000, seed=17)
    assert S.branching_ratio(activity) == pytest.approx(m, abs=0.01)
    whole = S.multistep_regression(activity)
    assert whole.m == pytest.approx(m, abs=0.01)
    assert whole.b == pytest.approx(1.0, abs=0.03)
    assert whole.tau == pytest.approx(-1.0 / np.log(whole.m))
    # each unit is seen with probability p: covariances scale by p^2, but the variance is
    # p^2 var + p (1 - p) mean
    p = 0.1
    seen = rng.binomial(activity, p)
    # variance of the process = mean / (1 - m^2), so b = p / (p + (1 - p) (1 - m^2))
    b = p / (p + (1.0 - p) * (1.0 - m**2))
    assert S.branching_ratio(seen) == pytest.approx(b * m, abs=0.05)
    assert S.branching_ratio(seen) < m - 0.1
    found = S.multistep_regression(seen, 20)
    assert found.m == pytest.approx(m, abs=0.03)
    assert found.b == pytest.approx(b, abs=0.06)


def test_multistep_regression_of_exact_slopes():
    # A[t] = m^t has slopes m^k exactly
    found = S.multistep_regression(0.9 ** np.arange(60.0), 10)
    np.testing.assert_allclose(found.slopes, 0.9 ** np.arange(1, 11), rtol=1e-9)
    assert found.m == pytest.approx(0.9, rel=1e-6)
    assert found.b == pytest.approx(1.0, rel=1e-5)


def test_trials_are_regressed_together():
    whole, _ = branching_process(0.9, 50.0, 20_000, seed=18)
    found = S.multistep_regression(whole.reshape(20, 1000), 15)
    assert found.m == pytest.approx(S.multistep_regression(whole, 15).m, abs=0.01)


@pytest.mark.parametrize("value", [0.3, -65.1, 1e-3])
def test_activity_that_never_changes_has_no_branching_ratio(value):
    assert np.isnan(S.branching_ratio(np.full(1001, value)))  # whose mean is rounded
    assert np.isnan(S.branching_ratio(np.full((3, 333), value)))
    assert np.isnan(S.multistep_regression(np.full(1001, value), 3).m)


def test_silence_and_refusals():
    assert np.isnan(S.branching_ratio(np.zeros(10)))
    assert np.isnan(S.multistep_regression(np.zeros(10), 3).m)
    with pytest.raises(ValueError, match="three bins at least"):
        S.branching_ratio([1.0, 2.0])
    with pytest.raises(ValueError, match=r"k_max must be .* between 2 and 8 for 10 bins, got 9"):
        S.multistep_regression(np.arange(10.0), 9)
    for wrong in (5.5, "5", True):
        with pytest.raises(ValueError, match=f"k_max must be a whole number .*, got {wrong!r}"):
            inspect.unwrap(S.multistep_regression)(np.arange(10.0), wrong)


def test_slopes_that_no_branching_process_has_give_no_ratio():
    found = S.multistep_regression([0.0, 1.0] * 30, 6)
    assert np.all(np.isnan([found.m, found.b, found.tau]))
    np.testing.assert_allclose(found.slopes, [-1.0, 1.0] * 3, rtol=1e-9)
    # neighbouring bins alone are correlated: no m > 0 decays at once
    found = S.multistep_regression(np.convolve(np.tile([1, 0, 0, 0, 0, 0, 0], 40), [1, 1]), 3)
    assert found.slopes[0] > 0 and np.isnan(found.m)


def test_avalanches_by_hand():
    # counts in bins of 1 ms: 1 0 2 1 0 0 3 0 1
    times = [0.5, 2.5, 2.6, 3.5, 6.1, 6.2, 6.3, 8.5]
    found = S.avalanches([times], 1.0, t_stop=9.0)
    assert found.sizes.tolist() == [3, 3]
    assert found.durations.tolist() == [2.0, 1.0]
    # with silence at both ends those at the ends are whole
    found = S.avalanches([np.array(times) + 1.0], 1.0, t_stop=11.0)
    assert found.sizes.tolist() == [1, 3, 3, 1]
    assert S.avalanches([[0.5, 1.5]], 1.0, t_stop=2.0).sizes.size == 0
    assert S.avalanches([[]], 1.0, t_stop=2.0).sizes.size == 0


def test_the_default_bin_is_the_mean_interval():
    found = S.avalanches([[1.0, 3.0], [4.0, 9.0]], t_stop=20.0)
    assert found.bin == pytest.approx(8.0 / 3.0)
    with pytest.raises(ValueError, match="no interval between spikes"):
        S.avalanches([[1.0], []], t_stop=20.0)


def test_avalanches_of_a_bernoulli_process_are_geometric():
    # bins are filled independently with probability p: durations are geometric, mean 1 / (1 - p)
    rng = np.random.default_rng(19)
    bins = np.flatnonzero(rng.random(50_000) < 0.4)
    found = S.avalanches([bins + 0.5], 1.0, t_stop=50_000.0)
    # standard error of the mean of 12 000 durations: 0.01
    assert found.durations.mean() == pytest.approx(1.0 / 0.6, abs=0.04)
    np.testing.assert_array_equal(found.sizes, found.durations)
