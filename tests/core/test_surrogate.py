"""Surrogate gradients: the step, the derivative that is written down, its integral."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import neurojax as nj

s = nj.surrogate


def _multi(x):
    broad = stats.norm.pdf(x, 0.4, 2.4) + stats.norm.pdf(x, -0.4, 2.4)
    return 0.5 * (1.15 * stats.norm.pdf(x, 0, 0.4) - 0.15 * broad)


# surrogate, its slope by scipy or as the derivative of a named function, its integral
CASES = {
    "Triangle": (
        s.Triangle(width=2.0, damping=0.3),
        lambda x: 0.3 * stats.triang.pdf(x, 0.5, loc=-2.0, scale=4.0), 0.3,
    ),
    "FastSigmoid": (s.FastSigmoid(beta=5.0), lambda x: 1 / (1 + 5 * np.abs(x)) ** 2, 2 / 5),
    "ArcTan": (s.ArcTan(alpha=3.0), lambda x: stats.cauchy.pdf(x, scale=2 / (3 * np.pi)), 1.0),
    "Gaussian": (s.Gaussian(sigma=0.4), lambda x: stats.norm.pdf(x, scale=0.4), 1.0),
    "MultiGaussian": (s.MultiGaussian(sigma=0.4), _multi, 0.5 * (1 - 0.15)),
    "Sigmoid": (s.Sigmoid(beta=3.0), lambda x: stats.logistic.pdf(x, scale=1 / 3), 1.0),
    "StraightThrough": (s.StraightThrough(), np.ones_like, None),
}  # fmt: skip


def test_all_are_tested():
    assert set(CASES) == set(s.__all__) - {"AbstractSurrogate"}


@pytest.mark.parametrize("name", CASES)
def test_slope_and_integral(name):
    surrogate, slope, integral = CASES[name]
    x = jnp.linspace(-3.0, 3.0, 60)
    value, gradient = jax.vmap(jax.value_and_grad(surrogate))(x)
    np.testing.assert_array_equal(value, np.where(np.asarray(x) > 0, 1.0, 0.0))
    np.testing.assert_allclose(gradient, slope(np.asarray(x)), rtol=1e-10, atol=1e-14)
    if integral is not None:
        f = jax.jit(surrogate.slope)
        half, _ = integrate.quad(lambda v: float(f(jnp.asarray(v))), 0.0, np.inf, limit=200)
        np.testing.assert_allclose(2 * half, integral, rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_support(name):
    surrogate = CASES[name][0]
    if surrogate.support is not None:
        beyond = jnp.array([-1.0, 1.0]) * (surrogate.support + 1e-9)
        np.testing.assert_array_equal(surrogate.slope(beyond), 0.0)


@pytest.mark.parametrize(
    ("name", "argument", "zero"),
    [
        ("Triangle", "width", False), ("Triangle", "damping", True), ("FastSigmoid", "beta", False),
        ("ArcTan", "alpha", False), ("Gaussian", "sigma", False), ("Gaussian", "damping", True),
        ("MultiGaussian", "sigma", False), ("MultiGaussian", "s", False),
        ("MultiGaussian", "h", True), ("MultiGaussian", "damping", True),
        ("Sigmoid", "beta", False),
    ],
)  # fmt: skip
def test_refusals(name, argument, zero):
    make = lambda value: getattr(s, name)(**{argument: value})
    for value in (-0.5, np.nan) if zero else (-0.5, 0.0, np.nan):
        with pytest.raises(ValueError, match=f"^{argument} of {name} must .*, got {value}"):
            make(value)
    if zero:
        make(0.0)
