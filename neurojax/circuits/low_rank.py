"""Recurrent weights of low rank, kept as their factors."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core import as_parameter, unwrap


@final
class LowRank(eqx.Module):
    r"""Weights $W = m\,n^\top / N$ of rank r, kept as their factors: a product costs $O(N r)$.

    Arguments:
        m: (N, r), what the recurrent currents look like.
        n: (N, r), what of the rates is read.

    Source: Mastrogiuseppe and Ostojic (2018), Neuron 99:609.

    Example:
        >>> import jax, neurojax as nj
        >>> W = nj.circuits.low_rank(jax.random.key(0), 100, rank=2)
        >>> W.dense().shape
        (100, 100)
    """

    m: Any = eqx.field(converter=as_parameter)
    n: Any = eqx.field(converter=as_parameter)

    def __check_init__(self):
        shapes = jnp.shape(unwrap(self.m)), jnp.shape(unwrap(self.n))
        if len(shapes[0]) != 2 or shapes[0] != shapes[1]:
            raise ValueError(f"m and n of LowRank must both be (N, rank), got {shapes}")

    @property
    def shape(self) -> tuple[int, int]:
        """(N, N)."""
        size = jnp.shape(unwrap(self.m))[0]
        return size, size

    def apply(self, rates):
        """The recurrent currents for rates of shape (..., N)."""
        m, n = unwrap((self.m, self.n))
        return (rates @ n) @ (m.T / m.shape[0])

    def dense(self) -> Float[Array, "N N"]:
        """All N x N weights."""
        m, n = unwrap((self.m, self.n))
        return m @ n.T / m.shape[0]


def low_rank(key, size: int, *, rank: int = 1, populations: int = 1, overlap: Any = 0.0) -> LowRank:
    r"""Factors of low-rank weights drawn from a mixture of Gaussian populations.

    Each unit belongs to one of several populations, drawn evenly, each with a covariance of its
    own between the entries of m and n; the mean of $m_k n_k$ over units is `overlap` on average.

    Arguments:
        key: of the draw.
        size: number of units N.
        rank: number of columns of m and n.
        populations: number of Gaussian populations.
        overlap: mean covariance of $m_k$ with $n_k$; beyond about 1 it gives non-zero fixed
            points.

    Source: Dubreuil, Valente, Beiran, Mastrogiuseppe and Ostojic (2022), Nature Neuroscience
    25:783.

    Example:
        >>> import jax, neurojax as nj
        >>> W = nj.circuits.low_rank(jax.random.key(0), 2000, overlap=2.0)
        >>> 1.5 < float((W.m * W.n).mean()) < 2.5
        True
    """
    for name, count in (("rank", rank), ("populations", populations)):
        if count < 1:
            raise ValueError(f"{name} of low_rank must be at least 1, got {count}")
    keys = jax.random.split(key, 4)
    kind = jax.random.randint(keys[0], (size,), 0, populations)
    tilt = jax.random.normal(keys[1], (populations, rank))
    spread = (tilt - jnp.mean(tilt, axis=0, keepdims=True)) * (populations > 1)
    tilt = overlap + jnp.where(overlap == 0, 1.0, overlap) * spread
    m = jax.random.normal(keys[2], (size, rank))
    n = tilt[kind] * m + jax.random.normal(keys[3], (size, rank))
    return LowRank(m, n)
