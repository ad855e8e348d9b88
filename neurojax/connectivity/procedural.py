"""Procedural connections: targets computed from a seed, never stored."""

from dataclasses import dataclass
from functools import partial
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float, UInt32

from neurojax.core import Parameter, SpikeOutput, as_parameter, unwrap
from neurojax.core import _counter as counter
from neurojax.core.tracing import known

from .edges import Edges, whole_number
from .format import (
    AbstractConnections,
    Events,
    check_spikes,
    everyone,
    nonzero,
    one_per_neuron,
    reach,
)
from .spike_list import BITS, count_spikes, neurons, rows

_ROWS_OF_A_LIST = 4096  # rows that `to_edges` computes at once


@final
@dataclass(frozen=True)
class ComputedEdges:
    """A graph of fixed out-degree whose targets are computed from a seed, see `Procedural`.

    In the place of `Edges`: it has their number, and `to_edges` makes them.

    Arguments:
        seed: 0 to 2**64 - 1.
        n_pre: number of neurons on the sending side.
        n_post: number of neurons on the receiving side.
        out_degree: synapses of each sending neuron.
    """

    seed: int
    n_pre: int
    n_post: int
    out_degree: int

    def __len__(self) -> int:
        return self.n_pre * self.out_degree

    def targets_of(self, neurons) -> Array:
        """The targets of some sending neurons, shape (neurons, out_degree)."""
        return _targets(jnp.asarray(neurons, jnp.int32), self)

    def to_edges(self, weight: Any = None) -> Edges:
        """The explicit list of synapses on the host, with a weight or one per sending neuron."""
        n = self.n_pre
        starts = range(0, n, _ROWS_OF_A_LIST)
        last = np.full(_ROWS_OF_A_LIST, n - 1)
        blocks = [
            np.asarray(self.targets_of(np.minimum(lo + np.arange(len(last)), last)))[: n - lo]
            for lo in starts
        ]
        pre = np.repeat(np.arange(n, dtype=np.int32), self.out_degree)
        if weight is not None:
            weight = np.broadcast_to(np.asarray(weight, np.float64), (n,))
            weight = np.repeat(weight, self.out_degree)
        return Edges(pre, np.concatenate(blocks).ravel(), n, self.n_post, weight=weight)

    def push(self, weight, words: UInt32[Array, " words"]) -> Float[Array, " post"]:
        """The sum over the neurons whose bit is set; `weight` is a number or (n_pre,)."""
        return _push(jnp.broadcast_to(weight, (1, self.n_pre)), words[None], self)[0]

    def deliver(self, weight, events: Events) -> Float[Array, " post"]:
        """The sum over the neurons that spike; `weight` is a number or (n_pre,)."""
        weight = jnp.asarray(weight)
        if isinstance(events, SpikeOutput):
            spikes = check_spikes(events, self.n_pre)
            amplitude, near = spikes.values().astype(weight.dtype), reach(spikes)
            return _delivered(amplitude * weight, spikes.packed(), near, self)
        amplitude = one_per_neuron("events", events, self.n_pre, weight.dtype)
        return _delivered(amplitude * weight, nonzero(amplitude), everyone(self.n_pre), self)


@final
class Procedural(AbstractConnections):
    r"""Random connections of fixed out-degree whose targets are computed when they are needed.

    Synapse k of neuron i ends on neuron $\lfloor n_\mathrm{post}\, h / 2^{32} \rfloor$, where h is
    a hash of (seed, i, k) in 32 bits. So each neuron has `out_degree` targets, drawn independently
    and with replacement (multi-edges and, from a population to itself, self-edges occur), and the
    in-degrees are binomial. Nothing is stored but the weight. All arithmetic is in whole numbers:
    a seed gives the same network on every platform and in every precision.

    As `connectivity` of a `Projection` between two whole populations it saves the memory of the
    synapses (4 bytes each, and about 40 while a network is built); with one delay for all, and
    without plasticity. Delivery computes a hash for each synapse of a spiking neuron.

    Arguments:
        seed: 0 to 2**64 - 1.
        n_pre: number of neurons on the sending side.
        n_post: number of neurons on the receiving side.
        out_degree: synapses of each sending neuron.
        weight: one number, or one per sending neuron, shape (n_pre,), in the unit of the receptor.

    Raises:
        ValueError: if a number is out of range, or `weight` has another shape or is not finite.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> synapses = nj.connectivity.Procedural(7, n_pre=1000, n_post=500, out_degree=20)
        >>> spikes = nj.SpikeOutput(jnp.linspace(-70.0, -49.0, 1000), -50.0)
        >>> int(spikes.count()), float(synapses.deliver(spikes).sum())
        (48, 960.0)
        >>> synapses.to_edges()
        Edges(20000 edges, 1000 -> 500 neurons)
    """

    weight: Parameter
    edges: ComputedEdges = eqx.field(static=True)

    def __init__(self, seed: int, n_pre: int, n_post: int, out_degree: int, weight: Any = 1.0):
        self.edges = ComputedEdges(
            whole_number("seed", seed, 0, 2**64 - 1),
            whole_number("n_pre", n_pre, 1, 2**31 - BITS),
            whole_number("n_post", n_post, 1, 2**31 - 1),
            whole_number("out_degree", out_degree, 1, 2**31 - 1),
        )
        self.weight = as_parameter(weight)
        if jnp.shape(self.weight) not in ((), (n_pre,)):
            raise ValueError(
                f"weight must be a number or have shape ({n_pre},), one per sending neuron, got "
                f"shape {jnp.shape(self.weight)}"
            )
        plain = unwrap(self.weight)
        if known(plain) and not np.all(np.isfinite(np.asarray(plain))):
            raise ValueError(f"weight must be finite, got {plain}")

    @property
    def n_pre(self) -> int:
        """Number of neurons on the sending side."""
        return self.edges.n_pre

    @property
    def n_post(self) -> int:
        """Number of neurons on the receiving side."""
        return self.edges.n_post

    @property
    def out_degree(self) -> int:
        """Synapses of each sending neuron."""
        return self.edges.out_degree

    def deliver(self, events: Events) -> Float[Array, " post"]:
        """See `AbstractConnections.deliver`."""
        return self.edges.deliver(self.weight, events)

    def apply(self, values: Array | np.ndarray) -> Float[Array, " post"]:
        """See `AbstractConnections.apply`."""
        weight = jnp.asarray(self.weight)
        values = one_per_neuron("values", values, self.n_pre, weight.dtype) * weight
        return _push(values[None], everyone(self.n_pre)[None], self.edges)[0]

    def targets_of(self, neurons) -> Array:
        """The targets of some sending neurons, shape (neurons, out_degree)."""
        return self.edges.targets_of(neurons)

    def to_edges(self) -> Edges:
        """The explicit list of synapses, with their weights, on the host."""
        return self.edges.to_edges(self.weight)

    def to_dense(self) -> Float[Array, "pre post"]:
        """The weights as a matrix; multi-edges are added."""
        neurons = jnp.arange(self.n_pre)
        weight = jnp.broadcast_to(jnp.asarray(self.weight), (self.n_pre,))[:, None]
        weight = jnp.broadcast_to(weight, (self.n_pre, self.out_degree))
        empty = jnp.zeros((self.n_pre, self.n_post), weight.dtype)
        return empty.at[neurons[:, None], self.targets_of(neurons)].add(weight)


# -- targets -------------------------------------------------------------------------------------


@partial(jax.jit, static_argnames=("graph",))
def _targets(neuron: Array, graph) -> Array:
    """Targets [row, k] of the neurons [row]."""
    words = jnp.array([graph.seed >> 32, graph.seed & 0xFFFFFFFF], jnp.uint32)
    first, second = jax.vmap(partial(counter.fold, words))(neuron).T
    k = jnp.arange(graph.out_degree, dtype=jnp.uint32)[None, :]
    inner = counter._mix(k + first[:, None]) ^ second[:, None]
    return _scaled(counter._mix(inner), graph.n_post).astype(jnp.int32)


def _scaled(h: Array, n: int) -> Array:
    """floor(n h / 2**32) in 32-bit arithmetic, by halves of 16 bits."""
    high, low = h >> 16, h & jnp.uint32(0xFFFF)
    n_high, n_low = jnp.uint32(n >> 16), jnp.uint32(n & 0xFFFF)
    a, b, c = high * n_low, low * n_high, low * n_low
    carry = (a & jnp.uint32(0xFFFF)) + (b & jnp.uint32(0xFFFF)) + (c >> 16)
    return high * n_high + (a >> 16) + (b >> 16) + (carry >> 16)


# -- two linear primitives, each the transpose of the other --------------------------------------


def _push(x, words, graph):
    """[b, n_post] sums over the rows whose bit is set, of x [b, n_pre] on their targets."""
    return _push_p.bind(x, words, graph=graph)


def _pull(y, words, graph):
    """[b, n_pre] sums of y [b, n_post] over the targets of the rows whose bit is set, else zero."""
    return _pull_p.bind(y, words, graph=graph)


_push_p = Primitive("procedural_push")
_pull_p = Primitive("procedural_pull")


def _loop(words, graph, start, body):
    """`body(trial, neuron, real, targets, carry)` for chunks of rows until none is left."""
    n_pre = graph.n_pre
    trials, each = words.shape
    flat = words.reshape(-1)
    counts = count_spikes(flat)
    length = 8 if n_pre * trials < 8192 else 32

    def one(carry):
        first, value = carry
        row = rows(flat, counts, first, length)
        trial = jnp.minimum(row // (BITS * each), trials - 1)
        row = row - trial * (BITS * each)
        neuron, real = neurons(row, each, n_pre)
        # computed before they are scattered to: fused, XLA does it one by one
        targets = jax.lax.optimization_barrier(_targets(neuron, graph))
        value = body(trial, neuron, real, targets, value)
        return first + length, value

    more = lambda carry: carry[0] < counts.total
    return jax.lax.while_loop(more, one, (jnp.zeros((), jnp.int32), start))[1]


def _push_rows(x, words, *, graph):
    trials, degree = x.shape[0], graph.out_degree

    def body(trial, neuron, real, targets, found):
        value = jnp.where(real, x[trial, neuron], 0)[:, None]
        value = jnp.broadcast_to(value, (value.shape[0], degree))
        trial = jnp.broadcast_to(trial[:, None], targets.shape)
        return found.at[trial, targets].add(
            value, mode="promise_in_bounds", wrap_negative_indices=False
        )

    return _loop(words, graph, jnp.zeros((trials, graph.n_post), x.dtype), body)


def _pull_rows(y, words, *, graph):
    trials, n_pre = y.shape[0], graph.n_pre

    def body(trial, neuron, real, targets, found):
        value = y.at[trial[:, None], targets].get(
            mode="promise_in_bounds", wrap_negative_indices=False
        )
        neuron = jnp.where(real, neuron, n_pre)
        return found.at[trial, neuron].set(
            jnp.sum(value, axis=1), mode="drop", wrap_negative_indices=False
        )

    return _loop(words, graph, jnp.zeros((trials, n_pre), y.dtype), body)


def _abstract(width: str, first, words, *, graph):
    """The operand's kind with another width; it varies over a mesh where either operand does."""
    found = first.update(shape=(first.shape[0], getattr(graph, width)))
    if not hasattr(first, "vma"):
        return found
    return found.update(vma=(first.vma or frozenset()) | (words.vma or frozenset()))


def _jvp(primitive, primals, tangents, **parameters):
    value = primitive.bind(*primals, **parameters)
    if type(tangents[0]) is ad.Zero:
        return value, ad.Zero(jax.typeof(value))
    return value, primitive.bind(tangents[0], primals[1], **parameters)


def _transpose(other, ct, first, words, **parameters):
    if type(ct) is ad.Zero:
        return [ad.Zero(first.aval), None]
    return [other.bind(ct, words, **parameters), None]


def _batch(primitive, operands, axes, **parameters):
    """One longer list of events, so that no trial waits for the busiest one."""
    size = next(a.shape[i] for a, i in zip(operands, axes, strict=True) if i is not None)
    joined = []
    for a, axis in zip(operands, axes, strict=True):
        a = jnp.broadcast_to(a, (size, *a.shape)) if axis is None else jnp.moveaxis(a, axis, 0)
        joined.append(a.reshape(-1, a.shape[-1]))
    found = primitive.bind(*joined, **parameters)
    return found.reshape(size, -1, found.shape[-1]), 0


for _primitive, _function, _width, _other in (
    (_push_p, _push_rows, "n_post", _pull_p),
    (_pull_p, _pull_rows, "n_pre", _push_p),
):
    _primitive.def_impl(jax.jit(_function, static_argnames=("graph",)))
    _primitive.def_abstract_eval(partial(_abstract, _width))
    mlir.register_lowering(_primitive, mlir.lower_fun(_function, multiple_results=False))
    ad.primitive_jvps[_primitive] = partial(_jvp, _primitive)
    ad.primitive_transposes[_primitive] = partial(_transpose, _other)
    batching.primitive_batchers[_primitive] = partial(_batch, _primitive)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _delivered(x, words, near, graph):
    """The sum over the rows in `words`, with a derivative that visits those in `near`."""
    return _push(x[None], words[None], graph)[0]


@_delivered.defjvp
def _(graph, primals, tangents):
    x, words, near = primals
    # x is zero where `words` has no bit, and moves where `near` has one
    return _delivered(x, words, near, graph), _push(tangents[0][None], near[None], graph)[0]
