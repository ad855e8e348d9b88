"""The change of a weight by one pair of spikes, against the closed form of each window."""

import numpy as np
import pytest
from trains import final_weights, network

import neurojax as nj

P = nj.plasticity
LAGS = np.array([-50.0, -20.0, -5.0, -2.1, -2.0, -1.9, 0.0, 1.9, 2.0, 2.1, 5.0, 20.0, 50.0])
DELAY, W = 2.0, 1.5


def falling(lag, A, tau):
    """A exp(-lag / tau) for positive lags, else 0."""
    return np.where(lag > 1e-9, A * np.exp(-np.abs(lag) / tau), 0.0)


def windows(lag):
    u, plus, minus = W / 4, falling(lag, 0.1, 17.0), falling(-lag, 0.12, 34.0)
    both = falling(lag, 1.0, 17.0) + falling(-lag, 1.0, 17.0)
    wide = falling(lag, 1.0, 60.0) + falling(-lag, 1.0, 60.0)
    return {
        "additive": plus - minus,
        "gutig": plus * (1 - u) ** 0.3 - minus * u**0.7,
        "triplet": falling(lag, 5e-3, 16.8) - falling(-lag, 7e-3, 33.7),
        "symmetric": 0.1 * both - 0.04 * wide,
        "inhibitory": 0.1 * both - 0.1 * 2 * 5e-3 * 17.0,
    }


def rules(delay):
    pair = lambda **more: P.PairSTDP(
        A_plus=0.1, A_minus=0.12, tau_plus=17.0, tau_minus=34.0, w_max=4.0, delay=delay, **more
    )
    return {
        "additive": pair(),
        "gutig": pair(dependence="gutig", mu_plus=0.3, mu_minus=0.7),
        "triplet": P.TripletSTDP(A2_plus=5e-3, delay=delay),
        "symmetric": P.SymmetricSTDP(
            A_plus=0.1, A_minus=0.04, tau_plus=17.0, tau_minus=60.0, delay=delay
        ),
        "inhibitory": P.InhibitorySTDP(eta=0.1, rho0=5.0, tau=17.0, delay=delay),
    }


@pytest.mark.parametrize("where", ["axonal", "dendritic"])
def test_the_window_of_each_rule(where):
    post = 80.0 + LAGS
    chosen = rules(where)
    if where == "dendritic":
        chosen = {name: chosen[name] for name in ("additive", "inhibitory")}
    net = network([[80.0]] * len(LAGS), post[:, None], chosen, W, DELAY)
    found = final_weights(net, 150.0)
    # the delay shifts the lag at the synapse, to either side
    expected = windows(LAGS - DELAY if where == "axonal" else LAGS + DELAY)
    for name in chosen:
        np.testing.assert_allclose(
            found[name] - W, expected[name], rtol=1e-6, atol=1e-12, err_msg=name
        )
