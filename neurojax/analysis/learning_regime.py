"""Rich or lazy: how much learning changed the weights, the representation and the kernel."""

from collections.abc import Callable
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._activity import compiled, gram_inner, pair, real, unit_norm


@compiled()
def representation_alignment(before: Any, after: Any) -> Float[Array, ""]:
    r"""How much of the similarity structure of hidden activity outlived learning.

    $$\frac{\langle K_f, K_0 \rangle}{\|K_f\|_F \|K_0\|_F}, \qquad K = R R^\top,$$

    of activity $R$ that is not centred (with centring this is linear CKA): near 1 in lazy
    learning, low in rich. The smaller of [unit, unit] and [sample, sample] matrices is made.

    Arguments:
        before: activity [sample, unit] before learning.
        after: after it, for the same samples.

    Raises:
        ValueError: the shapes.

    Source:
        Liu et al. 2023, arXiv 2310.08513.

    Example:
        >>> representation_alignment([[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [2.0, 0.0]]).item()
        1.0
    """
    x, y = (unit_norm(a) for a in pair(before, after, samples=1))
    return gram_inner(x, y) / jnp.sqrt(gram_inner(x, x) * gram_inner(y, y))


@compiled()
def kernel_alignment(before: Any, after: Any) -> Float[Array, ""]:
    r"""The cosine of two kernels as long vectors, $\langle K, L \rangle / (\|K\| \|L\|)$.

    Arguments:
        before: a kernel [sample, sample], such as from `tangent_kernel`.
        after: another of the same shape.

    Raises:
        ValueError: the shapes differ.

    Source:
        Liu et al. 2023, arXiv 2310.08513.

    Example:
        >>> kernel_alignment([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).item()
        0.707...
    """
    K, L = real(jnp.asarray(before), "before"), real(jnp.asarray(after), "after")
    if K.shape != L.shape:
        raise ValueError(f"before and after must have one shape, got {K.shape} and {L.shape}")
    return jnp.sum(unit_norm(K) * unit_norm(L))


def tangent_kernel(
    function: Callable[[Any], Any], parameters: Any, *, batch_size: int = 16
) -> Float[Array, "output output"]:
    r"""The empirical neural tangent kernel $K = J J^\top$, $J = \partial f / \partial \theta$.

    Column by column through products with $J^\top$ and $J$, so that $J$ itself, outputs times
    parameters, never exists: memory is that of `batch_size` gradients and of K.

    Arguments:
        function: from the parameters to the outputs for a fixed set of inputs; all outputs are
            flattened into one axis. Parameters that shall not count are closed over:
            `lambda W: jax.vmap(lambda u: run(W, W_in, u))(inputs)`.
        parameters: an array, or a pytree of arrays, at which the kernel is taken.
        batch_size: columns that are computed at once.

    Raises:
        ValueError: no floating-point parameters, or `batch_size` below 1.

    Source:
        Jacot, Gabriel and Hongler 2018, NeurIPS.

    Example:
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> tangent_kernel(lambda w: x @ w, jnp.zeros(2)).tolist()  # of a linear read-out: x x^T
        [[5.0, 6.0], [6.0, 9.0]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    leaves = jax.tree.leaves(parameters)
    if not leaves or not all(jnp.issubdtype(jnp.result_type(x), jnp.floating) for x in leaves):
        raise ValueError(
            "parameters must be arrays in floating point; close over all others, or split them off "
            "by equinox.partition"
        )
    parameters = jax.tree.map(jnp.asarray, parameters)

    def flat(parameters):
        return jax.flatten_util.ravel_pytree(function(parameters))[0]

    outputs, pull = jax.vjp(flat, parameters)
    _, push = jax.linearize(flat, parameters)
    number = outputs.shape[0]

    def column(k):
        return push(pull(jnp.zeros(number, outputs.dtype).at[k].set(1.0))[0])

    return jax.lax.map(column, jnp.arange(number), batch_size=batch_size)


def tangent_kernel_alignment(
    function: Callable[[Any], Any], before: Any, after: Any, *, batch_size: int = 16
) -> Float[Array, ""]:
    r"""The alignment of the tangent kernels before and after learning.

    $\langle K_f, K_0 \rangle / (\|K_f\| \|K_0\|)$: 1 in lazy learning, where the model moves along
    its first linearisation, low in rich.

    Arguments:
        function: from parameters to outputs, see `tangent_kernel`.
        before: parameters before learning.
        after: after it.
        batch_size: see `tangent_kernel`.

    Raises:
        ValueError: as for `tangent_kernel`.

    Source:
        Liu et al. 2023, arXiv 2310.08513.

    Example:
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> model = lambda w: x @ w  # linear in its parameters: always lazy
        >>> tangent_kernel_alignment(model, jnp.zeros(2), jnp.ones(2)).round(5).item()
        1.0
    """
    kernels = [tangent_kernel(function, p, batch_size=batch_size) for p in (before, after)]
    return kernel_alignment(*kernels)


def sign_similarity(before: Any, after: Any) -> Float[Array, ""]:
    """The fraction of weights that kept their sign; zero counts as a sign.

    Arguments:
        before: weights before learning, an array or a pytree of arrays.
        after: after it.

    Raises:
        ValueError: they differ in structure or shape.

    Source:
        Liu et al. 2023, arXiv 2310.08513.

    Example:
        >>> sign_similarity([[1.0, -2.0], [3.0, 0.0]], [[2.0, 2.0], [1.0, 0.0]]).item()
        0.75
    """
    before, after = _vectors(before, after)
    return jnp.mean((jnp.sign(before) == jnp.sign(after)).astype(float))


def weight_change(before: Any, after: Any, *, relative: bool = False) -> Float[Array, ""]:
    r"""The Frobenius norm of the change of weights, $\|W_f - W_0\|_F$.

    Arguments:
        before: weights before learning, an array or a pytree of arrays.
        after: after it.
        relative: divide by $\|W_0\|_F$.

    Raises:
        ValueError: they differ in structure or shape.

    Source:
        Liu et al. 2023, arXiv 2310.08513.

    Example:
        >>> weight_change([[1.0, -2.0]], [[4.0, 2.0]]).item()
        5.0
    """
    before, after = _vectors(before, after)
    change = jnp.linalg.norm(after - before)
    return change / jnp.linalg.norm(before) if relative else change


def _vectors(before: Any, after: Any) -> tuple[Array, Array]:
    shapes = [[jnp.shape(x) for x in jax.tree.leaves(tree)] for tree in (before, after)]
    if jax.tree.structure(before) != jax.tree.structure(after) or shapes[0] != shapes[1]:
        raise ValueError(
            f"before and after must be the same weights, got shapes {shapes[0]} and {shapes[1]}"
        )
    flat = [jax.flatten_util.ravel_pytree(tree)[0] for tree in (before, after)]
    if not flat[0].size:
        raise ValueError("before and after have no weights")
    return real(flat[0], "before"), real(flat[1], "after")
