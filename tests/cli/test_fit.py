"""`neurojax fit`: options, files, what it prints, what it refuses."""

import json
import subprocess
import sys

import numpy as np
import pytest

import neurojax as nj
from neurojax.cli import main

NAMES = ["AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR", "not a neuron"]


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "worm.npz"
    common = np.cumsum(rng.normal(size=(120, 1)), axis=0)
    values = common + rng.normal(size=(120, len(NAMES)))
    nj.recordings.Recording(np.arange(120) * 0.6, values, labels=NAMES, name="w").save(path)
    return path


def fit(capsys, *words):
    status = main.main(["fit", *map(str, words)])
    return status, *capsys.readouterr()


def test_a_file_is_fitted_and_reported(data, tmp_path, capsys):
    out = tmp_path / "out"
    status, printed, _ = fit(capsys, data, "--steps", 2, "--shuffles", 1, "--json", "--out", out)
    assert status == 0
    found = json.loads(printed)
    assert found["setup"]["neurons"] == 6 and found["setup"]["steps"] == 2
    assert found["report"] == str(out / "report.html") and (out / "report.html").is_file()
    methods = [row["method"] for row in found["protocols"]["later time"]["rows"]]
    assert methods[:2] == ["circuit", "shuffled connectome"]
    again = json.loads(fit(capsys, data, "--steps", 2, "--shuffles", 1, "--json", "--out", out)[1])
    assert again["protocols"] == found["protocols"]


def test_resume_and_forecast_and_table(data, tmp_path, capsys):
    words = [
        data,
        data,
        "--objective",
        "forecast",
        "--steps",
        2,
        "--shuffles",
        0,
        "--out",
        tmp_path,
    ]
    first = fit(capsys, *words, "--resume")
    assert first[0] == 2 and "two recordings are named" in first[2]
    words.pop(0)
    status, printed, _ = fit(capsys, *words, "--resume")
    assert status == 0 and "later time" in printed and "report.html" in printed
    assert (tmp_path / "checkpoints" / "main").is_dir()
    status, quiet, shown = fit(capsys, *words, "--resume", "--quiet")
    assert status == 0 and quiet.strip() == str(tmp_path / "report.html") and not shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.npz"], "no file 'nowhere.npz'"),
        (["dag2032"], "did you mean 'dag2023'"),
        (["--steps", "0"], "must be at least 1"),
        (["--steps", "-3"], "must be at least 1, got -3"),
        (["--steps", str(2**31)], "must lie between"),
        (["--steps", "many"], "whole number"),
        (["--connectome", "cook"], "invalid choice"),
        (["--seed", "-1"], "must lie between"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        status = main.main(["fit", *words])
    except SystemExit as stopped:
        status = stopped.code
    printed, error = capsys.readouterr()
    assert status == 2 and not printed
    assert message in error.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--out", "--checkpoint"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_fit(option, data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for path, why in (("file", "it is a file"), ("file/below", "Not a directory")):
        words = [data, "--out", tmp_path / "out", option, tmp_path / path]
        status, _, error = fit(capsys, *words)
        assert status == 2 and f"{option} {tmp_path / path} cannot be made ({why})" in error
        assert len(error.splitlines()) == 1  # no progress bar


def test_recordings_of_other_neurons_are_refused(tmp_path, capsys):
    path = tmp_path / "other.csv"
    times = np.arange(50.0)
    table = np.column_stack([times, np.sin(times), np.cos(times)])
    np.savetxt(path, table, delimiter=",", header="time,cell1,cell2", comments="")
    status, _, error = fit(capsys, path, "--out", tmp_path / "out")
    assert status == 2 and "label 0 neurons of cook2019" in error and "cell1" in error


def test_all_neurons_takes_the_whole_connectome(data, tmp_path, capsys):
    words = [data, "--all-neurons", "--connectome", "witvliet2021", "--steps", 1, "--shuffles", 0]
    status, printed, _ = fit(capsys, *words, "--json", "--out", tmp_path)
    assert status == 0
    neurons = len(nj.connectomes.witvliet2021())
    assert json.loads(printed)["setup"]["neurons"] == neurons


@pytest.mark.slow
def test_the_main_job_with_few_steps(tmp_path):
    words = [sys.executable, "-m", "neurojax", "fit", "--steps", "3", "--shuffles", "1", "--json"]
    words += ["--device", "cpu", "--out", str(tmp_path)]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(result.stdout)
    assert found["setup"]["neurons"] == 129 and len(found["animals"]) == 5
    assert list(found["protocols"]) == ["later time", "left-out animal"]
    assert found["setup"]["fits"] == 12
    assert "Dag" in (tmp_path / "report.html").read_text()
