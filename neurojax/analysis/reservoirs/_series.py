"""Rates and inputs of the same times: checks at the door."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._activity import activity, real


def rates_and_inputs(rates: Any, inputs: Any) -> tuple[Array, Array]:
    """Rates [time, unit] and inputs [time, channel] of the same number of steps."""
    rates, inputs = activity(rates, "rates"), jnp.asarray(inputs)
    inputs = real(inputs[:, None] if inputs.ndim == 1 else inputs, "inputs")
    if inputs.ndim != 2 or inputs.shape[0] != rates.shape[0] or inputs.shape[1] < 1:
        raise ValueError(
            f"inputs must have shape ({rates.shape[0]},) or ({rates.shape[0]}, channels), as many "
            f"steps as the rates, got {inputs.shape}"
        )
    return rates, inputs.astype(rates.dtype)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def past(inputs: Array, delay: int, first: int) -> Array:
    """The inputs `delay` steps before the times from `first` on."""
    return inputs[first - delay : inputs.shape[0] - delay]
