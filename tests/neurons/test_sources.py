"""Sources: exact times, rates and coefficients of variation, long runs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest
from scipy import stats

import neurojax as nj

RECORD = {"s": nj.Spikes()}


def run(source, duration, dt, **options):
    return nj.simulate(source, duration=duration, dt=dt, record=RECORD, **options)


def gaps_of(record, neurons):
    """All intervals of some neurons."""
    order = np.lexsort((record.times, record.neurons))
    times, of = record.times[order], record.neurons[order]
    within = (of[1:] == of[:-1]) & np.isin(of[1:], neurons)
    return np.diff(times)[within]


def test_poisson_counts_and_intervals():
    """Geometric intervals with p = 1 - exp(-rate dt), binomial counts."""
    rate = jnp.array([5.0, 50.0] * 200)
    sim = run(nj.neurons.Poisson(rate=rate, n=400), 1000.0, 1.0, key=jax.random.key(0))
    counts = sim["s"].counts()
    for i, r in enumerate((5.0, 50.0)):
        p = 1 - np.exp(-r * 1e-3)
        total = counts[i::2].sum()
        assert abs(total - 200_000 * p) < 4 * np.sqrt(200_000 * p * (1 - p))
    p = 1 - np.exp(-0.05)
    gaps = gaps_of(sim["s"], np.arange(1, 400, 2))
    assert gaps.min() == 1.0
    # long gaps are cut by the end of the run, so compare short ones
    k = np.arange(1, 11)
    observed = np.array([(gaps == j).sum() for j in k])
    expected = observed.sum() * stats.geom.pmf(k, p) / stats.geom.cdf(10, p)
    assert stats.chisquare(observed, expected).pvalue > 0.01


def test_inhomogeneous_poisson_follows_its_rate():
    n, dt = 2000, 1.0
    rate = nj.inputs.Step(200.0, start=20.0, stop=60.0)
    source = nj.neurons.InhomogeneousPoisson(n=n)
    sim = run(source, 80.0, dt, inputs={"rate": rate}, key=jax.random.key(1))
    steps = np.bincount(np.round(sim["s"].times).astype(int), minlength=81)[1:]
    assert steps[:20].sum() == 0 and steps[60:].sum() == 0
    p = 1 - np.exp(-0.2)
    assert abs(steps[20:60].sum() - 40 * n * p) < 4 * np.sqrt(40 * n * p * (1 - p))


def test_inhomogeneous_poisson_needs_its_rate():
    with pytest.raises(ValueError, match="needs the input 'rate'"):
        run(nj.neurons.InhomogeneousPoisson(), 1.0, 1.0, key=jax.random.key(0))
    parts = {"p": nj.neurons.InhomogeneousPoisson(), "E": nj.neurons.LIF()}
    within = lambda inputs: run(nj.Network(parts), 1.0, 1.0, key=jax.random.key(0), inputs=inputs)
    with pytest.raises(ValueError, match=r"population 'p': .*; in a network inputs=\{'p': \{"):
        within({"E": {"I_e": 1.0}})
    # the name that is wrong comes first
    with pytest.raises(KeyError, match=r"never reads the input 'Ex'\. Did you mean 'E'"):
        within({"Ex": {"I_e": 1.0}})
    with pytest.raises(
        KeyError, match=r"'I_e'\. Inputs of a network go by .*: \{'I_e': \.\.\.\}\}"
    ):
        within({"I_e": 1.0})


@pytest.mark.parametrize("dt", [0.1, 0.25])
def test_regular_times_are_the_nearest_steps(dt):
    interval, phase = np.array([1.0, 3.3, 7.773, 0.5]), np.array([0.5, 1.0, 2.0, 0.3])
    source = nj.neurons.Regular(interval=jnp.asarray(interval), phase=jnp.asarray(phase), n=4)
    sim = run(source, 100.0, dt)
    for i in range(4):
        exact = phase[i] + interval[i] * np.arange(250)
        steps = np.floor(exact / dt + 0.5 + 1e-9)
        steps = steps[(steps >= 1) & (steps <= 100 / dt)]
        np.testing.assert_array_equal(np.round(sim["s"].train(i) / dt), steps)


@pytest.mark.parametrize("x64", [True, False])
def test_regular_leaves_out_a_spike_at_time_0_and_keeps_the_others(x64):
    """At dt = 0.1; phases below half a step lie nearest to the start, 0.05 and 0.15 half way."""
    trains = {
        0.0: [13, 26, 39, 52], 0.04: [13, 26, 39, 52], 0.05: [1, 14, 27, 40, 53],
        0.06: [1, 14, 27, 40, 53], 0.1: [1, 14, 27, 40, 53], 0.15: [2, 15, 28, 41, 54],
    }  # fmt: skip
    with jax.enable_x64(x64):
        source = nj.neurons.Regular(interval=1.3, phase=np.array([*trains]), n=len(trains))
        spikes = run(source, 6.0, 0.1)["s"]
        shortest = nj.neurons.Regular(interval=0.1, phase=0.0)
        every = run(shortest, 0.5, 0.1)["s"].train(0)
    for i, steps in enumerate(trains.values()):
        np.testing.assert_array_equal(np.round(spikes.train(i) / 0.1), steps)
    np.testing.assert_array_equal(np.round(every / 0.1), [1, 2, 3, 4, 5])


def test_regular_keeps_time_over_long_runs(float32):
    """Two million steps in single precision: the last spike is where it should be."""
    source = nj.neurons.Regular(rate=jnp.array([0.01, 0.03]), n=2)
    sim = nj.simulate(source, duration=200_000.0, dt=0.1, record=RECORD)
    np.testing.assert_allclose(sim["s"].train(0), [1e5, 2e5], atol=0.11)
    np.testing.assert_allclose(sim["s"].train(1)[-1], 6 * 1e5 / 3, atol=0.11)


def test_regular_refusals():
    with pytest.raises(ValueError, match=r"either interval= .* or rate="):
        nj.neurons.Regular()
    with pytest.raises(ValueError, match="interval of Regular must be positive"):
        nj.neurons.Regular(interval=0.0)
    with pytest.raises(ValueError, match="interval of Regular must be finite, got inf"):
        nj.neurons.Regular(interval=np.inf)
    with pytest.raises(ValueError, match=r"below one step of 0\.5 ms"):
        run(nj.neurons.Regular(interval=0.2), 5.0, 0.5)


def test_gamma_intervals_are_those_of_the_law():
    """Against scipy's law; each neuron draws by its own number, whoever else is there."""
    simulate = lambda n, key=0: nj.simulate(
        nj.neurons.GammaRenewal(rate=100.0, shape=3.0, n=n), duration=2000.0, dt=0.5,
        key=jax.random.key(key), record={"s": nj.Spikes()},
    )["s"]  # fmt: skip
    spikes = simulate(70)
    intervals = np.concatenate([np.diff(spikes.train(i)) for i in range(70)])
    assert len(intervals) > 13_000
    # the grid of 0.5 ms is fine beside intervals of 10 ms
    law = stats.gamma(3.0, scale=10.0 / 3.0)
    spread = np.random.default_rng(0).uniform(-0.5, 0.5, len(intervals))
    assert stats.kstest(intervals + spread, law.cdf).statistic < 0.02
    fewer = simulate(33)
    for i in (0, 17, 32):
        np.testing.assert_array_equal(fewer.train(i), spikes.train(i))
    assert not np.array_equal(simulate(33, key=1).train(0), fewer.train(0))


def test_gamma_renewal_is_stationary_with_its_own_variability():
    shapes, rate, duration = (0.5, 1.0, 4.0, 16.0), 100.0, 400.0
    source = nj.neurons.GammaRenewal(rate=rate, shape=jnp.array(shapes * 100), n=400)
    record = run(source, duration, 0.1, key=jax.random.key(3))["s"]
    times, neurons = record.times, record.neurons
    for i, k in enumerate(shapes):
        gaps = gaps_of(record, np.arange(i, 400, 4))
        # intervals below twice the mean; one of length t fits into the run with weight 400 - t
        edges = np.linspace(0.0, 20.0, 201)
        weight = np.diff(stats.gamma(k, scale=10.0 / k).cdf(edges)) * (duration - edges[1:] + 0.05)
        cdf = np.cumsum(weight) / weight.sum()
        below = np.sort(gaps[gaps < 20.05])
        empirical = np.searchsorted(below, edges[1:], side="right") / len(below)
        # beyond 1 ms, where the rounding to steps no longer shows
        assert np.abs(empirical - cdf)[10:].max() < 1.95 / np.sqrt(len(below)) + 0.01
        # stationary from the start: the same rate in the first and the last tenth
        mine = times[neurons % 4 == i]
        for lo in (0.0, duration - 40.0):
            count = ((mine > lo + 0.05) & (mine < lo + 40.05)).sum()
            assert abs(count - 400) < 4.5 * np.sqrt(100 * max(4.0 / k, 0.5))


def test_replayed_spikes_come_back():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 400, 3000)
    neurons = rng.integers(0, 20, 3000)
    labels[:150], neurons[:150] = 7, np.arange(150) % 20  # more in one step than in a block
    source = nj.neurons.SpikeTimes(labels * 0.1 + rng.uniform(-0.04, 0.04, 3000), neurons, n=22)
    sim = run(source, 40.0, 0.1)
    expected = np.unique(np.stack([labels, neurons], axis=1), axis=0)
    found = np.stack([np.round(sim["s"].times / 0.1).astype(int), sim["s"].neurons], axis=1)
    np.testing.assert_array_equal(found, expected)
    # from another start, and in pieces
    late = run(source, 20.0, 0.1, t0=20.0)
    np.testing.assert_array_equal(late["s"].times, sim["s"].times[sim["s"].times > 20.05])


def test_replay_at_late_times_in_single_precision(float32):
    """At one hour float32 resolves a quarter of a millisecond; the steps are counted in double."""
    source = nj.neurons.SpikeTimes([[3_600_000.1, 3_600_000.3]])
    sim = nj.simulate(source, duration=1.0, dt=0.1, t0=3_600_000.0, record=RECORD)
    assert (np.asarray(sim["s"].steps) - 36_000_000).tolist() == [1, 3]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("x64", [True, False])
@pytest.mark.parametrize("dt", [0.1, 0.05, 0.25, 0.3])
def test_replay_half_way_between_two_steps_is_in_the_later_one(dt, x64, inside):
    """Times k dt + dt / 2, as decimal numbers: a step apart, so that no two share one."""
    k = np.arange(300)
    times = np.array([float(f"{(i + 0.5) * dt:.6g}") for i in k])
    for given in (
        times,
        times.astype(np.float32),
        dt / 2 + dt * k,
        np.cumsum(np.r_[dt / 2, dt + 0 * k[1:]]),
    ):
        with jax.enable_x64(x64):
            source = nj.neurons.SpikeTimes([given])
            if not inside:
                found = np.asarray(run(source, dt * 310, dt)["s"].steps)
            else:  # times that are not known when the run is compiled are counted in its precision
                replayed = lambda times, source=source: nj.simulate(
                    eqx.tree_at(lambda s: s.times, source, times), duration=dt * 310, dt=dt,
                    record={"x": nj.Trace("spike")},
                )["x"]  # fmt: skip
                found = 1 + np.flatnonzero(jax.jit(replayed)(jnp.asarray(given))[:, 0])
        np.testing.assert_array_equal(found, k + 1)


@pytest.mark.parametrize("inside", [False, True])
def test_replay_beyond_what_integers_count(float32, inside):
    """A time whose step overflows leaves the others sorted, and comes in no step."""
    given = nj.neurons.SpikeTimes([[2.0, 3e8, 1e300], [5.0]])

    def counted(source, t0=0.0):
        return nj.simulate(source, duration=20.0, dt=0.1, t0=t0).stats.spikes[""]

    assert int((jax.jit(counted) if inside else counted)(given)) == 2
    assert int(counted(given, 214_748_344.6)) == 0  # to the last step that is counted
    with pytest.raises(ValueError, match=r"to 2147483647 of dt=0\.1 ms"):
        counted(given, 214_748_344.7)


@pytest.mark.parametrize("inside", [False, True])
def test_replay_after_the_last_step_of_32_bits(inside):
    given = nj.neurons.SpikeTimes([[2.2e8 + 2.0, 2.2e8 + 3.3, 1e300]])
    run = lambda source: nj.simulate(
        source, t0=2.2e8, duration=20.0, dt=0.1, record={"V": nj.Trace("spikes", 0)}
    )
    spikes = (jax.jit(run) if inside else run)(given)["V"]
    assert np.flatnonzero(spikes).tolist() == [19, 32]


def test_replayed_raster():
    raster = np.random.default_rng(1).random((30, 5)) < 0.3
    sim = run(nj.neurons.SpikeTimes.from_raster(raster, dt=0.5), 15.0, 0.5)
    step, neuron = np.nonzero(raster)
    np.testing.assert_allclose(sim["s"].times, 0.5 * (step + 1))
    np.testing.assert_array_equal(sim["s"].neurons, neuron)


def test_replay_of_nothing():
    assert int(run(nj.neurons.SpikeTimes([[], []]), 1.0, 0.5).stats.spikes[""]) == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nj.neurons.SpikeTimes([[0.0]]), "positive and finite"),
        (lambda: nj.neurons.SpikeTimes([1.0, 2.0], [0]), "same length"),
        (lambda: nj.neurons.SpikeTimes([1.0], [3], n=2), "between 0 and 1"),
        (lambda: nj.neurons.SpikeTimes([1.0], [0.5]), "whole numbers"),
        (lambda: run(nj.neurons.SpikeTimes([[0.01]]), 1.0, 0.1), "nearest to time 0"),
        (lambda: nj.neurons.SpikeTimes.from_raster([[0.0, np.nan]], 0.1), "spikes has NaN"),
        (lambda: nj.neurons.Poisson(rate=-1.0), "rate of Poisson must not be negative"),
        (lambda: nj.neurons.GammaRenewal(shape=0.0), "shape of GammaRenewal must be positive"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_parrot_repeats_in_the_step_of_arrival():
    values = np.zeros((6, 2))
    values[1, 0], values[3, 1], values[4] = 0.5, 3.0, 1.0
    sim = run(nj.neurons.Parrot(n=2), 6.0, 1.0, inputs={"spikes": nj.inputs.Sampled(values, 1.0)})
    np.testing.assert_array_equal(sim["s"].times, [2.0, 4.0, 5.0, 5.0])
    np.testing.assert_array_equal(sim["s"].neurons, [0, 1, 0, 1])


def test_sources_drive_a_network():
    """A spike with label t and delay d is in the state with label t + d; then the parrot spikes."""
    net = nj.Network(
        {"source": nj.neurons.SpikeTimes([[1.0, 2.0]]), "relay": nj.neurons.Parrot(n=1)},
        [
            nj.Projection(
                "source", "relay", "spikes", nj.connectivity.all_to_all(), weight=1.0, delay=0.5
            )
        ],
        key=jax.random.key(0),
    )
    sim = nj.simulate(net, duration=4.0, dt=0.1, record={"s": nj.Spikes("relay")})
    np.testing.assert_allclose(sim["s"].times, [1.5, 2.5])


def resumed(source, dt, key=None, record=RECORD):
    """The spikes in steps of `dt` ms, after 4 ms in steps of 1 ms."""
    state = nj.simulate(source, duration=4.0, dt=1.0, key=key).final_state
    return nj.simulate(source, duration=60.0, dt=dt, state=state, key=key, record=record)["s"]


@pytest.mark.parametrize("dt", [1.0, 0.5, 0.25, 0.1, 2.0])
def test_regular_goes_on_with_another_step(dt):
    interval, phase = np.array([20.0, 7.311, 5.513]), np.array([20.0, 1.871, 4.6])
    spikes = resumed(nj.neurons.Regular(interval=interval, phase=phase, n=3), dt)
    for i in range(3):
        exact = phase[i] + interval[i] * np.arange(12)
        label = np.floor(exact / dt + 0.5 + 1e-9)
        # at 4.6 ms is a spike that the step of 1 ms until 5 ms would have had
        label = label[(exact > 4.0 + 1e-9) & (label <= 64.0 / dt)]
        if dt == 2.0:  # the step nearest to 4.6 ms has gone by
            label = np.maximum(label, 3)
        np.testing.assert_array_equal(np.round(spikes.train(i) / dt), label)


@pytest.mark.parametrize("dt", [0.5, 0.25, 0.1, 2.0])
def test_gamma_renewal_goes_on_with_another_step(dt):
    source = nj.neurons.GammaRenewal(rate=25.0, shape=900.0, n=40)
    key = jax.random.key(2)
    coarse, other = (resumed(source, step, key) for step in (1.0, dt))
    for i in range(40):
        # the time lies in the step that ends with the spike
        end, found = coarse.train(i)[0], other.train(i)[0]
        assert end - 1.0 - 1e-9 < found < end + dt + 1e-9


def test_sources_in_networks_go_on_with_another_step():
    source = nj.Network({"N": nj.Network({"R": nj.neurons.Regular(interval=20.0)})})
    spikes = resumed(source, 0.5, record={"s": nj.Spikes("N.R")})
    assert spikes.times.tolist() == [20.0, 40.0, 60.0]


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_steps_are_counted_anew_inside_jit(dt):
    """There it is not known whether the steps of the state are others."""
    source = nj.neurons.Regular(interval=20.0)
    state = nj.simulate(source, duration=4.0, dt=1.0).final_state
    go_on = lambda state: nj.simulate(source, duration=10.0, dt=dt, state=state).final_state
    for a, b in zip(*map(jax.tree.leaves, (jax.jit(go_on)(state), go_on(state))), strict=True):
        np.testing.assert_array_equal(a, b)


def _steps(source, dt=0.1):
    """The steps in which neurons of a source spike, as rows (neuron, step)."""
    record = {"spikes": nj.Trace("spikes")}
    spikes = nj.simulate(source, duration=30.0, dt=dt, record=record)["spikes"]
    return jnp.stack([spikes.sum(0), (spikes * jnp.arange(1, len(spikes) + 1)[:, None]).sum(0)])


ORDERS = [[8.0, 11.0, 4.0], [4.0, 8.0, 11.0], [11.0, 8.0, 4.0], [0.3, 25.0, 25.0]]


@pytest.mark.parametrize("on_grid", [False, True])
@pytest.mark.parametrize("dt", [0.1, 0.05])
def test_times_that_are_replaced(on_grid, dt):
    """Inside of transforms the steps of the old times went on, and unsorted ones were lost."""
    source = nj.neurons.SpikeTimes([[5.0], [20.0], [9.0]])
    source = source.on_grid(0.1) if on_grid else source
    neurons = np.asarray(source.neurons)
    replaced = lambda times: _steps(eqx.tree_at(lambda s: s.times, source, times), dt)
    expected = []
    for times in ORDERS:
        steps = np.zeros(3)
        steps[neurons] = np.round(np.array(times) / dt)
        expected.append(np.stack([np.ones(3), steps]))
        for run in (replaced, jax.jit(replaced)):
            np.testing.assert_array_equal(run(jnp.array(times)), expected[-1])
    np.testing.assert_array_equal(jax.vmap(replaced)(jnp.array(ORDERS)), expected)
    inside = eqx.filter_jit(lambda source: _steps(source, dt))(source)
    np.testing.assert_array_equal(inside[1], np.round(np.array([5.0, 20.0, 9.0]) / dt))


def test_sources_that_are_built_inside_of_transforms():
    build = lambda times: _steps(nj.neurons.SpikeTimes([times[:2], times[2:]]))
    found = jax.jit(jax.vmap(build))(jnp.array(ORDERS))
    for (spikes, steps), times in zip(found, ORDERS, strict=True):
        np.testing.assert_array_equal(spikes, [2, 1])
        ends = np.round(np.array(times) / 0.1)
        np.testing.assert_array_equal(steps, [ends[:2].sum(), ends[2]])
    with pytest.raises(ValueError, match="neurons must be known"):
        jax.jit(lambda which: _steps(nj.neurons.SpikeTimes(jnp.ones(2), which)))(jnp.arange(2))
    with pytest.raises(ValueError, match="spikes must be known"):
        jax.jit(lambda x: _steps(nj.neurons.SpikeTimes.from_raster(x, 0.1)))(jnp.eye(3))


def test_the_derivative_of_trials_with_times_of_their_own():
    """By many weights, of a sum over trials: no branch of the source stands in the way."""
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)}).population(9)
    name, everyone = "a->b:exc", nj.connectivity.all_to_all()
    pairs = nj.Projection("a", "b", "exc", everyone, weight=np.full(18, 30.0))
    net = nj.Network({"a": nj.neurons.SpikeTimes([[5.0, 8.0], [7.0]]), "b": cell}, [pairs])
    where = lambda n: (n.projections[name].weight, n.populations["a"].times)

    def mean(weight, times):
        moved = eqx.tree_at(where, net, (weight, times))
        return nj.simulate(moved, duration=20.0, dt=0.1, record={"V": "b.V_m"})["V"].mean()

    trials, weight = (
        jnp.array([[5.0, 7.0, 8.0], [8.0, 7.0, 5.0], [1.0, 2.0, 3.0]]),
        jnp.full(18, 30.0),
    )
    together = jax.grad(lambda w: jax.vmap(mean, (None, 0))(w, trials).sum())(weight)
    each = sum(jax.grad(mean)(weight, times) for times in trials)
    np.testing.assert_allclose(together, each, rtol=1e-9)


@pytest.mark.parametrize("on_grid", [False, True])
def test_times_that_are_frozen(on_grid):
    """They met an internal error; an optimiser that leaves frozen arrays alone must not see any."""
    source = nj.neurons.SpikeTimes([[5.0], [20.0], [9.0]])
    source = source.on_grid(0.1) if on_grid else source
    is_frozen = lambda x: isinstance(x, paramax.NonTrainable)
    replaced = lambda t: eqx.tree_at(lambda s: s.times, source, nj.frozen(t))
    for frozen in (nj.frozen(source), nj.frozen(source).on_grid(0.1)):
        assert not jax.tree.leaves(eqx.filter(frozen, eqx.is_inexact_array, is_leaf=is_frozen))
        np.testing.assert_array_equal(_steps(frozen)[1], [50, 200, 90])
        np.testing.assert_array_equal(eqx.filter_jit(_steps)(frozen)[1], [50, 200, 90])
    moved = np.array([8.0, 25.0, 4.0])
    for run in (lambda t: _steps(replaced(t)), jax.jit(lambda t: _steps(replaced(t)))):
        steps = run(jnp.asarray(moved))[1]
        np.testing.assert_array_equal(steps[source.neurons], np.round(moved / 0.1))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([5.0, 8.0], r"as many as neurons, 3, got shape \(2,\)"),
        ([5.0, np.nan, 8.0], "positive and finite"),
        ([5.0, -1.0, 8.0], "positive and finite"),
    ],
)
def test_replaced_times_that_are_refused(times, message):
    source = nj.neurons.SpikeTimes([[5.0], [20.0], [9.0]])
    go = lambda t: _steps(eqx.tree_at(lambda s: s.times, source, t))
    with pytest.raises(ValueError, match=message):
        go(jnp.array(times))
    if len(times) != 3:
        with pytest.raises(ValueError, match=message):
            jax.jit(go)(jnp.array(times))
