"""Rules written out for one synapse, from lists of spikes rather than traces."""

import numpy as np


def weight(rule, pre, post, w, delay, where, w_min=0.0, w_max=np.inf):
    """The weight after all spikes; times and delay in ms, `where` the delay is."""
    pre = np.asarray(pre, float) + (delay if where == "axonal" else 0.0)
    post = np.asarray(post, float) + (delay if where == "dendritic" else 0.0)
    first = "pre" if where == "axonal" else "post"
    events = [(t, "pre") for t in pre] + [(t, "post") for t in post]
    # times are multiples of a step, apart from rounding
    events = sorted((round(t, 6), side != first, side) for t, side in events)
    pre, post = (np.array([t for t, _, s in events if s == side]) for side in ("pre", "post"))
    for t, _, side in events:
        w = np.clip(w + rule(side, t, pre[pre < t], post[post < t], w), w_min, w_max)
    return w


def pair(interaction, A_plus, A_minus, tau_plus, tau_minus, potentiation=None, depression=None):
    """Pair rules; `potentiation` and `depression` are the factors by the weight."""
    one = lambda w: 1.0
    grow, shrink = potentiation or one, depression or one

    def rule(side, t, pre, post, w):
        mine, others = (pre, post) if side == "pre" else (post, pre)
        chosen = others
        if interaction == "nearest" or (interaction == "presynaptic_centred" and side == "pre"):
            chosen = others[-1:]
        elif interaction == "presynaptic_centred":
            # those that no earlier postsynaptic spike has used
            chosen = others[others >= mine[-1]] if len(mine) else others
        elif interaction == "restricted":
            chosen = others[-1:]
            if len(mine) and len(chosen):
                blocked = mine[-1] >= chosen[0] if side == "pre" else mine[-1] > chosen[0]
                chosen = chosen[:0] if blocked else chosen
        if side == "pre":
            return -A_minus * shrink(w) * np.sum(np.exp(-(t - chosen) / tau_minus))
        return A_plus * grow(w) * np.sum(np.exp(-(t - chosen) / tau_plus))

    return rule


def triplet(interaction, A2p, A3p, A2m, A3m, tau_plus, tau_minus, tau_x, tau_y):
    """Pfister and Gerstner's rule."""
    last = slice(-1, None) if interaction == "nearest" else slice(None)
    total = lambda t, spikes, tau: np.sum(np.exp(-(t - spikes[last]) / tau))

    def rule(side, t, pre, post, w):
        if side == "pre":
            return -total(t, post, tau_minus) * (A2m + A3m * total(t, pre, tau_x))
        return total(t, pre, tau_plus) * (A2p + A3p * total(t, post, tau_y))

    return rule


def symmetric(A_plus, A_minus, tau_plus, tau_minus):
    """The same window on both sides."""

    def rule(side, t, pre, post, w):
        lags = t - (post if side == "pre" else pre)
        return np.sum(A_plus * np.exp(-lags / tau_plus) - A_minus * np.exp(-lags / tau_minus))

    return rule


def inhibitory(eta, rho0, tau):
    """Vogels and Sprekeler's rule."""

    def rule(side, t, pre, post, w):
        if side == "pre":
            return eta * (np.sum(np.exp(-(t - post) / tau)) - 2 * rho0 * 1e-3 * tau)
        return eta * np.sum(np.exp(-(t - pre) / tau))

    return rule


def rates(change, tau, **theta):
    """A rule of rates: `change(x, y, threshold, w)` at postsynaptic spikes, rates in Hz."""
    rate = lambda t, spikes: np.sum(np.exp(-(t - spikes) / tau)) * 1000 / tau

    def rule(side, t, pre, post, w):
        if side == "pre":
            return 0.0
        threshold = _sliding(t, post, tau, **theta) if theta else None
        return change(rate(t, pre), rate(t, post), threshold, w)

    return rule


def _sliding(t, spikes, tau, tau_theta, y_0):
    """The square of the rate seen through an exponential filter: a sum over all pairs of spikes."""
    a, b = spikes[:, None], spikes[None]
    last, apart = np.maximum(a, b), 2 / tau - 1 / tau_theta
    then = np.exp((a + b - 2 * last) / tau - (t - last) / tau_theta)
    now = np.exp((a + b - 2 * t) / tau)
    return (1000 / tau) ** 2 / (y_0 * tau_theta) * np.sum(then - now) / apart


def since(cut, rule, used_up):
    """A rule of synapses that are new at `cut`; `used_up`: so are presynaptic spikes before it."""

    def late(side, t, x, y, w):
        if t < cut + 0.01:
            return 0.0
        if used_up and side == "post" and np.any(y < cut + 0.01):
            x = x[x > cut + 0.01]
        return rule(side, t, x, y, w)

    return late
