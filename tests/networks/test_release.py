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
