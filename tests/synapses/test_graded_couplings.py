"""Gap junctions and graded synapses: their currents, in a block and through it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import neurojax as nj

S = nj.solvers


class Leak(nj.ContinuousDynamics):
    """dV/dt = -V / tau + I_e, with a voltage of any name."""

    tau: nj.Parameter = nj.parameter(required=True)
    name: str = eqx.field(static=True, default="V")
    solver: S.AbstractStepper = S.Heun()

    def init_state(self, *, key=None):
        return {self.name: jnp.linspace(1.0, 2.0, self.tau.shape[0])}

    def drift(self, t, state, inputs):
        return {self.name: -state[self.name] / self.tau + inputs.get("I_e", 0.0)}


TAU_A, TAU_B = np.array([3.0, 5.0]), np.array([4.0, 2.0, 7.0])
G = np.array([[0.1, 0.3], [0.0, 0.2], [0.4, 0.0]])  # b from a


def block(couplings, **arguments):
    return nj.Block({"a": Leak(TAU_A), "b": Leak(TAU_B)}, couplings, **arguments)


def test_gap_junctions_by_hand():
    V_a, V_b = np.array([-50.0, -60.0]), np.array([-65.0, -55.0, -70.0])
    gap = nj.synapses.GapJunctions("a", "b", G)
    expected = [sum(G[i, j] * (V_a[j] - V_b[i]) for j in range(2)) for i in range(3)]
    np.testing.assert_allclose(
        gap.current({"V": jnp.array(V_a)}, {"V": jnp.array(V_b)}), expected, rtol=1e-13
    )


def test_graded_synapses_by_hand():
    V_a = np.array([-0.5, 1.5])
    synapse = nj.synapses.Graded("a", "b", G, jnp.tanh)
    expected = [sum(G[i, j] * np.tanh(V_a[j]) for j in range(2)) for i in range(3)]
    np.testing.assert_allclose(synapse.current({"V": jnp.array(V_a)}, None), expected, rtol=1e-13)
    default = nj.synapses.Graded("a", "b", G)
    expected = G @ (1 / (1 + np.exp(-V_a)))
    np.testing.assert_allclose(default.current({"V": jnp.array(V_a)}, None), expected, rtol=1e-13)


def test_a_block_of_gap_junctions_is_a_linear_system():
    """Both directions, against the matrix exponential; the propagator is exact."""
    couplings = [
        nj.synapses.GapJunctions("a", "b", G),
        nj.synapses.GapJunctions("b", "a", G.T),
        nj.synapses.GapJunctions("b", "b", np.full((3, 3), 0.05)),
    ]
    g = np.zeros((5, 5))
    g[2:, :2], g[:2, 2:], g[2:, 2:] = G, G.T, 0.05
    A = g - np.diag(g.sum(axis=1)) - np.diag(1 / np.concatenate([TAU_A, TAU_B]))
    y0 = np.concatenate([np.linspace(1, 2, 2), np.linspace(1, 2, 3)])
    expected = scipy.linalg.expm(A * 6.0) @ y0
    for solver, dt, tolerance in ((S.Propagator(), 3.0, 1e-12), (S.RungeKutta4(), 0.1, 1e-7)):
        state = nj.simulate(block(couplings), duration=6.0, dt=dt, solver=solver).final_state.state
        found = np.concatenate([state["a"]["V"], state["b"]["V"]])
        np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_currents_add_to_an_input_of_the_same_name():
    step = block([nj.synapses.Graded("a", "b", G, jnp.tanh)]).drift
    state = {"a": {"V": jnp.array([0.3, -0.2])}, "b": {"V": jnp.zeros(3)}}
    with_input = step(0.0, state, {"b": {"I_e": 2.0}})["b"]["V"]
    np.testing.assert_allclose(with_input, 2.0 + G @ np.tanh([0.3, -0.2]), rtol=1e-13)


def test_a_leaf_of_another_name():
    parts = {"a": Leak(TAU_A, "V_m"), "b": Leak(TAU_B)}
    synapse = nj.synapses.Graded("a", "b", G, jnp.tanh, leaf="V_m")
    state = nj.simulate(nj.Block(parts, [synapse]), duration=1.0, dt=0.1).final_state.state
    assert set(state["a"]) == {"V_m"}
    wrong = nj.synapses.Graded("a", "b", G, jnp.tanh, leaf="V")
    with pytest.raises(ValueError, match=r"'V' of part 'a'.*Did you mean 'V_m'"):
        nj.simulate(nj.Block(parts, [wrong]), duration=1.0, dt=0.1)


def test_a_function_with_parameters_is_trained():
    class Sigmoid(eqx.Module):
        slope: jax.Array

        def __call__(self, V):
            return jax.nn.sigmoid(self.slope * V)

    model = block([nj.synapses.Graded("a", "b", G, Sigmoid(jnp.asarray(2.0)))])
    end = lambda m: nj.simulate(m, duration=3.0, dt=0.1).final_state.state["b"]["V"].sum()
    slopes = eqx.filter_grad(end)(model)
    h = 1e-6
    at = lambda s: end(eqx.tree_at(lambda m: m.couplings[0].function.slope, model, s))
    difference = (at(2.0 + h) - at(2.0 - h)) / (2 * h)
    assert float(slopes.couplings[0].function.slope) == pytest.approx(float(difference), rel=1e-6)
    weights = slopes.couplings[0].weight
    assert weights.shape == G.shape and np.all(np.asarray(weights) != 0)


def test_couplings_are_saved(tmp_path):
    model = block([nj.synapses.Graded("a", "b", G), nj.synapses.GapJunctions("b", "a", G.T)])
    nj.save(tmp_path / "block.npz", model)
    like = block([nj.synapses.Graded("a", "b", 0 * G), nj.synapses.GapJunctions("b", "a", 0 * G.T)])
    loaded = nj.load(tmp_path / "block.npz", like)
    np.testing.assert_array_equal(loaded.couplings[0].weight, G)
    np.testing.assert_array_equal(loaded.couplings[1].g, G.T)


@pytest.mark.parametrize("matrix", [G.T, G[:, 0], 2.0], ids=["transposed", "vector", "number"])
def test_matrices_that_do_not_fit(matrix):
    for coupling in (
        nj.synapses.Graded("a", "b", matrix, jnp.tanh),
        nj.synapses.GapJunctions("a", "b", matrix),
    ):
        with pytest.raises(ValueError, match=r"must be a matrix \((3|target neurons), 2\)"):
            nj.simulate(block([coupling]), duration=1.0, dt=0.1)


def test_unknown_parts():
    with pytest.raises(ValueError, match="coupling target 'c' is not a part"):
        block([nj.synapses.GapJunctions("a", "c", G)])


def test_junctions_within_one_part_are_symmetric():
    """Unless they rectify: a diode has a direction."""
    one_way = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.5], [0.0, 0.5, 0.0]])
    gap = lambda g, target="a", **options: nj.synapses.GapJunctions("a", target, g, **options)
    for wrong in (one_way, jnp.asarray(one_way), nj.frozen(one_way)):
        with pytest.raises(ValueError, match=r"within 'a' .*g\[0, 1\]=1 and g\[1, 0\]=2"):
            gap(wrong)
    gap(one_way, target="b")
    gap(one_way, rectifying=True)
    both = one_way + one_way.T
    for right in (both, 0.0 * both, both.astype(np.float32) / 3, both * (1 + 1e-7 * one_way)):
        gap(right)
    V = {"V": jnp.array([-60.0, -50.0, -70.0])}
    inside = jax.jit(lambda g: gap(g).current(V, V))(one_way)  # traced: taken as it is
    np.testing.assert_allclose(inside, [10.0, -30.0, 10.0], rtol=1e-12)
