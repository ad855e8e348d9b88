"""What holds for every test: 64-bit numbers, no silent broadcasting, checked shapes and types."""

import gc
import importlib.util
import os
import re

import jax
import pytest

os.environ.setdefault(
    "MPLBACKEND", "Agg"
)  # read when matplotlib is imported; subprocesses inherit it
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

if importlib.util.find_spec("beartype") is not None:
    from jaxtyping import install_import_hook

    # Kept for the whole run, so that subpackages imported later are checked as well.
    install_import_hook("neurojax", "beartype.beartype")

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # The same examples in every run; a slow machine is no failure.
    settings.register_profile(
        "neurojax",
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("neurojax")

_MOST_MAPPINGS = (
    20_000  # Linux allows a process 65,530 by default; a compiled program takes some 10
)
_tests_run = 0


def pytest_runtest_teardown():
    """Let go of compiled programs before the process runs out of memory mappings, and crashes."""
    global _tests_run
    _tests_run += 1
    if _tests_run % 10 == 0 and _mappings() > _MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()


def _mappings() -> int:
    try:
        with open("/proc/self/maps", "rb") as lines:
            return sum(1 for _ in lines)
    except OSError:  # not on Linux
        return 0


@pytest.fixture
def float32():
    """Runs the test in JAX's default 32-bit precision."""
    with jax.enable_x64(False):
        yield


@pytest.fixture
def compiled_in():
    """Counts the programs that a call compiles."""

    def count(f) -> int:
        found = []

        def listener(event: str, duration_secs: float, **kwargs: str | int) -> None:
            if event == "/jax/core/compile/backend_compile_duration":
                found.append(event)

        jax.monitoring.register_event_duration_secs_listener(listener)
        try:
            f()
        finally:
            jax.monitoring.unregister_event_duration_listener(listener)
        return len(found)

    return count


@pytest.fixture
def copies_in_a_step():
    """Counts the copies of arrays that a compiled run makes in every step.

    A step is inside of three loops: the way of a run, its looks at the state, its steps.
    """

    def count(program: str, shapes: str) -> int:
        calls, copies, name = {}, {}, ""
        for line in program.splitlines():
            if begins := re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line):
                name = "ENTRY" if begins[1] else begins[2]
                calls[name], copies[name] = [], 0
            elif name:
                loops = re.findall(r"body=%?([\w.\-]+)", line)
                other = re.findall(r"(?:to_apply|calls)=%?([\w.\-]+)", line)
                other += re.findall(
                    r"[\w.\-]+", "".join(re.findall(r"computations=\{(.*?)\}", line))
                )
                calls[name] += [(each, 1) for each in loops] + [(each, 0) for each in other]
                copies[name] += bool(re.search(rf"= (?:{shapes})\S* copy\(", line))
        depth = {"ENTRY": 0}
        waiting = ["ENTRY"]
        while waiting:
            name = waiting.pop()
            for inner, more in calls.get(name, ()):
                if depth[name] + more > depth.get(inner, -1):
                    depth[inner] = depth[name] + more
                    waiting.append(inner)
        assert max(depth.values()) >= 3
        return sum(copies.get(name, 0) for name, at in depth.items() if at >= 3)

    return count
