"""What is computed before the loop over time: in few programs, with the numbers of no program."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.inputs import begin_noise
from neurojax.core.one_program import one_program

KEY = jax.random.key(5)
LAWS = {
    "Uniform": lambda: nj.random.Uniform(-65.3, -50.1),
    "Normal": lambda: nj.random.Normal(-58.3, 10.1),
    "LogNormal": lambda: nj.random.LogNormal(3.3, 0.7),
    "Clipped": lambda: nj.random.Clipped(nj.random.Normal(-58.3, 10.1), low=-60.0),
}


def noises():
    return [
        nj.inputs.Poisson(12_345.6, 2.7, shape=(500,)),
        nj.inputs.Poisson(3.3, 0.7, shape=(500,)),
        nj.inputs.OrnsteinUhlenbeck(1.3, 50.1, 5.3, shape=(500,)),
    ]


def cells(n, law):
    receptors: dict = {"exc": nj.synapses.AlphaCurrent(tau=2.3)}
    return nj.neurons.LIF(n=n, receptors=receptors, initial={"V_m": law, "exc.I": 3.3})


def assert_same(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert (a.dtype, a.weak_type) == (b.dtype, b.weak_type)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("law", LAWS)
def test_a_law_draws_what_it_draws_alone(law, x64):
    with jax.enable_x64(x64):
        law = LAWS[law]()
        state = cells(700, law).init_state(key=KEY)
        own = nj.Clock(0, 1.0, KEY).child("V_m").key
        np.testing.assert_array_equal(state["V_m"], law.sample(own, (700,)))


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_noise_begins_as_it_begins_alone(noise, x64):
    with jax.enable_x64(x64):
        inputs = {"a": {str(i): x for i, x in enumerate(noises())}, "none": {}}
        clock = nj.Clock(3, 0.1, KEY, noise)
        assert_same(one_program(begin_noise, inputs, clock), begin_noise(inputs, clock))


def test_a_product_is_rounded_before_the_sum():
    def f(a, b, c):
        return a + b * c

    a, b, c = (jax.random.normal(k, (10_000,)) for k in jax.random.split(KEY, 3))
    product = np.asarray(b) * np.asarray(c)
    np.testing.assert_array_equal(one_program(f, a, b, c), np.asarray(a) + product)


def network(sizes):
    laws = {"V_m": nj.random.Uniform(-65.0, -50.0)}
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent(tau=5.0)}, initial=laws)
    parts = {f"p{i}": cell.population(n) for i, n in enumerate(sizes)}
    graph = nj.connectivity.fixed_indegree(2)
    links = [nj.Projection(p, list(parts), "exc", graph, weight=1.0, delay=1.0) for p in parts]
    return nj.Network(parts, links, key=KEY)


def run(net, seed=0):
    noise = lambda n: {"exc": nj.inputs.Poisson(1000.0, 10.0, shape=(n,))}
    inputs = {name: noise(n) for name, n in net.sizes.items()}
    record = {"s": nj.Spikes(*net.sizes)}
    key = jax.random.key(seed)
    return nj.simulate(net, duration=2.0, dt=0.1, inputs=inputs, record=record, key=key)


def test_programs_before_the_loop_are_few(compiled_in):
    nets = [network(range(10, 10 + n)) for n in (2, 6)]
    few, many = (compiled_in(lambda net=net: run(net)) for net in nets)
    assert many - few <= 4  # one more for each size, and some of what the build left
    assert compiled_in(lambda: run(nets[1], seed=1)) == 0


class Counted(nj.inputs.AbstractStochasticInput):
    """Noise that begins with a number of the host."""

    shape: tuple[int, ...] = eqx.field(static=True, default=())

    def init_state(self, clock, name):
        return jnp.float32(int(clock.step) + 7)

    def advance(self, state, clock, name):
        return state


def test_models_of_others_begin_on_the_host():
    seen = []

    class Odd(nj.Dynamics):
        def init_state(self, *, key=None):
            seen.append(float(nj.random.draw(nj.random.Uniform(0.0, 1.0), key, ())))
            return {"x": jnp.full(2, np.float32(seen[-1]))}

        def step(self, state, inputs, clock):
            return {"x": state["x"] + inputs["u"] + 0.0 * inputs["v"]}, nj.Output()

    inputs = {"u": Counted(), "v": nj.inputs.Poisson(3.0)}
    for seed in range(2):
        sim = nj.simulate(Odd(), duration=1.0, dt=1.0, inputs=inputs, key=jax.random.key(seed))
        np.testing.assert_allclose(sim.final_state.state["x"], seen[seed] + 7, rtol=1e-6)
    assert len(seen) == 2
    assert seen[0] != seen[1]


def test_a_neuron_of_others_begins_on_the_host():
    class Mine(nj.neurons.AbstractIntegrateAndFire):
        n: int = eqx.field(static=True, default=1)
        receptors: dict = eqx.field(default_factory=dict)
        initial: dict = eqx.field(default_factory=dict)
        surrogate: nj.surrogate.AbstractSurrogate = nj.surrogate.Triangle()
        solver: nj.solvers.AbstractStepper | None = None
        V_m: nj.Parameter = nj.parameter(-60.0)

        def rest(self):
            return {"V_m": float(self.V_m)}  # no number inside jit

        def drift(self, t, state, inputs):
            return {"V_m": 0.0 * state["V_m"]}

        def threshold(self, state):
            return 0.0

        def scale(self):
            return 1.0

        def after_spike(self, state, spiked):
            return {"V_m": state["V_m"]}

    state = Mine(n=2, initial={"V_m": nj.random.Uniform(1.0, 2.0)}).init_state(key=KEY)
    assert bool((state["V_m"] >= 1.0).all())


def test_inside_jit_nothing_changes():
    cell = cells(5, LAWS["Uniform"]())
    inside = jax.jit(lambda key: cell.init_state(key=key)["V_m"])(KEY)
    np.testing.assert_allclose(inside, cell.init_state(key=KEY)["V_m"], rtol=1e-6)
    with pytest.raises(ValueError, match="give key="):
        cell.init_state()
