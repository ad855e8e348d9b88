"""Capacities against delay lines, linear reservoirs whose memory is known, and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial import legendre

from neurojax.analysis.reservoirs import information_processing_capacity, memory_capacity

RNG = np.random.default_rng(0)


def delay_line(u, length):
    """Units that hold the last inputs, u[t - 1] first."""
    padded = np.concatenate([np.zeros(length), u])
    return np.stack([padded[length - k : len(padded) - k] for k in range(1, length + 1)], axis=1)


def test_memory_of_a_delay_line_is_its_length():
    u = RNG.uniform(-1, 1, 3000)
    mixed = delay_line(u, 6) @ np.linalg.qr(RNG.normal(size=(6, 6)))[0] + 0.3
    found = memory_capacity(mixed, u, 10, washout=6)
    np.testing.assert_allclose(found.profile[:6], 1.0, atol=1e-6)
    # of four delays that it does not hold: one over 1500 steps each
    assert float(jnp.sum(found.profile[6:])) < 0.02
    assert float(found.total) == pytest.approx(6.0, abs=0.02)
    only = memory_capacity(mixed, u[:, None], (6, 0), washout=6)
    np.testing.assert_allclose(only.profile, [1.0, 0.0], atol=0.01)


def test_delays_do_not_reach_from_one_series_into_another():
    """Forty series too short for one alone: on one axis a perfect register would lose a third."""
    u = RNG.uniform(-1, 1, (40, 25))
    rates = np.stack([delay_line(series, 12) for series in u])
    np.testing.assert_allclose(memory_capacity(rates, u, 12).profile, 1.0, atol=1e-6)
    np.testing.assert_allclose(memory_capacity(rates, u[..., None], 12, held_out=0.1).profile, 1.0,
                               atol=1e-6)  # fmt: skip
    found = information_processing_capacity(rates, u, {1: 12, 2: 2})
    np.testing.assert_allclose(found.capacities[:13], [0.0] + [1.0] * 12, atol=1e-9)
    assert float(found.nonlinear) == 0.0


def test_capacities_of_several_series_are_least_squares_over_all_their_samples():
    u = RNG.uniform(-1, 1, (3, 90, 2))
    rates = RNG.normal(size=(3, 90, 4)) + u @ RNG.normal(size=(2, 4)) + np.roll(u, 1, 1)[..., :1]
    found = information_processing_capacity(rates, u, {1: 3, 2: 1}, washout=10)
    targets = [products(series, {1: 3, 2: 1}, 10) for series in u]
    x = rates[:, 10:].reshape(-1, 4)
    x = x - x.mean(axis=0)
    for measured, factors in zip(
        np.asarray(found.measured), np.asarray(found.factors), strict=True
    ):
        name = tuple(sorted(tuple(f) for f in factors.tolist() if f[2] > 0))
        z = np.concatenate([series[name] for series in targets])
        z = z - z.mean()
        left = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
        assert measured == pytest.approx(1 - left @ left / (z @ z), abs=1e-10)


def test_memory_of_noise_is_nothing():
    u, rates = RNG.uniform(-1, 1, 3000), RNG.normal(size=(3000, 6))
    assert float(memory_capacity(rates, u, 10, washout=6).total) < 0.03  # expected: 10 / 1500
    # judged where it was fitted it would be 10 * 6 / 3000
    fitted = memory_capacity(rates, u, 10, washout=6, held_out=0.0)
    assert float(fitted.total) == pytest.approx(0.02, rel=0.6)


def test_memory_of_a_linear_reservoir():
    """x' = W x + v u: capacities v_k^T C^-1 v_k, with v_k = W^k v and C = sum v_k v_k^T.

    With delay 0 they add up to the number of units.
    """
    n, steps = 5, 20_000
    W = 0.8 * np.linalg.qr(RNG.normal(size=(n, n)))[0] * RNG.uniform(0.6, 1.0, (n, 1))
    v = RNG.normal(size=n)
    u = RNG.uniform(-1, 1, steps)
    x, rates = np.zeros(n), []
    for t in range(steps):
        x = W @ x + v * u[t]
        rates.append(x)
    V = [v]
    for _ in range(300):
        V.append(W @ V[-1])
    C = sum(np.outer(w, w) for w in V)
    exact = np.array([w @ np.linalg.solve(C, w) for w in V])
    assert exact.sum() == pytest.approx(n, rel=1e-9)
    rates = np.array(rates)
    found = memory_capacity(rates, u, range(41), washout=100, held_out=0.5)
    np.testing.assert_allclose(found.profile, exact[:41], atol=0.03)  # 1 / sqrt(10 000), thrice
    processing = information_processing_capacity(rates, u, {1: 40, 2: 5}, washout=100)
    passed = exact[:41] > 1.5 * float(processing.threshold)
    np.testing.assert_allclose(
        np.asarray(processing.capacities[:41])[passed], exact[:41][passed], atol=0.03
    )
    assert float(processing.nonlinear) == 0.0
    assert n - 0.1 < float(processing.total) <= n + 0.1


def test_memory_in_a_sweep():
    """Inside jit and vmap, with a gradient by the penalty."""
    u = RNG.uniform(-1, 1, 500)
    rates = jnp.asarray(np.stack([delay_line(u, 3), delay_line(u, 3) ** 2]))
    many = jax.jit(jax.vmap(lambda r: memory_capacity(r, u, 3, washout=3).total))(rates)
    alone = [float(memory_capacity(r, u, 3, washout=3).total) for r in rates]
    np.testing.assert_allclose(many, alone, rtol=1e-9)
    slope = jax.grad(lambda p: memory_capacity(rates[0] + u[:, None], u, 3, penalty=p).total)(1.0)
    assert np.isfinite(slope) and float(slope) != 0.0


def products(u, delays, first):
    """All targets, each by numpy's Legendre polynomials."""
    variables = len(u[0])
    found = {}
    for total, longest in delays.items():
        places = [(c, k) for k in range(longest + 1) for c in range(variables)]
        for chosen in itertools.combinations_with_replacement(places, total):
            z = np.ones(len(u) - first)
            for place in set(chosen):
                c, k = place
                power = chosen.count(place)
                series = u[first - k : len(u) - k, c]
                z = z * np.sqrt(2 * power + 1) * legendre.legval(series, [0] * power + [1])
            found[tuple(sorted((*p, chosen.count(p)) for p in set(chosen)))] = z
    return found


def test_capacities_are_those_of_least_squares():
    """Two channels, products up to degree 3: every measured capacity against numpy's regression."""
    u = RNG.uniform(-1, 1, (400, 2))
    rates = np.tanh(
        np.cumsum(u, axis=0) @ RNG.normal(size=(2, 4)) * 0.2 + RNG.normal(size=(400, 4))
    )
    delays = {1: 3, 2: 2, 3: 1}
    found = information_processing_capacity(rates, u, delays, washout=10)
    targets = products(u, delays, 10)
    assert found.measured.shape == (len(targets),)
    x = rates[10:] - rates[10:].mean(axis=0)
    for measured, factors, degree in zip(
        np.asarray(found.measured), np.asarray(found.factors), found.degrees, strict=True
    ):
        name = tuple(sorted(tuple(f) for f in factors.tolist() if f[2] > 0))
        assert sum(f[2] for f in name) == degree
        z = targets.pop(name)
        z = z - z.mean()
        left = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
        assert measured == pytest.approx(1 - left @ left / (z @ z), abs=1e-10)
    assert not targets


def test_delay_line_has_linear_capacity_alone():
    u = RNG.uniform(0, 0.5, 3000)  # scaled by its support
    line = delay_line(u, 7)
    found = information_processing_capacity(
        np.c_[line, line[:, :1] + line[:, 1:2]], u, {1: 12, 2: 6, 3: 3}, washout=7,
        support=(0.0, 0.5),
    )  # fmt: skip
    assert int(found.rank) == 7  # the eighth unit is a sum of two
    np.testing.assert_allclose(found.capacities[:13], [0] + [1] * 7 + [0] * 5, atol=1e-9)
    assert float(found.total) == pytest.approx(7.0, abs=1e-8)
    assert float(found.linear) == pytest.approx(7.0, abs=1e-8)
    assert float(found.nonlinear) == pytest.approx(0.0, abs=1e-8)


def test_products_of_a_delay_line_are_found():
    """Units that are known functions of the past: capacity one for each polynomial they hold."""
    u = RNG.uniform(-1, 1, 20_000)
    a, b, c = (delay_line(u, 3)[:, k] for k in range(3))
    rates = np.stack([a * b, 1.5 * b**2 - 0.5, a**3 + c, c], axis=1)
    found = information_processing_capacity(rates, u, {1: 4, 2: 4, 3: 4}, washout=3)
    # a^3 = 3/5 P1 + 2/5 P3, of power 9/25/3 and 4/25/7: a mix of degrees. The squared correlation
    # of a^3 and P3 over so many samples has a standard deviation of 0.006
    linear, cubic = 9 / 25 / 3, 4 / 25 / 7
    assert float(found.of_degree(2)) == pytest.approx(2.0, abs=0.01)
    assert float(found.linear) == pytest.approx(1.0 + linear / (linear + cubic), abs=0.02)
    assert float(found.of_degree(3)) == pytest.approx(cubic / (linear + cubic), abs=0.025)
    assert float(found.total) == pytest.approx(4.0, abs=0.03)


def test_noise_does_not_pass_the_threshold():
    u, rates = RNG.uniform(-1, 1, 20_000), RNG.normal(size=(20_000, 4))
    found = information_processing_capacity(rates, u, {1: 4, 2: 4, 3: 4}, washout=4)
    assert float(found.total) == 0.0
    # 4 / 20 000 in the mean; of 55 of them the mean is known to a tenth
    assert float(found.measured.mean()) == pytest.approx(2e-4, rel=0.4)


def test_total_of_a_nonlinear_reservoir_reaches_its_size():
    """A small system with short memory, all of whose capacity lies within few degrees."""
    u = RNG.uniform(-1, 1, 20_000)
    W, v = 0.3 * RNG.normal(size=(4, 4)) / 2, RNG.normal(size=4)
    x, rates = np.zeros(4), []
    for drive in u:
        x = np.tanh(W @ x + 0.8 * v * drive + 0.3)
        rates.append(x)
    delays = {1: 12, 2: 8, 3: 6, 4: 4, 5: 3}
    found = information_processing_capacity(np.array(rates), u, delays, washout=50)
    assert 3.9 < float(found.total) < 4.02
    assert float(found.nonlinear) > 0.5


def test_single_precision_counts_the_units_of_double_however_long_the_run():
    """Singular values down to 1e-4 of the largest; units that depend on each other are not more."""
    steps, n = 20_000, 12
    u = RNG.uniform(-1, 1, steps)
    rates = delay_line(u, n) * np.logspace(0, -4, n) + 1.0
    rates = np.concatenate([rates, rates], axis=1)
    single = lambda x: jnp.asarray(x, jnp.float32)
    found = information_processing_capacity(single(rates), single(u), {1: 14}, washout=n)
    wide = information_processing_capacity(rates, u, {1: 14}, washout=n)
    assert found.capacities.dtype == jnp.float32 and int(wide.rank) == int(found.rank) == n
    np.testing.assert_allclose(found.capacities, wide.capacities, atol=1e-4)
    assert float(wide.linear) == pytest.approx(n, abs=1e-6)


def test_a_run_in_which_nothing_could_pass_has_no_capacity():
    """The threshold depends on the rank: 1 of 150 passes at once, 150 only after 447 steps."""
    u = RNG.uniform(-1, 1, 600)
    rates = delay_line(u, 150)
    short = lambda x: information_processing_capacity(x[:440], u[:440], {1: 2})
    with pytest.raises(ValueError, match=r"too few for 150 linearly.*more than 447 are needed"):
        short(rates)
    assert np.isnan(jax.jit(lambda x: short(x).total)(rates))
    assert float(short(np.tile(rates[:, :1], 150)).total) == pytest.approx(1.0, abs=0.05)
    assert float(information_processing_capacity(rates, u, {1: 2}).total) > 1.9


def test_bad_input_is_named():
    u, x = RNG.uniform(-1, 1, 100), RNG.normal(size=(100, 3))
    refused = [
        (lambda: memory_capacity(x, u[:50], 3), r"inputs must have shape \(100,\) or"),
        (lambda: memory_capacity([x, x], u, 3), r"inputs must have shape \(2, 100\) or"),
        (lambda: memory_capacity(u, u, 3), r"rates must have shape \[time, unit\], or \[series"),
        (lambda: memory_capacity([x, x], [u, u], 99), "2 runs of 100 steps leave 1 to fit and 1"),
        (lambda: memory_capacity(x, u, 120), "a run of 100 steps leaves 0 to fit and 0"),
        (lambda: information_processing_capacity(x, u, {1: 99}), "leaves 1 after a washout"),
        (lambda: memory_capacity(x, x, 3), "inputs must be one channel"),
        (lambda: memory_capacity(x, u, 0), "delays must be"),
        (lambda: memory_capacity(x, u, (1, 2.5)), "each of the delays"),
        (lambda: memory_capacity(x, u, 99), "a run of 100 steps leaves"),
        (lambda: memory_capacity(x, u, 3, held_out=1.0), "held_out"),
        (lambda: memory_capacity(x, u, 3, penalty=0.0), "penalty must be positive"),
        (lambda: information_processing_capacity(x, 2 * u, {1: 3}), "give support="),
        (lambda: information_processing_capacity(x, u, {1: 3, 2: -1}), "the longest delay"),
        (lambda: information_processing_capacity(x, u, {}), "delays must give"),
        (lambda: information_processing_capacity(x, u, {1: 3}, p=0.0), "p must be"),
        (lambda: information_processing_capacity(x, u, {8: 40}), "products, more than"),
        (lambda: information_processing_capacity(x, u, {1: 90}), "too few for 3 units"),
        (lambda: information_processing_capacity(x, u, {1: 2}, safety=-5.0), "safety must be"),
        (lambda: information_processing_capacity(x, u, {1: 2}, tolerance=-1.0), "tolerance must"),
        (lambda: memory_capacity(x, u, [2, 1, 2]), "more than once: 2"),
    ]
    for make, message in refused:
        with pytest.raises(ValueError, match=message):
            make()


def test_rates_that_are_not_finite_have_no_capacity():
    u = np.random.default_rng(0).uniform(-1, 1, 300)
    rates = np.stack([u, np.roll(u, 1)], axis=1)
    rates[100, 1] = np.nan
    measure = lambda rates: information_processing_capacity(rates, u, {1: 2, 2: 1})
    for found in (measure(rates), jax.jit(measure)(rates)):
        assert np.isnan([found.total, found.linear, found.nonlinear]).all()
