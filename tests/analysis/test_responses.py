"""Histograms around stimuli and tuning curves."""

import numpy as np
import pytest
from spike_records import poisson

import neurojax as nj

S = nj.analysis.spikes


def test_psth_against_histograms():
    rng = np.random.default_rng(20)
    trains = poisson(rng, 60.0, 3, 5000.0)
    onsets = np.array([500.0, 530.0, 2000.0, 4950.0])  # windows that overlap and that end early
    times, rate = S.psth(trains, onsets, before=40.0, after=80.0, bin=10.0)
    edges = np.arange(-40.0, 81.0, 10.0)
    np.testing.assert_allclose(times, 0.5 * (edges[1:] + edges[:-1]))
    for train, found in zip(trains, rate, strict=True):
        lags = (train[None] - onsets[:, None]).ravel()
        expected = np.histogram(lags, edges)[0] * 1e3 / (4 * 10.0)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_psth_puts_the_onsets_own_step_before_it():
    times, rate = S.psth([[100.0, 100.1]], [100.0], before=1.0, after=1.0, bin=1.0)
    assert times.tolist() == [-0.5, 0.5]
    assert rate.tolist() == [[1000.0, 1000.0]]


def test_tuning():
    onsets = np.array([0.0, 100.0, 200.0, 300.0])
    trains = [[15.0, 115.0, 116.0, 117.0, 205.0, 215.0], [360.0]]
    found = S.tuning(trains, onsets, ["b", "a", "b", "c"], delay=10.0, duration=50.0)
    assert found.stimuli.tolist() == ["a", "b", "c"]
    assert found.trials.tolist() == [1, 2, 1]
    # 50 ms: a spike is 20 Hz; the spike at 205 comes before the delay, that at 360 at the end
    np.testing.assert_allclose(found.mean, [[60.0, 20.0, 0.0], [0.0, 0.0, 20.0]], rtol=1e-12)
    np.testing.assert_allclose(found.sd, [[np.nan, 0.0, np.nan], [np.nan, 0.0, np.nan]])


def test_refusals():
    with pytest.raises(ValueError, match="onsets must be finite times in ms, one at least"):
        S.psth([[1.0]], [], after=10.0)
    with pytest.raises(ValueError, match="one stimulus per onset"):
        S.tuning([[1.0]], [1.0, 2.0], [0], duration=10.0)
    with pytest.raises(ValueError, match="duration must be positive"):
        S.tuning([[1.0]], [1.0], [0], duration=0.0)
