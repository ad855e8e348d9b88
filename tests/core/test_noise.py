"""Stochastic models: moments, the two calculi, order of convergence along a path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj

S = nj.solvers


@pytest.mark.parametrize("solver", [S.EulerMaruyama(), S.Heun(), S.ExponentialEuler()], ids=repr)
@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_moments_of_an_ornstein_uhlenbeck_process(solver, noise):
    """Stationary mean, variance and autocorrelation of each discrete scheme, in closed form.

    One step is x' = A x + s N with A and s known for every scheme; the exponential one has the
    moments of the continuous process at any dt.
    """
    tau, sigma, dt, n, steps = 4.0, 0.5, 0.5, 500, 600
    h = dt / tau
    A = {"EulerMaruyama": 1 - h, "Heun": 1 - h + h**2 / 2, "ExponentialEuler": np.exp(-h)}
    A = A[type(solver).__name__]
    s2 = {
        "EulerMaruyama": sigma**2 * dt,
        "Heun": sigma**2 * dt * (1 - h / 2) ** 2,
        "ExponentialEuler": sigma**2 * tau / 2 * (1 - np.exp(-2 * h)),
    }[type(solver).__name__]
    model = models.OrnsteinUhlenbeck(mu=1.0, tau=tau, sigma=sigma, n=n)
    run = nj.simulate(
        model, duration=steps * dt, dt=dt, solver=solver, key=jax.random.key(0), noise=noise,
        record={"x": nj.Trace(lambda x: x)},
    )  # fmt: skip
    x = np.asarray(run["x"])[60:]  # the start is drawn from the continuous law
    variance = s2 / (1 - A**2)
    independent = x.size * (1 - A) / (1 + A)
    assert abs(x.mean() - 1.0) < 5 * np.sqrt(variance / independent)
    assert abs(x.var() / variance - 1) < 5 * np.sqrt(2 / (x.size * (1 - A**2) / (1 + A**2)))
    z = (x - 1.0) / np.sqrt(variance)
    for lag in (1, 4):
        assert abs(np.mean(z[lag:] * z[:-lag]) - A**lag) < 5 * 2 / np.sqrt(independent)
    if isinstance(solver, S.ExponentialEuler):
        assert variance == pytest.approx(sigma**2 * tau / 2)


class Driven(nj.ContinuousDynamics):
    """Geometric Brownian motion whose Brownian path is recorded beside it."""

    solver: models.Solver = S.EulerMaruyama()
    a: nj.Parameter = nj.parameter(0.1)
    b: nj.Parameter = nj.parameter(0.5)
    n: int = 2000

    def init_state(self, *, key=None):
        return {"x": jnp.ones(self.n)}

    def drift(self, t, state, inputs):
        return {"x": self.a * state["x"]}

    def diffusion(self, t, state, inputs):
        return {"x": self.b * state["x"]}


def path_of(steps, dt, n, key):
    """The Brownian increments that the engine draws for the leaf ['x']."""
    draw = lambda k: nj.Clock(k, dt, key).normal("diffusion['x']", (n,))
    return np.sqrt(dt) * np.asarray(jax.vmap(draw)(jnp.arange(steps)))


@pytest.mark.parametrize(
    ("solver", "ito", "order"), [(S.EulerMaruyama(), True, 0.5), (S.Heun(), False, 1.0)], ids=repr
)
def test_strong_order_and_calculus(solver, ito, order):
    """Against the closed solution on the very path that was drawn; the wrong calculus is far."""
    a, b, duration, n = 0.1, 0.5, 2.0, 2000
    right, wrong = [], []
    for dt in (0.1, 0.025):
        key = jax.random.key(7)
        run = nj.simulate(Driven(), duration=duration, dt=dt, solver=solver, key=key)
        W = path_of(round(duration / dt), dt, n, key).sum(axis=0)
        x = np.asarray(run.final_state.state["x"])
        solution = {
            True: np.exp((a - b**2 / 2) * duration + b * W),
            False: np.exp(a * duration + b * W),
        }
        right.append(np.mean(np.abs(x - solution[ito])))
        wrong.append(np.mean(np.abs(x - solution[not ito])))
    assert abs(np.log(right[0] / right[1]) / np.log(4) - order) < 0.2
    assert wrong[1] > 5 * right[1]


@pytest.mark.parametrize(
    "solver", [S.Euler(), S.RungeKutta4(), S.Midpoint(), S.Ralston(), S.Propagator()], ids=repr
)
def test_a_solver_without_noise_refuses_a_noisy_model(solver):
    """Silently dropping the noise would be a wrong result."""
    with pytest.raises(ValueError, match=r"has noise.*EulerMaruyama"):
        nj.simulate(
            models.OrnsteinUhlenbeck(), duration=1.0, dt=0.1, solver=solver,
            key=jax.random.key(0),
        )  # fmt: skip


class Pair(nj.Dynamics):
    """A model of parts that steps each of them."""

    left: models.OrnsteinUhlenbeck
    right: models.OrnsteinUhlenbeck

    def init_state(self, *, key=None):
        return {"left": self.left.init_state(), "right": self.right.init_state()}

    def step(self, state, inputs, clock):
        moved = {
            name: getattr(self, name).step(state[name], {}, clock.child(name))[0]
            for name in ("left", "right")
        }
        return moved, nj.Output()


def test_a_noisy_part_refuses_a_solver_without_noise():
    part = models.OrnsteinUhlenbeck()
    with pytest.raises(ValueError, match="has noise"):
        nj.simulate(
            Pair(part, part), duration=1.0, dt=0.1, solver=S.RungeKutta4(), key=jax.random.key(0)
        )


@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_two_parts_never_share_a_draw(noise):
    part = models.OrnsteinUhlenbeck(n=2000)
    run = nj.simulate(Pair(part, part), duration=0.5, dt=0.1, key=jax.random.key(0), noise=noise)
    state = run.final_state.state
    assert np.mean(state["left"] == state["right"]) < 0.01
    assert abs(np.corrcoef(state["left"], state["right"])[0, 1]) < 5 / np.sqrt(2000)


class TwoLeaves(nj.ContinuousDynamics):
    solver: models.Solver = S.EulerMaruyama()

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(2000), "y": jnp.zeros(2000), "quiet": jnp.zeros(3)}

    def drift(self, t, state, inputs):
        return jax.tree.map(jnp.zeros_like, state)

    def diffusion(self, t, state, inputs):
        return {"x": 1.0, "y": jnp.full(2000, 2.0), "quiet": None}


def test_leaves_have_independent_noise_of_their_own_amplitude():
    run = nj.simulate(TwoLeaves(), duration=4.0, dt=1.0, key=jax.random.key(0))
    state = run.final_state.state
    assert np.std(state["x"]) == pytest.approx(2.0, rel=0.1)
    assert np.std(state["y"]) == pytest.approx(4.0, rel=0.1)
    assert np.all(np.asarray(state["quiet"]) == 0)
    assert abs(np.corrcoef(state["x"], state["y"])[0, 1]) < 5 / np.sqrt(2000)


def test_noise_needs_a_key():
    with pytest.raises(ValueError, match=r"key=jax\.random\.key\(0\)"):
        nj.simulate(models.OrnsteinUhlenbeck(), duration=1.0, dt=0.1)


def test_noise_is_reproducible_and_follows_the_key():
    run = lambda seed: (
        nj.simulate(
            models.OrnsteinUhlenbeck(), duration=1.0, dt=0.1, key=jax.random.key(seed)
        ).final_state.state
    )
    np.testing.assert_array_equal(run(1), run(1))
    assert not np.any(run(1) == run(2))


def test_gradient_flows_through_noise():
    """d x(T) / d sigma is the filtered path: it exists and equals finite differences."""

    def end(sigma):
        model = models.OrnsteinUhlenbeck(sigma=sigma)
        state = model.init_state()
        return nj.simulate(
            model, duration=5.0, dt=0.1, key=jax.random.key(0), state=state
        ).final_state.state.sum()  # fmt: skip

    difference = (end(0.5 + 1e-6) - end(0.5 - 1e-6)) / 2e-6
    assert float(jax.grad(end)(0.5)) == pytest.approx(float(difference), rel=1e-7)


def test_counter_noise_works_in_32_bits(float32):
    names = ["noise", "E.V_m", "diffusion['V']", "ornstein-uhlenbeck ['I_e']"]
    draws = [nj.Clock(3, 0.1, jax.random.key(0), "counter").normal(name, (1000,)) for name in names]
    assert all(x.dtype == jnp.float32 for x in draws)
    assert max(abs(float(x.mean())) for x in draws) < 0.15
