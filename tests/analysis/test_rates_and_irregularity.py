"""Rates, intervals and Fano factors against processes whose values are known."""

import warnings

import numpy as np
import pytest
from spike_records import poisson, record

import neurojax as nj

S = nj.analysis.spikes


def gamma(rng, shape, rate, n):
    """A renewal process with gamma intervals of this shape; rate in Hz."""
    return np.cumsum(rng.gamma(shape, 1e3 / (rate * shape), n))


def test_poisson_process():
    # 40 000 spikes: standard errors of CV, CV2 and LV are below 0.006; the Fano factor of 8000
    # windows has standard error sqrt(2 / 8000) = 0.016 (4 are allowed)
    train = gamma(np.random.default_rng(2), 1.0, 50.0, 40_000)
    end = 800_000.0
    assert S.mean_rate(train, t_stop=end) == pytest.approx(50.0, rel=0.02)
    for irregularity in (S.cv, S.cv2, S.lv):
        assert irregularity(train)[0] == pytest.approx(1.0, abs=0.024)
    assert S.fano_factor(train, 100.0, t_stop=train[-1])[0] == pytest.approx(1.0, abs=0.064)


@pytest.mark.parametrize("shape", [2.0, 5.0])
def test_gamma_process(shape):
    # CV = 1/sqrt(k), LV = 3/(2k+1), F -> CV^2; standard errors below 0.005 and 0.02 F
    train = gamma(np.random.default_rng(3), shape, 50.0, 40_000)
    assert S.cv(train)[0] == pytest.approx(shape**-0.5, abs=0.01)
    assert S.lv(train)[0] == pytest.approx(3.0 / (2.0 * shape + 1.0), abs=0.015)
    fano = S.fano_factor(train, 2000.0, t_stop=train[-1])[0]
    count = train[-1] / 2000.0
    assert fano == pytest.approx(1.0 / shape, rel=4.0 * np.sqrt(2.0 / count))


def test_a_clock_and_undefined_values():
    sources = [np.arange(10.0, 1000.0, 10.0), [5.0, 6.0], [], [3.0, 3.0, 3.0]]
    trains = [np.asarray(t) for t in sources]
    for irregularity in (S.cv2, S.lv):
        found = irregularity(trains)
        np.testing.assert_allclose(found, [0.0, np.nan, np.nan, np.nan], atol=1e-12)
    np.testing.assert_allclose(S.cv(trains)[:3], [0.0, np.nan, np.nan], atol=1e-12)
    assert np.isnan(S.fano_factor(trains, 100.0, t_stop=1000.0)[2])
    assert np.isnan(S.fano_factor(trains, 600.0, t_stop=1000.0)).all()


def test_hand_computed_intervals():
    # intervals 1, 3, 2
    train = [10.0, 11.0, 14.0, 16.0]
    assert S.isi(train)[0].tolist() == [1.0, 3.0, 2.0]
    assert S.cv(train)[0] == pytest.approx(np.sqrt(2.0 / 3.0) / 2.0, rel=1e-12)
    assert S.cv2(train)[0] == pytest.approx((2 * 2 / 4 + 2 * 1 / 5) / 2, rel=1e-12)
    assert S.lv(train)[0] == pytest.approx(3 / 2 * (1 / 4 + 1 / 25), rel=1e-12)
    # R = 5: factors 1 + 20/4 and 1 + 20/5
    revised = 3 / 2 * (6 / 4 + 5 / 25)
    assert S.lv(train, refractoriness=5.0)[0] == pytest.approx(revised, rel=1e-12)
    assert S.isi(train, t_start=10.0, t_stop=14.0)[0].tolist() == [3.0]


def test_cv2_ignores_a_slow_change_of_rate():
    # a clock that slows down: CV of the intervals is that of their spread, CV2 nearly zero
    train = np.cumsum(np.linspace(5.0, 50.0, 1000))
    assert S.cv(train)[0] > 0.4
    assert S.cv2(train)[0] < 0.005


def test_fano_factor_over_trials():
    counts = np.array([[1, 2, 3], [4, 4, 4], [0, 0, 0]])
    np.testing.assert_allclose(S.fano_factor_of_counts(counts), [0.5, 0.0, np.nan])
    assert np.isnan(S.fano_factor_of_counts([3]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(S.fano_factor_of_counts([]))
        assert S.fano_factor_of_counts(np.zeros((2, 3, 0))).shape == (2, 3)


def test_counts_need_the_axis_of_the_trials():
    for counts, axis in ((3, -1), ([1, 2], 5), ([1, 2], -2)):
        with pytest.raises(ValueError, match=f"counts must have the axis .*, axis={axis}, got sh"):
            S.fano_factor_of_counts(counts, axis=axis)


def test_population_rate():
    times, rate = S.population_rate(record([1.0, 2.0, 7.0], [0, 1, 1], 4), 5.0, t_stop=10.0)
    assert times.tolist() == [2.5, 7.5]
    np.testing.assert_allclose(rate, [100.0, 50.0], rtol=1e-12)  # 2 / (4 neurons x 5 ms)


@pytest.mark.parametrize("kernel", ["gaussian", "exponential", "box"])
def test_smoothed_rate_is_the_sum_of_kernels(kernel):
    train, width, step = np.array([100.25, 103.25, 140.25]), 8.0, 0.5
    times, rate = S.smoothed_rate(
        train, width, kernel=kernel, resolution=step, t_start=0.0, t_stop=400.0
    )
    assert rate.sum() * step * 1e-3 == pytest.approx(3.0, rel=1e-6)
    lag = times[:, None] - train  # spikes stand at centres of bins
    kernels = {
        "gaussian": np.exp(-0.5 * (lag / width) ** 2) / (np.sqrt(2 * np.pi) * width),
        # what falls into a bin decays geometrically
        "exponential": np.where(
            lag > -1e-9, -np.expm1(-step / width) / step * np.exp(-np.maximum(lag, 0) / width), 0.0
        ),
        # half of the bin on which an edge lies is inside
        "box": np.clip((width / 2 - np.abs(lag)) / step + 0.5, 0.0, 1.0) / width,
    }
    expected = 1e3 * kernels[kernel].sum(axis=1)
    # kernels are cut where they are below 1e-6 of their peak
    np.testing.assert_allclose(rate, expected, rtol=1e-6, atol=1e-4)


def test_smoothing_a_constant_rate_leaves_it():
    trains = poisson(np.random.default_rng(4), 20.0, 200, 3000.0)
    times, rate = S.smoothed_rate(trains, 50.0, t_stop=3000.0)
    inner = rate[(times > 300.0) & (times < 2700.0)]
    # variance of a smoothed Poisson rate: nu / (N 2 sqrt(pi) sigma)
    sd = np.sqrt(20.0 / (200 * 2 * np.sqrt(np.pi) * 0.05))
    assert np.abs(inner - 20.0).max() < 4.5 * sd


def test_names_that_do_not_exist():
    with pytest.raises(ValueError, match=r"unknown kernel 'gausian'.*Did you mean 'gaussian'"):
        S.smoothed_rate([1.0], 5.0, kernel="gausian", t_stop=10.0)
    with pytest.raises(ValueError, match="refractoriness must not be negative"):
        S.lv([1.0], refractoriness=-1.0)
