"""Fits that are killed and resumed, and fits on several devices: each in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from small_worms import SMALL, circuit, worms

import neurojax as nj

SCRIPT = Path(__file__).with_name("_fit_in_a_process.py")


def start(out, cpus=1, **given):
    """The exit status of a fit in its own process."""
    flags = f"--xla_force_host_platform_device_count={cpus}"
    source = str(Path(nj.__file__).parents[1])
    env = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": source}
    words = [f"{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(out), *words],
        env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return done.returncode, done.stderr


def result(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path):
    whole, resumed = tmp_path / "whole.npz", tmp_path / "resumed.npz"
    folder = tmp_path / "runs"
    assert start(whole)[0] == 0
    killed, _ = start(resumed, checkpoint=folder, kill_at=15)
    assert killed == -signal.SIGKILL and not resumed.exists()
    status, trouble = start(resumed, checkpoint=folder, resume="yes")
    assert status == 0, trouble
    a, b = result(whole), result(resumed)
    assert a.keys() == b.keys() and len(a) > 5
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert a["losses"].shape == (30, 2)


@pytest.mark.slow
def test_a_mesh_of_devices_gives_the_same_fit(tmp_path):
    found = {}
    for count in (1, 2, 4):
        out = tmp_path / f"{count}.npz"
        status, trouble = start(out, count, devices=count, steps=20)
        assert status == 0, trouble
        found[count] = result(out)
    for count in (2, 4):
        for name, value in found[1].items():
            # 32-bit sums in another order, after 20 steps of Adam
            np.testing.assert_allclose(found[count][name], value, rtol=1e-3, atol=1e-4)
        losses = found[count]["losses"]
        np.testing.assert_allclose(losses, found[1]["losses"], rtol=1e-4)


def test_batches_that_do_not_divide_over_the_mesh_are_refused():
    class Mesh:  # as many devices as no test machine has
        size = 3

    with pytest.raises(ValueError, match="batch=8 windows do not divide over the 3 devices"):
        nj.fit(circuit(), worms(), batch=8, mesh=Mesh(), key=jax.random.key(0))


def test_checkpoints_of_another_fit_are_refused(tmp_path):
    def fit(folder=tmp_path / "runs", **options):
        options = {"objective": SMALL, "steps": 6, "batch": 8, "resume": True, **options}
        return nj.fit(
            circuit(key=jax.random.key(1)), worms(), observer=nj.fitting.EdgeObserver(),
            progress=False, checkpoint=folder, **{"key": jax.random.key(3), **options},
        )  # fmt: skip

    first = fit(resume=False)
    with pytest.raises(FileExistsError, match="resume=True"):
        fit(resume=False)
    again = fit()  # nothing is left to do
    np.testing.assert_array_equal(again.losses, first.losses)
    others = {
        "key": {"key": jax.random.key(4)},
        "batch": {"batch": 4},
        "objective": {"objective": nj.fitting.MaskedNeurons(0.2, 0.4, window=10, burn_in=3)},
        "learning_rates": {"learning_rates": {"tau": 0.5}},
        "recordings": {"normalisation": None},
        "early_stopping": {"early_stopping": nj.fitting.EarlyStopping(0.4)},
    }
    for name, options in others.items():
        with pytest.raises(ValueError, match=f"belong to another fit: {name} was"):
            fit(**options)
