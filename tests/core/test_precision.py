"""Which products keep all bits of their factors, on devices that would round them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.precision import unrounded


def products(function, *arguments):
    """How many products of matrices a traced function has, and how many of them keep all bits."""
    program = str(jax.make_jaxpr(function)(*arguments))
    kept = re.findall(r"precision=\(?(?:Precision\.)?HIGHEST", program)
    return program.count("dot_general["), len(kept)


def test_a_function_and_what_it_calls():
    product, x = jax.jit(jnp.dot), jnp.ones((2, 2))
    assert products(product, x, x) == (1, 0)
    assert products(unrounded(product), x, x) == (1, 1)
    assert products(product, x, x) == (1, 0)


X = np.random.default_rng(0).normal(size=(30, 4))
RLS = nj.fitting.rules.RLS.start(4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: nj.analysis.similarity.cca(x, x[:, :2]),
        lambda x: nj.analysis.similarity.rdm(x),
        lambda x: nj.analysis.similarity.procrustes_distance(x, x[:, ::-1]),
        lambda x: RLS.sample(x[0])[1],
        lambda x: nj.fitting.sinkhorn_divergence(x, x + 1.0),
    ],
)
def test_what_solves_or_compares(function):
    every, kept = products(function, jnp.asarray(X))
    assert every == kept > 0
