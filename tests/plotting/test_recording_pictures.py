"""The pictures of recordings show the samples that are there, in the order that is said."""

import inspect

import numpy as np
import pytest

import neurojax as nj
from neurojax import plotting


def recording(frames=40):
    t = np.arange(frames) * 0.5
    wave = np.sin(t)
    values = np.stack([wave, -wave, 2.0 * wave + 5.0, np.cos(7 * t)], axis=1)
    values[3, 1] = np.nan
    reversal = nj.recordings.Series(t, (t > 10.0).astype(float))
    return nj.recordings.Recording(
        t, values, labels=["A", "B", "C", ""], unit="F/F0", series={"reversal": reversal}
    )


def test_traces_are_drawn_one_above_the_other_about_their_means(tmp_path):
    ax = plotting.traces(recording(), ["C", "B"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["C", "B"]
    lines = ax.get_lines()[:2]
    drawn = [np.asarray(line.get_ydata(), float) for line in lines]
    shift = ax.get_yticks()
    wave = recording().trace("C")
    np.testing.assert_allclose(drawn[0], wave - wave.mean(), atol=1e-12)
    assert np.isnan(drawn[1][3]) and abs(np.nanmean(drawn[1]) - shift[1]) < 1e-12
    assert np.nanmin(drawn[0]) > np.nanmax(drawn[1])
    ax.figure.savefig(tmp_path / "traces.png")


def test_traces_of_unlabelled_neurons_and_of_simulations():
    ax = plotting.traces(recording(), [3, "A"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["#3", "A"]
    wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "RIML"])
    circuit = nj.circuits.ConnectomeCircuit(wiring)
    sim = nj.simulate(circuit, duration=60.0, dt=6.0, record={"V": "V"})
    ax = plotting.traces(sim, [2, 0])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["V[2]", "V[0]"]
    assert ax.get_xlabel() == "time (ms)"
    assert ax.texts[0].get_text().endswith("(unit of V)")
    with pytest.raises(ValueError, match="by number"):
        plotting.traces(sim, ["AVAL"])
    with pytest.raises(ValueError, match="neurons: there is no column 9; columns run from 0 to 2"):
        plotting.traces(sim, [0, 9])
    assert plotting.traces(sim, [-1]).get_yticklabels()[0].get_text() == "V[-1]"
    with pytest.raises(ValueError, match="no trace"):
        plotting.traces(recording(), [])
    for draw, given in ((plotting.traces, recording()), (plotting.traces, sim),
                        (plotting.heatmap, recording())):  # fmt: skip
        for wrong in (3, slice(3)):
            with pytest.raises(TypeError, match=r"neurons must be a list of .*, such as \[0, 1\]"):
                inspect.unwrap(draw)(given, wrong)


def test_one_label_is_one_neuron():
    for draw in (plotting.traces, plotting.heatmap):
        ax = draw(recording().rename({"B": "AVAL"}), "AVAL")
        assert [t.get_text() for t in ax.get_yticklabels()] == ["AVAL"]


def test_the_default_record_is_the_one_that_is_an_array():
    cell = nj.neurons.LIF(n=2)
    record = {"V": nj.Trace("V_m"), "refractory": nj.Trace("refractory"), "s": nj.Spikes()}
    run = lambda *names: nj.simulate(
        cell, duration=2.0, dt=0.1, record={k: record[k] for k in names}
    )
    ax = plotting.traces(run("V", "s"))
    assert ax.get_yticklabels()[0].get_text() == "V[0]"
    with pytest.raises(ValueError, match=r"there are \['V', 'refractory'\]; name one"):
        plotting.traces(run(*record))
    with pytest.raises(ValueError, match="an array over time is needed, there is none"):
        plotting.traces(run("s"))
    net = nj.Network({"E": cell, "I": cell}, [])
    both = nj.simulate(net, duration=1.0, dt=0.1, record={"s": nj.Spikes("E", "I"), "V": "E.V_m"})
    for sim in (run("s"), both):
        with pytest.raises(ValueError, match=r"'s' is no array over time: nj.plotting.raster dra"):
            plotting.traces(sim, record="s")
    with pytest.raises(nj.UnknownNameError, match="'W'"):
        plotting.traces(both, record="W")


def test_the_scale_of_membrane_potentials_is_in_millivolts():
    cell = nj.neurons.LIF(n=2, receptors={"e": nj.synapses.ExpConductance()})
    record = {"V": "V_m", "membrane": "V_m", "g": "e.g"}
    sim = nj.simulate(cell, duration=1.0, dt=0.1, record=record)
    for name, unit in (("V", "mV"), ("membrane", "(unit of membrane)"), ("g", "(unit of g)")):
        text = plotting.traces(sim, record=name).texts[0].get_text()
        assert text.split(" ", 1)[1] == unit


def test_heatmap_puts_like_neurons_together_and_missing_samples_grey():
    ax = plotting.heatmap(recording())
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert sorted(names) == ["A", "B", "C"]
    assert names[1] != "B"  # the one that goes the other way lies at an end
    shown = ax.collections[0].get_array().reshape(3, 40)
    assert shown.mask.sum() == 1 and shown.mask[names.index("B"), 3]
    there = shown[names.index("C")].filled(np.nan)
    np.testing.assert_allclose([there.mean(), there.std()], [0.0, 1.0], atol=1e-12)
    assert ax.get_title(loc="left") == "marked: reversal"
    with pytest.raises(ValueError, match="no series 'speed'"):
        plotting.heatmap(recording(), shade="speed")


def test_pictures_of_few_neurons_have_room_and_names():
    for neurons, names in (([3], ["#3"]), ([0, 3], ["#3", "A"]), ([3, 1, 0], ["#3", "A", "B"])):
        ax = plotting.heatmap(recording(), neurons)
        assert sorted(t.get_text() for t in ax.get_yticklabels()) == names
        ax.figure.draw_without_rendering()
        box, figure = ax.figure.axes[1].yaxis.label.get_window_extent(), ax.figure.bbox
        assert box.y0 >= 0.0 and box.y1 <= figure.y1 and box.x1 <= figure.x1
    with pytest.raises(ValueError, match="no neuron to draw"):
        plotting.heatmap(recording(), [])


def test_heatmap_of_a_constant_and_of_one_frame():
    one = nj.recordings.Recording([0.0], [[1.0, np.nan]])
    plotting.heatmap(one).figure.canvas.draw()
