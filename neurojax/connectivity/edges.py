"""`Edges`: the list of synapses of a graph, on the host."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float64, Int32, Int64

from neurojax.core.fixed import digest
from neurojax.core.tracing import is_traced
from neurojax.core.units import refuse_units

from ._ordering import lexicographic

if TYPE_CHECKING:
    import scipy.sparse

_LARGEST = 2**31 - 1  # indices are int32


@final
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Edges:
    """Synapses as an edge list, in order of pre, then post.

    Edges with the same two ends (multi-edges) stand beside each other in the order in which they
    were made. What is given in another order is sorted with what belongs to it. The arrays are
    read-only. Edges are equal where all that they hold is, so that a network that is built again
    is not compiled again.

    Arguments:
        pre: index of the source of each edge, 0 to `n_pre` - 1.
        post: index of its target, 0 to `n_post` - 1.
        n_pre: number of neurons on the sending side.
        n_post: number of neurons on the receiving side.
        distance: length of each edge in the unit of the positions, from spatial builders.
        weight: given weights, in the unit of the receptor (nS, pA or mV).
        delay: given delays, ms, not negative.

    Raises:
        ValueError: an index is out of range, arrays differ in length, or a value is not finite.

    Example:
        >>> import neurojax as nj
        >>> edges = nj.connectivity.Edges([1, 0, 1], [0, 2, 2], n_pre=2, n_post=3)
        >>> edges
        Edges(3 edges, 2 -> 3 neurons)
        >>> edges.pre.tolist(), edges.post.tolist()
        ([0, 1, 1], [2, 0, 2])
        >>> edges.in_degrees().tolist()
        [1, 0, 2]
    """

    pre: Int32[np.ndarray, " edge"]
    post: Int32[np.ndarray, " edge"]
    n_pre: int
    n_post: int
    distance: Float64[np.ndarray, " edge"] | None = None
    weight: Float64[np.ndarray, " edge"] | None = None
    delay: Float64[np.ndarray, " edge"] | None = None

    def __init__(
        self,
        pre: Any,
        post: Any,
        n_pre: int,
        n_post: int,
        distance: Any = None,
        weight: Any = None,
        delay: Any = None,
    ):
        n_pre = whole_number("n_pre", n_pre, 0, _LARGEST)
        n_post = whole_number("n_post", n_post, 0, _LARGEST)
        pre, post = indices("pre", pre, n_pre), indices("post", post, n_post)
        m = len(pre)
        if len(post) != m:
            raise ValueError(f"pre has {m} entries, but post has {len(post)}")
        fields = {"pre": pre, "post": post}
        for name, value in (("distance", distance), ("weight", weight), ("delay", delay)):
            fields[name] = None if value is None else per_edge(name, value, m)
        for name in ("distance", "delay"):
            if fields[name] is not None and fields[name].min(initial=0.0) < 0:
                raise ValueError(f"{name} must not be negative, got {fields[name].min():g}")
        order = lexicographic(pre, post, n_pre, n_post)
        for name, value in fields.items():
            if value is not None:
                value = value.view() if order is None else value[order]
                value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "n_pre", n_pre)
        object.__setattr__(self, "n_post", n_post)

    @cached_property
    def _digest(self) -> bytes:
        return digest(self.pre, self.post, self.distance, self.weight, self.delay)

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Edges):
            return self is other
        sizes = len(self), self.n_pre, self.n_post
        same = sizes == (len(other), other.n_pre, other.n_post)
        return same and self._digest == other._digest

    def __hash__(self) -> int:
        return hash((self.n_pre, self.n_post, len(self)))

    def __len__(self) -> int:
        return len(self.pre)

    def __repr__(self) -> str:
        return f"Edges({len(self)} edges, {self.n_pre} -> {self.n_post} neurons)"

    def out_degrees(self) -> Int64[np.ndarray, " pre"]:
        """The number of edges that leave each neuron of the sending side."""
        return np.bincount(self.pre, minlength=self.n_pre).astype(np.int64)

    def in_degrees(self) -> Int64[np.ndarray, " post"]:
        """The number of edges that reach each neuron of the receiving side."""
        return np.bincount(self.post, minlength=self.n_post).astype(np.int64)

    def to_scipy(self) -> "scipy.sparse.csr_array":
        """A sparse matrix [pre, post] of the weights, or of 1 where none were given.

        The entries of multi-edges are added.

        Example:
            >>> import neurojax as nj
            >>> edges = nj.connectivity.Edges([0, 0], [1, 1], 2, 2, weight=[0.5, 2.0])
            >>> edges.to_scipy().toarray().tolist()
            [[0.0, 2.5], [0.0, 0.0]]
        """
        from scipy.sparse import csr_array

        rows = np.zeros(self.n_pre + 1, np.int64)
        np.cumsum(self.out_degrees(), out=rows[1:])
        values = np.ones(len(self)) if self.weight is None else self.weight.copy()
        matrix = csr_array((values, self.post.copy(), rows), shape=(self.n_pre, self.n_post))
        matrix.sum_duplicates()
        return matrix


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int, or an error that names the argument."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be {bound}, got {value}")
    return int(value)


def indices(name: str, given: Any, n: int | None = None) -> np.ndarray:
    """An int32 vector; with `n`, of numbers from 0 to n - 1."""
    array = np.asarray(given)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector of indices, got shape {array.shape}")
    if array.size == 0:
        return np.zeros(0, np.int32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > (_LARGEST if n is None else n - 1):
        bound = "" if n is None else f", but there are {n} neurons: 0 to {n - 1}"
        raise ValueError(f"{name} has the index {low if low < 0 else high}{bound}")
    return array.astype(np.int32, copy=False)


def per_edge(name: str, given: Any, m: int) -> np.ndarray:
    """A float64 vector with one finite number per edge."""
    if is_traced(given):
        raise TypeError(
            f"{name} of edges must be numbers, as edges are made on the host, outside of jit, grad "
            "and vmap; what is traced goes to nj.Projection(weight=...), in the order of edges, or "
            "by eqx.tree_at into net.projections[name].weight"
        )
    refuse_units(name, given)
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    if array.shape != (m,):
        raise ValueError(f"{name} must have shape ({m},), one per edge, got {array.shape}")
    array = array.astype(np.float64, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        i = int(np.argmin(finite))
        raise ValueError(f"{name} must be finite, but {name}[{i}] is {array[i]}")
    return array
