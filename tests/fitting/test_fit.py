import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest
import small_worms
from scipy import stats
from small_worms import SMALL, circuit, worm, worms

import neurojax as nj
from neurojax import fitting
from neurojax.fitting import EarlyStopping, EdgeObserver, LaterTime, LeaveOneAnimalOut

KEY = jax.random.key(3)


def fitted(recordings=None, which=None, **options):
    """A short fit on the tiny animals; with these options all tests share one compiled program."""
    defaults = {"objective": SMALL, "observer": EdgeObserver(), "steps": 6, "batch": 8, "key": KEY}
    if "objective" in options:
        del defaults["observer"]  # the user's objective sees the bare circuit
    options = {**defaults, **options}
    which = circuit(key=jax.random.key(1)) if which is None else which
    return nj.fit(which, worms() if recordings is None else recordings, progress=False, **options)


def arrays(model):
    return [np.asarray(x) for x in jax.tree.leaves(eqx.filter(model, eqx.is_array))]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


def changed(recording, frames, by=5.0):
    """The recording with the samples of some frames changed."""
    values = np.array(recording.values)
    values[frames] = by * values[frames] + 1.0
    return nj.recordings.Recording(
        recording.times, values, labels=recording.labels, name=recording.name
    )


# --- what is fitted ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_fit_lowers_the_loss_of_animals_with_other_neurons_and_lengths():
    fit = fitted(steps=60)
    assert fit.losses.shape == (60, 1) and np.isfinite(fit.losses).all() and fit.skipped == 0
    still = fitted(steps=60, learning_rates={"circuit": 0.0, "observer": 0.0})
    assert same(still.circuit, circuit(key=jax.random.key(1)))
    # the same windows and masks, so steps can be compared one by one
    paired = stats.ttest_rel(fit.losses[-30:, 0], still.losses[-30:, 0], alternative="less")
    assert paired.pvalue < 1e-4
    assert not same(fit.circuit, circuit(key=jax.random.key(1)))
    assert fit.scores("later time").r.shape[0] > 0
    assert -1 <= fit.scores().mean <= 1
    assert "circuit" in fit.table(baselines=False)


@pytest.mark.slow
def test_one_recording_is_enough():
    fit = fitted(worm("alone"))
    assert list(fit.rows) == ["later time"] and np.isfinite(fit.losses).all()


def test_missing_samples_are_masked_and_their_stand_in_plays_no_role():
    fit = fitted([worm("gaps", missing=0.2), worm("other", seed=1)])
    assert np.isfinite(fit.losses).all() and fit.skipped == 0
    assert np.isfinite(arrays(fit.circuit.weight)[0]).all()


def test_everything_follows_from_the_key():
    a, b, c = fitted(), fitted(), fitted(key=jax.random.key(4))
    assert same(a.estimator, b.estimator) and np.array_equal(a.losses, b.losses)
    assert not np.array_equal(a.losses, c.losses)


@pytest.mark.slow
def test_a_function_of_model_batch_and_key_is_an_objective():
    seen = []

    def ask(model, batch, key):
        seen.append((type(model).__name__, batch.values.shape, jnp.shape(key)))
        return jnp.mean((model.bias - 0.25) ** 2) + 0.0 * jnp.sum(batch.values)

    fit = fitted(objective=ask, steps=150, optimizer=optax.adam(0.02))
    np.testing.assert_allclose(fit.circuit.bias, 0.25, atol=0.01)
    assert seen[0] == ("ConnectomeCircuit", (8, 41, 6), ()) and fit.rows == {}
    with pytest.raises(ValueError, match="no imputation scores"):
        fit.scores()


@pytest.mark.slow
def test_the_users_objective_sees_the_estimator_where_one_is_given():
    names = []

    def ask(model, batch, key):
        names.append(type(model).__name__)
        ready = model.prepare()
        guess = jax.vmap(ready.filter)(batch.values, batch.observed, batch.dt)
        return jnp.mean((guess - batch.values[:, 1:]) ** 2)

    ask.frames = 5
    fit = fitted(objective=ask, observer=EdgeObserver())
    assert set(names) == {"Estimator"} and np.isfinite(fit.losses).all()


@pytest.mark.slow
def test_the_model_that_simulates_is_the_model_that_is_fitted():
    def ask(model, batch, key):
        sim = nj.simulate(model, duration=3000.0, dt=600.0, record={"V": "V"})
        return jnp.mean((sim["V"] - 0.5) ** 2)

    fit = fitted(objective=ask, steps=40, batch=1)
    assert fit.losses[-1, 0] < 0.5 * fit.losses[0, 0]


# --- how it is fitted -------------------------------------------------------------------------


@pytest.mark.slow
def test_frozen_parameters_stay_and_learning_rates_scale_updates():
    start = circuit(key=jax.random.key(1))
    step = {"steps": 1, "optimizer": optax.sgd(0.1)}
    plain = fitted(**step).circuit
    some = fitted(**step, freeze=["gap"], learning_rates={"bias": 0.25}).circuit
    np.testing.assert_array_equal(nj.unwrap(some.gap), nj.unwrap(start.gap))
    assert (np.asarray(nj.unwrap(plain.gap)) != np.asarray(nj.unwrap(start.gap))).all()
    np.testing.assert_allclose(some.bias, 0.25 * plain.bias, rtol=1e-10)
    np.testing.assert_array_equal(some.weight, plain.weight)
    assert same(fitted(**step, freeze="gap").circuit, fitted(**step, freeze=["gap"]).circuit)


@pytest.mark.slow
def test_gradients_are_clipped_to_the_norm():
    start = circuit(key=jax.random.key(1))
    sgd = {"steps": 1, "optimizer": optax.sgd(1.0)}
    moved = lambda **o: [
        b - a
        for a, b in zip(
            arrays(start),
            arrays(fitted(observer=fitting.Clamp(), **sgd, **o).circuit),
            strict=True,
        )
    ]
    norm = lambda parts: np.sqrt(sum((x**2).sum() for x in parts))
    free, held = moved(), moved(clip_gradients=1e-3)
    assert norm(free) > 1e-2
    np.testing.assert_allclose(norm(held), 1e-3, rtol=1e-6)
    for a, b in zip(free, held, strict=True):
        np.testing.assert_allclose(b, a * (1e-3 / norm(free)), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("where", ["loss", pytest.param("gradient", marks=pytest.mark.slow)])
def test_steps_that_are_not_finite_are_not_taken_and_counted(where):
    def ask(model, batch, key):
        bad = jax.random.uniform(key) < 0.5
        if where == "loss":
            return jnp.where(bad, jnp.nan, jnp.sum(model.bias))
        root = jnp.sqrt(jnp.where(bad, jnp.sum(model.bias * 0.0), 1.0))  # infinite slope at 0
        return jnp.sum(model.bias) + root

    with pytest.warns(UserWarning, match="not taken because the loss or its gradient"):
        fit = fitted(objective=ask, steps=40, optimizer=optax.sgd(0.1))
    assert 5 < fit.skipped < 35
    # a step of plain descent moves every bias by -0.1: those taken can be counted
    np.testing.assert_allclose(fit.circuit.bias, -0.1 * (40 - fit.skipped), rtol=1e-10)
    if where == "loss":
        assert np.isnan(fit.losses).sum() == fit.skipped


def test_a_fit_without_trouble_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert fitted(steps=2).skipped == 0


@pytest.mark.slow
def test_early_stopping_looks_at_the_validation_part_alone():
    """Nothing of the test part decides; something of the validation part does."""
    animals = [worm("a", 200), worm("b", 200, seed=1)]
    options = {"steps": 200, "early_stopping": EarlyStopping(0.3, every=10, patience=2)}
    options["optimizer"] = optax.adam(0.1)
    fit = fitted(animals, **options)
    assert len(fit.losses) < 200 and len(fit.losses) % 10 == 0
    # 120 training frames, of which 84 are drawn from and 36 validate
    other_test = fitted([changed(a, slice(120, None)) for a in animals], **options)
    assert same(fit.estimator, other_test.estimator)
    other = fitted(
        [changed(a, slice(90, 120), by=-1.0) for a in animals], normalisation=None, **options
    )
    base = fitted(animals, normalisation=None, **options)
    n = min(len(other.losses), len(base.losses), 10)
    np.testing.assert_array_equal(other.losses[:n], base.losses[:n])  # not trained on
    assert len(other.losses) != len(base.losses) or not same(other.estimator, base.estimator)


@pytest.mark.slow
def test_early_stopping_keeps_the_best_parameters():
    def ask(model, batch, key):  # best at bias 0.5, which gradient steps of 0.2 pass
        return jnp.abs(jnp.sum(model.bias) / 6 - 0.5)

    fit = fitted(
        objective=ask, steps=100, optimizer=optax.sgd(0.6),
        early_stopping=EarlyStopping(every=1, patience=3),
        recordings=[worm("a", 600)],
    )  # fmt: skip
    assert len(fit.losses) < 100
    np.testing.assert_allclose(fit.circuit.bias, 0.5, atol=0.06)


@pytest.mark.slow
def test_seeds_are_fits_of_their_own():
    """Each seed of a joint fit is, within rounding, the fit that it would be alone."""
    three, one = fitted(seeds=3), fitted(seeds=1)
    assert three.losses.shape == (6, 3)
    np.testing.assert_allclose(three.losses[:, :1], one.losses, rtol=1e-9)
    for a, b in zip(arrays(three.jobs[0].estimators[0]), arrays(one.estimator), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert np.ptp(three.losses, axis=1).min() > 0
    weights = [np.asarray(e.circuit.weight) for e in three.jobs[0].estimators]
    assert not np.allclose(weights[0], weights[1]) and not np.allclose(weights[1], weights[2])
    assert three.seed_spread() > 0 and np.isnan(one.seed_spread())
    means = [s.mean for s in three.rows["later time"]["circuit"]]
    np.testing.assert_allclose(three.seed_spread(), np.std(means, ddof=1))
    np.testing.assert_allclose(three.scores().mean, np.mean(means))


# --- what it may see --------------------------------------------------------------------------


def test_the_test_part_does_not_reach_the_fitted_parameters():
    """Bit for bit: other samples on the scored frames, the same parameters, other scores."""
    first = worms()
    later = [changed(r, slice(int(0.6 * len(r.times)), None)) for r in first]
    a, b = fitted(first), fitted(later)
    assert same(a.estimator, b.estimator) and np.array_equal(a.losses, b.losses)
    assert a.jobs[0].held_out_loss[0] != b.jobs[0].held_out_loss[0]
    earlier = [changed(r, slice(20, 30)) for r in first]
    assert not same(a.estimator, fitted(earlier).estimator)


def test_an_animal_that_is_left_out_does_not_reach_the_fit_that_is_scored_on_it():
    animals = worms()
    other = [animals[0], changed(animals[1], slice(20, 45), by=-3.0)]
    a, b = (fitted(x, hold_out=LeaveOneAnimalOut()) for x in (animals, other))
    jobs = lambda fit: {job.split.name: job for job in fit.jobs}
    name = "without second"
    assert same(jobs(a)[name].estimators[0], jobs(b)[name].estimators[0])
    assert not same(jobs(a)["without first"].estimators[0], jobs(b)["without first"].estimators[0])
    assert list(a.rows) == ["later time", "left-out animal"]


def test_hidden_neurons_do_not_reach_the_fit():
    hold_out = fitting.HeldOutNeurons(0.34)
    a = fitted([worm("a"), worm("b", seed=1)], hold_out=hold_out)
    hidden = ~a.jobs[0].split.shown

    def poison(r):
        values = np.array(r.values)
        values[:, hidden] = np.random.default_rng(9).normal(size=(len(values), hidden.sum()))
        return nj.recordings.Recording(r.times, values, labels=r.labels, name=r.name)

    b = fitted([poison(worm("a")), poison(worm("b", seed=1))], hold_out=hold_out)
    assert hidden.sum() == 2 and same(a.estimator, b.estimator)
    scored = a.scores("held-out neurons")
    assert set(np.asarray(scored.neuron).tolist()) <= set(np.flatnonzero(hidden).tolist())


# --- controls ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_controls_are_fitted_and_scored_alike():
    controls = [fitting.Shuffled(2), fitting.WithoutHomologues()]
    fit = fitted(controls=controls)
    methods = ["circuit", "shuffled 1", "shuffled 2", "no homologue edges"]
    assert list(fit.rows["later time"]) == methods
    assert [job.method for job in fit.jobs] == methods
    assert len(fit.shuffled) == 2 and fit.connectome_gain().shape == (2,)
    graph, other = fit.wiring.chemical > 0, fit.shuffled[0].chemical > 0
    assert (graph != other).any()
    for axis in (0, 1):
        np.testing.assert_array_equal(graph.sum(axis), other.sum(axis))
    gain = fit.scores().mean - np.mean([fit.scores(method=m).mean for m in methods[1:3]])
    np.testing.assert_allclose(fit.connectome_gain().mean(), gain, atol=1e-12)


def test_a_control_does_not_change_the_fit():
    assert same(fitted().estimator, fitted(controls=[fitting.Shuffled(1)]).estimator)


# --- what is kept -----------------------------------------------------------------------------


def test_a_fitted_circuit_is_saved_and_simulates(tmp_path):
    fit = fitted()
    nj.save(tmp_path / "circuit.npz", fit.circuit)
    again = nj.load(tmp_path / "circuit.npz", like=circuit())
    assert same(again, fit.circuit)
    run = lambda c: nj.simulate(c, duration=6000.0, dt=600.0, record={"V": "V"})["V"]
    np.testing.assert_array_equal(run(again), run(fit.circuit))
    nj.save(tmp_path / "estimator.npz", fit.estimator)
    assert same(nj.load(tmp_path / "estimator.npz", like=fit.estimator), fit.estimator)


# --- bad arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, got 0"),
        ({"batch": 0}, ValueError, "batch must be"),
        ({"seeds": 0}, ValueError, "seeds must be"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every must be"),
        ({"clip_gradients": 0.0}, ValueError, "clip_gradients must be positive"),
        ({"clip_gradients": -1.0}, ValueError, "clip_gradients must be positive"),
        ({"recordings": []}, ValueError, "recordings is empty"),
        ({"recordings": [worm("short", 20)]}, ValueError, "'short' has 12 frames, fewer than the"),
        ({"recordings": [worm("x", labels=["X", "Y"])]}, ValueError, "'x' has no trace of any"),
        ({"freeze": ["wieght"]}, nj.UnknownNameError, "weight"),
        ({"learning_rates": {"taau": 0.1}}, nj.UnknownNameError, "tau"),
        ({"learning_rates": {"tau": -0.1}}, ValueError, "at least 0"),
        ({"resume": True}, ValueError, "resume=True needs checkpoint="),
        ({"hold_out": LeaveOneAnimalOut()}, ValueError, "two recordings"),
        ({"early_stopping": EarlyStopping(0.01)}, ValueError, "validation part"),
        ({"objective": 3}, TypeError, "objective must be"),
        ({"objective": fitting.MaskedNeurons}, TypeError, "objective must be"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(options, error, words, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # our words, not the hook's
    defaults = {"objective": fitting.MaskedNeurons(), "recordings": [worm("a", 200)]}
    with pytest.raises(error, match=words):
        fitted(**{**defaults, **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hold_out": LaterTime}, "hold_out must be an instance"),
        ({"observer": EdgeObserver}, "observer must be an instance"),
        ({"observation": "calcium"}, "observation must be an instance"),
        ({"normalisation": False}, "normalisation must be an instance"),
        ({"early_stopping": True}, "early_stopping must be an instance"),
        ({"controls": fitting.Shuffled(2)}, "controls must be a list"),
        ({"controls": [fitting.Shuffled]}, "controls must be a list"),
        ({"key": 0}, "key must be one key"),
        ({"which": small_worms.wiring()}, "circuit must be a neurojax Dynamics"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(options, words, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # our words, not the hook's
    with pytest.raises(TypeError, match=words):
        fitted(**options)
