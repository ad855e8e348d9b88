"""Manifold capacity: the theory's integrals for balls, and the programmes against scipy."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import brentq, minimize, nnls
from scipy.stats import chi, norm

from neurojax.analysis.similarity import manifold_capacity

# the name of the module is that of the function
module = importlib.import_module("neurojax.analysis.similarity.manifold_capacity")
RNG = np.random.default_rng(3)
KEY = jax.random.key(3)


def ball(R, D, margin):
    """Capacity and anchor radius of a ball, by a sum over a fine grid of |t| and t0.

    The allowed v are a cone with its tip at (0, margin): a vector inside stays, one behind goes to
    the tip, any other to the nearest point of the surface.
    """
    t = (np.arange(1500)[:, None] + 0.5) * 8.0 / 1500
    t0 = (np.arange(3000)[None, :] + 0.5) * 16.0 / 3000 - 8.0
    density = chi.pdf(t, D) * norm.pdf(t0) * (8.0 / 1500) * (16.0 / 3000)
    t0 = t0 - margin
    tip = t0 <= -t / R
    F = np.where(tip, t**2 + t0**2, np.maximum(t * R - t0, 0.0) ** 2 / (1 + R**2))
    square = np.where(tip, (t / t0) ** 2, R**2)
    return 1.0 / np.sum(F * density), np.sqrt(np.sum(square * density))


def test_points():
    """2 for points, whatever their number: the capacity of the perceptron."""
    centres = RNG.normal(size=(3, 1, 20)) * np.ones((1, 4, 1))
    # with a margin (Gardner): 1 / E max(k - t, 0)^2
    k, t = 0.5, np.linspace(-10, 0.5, 100_001)
    gardner = 1.0 / trapezoid((k - t) ** 2 * norm.pdf(t), t)
    for margin, wanted in ((0.0, 2.0), (k, gardner)):
        found = manifold_capacity(centres, key=KEY, margin=margin)
        np.testing.assert_allclose(found.capacity, wanted, rtol=1e-7)
        assert float(found.overall) == pytest.approx(wanted, rel=1e-7)
        np.testing.assert_allclose(found.radius, 0.0, atol=1e-12)


def test_balls():
    """Segments (one dimension, exact) and discs (polygons of 60 corners, off by 1.4e-3)."""
    R = np.array([0.3, 2.0])
    ends = np.stack([-np.ones(1), np.ones(1)])
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for D, shape in ((1, ends), (2, circle)):
        points = np.zeros((2, len(shape), 5))
        points[:, :, 4] = 2.0  # the centre; radii are relative to it
        points[:, :, 1 : 1 + D] = 2.0 * R[:, None, None] * shape
        for margin in (0.0, 0.4):
            found = manifold_capacity(points, key=KEY, samples=4000, margin=margin, centre=False)
            capacity, radius = np.transpose([ball(r, D, margin) for r in R])
            # 4000 samples: one standard deviation is at most 1.5 %
            np.testing.assert_allclose(found.capacity, capacity, rtol=0.04)
            np.testing.assert_allclose(found.radius, radius, rtol=0.02)
            np.testing.assert_allclose(found.dimension, D, rtol=0.06)
            assert float(found.overall) == pytest.approx(1.0 / np.mean(1.0 / found.capacity))


def test_programmes_are_those_of_scipy():
    """Solutions by nonnegative least squares (Lawson and Hanson) and by SLSQP."""
    s = np.concatenate([RNG.normal(size=(30, 5)), np.ones((30, 1))], axis=1)
    t = RNG.normal(size=(40, 6))
    solve = jax.jit(jax.vmap(module._project, in_axes=(None, 0, None)))
    anchors = jax.jit(jax.vmap(module._anchor, in_axes=(None, 0, None)))
    for margin in (0.0, 0.7):
        found, pull = solve(jnp.asarray(s), t, margin)
        distance, anchor = anchors(jnp.asarray(s), t, margin)
        assert (np.asarray(pull) >= 0).all()
        for k in range(len(t)):
            # least distance programming: min |x| with s x >= margin - s t
            h = margin - s @ t[k]
            system, right = np.vstack([s.T, h]), np.append(np.zeros(6), 1.0)
            u, _ = nnls(system, right)
            r = system @ u - right
            v = t[k] - r[:-1] / r[-1]
            np.testing.assert_allclose(found[k], v, atol=1e-8)
            assert float(distance[k]) == pytest.approx(np.sum((v - t[k]) ** 2), abs=1e-8)
            expected = u @ s[:, :5] / u.sum() if u.any() else s[np.argmin(s @ t[k]), :5]
            np.testing.assert_allclose(anchor[k], expected, atol=1e-5)
        best = minimize(
            lambda v: np.sum((v - t[0]) ** 2), np.append(np.zeros(5), 5.0), method="SLSQP",
            constraints={"type": "ineq", "fun": lambda v, k: s @ v - k, "args": (margin,)},
            options={"ftol": 1e-12},
        )  # fmt: skip
        np.testing.assert_allclose(found[0], best.x, atol=1e-5)


def test_ellipse():
    """An ellipse of 400 corners: the projection onto its cone solves one equation."""
    R = np.array([1.5, 0.4])
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    corners = np.stack([R[0] * np.cos(turn), R[1] * np.sin(turn), np.ones(400)], axis=1)
    t = RNG.normal(size=(60, 3))
    found, _ = jax.vmap(lambda t: module._anchor(jnp.asarray(corners), t, 0.0))(jnp.asarray(t))

    def wanted(t, t0):
        if t0 >= np.linalg.norm(R * t):
            return 0.0
        if t0 <= -np.linalg.norm(t / R):  # behind the tip
            return t @ t + t0**2
        # v = t / (1 + m R^2 / |R v|), v0 = t0 + m = |R v|: with q = m / v0
        # v_i = t_i / (1 + q R_i^2) and v0 (1 - q) = t0
        of = lambda q: t / (1 + q * R**2)
        off = lambda q: np.linalg.norm(R * of(q)) * (1 - q) - t0
        upper = 1.0 if t0 > 0 else 1e9
        q = brentq(off, 0.0, upper, xtol=1e-14)
        v = of(q)
        return np.sum((v - t) ** 2) + (np.linalg.norm(R * v) - t0) ** 2

    np.testing.assert_allclose(found, [wanted(x[:2], x[2]) for x in t], atol=1e-3)


def test_invariance():
    """Rotation, scale, and a shift common to all change nothing; many units, few samples."""
    x = RNG.normal(size=(3, 1, 40)) + 0.3 * RNG.normal(size=(3, 12, 40))
    turn = np.linalg.qr(RNG.normal(size=(40, 40)))[0]
    one, other = (manifold_capacity(y, key=KEY) for y in (x, 3.0 * x @ turn + 1.0))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8)


def test_single_precision(float32):
    s = np.concatenate([RNG.normal(size=(30, 5)), np.ones((30, 1))], axis=1)
    t = RNG.normal(size=(50, 6))
    solve = lambda s, t: jax.vmap(lambda t: module._anchor(jnp.asarray(s), t, 0.0))(jnp.asarray(t))
    distance, anchor = solve(s.astype(np.float32), t.astype(np.float32))
    with jax.enable_x64(True):
        exact, point = solve(s, t)
    np.testing.assert_allclose(distance, exact, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(anchor, point, atol=0.02)


def test_bad_input():
    with pytest.raises(ValueError, match="two manifolds"):
        manifold_capacity(np.ones((1, 4, 3)), key=KEY)
    with pytest.raises(ValueError, match=r"\[manifolds, samples, units\]"):
        manifold_capacity(np.ones((4, 3)), key=KEY)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        manifold_capacity(np.ones((2, 4, 3)), key=KEY, samples=0)
