"""Stability-optimised circuits: strong excitation held by optimised inhibition."""

from importlib import resources

import numpy as np
from jaxtyping import Float

from neurojax.core.progress import ProgressBar
from neurojax.core.random import host_generator

_STEP = 10.0  # the published step along the normalised gradient
_KEPT = 0.4  # the share of inhibitory weights that survives each iteration


def stability_optimised(
    n: int = 200,
    *,
    key,
    density: float = 0.1,
    radius: float = 10.0,
    inhibition: float = 3.0,
    target: float = 0.15,
    steps: int = 3000,
    progress: bool = False,
) -> Float[np.ndarray, "to from"]:
    r"""Random excitation and inhibition, with the inhibition optimised until the circuit is stable.

    Half of the units excite, half inhibit. At first every weight exists with probability
    `density`; excitatory ones are $w_0/\sqrt{n}$ and inhibitory ones $-\gamma w_0/\sqrt{n}$ with
    $w_0 = \sqrt 2 R / \sqrt{p(1-p)(1+\gamma^2)}$, so that the spectrum fills a disc of radius $R$.
    Then the inhibitory weights descend the smoothed spectral abscissa. With
    $s = \max(1.5\alpha, \alpha + 0.2)$ and the Gramians of

    $$(W - s)^\top Q + Q (W - s) = -2,\qquad (W - s) P + P (W - s)^\top = -2$$

    the gradient is $QP/\mathrm{tr}(QP)$. After each step inhibition stays negative, keeps $\gamma$
    times the mean of the excitation onto either population, and only its strongest 40 % remain;
    there are no autapses. The result amplifies some initial states many times before they decay.

    It runs on the host (about a minute or two for 200 units); `soc200` reads one that is ready.

    Arguments:
        n: number of units, even; columns 0 to n/2 - 1 excite, the others inhibit.
        key: draws the initial weights.
        density: probability of an initial connection, in (0, 1).
        radius: spectral radius at the beginning, $R$.
        inhibition: ratio of mean inhibition to mean excitation, $\gamma$.
        target: the largest real part of an eigenvalue at which to stop.
        steps: the most iterations.
        progress: show a bar with the present abscissa.

    Returns:
        Weights [to, from] for $\tau\dot x = -x + W f(x)$.

    Raises:
        ValueError: for an odd n or a parameter out of its range.
        RuntimeError: if the target is not reached in `steps` iterations; the message says how far
            it came.

    Source: Hennequin, Vogels, Gerstner 2014 *Neuron* 82:1394.

    Example:
        >>> import jax, neurojax as nj
        >>> W = nj.circuits.stability_optimised(20, key=jax.random.key(0), radius=2.0, density=0.3)
        >>> bool((W[:, :10] >= 0).all() and (W[:, 10:] <= 0).all())
        True
        >>> bool(abs(W).max() > 0 and np.linalg.eigvals(W).real.max() < 0.15)
        True
    """
    _check(n, density, radius, inhibition, steps)
    rng = host_generator(key)
    half = n // 2
    w0 = np.sqrt(2.0) * radius / np.sqrt(density * (1.0 - density) * (1.0 + inhibition**2))
    W = (rng.random((n, n)) < density) * (w0 / np.sqrt(n))
    W[:, half:] *= -inhibition
    np.fill_diagonal(W, 0.0)
    bar = ProgressBar(steps, "stability-optimised circuit") if progress else None
    try:
        for _ in range(steps):
            abscissa, gradient = _abscissa_and_gradient(W)
            if abscissa < target:
                return W
            _descend(W, gradient, half, inhibition)
            if bar is not None:
                bar.advance(1, f"abscissa {abscissa:.3f}")
    finally:
        if bar is not None:
            bar.close()
    abscissa, _ = _abscissa_and_gradient(W)
    if abscissa < target:
        return W
    raise RuntimeError(
        f"the spectral abscissa is {abscissa:.3f} after {steps} steps, the target was {target}: "
        "give more steps, another key, or a smaller radius"
    )


def soc200() -> Float[np.ndarray, "to from"]:
    """A stability-optimised circuit of 200 units that comes with this package.

    Made by `stability_optimised(200, key=jax.random.key(0))` with its default parameters.

    Returns:
        Weights [to, from]; units 0 to 99 excite, 100 to 199 inhibit.

    Example:
        >>> W = soc200()
        >>> W.shape, bool((W[:, :100] >= 0).all() and (W[:, 100:] <= 0).all())
        ((200, 200), True)
    """
    file = resources.files("neurojax.circuits").joinpath("data", "soc200.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return arrays["weights"].astype(np.float64)


def evoked_energy_modes(
    weights: Float[np.ndarray, "to from"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
    r"""The initial states of a linear circuit that evoke most activity, and how much.

    For $\dot x = (W - 1) x$ (time in units of $\tau$) the energy $\int_0^\infty |x|^2 dt$ after
    the initial state $a$ is $a^\top Q a$, with the observability Gramian $Q$ of

    $$(W - 1)^\top Q + Q (W - 1) = -1.$$

    Its eigenvectors are the modes. Without connections every energy is 1/2.

    Arguments:
        weights: $W$ [to, from].

    Returns:
        Energies from the largest to the smallest, and the modes as the columns of an orthogonal
        matrix in that order. The largest entry of a mode is positive.

    Raises:
        ValueError: if W is not square or $W - 1$ is not stable.

    Source: Hennequin, Vogels, Gerstner 2014 *Neuron* 82:1394.

    Example:
        >>> energies, modes = evoked_energy_modes(np.zeros((3, 3)))
        >>> energies.tolist()
        [0.5, 0.5, 0.5]
    """
    from scipy.linalg import eigh, solve_continuous_lyapunov

    W = np.asarray(weights, np.float64)
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"weights must be a square matrix [to, from], got shape {W.shape}")
    abscissa = float(np.max(np.linalg.eigvals(W).real))
    if not abscissa < 1.0:
        raise ValueError(
            "the evoked energy is infinite: an eigenvalue of weights has real part "
            f"{abscissa:.3f}, it must be below 1"
        )
    A = W - np.eye(len(W))
    gramian = solve_continuous_lyapunov(A.T, -np.eye(len(W)))
    energies, modes = eigh(0.5 * (gramian + gramian.T))
    largest = np.take_along_axis(modes, np.argmax(np.abs(modes), axis=0)[None, :], axis=0)
    return energies[::-1], (modes * np.sign(largest))[:, ::-1]


def _abscissa_and_gradient(W):
    """The largest real part of an eigenvalue, and the gradient of the smoothed abscissa.

    One Schur form serves the spectrum and both Lyapunov equations.
    """
    from scipy.linalg import get_lapack_funcs, schur

    form = schur(W, output="real")
    T, Z = form[0], form[1]
    abscissa = float(np.max(np.diag(T)))  # both real parts of a 2 x 2 block stand on the diagonal
    shift = max(1.5 * abscissa, abscissa + 0.2)
    A, right = T - shift * np.eye(len(T)), -2.0 * np.eye(len(T))
    (trsyl,) = get_lapack_funcs(("trsyl",), (A,))
    q = trsyl(A, A, right, trana="T", tranb="N")[0]
    p = trsyl(A, A, right, trana="N", tranb="T")[0]
    product = Z @ (q @ p) @ Z.T  # a scale that trsyl may apply cancels in the ratio
    return abscissa, product / np.trace(product)


def _descend(W, gradient, half: int, inhibition: float) -> None:
    """One step of the inhibitory columns, in place, with their constraints."""
    rows = (slice(None, half), slice(half, None))
    inhibitory = np.minimum(W[:, half:] - _STEP * gradient[:, half:], 0.0)
    for row in rows:
        mean = np.mean(inhibitory[row])
        if mean < 0:
            inhibitory[row] *= -inhibition * np.mean(W[row, :half]) / mean
    cut = round((1.0 - _KEPT) * inhibitory.size)
    weakest = np.argpartition(inhibitory, -cut, axis=None)[-cut:]
    inhibitory.flat[weakest] = 0.0
    W[:, half:] = inhibitory
    np.fill_diagonal(W, 0.0)


def _check(n, density, radius, inhibition, steps) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 4 or n % 2:
        raise ValueError(f"n must be an even number of units of at least 4, got {n!r}")
    if not 0.0 < density < 1.0:
        raise ValueError(f"density must lie between 0 and 1, got {density}")
    for name, value in (("radius", radius), ("inhibition", inhibition)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
