"""Stability-optimised circuits against their defining equations, in plain numpy and scipy."""

import jax
import numpy as np
import pytest
from scipy.linalg import expm

import neurojax as nj
from neurojax.circuits.stability_optimised import _abscissa_and_gradient

circuits = nj.circuits


def _abscissa(W):
    return np.linalg.eigvals(W).real.max()


@pytest.fixture(scope="module")
def small():
    return circuits.stability_optimised(20, key=jax.random.key(0), radius=2.0, density=0.3)


def test_the_shipped_circuit_is_what_it_says():
    W = circuits.soc200()
    assert W.shape == (200, 200) and W.dtype == np.float64
    assert _abscissa(W) < 0.15
    assert np.all(W[:, :100] >= 0) and np.all(W[:, 100:] <= 0) and np.all(np.diag(W) == 0)
    # excitation was not touched: one value, a tenth of the pairs
    w0 = np.sqrt(2) * 10 / np.sqrt(0.1 * 0.9 * (1 + 3**2))
    np.testing.assert_allclose(np.unique(W[:, :100]), [0.0, w0 / np.sqrt(200)], rtol=1e-14)
    assert abs(np.mean(W[:, :100] > 0) - 0.1) < 5 * np.sqrt(0.09 / 20000)
    assert np.mean(W[:, 100:] < 0) <= 0.4
    # inhibition is three times as strong in the mean, but for the pruned 60 % and the diagonal
    for rows in (slice(0, 100), slice(100, 200)):
        assert np.mean(W[rows, 100:]) == pytest.approx(-3 * np.mean(W[rows, :100]), rel=0.05)


def test_the_shipped_circuit_amplifies():
    """The published property: the best initial states evoke many times the energy of no circuit."""
    W = circuits.soc200()
    energies, modes = circuits.evoked_energy_modes(W)
    assert energies[0] > 6.0 and np.mean(energies) > 1.0  # without connections all are 0.5
    assert np.all(np.diff(energies) <= 0) and energies[-1] > 0
    # residual of the Lyapunov equation
    Q = modes * energies @ modes.T
    A = W - np.eye(200)
    assert np.abs(A.T @ Q + Q @ A + np.eye(200)).max() < 1e-10
    np.testing.assert_allclose(modes.T @ modes, np.eye(200), atol=1e-12)


def test_energies_are_integrals_of_the_activity(small):
    """The energy of a mode by quadrature (Simpson's rule) along matrix exponentials."""
    energies, modes = circuits.evoked_energy_modes(small)
    h, steps = 0.01, 8000
    move = expm(h * (small - np.eye(20)))
    x, squares = modes, []
    for _ in range(steps + 1):
        squares.append(np.sum(x**2, axis=0))
        x = move @ x
    weights = np.ones(steps + 1)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    np.testing.assert_allclose(h / 3 * weights @ np.array(squares), energies, rtol=1e-6)


def test_gradient_of_the_smoothed_abscissa():
    """Against its definition: the shift at which the total evoked energy has a fixed value."""
    from scipy.linalg import solve_continuous_lyapunov
    from scipy.optimize import brentq

    rng = np.random.default_rng(0)
    W = rng.normal(size=(6, 6))
    energy = lambda W, s: np.trace(solve_continuous_lyapunov((W - s * np.eye(6)).T, -2 * np.eye(6)))
    abscissa, gradient = _abscissa_and_gradient(W)
    assert abscissa == pytest.approx(_abscissa(W), rel=1e-12)
    shift = max(1.5 * abscissa, abscissa + 0.2)
    level = energy(W, shift)
    smoothed = lambda W: brentq(lambda s: energy(W, s) - level, _abscissa(W) + 0.02, 50, xtol=1e-13)
    for i, j in [(0, 1), (3, 3), (5, 2)]:
        bump = np.zeros((6, 6))
        bump[i, j] = 1e-5
        slope = (smoothed(W + bump) - smoothed(W - bump)) / 2e-5
        assert slope == pytest.approx(gradient[i, j], rel=1e-5, abs=1e-8)


def test_optimisation_reaches_its_target(small):
    again = circuits.stability_optimised(20, key=jax.random.key(0), radius=2.0, density=0.3)
    np.testing.assert_array_equal(small, again)
    assert _abscissa(small) < 0.15 and np.all(np.diag(small) == 0)
    assert np.all(small[:, :10] >= 0) and np.all(small[:, 10:] <= 0)


def test_what_was_not_reached_is_said():
    with pytest.raises(RuntimeError, match=r"abscissa is \d.* after 2 steps, the target was 0.15"):
        circuits.stability_optimised(20, key=jax.random.key(0), steps=2)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"n": 7}, "n must"), ({"density": 1.0}, "density"), ({"radius": 0.0}, "radius"),
     ({"inhibition": -1.0}, "inhibition"), ({"steps": 0}, "steps")],
)  # fmt: skip
def test_bad_parameters(wrong, name):
    with pytest.raises(ValueError, match=name):
        circuits.stability_optimised(**{"n": 20, "key": jax.random.key(0)} | wrong)


def test_energy_of_unconnected_units_and_refusals():
    energies, _ = circuits.evoked_energy_modes(np.zeros((5, 5)))
    np.testing.assert_allclose(energies, 0.5)
    with pytest.raises(ValueError, match="infinite"):
        circuits.evoked_energy_modes(1.5 * np.eye(3))
    with pytest.raises(ValueError, match="square"):
        circuits.evoked_energy_modes(np.zeros((2, 3)))
