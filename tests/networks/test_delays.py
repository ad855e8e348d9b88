"""Delays on other grids, between steps, and their derivative."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

SYN = {"syn": nj.synapses.ExpCurrent(tau=5.0)}


def pair(delay, **options):
    pre = nj.neurons.LIF(E_L=0.0, V_th=15.0, V_reset=0.0, initial={"V_m": 14.99}, receptors=SYN)
    projection = nj.Projection(
        "pre", "post", "syn", nj.connectivity.one_to_one(), weight=7.0, delay=delay, **options
    )
    post = nj.neurons.LIF(receptors=SYN)
    return nj.Network({"pre": pre, "post": post}, [projection])


def current(net, dt=0.1, duration=5.0):
    inputs = {"pre": {"I_e": nj.inputs.Step(1000.0, stop=1.0)}}
    record = {"I": nj.Trace("post.syn.I")}
    return nj.simulate(net, duration=duration, dt=dt, inputs=inputs, record=record)["I"][:, 0]


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.25])
def test_the_grid_is_that_of_the_simulation(dt):
    net = pair(1.5)
    found = np.flatnonzero(current(net, dt))[0] + 1
    assert found == 1 + round(1.5 / dt)
    if dt != 0.1:
        placed = net.on_grid(dt)
        np.testing.assert_array_equal(current(placed, dt), current(net, dt))


def test_a_delay_off_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"delay=1.5 ms .*dt=0.4 ms.*nearest that is: 1.6"):
        current(pair(1.5), dt=0.4, duration=4.8)
    with pytest.raises(ValueError, match="one step later at the earliest"):
        pair(0.0)
    with pytest.raises(ValueError, match=r"not (be )?negative"):
        pair(nj.random.Uniform(-2.0, -1.0))


def test_delays_in_arrays_are_rounded_to_one_step_at_least():
    """In steps of 0.1 ms: a spike with label 1.0 changes V_m with label 1.0 + d."""
    delays = np.array([0.01, 0.04, 0.06, 0.14, 0.16, 0.31])
    cell = nj.neurons.LIF(n=6, receptors={"e": nj.synapses.Delta()})
    within = lambda delay: nj.Network(
        {"s": nj.neurons.SpikeTimes([[1.0]]), "c": cell},
        [nj.Projection("s", "c", "e", nj.connectivity.all_to_all(), weight=5.0, delay=delay)],
    )
    V = nj.simulate(within(delays), duration=2.0, dt=0.1, record={"V": "c.V_m"})["V"]
    arrived = np.argmax(np.asarray(V) > -69.0, axis=0) + 1
    np.testing.assert_array_equal(arrived - 10, [1, 1, 1, 1, 2, 3])
    with pytest.raises(ValueError, match=r"delay=0.04 ms .*at least one.*nearest that is: 0.1"):
        nj.simulate(within(0.04), duration=2.0, dt=0.1)


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.25])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_half_a_step_of_delay_is_rounded_up(dt, kind):
    whole = np.arange(1, 2000)
    graph = nj.connectivity.from_edges(np.zeros(len(whole), int), np.arange(len(whole)))
    cell = nj.neurons.LIF(n=len(whole), receptors=SYN)

    def steps(delay):
        synapse = nj.Projection("s", "c", "syn", graph, delay=np.asarray(delay, kind), name="s")
        net = nj.Network({"s": nj.neurons.SpikeTimes([[1.0]]), "c": cell}, [synapse])
        return net.projections["s"].delay_steps(dt)

    np.testing.assert_array_equal(steps((whole + 0.5) * dt), whole + 1)
    np.testing.assert_array_equal(steps((whole + 0.49) * dt), whole)
    np.testing.assert_array_equal(steps(whole * dt), whole)


def test_a_delay_between_steps_is_split_over_both():
    early, late = current(pair(1.5)), current(pair(1.6))
    mixed = current(pair(1.53, interpolate=True))
    np.testing.assert_allclose(mixed, 0.7 * early + 0.3 * late, rtol=1e-6, atol=1e-9)
    whole = current(pair(1.5, interpolate=True))
    np.testing.assert_allclose(whole, early, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("delay", [-0.3, 0.0, 0.02, 0.05])
def test_a_delay_below_a_step_is_a_step(delay):
    """It was extrapolated: twice the weight in the first step, and less than nothing after it."""
    first = current(pair(0.1))
    if delay > 0:
        np.testing.assert_allclose(current(pair(delay, interpolate=True)), first, atol=1e-12)
    where = lambda n: n.projections["pre->post:syn"].delay
    learned = eqx.tree_at(where, pair(0.15, interpolate=True), jnp.array([delay]))
    for net in (learned, learned.on_grid(0.1)):
        np.testing.assert_allclose(current(net), first, rtol=1e-9, atol=1e-12)


def test_a_delay_that_has_left_its_two_steps_stays_at_the_nearer():
    """Until `on_grid` lays the network out anew; the slope is that of the two steps."""
    net = pair(0.25, interpolate=True)
    where = lambda n: n.projections["pre->post:syn"].delay
    moved = lambda delay: jnp.asarray(current(eqx.tree_at(where, net, delay)))
    for delay, nearer in ((0.05, 0.2), (0.5, 0.3)):
        at = jnp.array([delay])
        np.testing.assert_allclose(jax.jit(moved)(at), current(pair(nearer)), atol=1e-12)
        _, slope = jax.jvp(moved, (at,), (jnp.ones(1),))
        expected = (current(pair(0.3)) - current(pair(0.2))) / 0.1
        np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-9)


def test_the_derivative_by_the_delay():
    net = pair(1.53, interpolate=True)
    name = "pre->post:syn"
    target = current(pair(2.1))

    def loss(delay):
        moved = eqx.tree_at(lambda n: n.projections[name].delay, net, delay)
        return jnp.mean((jnp.asarray(current(moved)) - target) ** 2)

    h = 1e-4
    slope = jax.jit(jax.grad(loss))(jnp.array([1.53]))
    numeric = (loss(jnp.array([1.53 + h])) - loss(jnp.array([1.53 - h]))) / (2 * h)
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-6)


@pytest.mark.parametrize("given", [1.53, np.array([1.53])])
def test_a_delay_that_stays_positive(given):
    """Its slope is that of the plain delay, times that of what keeps it positive."""
    where = lambda n: n.projections["pre->post:syn"].delay
    loss = lambda net: jnp.sum(jnp.asarray(current(net)) ** 2)
    plain, kept = pair(1.53, interpolate=True), pair(nj.positive(given), interpolate=True)
    for net in (kept, kept.on_grid(0.1), eqx.tree_at(where, plain, nj.positive(np.array([1.53])))):
        np.testing.assert_allclose(current(net), current(plain), rtol=1e-9, atol=1e-12)
        slope = where(eqx.filter_grad(loss)(plain))
        (got,) = jax.tree.leaves(where(eqx.filter_grad(loss)(net)))
        np.testing.assert_allclose(got, 1.53 * slope.reshape(got.shape), rtol=1e-9)  # it is exp(x)
    with pytest.raises(ValueError, match=r"needs interpolate=True"):
        pair(nj.positive(given))
    with pytest.raises(ValueError, match=r"shape \(3,\), but there are 1 syn"):
        pair(nj.positive(np.ones(3)), interpolate=True)


def test_delays_that_are_learned_share_a_program():
    where = lambda n: n.projections["pre->post:syn"].delay
    traced = []

    @eqx.filter_jit
    @eqx.filter_grad
    def slope(net):
        traced.append(1)
        return jnp.sum(jnp.asarray(current(net)) ** 2)

    net = pair(1.73, interpolate=True)
    slope(net)
    before = len(traced)
    for delay in (1.62, 1.85, 2.1):
        slope(eqx.tree_at(where, net, jnp.array([delay])).on_grid(0.1))
    assert len(traced) == before


def test_a_delay_that_is_no_number_is_named():
    net = pair(1.5, interpolate=True)
    where = lambda n: n.projections["pre->post:syn"].delay
    with pytest.raises(ValueError, match=r"delays of projection 'pre->post:syn' must be finite"):
        eqx.tree_at(where, net, jnp.array([jnp.nan])).on_grid(0.1)


def test_a_delay_is_learned():
    net = pair(1.73, interpolate=True)
    name = "pre->post:syn"
    where = lambda n: n.projections[name].delay
    # a smooth target: the delayed current, low-pass filtered
    smooth = lambda x: jnp.convolve(x, jnp.exp(-jnp.arange(40) / 15.0))[: len(x)]
    target = smooth(current(pair(2.0)))
    slope = eqx.filter_jit(
        eqx.filter_grad(
            lambda d, net: jnp.mean((smooth(current(eqx.tree_at(where, net, d))) - target) ** 2)
        )
    )
    for _ in range(14):
        step = slope(where(net), net)
        net = eqx.tree_at(where, net, where(net) - 0.03 * jnp.sign(step)).on_grid(0.1)
    assert abs(float(where(net)[0]) - 2.0) < 0.06


def test_moving_delays_need_a_layout_before_jit():
    net = pair(1.5, interpolate=True)

    def run(delay):
        moved = eqx.tree_at(lambda n: n.projections["pre->post:syn"].delay, net, delay)
        return jnp.sum(jnp.asarray(current(moved, dt=0.05)))

    with pytest.raises(ValueError, match=r"call net.on_grid\(0.05\) before"):
        jax.jit(run)(jnp.array([1.5]))


@pytest.mark.parametrize("dt", [np.nan, 0.0, -1.0])
def test_a_grid_is_a_positive_number(dt):
    with pytest.raises(ValueError, match="dt must be a positive number of ms, got"):
        pair(1.5).on_grid(dt)


def test_delays_lie_on_the_grid_of_the_run():
    """A network does not know the step of its runs: delays of 1.25 ms are right for some."""
    cell = nj.neurons.LIF(receptors={"e": nj.synapses.Delta()})
    one = nj.connectivity.all_to_all()
    make = lambda **options: nj.Network(
        {"c": cell, "s": nj.neurons.SpikeTimes([[2.0]])},
        [
            nj.Projection("s", "c", "e", one, weight=3.0, delay=1.25),
            nj.Projection("s", "c", "e", one, weight=1.0, delay=0.2, name="early"),
        ],
        **options,
    )
    net = make()
    assert net.layout.dt == 0.05
    V = nj.simulate(net, duration=5.0, dt=0.05, record={"V": "c.V_m"})["V"][:, 0]
    jumps = 0.05 * (2 + np.flatnonzero(np.diff(V) > 0.5))  # a state bears the end of its step
    np.testing.assert_allclose(jumps, [2.2, 3.25])
    with pytest.raises(ValueError, match=r"'early' is not a whole number of steps of dt=0.25"):
        nj.simulate(net, duration=5.0, dt=0.25)
    with pytest.raises(ValueError, match=r"delay=1.25 ms.*dt=0.1 ms"):
        make(dt=0.1)
    third = nj.Projection("s", "c", "e", one, weight=3.0, delay=1 / 3)
    assert nj.Network(net.populations, [third]).layout.dt == pytest.approx(1 / 30)
    odd = nj.Projection("s", "c", "e", one, weight=3.0, delay=np.pi, name="odd")
    with pytest.raises(ValueError, match=r"projection 'odd': no step.*Network\(..., dt=0.25\)"):
        nj.Network(net.populations, [odd])
    assert nj.Network(net.populations, [odd], dt=np.pi / 10).layout.steps == 10
