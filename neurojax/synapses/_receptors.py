"""Normalisations of receptors, and their states at rest."""

import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core.parameter_checks import check_choice, check_shapes

NORMALISATIONS = ("peak", "area")


def check_normalise(receptor) -> None:
    """The field `normalise` is one of the two names."""
    check_choice(receptor, "normalise", NORMALISATIONS)


def at_rest(receptor, n: int, *leaves: str) -> dict[str, Array]:
    """Zeros (n,) for each leaf, after a look at the shapes of the parameters."""
    check_shapes(receptor, n)
    return {leaf: jnp.zeros(n) for leaf in leaves}
