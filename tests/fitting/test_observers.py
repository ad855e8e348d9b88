import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_worms

import neurojax as nj
from neurojax.fitting import Clamp, EdgeObserver


def edges(observer):
    valid = np.asarray(observer.valid)
    to, of = np.asarray(observer.to)[valid], np.asarray(observer.of)[valid]
    return set(zip(to.tolist(), of.tolist(), strict=True))


def test_postsynaptic_and_electric_partners_tell_about_a_neuron():
    observer = EdgeObserver().bound(small_worms.circuit())
    both_ways = {*small_worms.GAP, *((j, i) for i, j in small_worms.GAP)}
    assert edges(observer) == set(small_worms.CHEMICAL) | both_ways
    assert int(observer.valid.sum()) == len(edges(observer))  # none twice


def test_padding_makes_all_shuffles_of_one_shape_and_carries_no_gain():
    circuit = small_worms.circuit()
    bound = [EdgeObserver(0.7).bound(circuit.shuffled(jax.random.key(i))) for i in range(4)] + [
        EdgeObserver(0.7).bound(circuit)
    ]
    assert len({o.K.shape for o in bound}) == 1 == len({o.valid.shape for o in bound})
    # chemical edges beside a gap junction leave room: the padding
    assert any(not np.asarray(o.valid).all() for o in bound)
    for observer in bound:
        matrix = np.asarray(observer.prepare().matrix)
        expected = np.zeros((6, 6))
        for i, j in edges(observer):
            expected[j, i] = 0.7  # [of, to]
        np.testing.assert_array_equal(matrix, expected)
        np.testing.assert_allclose(
            observer.penalty(), 0.2 * 0.49 * len(edges(observer)) / 6, rtol=1e-12
        )


def test_padding_takes_no_gradient():
    observer = EdgeObserver(0.5).bound(small_worms.circuit())

    def loss(K):
        o = jax.tree.map(lambda x: x, observer)
        o = EdgeObserver(o.start, K, o.to, o.of, o.valid, neurons=o.neurons)
        return jnp.sum(o.prepare().matrix ** 2) + o.penalty()

    slope = np.asarray(jax.grad(loss)(observer.K))
    valid = np.asarray(observer.valid)
    assert (slope[valid] != 0).all() and (slope[~valid] == 0).all()


def test_clamp_has_no_parameters():
    assert jax.tree.leaves(Clamp().bound(small_worms.circuit())) == []
    assert Clamp().penalty() == 0.0


def test_circuits_without_edges_are_refused():
    class Leak(nj.ContinuousDynamics):
        solver: nj.solvers.AbstractStepper = nj.solvers.Euler()

        def init_state(self, *, key=None):
            return {"V": jnp.zeros(3)}

        def drift(self, t, state, inputs):
            return {"V": -state["V"]}

    with pytest.raises(TypeError, match=r"Leak has none: use observer=nj.fitting.Clamp\(\)"):
        EdgeObserver().bound(Leak())
