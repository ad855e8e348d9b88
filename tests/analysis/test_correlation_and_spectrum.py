"""Correlations, correlograms, synchrony and spectra of processes with known values."""

import numpy as np
import pytest
from spike_records import poisson

import neurojax as nj

S = nj.analysis.spikes


def common_input(rng, n, share, rate, duration):
    """Poisson trains in which each spike is one of a common train with probability `share`."""
    mother = poisson(rng, rate / share, 1, duration)[0]
    return [mother[rng.random(len(mother)) < share] for _ in range(n)]


def test_correlation_of_thinned_copies_is_the_share():
    # copies of one Poisson train, each spike kept with probability c, correlate by c; the
    # standard error of one coefficient from 20 000 bins is 0.007, that of the mean is less
    trains = common_input(np.random.default_rng(5), 6, 0.3, 20.0, 100_000.0)
    matrix = S.correlation_matrix(trains, 5.0, t_stop=100_000.0)
    pairs = matrix[np.triu_indices(6, 1)]
    np.testing.assert_allclose(pairs, 0.3, atol=0.035)
    np.testing.assert_allclose(matrix, matrix.T)
    assert S.mean_correlation(trains, 5.0, t_stop=100_000.0) == pytest.approx(
        pairs.mean(), abs=1e-12
    )


def test_correlation_matrix_against_numpy_and_silence():
    trains = [*poisson(np.random.default_rng(6), 30.0, 4, 2000.0), np.zeros(0)]
    counts = S.binned_counts(trains, 10.0, t_stop=2000.0)
    found = S.correlation_matrix(trains, 10.0, t_stop=2000.0)
    np.testing.assert_allclose(found[:4, :4], np.corrcoef(counts[:4]), atol=1e-12)
    assert np.isnan(found[4]).all() and np.isnan(found[:, 4]).all()
    without = S.mean_correlation(trains[:4], 10.0, t_stop=2000.0)
    assert S.mean_correlation(trains, 10.0, t_stop=2000.0) == pytest.approx(without, abs=1e-12)
    assert np.isnan(S.mean_correlation(trains[3:], 10.0, t_stop=2000.0))


def test_correlogram_against_all_pairs():
    first, second = poisson(np.random.default_rng(7), 80.0, 2, 3000.0)
    lags, pairs = S.cross_correlogram(first, second, bin=2.0, max_lag=30.0)
    edges = np.append(lags - 1.0, lags[-1] + 1.0)
    expected, _ = np.histogram((second[None] - first[:, None]).ravel(), edges)
    np.testing.assert_array_equal(pairs, expected)
    _, rate = S.cross_correlogram(first, second, bin=2.0, max_lag=30.0, scale="rate")
    np.testing.assert_allclose(rate, expected * 1e3 / (len(first) * 2.0), rtol=1e-12)
    _, auto = S.cross_correlogram(first, bin=2.0, max_lag=30.0)
    apart = (first[None] - first[:, None])[~np.eye(len(first), dtype=bool)]
    np.testing.assert_array_equal(auto, np.histogram(apart, edges)[0])


def test_correlogram_on_a_grid_and_its_refusals():
    lags, pairs = S.cross_correlogram(
        0.1 * np.arange(1, 101), 0.1 * np.arange(1, 101), bin=0.1, max_lag=0.3
    )
    np.testing.assert_allclose(lags, 0.1 * np.arange(-3, 4), atol=1e-12)
    assert pairs.tolist() == [97, 98, 99, 100, 99, 98, 97]
    with pytest.raises(ValueError, match=r"unknown scale 'rates'.*'rate'"):
        S.cross_correlogram([1.0], [2.0], scale="rates")
    with pytest.raises(ValueError, match="max_lag=1 ms is less than one bin of 2 ms"):
        S.cross_correlogram([1.0], [2.0], bin=2.0, max_lag=1.0)
    assert np.isnan(S.cross_correlogram([], [1.0], scale="rate")[1]).all()


def test_chi():
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(20_000, 25))
    common = rng.normal(size=(20_000, 1))
    # V_i = c x + noise: chi^2 = (c^2 + 1/N) / (c^2 + 1); relative standard error about 0.5 %
    for c in (0.0, 0.5, 1.0):
        expected = np.sqrt((c**2 + 1 / 25) / (c**2 + 1))
        assert S.chi(-60.0 + c * common + noise) == pytest.approx(expected, rel=0.02)
    assert S.chi(np.repeat(common, 3, axis=1)) == pytest.approx(1.0, rel=1e-12)
    assert np.isnan(S.chi(np.full((5, 2), -65.0)))
    assert np.isnan(S.chi(np.full((1000, 3), -65.1)))  # whose mean is rounded
    with pytest.raises(ValueError, match=r"two samples at least, got \(5,\)"):
        S.chi(np.zeros(5))


def test_chi_of_counts():
    trains = poisson(np.random.default_rng(9), 40.0, 16, 50_000.0)
    # independent: 1 / sqrt(16), standard error 1.0 % from 5000 bins
    assert S.chi_of_counts(trains, 10.0, t_stop=50_000.0) == pytest.approx(0.25, rel=0.04)
    assert S.chi_of_counts([trains[0]] * 4, 10.0, t_stop=50_000.0) == pytest.approx(1.0)


def test_spectrum_of_independent_poisson_is_flat_at_the_rate():
    trains = poisson(np.random.default_rng(10), 15.0, 40, 100_000.0)
    frequencies, power = S.spectrum(trains, 1.0, segment=500.0, t_stop=100_000.0)
    assert (frequencies[0], frequencies[-1]) == (0.0, 500.0)
    assert frequencies[1] == pytest.approx(2.0)
    inner = power[2:-1]
    # each of about 250 values has relative error 1/sqrt(200 x ~1.9 segments)
    assert inner.mean() == pytest.approx(15.0, rel=0.02)
    assert np.abs(inner / 15.0 - 1.0).max() < 0.3


def test_spectrum_of_a_modulated_and_of_a_common_rate():
    rng = np.random.default_rng(11)
    # a common train: N neurons in step give N times the rate
    one = poisson(rng, 15.0, 1, 100_000.0) * 8
    _, power = S.spectrum(one, 1.0, segment=500.0, t_stop=100_000.0)
    # 1500 spikes: rate and mean level to 3 %
    assert power[2:-1].mean() == pytest.approx(8 * 15.0, rel=0.1)
    times = np.sort(rng.uniform(0.0, 50_000.0, 60_000))
    kept = times[rng.random(len(times)) < 0.5 * (1 + np.sin(2 * np.pi * 40e-3 * times))]
    frequencies, power = S.spectrum([kept], 1.0, t_stop=50_000.0)
    assert frequencies[np.argmax(power)] == pytest.approx(40.0)
    with pytest.raises(ValueError, match="segment must hold two bins of 1 ms"):
        S.spectrum([kept], 1.0, segment=1.0, t_stop=50_000.0)
