"""Weights with zeros or signs that training keeps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.core import as_parameter, frozen
from neurojax.core.tracing import known


def masked(weights, mask) -> Any:
    """Weights that are zero where the mask is, and stay so in training.

    Arguments:
        weights: (to, from).
        mask: booleans of the same shape, such as those of `area_mask`.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> float(nj.unwrap(nj.circuits.masked(jnp.ones((2, 2)), jnp.eye(2, dtype=bool))).sum())
        2.0
    """
    weights, mask = as_parameter(weights), jnp.asarray(mask)
    if weights.shape != mask.shape:
        raise ValueError(f"mask has shape {mask.shape}, but the weights have {weights.shape}")
    return paramax.Parameterize(jnp.multiply, weights, frozen(mask.astype(weights.dtype)))


def sign_kept(weights, signs) -> Any:
    r"""Weights whose sign and zeros stay in training.

    $w = \sigma\, s\, \mathrm{softplus}(\theta / s)$ where the sign $\sigma$ is known, with $s$ the
    mean size of the weights; $w = \theta$ where it is 0 (free).

    Arguments:
        weights: (to, from) to begin with, of these signs.
        signs: -1, 0 (free) or +1, shape (1, from), one per sending unit, or (to, from).

    Raises:
        ValueError: if a weight has not the sign that it should keep.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> W = nj.circuits.sign_kept(
        ...     jnp.array([[0.0, -1.0], [2.0, 0.0]]), jnp.array([[1.0, -1.0]])
        ... )
        >>> (nj.unwrap(W) == jnp.array([[0.0, -1.0], [2.0, 0.0]])).all().item()
        True
    """
    weights = as_parameter(weights)
    if known(signs) and not np.all(np.isin(np.asarray(signs), (-1, 0, 1))):
        raise ValueError(f"signs must be -1, 0 (free) or 1, got {np.unique(np.asarray(signs))}")
    signs = jnp.broadcast_to(jnp.asarray(signs, weights.dtype), weights.shape)
    if known(weights, signs) and bool(jnp.any(weights * signs < 0)):
        raise ValueError("sign_kept: some weights have not the sign that they should keep")
    size = jnp.abs(weights)
    scale = jnp.maximum(jnp.sum(size) / jnp.maximum(jnp.sum(size > 0), 1), 1e-12)
    # softplus turned round: theta = s log(exp(w / s) - 1)
    ratio = jnp.maximum(size / scale, 1e-6)
    raw = jnp.where(signs == 0, weights, scale * (ratio + jnp.log(-jnp.expm1(-ratio))))
    present = (weights != 0).astype(weights.dtype)
    return paramax.Parameterize(_with_sign, raw, frozen(signs), frozen(present), frozen(scale))


def _with_sign(raw, signs, present, scale):
    kept = signs * scale * jax.nn.softplus(raw / scale)
    return present * jnp.where(signs == 0, raw, kept)


def area_mask(key, sizes, between: float) -> Array:
    """Booleans [to, from] of a network of several areas: full within, sparse between them.

    Arguments:
        key: of the draw.
        sizes: number of units of each area.
        between: share of the weights between areas that exist.

    Example:
        >>> import jax, neurojax as nj
        >>> mask = nj.circuits.area_mask(jax.random.key(0), (3, 2), between=0.0)
        >>> mask.astype(int).sum(axis=1).tolist()
        [3, 3, 3, 2, 2]
    """
    check_share("between of area_mask", between, zero=True)
    area = np.repeat(np.arange(len(sizes)), sizes)
    within = jnp.asarray(area[:, None] == area[None, :])
    return within | jax.random.bernoulli(key, between, within.shape)


def check_share(name: str, value: float, zero: bool = False) -> None:
    """A share lies between 0 and 1."""
    if isinstance(value, str) or not (0 <= value <= 1 and (zero or value > 0)):
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")
