"""What can be proved about a drift from its jaxpr: is it elementwise, is it affine?

Solvers that need the diagonal of the Jacobian, or a constant Jacobian, would silently compute
something else on a drift that has neither. Both properties are read off the traced program,
without looking at values, so the check works inside jit, vmap and grad too. The analysis is
conservative: what it does not know it refuses.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .inputs import at_time

_ELEMENTWISE = {
    "abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh",
    "bessel_i0e", "bessel_i1e", "cbrt", "ceil", "clamp", "convert_element_type", "copy", "copy_p",
    "cos", "cosh", "digamma", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1",
    "floor", "ge", "gt", "igamma", "igammac", "integer_pow", "is_finite", "le", "lgamma", "log",
    "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter", "not",
    "optimization_barrier", "or", "pcast", "pow", "pvary", "reduce_precision", "rem", "round",
    "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan",
    "tanh", "xor",
}  # fmt: skip
_ADDITIVE = {
    "add", "add_any", "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "copy_p",
    "cumsum", "expand_dims", "neg", "optimization_barrier", "pad", "pcast", "pvary",
    "reduce_sum", "reshape", "rev", "slice", "squeeze", "sub", "transpose",
}  # fmt: skip
_COSTLY = {
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "conv_general_dilated", "cos",
    "cosh", "digamma", "dot_general", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "gather",
    "igamma", "igammac", "lgamma", "log", "log1p", "logistic", "pow", "scan", "scatter-add", "sin",
    "sinh", "tan", "tanh", "while",
}  # fmt: skip
_FREE = 0  # degree of what does not depend on the variables
_NONLINEAR = 2


def _inner(eqn):
    """The jaxpr that a call-like equation runs on all of its operands, or `None`."""
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = eqn.params.get(name)
        if inner is not None and eqn.primitive.name not in ("scan", "while", "cond"):
            inner = getattr(inner, "jaxpr", inner)
            if len(inner.invars) == len(eqn.invars) and not inner.constvars:
                return inner
    return None


def _walk(jaxpr, values, combine):
    """Propagate one abstract value per variable through a jaxpr."""
    known = dict(zip(jaxpr.invars, values, strict=True))

    def read(v):
        return None if hasattr(v, "val") else known.get(v)

    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        if all(o is None for o in operands):
            continue
        inner = _inner(eqn)
        if inner is not None:
            results = _walk(inner, operands, combine)
        else:
            results = [combine(eqn, operands, out) for out in eqn.outvars]
        known.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _aligned(eqn, operands, out) -> str:
    """Elementwise use of an aligned variable stays aligned; everything else mixes neurons."""
    if "mixed" in operands or eqn.primitive.name not in _ELEMENTWISE:
        return "mixed"
    for operand, v in zip(operands, eqn.invars, strict=True):
        if operand == "aligned" and v.aval.shape != out.aval.shape:
            return "mixed"
    return "aligned"


def _degree(eqn, operands, out) -> int:
    """The polynomial degree in the variables, cut at two."""
    name = eqn.primitive.name
    degrees = [_FREE if o is None else o for o in operands]
    if name == "convert_element_type" and not jnp.issubdtype(out.aval.dtype, jnp.inexact):
        return _NONLINEAR if max(degrees) else _FREE
    if name in _ADDITIVE:
        return max(degrees)
    if name in ("mul", "dot_general"):
        return min(sum(degrees), _NONLINEAR)
    if name == "div" and degrees[1] == _FREE:
        return degrees[0]
    if name == "select_n" and degrees[0] == _FREE:
        return max(degrees[1:])
    if name in ("gather", "dynamic_slice") and not any(degrees[1:]):
        return degrees[0]
    if name in ("scatter-add", "scatter_add") and degrees[1] == _FREE:
        return max(degrees)
    if name == "integer_pow" and eqn.params["y"] == 1:
        return degrees[0]
    return _NONLINEAR


def _trace(f, t, y, args):
    """The jaxpr of f with the leaves of y as its first variables, then inputs, the rest, and t."""
    y = jax.tree.map(jnp.asarray, y)
    rest = getattr(f, "rest", None)  # leaves of the state that a vector field holds fixed
    leaves, tree = jax.tree.flatten((y, args, rest, jnp.asarray(t, jnp.result_type(float))))
    arrays = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray)]

    def flat(*values):
        filled = list(leaves)
        for i, value in zip(arrays, values, strict=True):
            filled[i] = value
        state, inputs, rest, t = jax.tree.unflatten(tree, filled)
        field = f if rest is None else dataclasses.replace(f, rest=rest)
        return jax.tree.leaves(field(t, state, inputs))

    closed = jax.make_jaxpr(flat)(*(leaves[i] for i in arrays))
    return closed.jaxpr, jax.tree.leaves(y)


def is_affine(f, t, y, args) -> bool:
    """Whether f(t, y, args) is provably affine in state and inputs together, and constant in time.

    Leaves of the state that are held fixed count as state, so the Jacobian is the same for all
    states: a drift that is switched off by a refractory counter is not affine.
    """
    jaxpr, _ = _trace(f, t, y, args)
    floats = [jnp.issubdtype(jnp.result_type(v.aval), jnp.inexact) for v in jaxpr.invars]
    degrees = [1 if is_float else _NONLINEAR for is_float in floats]
    degrees[-1] = _NONLINEAR  # time
    return all(d in (None, _FREE, 1) for d in _walk(jaxpr, degrees, _degree))


def is_costly(f, t, y, args) -> bool:
    """Whether f(t, y, args) evaluates more than products and sums of arrays."""

    def walk(jaxpr) -> bool:
        for eqn in jaxpr.eqns:
            if eqn.primitive.name in _COSTLY and any(v.aval.ndim for v in eqn.outvars):
                return True
            for value in eqn.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns") and walk(inner):
                    return True
        return False

    return walk(_trace(f, t, y, args)[0])


def depends_on_state(f, t, y, args) -> bool:
    """False where f(t, y, args) provably does not depend on y, else True."""
    jaxpr, leaves = _trace(f, t, y, args)
    marks = [True if i < len(leaves) else None for i in range(len(jaxpr.invars))]
    return any(_walk(jaxpr, marks, lambda eqn, operands, out: True))


def _coupling(f, t, y, args):
    """For each pair (rate, variable): does the rate depend on it not, aligned, or mixed?"""
    jaxpr, leaves = _trace(f, t, y, args)
    table = []
    for j in range(len(leaves)):
        marks: list = [None] * len(jaxpr.invars)
        marks[j] = "aligned"
        table.append(_walk(jaxpr, marks, _aligned))
    return table, leaves


def local_rates(f, t, y, args):
    """The slope f and the rates -df_i/dy_i of an elementwise drift.

    Raises:
        ValueError: if a variable's rate cannot be shown to depend on that variable alone.
    """
    y = jax.tree.map(jnp.asarray, y)
    table, leaves = _coupling(f, t, y, args)
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_flatten_with_path(y)[0]]
    for i, leaf in enumerate(leaves):
        if leaf.size > 1 and table[i][i] == "mixed":
            raise ValueError(
                f"ExponentialEuler needs the diagonal of the Jacobian, and the drift of "
                f"{paths[i] or 'the state'} couples its elements; give the model a method "
                "decay(t, state, inputs) with the rates -df_i/dy_i, or use another solver "
                "(solver=nj.solvers.Heun())"
            )
    tree = jax.tree.structure(y)
    slope, rates = None, []
    for i in range(len(leaves)):
        ones = jax.tree.unflatten(
            tree, [jnp.ones_like(x) if j == i else jnp.zeros_like(x) for j, x in enumerate(leaves)]
        )
        slope, tangent = jax.jvp(lambda v: f(t, v, args), (y,), (ones,))
        rates.append(-jax.tree.leaves(tangent)[i])
    return slope, jax.tree.unflatten(tree, rates)


def of_one_neuron(f, t, y, args):
    """Field, state and inputs of the first neuron, of an elementwise drift alike in all neurons.

    `None` where a parameter differs between them: it gives the rates of one neuron another shape.
    """
    shape = jnp.shape(jax.tree.leaves(y)[0])
    if len(shape) != 1 or shape[0] < 2:
        return None
    first = lambda x: x[:1] if getattr(x, "shape", ()) == shape else x
    y, args = (jax.tree.map(first, tree) for tree in (y, at_time(args, t)))
    if getattr(f, "rest", None) is not None:
        f = dataclasses.replace(f, rest=jax.tree.map(first, f.rest))
    try:
        rates = jax.eval_shape(f, t, y, args)
    except (TypeError, ValueError):
        return None
    return (f, y, args) if all(x.shape == (1,) for x in jax.tree.leaves(rates)) else None


def local_jacobian(f, t, y, args) -> Array | None:
    """The Jacobian of an elementwise drift, one small matrix per neuron [..., leaf, leaf].

    `None` where the drift couples neurons, or its leaves have different shapes.
    """
    y = jax.tree.map(jnp.asarray, y)
    table, leaves = _coupling(f, t, y, args)
    if any(leaf.shape != leaves[0].shape for leaf in leaves):
        return None
    if leaves[0].size > 1 and any("mixed" in row for row in table):
        return None
    tree = jax.tree.structure(y)
    columns = []
    for j in range(len(leaves)):
        direction = [
            jnp.ones_like(x) if i == j else jnp.zeros_like(x) for i, x in enumerate(leaves)
        ]
        _, tangent = jax.jvp(lambda v: f(t, v, args), (y,), (jax.tree.unflatten(tree, direction),))
        columns.append(jnp.stack(jax.tree.leaves(tangent), axis=-1))
    return jnp.stack(columns, axis=-1)
