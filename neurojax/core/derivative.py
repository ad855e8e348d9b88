"""The derivative of a whole run, with the rule chosen by what is differentiated."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from .adjoints import Forward, Plain


def with_rule(run, floats, others, choose, otherwise):
    """`run(floats, others, how)` with its derivative rule chosen by what is differentiated.

    The rule stays an ordinary linear map of the tangents, so forward mode, reverse mode and
    higher derivatives all work.

    Arguments:
        run: the run; with `None` for `how`, one that is not differentiated.
        floats: a pytree of floating-point arrays, the only ones with a derivative.
        others: the other arguments.
        choose: from how many numbers are differentiated to an adjoint.
        otherwise: the adjoint where `choose` found `Forward` and the run has functions that can
            only be differentiated in reverse mode (`jax.custom_vjp`); `None` to say so.
    """

    @jax.custom_jvp
    def primal(floats, others):
        return _batched_as(run(floats, others, None), (floats, others))

    def rule(primals, tangents):
        floats, others = primals
        leaves, tree = jax.tree.flatten(floats)
        symbolic = jax.custom_derivatives.SymbolicZero
        marks = jax.tree.leaves(tangents[0], is_leaf=lambda x: isinstance(x, symbolic))
        moves = [not isinstance(t, symbolic) for t in marks]
        size = sum(leaf.size for leaf, m in zip(leaves, moves, strict=True) if m)
        how = choose(size)
        moving = [leaf for leaf, m in zip(leaves, moves, strict=True) if m]
        slopes = [t for t, m in zip(marks, moves, strict=True) if m]

        def of_moving(how, moving):
            fill = iter(moving)
            filled = [next(fill) if m else leaf for leaf, m in zip(leaves, moves, strict=True)]
            return run(jax.tree.unflatten(tree, filled), others, how)

        value, slope = _sloped(of_moving, how, otherwise, moving, slopes)
        value = _batched_as(value, primals)
        return value, jax.tree.map(_without_integers, value, slope)

    primal.defjvp(rule, symbolic_zeros=True)
    return primal(floats, others)


def _without_integers(value, slope):
    """Integers have no slope; said in a way that `shard_map` accepts."""
    if jnp.issubdtype(value.dtype, jnp.inexact):
        return slope
    return jax.custom_derivatives.SymbolicZero.from_primal_value(value)


def _batched_as(results, arguments):
    """The results, in a batch each with it as first axis, whatever they depend on.

    JAX takes for granted that a function and its rule agree in this. XLA leaves nothing of it.
    """
    leaves = jax.tree.leaves(jax.lax.stop_gradient(arguments))
    always = _true(*leaves)
    return jax.tree.map(lambda x: jnp.where(always, x, x), results)


@jax.custom_batching.custom_vmap
def _true(*leaves):
    return jnp.ones((), bool)


@_true.def_vmap
def _(size, batched, *leaves):
    return jnp.broadcast_to(_true(*leaves), size), True


def _sloped(of_moving, how, otherwise, moving, slopes):
    """The value and its slope by one adjoint, or by another where that cannot be."""
    if not isinstance(how, Forward):
        return jax.jvp(partial(of_moving, how), (moving,), (slopes,))
    if not moving:
        return _sloped(of_moving, Plain(), None, moving, slopes)
    try:
        return _forward(partial(of_moving, Plain()), moving, slopes)
    except TypeError as error:  # JAX's where there is no forward mode
        if otherwise is not None:
            return _sloped(of_moving, otherwise, None, moving, slopes)
        raise TypeError(
            "this run cannot be differentiated with adjoint='forward'. A jax.custom_vjp in the "
            "model has no forward mode: leave adjoint= out, take 'steps' or 'blocks', or write "
            f"the function with jax.custom_jvp ({error})"
        ) from error


def _forward(f, moving, slopes):
    """The value, and the product of slopes with a Jacobian from one batched forward pass."""
    basis = []
    for i, leaf in enumerate(moving):
        eye = jnp.eye(leaf.size, dtype=leaf.dtype).reshape(leaf.size, *leaf.shape)
        others = [jnp.zeros((leaf.size, *x.shape), x.dtype) for x in moving]
        basis.append([eye if j == i else zero for j, zero in enumerate(others)])
    directions = [jnp.concatenate(parts) for parts in zip(*basis, strict=True)]
    weights = jnp.concatenate([jnp.ravel(s) for s in slopes])
    push = lambda direction: jax.jvp(f, (moving,), (direction,))
    value, columns = jax.vmap(push, out_axes=(None, 0))(directions)

    def weigh(out, column):
        if not jnp.issubdtype(out.dtype, jnp.inexact):
            return np.zeros(out.shape, jax.dtypes.float0)
        return jnp.tensordot(weights.astype(out.dtype), column, axes=1)

    return value, jax.tree.map(weigh, value, columns)
