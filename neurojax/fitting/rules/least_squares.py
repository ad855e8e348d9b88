"""Recursive least squares and its batch equal, ridge regression."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.precision import unrounded
from neurojax.core.tracing import known


@final
class RLS(eqx.Module):
    r"""The inverse correlation P of what linear weights read, updated sample by sample.

    $$q = P r, \quad k = \frac{q}{\lambda + r \cdot q}, \quad P' = (P - k q^\top) / \lambda,
      \quad W' = W - (W r - f)\, k^\top$$

    After n samples W is the minimiser of $\sum_t |W r_t - f_t|^2 + \alpha |W - W_0|^2$ for
    $\lambda = 1$.

    Arguments:
        P: (n, n), the inverse of the correlation of the samples so far.
        forgetting: $\lambda$ in (0, 1], the weight of a sample falls by it with each later one.

    Source: Haykin (2002), Adaptive Filter Theory, chapter 9; Sussillo and Abbott (2009), Neuron
    63:544.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rls = nj.fitting.rules.RLS.start(2, alpha=1e-6)
        >>> W = jnp.zeros((1, 2))
        >>> for r, f in (([1.0, 0.0], [3.0]), ([0.0, 1.0], [5.0])):
        ...     rls, gain = rls.sample(jnp.array(r))
        ...     W = W - jnp.outer(W @ jnp.array(r) - jnp.array(f), gain)
        >>> [round(float(w), 3) for w in W[0]]
        [3.0, 5.0]
    """

    P: Float[Array, "n n"]
    forgetting: float = eqx.field(static=True, default=1.0)

    @classmethod
    def start(cls, n: int, alpha: Any = 1.0, forgetting: float = 1.0, dtype=None) -> "RLS":
        """Before the first sample: $P = I / \\alpha$.

        Raises:
            ValueError: if alpha is not positive or forgetting outside (0, 1].
        """
        if known(alpha) and not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha}")
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting must lie in (0, 1], got {forgetting}")
        return cls(jnp.eye(n, dtype=dtype) / alpha, forgetting)

    @unrounded
    def sample(self, r: Float[Array, " n"]) -> tuple["RLS", Float[Array, " n"]]:
        """Take a sample in; gives the new state and the gain k of the update of the weights."""
        q = self.P @ r
        gain = q / (self.forgetting + r @ q)
        P = self.P - gain[:, None] * q[None, :]
        if self.forgetting != 1.0:
            P = P / self.forgetting
        return RLS(P, self.forgetting), gain


@final
class Moments(eqx.Module):
    r"""Sums over samples, $G = \sum r r^\top$ and $B = \sum f r^\top$, for ridge regression.

    Arguments:
        G: (n, n).
        B: (targets, n).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rates, targets = jnp.eye(2), jnp.array([[3.0], [5.0]])
        >>> sums = nj.fitting.rules.Moments.start(2, 1).samples(rates, targets)
        >>> [round(float(w), 3) for w in sums.solve(1e-6)[0]]
        [3.0, 5.0]
    """

    G: Float[Array, "n n"]
    B: Float[Array, "targets n"]

    @classmethod
    def start(cls, n: int, targets: int, dtype=None) -> "Moments":
        """Before the first sample."""
        return cls(jnp.zeros((n, n), dtype), jnp.zeros((targets, n), dtype))

    @unrounded
    def samples(self, r, f, weight=None) -> "Moments":
        """Take samples in: r (..., n) and f (..., targets), with weights (...)."""
        r, f = r.reshape(-1, r.shape[-1]), f.reshape(-1, f.shape[-1])
        weighted = r if weight is None else r * weight.reshape(-1)[:, None]
        return Moments(self.G + weighted.T @ r, self.B + f.T @ weighted)

    def solve(self, penalty) -> Float[Array, "targets n"]:
        r"""$W = B (G + \lambda I)^{-1}$, by Cholesky."""
        import jax.scipy.linalg as jsl

        damped = self.G + penalty * jnp.eye(self.G.shape[0], dtype=self.G.dtype)
        return jsl.cho_solve(jsl.cho_factor(damped), self.B.T).T
