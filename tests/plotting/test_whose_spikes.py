"""Pictures and statistics say what they were given instead of what they draw or count."""

import re

import numpy as np
import pytest

import neurojax as nj
from neurojax.analysis import spikes

CELL = nj.neurons.LIF()
NET = nj.Network({"E": CELL.population(4), "I": CELL.population(4)})
DRIVE = {"E": {"I_e": 600.0}, "I": {"I_e": 500.0}}


def run(**record):
    return nj.simulate(NET, duration=60.0, dt=0.1, inputs=DRIVE, record=record)


def lines_of(ax, label):
    """The times of the spikes that a picture of voltages shows."""
    (line,) = (line for line in ax.lines if line.get_label() == label)
    times = np.asarray(line.get_xdata(), float)
    return np.unique(times[np.isfinite(times)])


def test_spikes_of_another_population_are_not_drawn():
    V = nj.Trace("I.V_m", index=[3])
    sim = run(V=V, s=nj.Spikes("E"))
    with pytest.raises(
        ValueError, match=r"record 'V' is 'I\.V_m', and 's' holds the spikes of 'E'"
    ):
        nj.plotting.voltage(sim)
    # given as they are they are drawn
    nj.plotting.voltage(sim, spikes=sim["s"], neurons=[3])
    own, both = run(V=V, s=nj.Spikes("I")), run(V=V, s=nj.Spikes("E", "I"))
    expected = own["s"].train(3)
    assert len(expected) > 0 and len(expected) != len(both["s"]["E"].train(3))
    for sim in (own, both):
        found = lines_of(nj.plotting.voltage(sim), "spikes of V[0]")
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_record_without_samples_is_named():
    with pytest.warns(UserWarning, match="stays empty"):
        sim = nj.simulate(CELL, duration=10.0, dt=0.1, record={"m": nj.Trace("V_m", every=2000)})
    with pytest.raises(ValueError, match="record 'm' has no samples"):
        nj.plotting.traces(sim)


@pytest.mark.parametrize("given", ["E->E", run(s=nj.Spikes("E"))])
def test_what_holds_no_weights_is_named(given):
    with pytest.raises(TypeError, match=f"weights must be .*, got {type(given).__name__}"):
        nj.plotting.weight_histogram(given)


def test_the_eighth_population_is_told_apart():
    record = run(s=nj.Spikes("E"))["s"]
    ax = nj.plotting.raster({f"P{i}": record for i in range(9)}, rate=True)
    below = ax.figure.axes[1]
    looks = [(tuple(p.get_edgecolor()), p.get_linestyle()) for p in below.patches]
    assert len(set(map(str, looks))) == 9


@pytest.mark.parametrize(
    ("statistic", "way"),
    [
        (spikes.branching_ratio, "population_counts(record"),
        (spikes.chi, "chi_of_counts"),
        (spikes.fano_factor_of_counts, "fano_factor takes"),
    ],
)
def test_statistics_of_arrays_name_those_of_spikes(statistic, way):
    with pytest.raises(TypeError, match="got a SpikeRecord: " + re.escape(way)):
        statistic(run(s=nj.Spikes("E"))["s"])


def test_chi_of_one_sample():
    with pytest.raises(ValueError, match=r"with two samples at least, got \(1, 3\)"):
        spikes.chi(np.zeros((1, 3)))
