"""Tangents that are zero as a symbol, in derivatives that are defined with `symbolic_zeros`."""

import jax
import jax.numpy as jnp
from jaxtyping import Array


def is_zero(tangent) -> bool:
    """Whether a tangent is zero whatever the numbers are."""
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero) or tangent is None


def instantiated(primal: Array, tangent) -> Array:
    """The tangent as an array."""
    return jnp.zeros_like(primal) if is_zero(tangent) else tangent
