"""What holds for every test: 64-bit numbers, no silent broadcasting, checked shapes and types."""

import importlib.util
import os

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


@pytest.fixture
def float32():
    """Runs the test in JAX's default 32-bit precision."""
    with jax.enable_x64(False):
        yield
