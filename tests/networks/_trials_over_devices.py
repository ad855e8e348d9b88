"""Trials of networks divided over two devices by `jax.shard_map`, with weights that all share."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

import neurojax as nj

jax.config.update("jax_enable_x64", True)
SHARED, SPLIT = PartitionSpec(), PartitionSpec("trials")
MESH = Mesh(np.array(jax.devices()), ("trials",))


def network():
    """A population driven by noise and by a source, with synapses that learn and others."""
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
    own = lambda name, **more: nj.Projection(
        "E", "E", "exc", nj.connectivity.fixed_indegree(8), weight=np.full(320, 30.0), delay=0.3,
        name=name, **more,
    )  # fmt: skip
    source = nj.neurons.Poisson(rate=100.0, n=40)
    pairs = nj.Projection("S", "E", "exc", nj.connectivity.one_to_one(), weight=20.0)
    learning = own("learning", plasticity=nj.plasticity.PairSTDP(w_max=60.0))
    populations = {"E": cell.population(40), "S": source}
    return nj.Network(populations, [own("fixed"), learning, pairs], key=jax.random.key(0))


def check():
    """Potentials, weights and slopes, whole and divided."""
    net = network()
    names = ("fixed", "learning")
    where = lambda net: [net.projections[name].weight for name in names]

    def one(weights, current, key):
        model = eqx.tree_at(where, net, weights)
        events = nj.inputs.Poisson(500.0, 20.0, shape=(40,))
        sim = nj.simulate(
            model, duration=10.0, dt=0.1, inputs={"E": {"I_e": current, "exc": events}}, key=key,
            record={"V": nj.Trace("E.V_m", every=10)}, throw=False,
        )  # fmt: skip
        return jnp.mean(sim["V"] ** 2) + jnp.sum(model.weights(sim.final_state, "learning"))

    def total(weights, currents, keys, sum_up=lambda x: x):
        each = jax.vmap(one, in_axes=(None, 0, 0))(weights, currents, keys)
        return sum_up(jnp.sum(each)), each

    over = lambda x: jax.lax.psum(x, "trials")
    divided = jax.shard_map(
        lambda *given: total(*given, sum_up=over),
        mesh=MESH, in_specs=(SHARED, SPLIT, SPLIT), out_specs=(SHARED, SPLIT),
    )  # fmt: skip
    given = where(net), jnp.linspace(600.0, 800.0, 4), jax.random.split(jax.random.key(1), 4)
    slopes = lambda f: jax.jit(jax.value_and_grad(f, has_aux=True))(*given)
    (_, found), by_weights = slopes(divided)
    (_, whole), expected = slopes(total)
    np.testing.assert_allclose(found, whole, rtol=1e-12)
    for a, b in zip(by_weights, expected, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


if __name__ == "__main__":
    check()
    print("fine on", jax.device_count())
