"""Networks of given spike trains on both sides of plastic projections."""

import numpy as np

import neurojax as nj


def random_trains(n, duration, rate, seed, dt=0.1):
    """Poisson trains on a grid, some of which share spike times."""
    rng = np.random.default_rng(seed)
    steps = round(duration / dt)
    raster = rng.random((steps, n)) < rate * 1e-3 * dt
    raster[rng.integers(0, steps, 12)] = True
    return [dt * (np.flatnonzero(train) + 1) for train in raster.T]


def network(pre, post, rules, weight=1.0, delay=0.1, edges=None):
    """One projection for each rule by name, between the same replayed trains."""
    edges = nj.connectivity.one_to_one() if edges is None else edges
    return nj.Network(
        {"pre": nj.neurons.SpikeTimes(pre), "post": nj.neurons.SpikeTimes(post)},
        [
            nj.Projection(
                "pre", "post", "in", edges, weight=weight, delay=delay, plasticity=rule, name=name
            )
            for name, rule in rules.items()
        ],
    )


def final_weights(net, duration, dt=0.1, **options):
    """The weights of all projections after a run."""
    sim = nj.simulate(net, duration=duration, dt=dt, **options)
    return {name: np.asarray(net.weights(sim.final_state, name)) for name in net.projections}
