"""Gramians of linear systems, and the energy that a state evokes."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.precision import unrounded

from .non_normality import square


def controllability_gramian(A: Any, B: Any = None) -> Float[np.ndarray, "n n"]:
    r"""The Gramian $P = \int_0^\infty e^{At} B B^\top e^{A^\top t}\,dt$ of a stable flow.

    It solves $A P + P A^\top + B B^\top = 0$: the covariance of the state under unit white noise
    through B. On the host.

    Arguments:
        A: (n, n), all eigenvalues with negative real part, per ms.
        B: (n, inputs); default the identity.

    Raises:
        ValueError: for shapes that do not fit or an A that is not stable.

    Example:
        >>> controllability_gramian([[-0.5]], [[2.0]]).tolist()
        [[4.0]]
    """
    A = stable(A)
    B = np.eye(len(A)) if B is None else np.asarray(B, float)
    if B.ndim != 2 or B.shape[0] != len(A):
        raise ValueError(f"B must have shape ({len(A)}, inputs), got {B.shape}")
    return _lyapunov(A, B @ B.T)


def observability_gramian(A: Any, C: Any = None) -> Float[np.ndarray, "n n"]:
    r"""The Gramian $Q = \int_0^\infty e^{A^\top t} C^\top C\, e^{At}\,dt$ of a stable flow.

    It solves $A^\top Q + Q A + C^\top C = 0$: $a^\top Q\,a$ is the energy
    $\int |C\,x(t)|^2 dt$ that a start in a evokes. On the host.

    Arguments:
        A: (n, n), all eigenvalues with negative real part, per ms.
        C: (outputs, n); default the identity.

    Raises:
        ValueError: for shapes that do not fit or an A that is not stable.

    Source: Hennequin, Vogels and Gerstner (2014), Neuron 82, 1394.

    Example:
        >>> observability_gramian([[-0.5]]).tolist()
        [[1.0]]
    """
    A = stable(A)
    C = np.eye(len(A)) if C is None else np.asarray(C, float)
    if C.ndim != 2 or C.shape[1] != len(A):
        raise ValueError(f"C must have shape (outputs, {len(A)}), got {C.shape}")
    return _lyapunov(A.T, C.T @ C)


@unrounded
def evoked_energy(Q: Any, state: Any) -> Float[Array, "..."]:
    r"""The energy $a^\top Q\,a / |a|^2$ that a state evokes per unit of its own.

    Arguments:
        Q: observability Gramian.
        state: (..., n); its length does not matter.

    Raises:
        ValueError: for shapes that do not fit.

    Example:
        >>> float(evoked_energy([[2.0, 0.0], [0.0, 1.0]], [3.0, 0.0]))
        2.0
    """
    Q, state = jnp.asarray(Q), jnp.asarray(state)
    if Q.ndim != 2 or Q.shape[0] != Q.shape[1] or state.shape[-1:] != Q.shape[:1]:
        raise ValueError(f"Q {Q.shape} and state {state.shape} do not fit together")
    energy = jnp.sum((state @ Q) * state, axis=-1)
    return energy / jnp.sum(state * state, axis=-1)


class EnergyDirections(NamedTuple):
    """States by the energy they evoke; made by `amplified_states`.

    Arguments:
        energies: the greatest first, shape (count,).
        states: of length 1 and orthogonal, shape (count, n).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> nj.analysis.dynamics.amplified_states(-np.eye(3), 2).energies.shape
        (2,)
    """

    energies: np.ndarray
    states: np.ndarray


def amplified_states(A: Any, count: int | None = None, *, C: Any = None) -> EnergyDirections:
    """The orthogonal unit states that evoke most energy, the greatest first.

    They are the eigenvectors of the observability Gramian: the preferred initial states of a
    stability-optimised circuit.

    Arguments:
        A: (n, n), stable; for a rate network (W - I) / tau, linearised.
        count: how many; default all.
        C: (outputs, n): the energy of these outputs only.

    Returns:
        `energies` (count,) and `states` (count, n), with the largest element of each positive.

    Raises:
        ValueError: for an A that is not stable, or a count beyond n.

    Source: Hennequin, Vogels and Gerstner (2014), Neuron 82, 1394.

    Example:
        >>> energies, states = amplified_states([[-1.0, 0.0], [0.0, -0.25]])
        >>> energies.tolist(), states[0].tolist()
        ([2.0, 0.5], [0.0, 1.0])
    """
    Q = observability_gramian(A, C)
    count = len(Q) if count is None else count
    if isinstance(count, bool) or not (
        isinstance(count, int | np.integer) and 1 <= count <= len(Q)
    ):
        raise ValueError(f"count must be between 1 and {len(Q)}, got {count!r}")
    energies, vectors = np.linalg.eigh(Q)
    states = vectors.T[::-1][:count]
    largest = np.take_along_axis(states, np.argmax(np.abs(states), axis=1)[:, None], axis=1)
    return EnergyDirections(energies[::-1][:count], states * np.sign(largest))


def stable(A: Any) -> np.ndarray:
    """A square matrix whose flow decays."""
    A = square(A, "A")
    abscissa = np.real(np.linalg.eigvals(A)).max()
    if not abscissa < 0:
        raise ValueError(
            f"A must be stable (eigenvalues with negative real part), its largest is {abscissa:g}; "
            "for a rate network give (W - I) / tau"
        )
    return A


def _lyapunov(A, noise) -> np.ndarray:
    from scipy.linalg import solve_continuous_lyapunov

    X = solve_continuous_lyapunov(A, -noise)
    return 0.5 * (X + X.T)
