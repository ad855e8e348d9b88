"""Checks of the parameters of rules at the door, where they are numbers already."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import paramax

from neurojax.core import as_parameter
from neurojax.core.parameter_checks import refuse_distributions
from neurojax.core.tracing import known

_FINITE = ("A_", "A2_", "A3_", "eta", "rho0", "alpha")  # amplitudes; a time may be infinite


def numbers(rule) -> dict[str, Any]:
    """The parameters of a rule by name."""
    fields = dataclasses.fields(rule)
    named = [f.name for f in fields if f.metadata.get("converter") is as_parameter]
    return {name: paramax.unwrap(getattr(rule, name)) for name in named}


def check_scalars(rule) -> None:
    """Every parameter is one number, amplitudes are finite, and time constants positive."""
    kind = type(rule).__name__
    refuse_distributions(rule, "a rule has one number for all synapses of its projection")
    optional = {f.name for f in dataclasses.fields(rule) if f.default is None}
    for name, value in numbers(rule).items():
        if value is None:
            if name in optional:
                continue
            raise TypeError(f"{name} of {kind} must be a number, got None")
        if known(value) and jnp.ndim(value) == 0 and bool(jnp.isnan(value)):
            raise ValueError(f"{name} of {kind} must be a number, got NaN")
        if name.startswith(_FINITE) and known(value) and not bool(jnp.all(jnp.isfinite(value))):
            raise ValueError(f"{name} of {kind} must be finite, got {value}")
        if jnp.ndim(value):
            raise ValueError(
                f"{name} of {kind} must be one number for all synapses of the projection, got "
                f"shape {jnp.shape(value)}"
            )
        if known(value) and name.startswith("tau") and not float(value) > 0:
            raise ValueError(f"{name} of {kind} must be positive (ms), got {float(value):g}")


def check_one_run(weights) -> None:
    """The weights are those of one run, as other synapses are another network."""
    if weights.ndim > 1:
        raise ValueError(
            f"the state is that of {weights.shape[0]} runs, which get other synapses each: take "
            "them one by one, as in jax.tree.map(lambda x: x[0], state)"
        )


def check_bounds(rule) -> None:
    """The lower bound lies below the upper one."""
    low, high = (paramax.unwrap(x) for x in (rule.w_min, rule.w_max))
    if known(low, high) and not float(low) < float(high):
        raise ValueError(
            f"w_min of {type(rule).__name__} must lie below w_max, got w_min={float(low):g} and "
            f"w_max={float(high):g}"
        )
