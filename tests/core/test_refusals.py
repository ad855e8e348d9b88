"""Bad arguments are refused at the door, with a message that names them."""

import re
import warnings

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj


def run(**arguments):
    arguments = {"duration": 1.0, "dt": 0.1} | arguments
    return nj.simulate(arguments.pop("model", models.Oscillator()), **arguments)


@pytest.mark.parametrize("name", ["duration", "dt"])
@pytest.mark.parametrize(
    "value", [-0.1, 0.0, np.nan, np.inf, True, np.array([1.0, 2.0]), jnp.ones(2)], ids=repr
)
def test_lengths_of_time(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive number of ms"):
        run(**{name: value})


@pytest.mark.parametrize("value", [np.nan, np.inf, True, np.zeros(2)], ids=repr)
def test_start_time(value):
    with pytest.raises(ValueError, match="t0 must be a finite number"):
        run(t0=value)


@pytest.mark.parametrize(
    ("duration", "dt", "fits"), [(1.0, 0.3, "0.9"), (0.04, 0.1, "0.1"), (1000.05, 0.1, "1000")]
)
def test_duration_must_be_whole_steps(duration, dt, fits):
    with pytest.raises(ValueError, match=rf"not a whole number of steps.*{fits}"):
        run(duration=duration, dt=dt)


def test_start_must_be_whole_steps():
    with pytest.raises(ValueError, match=r"t0=0\.25 ms is not a whole number"):
        run(t0=0.25)
    for t0, fits in ((1_000_000.03, "1000000"), (1_000_000.07, "1000000.1"), (-10.03, "-10")):
        with pytest.raises(ValueError, match=rf"nearest that is: {fits}$"):
            run(t0=t0)


def test_more_steps_than_integers_count(float32):
    with pytest.raises(ValueError, match=r"t0=.* is 10000000000 steps of dt=0.1 ms.*2147483646"):
        run(t0=1e9, dt=0.1)


LAST = 2**31 - 2


def test_runs_that_end_beyond_what_integers_count(float32):
    """Start and length are counted one by one, but not their sum: the time wrapped silently."""
    cell, pulse = nj.neurons.LIF(), {"I_e": nj.inputs.Step(400.0, start=0.0)}
    state = nj.simulate(cell, duration=0.1, dt=0.1).final_state.state
    at = lambda step: nj.SimState(state, step=np.asarray(step), dt=0.1)
    several = lambda **given: nj.simulate(cell, duration=2.0, dt=0.1, inputs=pulse, **given)
    known = r"step {} to {} of dt=0.1 ms.*2147483646.*jax_enable_x64"
    for first in (LAST - 19, LAST + 6, 2**33, -LAST - 1):
        with pytest.raises(ValueError, match=known.format(first, first + 20)):
            several(state=at(first))
        with pytest.raises(ValueError, match=known.format(first, first + 20)):
            jax.jit(lambda first=first: several(state=at(first)).stats.spikes)()
    with pytest.raises(ValueError, match=r"t=214748364 to 214748366 ms.*begin earlier"):
        several(t0=214748364.0)
    last = several(state=at(LAST - 20))
    first = nj.simulate(cell, duration=2.0, dt=0.1, inputs={"I_e": 400.0}, state=state)
    np.testing.assert_array_equal(last.final_state.state["V_m"], first.final_state.state["V_m"])
    assert int(last.final_state.step) == LAST


def test_runs_inside_jit_say_that_they_end_beyond_what_integers_count(float32):
    """Where a transform hides the start, the numbers of the result tell."""
    cell = nj.neurons.LIF()
    state = nj.simulate(cell, duration=0.1, dt=0.1).final_state.state
    several = lambda step: (
        (
            nj.simulate(
                cell, duration=2.0, dt=0.1, state=nj.SimState(state, step, 0.1), throw=False
            )
        ).stats
    )
    for step, over in ((0, False), (LAST - 20, False), (LAST - 19, True), (LAST, True)):
        stats = jax.jit(several)(step)
        assert bool(stats.overflow) == over
        assert any("steps are counted beyond" in text for text in stats.warnings) == over
    stats = jax.jit(jax.vmap(several))(jnp.array([0, LAST - 1]))
    np.testing.assert_array_equal(stats.overflow, [False, True])
    assert any("in 1 of 2 trials" in text for text in stats.warnings)


@pytest.mark.parametrize("t0", [0.0, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("kind", [float, np.float32, jnp.float32])
def test_jumps_that_single_precision_cannot_place(float32, t0, kind):
    """Plain numbers are kept; of others the jumps on the grid, where it is clear that they are."""
    cell = nj.neurons.LIF(V_th=1e3)
    start, stop = (kind(t0 + t) for t in (5.03, 9.1))
    step, ramp = nj.inputs.Step(100.0, start, stop), nj.inputs.Ramp(0.0, 10.0, start, stop)
    sampled = nj.inputs.Sampled(np.ones(40), dt=kind(0.7), t0=kind(t0 - 5.03))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nj.simulate(cell, duration=10.0, dt=0.1, t0=t0, inputs={"I_e": step + ramp + sampled})
    said = [str(w.message) for w in caught if "jumps of inputs['I_e']" in str(w.message)]
    assert len(said) == (0 if kind is float or t0 == 0.0 else 3)
    assert all("plain numbers" in message and "1e+" not in message for message in said)


def test_late_jumps_on_the_grid_need_no_warning(float32):
    cell = nj.neurons.LIF(V_th=1e3)
    pulse = nj.inputs.Step(100.0, jnp.float32(1e5 + 5.1), jnp.float32(1e5 + 7.0))
    sampled = nj.inputs.Sampled(np.ones(40), dt=jnp.float32(0.5), t0=jnp.float32(1e5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nj.simulate(cell, duration=10.0, dt=0.1, t0=1e5, inputs={"I_e": pulse + sampled})


@pytest.mark.parametrize("duration", [0.3, 0.7, 1e3, 12345.6, 1e6])
def test_rounding_is_not_held_against_a_duration(duration):
    from neurojax.core.run_checks import whole_steps

    assert whole_steps("duration", duration, 0.1) == round(duration / 0.1)


@pytest.mark.parametrize("number", [1, 1.0, np.float32(1), np.int64(1), jnp.asarray(1.0)], ids=repr)
def test_any_kind_of_number_is_a_length(number):
    assert int(run(duration=number).stats.steps) == 10


def test_dt_or_a_controller_is_needed():
    with pytest.raises(ValueError, match=r"give dt= .* or stepsize_controller="):
        run(dt=None)


def test_unknown_input_names_get_a_suggestion():
    with pytest.raises(nj.UnknownNameError, match=r"never reads the input 'i'.*Known: I"):
        run(inputs={"i": 1.0})
    with pytest.raises(nj.UnknownNameError, match=r"Did you mean 'I_e'"):
        run(model=models.LinearCell(), inputs={"Ie": 1.0})


def test_unknown_input_beside_signals_of_every_kind():
    """Signals that solvers read at their stages must not hide the check."""
    sine = nj.inputs.Sine(1.0, frequency=10.0)
    with pytest.raises(nj.UnknownNameError, match="'II'"):
        run(inputs={"I": sine, "II": sine})
    noise = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 5.0)
    with pytest.raises(nj.UnknownNameError, match="'noise'"):
        run(inputs={"I": sine + 1.0, "noise": noise}, key=jax.random.key(0))


def test_unknown_input_of_a_part():
    block = nj.Block({"left": models.Oscillator(), "right": models.Oscillator()})
    with pytest.raises(nj.UnknownNameError, match=r"'left\.II'.*Known: I"):
        run(model=block, inputs={"left": {"II": 1.0}})
    with pytest.raises(nj.UnknownNameError, match=r"'letf'.*Did you mean 'left'"):
        run(model=block, inputs={"letf": {"I": 1.0}})


class Needy(nj.Dynamics):
    def init_state(self, *, key=None):
        return {"x": jnp.zeros(3)}

    def step(self, state, inputs, clock):
        return {"x": state["x"] + inputs["drive"]}, nj.Output()


def test_missing_input_is_named():
    with pytest.raises(nj.UnknownNameError, match=r"needs the input 'drive'.*'driv'"):
        run(model=Needy(), inputs={"driv": 1.0})
    with pytest.raises(nj.UnknownNameError, match=r"needs the input 'drive'; given are: none"):
        run(model=Needy())


def test_inputs_must_be_a_dictionary():
    with pytest.raises(TypeError, match="dictionary by name"):
        run(inputs=1.0)


@pytest.mark.parametrize("model", [models.Oscillator(), Needy()], ids=lambda m: type(m).__name__)
def test_shape_of_an_input(model):
    name = "drive" if isinstance(model, Needy) else "I"
    with pytest.raises(ValueError, match=r"\(7,\).*Sampled\(values, dt\)"):
        run(model=model, inputs={name: jnp.ones(7)})


def test_time_series_as_a_constant():
    """The commonest mistake: an array over time without Sampled."""
    with pytest.raises(ValueError, match=r"wrap a time series in nj\.inputs\.Sampled"):
        run(inputs={"I": jnp.ones((10, 2))})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones(7), r"^inputs\['E'\]\['I_e'\] has shape \(7,\), but 'E' has 8 neurons: .*\(8,\)"),
        (np.ones((8, 1)), r"^inputs\['E'\]\['I_e'\] has shape \(8, 1\).*\(time, 8\).*Sampled"),
        (nj.inputs.Step(np.ones(7)), r"^inputs\['E'\]\['I_e'\] has shape \(7,\)"),
        (
            nj.inputs.Sampled(np.ones((10, 7)), 0.1),
            r"^inputs\['E'\]\['I_e'\] has values of shape \(10, 7\), .* \(time,\) or \(time, 8\)",
        ),
    ],
    ids=["array", "column", "step", "sampled"],
)
def test_shape_of_an_input_of_neurons(value, message):
    """The message begins with the input; that of the step itself follows."""
    net = nj.Network({"E": nj.neurons.LIF().population(8)})
    with pytest.raises(ValueError, match=message) as error:
        run(model=net, inputs={"E": {"I_e": value}})
    assert re.search("one step of Network|drift of LIF", str(error.value))
    with pytest.raises(ValueError, match=r"^inputs\['I_e'\] .* the model has 8 neurons"):
        run(model=net.populations["E"], inputs={"I_e": value})


def test_shapes_of_inputs_that_fit_are_not_named():
    cell, wrong = nj.neurons.LIF(n=8), {"V_m": jnp.ones(3), "refractory": jnp.zeros(3, int)}
    with pytest.raises(ValueError, match="does not fit together") as error:
        run(model=cell, inputs={"I_e": jnp.ones(8)}, state=wrong)
    assert "inputs['I_e']" not in str(error.value)


def test_samples_with_time_as_last_axis():
    with pytest.raises(ValueError, match=r"values of shape \(2, 10\) \(time first\)"):
        run(inputs={"I": nj.inputs.Sampled(np.ones((2, 10)), 0.1)})


@pytest.mark.parametrize("numbers", [[0.5, 1.0], (0.5, 1), [np.float32(0.5), True]], ids=repr)
def test_a_list_of_numbers_is_an_array(numbers):
    record = {"V": "V"}
    given = run(inputs={"I": numbers}, record=record)["V"]
    np.testing.assert_array_equal(
        given, run(inputs={"I": np.array([0.5, 1.0])}, record=record)["V"]
    )
    block = nj.Block({"left": models.Oscillator()})
    nested = run(model=block, inputs={"left": {"I": numbers}}, record={"V": "left.V"})["V"]
    assert nested.shape == given.shape


@pytest.mark.parametrize(
    "value", [[], [[1.0], [1.0, 2.0]], ["1", "2"], [None, 1.0], [jnp.ones(2)]], ids=repr
)
def test_other_lists_are_refused(value):
    with pytest.raises(TypeError, match=r"inputs\['I'\] must be .* got a list of .* give an array"):
        run(inputs={"I": value})


def test_shape_of_a_state():
    with pytest.raises(ValueError, match=r"State: V \(3,\), w \(2,\)"):
        run(state={"V": jnp.ones(3), "w": jnp.ones(2)})


def test_shape_of_a_parameter():
    with pytest.raises(ValueError, match=r"does not fit together"):
        run(model=models.Oscillator(a=jnp.ones(5)))


class WrongDrift(nj.ContinuousDynamics):
    rates: dict
    solver: models.Solver = nj.solvers.Heun()

    def init_state(self, *, key=None):
        return {"V": jnp.zeros(3), "w": jnp.zeros(3)}

    def drift(self, t, state, inputs):
        return self.rates


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"V": jnp.zeros(3), "w": None}, "gives nothing for the state leaf 'w'"),
        ({"V": jnp.zeros(3), "w": jnp.zeros(())}, r"shape \(\) for the state leaf 'w'"),
        ({"V": jnp.zeros(3)}, "return a tree like its state"),
        ({"V": jnp.zeros(3), "W": jnp.zeros(3)}, "return a tree like its state"),
    ],
)
def test_drift_must_be_shaped_like_the_state(rates, message):
    with pytest.raises(ValueError, match=message):
        run(model=WrongDrift(rates))


class Shrinking(nj.Dynamics):
    structure: bool = False

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(3)}

    def step(self, state, inputs, clock):
        x = state["x"][:2]
        return ({"y": x} if self.structure else {"x": x}), nj.Output()


def test_step_must_keep_the_state():
    with pytest.raises(ValueError, match=r"leaf 'x' has shape \(3,\) before a step and \(2,\)"):
        run(model=Shrinking())
    with pytest.raises(ValueError, match="same structure"):
        run(model=Shrinking(structure=True))


def test_unknown_records_get_a_suggestion():
    with pytest.raises(nj.UnknownNameError, match=r"record 'v'.*Known: V, w"):
        run(record={"v": "v"})
    model = nj.Block({"E": models.Oscillator()})
    with pytest.raises(nj.UnknownNameError, match=r"Did you mean 'E\.V'"):
        run(model=model, record={"v": "E.Vm"})
    with pytest.raises(nj.UnknownNameError, match=r"'V\.shape'"):
        run(record={"v": "V.shape"})
    with pytest.raises(nj.UnknownNameError, match="no such population emits spikes"):
        run(record={"s": nj.Spikes("E")})


@pytest.mark.parametrize("index", [2, -3, [0, 2], np.array([5])], ids=repr)
def test_index_out_of_range(index):
    """JAX would clamp it and record another neuron."""
    for jit in (lambda f: f, jax.jit):
        with pytest.raises(ValueError, match="out of range for 2 elements"):
            jit(lambda m, i=index: run(model=m, record={"V": nj.Trace("V", i)}))(
                models.Oscillator()
            )


@pytest.mark.parametrize(
    ("index", "match"),
    [
        (slice(50, 60), r"record 'V': index=slice\(50, 60, None\) selects none of 2 elements"),
        (slice(1, 1), "selects none of 2"),
        (np.zeros(2, bool), "a mask without True, which selects none of 2"),
        (np.zeros(0, int), "an empty list, which selects none of 2"),
    ],
    ids=repr,
)
def test_index_that_selects_nothing(index, match):
    for jit in (lambda f: f, jax.jit):
        with pytest.raises(ValueError, match=match):
            jit(lambda m, i=index: run(model=m, record={"V": nj.Trace("V", i)}))(
                models.Oscillator()
            )
    with pytest.raises(ValueError, match="record 'V': index= needs an array"):
        run(record={"V": nj.Trace(lambda s: s["V"].sum(), slice(2))})


def test_stride_that_keeps_nothing():
    """A warning, since a run may be one of many pieces; diffrax cannot do it at all."""
    record = {"V": nj.Trace("V", every=11)}
    with pytest.warns(UserWarning, match=r"record 'V' stays empty: every=11 .* the 10 steps"):
        assert run(record=record)["V"].shape == (0, 2)
    with pytest.warns(UserWarning, match="'V' stays empty"):
        jax.jit(lambda m: run(model=m, record=record)["V"])(models.Oscillator())
    with pytest.raises(ValueError, match=r"record 'V' stays empty: every=11 .* the 10 steps"):
        run(record=record, stepsize_controller=diffrax.ConstantStepSize())


@pytest.mark.filterwarnings("error")
def test_strides_that_keep_something():
    assert run(record={"V": nj.Trace("V", every=10)})["V"].shape == (1, 2)
    late = run(t0=0.7, record={"V": nj.Trace("V", every=11)})
    np.testing.assert_allclose(late.times("V"), [1.1])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: nj.Trace("V", every=0), ValueError),
        (lambda: nj.Trace("V", every=-3), ValueError),
        (lambda: nj.Trace("V", every=True), ValueError),
        (lambda: nj.Trace("V", every=2, at=[1.0]), ValueError),
        (lambda: nj.Trace("V", at=[2.0, 1.0]), ValueError),
        (lambda: nj.Trace("V", at=[]), ValueError),
        (lambda: nj.Trace("V", at=[np.nan]), ValueError),
        (lambda: nj.Trace("V", "first"), TypeError),
        (lambda: nj.Trace("V", 1.5), TypeError),
        (lambda: nj.Trace(7), TypeError),
    ],
)
def test_bad_recorders(make, error):
    with pytest.raises(error):
        make()


def test_given_times_outside_of_the_run():
    with pytest.raises(ValueError, match="outside the run from 0 to 1 ms"):
        run(record={"V": nj.Trace("V", at=[0.5, 1.2])})
    with pytest.raises(ValueError, match="outside the run"):
        run(record={"V": nj.Trace("V", at=[-0.1])})


@pytest.mark.parametrize("record", [["V"], "V", nj.Trace("V")], ids=repr)
def test_record_must_be_a_dictionary(record):
    with pytest.raises(TypeError):
        run(record=record)


def test_record_of_a_wrong_type():
    with pytest.raises(TypeError, match=r"record\['V'\] must be nj\.Trace"):
        run(record={"V": 3})
    with pytest.raises(TypeError, match=r"record\['V'\] is the class Trace .* nj\.Trace\('V_m'\)"):
        run(record={"V": nj.Trace})
    with pytest.raises(TypeError, match=r"record\['s'\] is the class Spikes .* nj\.Spikes\('E'\)"):
        run(record={"s": nj.Spikes})


def test_solvers():
    with pytest.raises(TypeError, match=r"write solver=Heun\(\)"):
        run(solver=nj.solvers.Heun)
    with pytest.raises(TypeError, match=r"one of nj\.solvers or a diffrax solver"):
        run(solver="heun")
    with pytest.raises(ValueError, match="has no vector field"):
        run(model=Needy(), inputs={"drive": 1.0}, solver=nj.solvers.Heun())
    with pytest.raises(TypeError, match=r"write solver=Tsit5\(\)"):
        run(solver=diffrax.Tsit5)


def test_models():
    for wrong in (models.Oscillator, {"V": 1.0}, None):  # a class, a state, nothing
        with pytest.raises(TypeError):
            run(model=wrong)


@pytest.mark.parametrize("key", [0, jnp.zeros(2), jax.random.split(jax.random.key(0))], ids=repr)
def test_keys(key):
    with pytest.raises(TypeError, match="key must be one key"):
        run(key=key)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: nj.circuits.EchoState(10, key=3),
        lambda: nj.circuits.RateRNN(10, key=3),
        lambda: nj.tasks.NARMA().trials(3, 2),
        lambda: nj.tasks.NARMA().trial(3),
        lambda: nj.tasks.MackeyGlass().series(3, 10),
        lambda: nj.fitting.drive(nj.circuits.EchoState(4, inputs=1), np.ones((2, 5, 1)), key=3),
        lambda: nj.random.host_generator(3),
        lambda: nj.random.draw(nj.random.Uniform(0.0, 1.0), 3, (2,)),
    ],
)
def test_a_number_is_no_key_where_something_is_drawn(draw):
    with pytest.raises(TypeError, match=r"key must be one key, .* jax.random.key\(0\), got 3"):
        draw()


def test_noise_kind():
    with pytest.raises(ValueError, match="'threefry' or 'counter'"):
        run(noise="pcg", key=jax.random.key(0))


def test_state_and_t0_exclude_each_other():
    state = run().final_state
    with pytest.raises(ValueError, match="either t0= or state="):
        run(state=state, t0=2.0)


def test_unknown_record_of_a_simulation():
    sim = run(record={"V": "V", "w": "w"})
    with pytest.raises(nj.UnknownNameError, match=r"no record 'v'.*Known: V, w"):
        _ = sim["v"]
    with pytest.raises(nj.UnknownNameError):
        sim.times("spikes")


def test_genuine_errors_of_a_model_are_passed_on():
    class Broken(nj.Dynamics):
        def init_state(self, *, key=None):
            return {"x": jnp.zeros(3)}

        def step(self, state, inputs, clock):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(model=Broken())


def test_bare_state_names():
    from neurojax.core.paths import get, leaf_names

    tree = {"E": {"V": jnp.ones(2)}, "ring": (jnp.ones(1), nj.Output(values={"r": jnp.ones(1)}))}
    assert leaf_names(tree) == ("E.V", "ring.0", "ring.1.values.r")
    assert get(tree, "ring.1.values.r").shape == (1,)
    assert get(tree, "E.V.T") is None and get(tree, "ring.7") is None and get(tree, "") is tree


DELTA = nj.neurons.LIF(V_th=1e3, receptors={"d": nj.synapses.Delta()})


def impulses(signal):
    return nj.simulate(DELTA, duration=10.0, dt=0.1, inputs={"d": signal}).final_state.state["V_m"]


@pytest.mark.parametrize(
    "driven",
    [
        lambda x: impulses(nj.inputs.Sampled(x, 1.0)),
        lambda x: impulses(nj.inputs.Sampled(x, 1.0) + 0.0),
        lambda x: impulses(nj.inputs.Step(0.0) + (nj.inputs.Sampled(x, 1.0) + 0.0)),
        jax.jit(lambda x: impulses(nj.inputs.Sampled(x, 1.0))),
        jax.grad(lambda x: impulses(nj.inputs.Sampled(x, 1.0) + 0.0)[0]),
    ],
)
def test_impulses_of_other_steps(driven):
    """Each sample would arrive ten times."""
    with pytest.raises(ValueError, match=r"inputs\['d'\] goes to a receptor .* its dt=1 ms must"):
        driven(jnp.ones((10, 1)))


def test_impulses_of_the_steps_of_the_run():
    x = jnp.ones((100, 1))
    alone = impulses(nj.inputs.Sampled(x, 0.1))
    for signal in (nj.inputs.Sampled(x, 0.1) + 0.0, nj.inputs.Sampled(0.5 * x, 0.1) + 0.5):
        np.testing.assert_allclose(impulses(signal), alone)
    traced = jax.jit(lambda x, dt: impulses(nj.inputs.Sampled(x, dt)))(x, 0.1)
    np.testing.assert_allclose(traced, alone)


@pytest.mark.parametrize("more", [0.0, nj.inputs.Step(1.0)])
def test_a_sampled_input_in_a_sum_covers_the_run(more):
    drive = lambda count: nj.inputs.Sampled(np.ones(count), 0.1) + more
    with pytest.raises(ValueError, match=r"\['I_e'\].* covers 0 to 0.5 ms .* from 0 to 1 ms"):
        run(model=nj.neurons.LIF(), inputs={"I_e": drive(5)})
    assert int(run(model=nj.neurons.LIF(), inputs={"I_e": drive(10)}).stats.steps) == 10


@pytest.mark.parametrize(
    ("given", "number"), [(420, 420.0), (np.int32(420), 420.0), (np.full(2, 420), 420.0),
                          ([420, 420], 420.0), (True, 1.0), (np.ones(2, bool), 1.0)], ids=repr,
)  # fmt: skip
def test_whole_numbers_are_inputs(given, number):
    end = lambda x: run(model=nj.neurons.LIF(n=2), inputs={"I_e": x}).final_state.state["V_m"]
    np.testing.assert_array_equal(end(given), end(number))
    traced = jax.jit(lambda x: end(x))(jnp.asarray(given))
    np.testing.assert_allclose(traced, end(number), rtol=1e-14)
