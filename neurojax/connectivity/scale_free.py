"""Scale-free graphs."""

import numpy as np

from neurojax.core.errors import suggestion

from .builder import Builder
from .edges import Edges, whole_number
from .pairs import Pairs

_SHARE = 200  # of the neurons that are there come at a time
_DIRECTIONS = ("random", "to_hubs", "from_hubs", "both")


def scale_free(m: int, direction: str = "random", *, by_age: bool = False) -> Builder:
    r"""Preferential attachment: the degrees have a tail $P(K) \sim K^{-3}$.

    The directed form of Barabási and Albert. The first m + 1 neurons are joined each with each.
    Then neurons come one by one; each is joined to m different earlier ones, drawn one after
    another with probabilities that go with their numbers of links so far. No self-edges, no
    multi-edges; m (m + 1) / 2 + m (n - m - 1) links in all.

    Arguments:
        m: number of links of a new neuron, at least 1.
        direction: what a link becomes: `"random"`, one edge, either way with probability 1/2;
            `"to_hubs"`, an edge from the newer neuron to the older one (a graph without cycles,
            in-degrees have the tail); `"from_hubs"`, the opposite; `"both"`, two edges.
        by_age: True: the index of a neuron is its age, hubs come first. False: ages are dealt at
            random.

    Raises:
        ValueError: an unknown direction; when built, if the sides are not one population or have
            no more than m neurons.

    Source: Barabási and Albert (1999), Science 286:509.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.scale_free(2, "to_hubs", by_age=True)
        >>> graph.build(7, 7, np.random.default_rng(0)).out_degrees().tolist()
        [0, 1, 2, 2, 2, 2, 2]
    """
    if direction not in _DIRECTIONS:
        raise ValueError(f"unknown direction {direction!r}.{suggestion(direction, _DIRECTIONS)}")
    arguments = {"m": whole_number("m", m, 1), "direction": direction, "by_age": by_age}
    return Builder("scale_free", arguments, _scale_free)


def _scale_free(
    pairs: Pairs, rng: np.random.Generator, m: int, direction: str, by_age: bool
) -> Edges:
    n = pairs.one_population("scale_free")
    if n <= m:
        raise ValueError(f"scale_free(m={m}) needs more than {m} neurons, but there are {n}")
    newer, older = _links(n, m, rng)
    if not by_age:
        place = rng.permutation(n).astype(np.int32)
        newer, older = place[newer], place[older]
    if direction == "random":
        turned = rng.random(len(newer)) < 0.5
        newer, older = np.where(turned, older, newer), np.where(turned, newer, older)
    elif direction == "from_hubs":
        newer, older = older, newer
    elif direction == "both":
        newer, older = np.concatenate([newer, older]), np.concatenate([older, newer])
    return Edges(newer, older, n, n)


def _links(n: int, m: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(newer, older) of each link; drawing one of all their ends is drawing by number of links."""
    newer, first = np.tril_indices(m + 1, -1)
    begun, count = len(first), n - m - 1
    newer = np.append(newer, np.repeat(np.arange(m + 1, n), m)).astype(np.int32)
    older = np.zeros(len(newer), np.int32)
    older[:begun] = first
    # How many ends there are when a neuron comes is known beforehand, so its first choices are
    # drawn all at once, and only repeated ones later. End 2 k is the newer one of link k.
    bounds = 2 * (begun + m * np.arange(count, dtype=np.int64))
    ends = rng.integers(0, bounds[:, None], (count, m), dtype=np.int64)
    link = ends // 2
    chosen = np.where(ends % 2 == 0, newer[link], ~link)
    first_row = 0
    while first_row < count:
        # so few that hardly any of them chooses a link of another one
        rows = slice(first_row, min(first_row + 1 + (m + first_row) // _SHARE, count))
        done = begun + m * rows.start
        there = older[done : begun + m * rows.stop].reshape(-1, m)
        choice = chosen[rows]
        waits = (choice < -done).any(axis=1)
        there[:] = np.where(choice >= 0, choice, older[np.maximum(~choice, 0)])
        there.sort(axis=1)
        waits |= (there[:, 1:] == there[:, :-1]).any(axis=1)
        for row in np.flatnonzero(waits):
            partners = {int(end) if end >= 0 else int(older[~end]) for end in choice[row]}
            bound = bounds[rows.start + row]
            while len(partners) < m:
                end = int(rng.integers(0, bound, dtype=np.int64))
                partners.add(int(older[end // 2] if end % 2 else newer[end // 2]))
            there[row] = sorted(partners)
        first_row = rows.stop
    return newer, older
