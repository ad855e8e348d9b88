"""Sweeps against loops; tuning and searching against known minima."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neurojax as nj
from neurojax.core.parameter_checks import check_count
from neurojax.fitting._optimizers import check_optimizer

sweep = nj.fitting.sweep


@pytest.fixture(scope="module")
def reservoirs():
    return [nj.circuits.EchoState(12, inputs=1, key=jax.random.key(seed)) for seed in range(2)]


@pytest.fixture(scope="module")
def error():
    u = np.random.default_rng(0).uniform(-1, 1, (150, 1))
    y = np.roll(u, 3, 0)

    def error(reservoir, radius, penalty):
        changed = eqx.tree_at(lambda r: r.radius, reservoir, radius)
        method = nj.fitting.Ridge(penalty)
        fitted = nj.fitting.fit_readout(changed, u[:100], y[:100], method=method, washout=10)
        return {"train": fitted.nrmse, "later": jnp.mean((fitted.predict(u[100:]) - y[100:]) ** 2)}

    return error


def test_a_sweep_is_a_loop_over_models_and_settings(reservoirs, error):
    settings = {"radius": [0.3, 0.6, 0.9], "penalty": [1e-4, 1e-2]}
    table = sweep(error, settings, models=reservoirs, batch=4, progress=True)
    assert table.scores["train"].shape == (2, 3, 2)
    for place in ((0, 0, 0), (1, 2, 1), (1, 1, 0)):
        m, i, j = place
        alone = error(reservoirs[m], settings["radius"][i], settings["penalty"][j])
        assert table.scores["train"][place] == pytest.approx(alone["train"], rel=1e-6)
        assert table.scores["later"][place] == pytest.approx(float(alone["later"]), rel=1e-6)
    medians = np.median(table.scores["later"], 0)
    i, j = np.unravel_index(np.argmin(medians), medians.shape)
    assert table.best("later") == {
        "radius": settings["radius"][i],
        "penalty": settings["penalty"][j],
    }
    frame, data = table.to_pandas(), table.to_xarray()
    row = frame[(frame.model == 1) & (frame.radius == 0.9) & (frame.penalty == 1e-4)]
    assert row["later"].item() == table.scores["later"][1, 2, 0]
    assert float(data["later"].sel(model=1, radius=0.9, penalty=1e-4)) == row["later"].item()


def test_one_program_serves_all(reservoirs):
    traced = []

    def function(reservoir, radius):
        traced.append(None)
        return radius * jnp.sum(nj.unwrap(reservoir.bias))

    sweep(function, {"radius": np.linspace(0, 1, 7)}, models=reservoirs, batch=3)
    assert len(traced) == 1


def test_scores_that_are_not_finite_are_passed_over():
    table = sweep(lambda a: jnp.where(a < 2.0, jnp.nan, a), {"a": [1.0, 2.0, 3.0]})
    assert table.best() == {"a": 2.0}
    assert table.best(largest=True) == {"a": 3.0}
    with pytest.raises(KeyError, match="no score 'scores'"):
        table.best("scores")


def test_settings_that_fail_in_one_model_of_many_are_passed_over():
    score = lambda m, a: jnp.where((a == m["bad"]) & (m["seed"] == 0), m["value"], a)
    for value, largest, best in (
        (jnp.inf, True, 2.0),
        (-jnp.inf, False, 2.0),
        (jnp.nan, False, 2.0),
    ):
        models = [
            {
                "seed": jnp.array(s),
                "bad": jnp.array(3.0 if largest else 1.0),
                "value": jnp.array(value),
            }
            for s in range(3)
        ]
        assert sweep(score, {"a": [1.0, 2.0, 3.0]}, models=models).best(largest=largest) == {
            "a": best
        }


def test_entries_of_arrays_keep_names_apart():
    arrays = lambda a, v_0: {"v": jnp.stack([a, v_0])}
    table = sweep(arrays, {"a": [1.0], "v_0": [2.0]})
    for make in (table.to_pandas, table.to_xarray):
        with pytest.raises(ValueError, match="takes the name 'v_0'"):
            make()
    scores = sweep(lambda a: {"v": jnp.stack([a, a]), "v_1": -a}, {"a": [1.0]})
    with pytest.raises(ValueError, match="takes the name 'v_1'"):
        scores.to_pandas()
    assert dict(scores.to_xarray().sizes) == {"model": 1, "a": 1, "v_0": 2}


def test_integers_beyond_those_of_jax_are_refused(float32):
    with pytest.raises(ValueError, match="'a' must lie from -2147483648 to 2147483647"):
        sweep(lambda a: a, {"a": [3_000_000_000]})
    assert sweep(lambda a: a, {"a": [2**31 - 1]}).scores["score"].item() == 2**31 - 1


def test_models_of_different_structure_share_a_table():
    """Liquids of different keys have other synapses; one program for each of them, and in order."""
    make = lambda key: nj.circuits.Liquid((3, 2, 2), inputs=2, key=jax.random.key(key))
    one, other = make(0), make(1)
    assert jax.tree.structure(one) != jax.tree.structure(other)
    spikes = (np.random.default_rng(0).random((20, 2)) < 0.3).astype(float)
    traced = []

    def total(circuit, gain):
        traced.append(None)
        return nj.fitting.drive(circuit, gain * spikes).rates.sum()

    table = sweep(total, {"gain": [0.0, 1.0, 2.0]}, models=[one, other, one])
    assert len(traced) == 2
    for i, circuit in enumerate((one, other, one)):
        for k, gain in enumerate((0.0, 1.0, 2.0)):
            alone = float(total(circuit, gain))
            assert table.scores["score"][i, k] == pytest.approx(alone, rel=1e-6)
    assert table.scores["score"][0, 1] != table.scores["score"][1, 1]


def test_scores_that_fit_into_no_common_table_are_named():
    models = [np.zeros(2), np.zeros(3)]
    with pytest.raises(ValueError, match=r"models\[1\] gives the score 'v' of shape \(3,\)"):
        sweep(lambda m, a: {"n": a, "v": a * m}, {"a": [1.0, 2.0]}, models=models)
    with pytest.raises(ValueError, match=r"scores \['x3'\], models\[0\] \['x2'\]"):
        sweep(lambda m, a: {f"x{len(m)}": a}, {"a": [1.0]}, models=models)


@pytest.mark.parametrize(
    ("settings", "models", "message"),
    [
        ({}, None, "needs settings"),
        ({"a": []}, None, "list of real numbers"),
        ({"a": ["x"]}, None, "list of real numbers"),
        ({"a": [1j]}, None, "list of real numbers"),
        ({"a": [1.0]}, [1.0, 2.0], r"models\[0\] must be a model, got 1.0"),
        ({"a": [1.0]}, [], "empty list"),
    ],
)
def test_bad_sweeps_are_refused(settings, models, message):
    with pytest.raises(ValueError, match=message):
        sweep(lambda *_, a: a, settings, models=models)


def test_what_shapes_the_program_needs_a_sweep_each():
    for choose in (
        lambda n: check_count("n", n),
        lambda n: jnp.ones(10)[:n].sum(),
        lambda n: sum(range(n)),
        lambda n: 1.0 if n > 1 else 0.0,
        lambda n: np.asarray(n).sum(),
    ):
        with pytest.raises(ValueError, match=r"the settings \['n'\] are traced .* a sweep each"):
            sweep(choose, {"n": [1, 2]})
    with pytest.raises(ValueError, match="other choices need a sweep each"):
        sweep(lambda form: 0.0, {"form": ["internal", "external"]})
    with pytest.raises(ValueError, match="mine"):  # that of the function itself is left as it is
        sweep(lambda a: int("mine"), {"a": [1.0]})


def test_tuning_finds_the_minimum_within_the_bounds():
    model = {"x": nj.positive(2.0), "y": nj.bounded(0.5, 0.0, 1.0), "z": nj.frozen(3.0)}

    def loss(at):
        return (at["x"] - 1.0) ** 2 + (at["y"] - 2.0) ** 2 + at["z"]

    tuned = nj.fitting.tune(loss, model, steps=300, optimizer=optax.adam(0.05), progress=True)
    found = nj.unwrap(tuned.model)
    assert float(found["x"]) == pytest.approx(1.0, abs=0.01)
    assert 0.95 < float(found["y"]) <= 1.0
    assert float(found["z"]) == 3.0
    assert tuned.loss == min(tuned.losses)


def test_tuning_lowers_the_error_of_a_reservoir(error):
    start = nj.circuits.EchoState(
        12, inputs=1, radius=nj.positive(0.05), leak=nj.bounded(0.5, 0, 1)
    )
    loss = lambda r: error(r, r.radius, 1e-3)["later"]
    tuned = nj.fitting.tune(loss, start, steps=60)
    others = sweep(
        lambda r: loss(eqx.tree_at(lambda s: s.radius, nj.unwrap(start), r)),
        {"r": np.linspace(0.05, 1.5, 15)},
    )
    assert tuned.loss < 0.95 * tuned.losses[0]
    assert tuned.loss < 1.02 * others.scores["score"].min()


def test_models_may_come_from_a_generator():
    table = sweep(lambda m, a: m * a, {"a": [1.0, 2.0]}, models=(jnp.array(i) for i in range(3)))
    np.testing.assert_array_equal(table.scores["score"], [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    one = sweep(lambda m, a: m["x"] * a, {"a": [1.0]}, models={"x": jnp.array(3.0)})
    np.testing.assert_array_equal(one.scores["score"], [[3.0]])


def test_an_optimizer_is_one_of_optax():
    check_optimizer(optax.adam(0.1))
    with pytest.raises(TypeError, match=r"optimizer must come from optax, .* got 'adam'"):
        check_optimizer("adam")


def test_tuning_refuses_an_optimizer_that_needs_more_than_gradients():
    with pytest.raises(TypeError, match="nothing but gradients"):
        nj.fitting.tune(lambda x: x**2, jnp.array(1.0), optimizer=optax.lbfgs())


def test_tuning_refuses_what_cannot_be_tuned():
    with pytest.raises(ValueError, match="nothing to train"):
        nj.fitting.tune(lambda m: 0.0, {"x": nj.frozen(1.0)})
    with pytest.raises(nj.NonFiniteError):
        nj.fitting.tune(lambda m: m["x"] * jnp.nan, {"x": jnp.array(1.0)})
    with pytest.raises(ValueError, match=r"loss must give one number, got shape \(2,\)"):
        nj.fitting.tune(lambda m: m["x"] * jnp.ones(2), {"x": nj.positive(1.0)})


def test_search_finds_a_minimum():
    pytest.importorskip("optuna")
    loss = lambda x, k, kind: (x - 1.0) ** 2 + (k - 3) ** 2 + (kind == "bad")
    space = {"x": (0.1, 3.0, "log"), "k": (1, 5), "kind": ["good", "bad"]}
    study = nj.fitting.search(loss, space, trials=60)
    assert study.best_params["kind"] == "good"
    assert study.best_params["k"] == 3
    assert abs(study.best_params["x"] - 1.0) < 0.5
    assert all(isinstance(trial.params["k"], int) for trial in study.trials)
    with pytest.raises(ValueError, match="space"):
        nj.fitting.search(loss, {"x": (2.0, 1.0)})
    numbers = nj.fitting.search(lambda a: (a - 0.5) ** 2, {"a": (0.0, 2)}, trials=8)
    assert any(trial.params["a"] % 1 for trial in numbers.trials)  # one bound is no whole number


def test_search_says_what_it_cannot_do():
    pytest.importorskip("optuna")
    loss = lambda x: x**2
    for trials in (0, -1, True):
        with pytest.raises(ValueError, match="trials must be a positive whole number"):
            nj.fitting.search(loss, {"x": (0.0, 1.0)}, trials=trials)
    for bounds in ((0.0, np.inf), (-np.inf, 0.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match=r"space\['x'\] must be finite"):
            nj.fitting.search(loss, {"x": bounds})
    with pytest.warns(UserWarning, match="not finite in any of the 3 trials"):
        nj.fitting.search(lambda x: np.nan, {"x": (0.0, 1.0)}, trials=3)
