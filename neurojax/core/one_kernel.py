"""Many small array operations as one compiled function, on the CPU.

XLA makes a function of every group of array operations that it fuses, and a scheduler calls them
one after the other. In a step over some thousand numbers the calls take as long as the work. A call
with the attribute `xla_cpu_small_call` becomes a single function instead, as XLA does by itself
with loops in which nothing has to be scheduled.

`in_kernels` sorts the operations of a function into such calls. They are a primitive of their own,
because only what is lowered at last, after `vmap`, tells whether it can be one function: else, and
on other devices, its operations are lowered as if nothing had been sorted. The primitive has no
derivative: it is for what is not differentiated, or no longer.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import core
from jax.interpreters import batching, mlir, partial_eval

# XLA promises nothing about its attribute: from this version of jax on it is not used
_UNTRIED = (0, 13)
_FEW = 4  # operations for which a call of their own is worth it
_LARGEST = 1 << 18  # bytes of an array above which XLA shares an operation among threads
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
}
# what XLA compiles within a function, with what follows from it by derivatives and batches
_NAMES = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bitcast_convert_type
    broadcast_in_dim cbrt ceil clamp concatenate convert_element_type copy copy_p cos cosh div
    dynamic_slice dynamic_update_slice eq erf exp exp2 expand_dims expm1 floor gather ge gt
    integer_pow iota is_finite le log log1p logistic lt max min mul ne neg not one_minus_square
    optimization_barrier or pad population_count pow reduce_and reduce_max reduce_min reduce_or
    reduce_sum rem reshape rev round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh slice split sqrt square squeeze stop_gradient sub tan tanh
    transpose xor
"""
_SMALL = frozenset(_NAMES.split())
# what touches a part of an array alone, or nothing
_ANY_SIZE = frozenset(
    ("dynamic_slice", "dynamic_update_slice", "optimization_barrier", "reshape", "slice", "squeeze")
)


def in_kernels(f):
    """`f`, with runs of small operations compiled as one function each, where that is possible.

    The values are those of `f`, but for rounding: XLA may contract other products and sums. Where
    `f` reckons with large arguments all stays as it is: what is cut in two between them and small
    ones would be written down in between.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from neurojax.core.one_kernel import in_kernels
        >>> jax.jit(in_kernels(lambda x: jnp.where(x > 0, x, 0.0) + 2.0))(jnp.array([-1.0, 1.0]))
        Array([2., 3.], dtype=float32)
    """

    return lambda *args: _traced_and(_run, f, args)


def one_kernel(f, *args):
    """`f(*args)` of small operations alone, as one function.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.core.one_kernel import one_kernel
        >>> one_kernel(lambda x: 2.0 * x + 1.0, jnp.ones(2))
        Array([3., 3.], dtype=float32)
    """
    return _traced_and(_bind, f, args)


def _traced_and(run, f, args):
    """`f(*args)`, with its operations run by `run(closed, flat)`."""
    flat, tree = jax.tree.flatten(args)
    structure = []

    def flattened(*flat):
        leaves, out = jax.tree.flatten(f(*tree.unflatten(flat)))
        structure.append(out)
        return leaves

    closed = jax.make_jaxpr(flattened)(*flat)
    return structure[-1].unflatten(run(closed, flat))


def _bind(closed, flat):
    """The operations as one call; arrays that they refer to become arguments."""
    jaxpr = closed.jaxpr
    whole = _part(closed, [*jaxpr.constvars, *jaxpr.invars], jaxpr.outvars, jaxpr.eqns)
    return one_kernel_p.bind(*closed.consts, *flat, jaxpr=whole)


def _part(closed, invars, outvars, eqns):
    """Some operations of a list as a list of their own."""
    names = closed.jaxpr.debug_info.with_unknown_names()
    part = closed.jaxpr.replace(
        constvars=[], invars=invars, outvars=outvars, eqns=eqns, debug_info=names, is_high=False
    )
    return closed.replace(jaxpr=part, consts=[])


def _run(closed, flat):
    """The results of a list of operations, runs of small ones taken together."""
    if _reads_large(closed):
        return _plain(*flat, jaxpr=closed)
    jaxpr = closed.jaxpr
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *flat], strict=True))
    runs: list = []
    for eqn in jaxpr.eqns:
        small = _is_small(eqn)
        if not runs or not (small and runs[-1][0]):
            runs.append((small, []))
        runs[-1][1].append(eqn)
    wanted = {v for v in jaxpr.outvars if not isinstance(v, core.Literal)}
    ends = []  # of each run: what comes after it reads
    for _, eqns in reversed(runs):
        ends.append(frozenset(wanted))
        wanted |= {v for eqn in eqns for v in eqn.invars if not isinstance(v, core.Literal)}
    for (small, eqns), later in zip(runs, reversed(ends), strict=True):
        made = {v for eqn in eqns for v in eqn.outvars}
        read = (v for eqn in eqns for v in eqn.invars if not isinstance(v, core.Literal))
        ins = [v for v in dict.fromkeys(read) if v not in made]
        outs = [v for v in dict.fromkeys(w for eqn in eqns for w in eqn.outvars) if v in later]
        part = _part(closed, ins, outs, eqns)
        if small and len(eqns) >= _FEW:
            found = one_kernel_p.bind(*(known[v] for v in ins), jaxpr=part)
        else:
            found = core.jaxpr_as_fun(part)(*(known[v] for v in ins))
        known |= zip(outs, found, strict=True)
    return [v.val if isinstance(v, core.Literal) else known[v] for v in jaxpr.outvars]


def _reads_large(closed) -> bool:
    """Whether an operation that could be small reads a large argument."""
    given = set(closed.jaxpr.invars)
    large = lambda v: not isinstance(v, core.Literal) and v in given and not _fits(v.aval)
    return any(
        any(map(large, eqn.invars)) and eqn.primitive.name not in _ANY_SIZE and _is_known(eqn)
        for eqn in closed.jaxpr.eqns
    )


def _is_known(eqn) -> bool:
    """Whether XLA compiles an operation, and all inside it, within a function."""
    name = eqn.primitive.name
    if name in _CALLS or eqn.primitive is one_kernel_p:
        return all(map(_is_known, _inside(eqn).jaxpr.eqns))
    return name in _SMALL


def _is_small(eqn) -> bool:
    """Whether an operation, with all inside it, can be part of one function."""
    sizes = [v.aval for v in (*eqn.invars, *eqn.outvars)]
    if not _is_known(eqn) or not all(map(_is_plain, sizes)):
        return False
    if eqn.primitive.name in _SMALL:
        return eqn.primitive.name in _ANY_SIZE or all(map(_fits, sizes))
    return all(map(_is_small, _inside(eqn).jaxpr.eqns))


def _is_plain(aval) -> bool:
    """Whether an array is of numbers, and holds some."""
    return aval.size > 0 and not jnp.issubdtype(aval.dtype, jax.dtypes.extended)


def _fits(aval) -> bool:
    return _is_plain(aval) and aval.size * aval.dtype.itemsize <= _LARGEST


def _inside(eqn):
    """What a call calls."""
    return eqn.params["jaxpr" if eqn.primitive is one_kernel_p else _CALLS[eqn.primitive.name]]


def _all_read(flat):
    """The arguments, and one number of each of them, read before they are.

    XLA ends the process where it finds an argument that is not read, also one that it has itself
    found out not to matter.
    """
    some = np.zeros((), np.float32)
    for x in flat:
        first = jax.lax.slice(x, (0,) * x.ndim, (1,) * x.ndim)
        first = jax.lax.reshape(first, ())
        some = jax.lax.add(some, jax.lax.convert_element_type(first, some.dtype))
    arrays = [i for i, x in enumerate(flat) if x.ndim]
    *held, some = jax.lax.optimization_barrier((*(flat[i] for i in arrays), some))
    flat = list(flat)
    for i, x in zip(arrays, held, strict=True):
        flat[i] = x
    return *flat, some


def _flat(closed, flat):
    """The results of small operations, calls among them opened."""
    jaxpr = closed.jaxpr
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *flat], strict=True))
    read = lambda v: v.val if isinstance(v, core.Literal) else known[v]
    for eqn in jaxpr.eqns:
        given = [read(v) for v in eqn.invars]
        if eqn.primitive.name in _CALLS or eqn.primitive is one_kernel_p:
            found = _flat(_inside(eqn), given)
        else:
            found = eqn.primitive.bind(*given, **eqn.params)
            found = found if eqn.primitive.multiple_results else [found]
        known |= zip(eqn.outvars, found, strict=True)
    return [read(v) for v in jaxpr.outvars]


def _plain(*flat, jaxpr):
    return core.jaxpr_as_fun(jaxpr)(*flat)


# -- the primitive -------------------------------------------------------------------------------

one_kernel_p = core.Primitive("one_kernel")
one_kernel_p.multiple_results = True
one_kernel_p.def_impl(jax.jit(_plain, static_argnames="jaxpr"))


@one_kernel_p.def_abstract_eval
def _(*flat, jaxpr):
    return jaxpr.out_avals


def _on_cpu(*flat, jaxpr):
    if jax.__version_info__ >= _UNTRIED or not all(map(_is_small, jaxpr.jaxpr.eqns)):
        return _plain(*flat, jaxpr=jaxpr)

    def within(*flat):
        *flat, some = _all_read(flat)
        return [*_flat(jaxpr, flat), some]

    # a constant that XLA knows about is not read
    flat = jax.lax.optimization_barrier(flat)
    # no calls are left inside, which would carry the attribute too
    with set_xla_metadata(xla_cpu_small_call="true", inlineable="false"):
        return jax.jit(within)(*flat)[:-1]


mlir.register_lowering(one_kernel_p, mlir.lower_fun(_plain, multiple_results=True))


def _lower_on_cpu(ctx, *flat, jaxpr):
    how = _on_cpu if _is_local(ctx.module_context.axis_context) else _plain
    return mlir.lower_fun(partial(how, jaxpr=jaxpr), multiple_results=True)(ctx, *flat)


def _is_local(context) -> bool:
    """Whether arrays are whole on a device here; else XLA divides the operations once more."""
    if isinstance(context, mlir.ShardingContext):
        return context.num_devices == 1
    if isinstance(context, mlir.SPMDAxisContext):
        return context.manual_axes == frozenset(context.mesh.axis_names)
    return False


mlir.register_lowering(one_kernel_p, _lower_on_cpu, platform="cpu")


def _batch(flat, axes, *, jaxpr):
    """The batch in one call; what depends on nothing in it has none."""
    batched = {v for v, axis in zip(jaxpr.jaxpr.invars, axes, strict=True) if axis is not None}
    for eqn in jaxpr.jaxpr.eqns:
        if any(v in batched for v in eqn.invars if not isinstance(v, core.Literal)):
            batched |= set(eqn.outvars)
    is_batched = [not isinstance(v, core.Literal) and v in batched for v in jaxpr.jaxpr.outvars]
    out_axes = [0 if each else None for each in is_batched]
    over = jax.vmap(partial(_plain, jaxpr=jaxpr), in_axes=axes, out_axes=out_axes)
    return _bind(jax.make_jaxpr(over)(*flat), flat), out_axes


def _used(wanted, *rest):
    """The call without the results that nobody reads; newer versions of jax give one thing more."""
    eqn = rest[-1]
    if not any(wanted):
        return [False] * len(eqn.invars), None
    jaxpr, read = partial_eval.dce_jaxpr(eqn.params["jaxpr"].jaxpr, list(wanted))
    new = eqn.replace(
        invars=[v for v, each in zip(eqn.invars, read, strict=True) if each],
        outvars=[v for v, each in zip(eqn.outvars, wanted, strict=True) if each],
        params={"jaxpr": eqn.params["jaxpr"].replace(jaxpr=jaxpr)},
    )
    return read, new


partial_eval.dce_rules[one_kernel_p] = _used
batching.primitive_batchers[one_kernel_p] = _batch
