"""Every form of input gives the same spikes, and windows and bins hold whole steps."""

import inspect
import re

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


@pytest.mark.parametrize("form", ["record", "float32 record", "times", "trains"])
@pytest.mark.parametrize("k", [1, 7, 10])
def test_late_bins_hold_what_whole_numbers_of_steps_say(k, form):
    rng = np.random.default_rng(2)
    first = 20_000_000  # steps of 0.1 ms, so half an hour
    for steps in (first + np.arange(1, 421), np.unique(rng.integers(1, 42_000_000, 200_000))):
        begin = first if steps[0] > first else 0
        fired = np.ones((len(steps), 1), np.uint32)
        source = {
            "record": nj.SpikeRecord(steps, fired, np.array(0.1), 1),
            "float32 record": nj.SpikeRecord(steps, fired, np.array(0.1, np.float32), 1),
            "times": (steps * 0.1, np.zeros(len(steps), int)),
            "trains": [steps * 0.1],
        }[form]
        bins = (steps[-1] - begin) // k
        stop = (begin + bins * k) * 0.1
        expected = np.bincount((steps - begin - 1) // k, minlength=bins)[:bins]
        counts = S.population_counts(source, k * 0.1, t_start=begin * 0.1, t_stop=stop)
        np.testing.assert_array_equal(counts, expected)
        rate = S.mean_rate(source, t_start=begin * 0.1, t_stop=stop)
        assert rate == pytest.approx(1e4 * expected.sum() / (bins * k), rel=1e-6)


def test_late_histograms_hold_what_whole_numbers_of_steps_say():
    steps = 20_000_000 + np.arange(1, 2001)
    onsets = 20_000_000 + np.array([500, 1003])
    _, rate = S.psth([steps * 0.1], onsets * 0.1, before=20.0, after=30.0, bin=0.1)
    np.testing.assert_allclose(rate, 1e4, rtol=1e-12)
    found = S.tuning([steps * 0.1], onsets * 0.1, [0, 1], duration=0.3)
    np.testing.assert_allclose(found.mean, 1e4, rtol=1e-12)


def test_times_in_float32_are_counted_as_far_as_they_are_exact():
    steps = np.arange(1, 200_001)  # 20 s
    times = (steps * 0.1).astype(np.float32)
    assert np.all(S.population_counts([times], 1.0, t_stop=20_000.0) == 10)
    assert np.all(S.population_counts(jnp.asarray(times), 1.0, t_stop=20_000.0) == 10)
    # beyond, the number of bins is still that of the window
    late = np.array([2e6 + 0.5], np.float32)
    assert len(S.population_counts([late], 0.1, t_start=2e6, t_stop=2e6 + 1)) == 10


@pytest.mark.parametrize("dt", [0.1, 0.7, 0.01, 0.025])
@pytest.mark.parametrize("kind", [np.float32, lambda x: float(np.float32(x))])
def test_bins_and_windows_may_be_in_float32(dt, kind):
    steps = np.arange(1, 1001)
    for k in (1, 10):
        counts = S.binned_counts([steps * dt], kind(k * dt), t_stop=1000 * dt)
        np.testing.assert_array_equal(counts, np.full((1, 1000 // k), k))
    stop = kind(173 * dt)
    assert S.population_counts([steps * dt], dt, t_stop=stop).tolist() == [1] * 173
    assert len(S.as_trains([steps * dt], t_stop=stop)[0]) == 173
    assert len(S.as_trains([steps * dt], t_start=stop)[0]) == 827
    _, rate = S.psth([steps * dt], [0.0], after=1000 * dt, bin=kind(10 * dt))
    np.testing.assert_allclose(rate, np.full((1, 100), 1e3 / dt))


def test_a_bin_that_is_a_little_too_long_leaves_the_last_one():
    for bin in (10 * float(np.float32(0.1)), float(np.float32(1.0) / np.float32(3.0))):
        assert S.population_counts([[1e3]], bin, t_stop=1e3).sum() == 1
    # what is less than a bin is still left out
    assert S.population_counts([[4.0, 9.5]], 1.0, t_stop=9.9).sum() == 1


def test_units_of_quantities_are_converted():
    pq = pytest.importorskip("quantities")
    train = [0.1, 0.2] * pq.s
    for source in (train, [train], (train, [0, 0]), list(train)):
        np.testing.assert_allclose(S.isi(source)[0], [100.0])
    assert S.victor_purpura(train, [100.0, 200.0], q=1.0) == 0.0
    _, rate = S.psth(train, [0.1] * pq.s, after=200.0, bin=100.0)
    assert rate.tolist() == [[10.0, 0.0]]
    with pytest.raises(TypeError, match=r"t_stop must be a number in ms, got 1\.0 s"):
        inspect.unwrap(S.rates)(train, t_stop=1.0 * pq.s)
    with pytest.raises(TypeError, match=r"bin must be a number in ms, got 5\.0 ms"):
        inspect.unwrap(S.population_rate)(train, 5.0 * pq.ms, t_stop=1000.0)


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
        ([], ValueError, r"an empty list: there is no train in it; .* is \[\[\]\]"),
        (np.array([[1.0, 2.0], [3.0]], object), TypeError, r"as in list\(source\)"),
        ({}, ValueError, "empty dictionary"),
        ((TIMES,), ValueError, r"\(times, neurons\)"),
        ((TIMES, NEURONS[:2]), ValueError, "equally long"),
        ((TIMES, NEURONS * 1.0), TypeError, "whole numbers"),
        ((TIMES, NEURONS, 10), ValueError, "between 0 and 9, got 0 to 39"),
        ([[1.0, np.nan]], ValueError, "finite"),
        (([], [], -3), ValueError, "n of .* must be a whole number of neurons, 0 or more, got -3"),
        (([], [], 2.5), ValueError, "n of .* must be a whole number of neurons, .* got 2.5"),
        ([record([1.0], [0], 1)], TypeError, "give a dictionary of records, as in {'E': a"),
    ],
)
def test_what_is_no_source_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        S.rates(source, t_stop=100.0)


def test_a_run_is_not_its_record_of_spikes():
    cell = nj.neurons.LIF(n=2)
    sim = nj.simulate(cell, duration=1.0, dt=0.1, record={"V": "V_m", "fired": nj.Spikes()})
    with pytest.raises(TypeError, match=r"got a Simulation; give .*, as in sim\['fired'\]"):
        S.rates(sim, t_stop=1.0)


def test_windows_without_an_end_are_refused():
    for measure in (S.rates, S.mean_rate, lambda x, **w: S.binned_counts(x, 1.0, **w)):
        with pytest.raises(ValueError, match="t_stop must be a finite time in ms, got inf"):
            measure([1.0], t_stop=np.inf)
        with pytest.raises(ValueError, match="t_start must be a finite time in ms, got -inf"):
            measure([1.0], t_start=-np.inf, t_stop=5.0)
    with pytest.raises(ValueError, match="after must be a finite time in ms, got inf"):
        S.psth([1.0], [0.0], after=np.inf)
    assert S.isi([1.0, 3.0], t_stop=np.inf)[0].tolist() == [2.0]
    with pytest.raises(ValueError, match=r"bin must be positive and finite \(ms\), got None"):
        inspect.unwrap(S.population_rate)([1.0], None, t_stop=5.0)


def test_words_are_no_numbers_of_ms():
    measures = {"bin": lambda x: inspect.unwrap(S.population_rate)([1.0], x, t_stop=5.0),
                "t_stop": lambda x: inspect.unwrap(S.rates)([1.0], t_stop=x),
                "refractoriness": lambda x: inspect.unwrap(S.lv)([1.0], refractoriness=x),
                "q": lambda x: inspect.unwrap(S.victor_purpura)([1.0], [2.0], x)}  # fmt: skip
    for name, measure in measures.items():
        for wrong in ("a", "5", [1.0]):
            with pytest.raises(
                TypeError, match=re.escape(f"{name} must be a number, got {wrong!r}")
            ):
                measure(wrong)


def test_windows_and_bins_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="t_stop must be after t_start=10 ms, got 5 ms"):
        S.rates([1.0], t_start=10.0, t_stop=5.0)
    with pytest.raises(ValueError, match="bin must be positive"):
        S.binned_counts([1.0], 0.0, t_stop=5.0)
    with pytest.raises(ValueError, match="shorter than one bin of 10 ms"):
        S.population_counts([1.0], 10.0, t_stop=5.0)
