"""Rates and inputs of the same times: checks at the door."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._activity import real


def rates_and_inputs(rates: Any, inputs: Any) -> tuple[Array, Array]:
    """Rates [series, time, unit] and inputs [series, time, channel] of the same steps.

    Rates [time, unit] are those of one series.
    """
    rates, inputs = jnp.asarray(rates), jnp.asarray(inputs)
    if rates.ndim not in (2, 3) or 0 in rates.shape or rates.shape[-2] < 2:
        raise ValueError(
            "rates must have shape [time, unit], or [series, time, unit] for several series of as "
            f"many steps, with at least 2 steps and one unit, got shape {rates.shape}"
        )
    steps = rates.shape[:-1]
    inputs = inputs[..., None] if inputs.ndim == len(steps) else inputs
    if inputs.ndim != rates.ndim or inputs.shape[:-1] != steps or inputs.shape[-1] < 1:
        raise ValueError(
            f"inputs must have shape {steps} or {(*steps, 'channels')}, as many series and steps "
            f"as the rates {rates.shape}, got {inputs.shape}"
        )
    rates, inputs = real(rates, "rates"), real(inputs, "inputs")
    if len(steps) == 1:
        rates, inputs = rates[None], inputs[None]
    return rates, inputs.astype(rates.dtype)


def runs(rates: Array) -> str:
    """What rates [series, time, unit] are of, for messages: the subject and its verb."""
    count, steps = rates.shape[:2]
    return (
        f"a run of {steps} steps leaves" if count == 1 else f"{count} runs of {steps} steps leave"
    )


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def past(values: Array, delay: int, first: int) -> Array:
    """[sample, channel]: the values `delay` steps before the times from `first` on, of each series.

    No delay may be longer than `first`, so that none reaches into another series.
    """
    return values[:, first - delay : values.shape[1] - delay].reshape(-1, values.shape[2])
