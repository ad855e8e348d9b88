"""Trials whose inputs lie on several devices, divided by `jax.jit` itself."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import neurojax as nj


def check():
    """The same spikes and potentials on four devices as on one."""
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
    pairs = nj.Projection("E", "E", "exc", nj.connectivity.bernoulli(0.1), weight=30.0, delay=1.5)
    net = nj.Network({"E": cell.population(100)}, [pairs], key=jax.random.key(0))

    def one(current):
        sim = nj.simulate(
            net, duration=50.0, dt=0.1, inputs={"E": {"I_e": current}}, throw=False,
            record={"V": nj.Trace("E.V_m", every=10)},
        )  # fmt: skip
        return sim.stats.spikes["E"], sim["V"].sum()

    currents = jnp.linspace(400.0, 600.0, 8)
    mesh = jax.make_mesh((4,), ("trials",), axis_types=(AxisType.Auto,))
    divided = jax.device_put(currents, NamedSharding(mesh, PartitionSpec("trials")))
    run = jax.jit(jax.vmap(one))
    (spikes, V), (wanted, whole) = run(divided), run(currents)
    assert len(spikes.sharding.device_set) == 4
    assert int(np.max(wanted)) > 200
    np.testing.assert_array_equal(spikes, wanted)
    np.testing.assert_allclose(V, whole, rtol=1e-5)


if __name__ == "__main__":
    check()
