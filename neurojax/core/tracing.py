"""What is known while a function is traced."""

from jax.core import Tracer


def is_traced(value) -> bool:
    """Whether a value is a placeholder inside jit, vmap or grad."""
    return isinstance(value, Tracer)


def known(*values) -> bool:
    """Whether all values are numbers already."""
    return not any(isinstance(value, Tracer) for value in values)
