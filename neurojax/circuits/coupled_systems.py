"""Redundant noisy systems that synchronise, with the exact theory of their disagreement."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import ContinuousDynamics, Parameter, as_parameter, unwrap
from neurojax.core.parameter_checks import check_positive
from neurojax.core.solvers import AbstractStepper, EulerMaruyama


@final
class CoupledSystems(ContinuousDynamics):
    r"""Copies of one gradient system, each with noise of its own, pulled towards each other.

    $$dx_i = -\nabla f(x_i)\,dt + \sum_j \kappa_{ij}(x_j - x_i)\,dt + \sigma\,dW_i$$

    Coupling averages the noise out: the copies agree more closely the stronger it is, and their
    mean has the noise $\sigma/\sqrt n$. By default $f = \lambda |x|^2/2$, for which
    `covariance` and `expected_disagreement` are exact. The state is `{"x": (n,)}`, or (n, d) for
    systems of d variables, and begins at zero. The optional input `I_e` is added to the drift.

    Arguments:
        coupling: $\kappa$ (n, n) [to, from] per ms, not negative; the diagonal has no effect. The
            constructors `all_to_all`, `ring` and `star` make it.
        curvature: $\lambda$ per ms, positive; with a `gradient` of your own a lower bound of the
            curvature of f, used by `disagreement_bound` alone.
        sigma: amplitude of the noise, per $\sqrt{ms}$.
        gradient: $\nabla f$ of (n, d) or (n,) states, row by row; default $\lambda x$.
        dimension: d, or `None` for scalar systems.
        solver: default `EulerMaruyama`.

    Raises:
        ValueError: for a coupling that is not square or is negative, a curvature that is not
            positive, a negative sigma.

    Source: Bouvrie and Slotine 2011 *Neural Computation* 23:2915.

    Example:
        >>> import jax, neurojax as nj
        >>> loose, tight = (CoupledSystems.all_to_all(10, k, sigma=0.5) for k in (0.0, 10.0))
        >>> round(loose.expected_disagreement(), 4), round(tight.expected_disagreement(), 4)
        (0.1125, 0.0011)
    """

    coupling: Parameter  # (n, n) [to, from]
    curvature: Parameter
    sigma: Parameter
    gradient: Any
    dimension: int | None = eqx.field(static=True)
    solver: AbstractStepper

    def __init__(
        self,
        coupling,
        *,
        curvature=1.0,
        sigma=1.0,
        gradient: Any = None,
        dimension: int | None = None,
        solver: AbstractStepper | None = None,
    ):
        coupling = np.asarray(coupling) if isinstance(coupling, list | tuple) else coupling
        self.coupling = as_parameter(coupling)
        self.curvature = as_parameter(curvature)
        self.sigma = as_parameter(sigma)
        plain = gradient is None or isinstance(gradient, eqx.Module)
        self.gradient = gradient if plain else jax.tree_util.Partial(gradient)
        self.dimension = dimension
        self.solver = EulerMaruyama() if solver is None else solver
        kappa = unwrap(self.coupling)
        if kappa.ndim != 2 or kappa.shape[0] != kappa.shape[1]:
            raise ValueError(f"coupling must be a square matrix, got shape {kappa.shape}")
        check_positive(self, "curvature")
        check_positive(self, "coupling", "sigma", zero=True)
        if dimension is not None and dimension < 1:
            raise ValueError(f"dimension must be at least 1 or None, got {dimension}")

    @classmethod
    def all_to_all(cls, n: int, strength, **options) -> "CoupledSystems":
        """Every system coupled to every other; further arguments as for the class."""
        return cls(strength * (1.0 - jnp.eye(n)), **options)

    @classmethod
    def ring(cls, n: int, strength, **options) -> "CoupledSystems":
        """Every system coupled to its two neighbours; further arguments as for the class."""
        distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        return cls(strength * jnp.asarray((distance == 1) | (distance == n - 1), float), **options)

    @classmethod
    def star(cls, n: int, strength, **options) -> "CoupledSystems":
        """System 0 coupled to all others, both ways; further arguments as for the class."""
        hub = np.arange(n) == 0
        return cls(strength * jnp.asarray(hub[:, None] ^ hub[None, :], float), **options)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All systems at zero."""
        kappa = unwrap(self.coupling)
        shape = (len(kappa),) if self.dimension is None else (len(kappa), self.dimension)
        return {"x": jnp.zeros(shape, kappa.dtype)}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dx/dt per ms; see the class."""
        model, x = unwrap(self), state["x"]
        own = model.curvature * x if model.gradient is None else model.gradient(x)
        pull = -model.laplacian() @ x - own
        current = inputs.get("I_e")
        return {"x": pull if current is None else pull + current}

    def diffusion(self, t, state, inputs) -> dict[str, Array]:
        """The amplitude of the noise."""
        return {"x": unwrap(self.sigma)}

    def laplacian(self) -> Float[Array, "n n"]:
        r"""$L_{ij} = \delta_{ij} \sum_k \kappa_{ik} - \kappa_{ij}$, so that the pull is -Lx."""
        kappa = unwrap(self.coupling)
        return jnp.diag(jnp.sum(kappa, axis=1)) - kappa

    def covariance(self) -> Float[np.ndarray, "n n"]:
        r"""The stationary covariance between systems for the quadratic f, on the host.

        It solves $A C + C A^\top = \sigma^2$ with $A = \lambda + L$; for symmetric coupling
        $C = \tfrac12\sigma^2 A^{-1}$. The same holds for each of d variables.

        Raises:
            ValueError: if the systems have a gradient of their own.
        """
        from scipy.linalg import solve_continuous_lyapunov

        self._quadratic("covariance")
        L = np.asarray(self.laplacian(), np.float64)
        A = float(unwrap(self.curvature)) * np.eye(len(L)) + L
        return solve_continuous_lyapunov(A, float(unwrap(self.sigma)) ** 2 * np.eye(len(L)))

    def expected_disagreement(self) -> float:
        r"""The stationary mean over systems of $E|x_i - \bar x|^2$ for the quadratic f.

        All-to-all with strength $\kappa$ it is
        $d\,\frac{n-1}{n}\,\frac{\sigma^2}{2(\lambda + n\kappa)}$.

        Raises:
            ValueError: if the systems have a gradient of their own.
        """
        C = self.covariance()
        spread = (np.trace(C) - np.sum(C) / len(C)) / len(C)
        return float(spread * (self.dimension or 1))

    def expected_variance_of_mean(self) -> float:
        r"""The stationary $E|\bar x|^2$ for the quadratic f.

        It is $d\,\sigma^2/(2\lambda n)$ where the coupling is symmetric.

        Raises:
            ValueError: if the systems have a gradient of their own.
        """
        C = self.covariance()
        return float(np.sum(C) / len(C) ** 2 * (self.dimension or 1))

    def algebraic_connectivity(self) -> float:
        r"""The least $v^\top L v / v^\top v$ over $v$ that sum to zero, per ms; on the host.

        For symmetric coupling the second smallest eigenvalue of the Laplacian: n times the
        strength all-to-all.
        """
        from scipy.linalg import null_space

        L = np.asarray(self.laplacian(), np.float64)
        if len(L) == 1:
            return 0.0
        basis = null_space(np.ones((1, len(L))))
        return float(np.linalg.eigvalsh(basis.T @ (0.5 * (L + L.T)) @ basis)[0])

    def disagreement_bound(self) -> float:
        r"""What the disagreement cannot exceed for a curvature of at least $\lambda$.

        $$d\,\frac{n-1}{n}\,\frac{\sigma^2}{2(\lambda + \lambda_2)}$$

        with $\lambda_2$ the `algebraic_connectivity`. It is exact for the quadratic f with
        all-to-all coupling.

        Raises:
            ValueError: if $\lambda + \lambda_2$ is not positive (strongly one-sided coupling).
        """
        n = len(unwrap(self.coupling))
        rate = float(unwrap(self.curvature)) + self.algebraic_connectivity()
        if not rate > 0:
            raise ValueError(
                f"no bound: curvature + algebraic_connectivity() = {rate:.3g} is not positive"
            )
        variance = float(unwrap(self.sigma)) ** 2 / (2.0 * rate)
        return (n - 1) / n * variance * (self.dimension or 1)

    def _quadratic(self, what: str) -> None:
        if self.gradient is not None:
            raise ValueError(
                f"{what} is exact for the quadratic f only; with a gradient of your own use "
                "disagreement_bound"
            )


def disagreement(x: Float[Array, "..."], *, axis: int = -1) -> Float[Array, "..."]:
    r"""The mean over systems of $(x_i - \bar x)^2$.

    Arguments:
        x: states, such as the record of x over time.
        axis: that of the systems. For systems of d variables sum the result over these.

    Example:
        >>> import jax.numpy as jnp
        >>> float(disagreement(jnp.array([1.0, 3.0])))
        1.0
    """
    return jnp.var(x, axis=axis)
