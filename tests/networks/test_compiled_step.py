"""What XLA makes of one step: no array of the size of a population or of the inbox is copied."""

import re

import equinox as eqx
import jax
import pytest

import neurojax as nj

N = 640


def network(delay):
    receptors = {
        "ampa": nj.synapses.ExpConductance(tau=5.0, E_rev=0.0),
        "gaba": nj.synapses.ExpConductance(tau=10.0, E_rev=-80.0),
    }
    cell = nj.neurons.LIF(C_m=200.0, g_L=10.0, E_L=-60.0, V_th=-50.0, receptors=receptors)
    rule = nj.connectivity.fixed_indegree
    return nj.Network(
        {"E": cell.population(N), "I": cell.population(N // 4)},
        [
            nj.Projection("E", ["E", "I"], "ampa", rule(64), weight=6.0, delay=delay),
            nj.Projection("I", ["E", "I"], "gaba", rule(16), weight=67.0, delay=delay),
        ],
        key=jax.random.key(0),
    )


def steps_of(net) -> list[str]:
    """The compiled bodies of the loops over steps: those that hold a list and its loop."""
    arrays, static = eqx.partition(net, eqx.is_array)
    run = lambda arrays, state: nj.simulate(
        eqx.combine(arrays, static), duration=100.0, dt=0.1, state=state
    )
    text = jax.jit(run).lower(arrays, net.init_state(key=jax.random.key(1))).compile().as_text()
    bodies = re.split(r"\n(?=%|ENTRY)", text)
    packs = re.compile(rf"= u32\[{N // 32}\]")
    found = [b for b in bodies if packs.search(b) and re.search(r"= \(.*\bwhile\(", b)]
    return [b for b in found if not b.startswith("ENTRY")]


@pytest.mark.parametrize("delay", [0.1, 1.5, nj.random.Uniform(0.1, 1.0)], ids=["1", "15", "mixed"])
def test_no_copy_of_a_population_in_a_step(float32, delay):
    bodies = steps_of(network(delay))
    assert bodies
    for body in bodies:
        assert len(re.findall(r"= \(.*\bwhile\(", body)) == 1  # one loop over rows per plan
        for line in body.splitlines():
            copied = re.search(r"= \w+\[([\d,]+)\][^=]* copy(?:-start)?\(", line)
            size = 0
            if copied:
                size = 1
                for n in copied.group(1).split(","):
                    size *= int(n)
            assert size < N // 4, line
