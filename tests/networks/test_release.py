"""Short-term plasticity and quantal release inside a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

TIMES = [[5.0, 15.0, 25.0, 27.0, 60.0], [], [10.0, 11.0, 12.0, 13.0]]


def network(release, delay=0.5, weight=3.0):
    post = nj.neurons.LIF(n=2, receptors={"exc": nj.synapses.ExpCurrent(tau=4.0)})
    graph = nj.connectivity.from_matrix(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    projection = nj.Projection(
        "in", "out", "exc", graph, weight=weight, delay=delay, release=release, name="in"
    )
    return nj.Network({"in": nj.neurons.SpikeTimes(TIMES), "out": post}, [projection])


def current(net, **options):
    return nj.simulate(net, duration=80.0, dt=0.1, record={"I": nj.Trace("out.exc.I")}, **options)[
        "I"
    ]


def by_events(U, tau_rec, tau_facil, weight=3.0, delay=0.5):
    """Currents of both targets from the spike times, written out event by event."""
    t = np.arange(1, 801) * 0.1
    amplitudes = []
    for times in TIMES:
        u, x, last, found = 0.0, 1.0, None, []
        for now in times:
            if last is not None:
                x = 1 - (1 - x) * np.exp(-(now - last) / tau_rec)
                u = u * np.exp(-(now - last) / tau_facil)
            u = u + U * (1 - u)
            found.append((now + delay, u * x))
            x, last = x - u * x, now
        amplitudes.append(found)
    shape = lambda s: np.where(t >= s - 1e-6, np.exp(-(t - s) / 4.0), 0.0)
    sums = [sum((weight * a * shape(s) for s, a in found), np.zeros(800)) for found in amplitudes]
    return np.stack([sums[0] + sums[1], sums[1] + sums[2]], axis=1)


@pytest.mark.parametrize(("U", "tau_rec", "tau_facil"), [(0.5, 100.0, 1e-3), (0.1, 30.0, 200.0)])
@pytest.mark.parametrize("weight", [3.0, "own"])
def test_depression_and_facilitation(U, tau_rec, tau_facil, weight):
    release = nj.synapses.TsodyksMarkram(U=U, tau_rec=tau_rec, tau_facil=tau_facil)
    own = np.full(4, 3.0) if weight == "own" else weight
    found = current(network(release, weight=own))
    np.testing.assert_allclose(found, by_events(U, tau_rec, tau_facil), rtol=1e-9, atol=1e-9)


def test_the_parameters_of_release_have_gradients():
    def total(U):
        release = nj.synapses.TsodyksMarkram(U=U, tau_rec=50.0, tau_facil=100.0)
        return jnp.mean(jnp.asarray(current(network(release))) ** 2)

    h = 1e-6
    numeric = (total(0.3 + h) - total(0.3 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(total)(0.3), numeric, rtol=1e-6)


def test_quantal_release_fails_sometimes():
    net = network(nj.synapses.Quantal(N=1, p=0.5, tau_rec=1e-6, tau_facil=0.0))
    keys = jax.random.split(jax.random.key(0), 8)
    found = jax.vmap(lambda key: current(net, key=key))(keys)
    values = np.unique(np.round(found[:, 55, 0], 6))  # just after the first spike of neuron 0
    np.testing.assert_allclose(values, [0.0, 3.0 * np.exp(-0.1 / 4.0)], atol=1e-6)


def test_parameters_of_release_are_drawn():
    release = nj.synapses.TsodyksMarkram(
        U=nj.random.Uniform(0.2, 0.8), tau_rec=nj.random.Uniform(50.0, 200.0)
    )
    post = nj.neurons.LIF(n=1, receptors={"exc": nj.synapses.ExpCurrent(tau=4.0)})
    trains = [[5.0, 25.0]] * 40
    build = lambda key, release=release: nj.Network(
        {"in": nj.neurons.SpikeTimes(trains), "out": post},
        [
            nj.Projection(
                "in", "out", "exc", nj.connectivity.all_to_all(), weight=1.0, release=release
            )
        ],
        key=key,
    )
    net = build(jax.random.key(1))
    found = net.projections["in->out:exc"].release
    U, tau_rec = np.asarray(found.U), np.asarray(found.tau_rec)
    assert U.shape == tau_rec.shape == (40,) and np.ptp(U) > 0.3 and np.ptp(tau_rec) > 50.0
    I = nj.simulate(net, duration=26.0, dt=0.1, record={"I": nj.Trace("out.exc.I")})["I"][:, 0]
    first, second = np.sum(U), np.sum(U * (1 - U * np.exp(-20.0 / tau_rec)))
    assert I[50] == pytest.approx(first, rel=1e-5)
    assert I[250] == pytest.approx(second + first * np.exp(-20.0 / 4.0), rel=1e-5)
    with pytest.raises(ValueError, match="is random: give the network key="):
        build(None)
    with pytest.raises(ValueError, match="U of TsodyksMarkram must lie between 0 and 1"):
        build(jax.random.key(0), nj.synapses.TsodyksMarkram(U=nj.random.Normal(0.9, 1.0)))


def integrated(U, tau_rec, tau_facil, times, steps, fine=100):
    """u and x at the ends of steps of 0.1 ms: the equations by Heun's method in small steps."""
    h, u, x, found = 0.1 / fine, 0.0, 1.0, []
    spikes = {round(t / 0.1) for t in times}
    flow = lambda u, x: (-u / tau_facil, (1 - x) / tau_rec)
    for step in range(1, steps + 1):
        for _ in range(fine):
            du, dx = flow(u, x)
            du2, dx2 = flow(u + h * du, x + h * dx)
            u, x = u + h * (du + du2) / 2, x + h * (dx + dx2) / 2
        if step in spikes:
            u = u + U * (1 - u)
            x = x - u * x
        found.append((u, x))
    return np.array(found).T


@pytest.mark.parametrize("plasticity", [None, nj.plasticity.PairSTDP(w_max=9.0)])
def test_terminals_are_recorded_at_the_end_of_each_step(plasticity):
    """In every step, not only at spikes; beside the weights where these learn."""
    U, tau_rec, tau_facil = 0.2, 30.0, 80.0
    release = nj.synapses.TsodyksMarkram(U=U, tau_rec=tau_rec, tau_facil=tau_facil)
    net = network(release)
    (old,) = net.projections.values()
    net = nj.Network(net.populations, [nj.Projection(
        "in", "out", "exc", old.edges, weight=3.0, delay=0.5, release=release, name="in",
        plasticity=plasticity,
    )])  # fmt: skip
    names = ["u", "x"]
    record = {name: nj.Trace(f"projections.in.release.{name}") for name in names}
    if plasticity is not None:
        record["weights"] = nj.Trace("projections.in.weights")
    sim = nj.simulate(net, duration=80.0, dt=0.1, record=record)
    for i, times in enumerate(TIMES):
        expected = integrated(U, tau_rec, tau_facil, times, 800)
        for name, own in zip(names, expected, strict=True):
            np.testing.assert_allclose(sim[name][:, i], own, rtol=1e-6, atol=1e-9)
    # the next spike would release with u + U (1 - u), which moves as in Mongillo et al. (2008)
    R, times = U, {round(t / 0.1) for t in TIMES[0]}
    for step in range(1, 801):
        R = U + (R - U) * np.exp(-0.1 / tau_facil)
        R += U * (1 - R) * (step in times)
        u = sim["u"][step - 1, 0]
        assert u + U * (1 - u) == pytest.approx(R, rel=1e-9)
    if plasticity is not None:
        assert sim["weights"].shape == (800, 4)
    with pytest.raises(nj.UnknownNameError, match=r"release\.u"):
        nj.simulate(net, duration=1.0, dt=0.1, record={"u": nj.Trace("release.in.u")})


def test_full_sites_are_recorded():
    """Without recovery each release leaves one site less."""
    release = nj.synapses.Quantal(N=3, p=1.0, tau_rec=1e9)
    record = {"full": nj.Trace("projections.in.release.full")}
    sim = nj.simulate(network(release), duration=30.0, dt=0.1, record=record, key=jax.random.key(0))
    late = np.arange(1, 301)[:, None] * 0.1
    spent = [np.any(late > np.array(times)[None, :1] - 1e-6, axis=1) if times else 0 * late[:, 0]
             for times in TIMES]  # fmt: skip
    np.testing.assert_array_equal(sim["full"], 3 - 3 * np.stack(spent, axis=1).astype(int))


def test_terminals_that_nobody_records_are_not_computed():
    """The same program, with what recorders could see and without."""
    import re

    def program(release):
        run = lambda w: nj.simulate(network(release, weight=w), duration=2.0, dt=0.1).stats.spikes
        text = jax.jit(run).lower(3.0).compile().as_text()
        return len(re.findall(r"^\s+\S+ = ", text, re.MULTILINE))

    class Blind(nj.synapses.AbstractRelease):
        of: nj.synapses.TsodyksMarkram

        def init_state(self, n):
            return self.of.init_state(n)

        def release(self, state, fired, clock):
            return self.of.release(state, fired, clock)

        def visible(self, state):
            return {}

    seen = nj.synapses.TsodyksMarkram(U=0.2, tau_rec=30.0, tau_facil=80.0)
    assert program(seen) == program(Blind(seen))
