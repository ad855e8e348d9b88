import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.circuits import ConductanceCircuit

FEW = ["AVAL", "AVAR", "AVBL", "AVBR", "PVCL", "DD1", "VD1", "DB1"]
# motor neurons with GABA and the others that were known to have it when the model was published
CLASSICAL_GABA = re.compile(r"(DD\d|VD\d|RME|AVL$|DVB$|RIS$)")
VENTRAL_CORD = re.compile(r"(AS|DA|DB|DD|VA|VB|VD)\d")


@pytest.fixture(scope="module")
def wiring():
    return nj.connectomes.varshney2011().without_self_edges()


@pytest.fixture(scope="module")
def few(wiring):
    return ConductanceCircuit(wiring.subset(FEW))


def touch(names, pA):
    return np.where(np.isin(names, ["PLML", "PLMR"]), pA, 0.0)


def by_loops(c, connectome, V, s, current, V_th):
    """The equations of the class, synapse by synapse."""
    dV = -0.01 * (V + 35.0) + current
    for i in range(len(V)):
        for j in range(len(V)):
            dV[i] -= 0.1 * connectome.gap[i, j] * (V[i] - V[j])
            reversal = -48.0 if c.inhibitory[j] else 0.0
            dV[i] -= 0.1 * connectome.chemical[j, i] * s[j] * (V[i] - reversal)
    phi = 1 / (1 + np.exp(-0.125 * (V - V_th)))
    return dV / 1.5, phi * (1 - s) / 1500 - 5 * s / 1500


def test_the_drift_is_the_stated_equation(few, wiring):
    small = wiring.subset(FEW)
    rng = np.random.default_rng(0)
    V, s = rng.normal(-20, 10, 8), rng.uniform(0, 0.3, 8)
    current, V_th = rng.normal(0, 5, 8), np.asarray(few.prepare().V_th)
    drift = few.drift(
        0.0, {"V": jnp.asarray(V), "s": jnp.asarray(s)}, {"I_e": jnp.asarray(current)}
    )
    dV, ds = by_loops(few, small, V, s, current, V_th)
    np.testing.assert_allclose(drift["V"], dV, rtol=1e-10)
    np.testing.assert_allclose(drift["s"], ds, rtol=1e-10)


def test_decay_is_the_diagonal_of_the_jacobian(few):
    state = {"V": jnp.linspace(-40.0, 0.0, 8), "s": jnp.linspace(0.0, 0.5, 8)}
    jacobian = jax.jacfwd(lambda y: few.drift(0.0, y, {}))(state)
    decay = few.decay(0.0, state, {})
    for leaf in state:
        diagonal = jnp.diag(jacobian[leaf][leaf])
        np.testing.assert_allclose(decay[leaf], -diagonal, rtol=1e-10)


@pytest.mark.parametrize("current", [0.0, 3.0])
def test_the_initial_state_is_an_equilibrium_under_the_threshold_current(wiring, current):
    small = wiring.subset(FEW)
    c = ConductanceCircuit(small, I_threshold=jnp.full(8, current))
    rest = c.init_state()
    np.testing.assert_allclose(rest["s"], 1 / 11, rtol=1e-12)  # a_r / (a_r + 2 a_d)
    dV, ds = by_loops(
        c, small, np.asarray(rest["V"]), np.asarray(rest["s"]), np.full(8, current),
        np.asarray(rest["V"]),
    )  # fmt: skip
    np.testing.assert_allclose(dV, 0, atol=1e-10)
    np.testing.assert_allclose(ds, 0, atol=1e-15)
    state = nj.simulate(
        c, duration=500.0, dt=1.0, inputs={"I_e": jnp.full(8, current)}
    ).final_state.state
    np.testing.assert_allclose(state["V"], rest["V"], atol=1e-8)


@pytest.mark.parametrize("current", [0.0, 2.0, -4.0])
def test_the_equilibrium_has_no_drift_and_is_where_a_simulation_ends(few, current):
    inputs = {"I_e": jnp.zeros(8).at[2].set(current)}
    found = few.equilibrium(inputs["I_e"])
    drift = few.drift(0.0, found, inputs)
    assert np.abs(drift["V"]).max() < 1e-6 and np.abs(drift["s"]).max() < 1e-12
    end = nj.simulate(few, duration=20_000.0, dt=10.0, inputs=inputs).final_state.state
    np.testing.assert_allclose(end["V"], found["V"], atol=1e-4)


def test_the_implicit_gradient_equals_finite_differences(few):
    def answer(g_L, current):
        c = eqx.tree_at(lambda c: c.g_L, few, g_L)
        return jnp.sum(c.equilibrium(current)["V"] * jnp.arange(1.0, 9.0))

    at = (jnp.asarray(0.02), jnp.linspace(-1.0, 2.0, 8))
    slope = jax.grad(answer, (0, 1))(*at)
    h = 1e-5
    rate = (answer(at[0] + h, at[1]) - answer(at[0] - h, at[1])) / (2 * h)
    np.testing.assert_allclose(slope[0], rate, rtol=1e-5)
    for i in (0, 5):
        e = jnp.zeros(8).at[i].set(1e-4)
        rate = (answer(at[0], at[1] + e) - answer(at[0], at[1] - e)) / 2e-4
        np.testing.assert_allclose(slope[1][i], rate, rtol=1e-5)


def test_inhibition_is_gaba_unless_told(wiring):
    c = ConductanceCircuit(wiring)
    chosen = {n for n, x in zip(c.names, np.asarray(c.inhibitory), strict=True) if x}
    assert {n for n in wiring.names if CLASSICAL_GABA.match(n)} <= chosen
    assert not {"SMDDL", "SMDVR", "AVAL", "PLML"} & chosen
    given = np.arange(279) % 2 == 0
    np.testing.assert_array_equal(ConductanceCircuit(wiring, inhibitory=given).inhibitory, given)


def _growth(c, current):
    """Eigenvalues (per s) of the Jacobian at the threshold, the fastest growing first."""
    ready, n = c.prepare(), len(c.names)

    def drift(y):
        found = ready.drift(0.0, {"V": y[:n], "s": y[n:]}, {"I_e": jnp.asarray(current)})
        return jnp.concatenate([found["V"], found["s"]])

    rest = c.init_state()
    jacobian = jax.jit(jax.jacfwd(drift))(jnp.concatenate([rest["V"], rest["s"]]))
    values = 1e3 * np.linalg.eigvals(np.asarray(jacobian))
    return values[np.argsort(-values.real)]


def test_touch_takes_the_circuit_through_a_hopf_bifurcation(wiring):
    """Thresholds at the steady state under the stimulus: it loses stability in two modes."""
    followed = lambda pA: ConductanceCircuit(wiring, I_threshold=touch(wiring.names, pA))
    weak = _growth(followed(1000.0), touch(wiring.names, 1000.0))
    assert weak[0].real < 0 and abs(weak[0].imag) > 1  # damped, but it already turns
    middle = _growth(followed(1500.0), touch(wiring.names, 1500.0))
    assert (middle.real > 0).sum() == 2 and middle[0] == middle[1].conj()  # one pair has crossed
    strong = _growth(followed(2000.0), touch(wiring.names, 2000.0))
    assert (strong.real > 0).sum() == 4 and (strong[:4].imag != 0).all()  # two pairs


@pytest.mark.slow
def test_tonic_touch_makes_motor_neurons_oscillate_in_two_modes(wiring):
    """Kunert et al. 2014: input to PLM, and the motor neurons move on a plane."""
    current = touch(wiring.names, 2000.0)
    motor = [i for i, n in enumerate(wiring.names) if VENTRAL_CORD.match(n)]
    kick = np.random.default_rng(0).normal(size=len(wiring))

    def run(c):
        start = c.init_state()
        start["V"] = start["V"] + kick
        sim = nj.simulate(
            c, duration=12_000.0, dt=2.0, inputs={"I_e": current}, state=start,
            record={"V": nj.Trace("V", every=10)},
        )  # fmt: skip
        V = np.asarray(sim["V"])[300:, motor]  # the last 6 s
        return V - V.mean(axis=0)

    V = run(ConductanceCircuit(wiring, I_threshold=current))
    modes, size, _ = np.linalg.svd(V, full_matrices=False)
    share = size**2 / np.sum(size**2)
    assert share[0] < 0.95 and share[:2].sum() > 0.98
    assert V.std(axis=0).max() > 3.0  # mV
    rises = np.flatnonzero((modes[:-1, 0] < 0) & (modes[1:, 0] >= 0)) * 0.02
    periods = np.diff(rises)
    assert len(periods) >= 2 and np.ptp(periods) < 0.1 and 1.0 < periods.mean() < 3.0  # s
    # a quarter of a turn apart, as on a circle
    angle = np.unwrap(np.arctan2(modes[:, 1], modes[:, 0]))
    assert abs(abs(angle[-1] - angle[0]) / (2 * np.pi) - 6.0 / periods.mean()) < 1.0

    fixed = run(ConductanceCircuit(wiring))  # thresholds that ignore the stimulus: no oscillation
    assert fixed[-100:].std(axis=0).max() < 0.05


def test_save_and_load(few, wiring, tmp_path):
    nj.save(tmp_path / "c.npz", few)
    like = ConductanceCircuit(wiring.subset(FEW), g_L=0.5)
    assert eqx.tree_equal(nj.load(tmp_path / "c.npz", like), few)


@pytest.mark.parametrize("inhibitory", [[True], [0.0] * 8, np.zeros((8, 8), bool)])
def test_bad_inhibition_is_refused(wiring, inhibitory):
    with pytest.raises(ValueError, match="inhibitory must be one boolean per neuron"):
        ConductanceCircuit(wiring.subset(FEW), inhibitory=inhibitory)


def test_bad_threshold_current_is_refused(wiring):
    with pytest.raises(ValueError, match="I_threshold must be one number or one per neuron"):
        ConductanceCircuit(wiring.subset(FEW), I_threshold=[1.0, 2.0])
