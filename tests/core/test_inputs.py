"""Inputs: exact means over a step, values at a time, and noise with the right moments."""

from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj

signals = nj.inputs


def smooth_and_jumping():
    values = np.array([1.0, -2.0, 0.5, 4.0, 3.0, -1.0, 2.0, 0.0])
    return {
        "step": (signals.Step(3.0, start=1.3, stop=4.1), [1.3, 4.1]),
        "ramp": (signals.Ramp(-1.0, 2.0, start=1.3, stop=4.1), [1.3, 4.1]),
        "sine": (signals.Sine(2.0, frequency=130.0, phase=0.4, offset=1.0), []),
        "sampled": (signals.Sampled(values, dt=0.9), [0.9 * k for k in range(9)]),
        "sampled from 0.5": (signals.Sampled(values, 0.9, 0.5), [0.5 + 0.9 * k for k in range(9)]),
        "sum": (
            signals.Step(3.0, start=1.3, stop=4.1) + signals.Sine(2.0, frequency=130.0) + 1.0,
            [1.3, 4.1],
        ),
    }


@pytest.mark.parametrize("name", smooth_and_jumping())
@pytest.mark.parametrize("dt", [0.1, 0.25, 0.9, 2.0])
def test_mean_over_a_step_is_the_integral(name, dt):
    """Against quadrature of the signal itself, on grids that do not fit its edges."""
    signal, breaks = smooth_and_jumping()[name]
    steps = int(6.0 / dt)
    grid = dt * np.arange(1, steps + 1)
    cuts = np.unique(np.concatenate([grid, [b for b in breaks if grid[0] < b < grid[-1]]]))
    nodes, weights = np.polynomial.legendre.leggauss(12)  # exact between two breaks to rounding
    low, width = cuts[:-1, None], np.diff(cuts)[:, None]
    values = jax.vmap(signal)(jnp.ravel(low + width * (nodes + 1) / 2))
    values = np.asarray(values).reshape(len(low), -1)
    pieces = np.sum(values * weights * width / 2, axis=1)
    expected = np.zeros(steps - 1)
    np.add.at(expected, np.searchsorted(grid, cuts[:-1], side="right") - 1, pieces / dt)
    signal = signal.prepare(dt)
    means = jax.vmap(lambda k: signal.at(nj.Clock(k, dt)))(jnp.arange(1, steps))
    np.testing.assert_allclose(means, expected, atol=1e-10)


def test_values_at_a_time():
    assert float(signals.Step(2.0, 1.0, 3.0)(1.0)) == 2.0
    assert float(signals.Step(2.0, 1.0, 3.0)(3.0)) == 0.0
    ramp = signals.Ramp(1.0, 5.0, start=2.0, stop=4.0)
    assert [float(ramp(t)) for t in (0.0, 3.0, 9.0)] == [1.0, 3.0, 5.0]
    sine = signals.Sine(2.0, frequency=1000.0, phase=np.pi / 2)
    assert float(sine(0.5)) == pytest.approx(-2.0)  # half a period of 1 ms
    sampled = signals.Sampled(jnp.arange(4.0), dt=0.1)
    for k in range(4):
        assert float(sampled(sampled.edges()[k])) == k  # a sample holds from its own time on
        before = np.nextafter(float(sampled.edges()[k]), -1.0)
        assert float(sampled(before)) == max(k - 1, 0)


def test_sampled_input_on_its_own_grid_is_itself():
    """Also at step numbers where step * dt is not a multiple of dt in floating point."""
    values = jnp.arange(3000.0)
    run = nj.simulate(
        Follower(), duration=300.0, dt=0.1, inputs={"u": signals.Sampled(values, 0.1)},
        record={"x": "x"},
    )  # fmt: skip
    np.testing.assert_allclose(run["x"], values, atol=1e-6)


def test_sampled_input_in_float32(float32):
    values = jnp.arange(3000.0)
    run = nj.simulate(
        Follower(), duration=300.0, dt=0.1, inputs={"u": signals.Sampled(values, 0.1)},
        record={"x": "x"},
    )  # fmt: skip
    assert np.max(np.abs(np.asarray(run["x"]) - values)) < 0.5


class Follower(nj.Dynamics):
    """A discrete model that remembers the last input."""

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(())}

    def step(self, state, inputs, clock):
        return {"x": inputs["u"] + 0.0 * state["x"]}, nj.Output()


def test_charge_of_a_pulse_does_not_depend_on_the_grid():
    model = models.Relaxation(E=0.0, tau=1e9, n=1)
    pulse = signals.Step(2.0, start=1.37, stop=4.91)
    for dt in (0.1, 0.5, 2.0):
        run = nj.simulate(model, duration=6.0, dt=dt, inputs={"I": pulse})
        assert float(run.final_state.state["V"][0]) == pytest.approx(1 + 2 * 3.54, rel=1e-7)


def test_inputs_can_be_trained():
    def end(amplitude, frequency):
        sine = signals.Sine(amplitude, frequency=frequency)
        return nj.simulate(
            models.Relaxation(), duration=5.0, dt=0.1, inputs={"I": sine}
        ).final_state.state["V"].sum()  # fmt: skip

    slopes = jax.grad(end, argnums=(0, 1))(1.0, 30.0)
    h = 1e-5
    for i, slope in enumerate(slopes):
        high, low = [1.0, 30.0], [1.0, 30.0]
        high[i] += h
        low[i] -= h
        assert float(slope) == pytest.approx(float(end(*high) - end(*low)) / (2 * h), rel=1e-6)


def test_refused_signals():
    with pytest.raises(ValueError, match="start < stop"):
        signals.Ramp(0.0, 1.0, start=3.0, stop=3.0)
    with pytest.raises(ValueError, match="axis over time"):
        signals.Sampled(2.0, dt=1.0)
    with pytest.raises(ValueError, match="dt must be positive"):
        signals.Sampled(jnp.ones(3), dt=0.0)
    with pytest.raises(ValueError, match="tau must be positive"):
        signals.OrnsteinUhlenbeck(0.0, 1.0, tau=-1.0)
    with pytest.raises(ValueError, match="sd must not be negative"):
        signals.OrnsteinUhlenbeck(0.0, -1.0, tau=5.0)
    with pytest.raises(ValueError, match=r"Step needs start <= stop, got start=5\.0"):
        signals.Step(1.0, start=5.0, stop=1.0)
    with pytest.raises(TypeError, match=r"the input \['I'\] is a function.*Sampled"):
        nj.simulate(models.Relaxation(), duration=1.0, dt=0.1, inputs={"I": lambda t: t})
    for wrong in (np.arange(3.0), jnp.ones(1)):
        with pytest.raises(ValueError, match=r"Step start must be one number \(ms\), got shape"):
            nj.inputs.Step(300.0, start=wrong)
        with pytest.raises(ValueError, match="Ramp stop must be one number"):
            nj.inputs.Ramp(0.0, 1.0, -1.0, wrong)
    with pytest.raises(TypeError, match="port of its own"):
        signals.Sum(signals.OrnsteinUhlenbeck(0.0, 1.0, 5.0), 1.0)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: signals.Step(2.0, start=np.nan, stop=0.5), "Step start must be a number, got nan"),
        (lambda: signals.Step(2.0, 0.3, stop=np.nan), "Step stop must be a number, got nan"),
        (lambda: signals.Step(np.array([1.0, np.nan])), "Step amplitude must be a finite number"),
        (lambda: signals.Ramp(0.0, 1.0, -np.inf, 0.5), "Ramp start must be a finite number"),
        (lambda: signals.Ramp(0.0, 1.0, 0.5, np.inf), "Ramp stop must be a finite number, got inf"),
        (lambda: signals.Sampled([1.0, 2.0], 1.0, t0=np.nan), "Sampled t0 must be a finite number"),
        (lambda: signals.Sampled([1.0, 2.0], dt=np.inf), "Sampled dt must be a finite number"),
        (lambda: signals.Sine(1.0, np.inf), "Sine frequency must be a finite number, got inf"),
        (lambda: signals.OrnsteinUhlenbeck(np.nan, 1.0, 1.0), "mean must be a finite number"),
        (lambda: signals.Poisson(1.0, weight=np.inf), "Poisson weight must be a finite number"),
        (
            lambda: signals.OrnsteinUhlenbeck(jnp.zeros(3), 1.0, 1.0, shape=(4,)),
            r"OrnsteinUhlenbeck .* mean \(3,\), sd \(\), tau \(\), shape=\(4,\)",
        ),
        (
            lambda: signals.Poisson(np.ones(3), np.ones(2)),
            r"rate \(3,\), weight \(2,\)",
        ),
    ],
)
def test_numbers_that_make_no_signal(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: signals.Step(None), "Step amplitude must be a number or an array, got None"),
        (lambda: signals.Step("a"), "Step amplitude must be .*, got 'a'"),
        (lambda: signals.Step(1.0, stop=None), "Step stop must be .*, got None"),
        (lambda: signals.Step(1.0) + "a", "what is added to an input must be .*, got 'a'"),
    ],
)
def test_what_is_no_number(make, match):
    with pytest.raises(TypeError, match=match):
        make()


def test_pulses_without_a_beginning_or_an_end():
    assert float(signals.Step(2.0, start=-np.inf, stop=1.0)(-1e9)) == 2.0
    assert float(signals.Step(2.0, start=0.0, stop=np.inf)(1e9)) == 2.0


def test_constants_are_added_on_both_sides_and_subtracted():
    step = nj.inputs.Step(5.0, stop=2.0)
    for both in (step + np.arange(3.0), np.arange(3.0) + step, step - np.array([0.0, -1.0, -2.0])):
        np.testing.assert_array_equal(both(1.0), [5.0, 6.0, 7.0])
    noise = nj.inputs.OrnsteinUhlenbeck(1.0, 10.0, tau=5.0, shape=(3,))
    for other in (noise + 4.0, np.full(3, 4.0) + noise, noise - -4.0):
        clock = nj.Clock(0, 0.1, jax.random.key(0))
        np.testing.assert_allclose(
            other.init_state(clock, "I") - noise.init_state(clock, "I"), 4.0, rtol=1e-12
        )


@pytest.mark.parametrize(
    "combine",
    [
        lambda: 2 * nj.inputs.Step(5.0),
        lambda: nj.inputs.Sine(5.0, 1.0) / 2.0,
        lambda: nj.inputs.Step(5.0) - nj.inputs.Step(3.0),
        lambda: np.float64(2) * nj.inputs.Step(5.0),
    ],
)
def test_products_of_inputs_name_the_amplitude(combine):
    with pytest.raises(TypeError, match=r"scale what it is made of, .*Step\(2 \* amplitude\)"):
        combine()


def test_noise_is_not_summed():
    ou, poisson = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 5.0), nj.inputs.Poisson(3.0)
    for combine in (
        lambda: 5.0 + poisson, lambda: poisson + ou, lambda: ou + poisson, lambda: 2.0 * ou,
        lambda: nj.inputs.Step(1.0) - ou, lambda: ou - nj.inputs.Step(1.0),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="port of its own, with receptors"):
            combine()


def test_run_beyond_the_samples_is_refused():
    short = signals.Sampled(jnp.ones(50), dt=0.1)
    with pytest.raises(ValueError, match=r"covers 0 to 5 ms.*0 to 6 ms"):
        nj.simulate(models.Relaxation(), duration=6.0, dt=0.1, inputs={"I": short})
    late = signals.Sampled(jnp.ones(50), dt=0.1, t0=1.0)
    with pytest.raises(ValueError, match="covers 1 to 6 ms"):
        nj.simulate(models.Relaxation(), duration=5.0, dt=0.1, inputs={"I": late})


@pytest.mark.parametrize("dt", [0.1, 1.0, 5.0])
def test_ornstein_uhlenbeck_input_has_the_moments_of_the_continuous_process(dt):
    """Mean, deviation and autocorrelation at any step; bounds are five standard errors."""
    mean, sd, tau, n = 3.0, 2.0, 4.0, 400
    noise = signals.OrnsteinUhlenbeck(mean, sd, tau, shape=(n,))
    steps = 800
    run = nj.simulate(
        Follower(), duration=steps * dt, dt=dt, key=jax.random.key(1),
        inputs={"u": noise}, record={"x": "x"}, state={"x": jnp.zeros(n)},
    )  # fmt: skip
    x = np.asarray(run["x"])
    # independent samples per neuron: the run is this many correlation times long
    independent = n * max(1.0, steps * dt / (2 * tau))
    independent = min(independent, n * steps)
    assert abs(x.mean() - mean) < 5 * sd / np.sqrt(independent)
    assert abs(x.std() / sd - 1) < 5 / np.sqrt(2 * independent)
    # stationary from the first step on, and across neurons at any time
    for row in (0, steps // 2, -1):
        assert abs(x[row].mean() - mean) < 5 * sd / np.sqrt(n)
        assert abs(x[row].std() / sd - 1) < 5 / np.sqrt(2 * n)
    z = (x - mean) / sd
    for lag in (1, 2, 5):
        found = np.mean(z[:-lag] * z[lag:])
        assert abs(found - np.exp(-lag * dt / tau)) < 5 * 1.5 / np.sqrt(independent)


def test_two_noise_inputs_are_independent():
    noise = signals.OrnsteinUhlenbeck(0.0, 1.0, 2.0, shape=(4000,))

    class Two(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"x": jnp.zeros(4000), "y": jnp.zeros(4000)}

        def step(self, state, inputs, clock):
            return {"x": inputs["a"] + 0 * state["x"], "y": inputs["b"] + 0 * state["y"]}, (
                nj.Output()
            )

    run = nj.simulate(
        Two(), duration=3.0, dt=1.0, inputs={"a": noise, "b": noise}, key=jax.random.key(0)
    )
    state = run.final_state.state
    assert abs(np.corrcoef(state["x"], state["y"])[0, 1]) < 5 / np.sqrt(4000)


def test_noise_input_goes_on_where_a_run_ended():
    """Also when other inputs come and go between the runs."""
    noise = signals.OrnsteinUhlenbeck(0.0, 1.0, 5.0, shape=(2,))
    arguments = {"dt": 0.1, "key": jax.random.key(3), "record": {"V": "V"}}
    model = models.Relaxation()
    whole = nj.simulate(model, duration=4.0, inputs={"I": noise}, **arguments)
    first = nj.simulate(model, duration=1.5, inputs={"I": noise}, **arguments)
    second = nj.simulate(
        model, duration=2.5, inputs={"I": noise}, state=first.final_state, **arguments
    )
    np.testing.assert_array_equal(np.concatenate([first["V"], second["V"]]), whole["V"])
    quiet = nj.simulate(model, duration=1.0, state=first.final_state, **arguments)
    assert quiet["V"].shape == (10, 2)  # without the noise
    again = nj.simulate(model, duration=1.0, inputs={"I": noise}, state=quiet.final_state,
                        **arguments)  # fmt: skip
    assert np.all(np.isfinite(again["V"]))


def test_noise_needs_a_key():
    noise = signals.OrnsteinUhlenbeck(0.0, 1.0, 5.0)
    with pytest.raises(ValueError, match=r"key=jax\.random\.key"):
        nj.simulate(models.Relaxation(), duration=1.0, dt=0.1, inputs={"I": noise})


def test_steps_of_an_input_do_not_recompile():
    """Amplitudes and times of signals are arrays, so a new value reuses the program."""
    model = models.Relaxation()
    run = lambda amplitude, start: nj.simulate(
        model, duration=5.0, dt=0.1, inputs={"I": signals.Step(amplitude, start)}
    )
    run(1.0, 2.0)
    with models.count_traces() as traces:
        run(3.0, 0.5)
    assert traces() == 0


@pytest.mark.parametrize("t0", [0.0, 1e5, 1e6])
@pytest.mark.parametrize("begin, length", [(2.0, 0.1), (2.3, 0.2), (2.0, 1.0)])
def test_late_pulses_in_single_precision(float32, t0, begin, length):
    """The charge of a pulse on the grid is that of the closed form, a quarter of an hour on too."""
    pulse = nj.inputs.Step(100.0, t0 + begin, t0 + begin + length)
    V = nj.simulate(
        nj.neurons.LIF(), duration=8.0, dt=0.1, t0=t0, record={"V": "V_m"}, inputs={"I_e": pulse}
    )["V"][-1, 0]  # fmt: skip
    exact = 4.0 * (np.exp((begin + length - 8.0) / 10.0) - np.exp((begin - 8.0) / 10.0))
    assert float(V) + 70.0 == pytest.approx(exact, rel=1e-3)


def pulse_beside_the_grid(t0):
    return nj.inputs.Step(100.0, t0 + 2.03, t0 + 4.47), lambda t: 100.0 * (2.03 <= t < 4.47)


def ramp_beside_the_grid(t0):
    ramp = nj.inputs.Ramp(10.0, 100.0, t0 + 1.04, t0 + 6.71)
    return ramp, lambda t: np.interp(t, [1.04, 6.71], [10.0, 100.0])


def samples_beside_the_grid(t0):
    values = np.arange(20.0) * 10.0
    sampled = nj.inputs.Sampled(values, dt=0.77, t0=t0 - 0.05)
    return sampled, lambda t: values[int((t + 0.05) // 0.77)]


def frames_of_a_film(t0):
    """Samples that are no simple ratio of a step, from time zero on."""
    dt = 1001.0 / 30.0 / 7.0 * np.sqrt(1.0 + 1e-5)
    first = int((t0 + 0.5) / dt)
    values = np.zeros(int((t0 + 10.0) / dt) + 2, np.float32)
    values[first : first + 4] = [10.0, 100.0, 30.0, 70.0]
    return nj.inputs.Sampled(values, dt), lambda t: float(values[int((t0 + t) / dt)])


LATE = [pulse_beside_the_grid, ramp_beside_the_grid, samples_beside_the_grid, frames_of_a_film]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("t0", [0.0, 1e6, 1e8])
@pytest.mark.parametrize("build", LATE)
def test_late_edges_beside_the_grid_in_single_precision(float32, build, t0, inside):
    """The mean over every step, at 28 hours too, is that of a fine sum in double precision."""
    if build is frames_of_a_film and t0 > 1e6:
        pytest.skip("a film of a day does not fit into memory")
    signal, value = build(t0)

    def run(signal):
        return nj.simulate(
            Follower(), duration=8.0, dt=0.1, t0=t0, record={"x": "x"}, inputs={"u": signal}
        )["x"]  # fmt: skip

    found = jax.jit(lambda: run(build(t0)[0]))() if inside else run(signal)
    fine = [np.mean([value(0.1 * k + 1e-4 * (i + 0.5)) for i in range(1000)]) for k in range(80)]
    np.testing.assert_allclose(found, fine, atol=0.15)


def test_a_changed_edge_is_no_longer_the_given_one(float32):
    given = nj.inputs.Step(100.0, 2.03, 4.0)
    changed = eqx.tree_at(lambda s: s.start, given, jnp.asarray(3.0))
    run = lambda pulse: nj.simulate(
        Follower(), duration=5.0, dt=0.1, record={"x": "x"}, inputs={"u": pulse}
    )["x"]  # fmt: skip
    exact = lambda start: np.clip(np.minimum(0.1 * np.arange(1, 51), 4.0) - start, 0.0, 0.1) * 1e3
    for pulse, start in ((given, 2.03), (changed, 3.0)):
        expected = np.where(np.arange(50) < 40, exact(start), 0.0)
        np.testing.assert_allclose(run(pulse), expected, atol=0.01)
    slope = jax.grad(lambda start: run(nj.inputs.Step(100.0, start, 4.0)).sum())(2.03)
    assert float(slope) == pytest.approx(-1000.0, rel=1e-3)
    starts = jnp.array([2.03, 3.0])
    each = jax.vmap(lambda start: run(nj.inputs.Step(100.0, start, 4.0)))(starts)
    np.testing.assert_allclose(each[0], run(given), atol=0.01)


@pytest.mark.parametrize("kind", [float, np.float32])
@pytest.mark.parametrize("t0", [-2.1e8, -50.0, 0.0, 2.1e8])
def test_edges_that_are_too_far_to_count(float32, t0, kind):
    """The difference of two numbers of steps may overflow, and an edge then be passed or not."""
    on = nj.inputs.Step(2.0, start=kind(-3e8)) + nj.inputs.Step(1.0, start=kind(-1e9), stop=1e30)
    off = nj.inputs.Step(40.0, start=kind(3e8)) + nj.inputs.Ramp(0.0, 500.0, kind(2.12e8), 1e9)
    run = nj.simulate(
        Follower(), duration=1.0, dt=0.1, t0=t0, record={"x": "x"}, inputs={"u": on + off}
    )  # fmt: skip
    np.testing.assert_allclose(run["x"], 3.0, rtol=1e-6)


def test_samples_beyond_what_integers_count(float32):
    """A run on its own grid, where the samples since time zero are more than 2**31."""
    sampled = nj.inputs.Sampled(np.arange(60.0), dt=0.05, t0=2e8)
    run = nj.simulate(
        Follower(), duration=2.0, dt=0.1, t0=2e8, record={"x": "x"}, inputs={"u": sampled}
    )  # fmt: skip
    np.testing.assert_allclose(run["x"], 2.0 * np.arange(20.0) + 0.5, atol=1e-3)


def test_samples_late_in_double_precision():
    """Their number is no longer one of 32 bits."""
    run = nj.simulate(
        Follower(), duration=5.0, dt=0.1, t0=2.2e8, record={"x": "x"},
        inputs={"u": nj.inputs.Sampled(np.arange(60.0), dt=0.1, t0=2.2e8)},
    )  # fmt: skip
    np.testing.assert_allclose(run["x"], np.arange(50.0), atol=1e-6)


def test_late_ramps_in_single_precision(float32):
    def end(t0):
        ramp = nj.inputs.Ramp(0.0, 300.0, start=t0 + 1.0, stop=t0 + 2.0)
        run = nj.simulate(
            nj.neurons.LIF(), duration=5.0, dt=0.1, t0=t0, record={"V": "V_m"}, inputs={"I_e": ramp}
        )  # fmt: skip
        return float(run["V"][-1, 0])

    assert end(1e6) == pytest.approx(end(0.0), abs=1e-4)


@pytest.mark.parametrize("start", [2.0, 2.03])
def test_the_derivative_by_the_ends_of_a_pulse(start):
    """By a start on the grid as beside it: -I / C exp(-(T - start) / tau)."""

    def end(start, stop):
        pulse = nj.inputs.Step(100.0, start, stop)
        cell = nj.neurons.LIF()
        run = nj.simulate(
            cell, duration=8.0, dt=0.1, record={"V": "V_m"}, inputs={"I_e": pulse}
        )  # fmt: skip
        return run["V"][-1, 0]

    by_start, by_stop = jax.grad(end, (0, 1))(start, 5.0)
    assert float(by_start) == pytest.approx(-0.4 * np.exp((start - 8.0) / 10.0), rel=0.006)
    assert float(by_stop) == pytest.approx(0.4 * np.exp((5.0 - 8.0) / 10.0), rel=0.006)


@pytest.mark.parametrize("step", ["0.1", "0.3", "0.7", "2.0"])
@pytest.mark.parametrize("sample", ["0.05", "0.25", "0.3", "0.7", "10/3"])
def test_late_samples_in_single_precision(float32, step, sample):
    """Steps and samples of any ratio meet where they do at time zero, in a run of two minutes."""
    dt, ratio = float(step), Fraction(step) / Fraction(sample)
    values = np.random.default_rng(0).normal(450.0, 300.0, int(120_000 / Fraction(sample)))
    values = values.astype(np.float32)
    signal = nj.inputs.Sampled(values, dt=float(Fraction(sample))).prepare(dt)
    late = int(110_000 / dt)
    steps = [0, 1, 17, late, late + 1, late + 2]
    found = [float(signal.at(nj.Clock(k, dt))) for k in steps]
    total = np.concatenate([[0.0], np.cumsum(values.astype(float))])
    integral = lambda x: float(total[int(x)] + float(x - int(x)) * values[int(x)])
    exact = [(integral((k + 1) * ratio) - integral(k * ratio)) / float(ratio) for k in steps]
    np.testing.assert_allclose(found, exact, atol=0.01)


@pytest.mark.parametrize("frequency", [7.25, 50.0, -200.0])
def test_late_sines_in_single_precision(float32, frequency):
    """At the beginning, and after a quarter of an hour; also at the stages of a solver."""
    signal, dt, w = nj.inputs.Sine(2.0, frequency, phase=0.3, offset=1.0), 0.1, 2e-3 * np.pi
    for step in (10, 9_000_003):
        t = step * dt
        angle = lambda since, t=t: w * frequency * (t + since) + 0.3
        mean = 1.0 + 2.0 * (np.cos(angle(0.0)) - np.cos(angle(dt))) / (w * frequency * dt)
        clock = nj.Clock(step, dt)
        np.testing.assert_allclose(signal.at(clock), mean, atol=2e-6)
        there = signal.within(clock)
        np.testing.assert_allclose(there(0.05), 1.0 + 2.0 * np.sin(angle(0.05)), atol=2e-6)
        assert there.within(clock) is there
    by_frequency = jax.grad(lambda f: nj.inputs.Sine(2.0, f).at(nj.Clock(1000, dt)))(frequency)
    t = 1000 * dt + 0.5 * dt
    expected = 2.0 * w * t * np.cos(w * frequency * t)
    np.testing.assert_allclose(by_frequency, expected, atol=1e-3)


def test_samples_at_a_receptor_of_spikes_have_the_step_of_the_run():
    receptors = {"e": nj.synapses.ExpCurrent(tau=2.0), "g": nj.synapses.InjectedCurrent()}
    cell = nj.neurons.LIF(receptors=receptors)
    run = lambda port, dt: nj.simulate(
        cell, duration=1.0, dt=0.1, inputs={port: nj.inputs.Sampled(jnp.ones(20), dt)}
    )
    for port, dt in (("e", 0.1), ("g", 1.0), ("I_e", 0.05)):
        run(port, dt)
    with pytest.raises(ValueError, match=r"inputs\['e'\].*dt=1 ms must be that of the run, 0.1 ms"):
        run("e", 1.0)


@pytest.mark.parametrize("t0", [0.0, 100.0, 12_345.6])
@pytest.mark.parametrize("sample", [5.0, 0.1, 0.043], ids=["long", "a step", "short"])
def test_derivatives_by_the_place_of_samples(t0, sample):
    """At edges on the grid of steps too, wherever the run begins: one-sided differences."""
    values = np.random.default_rng(0).normal(0.0, 100.0, int(12.0 / sample) + 2)

    def end(begin, sample):
        signal = nj.inputs.Sampled(values, sample, t0 + begin - 5.0)
        cell = nj.neurons.LIF(V_th=1e3)
        run = nj.simulate(
            cell, duration=5.0, dt=0.1, t0=t0, record={"V": "V_m"}, inputs={"I_e": signal}
        )  # fmt: skip
        return run["V"][-1, 0]

    h = 1e-6
    for at in (0.0, 0.013):
        found, here = jax.grad(end, (0, 1))(at, sample), end(at, sample)
        for value, (by, of) in zip(found, [(h, 0.0), (0.0, h)], strict=True):
            sides = [(end(at + s * by, sample + s * of) - here) / (s * h) for s in (1, -1)]
            assert any(np.isclose(value, side, rtol=1e-3, atol=1e-4) for side in sides)
