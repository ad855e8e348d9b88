"""The same values as elephant, where it is installed."""

import numpy as np
import pytest
from spike_records import poisson

import neurojax as nj

elephant = pytest.importorskip("elephant")
neo = pytest.importorskip("neo")
pq = pytest.importorskip("quantities")

S = nj.analysis.spikes
STOP = 4000.0


@pytest.fixture(scope="module")
def trains():
    return poisson(np.random.default_rng(21), 25.0, 5, STOP)


@pytest.fixture(scope="module")
def theirs(trains):
    return [neo.SpikeTrain(t, units="ms", t_stop=STOP) for t in trains]


def test_rates_and_irregularity(trains, theirs):
    from elephant import statistics as st

    hertz = [float(st.mean_firing_rate(t).rescale("Hz")) for t in theirs]
    np.testing.assert_allclose(S.rates(trains, t_stop=STOP), hertz, rtol=1e-12)
    cv = [float(st.cv(st.isi(t))) for t in theirs]
    np.testing.assert_allclose(S.cv(trains), cv, rtol=1e-10)
    cv2 = [float(st.cv2(st.isi(t).magnitude)) for t in theirs]
    np.testing.assert_allclose(S.cv2(trains), cv2, rtol=1e-10)
    lv = [float(st.lv(st.isi(t).magnitude)) for t in theirs]
    np.testing.assert_allclose(S.lv(trains), lv, rtol=1e-10)
    lvr = [float(st.lvr(st.isi(t), R=5.0 * pq.ms)) for t in theirs]
    np.testing.assert_allclose(S.lv(trains, refractoriness=5.0), lvr, rtol=1e-10)


def test_intervals_of_zero_have_no_irregularity():
    from elephant import statistics as st

    for times in ([1.0, 1.0, 1.0], [100.0, 100.0, 100.0, 250.0], [1.0, 1.0, 2.0]):
        with np.errstate(all="ignore"):
            intervals = np.diff(times)
            cv2, lv = st.cv2(intervals), st.lv(intervals)
            lvr = st.lvr(intervals * pq.ms, R=5 * pq.ms)
        np.testing.assert_allclose(S.cv2([times, [1.0, 2.0, 3.0]]), [cv2, 0.0])
        np.testing.assert_allclose(S.lv([times, [1.0, 2.0, 3.0]]), [lv, 0.0])
        np.testing.assert_allclose(S.lv([times], refractoriness=5.0), [lvr])
    assert np.isnan(S.cv([[1.0, 1.0, 1.0]]))


def test_fano_factor(trains, theirs):
    from elephant.statistics import fanofactor

    # theirs divides by the number of trials, ours by one less
    counts = [len(t) for t in trains]
    assert S.fano_factor_of_counts(counts) * 4 / 5 == pytest.approx(fanofactor(theirs), rel=1e-12)


def test_correlation(trains, theirs):
    from elephant.conversion import BinnedSpikeTrain
    from elephant.spike_train_correlation import correlation_coefficient

    binned = BinnedSpikeTrain(theirs, bin_size=5.0 * pq.ms)
    expected = correlation_coefficient(binned)
    found = S.correlation_matrix(trains, 5.0, t_stop=STOP)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("tau", [3.0, 50.0])
def test_van_rossum(trains, theirs, tau):
    from elephant.spike_train_dissimilarity import van_rossum_distance

    # theirs is 1 for an additional spike, ours sqrt(1/2)
    expected = van_rossum_distance(theirs, time_constant=tau * pq.ms) / np.sqrt(2.0)
    found = S.pairwise_distances(trains, lambda a, b: S.van_rossum(a, b, tau))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("q", [0.0, 0.01, 0.2])
def test_victor_purpura(trains, theirs, q):
    from elephant.spike_train_dissimilarity import victor_purpura_distance

    expected = victor_purpura_distance(theirs, cost_factor=q / pq.ms)
    found = S.pairwise_distances(trains, lambda a, b: S.victor_purpura(a, b, q))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
