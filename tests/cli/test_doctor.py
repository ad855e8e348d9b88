"""`neurojax doctor`: true facts, and advice exactly where something is wrong."""

import copy
import importlib.metadata
import json
import os
import platform

import jax
import pytest

from neurojax.cli import doctor, main

GOOD = {
    "neurojax": "0.1.0",
    "python": "3.13.0",
    "system": "Linux x86_64",
    "cores": {"present": 4, "usable": 4, "quota": None, "avx512": False},
    "packages": {"jax": "0.12.0.1", "numpy": "2.5.0"},
    "recordings": {"pynwb": None},
    "jax": {
        "backend": "cpu",
        "devices": ["cpu:0 cpu"],
        "x64": False,
        "disable_jit": False,
        "debug_nans": False,
        "compilation_cache": "cache",
        "matmul_precision": None,
        "error": None,
    },
    "nvidia_driver": False,
    "other_neurojax": None,
    "environment": {},
}


def changed(path: str, value) -> dict:
    """The good facts with one of them changed."""
    facts = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    place = facts
    for parent in parents:
        place = place[parent]
    place[last] = value
    return facts


def test_facts_are_true():
    facts = doctor.collect()
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["jax"] == jax.__version__
    assert facts["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert facts["jax"]["x64"] is True  # the tests run with 64-bit numbers
    assert facts["jax"]["backend"] == jax.default_backend()
    assert len(facts["jax"]["devices"]) == jax.device_count()
    assert 1 <= facts["cores"]["usable"] <= os.cpu_count()


def test_good_settings_need_no_advice():
    assert doctor.advise(GOOD) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("packages.numpy", None, "pip install numpy"),
        ("other_neurojax", "1.2", "pip uninstall neurojax"),
        ("jax.error", "no TPU", "no TPU"),
        ("jax.disable_jit", True, "jax_disable_jit"),
        ("jax.debug_nans", True, "jax_debug_nans"),
        ("nvidia_driver", True, "jax[cuda13]"),
        ("packages.jax", "0.10.2", "pip install --upgrade jax"),
        ("environment.XLA_FLAGS", "--xla_cpu_use_thunk_runtime=false", "Take it out"),
        ("environment.XLA_FLAGS", "--xla_force_host_platform_device_count=4", "into 4 devices"),
        ("cores.quota", 1.5, "PJRT_NPROC=1"),
        ("jax.x64", True, "jax_enable_x64"),
        ("jax.backend", "gpu", "JAX_DEFAULT_MATMUL_PRECISION=float32"),
        ("jax.compilation_cache", None, "JAX_COMPILATION_CACHE_DIR"),
    ],
)
def test_one_fault_gets_one_piece_of_advice(path, value, words):
    (advice,) = doctor.advise(changed(path, value))
    assert words in advice


def test_old_jax_on_old_python_asks_for_a_newer_python():
    facts = changed("packages.jax", "0.10.2")
    facts["python"] = "3.11.9"
    (advice,) = doctor.advise(facts)
    assert "Python 3.12" in advice


def test_a_gpu_hidden_by_the_environment_is_named():
    facts = changed("nvidia_driver", True)
    facts["environment"] = {"JAX_PLATFORMS": "cpu"}
    (advice,) = doctor.advise(facts)
    assert "JAX_PLATFORMS" in advice


def test_several_xla_faults_are_all_named():
    facts = changed(
        "environment.XLA_FLAGS",
        "--xla_force_host_platform_device_count=2 --xla_cpu_use_thunk_runtime=false",
    )
    assert len(doctor.advise(facts)) == 2


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", None), ("150000 100000", 1.5), ("", None), ("a b", None)]
)
def test_core_quota(tmp_path, text, cores):
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert doctor._core_quota(file) == cores
    assert doctor._core_quota(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("0.12.0.1", (0, 12, 0, 1)), ("0.11.0rc1", (0, 11)), ("0.10.2", (0, 10, 2)), ("1.0", (1, 0))],
)
def test_numbers_of_a_version(version, numbers):
    assert doctor._numbers(version) == numbers


def test_json_is_one_object(capsys):
    assert main.main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["packages"]["jax"] == jax.__version__
    assert isinstance(facts["advice"], list)


def test_text_names_every_package_and_every_piece_of_advice(capsys):
    assert main.main(["doctor"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    facts = doctor.collect()
    for name in (*facts["packages"], *facts["recordings"]):
        assert name in text
    for line in doctor.advise(facts):
        assert line in text


def test_notes_of_spiking_networks(tmp_path):
    """Threads where there are several, wide vectors where the processor has them; no advice."""
    assert [note.split()[0] for note in doctor._of_spiking_networks(GOOD)] == ["For"]
    wide = changed("cores.avx512", True)
    wide["environment"] = {"PJRT_NPROC": "1"}
    (note,) = doctor._of_spiking_networks(wide)
    assert "--xla_cpu_prefer_vector_width=512" in note and doctor.advise(wide) == []
    assert note.split()[0] in doctor._as_text(wide, [])
    wide["environment"] |= {"XLA_FLAGS": "--xla_cpu_prefer_vector_width=512"}
    assert doctor._of_spiking_networks(wide) == []
    file = tmp_path / "cpuinfo"
    file.write_text("flags : fpu avx2 avx512f avx512dq\n")
    assert doctor._has_avx512(file) and not doctor._has_avx512(tmp_path / "absent")
