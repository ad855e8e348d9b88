"""Every form of input gives the same spikes, and windows and bins hold whole steps."""

import jax.numpy as jnp
import numpy as np
import pytest
from spike_records import poisson, record

import neurojax as nj

S = nj.analysis.spikes
TIMES, NEURONS = np.array([0.3, 2.0, 2.0, 5.1, 9.9]), np.array([1, 33, 0, 1, 39])


def test_a_record_a_pair_and_a_list_of_trains_are_the_same():
    trains = [TIMES[i == NEURONS] for i in range(40)]
    for source in (record(TIMES, NEURONS, 40), (TIMES, NEURONS, 40), trains):
        for found, expected in zip(S.as_trains(source), trains, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(S.as_trains((TIMES, NEURONS[::-1]))) == 40
    assert [t.tolist() for t in S.as_trains(jnp.array([2.0, 1.0]))] == [[1.0, 2.0]]
    assert [t.tolist() for t in S.as_trains([2.0, 1.0])] == [[1.0, 2.0]]
    assert [t.tolist() for t in S.as_trains(np.zeros(0))] == [[]]


def test_populations_stand_one_after_the_other():
    both = {"E": record([1.0], [2], 3), "I": record([2.0, 3.0], [0, 1], 2)}
    assert [len(t) for t in S.as_trains(both)] == [0, 0, 1, 1, 1]
    assert S.rates(both, t_stop=100.0).tolist() == [0.0, 0.0, 10.0, 10.0, 10.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("dt", [0.1, 0.01, 0.025, 0.3])
def test_bins_of_k_steps_hold_k_labels(dt, dtype):
    # one spike in each step: float32 step lengths are off by up to 3e-8 either way
    steps = np.arange(1, 6001)
    fired = np.ones((len(steps), 1), np.uint32)
    source = nj.SpikeRecord(steps, fired, np.asarray(dt, dtype), 1)
    for k in (1, 7, 40):
        counts = S.binned_counts(source, k * dt, t_stop=6000 * dt)
        assert counts.shape == (1, 6000 // k)
        assert np.all(counts == k)
    first = S.as_trains(source, t_stop=3000 * dt)[0]
    rest = S.as_trains(source, t_start=3000 * dt, t_stop=6000 * dt)[0]
    assert (len(first), len(rest)) == (3000, 3000)
    times, rate = S.psth(source, [1000 * dt, 5000 * dt], before=20 * dt, after=30 * dt, bin=10 * dt)
    np.testing.assert_allclose(times, dt * np.array([-15, -5, 5, 15, 25]), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rate, 1e3 / dt, rtol=1e-12)


def test_counts_of_random_times_agree_with_a_histogram():
    trains = poisson(np.random.default_rng(1), 50.0, 5, 1000.0)
    counts = S.binned_counts(trains, 7.0, t_start=100.0, t_stop=900.0)
    edges = 100.0 + 7.0 * np.arange(115)
    expected = np.stack([np.histogram(t, edges)[0] for t in trains])
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(
        S.population_counts(trains, 7.0, t_start=100.0, t_stop=900.0), expected.sum(axis=0)
    )


def test_a_spike_at_zero_belongs_to_a_window_from_zero_only():
    assert S.rates([0.0, 50.0], t_stop=100.0).tolist() == [20.0]
    assert S.rates([10.0, 50.0], t_start=10.0, t_stop=110.0).tolist() == [10.0]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("spikes", TypeError, "source must be a SpikeRecord"),
        (np.zeros((2, 2)), TypeError, r"an array of shape \(2, 2\)"),
        ([], TypeError, "source must be"),
        ({}, ValueError, "empty dictionary"),
        ((TIMES,), ValueError, r"\(times, neurons\)"),
        ((TIMES, NEURONS[:2]), ValueError, "equally long"),
        ((TIMES, NEURONS * 1.0), TypeError, "whole numbers"),
        ((TIMES, NEURONS, 10), ValueError, "between 0 and 9, got 0 to 39"),
        ([[1.0, np.nan]], ValueError, "finite"),
    ],
)
def test_what_is_no_source_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        S.rates(source, t_stop=100.0)


def test_windows_and_bins_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="t_stop must be after t_start=10 ms, got 5 ms"):
        S.rates([1.0], t_start=10.0, t_stop=5.0)
    with pytest.raises(ValueError, match="bin must be positive"):
        S.binned_counts([1.0], 0.0, t_stop=5.0)
    with pytest.raises(ValueError, match="shorter than one bin of 10 ms"):
        S.population_counts([1.0], 10.0, t_stop=5.0)
