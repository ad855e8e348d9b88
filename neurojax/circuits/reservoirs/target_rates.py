"""Rates that neurons are asked to have."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.keys import check_key
from neurojax.core.parameter_checks import check_size
from neurojax.core.tracing import known


def beta_targets(
    key, n: int, a=2.0, b=2.0, *, low: float = 0.02, high: float = 0.98
) -> Float[Array, " n"]:
    r"""Different target rates for all neurons, from the law Beta(a, b), cut to [low, high].

    Arguments:
        key: of the draw.
        n: number of neurons.
        a: first shape parameter; the mean rate is $a / (a + b)$.
        b: second shape parameter.
        low: what lies below is moved to it, since a rate near 0 or 1 needs a boundless current.
        high: what lies above is moved to it.

    Raises:
        ValueError: unless a and b are positive, 0 < low < high < 1 and n is a whole number.
        TypeError: for a key that is none.

    Source: Srinivasan, Plenz and Girvan (2025), Nature Communications,
    doi:10.1038/s41467-025-64978-8.

    Example:
        >>> import jax, neurojax as nj
        >>> targets = nj.circuits.beta_targets(jax.random.key(0), 1000)
        >>> targets.shape, bool(abs(targets.mean() - 0.5) < 0.03)
        ((1000,), True)
    """
    check_key(key)
    check_size(n)
    if not 0 < low < high < 1:
        raise ValueError(f"beta_targets needs 0 < low < high < 1, got low={low} and high={high}")
    if known(a, b) and not (np.all(np.asarray(a) > 0) and np.all(np.asarray(b) > 0)):
        raise ValueError(f"beta_targets needs positive a and b, got a={a} and b={b}")
    return jnp.clip(jax.random.beta(key, a, b, (n,)), low, high)


def as_targets(target, n: int, dtype) -> Float[Array, " n"]:
    """Target rates of n neurons, from one for all or one for each."""
    target = jnp.asarray(target, dtype)
    if target.shape not in ((), (n,)):
        raise ValueError(
            f"target must be one rate or one per neuron (shape ({n},)), got shape {target.shape}"
        )
    if known(target) and not bool(jnp.all((target > 0) & (target < 1))):
        raise ValueError(
            f"target rates must lie between 0 and 1, both excluded, got {np.asarray(target)}"
        )
    return jnp.broadcast_to(target, (n,))
