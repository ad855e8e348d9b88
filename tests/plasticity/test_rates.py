"""Rules for rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

P = nj.plasticity


def patterns(n=5, samples=4000, seed=0):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return rng.normal(size=(samples, n)) * np.array([2.0, 1.0, 0.7, 0.5, 0.3]) @ axes.T


def test_oja_finds_the_first_principal_component():
    x = patterns()

    def learn(w, inputs):
        x, eta = inputs
        rule = P.Oja(eta=eta, alpha=4.0)
        return rule.update(w, x, x @ w), None

    eta = 0.02 / (1.0 + np.arange(len(x)) / 200.0)
    start = jnp.asarray(np.random.default_rng(1).normal(size=(5, 2)) * 0.1)
    w, _ = jax.lax.scan(learn, start, (jnp.asarray(x), jnp.asarray(eta)))
    first = np.linalg.eigh(np.cov(x.T))[1][:, -1]
    for column in np.asarray(w).T:
        assert abs(column @ first) / np.linalg.norm(column) > 0.999
        np.testing.assert_allclose(np.linalg.norm(column), 0.5, rtol=0.02)


def test_hebb_and_anti_hebb_add_the_correlation():
    x, y = patterns()[:50], patterns(seed=2)[:50]
    w = np.zeros((5, 5))
    for a, b in zip(x, y, strict=True):
        w = P.Hebb(eta=0.1).update(jnp.asarray(w), jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(w, 0.1 * x.T @ y, rtol=1e-12, atol=1e-13)
    for a, b in zip(x, y, strict=True):
        w = P.AntiHebb(eta=0.1).update(w, jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(w, 0.0, atol=1e-12)


def test_bcm_becomes_selective_for_one_pattern():
    # K orthogonal patterns, each as often: the stable fixed points are y = K y_0 for one, 0 else
    rule, count = P.BCM(eta=0.01, tau_theta=50.0, y_0=1.0), 3
    order = np.random.default_rng(0).integers(0, count, 12000)

    def learn(carry, x):
        w, theta = carry
        y = x @ w
        return (rule.update(w, x, y, theta), rule.threshold(theta, y)), None

    start = (jnp.array([[0.52], [0.5], [0.48]]), jnp.array([0.1]))
    (w, theta), _ = jax.lax.scan(learn, start, jnp.eye(count)[order])
    w = np.sort(np.asarray(w)[:, 0])
    np.testing.assert_allclose(w[:2], 0.0, atol=0.05)
    np.testing.assert_allclose(w[2], count, rtol=0.15)
    assert float(theta[0]) > 0


def test_a_rate_must_be_one_number():
    with pytest.raises(ValueError, match=r"eta of Hebb must be one number.*\(3,\)"):
        P.Hebb(eta=jnp.ones(3))


@pytest.mark.parametrize("rule", [P.Hebb(), P.AntiHebb(), P.Oja(), P.BCM()])
def test_shapes_that_do_not_fit_are_refused(rule):
    kind = type(rule).__name__
    w, x, y = jnp.zeros((3, 2)), jnp.ones(3), jnp.ones(2)
    more = (jnp.ones(2),) if kind == "BCM" else ()
    assert rule.update(w, x, y, *more).shape == (3, 2)
    for args, match in [
        ((w[:, 0], x, y), rf"w of {kind}.update must have shape \(pre, post\), got shape \(3,\)"),
        ((w, y, x), rf"x of {kind}.update must have shape \(3,\), .* got shape \(2,\)"),
        ((w, x, y[:1]), rf"y of {kind}.update must have shape \(2,\), .* got shape \(1,\)"),
        ((w[:1], x, y), rf"x of {kind}.update must have shape \(1,\), one value per presynaptic"),
    ]:
        with pytest.raises(ValueError, match=match):
            rule.update(*args, *more)


def test_shapes_of_thresholds():
    w, x, y = jnp.zeros((3, 2)), jnp.ones(3), jnp.ones(2)
    with pytest.raises(ValueError, match=r"theta of BCM.update must have shape \(2,\)"):
        P.BCM().update(w, x, y, jnp.ones(1))
    with pytest.raises(ValueError, match=r"theta of BCM.threshold must have the shape of y"):
        P.BCM().threshold(jnp.ones(1), y)


def test_the_mean_change_by_spikes_is_that_by_rates():
    """Poisson neurons of given rates: the weights after 100 s, by spikes and by `update`."""
    x, y = np.array([10.0, 20.0, 40.0]), np.array([15.0, 30.0])
    net = nj.Network(
        {"x": nj.neurons.Poisson(rate=x, n=3), "y": nj.neurons.Poisson(rate=y, n=2)},
        [
            nj.Projection("x", "y", "in", nj.connectivity.all_to_all(), weight=0.0, name=name,
                          plasticity=rule)
            for name, rule in {"Hebb": P.Hebb(eta=1e-4), "AntiHebb": P.AntiHebb(eta=1e-4)}.items()
        ],
    )  # fmt: skip
    sim = nj.simulate(net, duration=1e5, dt=0.5, key=jax.random.key(0))
    expected = 100 * P.Hebb(eta=1e-4).update(jnp.zeros((3, 2)), jnp.asarray(x), jnp.asarray(y))
    for name, sign in (("Hebb", 1), ("AntiHebb", -1)):
        found = net.weights(sim.final_state, name).reshape(3, 2)
        # 1500 to 3000 postsynaptic and 1000 to 4000 presynaptic spikes: a deviation of 3 to 4 %
        np.testing.assert_allclose(sign * found, expected, rtol=0.12)


def test_the_threshold_follows_the_mean_square_of_the_rate():
    """The mean of the squared trace of a train of 50 Hz, in closed form."""
    post = [20.0 * np.arange(1, 300)]
    rule = P.BCM(eta=1e-3, tau=30.0, tau_theta=1500.0, y_0=25.0)
    net = nj.Network(
        {"x": nj.neurons.SpikeTimes([[1.0]]), "y": nj.neurons.SpikeTimes(post)},
        [nj.Projection("x", "y", "in", nj.connectivity.all_to_all(), plasticity=rule, name="w")],
    )
    sim = nj.simulate(net, duration=6000.0, dt=0.1)
    leaves = jax.tree_util.tree_leaves_with_path(sim.final_state)
    theta = next(x for path, x in leaves if "theta" in jax.tree_util.keystr(path))[0]
    peak = 1000 / 30.0 / (1 - np.exp(-20 / 30))
    mean = peak**2 * (30 / 2) * (1 - np.exp(-40 / 30)) / 20.0
    np.testing.assert_allclose(theta, mean / 25.0 * (1 - np.exp(-6000 / 1500)), rtol=0.01)
