"""Distances of spike trains against hand-computed cases, integrals and an exhaustive search."""

import inspect
from functools import lru_cache

import numpy as np
import pytest
from spike_records import poisson

import neurojax as nj

S = nj.analysis.spikes


def test_van_rossum_of_single_spikes():
    assert S.van_rossum([10.0], [], 5.0) ** 2 == pytest.approx(0.5, rel=1e-12)
    for apart in (0.1, 3.0, 50.0):
        expected = 1.0 - np.exp(-apart / 5.0)
        assert S.van_rossum([10.0], [10.0 + apart], 5.0) ** 2 == pytest.approx(expected, rel=1e-12)
    assert S.van_rossum([], [], 5.0) == 0.0


def test_van_rossum_against_the_double_sum_and_the_integral():
    first, second = poisson(np.random.default_rng(12), 40.0, 2, 500.0)
    tau = 12.0
    kernel = lambda a, b: np.exp(-np.abs(a[:, None] - b) / tau).sum()
    expected = 0.5 * kernel(first, first) + 0.5 * kernel(second, second) - kernel(first, second)
    assert S.van_rossum(first, second, tau) ** 2 == pytest.approx(expected, rel=1e-10)
    t = np.arange(0.0, 700.0, 0.005) + 0.0025
    filtered = lambda train: sum(
        np.where(t > s, np.exp(-np.maximum(t - s, 0.0) / tau), 0.0) for s in train
    )
    integral = np.sum((filtered(first) - filtered(second)) ** 2) * 0.005 / tau
    assert integral == pytest.approx(expected, rel=1e-3)  # jumps within a sample


def test_van_rossum_is_symmetric_and_exactly_zero_between_equal_trains():
    first, second, third = poisson(np.random.default_rng(13), 60.0, 3, 300.0)
    assert S.van_rossum(first, first[::-1], 10.0) == 0.0
    ab, bc, ac = (
        S.van_rossum(x, y, 10.0) for x, y in ((first, second), (second, third), (first, third))
    )
    assert ab == pytest.approx(S.van_rossum(second, first, 10.0), rel=1e-12)
    assert ac <= ab + bc
    # tau -> 0 counts all spikes, tau -> infinity compares their numbers
    n, m = len(first), len(second)
    assert S.van_rossum(first, second, 1e-6) ** 2 == pytest.approx((n + m) / 2, rel=1e-6)
    assert S.van_rossum(first, second, 1e9) ** 2 == pytest.approx((n - m) ** 2 / 2, rel=1e-3)


def exhaustive(first, second, q):
    """The cheapest way by trying all, for short trains."""

    @lru_cache(None)
    def cost(i, j):
        if i == len(first) or j == len(second):
            return float(len(first) - i + len(second) - j)
        move = cost(i + 1, j + 1) + q * abs(first[i] - second[j])
        return min(cost(i + 1, j) + 1.0, cost(i, j + 1) + 1.0, move)

    return cost(0, 0)


@pytest.mark.parametrize("q", [0.0, 0.02, 0.1, 1.0])
def test_victor_purpura_against_a_search(q):
    rng = np.random.default_rng(14)
    for n, m in ((0, 4), (5, 3), (12, 12), (20, 31)):
        first, second = np.sort(rng.uniform(0, 200, n)), np.sort(rng.uniform(0, 200, m))
        expected = exhaustive(tuple(first), tuple(second), q)
        assert S.victor_purpura(first, second, q) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert S.victor_purpura(second, first, q) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_victor_purpura_by_hand_and_its_limits():
    assert S.victor_purpura([10.0], [12.0], 0.25) == pytest.approx(0.5)
    assert S.victor_purpura([10.0], [30.0], 0.25) == 2.0  # further apart than 2/q
    assert S.victor_purpura([10.0, 20.0], [11.0, 21.0, 40.0], 0.1) == pytest.approx(1.2)
    first, second = poisson(np.random.default_rng(15), 50.0, 2, 500.0)
    n, m = len(first), len(second)
    assert S.victor_purpura(first, second, 0.0) == abs(n - m)
    assert S.victor_purpura(first, second, np.inf) == n + m
    assert S.victor_purpura(first, [*second, first[3]], np.inf) == n + m - 1


def test_matrix_of_distances_and_refusals():
    trains = poisson(np.random.default_rng(16), 20.0, 4, 300.0)
    matrix = S.pairwise_distances(trains, lambda a, b: S.van_rossum(a, b, 10.0))
    assert matrix[1, 3] == matrix[3, 1] == S.van_rossum(trains[1], trains[3], 10.0)
    assert np.all(np.diag(matrix) == 0.0)
    with pytest.raises(ValueError, match="tau must be positive"):
        S.van_rossum([1.0], [2.0], 0.0)
    with pytest.raises(ValueError, match="q must not be negative"):
        S.victor_purpura([1.0], [2.0], -1.0)
    with pytest.raises(ValueError, match="second must be one train"):
        S.victor_purpura([1.0], [[2.0]], 1.0)


def test_what_is_no_distance_is_refused():
    with pytest.raises(TypeError, match=r"distance must be a function of two trains, .*, got 3"):
        inspect.unwrap(S.pairwise_distances)([[1.0], [2.0]], 3)


def test_several_trains_where_one_is_wanted():
    trains = [[1.0], [2.0, 3.0]]
    for distance in (S.van_rossum, S.victor_purpura):
        with pytest.raises(ValueError, match=r"first must be one train .* a list of 2 trains"):
            distance(trains, [1.0], 5.0)
        with pytest.raises(ValueError, match=r"second must be .* a list of 2 trains.*second\[0\]"):
            distance([1.0], [np.ones(1), np.ones(2)], 5.0)
        with pytest.raises(ValueError, match="first must be one train of finite times"):
            distance("abc", [1.0], 5.0)
    record = nj.SpikeRecord(np.array([4]), np.ones((1, 1), np.uint32), np.array(0.5), 3)
    with pytest.raises(ValueError, match=r"a SpikeRecord of 3 neurons: .* record\.train\(0\)"):
        S.van_rossum(record, [1.0], 5.0)
    with pytest.raises(ValueError, match=r"reference must be one train .* a list of 2 trains"):
        S.cross_correlogram([[5.0], []])
