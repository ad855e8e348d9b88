"""Trains of many spikes, against the same rules written out event by event."""

import event_by_event as by_hand
import numpy as np
import pytest
from trains import final_weights, network, random_trains

import neurojax as nj

P = nj.plasticity
N_PRE, N_POST, DURATION, W_MAX = 7, 5, 200.0, 3.0
PAIR = {"A_plus": 0.06, "A_minus": 0.05, "tau_plus": 15.0, "tau_minus": 25.0}
TRIPLET = {"A2_plus": 0.02, "A3_plus": 0.05, "A2_minus": 0.04, "A3_minus": 0.03}
TAUS = {"tau_plus": 15.0, "tau_minus": 25.0, "tau_x": 60.0, "tau_y": 80.0}


def cases(where):
    """Each rule of ours and by hand, with the upper bound."""
    bounded = {"w_max": W_MAX, "delay": where}
    by_name = {"all": W_MAX, "nearest": W_MAX, "presynaptic_centred": np.inf, "restricted": np.inf}
    found = {
        name: (
            P.PairSTDP(interaction=name, w_max=w_max, delay=where, **PAIR),
            by_hand.pair(name, **PAIR),
            w_max,
        )
        for name, w_max in by_name.items()
    }
    up, down = lambda mu: lambda w: (1 - w / W_MAX) ** mu, lambda mu: lambda w: (w / W_MAX) ** mu
    laws = {
        "multiplicative": ({}, up(1.0), down(1.0)),
        "gutig": ({"mu_plus": 0.4, "mu_minus": 0.2}, up(0.4), down(0.2)),
        "power_law": ({"mu_plus": 0.4, "w_0": 2.0}, lambda w: (w / 2) ** 0.4, lambda w: w / 2),
    }
    for name, (more, grow, shrink) in laws.items():
        ours = P.PairSTDP(dependence=name, **PAIR, **more, **bounded)
        found[name] = ours, by_hand.pair("all", **PAIR, potentiation=grow, depression=shrink), W_MAX
    for name in ("all", "nearest"):
        ours = P.TripletSTDP(interaction=name, **TRIPLET, **TAUS, **bounded)
        found[f"triplet {name}"] = ours, by_hand.triplet(name, *TRIPLET.values(), **TAUS), W_MAX
    hat = {"A_plus": 0.04, "A_minus": 0.02, "tau_plus": 10.0, "tau_minus": 40.0}
    found["symmetric"] = P.SymmetricSTDP(**hat, **bounded), by_hand.symmetric(**hat), W_MAX
    balance = {"eta": 0.05, "rho0": 20.0, "tau": 20.0}
    found["inhibitory"] = (
        P.InhibitorySTDP(**balance, **bounded),
        by_hand.inhibitory(**balance),
        W_MAX,
    )
    return found | rates(where)


def rates(where):
    """The rules of rates, of rates that are read from spikes."""
    own = {"tau": 40.0, "w_min": 0.0, "w_max": W_MAX, "delay": where}
    sliding = {"tau_theta": 55.0, "y_0": 30.0}
    found = {
        "Hebb": (P.Hebb(eta=1e-3, **own), by_hand.rates(lambda x, y, _, w: 1e-3 * x, 40.0)),
        "anti-Hebb": (
            P.AntiHebb(eta=5e-4, **own), by_hand.rates(lambda x, y, _, w: -5e-4 * x, 40.0)
        ),
        "Oja": (
            P.Oja(eta=1e-3, alpha=0.6, **own),
            by_hand.rates(lambda x, y, _, w: 1e-3 * (x - 0.6 * y * w), 40.0),
        ),
        "BCM": (
            P.BCM(eta=1e-5, **sliding, **own),
            by_hand.rates(lambda x, y, theta, w: 1e-5 * x * (y - theta), 40.0, **sliding),
        ),
    }  # fmt: skip
    return {name: (*both, W_MAX) for name, both in found.items()}


DENDRITIC = ("all", "presynaptic_centred", "restricted", "triplet all", "Oja", "BCM")


@pytest.mark.parametrize(("where", "delay"), [("axonal", 1.5), ("dendritic", 0.7)])
def test_random_trains(where, delay):
    pre = random_trains(N_PRE, DURATION - 5, 40.0, seed=1)
    post = random_trains(N_POST, DURATION - 5, 50.0, seed=2)
    rng = np.random.default_rng(3)
    matrix = np.where(rng.random((N_PRE, N_POST)) < 0.7, rng.uniform(0.2, 2.8, (N_PRE, N_POST)), 0)
    edges = nj.connectivity.from_matrix(matrix).build(N_PRE, N_POST, rng)
    found_cases = cases(where)
    if where == "dendritic":  # what depends on the order of events
        found_cases = {name: found_cases[name] for name in DENDRITIC}
    net = network(pre, post, {n: c[0] for n, c in found_cases.items()}, None, delay, edges)
    found = final_weights(net, DURATION)
    start = matrix[matrix != 0]
    for name, (_, rule, w_max) in found_cases.items():
        expected = [
            by_hand.weight(rule, pre[i], post[j], w, delay, where, w_max=w_max)
            for i, j, w in zip(edges.pre, edges.post, start, strict=True)
        ]
        assert np.min(np.abs(expected - start)) > 1e-4
        np.testing.assert_allclose(found[name], expected, rtol=1e-8, atol=1e-10, err_msg=name)


def test_axon_and_dendrite_give_other_weights_for_the_same_spikes():
    pre, post = random_trains(1, 400.0, 30.0, seed=5), random_trains(1, 400.0, 30.0, seed=6)
    options = {"A_plus": 0.02, "A_minus": 0.021, "w_max": 1.0}
    both = {where: P.PairSTDP(delay=where, **options) for where in ("axonal", "dendritic")}
    found = final_weights(network(pre, post, both, 0.5, 3.0), 410.0)
    hand = by_hand.pair("all", 0.02, 0.021, 20.0, 20.0)
    for where in both:
        expected = by_hand.weight(hand, pre[0], post[0], 0.5, 3.0, where, w_max=1.0)
        np.testing.assert_allclose(found[where], expected, rtol=1e-9)
    assert abs(found["axonal"][0] - found["dendritic"][0]) > 0.02


def test_triplets_depend_on_frequency():
    # 60 pairs, the postsynaptic spike 10 ms later or earlier (Sjostrom et al. 2001)
    rates = np.array([0.2, 10.0, 20.0, 40.0, 50.0])
    pre = [100.0 + np.arange(60 if f > 1 else 2) * np.round(1e3 / f) for f in rates]
    minimal = P.TripletSTDP(A2_plus=0.0, A3_plus=6.5e-3, A2_minus=7.1e-3, A3_minus=0.0, tau_y=114.0)
    late, early = [p + 10.0 for p in pre], [p - 10.0 for p in pre]
    net = network(pre + pre, late + early, {"s": minimal}, 1.0, 0.5)
    change = np.reshape(final_weights(net, 6200.0, dt=0.5)["s"] - 1.0, (2, -1))
    # potentiation needs triplets, so rare pairs do not potentiate
    assert abs(change[0, 0]) < 1e-9 and np.all(np.diff(change[0]) > 0) and change[0, -1] > 0.3
    # where the postsynaptic spike comes first, depression turns into potentiation
    assert change[1, 0] < 0 < change[1, -1]
