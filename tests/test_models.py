"""What every public model must do: collected by itself, so that a new model is tested for free.

A new public `Dynamics` needs one line in `FACTORIES` that builds a small instance.
"""

import importlib
import inspect
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest

import neurojax as nj
from neurojax.core.vector_field import is_float


def _wiring():
    names = ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR", "DD1", "VD1"]
    return nj.connectomes.cook2019().subset(names)


def _block():
    circuit = nj.circuits.ConnectomeCircuit(_wiring())
    n = len(circuit.names)
    coupling = nj.synapses.GapJunctions("left", "right", g=0.1 * jnp.eye(n))
    return nj.Block({"left": circuit, "right": circuit}, [coupling])


def _neuron(name, **parameters):
    receptor = nj.synapses.ExpCurrent(tau=3.0)
    return getattr(nj.neurons, name)(n=3, receptors={"exc": receptor}, **parameters)


def _silent_cell():
    # far from threshold in units of the surrogate: its slope is no derivative
    narrow = nj.core.surrogate.Triangle(width=0.1)
    return _neuron("LIF", initial={"V_m": -60.0, "exc.I": 100.0}, surrogate=narrow)


def _network():
    cell = _silent_cell()
    synapses = nj.connectivity.from_edges([0, 0, 1, 2], [1, 2, 0, 1], weight=[1.0, 2.0, 3.0, 4.0])
    projections = [
        nj.Projection("A", ["A", "B"], "exc", nj.connectivity.all_to_all(), weight=5.0, delay=0.3),
        nj.Projection("B", "A", "exc", synapses, delay=0.2),
    ]
    return nj.Network({"A": cell, "B": cell}, projections)


def _drive(scale=1.0):
    """Below threshold: a spike has no derivative that finite differences would show."""
    return {"I_e": 10.0 * scale, "exc": 5.0 * scale}


# models whose parameters act through the times of whole spikes only
WITHOUT_SLOPE = {
    nj.circuits.ClassicalHopfield,
    nj.circuits.NextGeneration,  # its states are inputs, and have no parameters
    nj.neurons.GammaRenewal,
    nj.neurons.InhomogeneousPoisson,
    nj.neurons.Parrot,
    nj.neurons.Regular,
    nj.neurons.SpikeTimes,
}
# models that draw numbers, which differ between precisions
RANDOM = {
    nj.circuits.CoupledSystems,
    nj.circuits.TransientStates,  # where it begins
    nj.neurons.EscapeLIF,
    nj.neurons.Poisson,
}


# model -> (a small instance, dt in ms, inputs)
def _liquid():
    port = lambda: nj.synapses.ExpCurrent(tau=3.0)
    cell = nj.neurons.LIF(
        receptors={"exc": port(), "inh": port()},
        initial={"V_m": -60.0, "exc.I": 100.0},
        surrogate=nj.core.surrogate.Triangle(width=0.1),
    )
    return nj.circuits.Liquid(
        (2, 2, 1), inputs=2, outputs=1, density=1.0, cells={"E": cell, "I": cell}
    )


def _echo(inputs):
    radius = nj.positive(0.8)
    return nj.circuits.EchoState(4, inputs=inputs, density=1.0, radius=radius, leak=0.5)


_SOME = 0.1 * np.ones((1, 4))


def _rates():
    return np.random.default_rng(0).normal(size=(30, 4))


def _composed(name):
    lower = [_echo(2), _echo(4 if name == "Stacked" else 2)]
    return getattr(nj.circuits, name)(lower, outputs=1)


FACTORIES = {
    nj.Block: lambda: (_block(), 50.0, {"left": {"I_e": 0.5}}),
    nj.circuits.ClassicalHopfield: lambda: (
        nj.circuits.ClassicalHopfield([[1, 1, -1, -1], [1, -1, 1, -1]]), 1.0, {"I_e": 0.1},
    ),
    nj.circuits.ConductanceCircuit: lambda: (
        nj.circuits.ConductanceCircuit(_wiring()), 0.5, {"I_e": 1.0},
    ),
    nj.circuits.ConnectomeCircuit: lambda: (
        nj.circuits.ConnectomeCircuit(_wiring(), key=jax.random.key(1)), 100.0, {"I_e": 0.5},
    ),
    nj.circuits.CoupledSystems: lambda: (
        nj.circuits.CoupledSystems.ring(4, 0.2, curvature=0.1), 0.5, {"I_e": 0.5},
    ),
    nj.circuits.GainControl: lambda: (
        nj.circuits.GainControl(0.3 * jnp.eye(3), activation=jnp.tanh), 1.0, {"F": 0.5},
    ),
    nj.circuits.GRU: lambda: (
        nj.circuits.GRU(4, inputs=2, outputs=1), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.EchoState: lambda: (
        nj.circuits.EchoState(
            4, inputs=2, outputs=1, density=1.0, output=_SOME, radius=nj.positive(0.8),
            leak=nj.bounded(0.3, 0.0, 1.0),
        ), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.EIReservoir: lambda: (
        nj.circuits.EIReservoir(8, inputs=2, outputs=1, indegree=6.0, gain=2.0), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.IzhikevichReservoir: lambda: (
        nj.circuits.IzhikevichReservoir(
            4, inputs=2, outputs=1, bias=1.0, feedback=0.5, output=0.1 * jnp.ones((1, 4))
        ), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.AstrocyteLiquid: lambda: (
        nj.circuits.AstrocyteLiquid((2, 2, 1), inputs=2, outputs=1), 1.0,
        {"u": jnp.array([0.01, 0.005])},
    ),
    nj.circuits.Liquid: lambda: (_liquid(), 0.1, {"u": jnp.array([0.5, 0.2]), "I_e": 10.0}),
    nj.circuits.NextGeneration: lambda: (
        nj.circuits.NextGeneration(inputs=2, outputs=1), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.EdgeOfStability: lambda: (
        nj.circuits.EdgeOfStability(
            4, inputs=2, outputs=1, output=_SOME, radius=nj.positive(0.8)
        ), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.Stacked: lambda: (_composed("Stacked"), 1.0, {"u": jnp.array([0.5, -1.0])}),
    nj.circuits.Grouped: lambda: (_composed("Grouped"), 1.0, {"u": jnp.array([0.5, -1.0])}),
    nj.circuits.WithConceptor: lambda: (
        nj.circuits.WithConceptor(_echo(2), nj.circuits.conceptor(_rates(), 3.0)), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.WithInputs: lambda: (
        nj.circuits.WithInputs(_echo(2), outputs=1), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.WithSquares: lambda: (
        nj.circuits.WithSquares(_echo(2), outputs=1), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.LeakyRNN: lambda: (
        nj.circuits.LeakyRNN(4, inputs=2, outputs=1, leak=0.3), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.MinimalGatedRNN: lambda: (
        nj.circuits.MinimalGatedRNN(4, inputs=2, outputs=1), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.ModernHopfield: lambda: (
        nj.circuits.ModernHopfield([[1.0, 1.0, -1.0], [1.0, -1.0, 0.5]]), 1.0, {"I_e": 0.2},
    ),
    nj.circuits.NeuronLevelModels: lambda: (
        nj.circuits.NeuronLevelModels(4, inputs=2, outputs=1, memory=3, hidden=2), 1.0,
        {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.Synchronised: lambda: (
        nj.circuits.Synchronised(
            nj.circuits.LeakyRNN(4, inputs=2, leak=0.3), [[0, 1], [2, 2]], outputs=1
        ), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.circuits.TransientStates: lambda: (
        nj.circuits.TransientStates([[0, 1, 1], [1, 0, 0], [1, 0, 0]]), 1.0, {"I_e": 0.1},
    ),
    nj.circuits.RateRNN: lambda: (
        nj.circuits.RateRNN(
            4, inputs=2, outputs=1, tau=nj.positive(4.0), recurrent=nj.circuits.DaleBalanced(),
        ), 1.0, {"u": jnp.array([0.5, -1.0])},
    ),
    nj.networks.Network: lambda: (_network(), 0.1, {"A": _drive(), "B": _drive()}),
    nj.neurons.ALIF: lambda: (_neuron("ALIF", b=(1.0, 2.0), tau_b=(10.0, 100.0)), 0.1, _drive()),
    nj.neurons.AdEx: lambda: (_neuron("AdEx"), 0.1, _drive()),
    nj.neurons.EIF: lambda: (_neuron("EIF"), 0.1, _drive()),
    nj.neurons.EscapeLIF: lambda: (_neuron("EscapeLIF"), 0.1, _drive()),
    nj.neurons.GLIF: lambda: (_neuron("GLIF"), 0.1, _drive()),
    nj.neurons.GammaRenewal: lambda: (
        nj.neurons.GammaRenewal(rate=300.0, shape=2.0, n=3), 1.0, {},
    ),
    nj.neurons.InhomogeneousPoisson: lambda: (
        nj.neurons.InhomogeneousPoisson(n=3), 1.0, {"rate": 200.0},
    ),
    nj.neurons.Izhikevich: lambda: (_neuron("Izhikevich"), 0.1, _drive(0.2)),
    nj.neurons.IzhikevichPublished: lambda: (_neuron("IzhikevichPublished"), 1.0, _drive(0.02)),
    nj.neurons.LIF: lambda: (_neuron("LIF"), 0.1, _drive()),
    nj.neurons.LIFAdaptation: lambda: (_neuron("LIFAdaptation"), 0.1, _drive()),
    nj.neurons.Parrot: lambda: (nj.neurons.Parrot(n=3), 1.0, {"spikes": 1.0}),
    nj.neurons.Poisson: lambda: (nj.neurons.Poisson(rate=200.0, n=3), 1.0, {}),
    nj.neurons.QIF: lambda: (_neuron("QIF"), 0.1, _drive()),
    nj.neurons.Regular: lambda: (nj.neurons.Regular(interval=2.7, n=3), 1.0, {}),
    nj.neurons.SpikeResponse: lambda: (_neuron("SpikeResponse"), 0.1, _drive()),
    nj.neurons.SpikeTimes: lambda: (
        nj.neurons.SpikeTimes([[1.0, 3.1], [], [7.0, 9.0]]), 1.0, {},
    ),
    nj.plasticity.HomeostaticThreshold: lambda: (
        nj.plasticity.HomeostaticThreshold(_silent_cell(), theta_max=20.0), 0.1, _drive(),
    ),
}  # fmt: skip


def public_models() -> list[type]:
    """Every concrete Dynamics that a package lists in `__all__`."""
    found = {value for value in map(nj.__getattribute__, _names(nj)) if _is_model(value)}
    for module in pkgutil.iter_modules(nj.__path__):
        if module.ispkg:
            package = importlib.import_module(f"neurojax.{module.name}")
            found |= {
                getattr(package, n) for n in _names(package) if _is_model(getattr(package, n))
            }
    return sorted(found, key=lambda model: model.__name__)


def _names(module):
    return [n for n in getattr(module, "__all__", ()) if hasattr(module, n) and n in vars(module)]


def _is_model(value) -> bool:
    return (
        inspect.isclass(value) and issubclass(value, nj.Dynamics) and not inspect.isabstract(value)
    )


@pytest.fixture(params=public_models(), ids=lambda model: model.__name__)
def case(request):
    if request.param not in FACTORIES:
        pytest.fail(f"add a line for {request.param.__name__} to FACTORIES in tests/test_models.py")
    return FACTORIES[request.param]()


def _run(model, dt, inputs, steps=12, key=None, **options):
    key = jax.random.key(3) if key is None else key
    record = {"all": nj.Trace(lambda state: state)}
    return nj.simulate(
        model, duration=steps * dt, dt=dt, inputs=inputs, key=key, record=record, **options
    )


def _scalar(model, dt, inputs, **options):
    """A smooth number that depends on every recorded value."""
    records = _run(model, dt, inputs, **options)["all"]
    floats = [x for x in jax.tree.leaves(records) if is_float(x)]
    return sum(jnp.mean(jnp.sin(0.1 * x)) for x in floats)


def _parameters(model):
    """The trainable leaves, and the rest."""
    is_frozen = lambda x: isinstance(x, paramax.NonTrainable)
    return eqx.partition(model, eqx.is_inexact_array, is_leaf=is_frozen)


def test_there_are_models():
    assert nj.circuits.ConnectomeCircuit in public_models()


def test_step_keeps_the_state(case):
    model, dt, inputs = case
    model = nj.unwrap(model)
    state = model.init_state(key=jax.random.key(0))
    clock = nj.Clock(0, dt, jax.random.key(1))
    after, output = jax.jit(lambda s: model.step(s, inputs, clock))(state)
    assert isinstance(output, nj.Output)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        assert old.shape == new.shape and old.dtype == new.dtype
        assert np.isfinite(np.asarray(new, float)).all()


def test_jit_agrees(case):
    model, dt, inputs = case
    plain = _run(model, dt, inputs)["all"]
    jitted = eqx.filter_jit(lambda model, x: _run(model, dt, x)["all"])(model, inputs)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_vmap_equals_a_loop(case):
    model, dt, inputs = case
    gains = jnp.array([0.5, 1.0, 2.0])
    scaled = lambda gain: jax.tree.map(lambda x: x * gain, inputs)
    together = jax.vmap(lambda gain: _run(model, dt, scaled(gain))["all"])(gains)
    for i, gain in enumerate(gains):
        alone = _run(model, dt, scaled(gain))["all"]
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-9, atol=1e-10)


def test_chunks_equal_the_whole(case):
    model, dt, inputs = case
    whole = _run(model, dt, inputs, steps=12)
    first = _run(model, dt, inputs, steps=5)
    second = _run(model, dt, inputs, steps=7, state=first.final_state)
    for a, b, c in zip(*(jax.tree.leaves(s["all"]) for s in (whole, first, second)), strict=True):
        np.testing.assert_array_equal(a, np.concatenate([b, c]))


def test_a_changed_parameter_does_not_recompile(case):
    model, dt, inputs = case
    traces = []

    class Counting(nj.Dynamics):
        """Counts how often the step is traced."""

        inner: nj.Dynamics

        def init_state(self, *, key=None):
            return nj.unwrap(self.inner).init_state(key=key)

        def prepare(self):
            return Counting(self.inner.prepare())

        def read_inputs(self, inputs, clock):
            return self.inner.read_inputs(inputs, clock)

        def step(self, state, inputs, clock):
            traces.append(1)
            return self.inner.step(state, inputs, clock)

    nj.simulate(Counting(model), duration=4 * dt, dt=dt, inputs=inputs, key=jax.random.key(0))
    before = len(traces)
    changed = jax.tree.map(lambda x: x * 1.01 if eqx.is_inexact_array(x) else x, model)
    other = jax.tree.map(lambda x: x * 1.5, inputs)
    nj.simulate(Counting(changed), duration=4 * dt, dt=dt, inputs=other, key=jax.random.key(1))
    assert before > 0 and len(traces) == before


def test_gradient_equals_finite_differences(case):
    model, dt, inputs = case
    if type(model) in WITHOUT_SLOPE:
        pytest.skip("its states have no derivative by a parameter")
    floats, rest = _parameters(model)
    f = lambda floats: _scalar(eqx.combine(floats, rest), dt, inputs)
    leaves, tree = jax.tree.flatten(floats)
    slope = jax.tree.leaves(jax.grad(f)(floats))
    rng = np.random.default_rng(0)
    direction = [jnp.asarray(rng.normal(size=x.shape)) * (1e-3 + jnp.abs(x)) for x in leaves]
    along = sum(float(jnp.vdot(s, d)) for s, d in zip(slope, direction, strict=True))
    h = 1e-5
    moved = lambda sign: jax.tree.unflatten(
        tree, [x + sign * h * d for x, d in zip(leaves, direction, strict=True)]
    )
    numeric = float(f(moved(1.0)) - f(moved(-1.0))) / (2 * h)
    assert along != 0
    np.testing.assert_allclose(along, numeric, rtol=1e-5, atol=1e-9)


def test_float32_gradient_is_close_to_float64(case):
    model, dt, inputs = case
    if type(model) in WITHOUT_SLOPE | RANDOM:
        pytest.skip("it has no derivative, or draws other numbers in another precision")

    def gradient(dtype):
        cast = lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x
        floats, rest = _parameters(jax.tree.map(cast, model))
        f = lambda floats: _scalar(eqx.combine(floats, rest), dt, inputs, steps=8)
        return np.concatenate([np.ravel(x) for x in jax.tree.leaves(jax.grad(f)(floats))])

    exact = gradient(jnp.float64)
    with jax.enable_x64(False):
        single = gradient(jnp.float32)
    assert np.linalg.norm(single - exact) < 1e-3 * np.linalg.norm(exact)


def test_save_and_load(case, tmp_path):
    model, _, _ = case
    nj.save(tmp_path / "model.npz", model)
    zeros = jax.tree.map(lambda x: jnp.zeros_like(x) if eqx.is_array(x) else x, model)
    again = nj.load(tmp_path / "model.npz", like=zeros)
    assert jax.tree.structure(again) == jax.tree.structure(model)
    for a, b in zip(jax.tree.leaves(model), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
