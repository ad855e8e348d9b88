"""Pairs of spikes: every scheme and dependence on the weight, beside NEST's synapses."""

import given_trains as given
from frame import Case

LAMBDA, ALPHA, W_MAX, TAU_PLUS, TAU_MINUS = 0.01, 1.05, 2.0, 20.0, 30.0
TRAINS = given.pairs()
APART = given.pairs(together=False)
LIMIT, SINGLE = {"weights": 1e-9}, {"weights": 1e-4}
DEPENDENCES = {  # ours, and NEST's exponents
    "additive": ({}, 0.0, 0.0),
    "multiplicative": ({}, 1.0, 1.0),
    "gutig": ({"mu_plus": 0.4, "mu_minus": 0.2}, 0.4, 0.2),
    "gutig, mu_plus = 0 (van Rossum)": ({"mu_plus": 0.0, "mu_minus": 1.0}, 0.0, 1.0),
}


def ours(nj, trains, speed=LAMBDA, **options):
    """Our rule with NEST's amplitudes."""
    rule = nj.plasticity.PairSTDP(
        A_plus=speed * W_MAX, A_minus=ALPHA * speed * W_MAX, tau_plus=TAU_PLUS, tau_minus=TAU_MINUS,
        w_max=W_MAX, delay="dendritic", **options,
    )  # fmt: skip
    return given.neurojax(nj, rule, trains)


def theirs(nest, model, trains, speed=LAMBDA, mu_plus=0.0, mu_minus=0.0):
    """NEST's synapse."""
    synapse = {"lambda": speed, "alpha": ALPHA, "Wmax": W_MAX, "tau_plus": TAU_PLUS}
    synapse |= {"mu_plus": mu_plus, "mu_minus": mu_minus}
    return given.nest(nest, model, trains, {"tau_minus": TAU_MINUS}, **synapse)


def all_pairs(name, speed=LAMBDA):
    """`stdp_synapse` with one dependence."""
    options, mu_plus, mu_minus = DEPENDENCES[name]
    options = {"dependence": name.split(",")[0], **options}
    title = f"stdp_synapse, {name}" + (", at the bounds" if speed > LAMBDA else "")
    return Case(
        title, lambda nj: ours(nj, TRAINS, speed, **options),
        {"nest": lambda nest: theirs(nest, "stdp_synapse", TRAINS, speed, mu_plus, mu_minus)},
        LIMIT, SINGLE,
    )  # fmt: skip


def neighbours(model, interaction, trains, note=""):
    """A scheme of nearest neighbours."""
    options, mu_plus, mu_minus = DEPENDENCES["gutig"]
    options = {"dependence": "gutig", "interaction": interaction, **options}
    return Case(
        f"{model}, gutig", lambda nj: ours(nj, trains, **options),
        {"nest": lambda nest: theirs(nest, model, trains, LAMBDA, mu_plus, mu_minus)},
        LIMIT, SINGLE, note=note,
    )  # fmt: skip


def power_law():
    """`stdp_pl_synapse_hom`."""
    mu = 0.4

    def neurojax(nj):
        rule = nj.plasticity.PairSTDP(
            A_plus=LAMBDA, A_minus=ALPHA * LAMBDA, tau_plus=TAU_PLUS, tau_minus=TAU_MINUS,
            dependence="power_law", mu_plus=mu, w_0=1.0, delay="dendritic",
        )  # fmt: skip
        return given.neurojax(nj, rule, TRAINS)

    def nest(nest):
        synapse = {"lambda": LAMBDA, "alpha": ALPHA, "mu": mu, "tau_plus": TAU_PLUS}
        neuron = {"tau_minus": TAU_MINUS}
        return given.nest(nest, "stdp_pl_synapse_hom", TRAINS, neuron, common=True, **synapse)

    return Case("stdp_pl_synapse_hom", neurojax, {"nest": nest}, LIMIT, SINGLE)


CASES = [
    *map(all_pairs, DEPENDENCES),
    all_pairs("additive", speed=0.3),
    neighbours("stdp_nn_symm_synapse", "nearest", TRAINS),
    neighbours("stdp_nn_pre_centered_synapse", "presynaptic_centred", TRAINS),
    neighbours(
        "stdp_nn_restr_synapse", "restricted", APART,
        "where both spikes come together, NEST depresses by an older postsynaptic spike too",
    ),
    power_law(),
]  # fmt: skip
