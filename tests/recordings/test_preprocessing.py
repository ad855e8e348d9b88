"""Preprocessing against plain loops, scipy, pandas and scikit-learn."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurojax.recordings import Recording, RecordingError, derivative, detrend, smooth, standardise


def noisy(frames=200, neurons=4, missing=0.0, seed=0, uneven=True):
    draw = np.random.default_rng(seed)
    times = np.cumsum(draw.uniform(0.55, 0.68, frames)) if uneven else 0.5 * np.arange(frames)
    values = 1 + np.cumsum(draw.normal(size=(frames, neurons)), axis=0)
    mask = draw.uniform(size=values.shape) >= missing
    return Recording(times, values, mask=mask, unit="F/F0")


# --- detrend --------------------------------------------------------------------------------


def running_mean(times, trace, there, window, warm_up):
    """The recurrence, written out for one trace that begins with its recording."""
    mean = np.mean([x for x, m in zip(trace[:warm_up], there[:warm_up], strict=True) if m])
    out = [trace[0] - mean]
    for t in range(1, len(trace)):
        if there[t]:
            gain = max((times[t] - times[t - 1]) / window, 1 / (t + warm_up))
            mean += gain * (trace[t] - mean)
        out.append(trace[t] - mean)
    return np.array(out)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("window", "warm_up"), [(60.0, 20), (10.0, 3)])
def test_detrend_is_the_recurrence(missing, window, warm_up):
    recording = noisy(missing=missing)
    out = detrend(recording, window, warm_up)
    np.testing.assert_array_equal(out.mask, recording.mask)
    for j in range(4):
        expected = running_mean(
            recording.times, recording.values[:, j], recording.mask[:, j], window, warm_up
        )
        there = recording.mask[:, j]
        np.testing.assert_allclose(out.values[there, j], expected[there], rtol=0, atol=1e-12)
    assert out.unit == "F/F0"


def test_detrend_never_looks_ahead_of_the_first_frames():
    recording = noisy()
    changed = recording.values.copy()
    changed[120:] += 50
    before = detrend(recording).values[:120]
    np.testing.assert_array_equal(before, detrend(recording.with_values(changed)).values[:120])


def test_detrend_of_a_neuron_that_appears_late():
    values = np.full((100, 1), np.nan)
    values[40:, 0] = np.arange(60.0)
    recording = Recording(np.arange(100) * 0.6, values)
    out = detrend(recording).values[:, 0]
    assert np.isnan(out[:40]).all()
    assert out[40] == 0 - np.arange(20).mean()
    mean = np.arange(20).mean()
    mean += max(0.01, 1 / (41 + 20)) * (1 - mean)
    assert out[41] == pytest.approx(1 - mean, abs=1e-12)


def test_detrend_of_an_absent_neuron_and_after_a_long_pause():
    recording = Recording([0.0, 1000.0], [[1.0, np.nan], [5.0, np.nan]])
    out = detrend(recording, window=60.0, warm_up=1)
    assert not out.mask[:, 1].any()
    assert out.values[1, 0] == 0  # the weight is capped at one, not 1000 / 60


# --- standardise ----------------------------------------------------------------------------


@pytest.mark.parametrize("train", [0.6, 0.25, 1.0])
def test_standardise_is_the_scaler_of_the_training_part(train):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    recording = noisy(missing=0.1)
    frames = round(train * 200)
    scaler = preprocessing.StandardScaler().fit(recording.values[:frames])  # leaves NaN out
    out = standardise(recording, train)
    np.testing.assert_allclose(out.values, scaler.transform(recording.values), atol=1e-12)
    assert ("leaky" in out.metadata["processing"]) == (train == 1.0)
    assert out.unit == "sd"


def test_standardise_by_chosen_frames():
    recording = noisy()
    chosen = recording.times < 40.0
    out = standardise(recording, chosen).values
    np.testing.assert_allclose(out[chosen].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(out[chosen].std(axis=0), 1, atol=1e-12)
    everything = standardise(recording, np.ones(200, bool))
    assert "leaky" in everything.metadata["processing"]


def test_the_test_part_has_no_say():
    recording = noisy()
    changed = recording.values.copy()
    changed[120:] *= 3
    a, b = standardise(recording, 0.6), standardise(recording.with_values(changed), 0.6)
    np.testing.assert_array_equal(a.values[:120], b.values[:120])
    np.testing.assert_allclose(
        b.values[150],
        (changed[150] - recording.values[:120].mean(0)) / recording.values[:120].std(0),
    )


def test_constant_and_absent_traces():
    values = np.array([[0.1, 0.0, np.nan], [0.1, 0.0, np.nan], [0.1, 0.0, np.nan], [2.1, 1.0, 5.0]])
    out = standardise(Recording(np.arange(4.0), values.astype(np.float32)), 0.75)
    np.testing.assert_allclose(out.values[:, 0], [0, 0, 0, 2], atol=1e-6)
    np.testing.assert_allclose(out.values[:, 1], [0, 0, 0, 1])
    assert not out.mask[:, 2].any()


# --- smooth ---------------------------------------------------------------------------------


def test_gaussian_is_scipys_where_nothing_is_missing():
    recording = noisy()
    for sigma in (5.0, 1.5):
        expected = scipy.ndimage.gaussian_filter1d(recording.values, sigma, axis=0)
        np.testing.assert_allclose(
            smooth(recording, sigma=sigma).values, expected, rtol=1e-12, atol=1e-12
        )


def test_gaussian_leaves_missing_samples_out():
    recording = noisy(frames=60, missing=0.3)
    out = smooth(recording, "gaussian", sigma=2.0)
    weight = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
    for j in range(4):
        x, m = recording.values[:, j], recording.mask[:, j]
        for t in np.flatnonzero(m):
            near = np.arange(t - 8, t + 9)
            near = np.where(near < 0, -1 - near, near)  # reflected at both ends
            near = np.where(near > 59, 119 - near, near)
            expected = np.nansum(weight * x[near]) / np.sum(weight * m[near])
            assert out.values[t, j] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal(out.mask, recording.mask)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_causal_mean_is_pandas_rolling(missing):
    pandas = pytest.importorskip("pandas")
    recording = noisy(missing=missing)
    expected = pandas.DataFrame(recording.values).rolling(8, min_periods=1).mean().to_numpy()
    expected = np.where(recording.mask, expected, np.nan)
    np.testing.assert_allclose(smooth(recording, "causal").values, expected, atol=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("alpha", [0.5, 0.1, 1.0])
def test_exponential_is_pandas_ewm(missing, alpha):
    pandas = pytest.importorskip("pandas")
    recording = noisy(missing=missing)
    frame = pandas.DataFrame(recording.values)
    expected = frame.ewm(alpha=alpha, adjust=False, ignore_na=True).mean().to_numpy()
    expected = np.where(recording.mask, expected, np.nan)
    out = smooth(recording, "exponential", alpha=alpha)
    np.testing.assert_allclose(out.values, expected, atol=1e-12)


@pytest.mark.parametrize("how", ["causal", "exponential"])
def test_causal_filters_do_not_look_ahead(how):
    recording = noisy()
    short = Recording(recording.times[:80], recording.values[:80])
    np.testing.assert_array_equal(smooth(recording, how).values[:80], smooth(short, how).values)


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 20), st.integers(1, 3)), elements=st.floats(-9, 9)),
    st.sampled_from(["gaussian", "causal", "exponential"]),
)
def test_smoothing_stays_within_the_range_and_keeps_constants(values, how):
    recording = Recording(np.arange(len(values)), values)
    out = smooth(recording, how).values
    assert (out <= values.max(axis=0) + 1e-9).all() and (out >= values.min(axis=0) - 1e-9).all()
    flat = smooth(recording.with_values(np.full(values.shape, 3.0)), how).values
    np.testing.assert_allclose(flat, 3.0, rtol=1e-12)


# --- derivative -----------------------------------------------------------------------------


def test_derivative_of_a_parabola_is_exact_between_the_ends():
    recording = noisy(frames=50)
    t = recording.times
    out = derivative(Recording(t, np.stack([t**2 - t, 3 * t], axis=1), unit="V"))
    np.testing.assert_allclose(out.values[1:-1, 0], 2 * t[1:-1] - 1, rtol=1e-9)
    np.testing.assert_allclose(out.values[:, 1], 3.0, rtol=1e-9)
    assert out.unit == "V/s"


def test_derivative_is_missing_beside_missing_samples():
    values = np.arange(7.0)[:, None].copy()
    values[3] = np.nan
    out = derivative(Recording(np.arange(7.0), values))
    assert out.mask[:, 0].tolist() == [True, True, False, False, False, True, True]
    assert (out.values[out.mask] == 1).all()


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: detrend(r, window=0.0), "window must be a positive"),
        (lambda r: detrend(r, window=np.nan), "window must be a positive"),
        (lambda r: detrend(r, warm_up=0), "warm_up must be a whole number"),
        (lambda r: standardise(r, 0.0), "leaves no training frame"),
        (lambda r: standardise(r, 1.5), "from 0 to 1"),
        (lambda r: standardise(r, np.ones(3, bool)), "boolean array of shape"),
        (lambda r: standardise(r, np.ones(200)), "boolean array"),
        (lambda r: standardise(r, True), "boolean array"),
        (lambda r: standardise(r, np.zeros(200, bool)), "leaves no training frame"),
        (lambda r: smooth(r, "median"), "how must be one of"),
        (lambda r: smooth(r, "causal", sigma=2.0), "sigma has no meaning for how='causal'"),
        (lambda r: smooth(r, sigma=-1.0), "sigma must be a positive"),
        (lambda r: smooth(r, "causal", window=0), "window must be a whole number"),
        (lambda r: smooth(r, "exponential", alpha=0.0), "alpha must be above 0"),
        (lambda r: derivative(r.head(0.005)), "at least two frames"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(RecordingError, match=message):
        call(noisy())


def test_the_metadata_tells_what_was_done_in_order():
    recording = noisy()
    out = derivative(smooth(standardise(detrend(recording)), "causal", window=3))
    assert out.metadata["processing"] == (
        "detrend(window=60 s, warm_up=20); standardise(by the first 60 % of frames); "
        "smooth(causal, window=3); derivative"
    )
    assert "processing" not in recording.metadata
