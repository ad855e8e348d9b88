"""What is computed before the loop over time, compiled as one program with the same numbers."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from .parameters import arrays_only
from .tracing import joined, split, tracing

_OURS = __name__.partition(".")[0]


def one_program(f, *arguments):
    """`f(*arguments)` as one compiled program, to the bit what it is without `jit`.

    An operation that runs by itself is compiled for each shape, and a loop anew in each call.
    Only for modules of neurojax, whose functions are pure: others (models of users) may read the
    host, so with them, and inside a transform, `f` is called as it stands.

    Arguments:
        f: a function of the top level of a module, kept with its program.
        arguments: trees of arrays, modules and what can be hashed.

    Example:
        >>> import jax, neurojax as nj
        >>> law, draw = nj.random.Uniform(0.0, 1.0), nj.random.draw
        >>> nj.core.one_program.one_program(draw, law, jax.random.key(0), (3,)).shape
        (3,)
    """
    if tracing(arguments) or not of_neurojax(arguments):
        return f(*arguments)
    static, arrays = split(arrays_only(arguments))
    return _compiled((f, static), arrays, np.uint8(0))


def of_neurojax(tree) -> bool:
    """Whether all modules in a tree are classes of neurojax."""
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, eqx.Module):
            if type(node).__module__.partition(".")[0] != _OURS:
                return False
            pending += vars(node).values()
        elif isinstance(node, dict):
            pending += node.values()
        elif isinstance(node, list | tuple):
            pending += node
    return True


@partial(jax.jit, static_argnums=0)
def _compiled(static, arrays, zero):
    f, static = static
    traced = jax.make_jaxpr(lambda x: f(*joined(static, x)), return_shape=True)
    closed, shapes = traced(arrays)
    found = _operations_apart(closed, jax.tree.leaves(arrays), zero)
    return jax.tree.unflatten(jax.tree.structure(shapes), found)


def _operations_apart(closed, given, zero):
    """The values of a program of which each operation is rounded by itself.

    A product and a sum may become one operation, which is not rounded in between: other numbers.
    Not so where the bits go through another one, whose argument is known at run time only.
    """
    jaxpr = closed.jaxpr
    is_variable = lambda x: not isinstance(x, core.Literal)
    used = {v for eqn in jaxpr.eqns for v in eqn.invars if is_variable(v)}
    used |= {v for v in jaxpr.outvars if is_variable(v)}
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *given], strict=True))
    for eqn in jaxpr.eqns:
        ins = list(dict.fromkeys(filter(is_variable, eqn.invars)))
        outs = [v for v in eqn.outvars if v in used]
        alone = closed.replace(jaxpr=core.Jaxpr([], ins, outs, [eqn], eqn.effects), consts=[])
        found = core.jaxpr_as_fun(alone)(*(values[v] for v in ins))
        values |= zip(outs, (_rounded(x, zero) for x in found), strict=True)
    return [values[v] if is_variable(v) else v.val for v in jaxpr.outvars]


def _rounded(x, zero):
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x
    bits = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
    same = jax.lax.bitcast_convert_type(x, bits) ^ zero.astype(bits)
    return jax.lax.bitcast_convert_type(same, x.dtype)
