"""Neurons of other classes than ours: divided where they do without each other, else refused."""

import inspect

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest

import neurojax as nj
from neurojax.networks import _independence

KEY = jax.random.key(0)


class Leaky(nj.neurons.AbstractIntegrateAndFire):
    """A leaky neuron; the others below are variants of it."""

    tau: nj.Parameter = nj.parameter(10.0)
    n: int = eqx.field(static=True, default=1)
    receptors: dict = eqx.field(default_factory=dict)
    initial: dict = eqx.field(default_factory=dict)
    surrogate: nj.surrogate.AbstractSurrogate = nj.surrogate.Triangle()
    solver: nj.solvers.AbstractStepper | None = None

    def rest(self):
        return {"V_m": -65.0}

    def current(self, state, inputs):
        return inputs.get("I_e", 0.0) + self.synaptic_current(state, state["V_m"], inputs)

    def drift(self, t, state, inputs):
        pull = (-65.0 - state["V_m"]) / self.tau
        return {"V_m": pull + 0.01 * self.current(state, inputs)} | self.receptor_drifts(state)

    def threshold(self, state):
        return -50.0

    def scale(self):
        return 10.0

    def after_spike(self, state, spiked):
        return {"V_m": jnp.where(spiked, -65.0, state["V_m"])}


class MeanField(Leaky):
    def drift(self, t, state, inputs):
        return {"V_m": 1e-3 * (state["V_m"].mean() - state["V_m"])} | self.receptor_drifts(state)


class Neighbours(Leaky):
    def drift(self, t, state, inputs):
        V = state["V_m"]
        return {"V_m": 0.1 * (jnp.roll(V, 1) - 2 * V + jnp.roll(V, -1))}


class SharedDrive(Leaky):
    def current(self, state, inputs):
        return jnp.mean(inputs.get("I_e", 0.0))


class Lateral(Leaky):
    """A spike of one lowers all, and nothing else does."""

    def after_spike(self, state, spiked):
        return {"V_m": jnp.where(spiked, -65.0, state["V_m"] - 0.1 * spiked.sum())}


class Winner(Leaky):
    """Only the one with the highest potential may spike."""

    def armed(self, state):
        return state["V_m"] == state["V_m"].max()


class ByPlace(Leaky):
    def current(self, state, inputs):
        return jnp.linspace(0.0, 100.0, self.n)


class ByNumber(Leaky):
    def current(self, state, inputs):
        return 100.0 / self.n


class OwnNoise(Leaky):
    """Numbers by their place in an array, which a part of the population draws otherwise."""

    def begin(self, state, clock):
        state = super().begin(state, clock)
        noise = jax.random.normal(jax.random.fold_in(clock.key, clock.step), (self.n,))
        return state | {"V_m": state["V_m"] + 0.1 * noise}


class Noisy(Leaky):
    def begin(self, state, clock):
        state = super().begin(state, clock)
        return state | {"V_m": state["V_m"] + 0.1 * clock.normal("kick", (self.n,))}

    def diffusion(self, t, state, inputs):
        return {"V_m": 0.5}


class Branched(Leaky):
    """What takes long is left out where no neuron needs it."""

    def after_spike(self, state, spiked):
        V = state["V_m"]
        jump = lambda: jnp.where(spiked, -65.0 + jnp.sin(V), V)
        return {"V_m": jax.lax.cond(spiked.any(), jump, lambda: V)}


class Guarded(Leaky):
    def after_spike(self, state, spiked):
        after = super().after_spike(state, spiked)
        return eqx.error_if(after, (state["V_m"] > 0.0).any(), "far above threshold")


class Blowing(Leaky):
    def drift(self, t, state, inputs):
        return {"V_m": jnp.exp(state["V_m"] + 64.0) + jnp.sqrt(state["V_m"] + 66.0)}


class Pooled(nj.synapses.AbstractReceptor):
    """A current that is divided by the input to all neurons."""

    tau: nj.Parameter = nj.parameter(2.0)

    def init_state(self, n):
        return {"g": jnp.zeros(n)}

    def drift(self, state):
        return {"g": -state["g"] / self.tau}

    def propagate(self, state, h):
        return {"g": state["g"] * jnp.exp(-h / self.tau)}

    def receive(self, state, impulse):
        return {"g": state["g"] + self.weighed(impulse)}

    def weighed(self, impulse):
        return impulse / (1.0 + jnp.sum(impulse))

    def current(self, state, V_m):
        return state["g"]


class Alone(Pooled):
    def weighed(self, impulse):
        return impulse / (1.0 + impulse)


class OneOfAll(nj.neurons.AbstractSource):
    """One neuron of all spikes in a step."""

    n: int = eqx.field(static=True, default=1)

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(self.n)}

    def step(self, state, inputs, clock):
        drawn = clock.uniform("x", (self.n,))
        spikes = jnp.asarray(drawn == drawn.max(), float)
        return {"x": drawn}, nj.Output(spikes=nj.SpikeOutput(spikes, 0.5))


class Coins(OneOfAll):
    def step(self, state, inputs, clock):
        drawn = clock.uniform("x", (self.n,))
        return {"x": drawn}, nj.Output(spikes=nj.SpikeOutput(drawn, 0.9))


def check(part, inputs=None, devices=3, port=None, dt=0.1):
    """What `simulate_sharded` asks, for more devices than there are."""
    projections = []
    if port is not None:
        graph = nj.connectivity.one_to_one(self_edges=True)
        projections = [nj.Projection("a", "a", port, graph, weight=1.0, delay=1.0)]
    net = nj.Network({"a": part}, projections, dt=dt).on_grid(dt).prepare()
    clock = nj.Clock(0, dt, KEY)
    state = net.init_state(key=KEY)
    _independence.check_independent(net, state, {"a": inputs or {}}, clock, devices)


@pytest.mark.parametrize("n", [2, 70])
@pytest.mark.parametrize("cell", [MeanField, Neighbours, Lateral, Winner])
def test_neurons_that_see_each_other_are_refused(cell, n):
    """Also where all of them begin alike, as by default."""
    for part in (cell(n=n), cell(n=n, initial={"V_m": np.linspace(-65.0, -52.0, n)})):
        with pytest.raises(ValueError, match=rf"'a' \({cell.__name__}\) see each other"):
            check(part)


def test_in_single_precision_too(float32):
    for cell in (MeanField, Neighbours, Lateral):
        with pytest.raises(ValueError, match="see each other"):
            check(cell(n=5000))
    for cell in (Leaky, Noisy, Branched, Blowing):
        check(cell(n=5000))


def test_at_the_door():
    net = nj.Network({"a": MeanField(n=70)})
    mesh = jax.make_mesh((1,), ("neurons",), devices=jax.devices()[:1])
    run = lambda net, **options: nj.networks.simulate_sharded(
        net, mesh, duration=20.0, dt=0.1, **options
    )
    with pytest.raises(ValueError, match=r"'a' \(MeanField\).*one neuron.*Use simulate"):
        run(net)
    options = {"inputs": {"a": {"I_e": np.linspace(0.0, 300.0, 70)}}, "record": {"V": "a.V_m"}}
    net = nj.Network({"a": Leaky(n=70, tau=np.linspace(5.0, 20.0, 70))})
    alone = nj.simulate(net, duration=20.0, dt=0.1, **options)["V"]
    np.testing.assert_allclose(run(net, **options)["V"], alone, rtol=1e-12)


def test_by_their_inputs():
    with pytest.raises(ValueError, match=r"SharedDrive.*see each other.*'V_m'"):
        check(SharedDrive(n=50), {"I_e": jnp.linspace(0.0, 9.0, 50)})
    check(SharedDrive(n=50), {"I_e": jnp.asarray(9.0)})
    with pytest.raises(ValueError, match=r"\(LIF with Pooled\) see each other.*'exc.g'"):
        check(nj.neurons.LIF(n=50, receptors={"exc": Pooled()}), port="exc")
    check(nj.neurons.LIF(n=50, receptors={"exc": Alone()}), port="exc")


def test_sources():
    with pytest.raises(ValueError, match=r"OneOfAll.*see each other"):
        check(OneOfAll(n=40))
    check(Coins(n=40))


@pytest.mark.parametrize("cell", [ByPlace, ByNumber, OwnNoise])
def test_what_depends_on_place_or_number_is_refused(cell):
    with pytest.raises(ValueError, match=rf"\({cell.__name__}\) cannot be divided.*'V_m'"):
        check(cell(n=70))


@pytest.mark.parametrize("n", [1, 70])
@pytest.mark.parametrize("cell", [Leaky, Noisy, Branched, Guarded, Blowing])
def test_neurons_that_are_alone_are_divided(cell, n):
    for options in (
        {},
        {"tau": np.linspace(1.0, 20.0, n), "initial": {"V_m": np.r_[np.nan, np.zeros(n - 1)]}},
    ):
        check(cell(n=n, **options), {"I_e": jnp.linspace(0.0, 500.0, n)})


def test_with_an_implicit_solver():
    solver = diffrax.Kvaerno5(root_finder=optimistix.Newton(rtol=1e-5, atol=1e-5))
    check(Leaky(n=40, solver=nj.solvers.DiffraxStepper(solver)))


RECEPTORS = {
    "exp": nj.synapses.ExpConductance(tau=2.0), "nmda": nj.synapses.NMDA(),
    "alpha": nj.synapses.AlphaCurrent(tau=1.0), "delta": nj.synapses.Delta(),
}  # fmt: skip


GIVEN = {"Poisson": {"rate": 20.0}, "Regular": {"rate": 20.0}, "GammaRenewal": {"rate": 20.0}}
INPUTS = {"InhomogeneousPoisson": {"rate": jnp.linspace(0.0, 50.0, 75)}}


def own_models():
    bases = nj.neurons.AbstractNeuron | nj.neurons.AbstractSource
    for name, kind in vars(nj.neurons).items():
        concrete = inspect.isclass(kind) and not inspect.isabstract(kind)
        if concrete and issubclass(kind, bases) and name != "SpikeTimes":
            yield pytest.param(kind, id=name)


@pytest.mark.parametrize("kind", own_models())
def test_our_own_models_would_pass(kind, monkeypatch):
    """They are not asked; of every kind of equations none may be refused."""
    monkeypatch.setattr(_independence, "_foreign", lambda part: type(part).__name__)
    name, dt = kind.__name__, 1.0 if kind is nj.neurons.IzhikevichPublished else 0.1
    part = kind(n=75, **GIVEN.get(name, {}))
    if isinstance(part, nj.neurons.AbstractSource):
        check(part, INPUTS.get(name), dt=dt)
        return
    if kind is nj.neurons.SpikeResponse:  # has no conductances
        check(part, {"I_e": jnp.linspace(0.0, 800.0, 75)})
        return
    part = part.population(75, receptors=RECEPTORS)
    check(part, {"I_e": jnp.linspace(0.0, 800.0, 75)}, port="exp", dt=dt)
    if kind in (nj.neurons.LIF, nj.neurons.AdEx):
        check(nj.plasticity.HomeostaticThreshold(part, eta=0.5, rho0=10.0))
