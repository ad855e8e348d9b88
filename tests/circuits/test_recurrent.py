"""Trainable recurrent circuits against other programs and closed forms."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import neurojax as nj
from neurojax.fitting import unroll
from neurojax.tasks import Trials

KEY = jax.random.key(4)


def test_rate_rnn_is_its_equation():
    tau = np.linspace(5.0, 20.0, 6)
    circuit = nj.circuits.RateRNN(
        6, inputs=2, outputs=1, recurrent=nj.circuits.Gaussian(1.8), tau=tau, bias=0.1,
        feedback=True, initial=np.linspace(-1, 1, 6), solver=nj.solvers.RungeKutta4(), key=KEY,
    )  # fmt: skip
    W, B, F, out = (np.asarray(x) for x in (
        circuit.recurrent, circuit.input, circuit.feedback, circuit.output,
    ))  # fmt: skip
    u = np.array([0.3, -0.7])

    def field(t, x):
        r = np.tanh(x)
        return (-x + W @ r + B @ u + F @ (out @ r) + 0.1) / tau

    solved = scipy.integrate.solve_ivp(
        field, (0, 30), np.linspace(-1, 1, 6), method="DOP853", rtol=1e-10, atol=1e-12
    )
    run = nj.simulate(
        circuit, duration=30.0, dt=0.1, inputs={"u": jnp.asarray(u)},
        record={"r": "rate", "z": "output"},
    )  # fmt: skip
    expected = np.tanh(solved.y[:, -1])
    assert np.allclose(run["r"][-1], expected, atol=1e-7)
    assert np.allclose(run["z"][-1], out @ expected, atol=1e-7)


@pytest.mark.parametrize(
    ("solver", "order"), [(nj.solvers.Euler(), 1), (nj.solvers.ExponentialEuler(), 1)]
)
def test_rate_rnn_converges(solver, order):
    circuit = nj.circuits.RateRNN(8, initial=0.5, solver=solver, key=KEY)
    end = lambda c, dt: nj.simulate(c, duration=16.0, dt=dt).final_state.state["x"]
    exact = end(eqx.tree_at(lambda c: c.solver, circuit, nj.solvers.RungeKutta4()), 0.05)
    errors = [float(jnp.abs(end(circuit, dt) - exact).max()) for dt in (0.4, 0.2)]
    assert 1.8 < errors[0] / errors[1] < 2.2


def test_rate_rnn_takes_a_diffrax_solver_of_fixed_steps():
    x = np.sin(0.1 * np.arange(80))[:, None]
    fit = lambda s: nj.fitting.fit_readout(
        nj.circuits.RateRNN(8, inputs=1, solver=s), x[:-1], x[1:]
    )
    ours, theirs = fit(nj.solvers.RungeKutta4()), fit(diffrax.Dopri5())
    assert jnp.allclose(ours.state["x"], theirs.state["x"], atol=1e-5)
    assert isinstance(nj.circuits.RateRNN(8, solver=diffrax.Heun()).solver, nj.solvers.Heun)
    for wrong, kind, message in (
        ("Dopri5", TypeError, "nj.solvers or a diffrax solver, got 'Dopri5'"),
        (diffrax.Dopri5, TypeError, r"write solver=Dopri5\(\)"),
        (diffrax.LeapfrogMidpoint(), ValueError, "give stepsize_controller="),
    ):
        with pytest.raises(kind, match=message):
            nj.circuits.RateRNN(8, solver=wrong)


def test_noise_has_the_variance_of_its_process():
    # without coupling x is an Ornstein-Uhlenbeck process of variance sigma^2 tau / 2
    circuit = nj.circuits.RateRNN(
        4000, recurrent=nj.circuits.low_rank(KEY, 4000), tau=5.0, noise=0.4,
        nonlinearity=lambda x: jnp.zeros_like(x),
    )  # fmt: skip
    end = nj.simulate(circuit, duration=50.0, dt=0.05, key=KEY).final_state.state["x"]
    # 4000 samples: the standard error of the variance is 2.2 %; Euler adds dt / (2 tau) = 0.5 %
    assert abs(float(jnp.var(end)) / (0.4**2 * 5.0 / 2) - 1) < 0.08


def test_leaky_rnn_is_its_map():
    circuit = nj.circuits.LeakyRNN(
        5, inputs=2, outputs=3, leak=0.3, bias=0.2, nonlinearity="relu", key=KEY
    )
    W, B, out = (np.asarray(x) for x in (circuit.recurrent, circuit.input, circuit.output))
    u = np.random.default_rng(0).normal(size=(7, 2))
    h, expected = np.zeros(5), []
    for k in range(7):
        h = 0.7 * h + 0.3 * np.maximum(W @ h + B @ u[k] + 0.2, 0)
        expected.append(out @ h)
    run = unroll(circuit, Trials(u, np.zeros((7, 3)), dt=1.0))
    assert np.allclose(run.outputs, expected, atol=1e-12)


def test_gru_is_that_of_equinox():
    circuit = nj.circuits.GRU(6, inputs=3, outputs=2, key=KEY)
    circuit = eqx.tree_at(
        lambda c: (c.bias, c.candidate_bias), circuit,
        (jnp.linspace(-1, 1, 18), jnp.linspace(1, -1, 6)),
    )  # fmt: skip
    cell = eqx.nn.GRUCell(3, 6, key=KEY)
    cell = eqx.tree_at(
        lambda c: (c.weight_hh, c.weight_ih, c.bias, c.bias_n), cell,
        (circuit.recurrent, circuit.input, circuit.bias, circuit.candidate_bias),
    )  # fmt: skip
    u = np.random.default_rng(0).normal(size=(9, 3))
    h, expected = jnp.zeros(6), []
    for k in range(9):
        h = cell(jnp.asarray(u[k]), h)
        expected.append(h)
    run = unroll(circuit, Trials(u, np.zeros((9, 2)), dt=1.0))
    assert np.allclose(run.rates, expected, atol=1e-12)


def test_minimal_gated_rnn_is_its_map():
    circuit = nj.circuits.MinimalGatedRNN(4, inputs=1, outputs=1, key=KEY)
    W, B = np.asarray(circuit.recurrent), np.asarray(circuit.input)
    u, h = np.random.default_rng(1).normal(size=(6, 1)), np.zeros(4)
    for k in range(6):
        f = 1 / (1 + np.exp(-(W[:4] @ h + B[:4] @ u[k])))
        h = (1 - f) * h + f * np.tanh(W[4:] @ (f * h) + B[4:] @ u[k])
    run = unroll(circuit, Trials(u, np.zeros((6, 1)), dt=1.0))
    assert np.allclose(run.rates[-1], h, atol=1e-12)


def test_unroll_is_simulate():
    circuit = nj.circuits.RateRNN(7, inputs=2, outputs=1, tau=20.0, key=KEY)
    u = np.random.default_rng(0).normal(size=(3, 25, 2))
    trials = Trials(u, np.zeros((3, 25, 1)), dt=2.0)
    run = unroll(circuit, trials)
    for k in range(3):
        sim = nj.simulate(
            circuit, duration=50.0, dt=2.0, inputs={"u": nj.inputs.Sampled(u[k], 2.0)},
            record={"z": "output", "x": "x"},
        )  # fmt: skip
        assert np.allclose(run.outputs[k], sim["z"], atol=1e-12)
        assert np.allclose(run.states["x"][k], sim["x"], atol=1e-12)


def test_trials_begin_where_they_say():
    circuit = nj.circuits.RateRNN(3, recurrent=np.zeros((3, 3)), tau=10.0, outputs=1)
    initial = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.0]])
    trials = Trials(np.zeros((2, 4, 0)), np.zeros((2, 4, 1)), dt=1.0, initial=initial)
    assert np.allclose(unroll(circuit, trials).states["x"][:, -1], initial * 0.9**4)


def test_low_rank_weights_are_their_dense_form():
    W = nj.circuits.low_rank(KEY, 30, rank=2, populations=2)
    low = nj.circuits.RateRNN(30, inputs=1, outputs=1, recurrent=W, key=KEY)
    full = eqx.tree_at(lambda c: c.recurrent, low, W.dense())
    u = np.random.default_rng(0).normal(size=(2, 20, 1))
    trials = Trials(u, np.zeros_like(u), dt=1.0)
    assert np.linalg.matrix_rank(W.dense()) == 2
    assert np.allclose(unroll(low, trials).rates, unroll(full, trials).rates, atol=1e-12)


class TestInitialWeights:
    def test_gaussian_has_its_radius(self):
        # the circular law: 300 units lie within some 5 % of the gain
        assert abs(nj.circuits.spectral_radius(
            nj.circuits.Gaussian(1.5).draw(KEY, 300)) / 1.5 - 1) < 0.1  # fmt: skip

    def test_density_keeps_the_variance_of_currents(self):
        W = nj.unwrap(nj.circuits.Gaussian(2.0, density=0.1).draw(KEY, 400))
        assert abs(float((W != 0).mean()) - 0.1) < 0.01
        assert abs(float((W**2).sum(axis=1).mean()) / 4 - 1) < 0.05

    def test_truncation_keeps_the_norm(self):
        norm = lambda rank: float(
            jnp.linalg.norm(nj.circuits.Truncated(rank).draw(jax.random.key(1), 40))
        )
        assert abs(norm(1) - norm(40)) < 1e-10

    def test_dale_rows_are_balanced(self):
        W = np.asarray(nj.unwrap(nj.circuits.DaleBalanced(radius=1.2).draw(KEY, 200)))
        assert abs(float(nj.circuits.spectral_radius(W)) - 1.2) < 1e-6
        assert (np.diag(W) == 0).all()
        assert abs(W.sum(axis=1).mean()) < 0.05 * np.abs(W).sum(axis=1).mean()

    def test_abscissa_is_set(self):
        W = nj.circuits.Gaussian().draw(KEY, 20)
        shifted = nj.circuits.with_spectral_abscissa(W, 0.3)
        assert abs(np.linalg.eigvals(np.asarray(shifted)).real.max() - 0.3) < 1e-10

    def test_weights_without_cycles_are_refused(self):
        with pytest.raises(ValueError, match="no cycles"):
            nj.circuits.with_spectral_radius(np.triu(np.ones((3, 3)), 1), 0.9)

    def test_connectome_gives_places_and_signs(self):
        wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML", "DD1", "VD1"])
        W = np.asarray(nj.unwrap(nj.circuits.FromConnectome(wiring).draw(KEY, 6)))
        wiring = wiring.without_self_edges()
        assert ((W != 0) == (wiring.chemical.T > 0)).all()
        known = wiring.signs.T != 0
        assert (np.sign(W)[known] == wiring.signs.T[known]).all()


def test_areas_are_dense_within():
    mask = np.asarray(nj.circuits.area_mask(KEY, (50, 50), between=0.1))
    assert mask[:50, :50].all() and mask[50:, 50:].all()
    assert 0.05 < mask[:50, 50:].mean() < 0.15


@pytest.mark.parametrize("x", [-30.0, -0.5, 0.0, 0.5, 60.0])
def test_hennequin_has_slope_one_and_an_inverse(x):
    f = nj.unwrap(nj.circuits.Hennequin())
    assert abs(float(f.inverse(f(x))) - x) < 1e-8
    assert abs(float(jax.grad(f)(0.0)) - 1) < 1e-12


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: nj.circuits.RateRNN(0), "n must be"),
        (lambda: nj.circuits.RateRNN(3, nonlinearity="tahn"), "tanh"),
        (lambda: nj.circuits.RateRNN(3, tau=-1.0), "tau"),
        (lambda: nj.circuits.RateRNN(3, recurrent=np.zeros((2, 2))), r"\(3, 3\)"),
        (lambda: nj.circuits.RateRNN(3, tau=np.ones(2)), "tau must be a scalar"),
        (lambda: nj.circuits.RateRNN(3, inputs=1, input=np.zeros((1, 3))), "input must have"),
        (lambda: nj.circuits.LeakyRNN(3, leak=1.5), "leak"),
        (lambda: nj.circuits.Gaussian(1.0, density=0.0), "density"),
        (lambda: nj.circuits.Truncated(5).draw(KEY, 3), "rank"),
        (lambda: nj.circuits.sign_kept(-np.ones((2, 2)), np.ones((1, 2))), "sign"),
        (lambda: nj.circuits.sign_kept(np.ones((2, 2)), np.full((1, 2), 0.5)), "signs must be"),
        (lambda: nj.circuits.masked(np.ones((2, 2)), np.ones((3, 3))), "mask"),
        (lambda: nj.circuits.Hennequin(r0=100.0, r_max=20.0), "r_max"),
    ],
)
def test_bad_arguments_are_refused(build, match):
    with pytest.raises(ValueError, match=match):
        build()


@pytest.mark.parametrize("weights", ["orthogonal", nj.circuits.Orthogonal])
def test_recurrent_weights_are_an_array_or_a_law(weights):
    with pytest.raises(TypeError, match="recurrent must be an array"):
        nj.circuits.RateRNN(3, recurrent=weights)


@pytest.mark.parametrize("kind", ["RateRNN", "LeakyRNN", "EchoState", "EIReservoir"])
def test_feedback_is_drawn_or_given_and_needs_outputs(kind):
    make = getattr(nj.circuits, kind)
    drawn = nj.unwrap(make(60, outputs=2, feedback=True)).feedback
    assert drawn.shape == (60, 2)
    assert np.all(np.abs(drawn) < 1.0)
    given = nj.unwrap(make(60, outputs=2, feedback=0.5 * np.ones((60, 2)))).feedback
    np.testing.assert_array_equal(given, 0.5)
    with pytest.raises(ValueError, match="feedback needs a circuit with outputs"):
        make(60, feedback=True)
