"""`Pairs`: between which neurons a builder may put edges."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Int64

from .edges import whole_number


@final
@dataclass(frozen=True, eq=False, init=False, repr=False)
class Pairs:
    """The two sides of a projection, and which pairs are a neuron with itself.

    Arguments:
        n_pre: number of neurons on the sending side.
        n_post: number of neurons on the receiving side.
        pre_ids: identities of the neurons on the sending side, different integers; with those of
            the other side they say which pairs are one neuron with itself. By default no neuron
            stands on both sides.
        post_ids: those of the receiving side.

    Raises:
        ValueError: identities are not one per neuron, not different, or given for one side only.

    Example:
        >>> import neurojax as nj
        >>> pairs = nj.connectivity.Pairs(3, 2, pre_ids=[0, 1, 2], post_ids=[2, 7])
        >>> pairs.self_of_post.tolist()  # post 0 is pre 2, post 1 is not among them
        [2, -1]
    """

    n_pre: int
    n_post: int
    pre_ids: Int64[np.ndarray, " pre"] | None
    post_ids: Int64[np.ndarray, " post"] | None

    def __init__(self, n_pre: int, n_post: int, pre_ids: Any = None, post_ids: Any = None):
        n_pre = whole_number("n_pre", n_pre, 1, 2**31 - 1)
        n_post = whole_number("n_post", n_post, 1, 2**31 - 1)
        if (pre_ids is None) != (post_ids is None):
            raise ValueError("give both pre_ids and post_ids, or none of them")
        object.__setattr__(self, "n_pre", n_pre)
        object.__setattr__(self, "n_post", n_post)
        object.__setattr__(self, "pre_ids", _identities("pre_ids", pre_ids, n_pre))
        object.__setattr__(self, "post_ids", _identities("post_ids", post_ids, n_post))

    @property
    def n_cells(self) -> int:
        """The number of pairs, those of a neuron with itself included."""
        return self.n_pre * self.n_post

    @cached_property
    def _common(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices on both sides of the neurons that stand on both."""
        if self.pre_ids is None or self.post_ids is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        _, pre, post = np.intersect1d(
            self.pre_ids, self.post_ids, assume_unique=True, return_indices=True
        )
        return pre.astype(np.int64), post.astype(np.int64)

    @property
    def n_self(self) -> int:
        """The number of pairs that are one neuron with itself."""
        return len(self._common[0])

    @cached_property
    def self_of_pre(self) -> Int64[np.ndarray, " pre"]:
        """For each neuron of the sending side its index on the other side; -1 if not there."""
        pre, post = self._common
        found = np.full(self.n_pre, -1, np.int64)
        found[pre] = post
        return found

    @cached_property
    def self_of_post(self) -> Int64[np.ndarray, " post"]:
        """For each neuron of the receiving side its index on the other side; -1 if not there."""
        pre, post = self._common
        found = np.full(self.n_post, -1, np.int64)
        found[post] = pre
        return found

    def differ(self, pre, post) -> Bool[np.ndarray, "..."]:
        """Whether the two ends are different neurons, for arrays of indices."""
        if self.n_self == 0:
            return np.ones(np.shape(pre), bool)
        return self.self_of_pre[pre] != post

    def one_population(self, builder: str) -> int:
        """The number of neurons, where both sides are the same ones in the same order.

        Raises:
            ValueError: the sides differ.
        """
        same = self.n_pre == self.n_post
        if same and self.pre_ids is not None and self.post_ids is not None:
            same = bool((self.pre_ids == self.post_ids).all())
        if not same:
            raise ValueError(
                f"{builder} is a graph within one population, but the sending side "
                f"({self.n_pre} neurons) is not the receiving side ({self.n_post} neurons)"
            )
        return self.n_pre


def all_different(numbers: np.ndarray) -> bool:
    """Whether no number occurs twice; sorting is many times faster than the hashes of `unique`."""
    return bool(np.diff(np.sort(numbers)).all())


def _identities(name: str, given: Any, n: int) -> np.ndarray | None:
    if given is None:
        return None
    ids = np.asarray(given)
    if ids.dtype.kind not in "iu" or ids.shape != (n,):
        raise ValueError(
            f"{name} must be {n} integers, one per neuron, got {ids.dtype} of shape {ids.shape}"
        )
    if not all_different(ids):
        raise ValueError(f"{name} must be different, but one occurs more than once")
    return ids.astype(np.int64)
