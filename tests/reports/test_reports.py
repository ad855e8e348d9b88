"""Numbers, words and pages of a report."""

import base64
import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import neurojax as nj
from neurojax import plotting
from neurojax.fitting import edge_weights, rescored
from neurojax.fitting.forecasts import forecast_errors
from neurojax.fitting.free_run import free_run
from neurojax.reports import short_table, summary
from neurojax.reports.verdict import answer, judged

_spec = importlib.util.spec_from_file_location(
    "small_fits", Path(__file__).with_name("small_fits.py")
)
small_fits = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small_fits)
small_fit = small_fits.small_fit


@pytest.fixture(scope="module")
def fit():
    return small_fit(controls=[nj.fitting.Shuffled(1)], seeds=2)


@pytest.fixture(scope="module")
def numbers(fit):
    return summary(fit)


class Page(HTMLParser):
    """What a browser would load, and the text that it would show."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.text, self.tags = [], "", set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loaded += [v for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_summary_agrees_with_the_scores(fit, numbers):
    json.dumps(numbers, allow_nan=False)
    assert list(numbers["protocols"]) == ["later time", "left-out animal"]
    part = numbers["protocols"]["left-out animal"]
    own = [float(np.mean(s.r_by_animal)) for s in fit.rows["left-out animal"]["circuit"]]
    assert part["rows"][0]["r"] == pytest.approx(np.mean(own), abs=1e-12)
    assert part["rows"][0]["seed_sd"] == pytest.approx(np.std(own, ddof=1), abs=1e-12)
    gain = np.array(part["rows"][0]["by_animal"]) - part["rows"][1]["by_animal"]
    np.testing.assert_allclose(part["gain"]["by_animal"], gain, atol=1e-12)
    assert part["gain"]["positive"] == (gain > 0).sum()
    kinds = [row["kind"] for row in part["rows"]]
    assert kinds[:2] == ["circuit", "control"] and set(kinds[2:]) == {"baseline"}
    table = short_table(numbers)
    assert f"{part['rows'][0]['r']:.3f}" in table and "ridge, all neurons" in table


@pytest.mark.parametrize(
    ("by_animal", "interval", "expected"),
    [
        ([0.1, 0.2, 0.1], (0.1, 0.2), "yes"),
        ([0.1, 0.2, -0.01], (0.02, 0.2), "leaning"),
        ([0.1, -0.2, 0.1], (-0.1, 0.1), "no"),
        ([-0.1, -0.2, -0.1], (-0.2, -0.1), "worse"),
        ([0.1, 0.2], (0.1, 0.2), "few"),
        ([0.1], (None, None), "one"),
        ([0.001], (None, None), "no"),
    ],
)
def test_the_verdict_follows_the_numbers(by_animal, interval, expected):
    positive = sum(g > 0 for g in by_animal)
    gain = {
        "mean": float(np.mean(by_animal)),
        "interval": interval,
        "positive": positive,
        "animals": len(by_animal),
    }
    assert judged(gain) == expected
    assert answer({"protocols": {"later time": {"gain": gain}}}).endswith(".")


def test_report_is_one_page_that_needs_no_other_file(fit, numbers, tmp_path):
    path = nj.report(fit, tmp_path / "deep" / "fit.html", numbers=numbers)
    assert path == tmp_path / "deep" / "fit.html"
    source = path.read_text()
    page = Page(source)
    assert page.loaded and all(s.startswith("data:image/png;base64,") for s in page.loaded)
    beside = sorted((tmp_path / "deep" / "fit_files").iterdir())
    inside = sorted(base64.b64decode(s.split(",")[1]) for s in page.loaded)
    assert inside == sorted(p.read_bytes() for p in beside)
    assert all(png.startswith(b"\x89PNG\r\n\x1a\n") for png in inside)
    assert [p.name for p in beside] == [
        "loss.png", "reconstruction.png", "scores_1.png", "scores_2.png", "weights.png"
    ]  # fmt: skip
    assert "script" not in page.tags and "<script>alert(1)</script>" in page.text
    assert "worm <0>" in page.text and "CC0" in page.text
    for sentence in numbers["verdict"]:
        assert sentence in page.text
    for row in numbers["protocols"]["left-out animal"]["rows"]:
        assert row["method"] in page.text
    assert "must not be claimed" in page.text and "persistence" in page.text
    assert not list(path.parent.glob(".*"))


def test_report_without_a_shuffled_control_says_how_to_run_one(tmp_path):
    path = nj.report(small_fit(animals=1), tmp_path / "one.html")
    text = Page(path.read_text()).text
    assert "nj.fitting.Shuffled(2)" in text and "was not tested" in text
    assert "With one animal there is no spread" in text
    assert "nan" not in text.lower().split()


def test_report_of_a_users_objective(tmp_path):
    def mine(model, batch, key):
        return (model.prepare().W ** 2).mean()

    fit = small_fit(animals=1, objective=mine)
    assert summary(fit)["protocols"] == {}
    text = Page(nj.report(fit, tmp_path / "mine.html").read_text()).text
    assert "not scored by reconstruction" in text
    loss = fit.jobs[0].held_out_loss[0]
    assert re.search(re.escape(f"{loss:.4g}"), text)


def test_report_refuses_a_folder(fit, tmp_path):
    with pytest.raises(IsADirectoryError, match=r"report\.html"):
        nj.report(fit, tmp_path)


def test_thorough_report_has_stricter_folds_and_other_fits(fit, tmp_path):
    other = small_fit(animals=1, objective=nj.fitting.TeacherForced(3))
    path = nj.report(fit, tmp_path / "r.html", thorough=True, beside={"fitted <b>": other})
    text = Page(path.read_text()).text
    assert "hidden together" in text and "fitted <b>".capitalize() in text
    assert "pooled ridge, all neurons" in text


def test_rescored_on_the_same_folds_is_the_same(fit):
    again = rescored(fit, fit.protocol.folds)
    for protocol in fit.rows:
        np.testing.assert_allclose(again[protocol]["circuit"].r, fit.scores(protocol).r, atol=1e-6)


def test_free_run_of_a_circuit_without_edges_decays(fit):
    """Without coupling V decays to b by exp(-dt/tau): persistence times a known factor."""
    import jax.numpy as jnp

    wiring = nj.connectomes.Connectome(small_fits.NAMES, np.zeros((6, 6)), np.zeros((6, 6)))
    circuit = nj.circuits.ConnectomeCircuit(wiring, tau=3000.0)
    estimator = nj.fitting.Estimator(circuit, nj.observations.Identity(), nj.fitting.Clamp())
    data = fit.protocol.data
    guess = free_run(estimator, data, fit.first_test, (1, 4))
    start = int(fit.first_test[0]) - 1
    for k, h in enumerate((1, 4)):
        expected = data.values[0, start : start + 20] * np.exp(-h * 600.0 / 3000.0)
        np.testing.assert_allclose(guess[0, start : start + 20, k], expected, atol=1e-4)
    errors = forecast_errors(guess, data, fit.protocol.test, (1, 4))
    assert np.isfinite(errors.mse).all()
    assert jnp.isfinite(jnp.asarray(guess[:, start:-4])).all()


def test_pictures_of_a_fit(fit):
    ax = plotting.score_bars(fit, "later time")
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names[:2] == ["circuit", "shuffled connectome"]
    widths = [p.get_width() for p in ax.patches]
    assert widths[0] == pytest.approx(fit.scores("later time").mean)
    ax = plotting.loss_curve(fit)
    assert len(ax.get_legend().get_texts()) == 2
    ax = plotting.reconstruction(fit, "worm <1>", ["RIML"])
    found = fit.reconstruction(1)
    k = found["names"].index("RIML")
    r = np.corrcoef(found["truth"][:, k], found["predicted"][:, k])[0, 1]
    assert f"r = {r:.2f}" in [t.get_text() for t in ax.texts]
    with pytest.raises(ValueError, match="no animal 'worm'"):
        plotting.reconstruction(fit, "worm")
    with pytest.raises(ValueError, match="ASHL"):
        plotting.reconstruction(fit, 0, ["ASHL"])


def test_weights_against_counts(fit):
    found = edge_weights(fit.circuit)
    wiring = fit.wiring
    np.testing.assert_array_equal(
        found["chemical"].counts, wiring.chemical[wiring.chemical_edges()]
    )
    expected = np.corrcoef(np.abs(found["chemical"].weights), np.log1p(found["chemical"].counts))[
        0, 1
    ]
    assert found["chemical"].correlation == pytest.approx(expected)
    figure = plotting.weights_against_counts(fit)
    assert f"r = {expected:+.2f}" in [ax.get_title(loc="right") for ax in figure.axes]
    assert "not to be read" in figure.get_supxlabel()
