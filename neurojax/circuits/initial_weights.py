"""How recurrent weights begin: nouns that a circuit takes as `recurrent=`.

Weights of the trainable circuits are [to, from]: the current of unit i is `W[i] @ rates`.
"""

from abc import abstractmethod
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.connectomes import Connectome

from .constrained_weights import check_share, masked, sign_kept
from .spectra import with_spectral_radius


class AbstractWeights(eqx.Module):
    """A way to draw square weights; given to a circuit as `recurrent=`."""

    @abstractmethod
    def draw(self, key, n: int) -> Any:
        """Weights [to, from] of n units: an array, a `LowRank` or a paramax wrapper."""


@final
class Gaussian(AbstractWeights):
    r"""Independent weights $J_{ij} \sim N(0, g^2 / (p\,n))$, each present with probability $p$.

    Beyond a gain of 1 an isolated network of tanh units is chaotic.

    Arguments:
        gain: $g$, about the spectral radius.
        density: $p$, the share of weights that are not zero; those that are stay zero in training.

    Source: Sompolinsky, Crisanti and Sommers (1988), Physical Review Letters 61:259.

    Example:
        >>> import jax, neurojax as nj
        >>> nj.circuits.Gaussian(1.5).draw(jax.random.key(0), 4).shape
        (4, 4)
    """

    gain: float = 1.5
    density: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_share("density of Gaussian", self.density)

    def draw(self, key, n: int):
        """See `AbstractWeights`."""
        weights, places = jax.random.split(key)
        scale = self.gain / np.sqrt(self.density * n)
        W = scale * jax.random.normal(weights, (n, n))
        if self.density == 1.0:
            return W
        return masked(W, jax.random.bernoulli(places, self.density, (n, n)))


@final
class Orthogonal(AbstractWeights):
    r"""$g\,Q$ with a random orthogonal $Q$ (uniform by Haar's measure): all singular values $g$.

    Arguments:
        gain: g.

    Source: Saxe, McClelland and Ganguli (2014), arXiv:1312.6120.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> Q = nj.circuits.Orthogonal().draw(jax.random.key(0), 5)
        >>> bool(jnp.allclose(Q @ Q.T, jnp.eye(5), atol=1e-5))
        True
    """

    gain: float = 1.0

    def draw(self, key, n: int):
        """See `AbstractWeights`."""
        return self.gain * jax.random.orthogonal(key, n)


@final
class Truncated(AbstractWeights):
    r"""Gaussian weights cut to their `rank` largest singular values, at the same Frobenius norm.

    All n x n weights are trained; only the start is of low rank. A lower rank makes learning
    richer (the weights change more).

    Arguments:
        rank: number of singular values that are kept.
        gain: of the Gaussian weights before they are cut.

    Source: Liu, Baratin, Cornford, Mihalas, Shea-Brown and Lajoie (2023), arXiv:2310.08513.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> W = nj.circuits.Truncated(rank=2).draw(jax.random.key(0), 10)
        >>> int(jnp.linalg.matrix_rank(W))
        2
    """

    rank: int = eqx.field(static=True)
    gain: float = 1.25

    def draw(self, key, n: int):
        """See `AbstractWeights`."""
        if not 1 <= self.rank <= n:
            raise ValueError(f"rank of Truncated must lie between 1 and n={n}, got {self.rank}")
        W = self.gain / np.sqrt(n) * jax.random.normal(key, (n, n))
        left, values, right = jnp.linalg.svd(W)
        cut = left[:, : self.rank] @ (values[: self.rank, None] * right[: self.rank])
        return cut * (jnp.linalg.norm(W) / jnp.linalg.norm(cut))


@final
class DaleBalanced(AbstractWeights):
    r"""Excitatory and inhibitory units (Dale's law), balanced in the mean; signs are kept.

    Each unit sends weights of one sign. Excitatory ones are drawn from $|N(0, 1)|$, inhibitory
    ones are larger by the ratio of the numbers of units, so that rows sum to zero in the mean; all
    are scaled to the spectral radius `radius`. Zeros stay zero and signs stay in training
    ($w = \pm s\,\mathrm{softplus}(\theta / s)$ with $s$ the mean size of a weight).

    Arguments:
        radius: spectral radius.
        excitatory: share of the units that excite; they come first.
        density: share of the weights that are not zero.
        autapses: whether a unit may excite or inhibit itself.

    Source: Song, Yang and Wang (2016), PLoS Computational Biology 12:e1004792.

    Example:
        >>> import jax, neurojax as nj
        >>> W = nj.unwrap(nj.circuits.DaleBalanced().draw(jax.random.key(0), 10))
        >>> bool((W[:, :8] >= 0).all()), bool((W[:, 8:] <= 0).all())
        (True, True)
    """

    radius: float = 1.0
    excitatory: float = eqx.field(static=True, default=0.8)
    density: float = eqx.field(static=True, default=1.0)
    autapses: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        check_share("excitatory of DaleBalanced", self.excitatory)
        check_share("density of DaleBalanced", self.density)

    def draw(self, key, n: int):
        """See `AbstractWeights`."""
        exc = round(self.excitatory * n)
        if not 0 < exc < n:
            raise ValueError(
                f"DaleBalanced needs units of both kinds: excitatory={self.excitatory} of n={n} "
                f"makes {exc} excitatory"
            )
        weights, places = jax.random.split(key)
        size = jnp.abs(jax.random.normal(weights, (n, n)))
        size *= jnp.where(jnp.arange(n) < exc, 1.0, exc / (n - exc))[None]
        present = jax.random.bernoulli(places, self.density, (n, n))
        if not self.autapses:
            present &= ~jnp.eye(n, dtype=bool)
        signs = jnp.where(jnp.arange(n) < exc, 1.0, -1.0)[None]
        W = with_spectral_radius(jnp.where(present, size, 0.0) * signs, self.radius)
        return sign_kept(W, signs)


@final
class FromConnectome(AbstractWeights):
    r"""Weights where a connectome has chemical synapses, in proportion to their numbers.

    $W_{ji} = s_{ij} \sqrt{c_{ij}}$, scaled to the spectral radius; where the connectome knows no
    sign it is drawn. Pairs without a synapse stay without one; known signs are kept in training.

    Arguments:
        connectome: its neurons are the units, in its order.
        radius: spectral radius.

    Example:
        >>> import jax, neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> nj.unwrap(nj.circuits.FromConnectome(wiring).draw(jax.random.key(0), 4)).shape
        (4, 4)
    """

    connectome: Connectome = eqx.field(static=True)
    radius: float = 1.0

    def draw(self, key, n: int):
        """See `AbstractWeights`."""
        wiring = self.connectome.without_self_edges()
        if len(wiring) != n:
            raise ValueError(f"FromConnectome has {len(wiring)} neurons, the circuit n={n} units")
        size = jnp.asarray(np.sqrt(wiring.chemical).T, jnp.result_type(float))
        known = jnp.asarray(wiring.signs.T, size.dtype)
        drawn = jax.random.rademacher(key, (n, n), size.dtype)
        W = with_spectral_radius(size * jnp.where(known == 0, drawn, known), self.radius)
        return sign_kept(W, known)
