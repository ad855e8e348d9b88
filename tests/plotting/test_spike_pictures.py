"""Pictures of spikes and synapses show each of them at its place."""

import inspect
import warnings
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import sparse

import neurojax as nj


def record(times, neurons, n, dt=0.5):
    steps = np.rint(np.asarray(times) / dt).astype(int)
    words = -(-n // 32)
    packed = np.zeros((len(steps), words), np.uint32)
    for row, neuron in enumerate(neurons):
        packed[row, neuron % words] = np.uint32(1) << np.uint32(neuron // words)
    return nj.SpikeRecord(steps, packed, np.asarray(dt), n)


def simulation(records, times, steps=40):
    number = np.array
    stats = nj.Stats(number(steps), {"": number(1)}, number(-1), number(-1), np.array(False))
    return nj.Simulation(records, nj.SimState(0, steps, 0.5), stats, times)


E = record([1.0, 4.0, 9.0], [0, 2, 2], 3)
I = record([2.0, 12.0], [1, 0], 2)


def test_raster_stacks_populations():
    sim = simulation({"spikes": {"E": E, "I": I}, "v": np.zeros((1, 2))}, {"v": np.ones(1)})
    ax = nj.plotting.raster(sim, bin=10.0, histogram=True)
    dots = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "|"]
    assert dots == [[[1.0, 0.0], [4.0, 2.0], [9.0, 2.0]], [[2.0, 4.0], [12.0, 3.0]]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["E\n(3)", "I\n(2)"]
    assert ax.get_xlim() == (0.0, 20.0)  # the end of the run
    assert len({line.get_color() for line in ax.lines[:2]}) == 2
    _, rate, bars = ax.figure.axes
    values = [patch.get_data().values for patch in rate.patches]
    np.testing.assert_allclose(values, [[100.0, 0.0], [50.0, 50.0]])
    means = [patch.get_data().values for patch in bars.patches]
    np.testing.assert_allclose(means[0], [50.0, 0.0, 100.0])
    np.testing.assert_allclose(means[1], [50.0, 50.0])


def test_raster_of_records_and_on_given_axes(tmp_path):
    ax = nj.plotting.raster(E, rate=False)
    assert (ax.get_xlim(), ax.get_ylabel(), len(ax.figure.axes)) == ((0.0, 9.0), "neuron", 1)
    given = Figure().add_subplot()
    assert nj.plotting.raster({"E": E, "I": I}, ax=given, t_stop=5.0) is given
    assert given.lines[0].get_xydata().tolist() == [[1.0, 0.0], [4.0, 2.0]]
    assert given.figure.axes == [given]
    given.figure.savefig(tmp_path / "raster.png")


def test_raster_of_many_neurons_is_one_image(tmp_path):
    rng = np.random.default_rng(0)
    many = record(np.arange(1, 2001) * 0.5, rng.integers(0, 1000, 2000), 1000)
    ax = nj.plotting.raster(many, histogram=True)
    assert ax.lines[0].get_rasterized() and len(ax.lines[0].get_xdata()) == 2000
    assert len(ax.figure.axes[2].patches[0].get_data().values) <= 60
    ax.figure.savefig(tmp_path / "raster.pdf")
    assert (tmp_path / "raster.pdf").stat().st_size < 200_000


def test_raster_refusals():
    silent = nj.SpikeRecord(np.array([1]), np.zeros((1, 1), np.uint32), np.array(0.5), 2)
    with pytest.raises(ValueError, match=r"give t_stop= \(ms\)"):
        nj.plotting.raster(silent)
    nj.plotting.raster(silent, t_stop=10.0).figure.canvas.draw()
    with pytest.raises(TypeError, match="source must be a Simulation"):
        nj.plotting.raster(np.zeros(3))
    with pytest.raises(TypeError, match="population 'E' must be a SpikeRecord, got ndarray"):
        nj.plotting.raster({"E": np.zeros(3)})
    two = simulation({"a": E, "b": I}, {})
    with pytest.raises(ValueError, match=r"there are \['a', 'b'\]; name one"):
        nj.plotting.raster(two)
    with pytest.raises(nj.UnknownNameError, match="no record of spikes 'c'"):
        nj.plotting.raster(two, record="c")
    with pytest.raises(ValueError, match=r"a record of spikes .* is needed, there is none"):
        nj.plotting.raster(simulation({}, {}))
    with pytest.raises(ValueError, match="t_stop must be after t_start=5 ms, got 2 ms"):
        nj.plotting.raster(E, t_start=5.0, t_stop=2.0)


def test_raster_begins_with_the_run():
    late = simulation({"s": record([45.0, 50.0], [0, 1], 2)}, {}, steps=40)
    late = nj.Simulation(late.records, nj.SimState(0, 120, 0.5), late.stats, {})
    ax = nj.plotting.raster(late, bin=10.0, histogram=True)  # from 40 to 60 ms
    assert ax.get_xlim() == (40.0, 60.0)
    _, rate, bars = ax.figure.axes
    assert rate.patches[0].get_data().values.tolist() == [100.0, 0.0]
    assert rate.patches[0].get_data().edges.tolist() == [40.0, 50.0, 60.0]
    assert bars.patches[0].get_data().values.tolist() == [50.0, 50.0]
    assert nj.plotting.raster(late, t_start=0.0, rate=False).get_xlim() == (0.0, 60.0)


def test_the_last_bin_of_the_rate_may_be_shorter():
    ax = nj.plotting.raster({"E": E, "I": I}, bin=5.0, t_stop=12.0)
    stairs = [patch.get_data() for patch in ax.figure.axes[1].patches]
    for data, spikes, n in zip(stairs, (E, I), (3, 2), strict=True):
        np.testing.assert_allclose(data.edges, [0.0, 5.0, 10.0, 12.0])
        counts = [np.sum((spikes.times > a) & (spikes.times <= b)) for a, b in pairwise(data.edges)]
        np.testing.assert_allclose(data.values, 1e3 * np.array(counts) / (n * np.diff(data.edges)))


def test_rates_are_shown_where_the_run_has_been():
    sim = simulation({"s": {"E": E, "I": I}}, {})  # from 0 to 20 ms
    ax = nj.plotting.raster(sim, bin=5.0, t_start=-10.0, t_stop=33.0, histogram=True)
    _, rate, bars = ax.figure.axes
    assert ax.get_xlim() == rate.get_xlim() == (-10.0, 33.0)
    assert rate.patches[0].get_data().edges.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    np.testing.assert_allclose(bars.patches[0].get_data().values, [50.0, 0.0, 100.0])
    ax = nj.plotting.raster(sim, t_start=40.0, t_stop=60.0, histogram=True)
    assert not any(axes.patches for axes in ax.figure.axes)
    for name in ("bin", "t_start", "t_stop"):
        with pytest.raises(TypeError, match=f"{name} must be a number, got 'a'"):
            inspect.unwrap(nj.plotting.raster)(sim, **{name: "a"})
    with pytest.raises(ValueError, match=r"bin must be positive .*, got None"):
        inspect.unwrap(nj.plotting.raster)(sim, bin=None)


def test_a_spike_in_the_last_step_of_a_run_in_float32_is_drawn():
    last = record([20.0], [0], 1, dt=np.float32(0.01))
    sim = simulation({"s": last}, {}, steps=2000)
    state = nj.SimState(0, 2000, np.float32(0.01))  # whose end is a little before 20 ms
    ax = nj.plotting.raster(nj.Simulation(sim.records, state, sim.stats, {}))
    assert ax.lines[0].get_xdata().tolist() == [20.0]
    assert ax.figure.axes[1].patches[0].get_data().values.tolist() == [0.0, 0.0, 0.0, 200.0]


def test_pictures_can_be_seen_on_a_dark_ground():
    sim = simulation({"v": VOLTS, "s": E}, {"v": TIMES})
    sets = {str(k): np.arange(5.0) for k in range(7)}
    with style.context("dark_background"):
        figures = [nj.plotting.voltage(sim), nj.plotting.traces(sim, record="v")]
        drawn = [line.get_color() for ax in figures for line in ax.lines]
        ax = nj.plotting.connectivity(np.eye(3))
        drawn += [patch.get_facecolor() for axes in ax.figure.axes[1:] for patch in axes.patches]
        drawn += [
            patch.get_edgecolor() for patch in nj.plotting.weight_histogram(sets).patches[1::2]
        ]
        drawn += [text.get_color() for text in
                  nj.plotting.raster(dict.fromkeys(sets, I)).get_yticklabels()]  # fmt: skip
    assert min(sum(to_rgb(colour)) for colour in drawn) > 1.0
    assert nj.plotting.traces(sim, record="v").lines[1].get_color() == "#333333"


def test_names_of_small_populations_do_not_overprint():
    sizes = {"E": 400, "A": 8, "B": 8, "S": 5}
    many = {"E": 400, **{f"small {k}": 3 for k in range(25)}}
    for of in (sizes, many, {"quiet": 1, "E": 400}, {"E": 40, "I": 10}):
        ax = nj.plotting.raster({name: record([1.0], [0], n) for name, n in of.items()})
        ax.figure.draw_without_rendering()
        names = ax.get_yticklabels()
        assert [text.get_text().split()[-1] for text in names] == [f"({n})" for n in of.values()]
        boxes = [text.get_window_extent() for text in names]
        assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
        assert ax.get_ylim() == (-0.5, sum(of.values()) - 0.5)


def test_one_neuron_has_one_tick():
    for ax in (
        nj.plotting.raster(record([1.0], [0], 1)),
        nj.plotting.connectivity(np.ones((1, 1))),
    ):
        ax.figure.draw_without_rendering()
        low, high = sorted(ax.get_ylim())
        assert [y for y in ax.get_yticks() if low <= y <= high] == [0.0]


def test_streamed_runs_are_drawn_from_their_folder(tmp_path):
    cell = nj.neurons.LIF(n=2)
    record = {"s": nj.Spikes(), "V_m": nj.Trace("V_m", every=5)}
    kept = {"duration": 30.0, "dt": 0.1, "t0": 70.0, "inputs": {"I_e": 600.0}, "record": record}
    sim = nj.simulate(cell, **kept, stream_to=tmp_path / "run")
    records = nj.open_records(tmp_path / "run")
    assert len(records["s"].times)
    for draw in (nj.plotting.raster, nj.plotting.voltage):
        mine, its = draw(records), draw(sim)
        np.testing.assert_allclose(mine.get_xlim(), its.get_xlim())
        for a, b in zip(mine.lines, its.lines, strict=True):
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
    np.testing.assert_allclose(nj.plotting.raster(records).get_xlim(), (70.0, 100.0))
    traces = [nj.plotting.traces(source, record="V_m").lines for source in (records, sim)]
    for a, b in zip(*traces, strict=True):
        np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
    with pytest.raises(TypeError, match="spikes must be a Simulation"):
        nj.plotting.voltage(records, spikes=3)
    plain = inspect.unwrap(nj.plotting.voltage)  # without the type checks of the tests
    with pytest.raises(TypeError, match="sim must be a Simulation or what open_records gives"):
        plain(E)


TIMES = 0.5 * np.arange(1, 41)
VOLTS = np.stack([np.linspace(-65.0, -50.0, 40), np.full(40, -60.0), np.full(40, -58.0)], axis=1)


def test_spikes_rise_from_the_voltage_before_them(tmp_path):
    sim = simulation({"v": VOLTS, "spikes": E}, {"v": TIMES})
    ax = nj.plotting.voltage(sim, [0], peak=20.0)
    trace, spikes = ax.lines
    np.testing.assert_array_equal(trace.get_ydata(), VOLTS[:, 0])
    # the spike at 1 ms is the second sample: its line begins at the first
    np.testing.assert_allclose(spikes.get_xydata()[:2], [[1.0, VOLTS[0, 0]], [1.0, 20.0]])
    assert ax.get_ylabel() == "v (mV)"
    ax = nj.plotting.voltage(sim)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["v[0]", "v[1]", "v[2]"]
    lines = {line.get_label(): line for line in ax.lines}
    assert [len(lines[f"spikes of v[{k}]"].get_xdata()) // 3 for k in range(3)] == [1, 0, 2]
    ax.figure.savefig(tmp_path / "voltage.png")


@pytest.mark.parametrize("every", [2, 7, 20])
def test_spikes_rise_from_the_line_that_is_drawn(every):
    rng = np.random.default_rng(0)
    times, values = TIMES[every - 1 :: every], rng.normal(-60.0, 5.0, 40 // every)
    spikes = record(np.arange(8, 40) * 0.5, np.zeros(32, int), 1)
    sim = simulation({"v": values[:, None], "s": spikes}, {"v": times})
    _, lines = nj.plotting.voltage(sim).lines
    drawn = lines.get_xydata()[::3]
    assert len(drawn)
    np.testing.assert_allclose(drawn[:, 1], np.interp(drawn[:, 0] - 0.5, times, values))


def test_what_is_no_voltage_is_not_in_millivolts():
    sim = simulation({"E.g": VOLTS, "E.V_m": VOLTS, "s": E}, {"E.g": TIMES, "E.V_m": TIMES})
    for name, label, unit in (("E.g", "E.g", "(unit of E.g)"), ("E.V_m", "E.V_m (mV)", "mV")):
        assert nj.plotting.voltage(sim, [0], record=name).get_ylabel() == label
        text = nj.plotting.voltage(sim, record=name).texts[0].get_text()
        assert text.split(" ", 1)[1] == unit
    with pytest.raises(ValueError, match="a record of voltages is needed, there is none"):
        nj.plotting.voltage(simulation({"s": E}, {}), record="Q")
    for wrong in (3, slice(3), None):
        keyword = {"columns": wrong} if wrong is not None else {"neurons": 3}
        with pytest.raises(TypeError, match=r"must be a list of numbers of .*, such as"):
            inspect.unwrap(nj.plotting.voltage)(sim, record="E.V_m", **keyword)


def test_voltage_of_named_neurons_and_populations():
    sim = simulation({"v": VOLTS, "w": VOLTS, "s": {"E": E, "I": I}}, {"v": TIMES, "w": TIMES})
    ax = nj.plotting.voltage(sim, [1], record="v", spikes=sim["s"]["E"], neurons=[2])
    assert ax.lines[1].get_xdata()[::3].tolist() == [4.0, 9.0]
    with pytest.raises(ValueError, match=r"record= one of \['v', 'w'\]"):
        nj.plotting.voltage(sim)
    with pytest.raises(ValueError, match=r"as in spikes=sim\['s'\]\['E'\]"):
        nj.plotting.voltage(sim, record="v")
    with pytest.raises(nj.UnknownNameError, match="no record of voltages 'x'"):
        nj.plotting.voltage(sim, record="x")
    with pytest.raises(ValueError, match="neurons must name 3, one for each trace, got 1"):
        nj.plotting.voltage(sim, record="v", spikes=E, neurons=[0])
    with pytest.raises(ValueError, match="no trace"):
        nj.plotting.voltage(sim, [], record="v", spikes=E)
    with pytest.raises(ValueError, match="columns: there is no column 9; columns run from 0 to 2"):
        nj.plotting.voltage(sim, [9], record="v", spikes=E)


def test_voltages_bear_the_spikes_of_their_own_neurons():
    sim = simulation({"v": VOLTS, "s": E}, {"v": TIMES})
    drawn = lambda *columns, **options: [
        line.get_xdata()[::3].tolist()
        for line in nj.plotting.voltage(sim, *columns, **options).lines
        if line.get_label().startswith("spikes")
    ]
    assert drawn([-1, -3]) == [[4.0, 9.0], [1.0]]
    assert drawn([0], neurons=[-1]) == [[4.0, 9.0]]
    with pytest.raises(ValueError, match="neurons: there is no neuron 3; neurons run from 0 to 2"):
        nj.plotting.voltage(sim, [0], neurons=[3])
    part = simulation({"v": VOLTS[:, 1:], "s": E}, {"v": TIMES})
    message = r"'v' holds 2 traces, the record of spikes 3 neurons: .* \(neurons=\[0, 1\] if"
    with pytest.raises(ValueError, match=message):
        nj.plotting.voltage(part)
    with pytest.raises(ValueError, match=r"\(neurons=\[1\] if it holds the first\)"):
        nj.plotting.voltage(part, [-1])
    ax = nj.plotting.voltage(part, neurons=[1, 2])
    assert [len(line.get_xdata()) // 3 for line in ax.lines[1:4:2]] == [0, 2]
    for peak in (-70.0, -50.0):
        with pytest.raises(ValueError, match=rf"peak must be above .*, up to -50 mV, got {peak}"):
            nj.plotting.voltage(sim, peak=peak)


def test_pictures_of_one_run_refuse_a_batch():
    run = lambda drive: nj.simulate(
        nj.neurons.LIF(n=2), duration=5.0, dt=0.1, inputs={"I_e": drive},
        record={"s": nj.Spikes(), "V": "V_m"},
    )  # fmt: skip
    several = jax.vmap(run)(jnp.array([400.0, 500.0]))
    for draw in (nj.plotting.voltage, lambda sim: nj.plotting.traces(sim, record="V")):
        with pytest.raises(ValueError, match=r"a batch of runs \(vmap\); pick one first"):
            draw(several)


@pytest.mark.parametrize(
    ("name", "argument", "wanted"),
    [
        ("traces", "source", "a Recording, a Simulation"),
        ("heatmap", "recording", "a Recording"),
        ("loss_curve", "fit", "what nj.fit returned"),
        ("score_bars", "fit", "what nj.fit returned"),
        ("reconstruction", "fit", "what nj.fit returned"),
        ("weights_against_counts", "fit", "what nj.fit returned"),
        ("psychometric", "table", "what neurojax.tasks.psychometric returned"),
        ("trial", "trials", "Trials"),
        ("connectome", "c", "a Connectome"),
    ],
)
def test_foreign_objects_are_refused_by_name(name, argument, wanted):
    plain = inspect.unwrap(getattr(nj.plotting, name))  # without the type checks of the tests
    with pytest.raises(TypeError, match=f"{argument} must be {wanted}.*, got ndarray"):
        plain(np.zeros((3, 2)))


def test_connectivity_of_matrices(tmp_path):
    rng = np.random.default_rng(1)
    matrix = (rng.random((30, 20)) < 0.2) * rng.normal(size=(30, 20))
    for source in (matrix, sparse.csr_array(matrix), sparse.csc_array(matrix)):
        ax = nj.plotting.connectivity(source)
        shown = np.zeros(matrix.shape)
        for line, sign in zip(ax.lines, (1.0, -1.0), strict=True):
            post, pre = line.get_xydata().astype(int).T
            shown[pre, post] = sign
        np.testing.assert_array_equal(shown, np.sign(matrix))
        _, receive, send = ax.figure.axes
        for axes, axis in ((receive, 0), (send, 1)):
            data = axes.patches[0].get_data()
            degrees = np.repeat(np.round(data.edges[:-1] + 0.5), data.values.astype(int))
            np.testing.assert_array_equal(degrees, np.sort((matrix != 0).sum(axis=axis)))
    ax.figure.savefig(tmp_path / "connectivity.png")


def test_colours_of_connectivity_are_named_where_a_weight_is_negative():
    legend = lambda matrix: nj.plotting.connectivity(np.array(matrix)).get_legend()
    names = [text.get_text() for text in legend([[1.0, -2.0]]).get_texts()]
    assert names == ["w ≥ 0", "w < 0"]
    assert legend([[1.0, 2.0]]) is None


@pytest.mark.parametrize(
    "index", [slice(2, None, 2), np.array([4, 2]), 4, slice(-1, 0, -1)], ids=str
)
def test_voltages_of_a_part_have_the_spikes_of_their_neurons(index):
    """A simulation knows which neurons were recorded."""
    cell = nj.neurons.LIF(n=6)
    drive = np.array([0.0, 0.0, 500.0, 0.0, 900.0, 0.0])
    run = lambda: nj.simulate(
        cell, duration=50.0, dt=0.1, inputs={"I_e": drive},
        record={"V": nj.Trace("V_m", index), "s": nj.Spikes()},
    )  # fmt: skip
    for sim in (run(), jax.jit(run)()):
        for column, neuron in enumerate(np.atleast_1d(np.arange(6)[index])[:3]):
            lines = nj.plotting.voltage(sim, [column], record="V", spikes="s").lines
            drawn = sorted({x for line in lines if "spikes" in str(line.get_label())
                            for x in np.round(line.get_xdata(), 4) if np.isfinite(x)})  # fmt: skip
            np.testing.assert_allclose(drawn, sim["s"].train(int(neuron)), atol=1e-3)


def test_synapses_of_flat_matrices_can_be_seen():
    marks = lambda *shape: nj.plotting.connectivity(np.ones(shape)).lines[0]
    flat, tall, square = marks(5, 1000), marks(1000, 5), marks(5, 5)
    assert [line.get_marker() for line in (flat, tall, square)] == ["|", "_", "s"]
    assert flat.get_markersize() == tall.get_markersize() == square.get_markersize() == 12.0
    for line in (flat, tall):  # and do not hide their neighbours
        assert 0.5 < line.get_markeredgewidth() < 1.0


def test_weights_that_are_no_numbers_are_not_drawn():
    with pytest.raises(ValueError, match="there are 1 NaN among 2: where there is no synapse"):
        nj.plotting.connectivity(np.array([[0.0, np.nan], [1.0, 0.0]]))


def test_recipes_of_graphs_are_not_drawn():
    graphs = nj.connectivity
    edges = graphs.Edges([0], [1], 2, 2)
    for source, words in (
        (graphs.Procedural(0, 20, 20, 5), r"got Procedural: give its to_edges\(\)"),
        (graphs.bernoulli(0.1), r"got Builder: give what its build\(\) gives, or net.projections"),
        (graphs.Dense.from_edges(edges), r"got Dense: give its to_dense\(\)"),
        ("E->E:exc", "got str$"),
        (np.ma.array(np.eye(2), mask=np.eye(2)), r"masked array: give source.filled\(0.0\)"),
    ):
        with pytest.raises(TypeError, match=words):
            nj.plotting.connectivity(source)
    ax = nj.plotting.connectivity(graphs.Procedural(0, 20, 20, 5).to_edges())
    assert ax.get_title(loc="left") == "100 synapses, 20 → 20 neurons"


def test_connectivity_says_where_a_projection_ends():
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent()})
    part = nj.Projection("E", ("E", slice(5, 10)), "exc", nj.connectivity.all_to_all())
    net = nj.Network({"E": cell.population(10)}, [part])
    for source in (net, net.projections["E->E[5:10]:exc"]):
        ax = nj.plotting.connectivity(source)
        assert ax.get_xlabel() == "postsynaptic neuron (counted within E[5:10])"
        assert ax.get_ylabel() == "presynaptic neuron of E"
    assert nj.plotting.connectivity(np.eye(2)).get_ylabel() == "presynaptic neuron"


def test_connectivity_of_an_edge_list_counts_multi_edges():
    edges = nj.connectivity.Edges([0, 0, 1], [2, 2, 0], n_pre=2, n_post=3)
    ax = nj.plotting.connectivity(edges)
    assert ax.get_title(loc="left") == "3 synapses, 2 → 3 neurons"
    data = ax.figure.axes[1].patches[0].get_data()
    np.testing.assert_array_equal(data.values, [1, 1, 1])  # in-degrees 1, 0 and 2
    given = Figure().add_subplot()
    assert nj.plotting.connectivity(np.zeros((2, 2), bool), ax=given) is given
    nj.plotting.connectivity(np.zeros((2, 2))).figure.canvas.draw()
    with pytest.raises(ValueError, match=r"got an array of shape \(3,\)"):
        nj.plotting.connectivity(np.zeros(3))


def test_pictures_of_a_projection_of_a_network():
    cell = nj.neurons.LIF(receptors={"exc": nj.synapses.ExpCurrent()})
    graph = nj.connectivity.from_edges([0, 1], [2, 0])
    wiring = [
        nj.Projection("A", "A", "exc", graph, weight=nj.positive(np.array([1.0, 3.0]))),
        nj.Projection("A", "A", "exc", graph, weight=-2.0, name="shared"),
    ]
    net = nj.Network({"A": cell.population(3)}, wiring)
    own, shared = net.projections.values()
    dots = nj.plotting.connectivity(own, degrees=False).lines
    assert dots[0].get_xydata().tolist() == [[2.0, 0.0], [0.0, 1.0]]  # column, row
    assert len(dots[1].get_xydata()) == 0
    red = nj.plotting.connectivity(shared, degrees=False).lines[1]
    assert red.get_xydata().tolist() == [[2.0, 0.0], [0.0, 1.0]]
    ax = nj.plotting.weight_histogram({"own": own, "shared": shared}, bins=5)
    heights = [stair.get_data().values.tolist() for stair in ax.patches[::2]]
    assert heights == [[0, 0, 0, 1, 1], [2, 0, 0, 0, 0]]
    with pytest.raises(TypeError, match=r"has 2 projections \('A->A:exc', 'shared'\): give one"):
        nj.plotting.connectivity(net)
    one = nj.Network({"A": cell.population(3)}, wiring[:1])
    assert nj.plotting.connectivity(one).lines[0].get_xydata().tolist() == [[2.0, 0.0], [0.0, 1.0]]


def test_weights_of_a_network_have_the_unit_of_its_receptors():
    receptors = {"pA": nj.synapses.ExpCurrent(), "mV": nj.synapses.Delta(),
                 "nS": nj.synapses.ExpConductance()}  # fmt: skip
    cell = nj.neurons.LIF(n=3, receptors=receptors)
    ends = lambda *units: nj.Network(
        {"A": cell}, [nj.Projection("A", "A", u, nj.connectivity.all_to_all()) for u in units]
    )
    label = lambda weights, **options: nj.plotting.weight_histogram(weights, **options).get_xlabel()
    for unit in receptors:
        assert label(ends(unit)) == f"weight ({unit})"
        assert label(ends(unit).projections) == "weight"
    assert label(ends("pA", "mV")) == "weight"
    assert label(ends("pA", "mV"), unit="a.u.") == "weight (a.u.)"


def test_a_projection_without_synapses_leaves_the_others_drawn():
    cell = nj.neurons.LIF(n=3, receptors={"exc": nj.synapses.ExpCurrent()})
    none = nj.Projection("A", "A", "exc", nj.connectivity.from_edges([], []), name="none")
    some = nj.Projection("A", "A", "exc", nj.connectivity.all_to_all(), name="some")
    ax = nj.plotting.weight_histogram(nj.Network({"A": cell}, [none, some]))
    assert [p.get_data().values.sum() for p in ax.patches[1::2]] == [0, 6]
    with pytest.raises(ValueError, match="there is no weight"):
        nj.plotting.weight_histogram(nj.Network({"A": cell}, [none]))


def test_weight_histogram():
    before, after = np.linspace(0.0, 1.0, 100), np.linspace(0.0, 2.0, 50)
    ax = nj.plotting.weight_histogram({"before": before, "after": after}, bins=10)
    outlines = ax.patches[1::2]
    assert [patch.get_data().values.sum() for patch in outlines] == [100, 50]
    np.testing.assert_allclose(outlines[0].get_data().edges, np.linspace(0.0, 2.0, 11))
    assert ax.get_xlabel() == "weight"
    ax = nj.plotting.weight_histogram(before.reshape(10, 10), unit="nS", log=True)
    assert (ax.get_yscale(), ax.get_legend(), ax.get_xlabel()) == ("log", None, "weight (nS)")
    with pytest.raises(ValueError, match="there is no weight"):
        nj.plotting.weight_histogram([])
    with pytest.raises(ValueError, match=r"^weights must be finite"):
        nj.plotting.weight_histogram([np.nan, 1.0])
    with pytest.raises(ValueError, match="weights 'a' must be finite"):
        nj.plotting.weight_histogram({"a": [np.nan]})


def test_legends_of_many_weights_stay_in_the_picture():
    layers = ("L23e", "L4e", "L5e", "L6e", "TC")
    for names in (["before", "after"], [f"excitatory->inhibitory:{k}" for k in range(12)],
                  [f"{a}->{b}:exc" for a in layers for b in layers],
                  [f"set {k}" for k in range(20)]):  # fmt: skip
        ax = nj.plotting.weight_histogram({name: np.arange(5.0) for name in names})
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of a layout that has no room
            ax.figure.draw_without_rendering()
        box, figure = ax.get_legend().get_window_extent(), ax.figure.bbox
        assert box.x0 >= 0.0 and box.x1 <= figure.x1 and box.y1 <= figure.y1
        assert ax.get_window_extent().height > max(2.0 * ax.figure.dpi, box.height)
        looks = {(p.get_edgecolor(), p.get_linestyle()) for p in ax.patches[1::2]}
        assert len(looks) == len(names)
    with pytest.raises(ValueError, match="bins must be a positive whole number, got 0"):
        nj.plotting.weight_histogram([1.0], bins=0)


def test_stdp_window_has_a_gap_at_zero():
    ax = nj.plotting.stdp_window([20.0, -10.0, 0.0, 10.0, -20.0], [2.0, -3.0, 0.5, 4.0, -1.0])
    left, right, together = (line.get_xydata().tolist() for line in ax.lines[:3])
    assert left == [[-20.0, -1.0], [-10.0, -3.0]]
    assert right == [[10.0, 4.0], [20.0, 2.0]]
    assert together == [[0.0, 0.5]]
    with pytest.raises(ValueError, match=r"equally long lists, got \(2,\) and \(1,\)"):
        nj.plotting.stdp_window([1.0, 2.0], [1.0])
    dots = nj.plotting.stdp_window([-10.0, 10.0], [-0.5, 0.5]).lines[:2]
    assert [line.get_marker() for line in dots] == ["o", "o"]
    for lag, change in (([-1.0, 1.0], [0.5, np.nan]), ([np.inf, 1.0], [0.5, 0.2])):
        with pytest.raises(ValueError, match=r"must be finite, got (nan at 1|inf at 0): leave it"):
            nj.plotting.stdp_window(lag, change)
