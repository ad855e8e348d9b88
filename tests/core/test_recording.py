"""What a run keeps: strides, slices, given times, spikes; in chunks as in one piece."""

import inspect
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models

import neurojax as nj
from neurojax.core import run as run_module
from neurojax.core.levels import block_length, levels, seat


def simulate(model=None, duration=20.0, dt=0.1, **arguments):
    arguments.setdefault("inputs", {"I": 0.5})
    return nj.simulate(models.Oscillator() if model is None else model, duration=duration, dt=dt,
                       **arguments)  # fmt: skip


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of a few steps, so that a short run needs many."""
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 700)


ALL = {
    "V": "V",
    "every 10": nj.Trace("V", slice(1), every=10),
    "every 7": nj.Trace("w", 1, every=7),
    "every 25": nj.Trace("w", [1, 0], every=25),
    "function": nj.Trace(lambda s: {"sum": s["V"].sum(), "both": s}, every=3),
    "at": nj.Trace("V", at=[0.0, 0.1, 3.33, 7.05, 20.0]),
}


def test_a_sample_bears_the_label_of_the_end_of_its_step():
    """Against the explicit Euler recursion, one step at a time."""
    model = models.Relaxation(solver=nj.solvers.Euler(), E=0.0, tau=1.0, n=1)
    run = nj.simulate(model, duration=1.0, dt=0.1, record={"V": "V"})
    np.testing.assert_allclose(run["V"][:, 0], 0.9 ** np.arange(1, 11))
    np.testing.assert_allclose(run.times("V"), 0.1 * np.arange(1, 11))


def test_strides_slices_and_functions_select_from_the_full_trace():
    run = simulate(record=ALL | {"state": nj.Trace(lambda s: s)})
    V, w = np.asarray(run["state"]["V"]), np.asarray(run["state"]["w"])
    every = lambda k: np.arange(k, 201, k) - 1
    np.testing.assert_array_equal(run["V"], V)
    np.testing.assert_array_equal(run["every 10"], V[every(10), :1])
    np.testing.assert_array_equal(run["every 7"], w[every(7), 1])
    np.testing.assert_array_equal(run["every 25"], w[every(25)][:, [1, 0]])
    np.testing.assert_array_equal(run["function"]["both"]["w"], w[every(3)])
    np.testing.assert_allclose(run["function"]["sum"], V[every(3)].sum(axis=1), rtol=1e-14)
    for name, k in (("every 10", 10), ("every 7", 7), ("every 25", 25), ("function", 3)):
        np.testing.assert_allclose(run.times(name), 0.1 * (every(k) + 1))


def test_given_times_are_interpolated_between_steps():
    run = simulate(record={"V": "V", "at": ALL["at"]})
    V = np.concatenate([[[0.0, 1.0]], run["V"]])
    grid = 0.1 * np.arange(201)
    expected = np.stack([np.interp(ALL["at"].at, grid, V[:, i]) for i in range(2)], axis=1)
    np.testing.assert_allclose(run["at"], expected, rtol=1e-12, atol=1e-12)
    assert run.times("at").tolist() == list(ALL["at"].at)


def test_masks_and_lists_are_indices():
    model = models.Oscillator(n=4)
    mask = np.array([True, False, True, False])
    run = simulate(model, duration=1.0, record={
        "mask": nj.Trace("V", mask), "list": nj.Trace("V", [0, 2]), "negative": nj.Trace("V", -1),
        "all": "V",
    })  # fmt: skip
    np.testing.assert_array_equal(run["mask"], run["all"][:, [0, 2]])
    np.testing.assert_array_equal(run["list"], run["all"][:, [0, 2]])
    np.testing.assert_array_equal(run["negative"], run["all"][:, 3])


def test_nothing_is_kept_unless_asked_for():
    run = simulate()
    assert run.records == {} and run.sample_times == {}
    assert int(run.stats.steps) == 200
    assert run.final_state.state["V"].shape == (2,)


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_chunked_run_equals_the_whole_bit_for_bit(small_chunks, monkeypatch):
    chunked = simulate(record=ALL)
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 1 << 27)
    whole = simulate(record=ALL)
    equal(chunked.records, whole.records)
    equal(chunked.sample_times, whole.sample_times)
    equal(chunked.final_state.state, whole.final_state.state)


def test_many_chunks_are_really_used(small_chunks, monkeypatch):
    lengths = []
    run_steps = run_module.run_steps

    def spy(*arguments):
        lengths.append(int(arguments[-1].steps))
        return run_steps(*arguments)

    monkeypatch.setattr(run_module, "run_steps", spy)
    simulate(record={"V": nj.Trace("V", every=3), "w": nj.Trace("w", every=5)})
    assert len(lengths) > 3 and sum(lengths) == 200
    assert set(lengths[:-1]) == {lengths[0]} and lengths[0] % 15 == 0  # one program serves them


@pytest.mark.parametrize("noise", ["threefry", "counter"])
def test_noise_of_a_chunked_run_is_that_of_the_whole(small_chunks, monkeypatch, noise):
    model = models.OrnsteinUhlenbeck()
    coloured = nj.inputs.OrnsteinUhlenbeck(0.0, 1.0, 3.0, shape=(2,))
    arguments = {"key": jax.random.key(2), "noise": noise}
    record = {"x": nj.Trace(lambda s: s)}
    a = simulate(model, record=record, inputs={}, **arguments)
    b = simulate(record={"V": "V"}, inputs={"I": coloured}, **arguments)
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 1 << 27)
    equal(a.records, simulate(model, record=record, inputs={}, **arguments).records)
    equal(b.records, simulate(record={"V": "V"}, inputs={"I": coloured}, **arguments).records)


@pytest.mark.filterwarnings("ignore:record '.*' stays empty")
@pytest.mark.parametrize("cut", [0.1, 3.7, 19.9])
def test_a_run_that_goes_on_equals_the_whole(cut):
    """Strides count absolute steps, so a cut anywhere leaves the samples where they were."""
    record = {k: v for k, v in ALL.items() if k != "at"}
    whole = simulate(record=record)
    first = simulate(duration=cut, record=record)
    rest = simulate(duration=20.0 - cut, record=record, state=first.final_state)
    for name in record:
        together = jax.tree.map(lambda a, b: np.concatenate([a, b]), first[name], rest[name])
        equal(together, jax.tree.map(np.asarray, whole[name]))
        times = np.concatenate([first.times(name), rest.times(name)])
        np.testing.assert_allclose(times, whole.times(name), rtol=1e-12)
    equal(rest.final_state.state, whole.final_state.state)
    assert int(rest.final_state.step) == 200


def test_given_times_after_a_cut():
    first = simulate(duration=3.7)
    rest = simulate(
        duration=16.3, state=first.final_state, record={"at": nj.Trace("V", at=[3.7, 3.74, 12.0])}
    )
    whole = simulate(record={"at": nj.Trace("V", at=[3.7, 3.74, 12.0])})
    np.testing.assert_allclose(rest["at"], whole["at"], rtol=1e-12)
    with pytest.raises(ValueError, match=r"outside the run from 3\.7 to 5\.7 ms"):
        simulate(duration=2.0, state=first.final_state, record={"at": nj.Trace("V", at=[1.0])})


def test_start_time_is_a_label():
    """t0 moves the clock of inputs, noise and samples."""
    late = simulate(t0=5.0, duration=1.0, record={"V": "V"}, inputs={"I": nj.inputs.Step(1.0, 5.5)})
    early = simulate(duration=1.0, record={"V": "V"}, inputs={"I": nj.inputs.Step(1.0, 0.5)})
    np.testing.assert_allclose(late["V"], early["V"], rtol=1e-12)
    np.testing.assert_allclose(late.times("V")[[0, -1]], [5.1, 6.0])
    assert int(late.final_state.step) == 60


def test_a_run_goes_on_with_another_step_length():
    first = simulate(duration=4.0)
    rest = simulate(duration=1.0, dt=0.05, state=first.final_state, record={"V": "V"})
    np.testing.assert_allclose(rest.times("V")[[0, -1]], [4.05, 5.0])
    with pytest.raises(ValueError, match="time of state="):
        simulate(duration=0.9, dt=0.3, state=first.final_state)


# -- spikes -----------------------------------------------------------------------------------


def spiking_run(**arguments):
    model = models.HodgkinHuxley(I=np.linspace(5.0, 20.0, 40), n=40)
    record = {"spikes": nj.Spikes(), "V": nj.Trace("V", every=4)}
    return nj.simulate(model, duration=60.0, dt=0.025, record=record, **arguments)


@pytest.fixture(scope="module")
def axon():
    model = models.HodgkinHuxley(I=np.linspace(5.0, 20.0, 40), n=40)
    record = {"spikes": nj.Spikes(), "V": "V"}
    return nj.simulate(model, duration=60.0, dt=0.025, record=record)


def test_spikes_are_the_upward_crossings_of_the_trace(axon):
    V = np.concatenate([np.full((1, 40), -65.0), axon["V"]])
    step, neuron = np.nonzero((V[1:] > 0) & (V[:-1] <= 0))
    spikes = axon["spikes"]
    assert len(step) > 100
    np.testing.assert_array_equal(spikes.neurons, neuron)
    np.testing.assert_allclose(spikes.times, 0.025 * (step + 1), rtol=1e-12)
    assert int(axon.stats.spikes[""]) == len(step)
    np.testing.assert_array_equal(spikes.counts(), np.bincount(neuron, minlength=40))
    np.testing.assert_allclose(spikes.train(7), 0.025 * (step[neuron == 7] + 1))
    np.testing.assert_allclose(axon.times("spikes"), spikes.times)


def test_spikes_of_a_chunked_run(axon, monkeypatch):
    monkeypatch.setattr(run_module, "_CHUNK_BYTES", 20_000)
    run = spiking_run()
    np.testing.assert_array_equal(run["spikes"].times, axon["spikes"].times)
    np.testing.assert_array_equal(run["spikes"].neurons, axon["spikes"].neurons)
    assert int(run.stats.spikes[""]) == int(axon.stats.spikes[""])
    np.testing.assert_array_equal(run["V"], np.asarray(axon["V"])[3::4])


def test_spikes_inside_jit(axon):
    model = models.HodgkinHuxley(I=np.linspace(5.0, 20.0, 40), n=40)
    run = jax.jit(lambda m: nj.simulate(m, duration=60.0, dt=0.025, record={"s": nj.Spikes()}))(
        model
    )
    np.testing.assert_array_equal(run["s"].neurons, axon["spikes"].neurons)
    np.testing.assert_allclose(run["s"].times, axon["spikes"].times)


def test_spikes_are_read_outside_of_jit():
    net = nj.Network({"E": nj.neurons.LIF().population(3)})
    drive = {"E": {"I_e": jnp.array([300.0, 500.0, 900.0])}}

    def run(read):
        record = {"s": nj.Spikes("E"), "t": nj.Trace("E.spikes")}
        return read(nj.simulate(net, duration=40.0, dt=0.1, inputs=drive, record=record))

    for read in (
        lambda sim: sim["s"].times, lambda sim: sim["s"].neurons, lambda sim: sim["s"].counts(),
        lambda sim: sim["s"].train(0), lambda sim: sim.times("s"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"outside jit.*stats\.spikes.*nj\.Trace\('E\.spikes'"):
            jax.jit(lambda r=read: run(r))()
        run(read)
    counts, total = jax.jit(lambda: run(lambda s: (s["t"].sum(axis=0), s.stats.spikes["E"])))()
    np.testing.assert_array_equal(counts, run(lambda sim: sim["s"].counts()))
    assert int(total) == counts.sum() > 0


@pytest.mark.parametrize("n", [1, 31, 32, 33, 100])
def test_packed_spikes(n):
    V = np.random.default_rng(n).normal(size=n)
    threshold = np.random.default_rng(n + 1).normal(size=n)
    armed = np.random.default_rng(n + 2).random(n) < 0.5
    for output, fired in (
        (nj.SpikeOutput(jnp.array(V), 0.3), V > 0.3),
        (nj.SpikeOutput(jnp.array(V), jnp.array(threshold)), threshold < V),
        (nj.SpikeOutput(jnp.array(V), 0.3, jnp.array(armed)), (V > 0.3) & armed),
    ):
        words = np.asarray(output.packed())
        assert words.shape == (-(-n // 32),) and words.dtype == np.uint32
        record = nj.SpikeRecord(np.array([4]), words[None], np.array(0.5), n)
        np.testing.assert_array_equal(record.neurons, np.flatnonzero(fired))
        assert np.all(record.times == 2.0)
        assert int(output.count()) == fired.sum()
        np.testing.assert_array_equal(output.values(), fired.astype(float))


def test_trains_are_those_of_neurons_that_exist():
    words = np.array([[0b10], [0b100]], np.uint32)
    record = nj.SpikeRecord(np.array([4, 6]), words, np.array(0.5), 3)
    for neuron, train in ((1, [2.0]), (np.int64(2), [3.0]), (-1, [3.0]), (-3, []), (0, [])):
        assert inspect.unwrap(nj.SpikeRecord.train)(record, neuron).tolist() == train
    for neuron in (3, 99, -4):
        with pytest.raises(IndexError, match=f"no neuron {neuron}; neurons run from 0 to 2"):
            record.train(neuron)
    for neuron in (1.5, "a", None):
        with pytest.raises(ValueError, match=f"neuron must be a whole number, got {neuron!r}"):
            inspect.unwrap(nj.SpikeRecord.train)(record, neuron)


def test_spikes_as_numbers_are_those_of_the_record():
    net = nj.Network({"A": nj.neurons.LIF().population(3)})
    drive = {"A": {"I_e": jnp.array([300.0, 500.0, 900.0])}}
    record = {
        "events": nj.Spikes("A"), "all": "A.spikes", "some": nj.Trace("A.spikes", [2, 1], every=5)
    }  # fmt: skip
    run = nj.simulate(net, duration=40.0, dt=0.1, inputs=drive, record=record)
    expected = np.zeros((400, 3))
    expected[np.rint(run["events"].times / 0.1).astype(int) - 1, run["events"].neurons] = 1.0
    assert expected.sum() > 4
    np.testing.assert_array_equal(run["all"], expected)
    np.testing.assert_array_equal(run["some"], expected[4::5][:, [2, 1]])
    with pytest.raises(KeyError, match=r"'B\.spikes' is not part of this model"):
        nj.simulate(net, duration=1.0, dt=0.1, record={"s": "B.spikes"})


def test_derivative_of_recorded_spikes_is_the_surrogate():
    """Below threshold the voltage is known, and so is the sum of slopes along it."""
    cell = nj.neurons.LIF(surrogate=nj.surrogate.Triangle(width=0.5, damping=0.3))

    def spikes(current):
        run = nj.simulate(
            cell, duration=30.0, dt=0.1, inputs={"I_e": current}, record={"s": "spikes"}
        )
        return run["s"].sum()

    rise = (1 - np.exp(-0.1 * np.arange(1, 301) / 10.0)) / 25.0  # V - E_L for 1 pA, mV
    x = (350.0 * rise - 15.0) / 15.0
    slope = 0.3 / 0.5 * np.maximum(0.0, 1 - np.abs(x) / 0.5)
    value, derivative = jax.value_and_grad(spikes)(350.0)
    assert float(value) == 0.0
    np.testing.assert_allclose(derivative, (slope * rise / 15.0).sum(), rtol=1e-9)


def test_surrogate_gradient_is_a_triangle():
    slope = jax.vmap(jax.grad(lambda v: nj.SpikeOutput(v[None], 0.0).values()[0]))
    x = np.linspace(-15, 15, 7)
    expected = np.maximum(0, 1 - np.abs(x) / 10) / 10
    np.testing.assert_allclose(slope(jnp.array(x)), expected, atol=1e-15)


# -- on disk ----------------------------------------------------------------------------------


def test_streamed_records_are_memory_mapped_and_equal(tmp_path, axon):
    run = spiking_run(stream_to=tmp_path / "run")
    assert isinstance(run["V"], np.memmap)
    np.testing.assert_array_equal(run["V"], np.asarray(axon["V"])[3::4])
    np.testing.assert_array_equal(run["spikes"].times, axon["spikes"].times)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]
    assert "index.json" in {p.name for p in (tmp_path / "run").iterdir()}


def test_streamed_records_of_every_kind(tmp_path):
    names = ALL | {"../odd name": nj.Trace("V", every=2), "odd.name": nj.Trace("w", every=2)}
    streamed = simulate(record=names, stream_to=tmp_path / "deep" / "run")
    equal(streamed.records, simulate(record=names).records)
    inside = {p.resolve().parent for p in tmp_path.rglob("*.npy")}
    assert inside == {(tmp_path / "deep" / "run").resolve()}


def test_streaming_into_a_folder_that_exists_is_refused(tmp_path):
    with pytest.raises(FileExistsError, match="name a new folder"):
        simulate(record=ALL, stream_to=tmp_path)


def test_a_failed_run_leaves_what_it_recorded(tmp_path):
    model = models.Oscillator(solver=nj.solvers.Euler())
    arguments = {"model": model, "duration": 1000.0, "dt": 10.0, "record": ALL}
    with pytest.raises(nj.NonFiniteError) as error:
        simulate(**arguments, stream_to=tmp_path / "run")
    (partial,) = tmp_path.iterdir()
    (note,) = error.value.__notes__
    assert note.startswith(f"What was recorded of the first 100 steps is in {str(partial)!r}")
    found, whole = nj.open_records(partial), simulate(**arguments, throw=False)
    assert found.steps == 100
    for name in ALL:
        for a, b in zip(jax.tree.leaves(found[name]), jax.tree.leaves(whole[name]), strict=True):
            np.testing.assert_array_equal(a, b[: len(a)])


def test_a_run_that_fails_before_its_first_record_leaves_nothing(tmp_path, monkeypatch):
    def broken(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_steps", broken)
    with pytest.raises(KeyboardInterrupt):
        simulate(record={"V": "V"}, stream_to=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_progress_does_not_change_the_result(capsys):
    equal(simulate(record=ALL, progress=True).records, simulate(record=ALL).records)
    assert "simulate" in capsys.readouterr().err


# -- outputs of a step ------------------------------------------------------------------------


class Counter(nj.Dynamics):
    """Counts steps; its read-out lives in the output, not in the state."""

    def init_state(self, *, key=None):
        return {"k": jnp.zeros((), jnp.int32)}

    def step(self, state, inputs, clock):
        k = state["k"] + 1
        inner = nj.Output(values={"tenth": 10 * k * jnp.ones(2)})
        return {"k": k}, nj.Output(values={"square": k**2}, parts={"part": inner})


def test_read_outs_are_recorded_by_name():
    run = nj.simulate(Counter(), duration=20.0, dt=1.0, record={
        "square": "square", "some": nj.Trace("square", every=6), "k": nj.Trace("k", every=5),
        "inner": nj.Trace("part.tenth", 1, every=4),
    })  # fmt: skip
    np.testing.assert_array_equal(run["square"], np.arange(1, 21) ** 2)
    np.testing.assert_array_equal(run["some"], np.array([6, 12, 18]) ** 2)
    np.testing.assert_array_equal(run["k"], [5, 10, 15, 20])
    np.testing.assert_array_equal(run["inner"], 10 * np.array([4, 8, 12, 16, 20]))


def test_read_outs_after_an_odd_cut():
    record = {"some": nj.Trace("square", every=6)}
    first = nj.simulate(Counter(), duration=7.0, dt=1.0, record=record)
    rest = nj.simulate(Counter(), duration=13.0, dt=1.0, record=record, state=first.final_state)
    assert [*first["some"], *rest["some"]] == [36, 144, 324]
    assert [*first.times("some"), *rest.times("some")] == [6.0, 12.0, 18.0]


TRACED = []


class Ramp(nj.Dynamics):
    """Rises by what is put in; notes when its step is traced."""

    def init_state(self, *, key=None):
        return {"x": jnp.zeros(3)}

    def step(self, state, inputs, clock):
        TRACED.append(clock)
        x = state["x"] + inputs["u"]
        return {"x": x}, nj.Output(nj.SpikeOutput(x, 4.5), values={"double": 2 * x})


def test_a_second_run_of_the_same_shapes_traces_nothing():
    record = {"s": nj.Spikes(), "x": nj.Trace("x", 1), "d": nj.Trace("double", every=2)}
    run = lambda u, state=None: nj.simulate(
        Ramp(), duration=6.0, dt=1.0, inputs={"u": u}, record=record, state=state
    )
    first = run(jnp.ones(3))
    assert first["s"].times.tolist() == [5.0] * 3 + [6.0] * 3
    traced = len(TRACED)
    again = run(2 * jnp.ones(3), first.final_state)
    np.testing.assert_array_equal(again["x"], 6 + 2 * np.arange(1, 7))
    np.testing.assert_array_equal(again["d"][:, 0], 2 * (6 + 2 * np.arange(2, 7, 2)))
    assert again["s"].neurons.size == 18
    assert len(TRACED) == traced
    assert run(jnp.ones(()))["s"].times.size == 6 and len(TRACED) > traced


# -- how runs are nested ----------------------------------------------------------------------


@pytest.mark.parametrize("strides", [[], [1], [10], [10, 25], [4, 6, 12], [7, 49, 5], [100, 10]])
def test_every_stride_has_a_seat_in_the_chain(strides):
    chain = levels(strides)
    assert chain[0] == 1 and all(b % a == 0 and b > a for a, b in itertools.pairwise(chain))
    for stride in strides:
        assert stride % chain[seat(chain, stride)] == 0


def test_block_lengths_are_multiples_of_the_stride():
    for steps in (1, 7, 100, 4000, 12345, 10**6):
        for stride in (1, 3, 40, 1000):
            length = block_length(steps, stride, 128)
            assert length == max(steps, 1) or length % stride == 0
            assert length <= max(8 * 128, stride, 4 * 128)


def test_given_times_on_the_grid_of_a_very_late_run():
    """Where numbers of 64 bits are 1e-3 steps apart, times on the grid are on it."""
    t0, cell = 1e12, nj.neurons.LIF()
    state = {"V_m": jnp.array([-60.0])}
    late = lambda at: nj.simulate(
        cell, duration=2.0, dt=0.1, t0=t0, state=cell.init_state() | state,
        record={"a": nj.Trace("V_m", 0, at=at), "V": nj.Trace("V_m", 0)},
    )  # fmt: skip
    run = late(t0 + 0.1 * np.arange(1, 21))
    np.testing.assert_array_equal(run["a"], run["V"])
    with pytest.raises(ValueError, match="from 1000000000000 to 1000000000002 ms"):
        late(t0 + np.array([2.5]))
