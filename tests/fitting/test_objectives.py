import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_worms

from neurojax.fitting import Batch, Clamp, EdgeObserver, Estimator, MaskedNeurons, TeacherForced
from neurojax.fitting import huber as huber_loss
from neurojax.observations import Identity


def estimator():
    circuit = small_worms.circuit(key=jax.random.key(1))
    circuit = eqx.tree_at(lambda c: c.weight, circuit, 8 * circuit.weight)
    return Estimator(circuit, Identity(), EdgeObserver(0.2).bound(circuit))


def batch(frames, windows=200, seed=0, missing=0.2):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(windows, frames, 6))
    observed = rng.uniform(size=values.shape) >= missing
    return Batch(
        jnp.asarray(np.where(observed, values, 0.0)),
        jnp.asarray(observed),
        jnp.full((windows, frames), 600.0),
        jnp.zeros(windows, jnp.int32),
    )


def test_huber_is_twice_that_of_optax():
    import optax

    error = jnp.linspace(-4.0, 4.0, 41)
    for delta in (0.5, 1.0, 2.0):
        np.testing.assert_allclose(
            huber_loss(error, delta), 2 * optax.losses.huber_loss(error, delta=delta), atol=1e-12
        )


def test_masked_neurons_scores_hidden_neurons_after_the_burn_in():
    """The loss again, from the estimates of the filter, with the mask that the objective drew."""
    goal, model = MaskedNeurons(0.2, 0.6, window=9, burn_in=3, penalty=2.0), estimator()
    data, key = batch(goal.frames), jax.random.key(4)
    share, which = jax.random.split(key)
    fraction = jax.random.uniform(share, (200, 1), minval=0.2, maxval=0.6)
    hidden = np.asarray(jax.random.uniform(which, (200, 6)) < fraction)
    assert abs(hidden.mean() - 0.4) < 0.04  # the mean of U(0.2, 0.6)
    ready, errors = model.prepare(), []
    filter = jax.jit(lambda v, seen, dt: ready.filter(v, seen, dt))
    for w in range(200):
        seen = np.asarray(data.observed[w]) & ~hidden[w]
        guess = np.asarray(filter(data.values[w], jnp.asarray(seen), data.dt[w]))
        for t in range(1 + 3, 10):
            for n in range(6):
                if hidden[w, n] and data.observed[w, t, n]:
                    errors.append(guess[t - 1, n] - float(data.values[w, t, n]))
    e = np.abs(errors)
    expected = np.mean(np.where(e < 1, e**2, 2 * e - 1)) + 2.0 * float(model.penalty())
    np.testing.assert_allclose(goal.loss(model, data, key), expected, rtol=1e-10)


def test_masked_neurons_does_not_look_at_what_it_hides():
    goal, model, key = MaskedNeurons(0.4, 0.6, window=6, burn_in=1), estimator(), jax.random.key(0)
    data = batch(goal.frames, 20, missing=0.0)

    def estimates(values):
        """The slope of the loss at the targets is a function of the estimates."""
        loss = lambda v: goal.loss(model, eqx.tree_at(lambda b: b.values, data, v), key)
        return jax.grad(loss)(values)

    share, which = jax.random.split(key)
    fraction = jax.random.uniform(share, (20, 1), minval=0.4, maxval=0.6)
    hidden = (jax.random.uniform(which, (20, 6)) < fraction)[:, None, :]
    # in the quadratic part a shift of hidden targets adds 2 * shift / count to each slope, no more
    shifted = jnp.where(hidden, data.values * 1e-3 + 1e-6, data.values * 1e-3)
    before, after = estimates(data.values * 1e-3), estimates(shifted)
    np.testing.assert_allclose(
        jnp.where(hidden, 0.0, after), jnp.where(hidden, 0.0, before), atol=1e-7
    )


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("horizon", [1, 4])
def test_teacher_forced_scores_what_follows_the_known_frames(horizon, squared):
    goal, model = TeacherForced(horizon, warm_up=3, squared=squared, penalty=0.0), estimator()
    data, key = batch(goal.frames, 30), jax.random.key(0)
    ready, errors = model.prepare(), []
    predict = jax.jit(lambda v, known, dt: ready.predict(v, known, dt))
    for w in range(30):
        known = np.asarray(data.observed[w]).copy()
        if horizon > 1:
            known[3:] = False
        guess = np.asarray(predict(data.values[w], jnp.asarray(known), data.dt[w]))
        for t in range(1 if horizon == 1 else 3, goal.frames):
            keep = np.asarray(data.observed[w, t])
            errors += list((guess[t - 1] - np.asarray(data.values[w, t]))[keep])
    e = np.abs(errors)
    expected = np.mean(e**2 if squared else np.where(e < 1, e**2, 2 * e - 1))
    np.testing.assert_allclose(goal.loss(model, data, key), expected, rtol=1e-10)


def test_teacher_forcing_leaves_the_observer_out():
    goal, model = TeacherForced(2, penalty=0.0), estimator()
    bare = Estimator(model.circuit, Identity(), Clamp())
    data = batch(goal.frames, 5)
    key = jax.random.key(0)
    assert float(goal.loss(model, data, key)) == float(goal.loss(bare, data, key))


def test_windows_without_data_cost_nothing():
    for goal in (MaskedNeurons(window=6, burn_in=1, penalty=0.0), TeacherForced(2, penalty=0.0)):
        data = batch(goal.frames, 4, missing=1.1)
        value, slope = eqx.filter_value_and_grad(goal.loss)(estimator(), data, jax.random.key(0))
        assert float(value) == 0.0
        leaves = jax.tree.leaves(eqx.filter(slope, eqx.is_inexact_array))
        assert all((np.asarray(x) == 0).all() for x in leaves)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MaskedNeurons(0.0, 0.5), "fraction 0 < low <= high < 1, got 0.0 and 0.5"),
        (lambda: MaskedNeurons(0.6, 0.5), "fraction"),
        (lambda: MaskedNeurons(0.1, 1.0), "fraction"),
        (lambda: MaskedNeurons(window=8, burn_in=8), "burn_in=8 leaves no frame of window=8"),
        (lambda: TeacherForced(horizon=0), "horizon and warm_up must be at least 1"),
        (lambda: TeacherForced(warm_up=0), "horizon and warm_up must be at least 1"),
    ],
)
def test_bad_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
