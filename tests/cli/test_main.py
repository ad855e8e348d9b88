"""The entry point: help, unknown commands, stopping."""

import subprocess
import sys

import pytest

import neurojax
from neurojax.cli import doctor, main


def test_without_words_it_prints_help_and_fails(capsys):
    assert main.main([]) == 2
    assert "doctor" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"neurojax {neurojax.__version__}\n"


def test_unknown_command_is_refused_with_the_nearest_one(capsys):
    with pytest.raises(SystemExit) as stopped:
        main.main(["docter"])
    assert stopped.value.code == 2
    assert "did you mean 'doctor'?" in capsys.readouterr().err


def test_interrupt_ends_with_130(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert main.main(["doctor"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_module_runs_the_command():
    """`python -m neurojax` is `neurojax`."""
    result = subprocess.run(
        [sys.executable, "-m", "neurojax", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"neurojax {neurojax.__version__}\n"


def test_a_closed_pipe_is_no_error():
    """`neurojax doctor | head -1` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "neurojax", "doctor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode == 0
    assert "Error" not in complaint
