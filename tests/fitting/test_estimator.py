import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_worms

import neurojax as nj
from neurojax.fitting import Clamp, EdgeObserver, Estimator
from neurojax.observations import Calcium, Identity

FRAMES = 12
DT = np.linspace(300.0, 900.0, FRAMES)


def estimator(observer=None, observation=None, **options):
    """An estimator whose weights and gains are large enough to matter."""
    circuit = small_worms.circuit(key=jax.random.key(1), **options)
    rng = np.random.default_rng(0)
    circuit = eqx.tree_at(
        lambda c: (c.weight, c.gap.args[0], c.bias),
        circuit,
        (
            jnp.asarray(rng.normal(size=10)),
            jnp.asarray(rng.normal(size=4) - 1),
            jnp.asarray(rng.normal(size=6)),
        ),
    )
    observer = (EdgeObserver() if observer is None else observer).bound(nj.unwrap(circuit))
    if isinstance(observer, EdgeObserver):
        gains = jnp.asarray(0.3 * rng.normal(size=observer.K.shape))
        observer = eqx.tree_at(lambda o: o.K, observer, gains)
    return Estimator(circuit, Identity() if observation is None else observation, observer)


def data(seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(FRAMES, 6))
    seen = np.ones((FRAMES, 6), bool)
    seen[:, [1, 4]] = False  # hidden
    seen &= rng.uniform(size=seen.shape) >= missing
    return values, seen


def run(estimator, values, seen, how="filter"):
    ready = estimator.prepare()
    return np.asarray(getattr(ready, how)(jnp.asarray(values), jnp.asarray(seen), jnp.asarray(DT)))


def by_hand(estimator, values, seen, lag=False):
    """The filter written out: clamp, steady state, innovations along edges, relaxation."""
    c = nj.unwrap(estimator.circuit)
    W, G = np.asarray(c.chemical_matrix()), np.asarray(c.gap_matrix())
    tau, b, leak = np.asarray(c.tau), np.asarray(c.bias), 1 + np.asarray(G).sum(axis=0)
    K = np.zeros((6, 6))  # K[i, j]: what j tells about i
    o = estimator.observer
    if isinstance(o, EdgeObserver):
        for k, i, j, valid in zip(o.K, o.to, o.of, o.valid, strict=True):
            K[i, j] += float(k) * bool(valid)
    V, out = np.where(seen[0], values[0], 0.0), []
    for t in range(1, len(values)):
        y, known = (values[t - 1], seen[t - 1]) if lag else (values[t], seen[t])
        V = np.where(known, y, V)
        settled = np.empty(6)
        for i in range(6):
            drive = b[i] + sum(W[j, i] * np.tanh(V[j]) + G[i, j] * V[j] for j in range(6))
            settled[i] = drive / leak[i]
        e = np.where(known, y - settled, 0.0)
        target = settled + K @ e
        V = target + (V - target) * np.exp(-DT[t] * leak / tau)
        out.append(V)
    return np.array(out)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("observer", [Clamp(), EdgeObserver()])
def test_the_filter_is_the_written_out_recursion(observer, missing):
    model, (values, seen) = estimator(observer), data(missing=missing)
    expected = by_hand(model, values, seen)
    np.testing.assert_allclose(run(model, values, seen), expected, rtol=1e-9, atol=1e-11)
    assert np.abs(expected - by_hand(model, values, seen, lag=True)).max() > 0.05


def test_what_is_seen_now_reaches_hidden_neurons_now():
    model, (values, seen) = estimator(Clamp()), data()
    changed = values.copy()
    changed[5, 0] += 1.0  # AVAL, which synapses onto AVAR (hidden)
    before, after = run(model, values, seen), run(model, changed, seen)
    np.testing.assert_array_equal(after[:4], before[:4])  # frames 1 to 4: nothing from later
    assert abs(after[4, 1] - before[4, 1]) > 1e-3  # frame 5, the same frame


def test_what_is_not_seen_is_not_used():
    model, (values, seen) = estimator(), data(missing=0.3)
    poisoned = np.where(seen, values, 1e6)
    np.testing.assert_array_equal(run(model, poisoned, seen), run(model, values, seen))
    nothing = np.where(seen, values, np.nan)
    assert np.isfinite(run(model, nothing, seen)).all()


def test_gradients_pass_by_missing_samples():
    model, (values, seen) = estimator(), data(missing=0.3)
    values = jnp.asarray(np.where(seen, values, np.nan))

    def loss(K):
        m = eqx.tree_at(lambda m: m.observer.K, model, K).prepare()
        return jnp.sum(m.filter(values, jnp.asarray(seen), jnp.asarray(DT))[:, 1] ** 2)

    slope = jax.grad(loss)(model.observer.K)
    assert np.isfinite(slope).all() and np.abs(slope).max() > 1e-4


def test_predictions_come_from_the_frames_before():
    model, (values, seen) = estimator(), data()
    expected, V = [], np.where(seen[0], values[0], 0.0)
    for t in range(1, FRAMES):
        step, _ = model.circuit.prepare().step({"V": jnp.asarray(V)}, {}, nj.Clock(0, DT[t]))
        expected.append(np.asarray(step["V"]))
        V = np.where(seen[t], values[t], expected[-1])
    found = run(model, values, seen, "predict")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    changed = values.copy()
    changed[5] += 1.0
    after = run(model, changed, seen, "predict")
    np.testing.assert_array_equal(after[:5], found[:5])
    assert np.abs(after[5] - found[5]).max() > 1e-3


def test_a_stretch_without_data_is_a_free_run_of_the_circuit():
    model, (values, seen) = estimator(), data()
    seen = seen.copy()
    seen[4:] = False
    found = run(model, values, seen, "predict")
    start = np.where(seen[3], values[3], found[2])
    state = {"V": jnp.asarray(start)}
    for t in range(4, FRAMES):
        state, _ = model.circuit.prepare().step(state, {}, nj.Clock(0, DT[t]))
        np.testing.assert_allclose(found[t - 1], state["V"], rtol=1e-12)


def test_calcium_is_inverted_where_it_is_seen_and_filtered_where_it_is_hidden():
    tau_c = 1200.0
    model, (values, seen) = estimator(Clamp(), Calcium(tau_c=tau_c)), data()
    plain = estimator(Clamp())
    # by hand: V of seen neurons from their fluorescence, the circuit, fluorescence of hidden ones
    a = np.exp(-DT / tau_c)[:, None]
    V = values.copy()
    V[1:] = (values[1:] - a[1:] * values[:-1]) / (1 - a[1:])
    hidden_V = by_hand(plain, V, seen)
    c, expected = np.where(seen[0], values[0], 0.0), []
    for t in range(1, FRAMES):
        c = a[t] * c + (1 - a[t]) * hidden_V[t - 1]
        expected.append(c)
        c = np.where(seen[t], values[t], c)
    np.testing.assert_allclose(run(model, values, seen), expected, rtol=1e-9, atol=1e-10)


def test_the_circuit_is_free_of_the_observer():
    model = estimator()
    none = eqx.tree_at(lambda m: m.observer.K, model, jnp.zeros_like(model.observer.K))
    free = lambda m: nj.simulate(m.circuit, duration=6000.0, dt=600.0, record={"V": "V"})["V"]
    np.testing.assert_array_equal(free(model), free(none))
    values, seen = data()
    assert np.abs(run(model, values, seen) - run(none, values, seen)).max() > 0.01


def test_noise_of_the_circuit_is_left_out_of_estimates():
    values, seen = data()
    quiet, noisy = estimator(), estimator(noise=0.1)
    np.testing.assert_array_equal(run(noisy, values, seen), run(quiet, values, seen))
    assert noisy.circuit.noise is not None


def test_the_penalty_is_that_of_circuit_and_observer():
    model = estimator()
    K = np.asarray(model.observer.K)[np.asarray(model.observer.valid)]
    expected = float(model.circuit.penalty()) + 0.2 * np.sum(K**2) / 6
    np.testing.assert_allclose(model.penalty(), expected, rtol=1e-12)


def test_a_recording_of_another_size_is_refused():
    with pytest.raises(ValueError, match="no leaf 'V' with one entry per neuron"):
        estimator().prepare().filter(jnp.zeros((4, 5)), jnp.ones((4, 5), bool), jnp.ones(4))
    other = Estimator(small_worms.circuit(), Identity("V_m"), Clamp())
    with pytest.raises((ValueError, KeyError), match="V_m"):
        other.prepare().filter(jnp.zeros((4, 6)), jnp.ones((4, 6), bool), jnp.ones(4))
