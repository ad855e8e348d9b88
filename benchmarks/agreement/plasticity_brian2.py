"""The textbook's equations in Brian2, with the delay on either side.

No two spikes come to a synapse in the same step: there Brian2 pairs them, and we do not.
"""

import given_trains as given
from frame import Case

LIMIT, SINGLE = {"weights": 1e-9}, {"weights": 1e-4}
PAIR = """
w : 1
dx/dt = -x / tau_plus : 1 (event-driven)
dy/dt = -y / tau_minus : 1 (event-driven)
"""
TRIPLET = """
w : 1
dr1/dt = -r1 / tau_plus : 1 (event-driven)
dr2/dt = -r2 / tau_x : 1 (event-driven)
do1/dt = -o1 / tau_minus : 1 (event-driven)
do2/dt = -o2 / tau_y : 1 (event-driven)
"""
AMPLITUDES = {"A_plus": 0.02, "A_minus": 0.021}
BOUNDS = {"w_max": 2.0}
MORE = {"A2_plus": 5e-4, "A3_plus": 6.2e-3, "A2_minus": 7e-3, "A3_minus": 2.3e-3}
TAUS = {"tau_plus": 20.0, "tau_minus": 30.0}
SLOW = {"tau_x": 101.0, "tau_y": 125.0}
BALANCE = {"eta": 0.01, "alpha": 0.4}
RULES = {  # equations and events in Brian2
    "pair STDP": (
        PAIR,
        "x += 1; w = clip(w - A_minus * y, 0, w_max)",
        "y += 1; w = clip(w + A_plus * x, 0, w_max)",
    ),
    "pair STDP, nearest": (
        PAIR,
        "x = 1; w = clip(w - A_minus * y, 0, w_max)",
        "y = 1; w = clip(w + A_plus * x, 0, w_max)",
    ),
    "triplet STDP": (
        TRIPLET,
        "w = clip(w - o1 * (A2_minus + A3_minus * r2), 0, w_max); r1 += 1; r2 += 1",
        "w = clip(w + r1 * (A2_plus + A3_plus * o2), 0, w_max); o1 += 1; o2 += 1",
    ),
    "inhibitory STDP": (
        PAIR.replace("tau_minus", "tau_plus"),
        "x += 1; w = clip(w + eta * (y - alpha), 0, w_max)",
        "y += 1; w = clip(w + eta * x, 0, w_max)",
    ),
}


def ours(nj, name, kind):
    """Our rule of this name."""
    p, options = nj.plasticity, {"delay": kind, **BOUNDS}
    if name == "triplet STDP":
        return p.TripletSTDP(**MORE, **TAUS, **SLOW, **options)
    if name == "inhibitory STDP":
        tau = TAUS["tau_plus"]
        rho0 = 1e3 * BALANCE["alpha"] / (2 * tau)
        return p.InhibitorySTDP(eta=BALANCE["eta"], rho0=rho0, tau=tau, **options)
    interaction = "nearest" if name.endswith("nearest") else "all"
    return p.PairSTDP(interaction=interaction, **AMPLITUDES, **TAUS, **options)


def constants(b2):
    """What the equations name."""
    times = {name: tau * b2.ms for name, tau in (TAUS | SLOW).items()}
    return {**AMPLITUDES, **MORE, **BALANCE, **BOUNDS, **times}


def case(name, kind):
    """One rule with the delay on one side."""
    trains = given.pairs(kind, together=False)
    model, on_pre, on_post = RULES[name]
    return Case(
        f"{name}, {kind} delay", lambda nj: given.neurojax(nj, ours(nj, name, kind), trains),
        {"brian2": lambda b2: given.brian2(b2, model, on_pre, on_post, trains, kind, constants)},
        LIMIT, SINGLE,
    )  # fmt: skip


CASES = [case(name, kind) for name in RULES for kind in ("axonal", "dendritic")]
