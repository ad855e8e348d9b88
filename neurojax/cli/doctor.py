"""`neurojax doctor`: what is installed, what JAX sees, and which settings cost speed."""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurojax._version import __version__

SUMMARY = "print versions, devices, and advice on settings that matter for speed"

_REQUIRED = (
    "jax",
    "jaxlib",
    "equinox",
    "diffrax",
    "optimistix",
    "optax",
    "paramax",
    "jaxtyping",
    "orbax-checkpoint",
    "flax",
    "chex",
    "numpy",
    "scipy",
    "matplotlib",
    "rich",
)
_RECORDINGS = ("pynwb", "h5py", "pyarrow", "xarray")
_VARIABLES = (
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_DISABLE_JIT",
    "JAX_DEBUG_NANS",
    "JAX_COMPILATION_CACHE_DIR",
    "XLA_FLAGS",
    "PJRT_NPROC",
    "JAX_DEFAULT_MATMUL_PRECISION",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `neurojax doctor`.

    Arguments:
        parser: The parser of this command.

    Example:
        >>> import argparse
        >>> from neurojax.cli import doctor
        >>> parser = argparse.ArgumentParser()
        >>> doctor.add_arguments(parser)
        >>> parser.parse_args(["--json"]).json
        True
    """
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the facts and the advice.

    Arguments:
        arguments: With `json`: whether to print one JSON object instead of text.

    Returns:
        The exit status: 0, or 1 if JAX cannot start any device.

    Example:
        >>> import argparse
        >>> from neurojax.cli import doctor
        >>> doctor.run(argparse.Namespace(json=True))  # doctest: +ELLIPSIS
        {...}
        0
    """
    facts = collect()
    advice = advise(facts)
    if arguments.json:
        print(json.dumps({**facts, "advice": advice}, indent=2))
    else:
        print(_as_text(facts, advice))
    return 0 if facts["jax"]["error"] is None else 1


def collect() -> dict[str, Any]:
    """Collects what bears on speed and on whether the package works; changes nothing.

    Returns:
        A dictionary that can be written as JSON: `neurojax` (version), `python`, `system`, `cores`
        (`present`, `usable` by this process, `quota` of its container or None, `avx512`),
        `packages` and `recordings` (name to version, None where absent), `jax` (`backend`,
        `devices`, `x64`, `disable_jit`, `debug_nans`, `compilation_cache`, `error`),
        `nvidia_driver` (whether the system has one), `other_neurojax` (version of the unrelated
        PyPI project, or None) and `environment` (those variables that are set).

    Example:
        >>> from neurojax.cli import doctor
        >>> facts = doctor.collect()
        >>> facts["jax"]["x64"]
        False
    """
    return {
        "neurojax": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": _cores(),
        "packages": {name: _version(name) for name in _REQUIRED},
        "recordings": {name: _version(name) for name in _RECORDINGS},
        "jax": _jax_facts(),
        "nvidia_driver": Path("/proc/driver/nvidia/version").exists()
        or shutil.which("nvidia-smi") is not None,
        "other_neurojax": _version("neurojax"),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def advise(facts: Mapping[str, Any]) -> list[str]:
    """Says what to change, and why, in the setting that `facts` describe.

    Arguments:
        facts: What `collect` returns.

    Returns:
        One sentence or two for each thing worth changing, the dearest first; empty if all is well.

    Example:
        >>> from neurojax.cli import doctor
        >>> facts = doctor.collect()
        >>> facts["environment"] = {"XLA_FLAGS": "--xla_cpu_use_thunk_runtime=false"}
        >>> any("xla_cpu_use_thunk_runtime" in line for line in doctor.advise(facts))
        True
    """
    lines = (
        _on_missing_packages(facts),
        _on_the_other_neurojax(facts),
        _on_failed_start(facts),
        _on_debugging(facts),
        _on_hidden_gpu(facts),
        _on_old_jax(facts),
        _on_removed_runtime(facts),
        _on_fake_devices(facts),
        _on_core_quota(facts),
        _on_double_precision(facts),
        _on_rounded_products(facts),
        _on_compilation_cache(facts),
    )
    return [line for line in lines if line is not None]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cores() -> dict[str, Any]:
    present = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return {
        "present": present,
        "usable": len(affinity(0)) if affinity else present,
        "quota": _core_quota(),
        "avx512": _has_avx512(),
    }


def _has_avx512(path: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether Linux says that the processor has vectors of 512 bits."""
    try:
        return "avx512f" in path.read_text(errors="replace")
    except OSError:
        return False


def _core_quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """The share of time that a container grants, in cores: `quota / period` of cgroup v2."""
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _jax_facts() -> dict[str, Any]:
    import jax

    facts: dict[str, Any] = {
        "backend": None,
        "devices": [],
        "x64": bool(jax.config.jax_enable_x64),
        "disable_jit": bool(jax.config.jax_disable_jit),
        "debug_nans": bool(jax.config.jax_debug_nans),
        "compilation_cache": jax.config.jax_compilation_cache_dir,
        "matmul_precision": jax.config.jax_default_matmul_precision,
        "error": None,
    }
    try:
        facts["backend"] = jax.default_backend()
        facts["devices"] = [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()]
    except RuntimeError as error:
        facts["error"] = str(error)
    return facts


def _on_missing_packages(facts: Mapping[str, Any]) -> str | None:
    absent = [name for name, version in facts["packages"].items() if version is None]
    if not absent:
        return None
    return f"Required packages are absent: pip install {' '.join(absent)}"


def _on_the_other_neurojax(facts: Mapping[str, Any]) -> str | None:
    version = facts["other_neurojax"]
    if version is None:
        return None
    return (
        f"The distribution 'neurojax' {version} is installed: it is another project and writes into"
        " the same folder as this one. Run: pip uninstall neurojax, then: pip install"
        " --force-reinstall --no-deps neurojax-dynamics"
    )


def _on_failed_start(facts: Mapping[str, Any]) -> str | None:
    error = facts["jax"]["error"]
    if error is None:
        return None
    platforms = facts["environment"].get("JAX_PLATFORMS")
    because = f" JAX_PLATFORMS is '{platforms}': unset it, or set it to 'cpu'." if platforms else ""
    return f"JAX could not start a device ({error}).{because}"


def _on_debugging(facts: Mapping[str, Any]) -> str | None:
    active = [name for name in ("disable_jit", "debug_nans") if facts["jax"][name]]
    if not active:
        return None
    names = " and ".join(f"jax_{name}" for name in active)
    return f"{names} is on: a help for debugging that makes everything slow. Switch it off."


def _on_hidden_gpu(facts: Mapping[str, Any]) -> str | None:
    if not facts["nvidia_driver"] or facts["jax"]["backend"] != "cpu":
        return None
    if "JAX_PLATFORMS" in facts["environment"]:
        return "An NVIDIA GPU driver is here, but JAX_PLATFORMS keeps JAX on the CPU: unset it."
    return (
        "An NVIDIA GPU driver is here, but this JAX sees the CPU alone."
        " Run: pip install --upgrade 'jax[cuda13]' ('jax[cuda12]' for an older driver)"
    )


def _on_old_jax(facts: Mapping[str, Any]) -> str | None:
    version = facts["packages"]["jax"]
    if version is None or _numbers(version) >= (0, 11):
        return None
    if _numbers(facts["python"]) < (3, 12):
        remedy = "A newer jax needs Python 3.12 or later: make the environment with one."
    else:
        remedy = "Run: pip install --upgrade jax jaxlib"
    return (
        f"jax {version} differentiates long simulations in reverse mode more slowly than jax 0.12"
        f" on a CPU: 1.4 times for 100 Hodgkin-Huxley cells, 27 times for one. {remedy}"
    )


def _on_removed_runtime(facts: Mapping[str, Any]) -> str | None:
    value = _xla_flag(facts, "--xla_cpu_use_thunk_runtime")
    if value is None:
        return None
    return (
        f"XLA_FLAGS has --xla_cpu_use_thunk_runtime={value}: XLA no longer supports it, and a"
        " program that needs it may fail. Take it out."
    )


def _on_fake_devices(facts: Mapping[str, Any]) -> str | None:
    number = _xla_flag(facts, "--xla_force_host_platform_device_count")
    if number in (None, "", "1"):
        return None
    return (
        f"XLA_FLAGS splits the CPU into {number} devices, which share its cores: good for testing"
        " a mesh, of no use for speed."
    )


def _xla_flag(facts: Mapping[str, Any], wanted: str) -> str | None:
    for flag in facts["environment"].get("XLA_FLAGS", "").split():
        name, _, value = flag.partition("=")
        if name == wanted:
            return value
    return None


def _on_core_quota(facts: Mapping[str, Any]) -> str | None:
    cores = facts["cores"]
    if cores["quota"] is None or cores["quota"] >= cores["usable"]:
        return None
    threads = max(1, int(cores["quota"]))
    return (
        f"This container may use {cores['quota']:g} of the {cores['usable']} cores that JAX sees,"
        f" and threads beyond that wait for each other. Set PJRT_NPROC={threads} before Python"
        " starts."
    )


def _of_spiking_networks(facts: Mapping[str, Any]) -> list[str]:
    return [note for note in (_on_threads(facts), _on_vectors(facts)) if note is not None]


def _on_vectors(facts: Mapping[str, Any]) -> str | None:
    chosen = _xla_flag(facts, "--xla_cpu_prefer_vector_width") is not None
    if chosen or not facts["cores"]["avx512"] or facts["jax"]["backend"] != "cpu":
        return None
    return (
        "This processor has AVX-512, of which XLA uses half by default. Spiking networks ran"
        " 6 to 12 % faster on an AMD EPYC with XLA_FLAGS=--xla_cpu_prefer_vector_width=512, set"
        " before Python starts, sparse reservoirs 6 % slower; older processors may clock down, so"
        " try it."
    )


def _on_threads(facts: Mapping[str, Any]) -> str | None:
    if facts["environment"].get("PJRT_NPROC") or facts["cores"]["usable"] < 2:
        return None
    return (
        "For spiking networks on the CPU set PJRT_NPROC=1 before Python starts (in a notebook: in"
        " os.environ, before jax is imported): with more threads, arrays wander between the caches"
        " of the cores in every step. For fits leave it unset."
    )


def _on_double_precision(facts: Mapping[str, Any]) -> str | None:
    if not facts["jax"]["x64"]:
        return None
    return (
        "64-bit numbers are on (jax_enable_x64): every array takes twice the memory and vector"
        " units hold half as many. Leave them off unless the result needs them."
    )


def _on_rounded_products(facts: Mapping[str, Any]) -> str | None:
    jax = facts["jax"]
    if jax["backend"] in (None, "cpu") or jax["matmul_precision"] or jax["x64"]:
        return None
    return (
        "On this device JAX rounds the factors of matrix products to about three digits. For rates"
        " of circuits to seven digits set JAX_DEFAULT_MATMUL_PRECISION=float32 before Python"
        " starts."
    )


def _on_compilation_cache(facts: Mapping[str, Any]) -> str | None:
    if facts["jax"]["compilation_cache"]:
        return None
    return (
        "Compiled programs are not kept, so each new process compiles again. Set"
        " JAX_COMPILATION_CACHE_DIR to a folder of yours, such as ~/.cache/jax, to keep those that"
        " took more than a second."
    )


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "0.12.0.1" is (0, 12, 0, 1), "0.11.0rc1" is (0, 11)."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _as_text(facts: Mapping[str, Any], advice: list[str]) -> str:
    cores, jax_facts = facts["cores"], facts["jax"]
    quota = "" if cores["quota"] is None else f", quota {cores['quota']:g}"
    rows = {
        "neurojax": facts["neurojax"],
        "Python": f"{facts['python']} ({facts['system']})",
        "cores": f"{cores['usable']} usable of {cores['present']}{quota}",
        "backend": jax_facts["backend"] or "none",
        "devices": ", ".join(jax_facts["devices"]) or "none",
        "precision": "64 bits" if jax_facts["x64"] else "32 bits",
        "cache": jax_facts["compilation_cache"] or "none",
        **facts["environment"],
        **{name: version or "absent" for name, version in facts["packages"].items()},
        **{
            name: version or "absent (pip install 'neurojax-dynamics[recordings]')"
            for name, version in facts["recordings"].items()
        },
    }
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    lines += ["", "Advice" if advice else "No advice: the settings are good."]
    found = _of_spiking_networks(facts)
    notes = ["", "By the way", *found] if found else []
    for line in [*advice, *notes]:
        bullet = "" if line in ("", "By the way") else "- "
        lines += textwrap.wrap(
            line, 96, initial_indent=bullet, subsequent_indent="  ", break_on_hyphens=False
        ) or [""]
    return "\n".join(lines)
