"""Projections: what connects populations."""

from typing import Any

import equinox as eqx
import numpy as np

from neurojax.connectivity.builder import Builder
from neurojax.connectivity.edges import Edges
from neurojax.connectivity.procedural import ComputedEdges, Procedural
from neurojax.core.fixed import Fixed
from neurojax.synapses import AbstractRelease

Group = tuple[str, Any]  # name of a population and which of its neurons (None: all)


class Projection(eqx.Module):
    """Synapses from one or several populations to one or several others.

    Several sources (or targets) count as one long population in the order given, so that
    `fixed_indegree(80)` from `["E", "I"]` draws 80 partners among all of them.

    Arguments:
        source: name of a population, or a pair `(name, slice or indices)` for a part of it, or a
            list of these.
        target: likewise.
        port: the receptor of the target that the synapses end on.
        connectivity: one of `nj.connectivity`, such as `nj.connectivity.bernoulli(0.02)`, or
            `Edges`, or `Procedural`, whose synapses are computed and not stored.
        weight: a number (shared by all synapses and one parameter), an array with one value per
            synapse in the order of `Edges`, a distribution of `nj.random`, a function of distance,
            or `None` for the weights that the connectivity brings along, else 1. In the unit of
            the receptor: nS, pA or mV.
        delay: ms; a number, an array, a distribution or a function of distance; rounded to whole
            steps, at least one. `None`: the connectivity's own, else one step.
        release: short-term dynamics of the presynaptic terminals, such as
            `nj.synapses.TsodyksMarkram(...)`; a parameter that is a distribution is drawn once per
            sending neuron.
        plasticity: a learning rule of `nj.plasticity`, or a list of rules that act one after the
            other. Delays of one synapse each are possible; the cost grows with the number of
            different ones.
        interpolate: let delays lie between steps: each spike is split over the two nearest steps,
            so that a gradient by the delay exists; the delays become a parameter. Those below a
            step, the shortest there is, are one step.
        name: default `"source->target:port"`.

    Example:
        >>> import neurojax as nj
        >>> p = nj.Projection("E", ["E", "I"], "exc", nj.connectivity.bernoulli(0.1), weight=0.5)
        >>> p.name
        'E->E,I:exc'
    """

    source: tuple[Group, ...] = eqx.field(static=True)
    target: tuple[Group, ...] = eqx.field(static=True)
    port: str = eqx.field(static=True)
    connectivity: Builder | Edges | ComputedEdges = eqx.field(static=True)
    weight: Any
    delay: Any
    release: Any
    plasticity: Any
    interpolate: bool = eqx.field(static=True)
    name: str = eqx.field(static=True)

    def __init__(
        self, source, target, port: str, connectivity, *, weight: Any = None, delay: Any = None,
        release=None, plasticity=None, interpolate: bool = False, name: str | None = None,
    ):  # fmt: skip
        if not isinstance(port, str):
            raise TypeError(f"port must be the name of a receptor of the target, got {port!r}")
        if isinstance(connectivity, Procedural):
            weight = connectivity.weight if weight is None else weight
            connectivity = connectivity.edges
        if not isinstance(connectivity, Builder | Edges | ComputedEdges):
            raise TypeError(
                "connectivity must be one of nj.connectivity, for example "
                f"nj.connectivity.bernoulli(0.1), got {connectivity!r}"
            )
        if release is not None and not isinstance(release, AbstractRelease):
            raise TypeError(
                "release must be short-term dynamics such as nj.synapses.TsodyksMarkram(), got "
                f"{release!r}; learning rules are for plasticity="
            )
        if name is not None and "." in name:
            raise ValueError(f"the name of a projection must not have dots, got {name!r}")
        self.source, self.target = as_groups("source", source), as_groups("target", target)
        self.port, self.connectivity = port, connectivity
        self.weight, self.delay = weight, delay
        self.release, self.plasticity, self.interpolate = release, plasticity, interpolate
        names = [",".join(map(_word, side)) for side in (self.source, self.target)]
        self.name = f"{names[0]}->{names[1]}:{port}" if name is None else name


def as_groups(role: str, given) -> tuple[Group, ...]:
    """A side of a projection as a tuple of (population, indices or None)."""
    several = given if isinstance(given, list) else [given]
    groups = []
    for one in several:
        if isinstance(one, str):
            groups.append((one, None))
        elif isinstance(one, tuple) and one and all(isinstance(name, str) for name in one):
            raise TypeError(
                f"{role} is the tuple {one!r}; several populations are a list: write {list(one)!r}"
            )
        elif isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str):
            groups.append((one[0], _Part(one[1])))
        else:
            raise TypeError(
                f"{role} must be a name, a pair (name, slice) or a list of these, got {one!r}"
            )
    if not groups:
        raise ValueError(f"{role} names no population")
    return tuple(groups)


class _Part:
    """Which neurons of a population: a slice, a mask or indices, compared by what they are."""

    def __init__(self, which):
        self.which = which
        # slices have no hash before Python 3.12
        ends = (which.start, which.stop, which.step) if isinstance(which, slice) else None
        self._compared = Fixed(which) if ends is None else ends

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    def of(self, n: int) -> np.ndarray:
        """The indices among `n` neurons."""
        which = self.which if isinstance(self.which, slice) else np.asarray(self.which)
        ends = [which.start or 0, which.stop or 0] if isinstance(which, slice) else [0]
        if max(ends) > n or min(ends) < -n:
            raise ValueError(f"{self!r} reaches beyond a population of {n}")
        try:
            return np.atleast_1d(np.arange(n)[which])
        except IndexError as error:
            raise ValueError(f"{self.which!r} does not fit a population of {n}: {error}") from error

    def __repr__(self) -> str:
        if isinstance(self.which, slice):
            ends = [self.which.start, self.which.stop, self.which.step]
            words = ["" if x is None else str(x) for x in ends]
            return f"[{':'.join(words if ends[2] is not None else words[:2])}]"
        return f"[{np.size(self.which)} neurons]"


def _word(group: Group) -> str:
    name, part = group
    return name if part is None else f"{name}{part!r}"
