"""Delivery plans: the tables by which the spikes of a whole network reach its inbox.

The sources of a plan stand in one vector of packed words. A plan is a table whose rows are the
neurons in the order of their bits and whose entries are places in one flat inbox over populations
and ports, a ring over as many steps as the longest delay. One list of spikes and one loop then
serve all projections of a plan. Projections stay what owns the weights; a plan holds the layout.
"""

from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32

from neurojax.connectivity.procedural import ComputedEdges
from neurojax.connectivity.spike_list import BITS

from . import _inbox
from .plastic import PlasticPlan, compile_plastic, delays_of, is_axonal, places_in_rows, rules_of
from .synapses import Synapses

_TURNS = 8  # steps of the inbox are a multiple of this where delays are learned


class Region(NamedTuple):
    """A part of the inbox: one value per neuron of a population."""

    start: int
    size: int
    scale: str | None  # projection whose scalar weight multiplies what is read


@dataclass(frozen=True)
class Layout:
    """Where everything is: part of the structure of a network."""

    sources: tuple[tuple[str, int], ...]  # populations that send spikes, with their sizes
    regions: tuple[tuple[tuple[str, str], tuple[Region, ...]], ...]  # by population and port
    size: int  # places per step
    steps: int  # the longest delay
    dt: float  # ms
    counts: str | None = None  # the type that holds the spikes of a step, where they are counted


class Plan(eqx.Module):
    """One table of targets.

    Arguments:
        targets: places in the inbox, shape (rows + 1, width).
        places: for plans with a weight per synapse: by projection, the entry of each of its edges
            in the flattened table; else empty. Edges whose delays lie between steps have two
            entries, for the earlier step and for the later one.
        early: the earlier steps of the delays of these projections.
        sources: the populations whose packed words make the rows, with their sizes.
        owner: the projection whose release or plasticity the plan serves alone, or `None`.
    """

    targets: Int32[Array, "rows width"]
    places: dict[str, tuple[Array, ...]]
    early: dict[str, Array]
    sources: tuple[tuple[str, int], ...] = eqx.field(static=True)
    owner: str | None = eqx.field(static=True)

    def table(self, projections: dict[str, Synapses], dt: float, dtype) -> Array:
        """The weights in the shape of the targets, or 1 where the plan has none of its own."""
        if not self.places:
            return jnp.ones((), dtype)
        found: list = []
        for name, places in self.places.items():
            weights = projections[name].weights().astype(dtype)
            shares = (weights,)
            if name in self.early:
                late = projections[name].delay / dt - self.early[name]
                # beyond the two steps all of it goes to the nearer one; the slope leads back
                late = late + jax.lax.stop_gradient(jnp.clip(late, 0.0, 1.0) - late)
                shares = (weights * (1 - late), weights * late)
            found += zip(places, (share.astype(dtype) for share in shares), strict=True)
        # written at once: each writing more is a part of the program more
        where, weights = (jnp.concatenate(parts) for parts in zip(*found, strict=True))
        flat = (
            jnp.zeros(self.targets.size, dtype)
            .at[where]
            .set(
                weights, mode="promise_in_bounds", unique_indices=True, wrap_negative_indices=False
            )
        )
        return flat.reshape(self.targets.shape)


class ComputedPlan(eqx.Module):
    """What a projection needs whose targets are computed.

    Arguments:
        edges: what computes them.
        source: the population that sends.
        name: of the projection.
        shared: whether its weight multiplies what is read, see `Region`.
        place: where the target's part of the inbox begins, the delay included.
    """

    edges: ComputedEdges = eqx.field(static=True)
    source: str = eqx.field(static=True)
    name: str = eqx.field(static=True)
    shared: bool = eqx.field(static=True)
    place: int = eqx.field(static=True)

    def deliver(self, inbox: Array, synapses: Synapses, amplitude, spikes, turn) -> Array:
        """The inbox with what the spikes of the source send, times an amplitude for each."""
        weight = 1.0 if self.shared else synapses.weight
        arrived = self.edges.deliver(jnp.asarray(weight * amplitude, inbox.dtype), spikes)
        return _inbox.added(inbox, arrived, self.place, turn)


def compile_network(synapses: dict[str, Synapses], sizes: dict[str, int], dt: float):
    """All that a network derives from its projections for steps of `dt` ms, by field."""
    layout, plans = compile_plans(synapses, sizes, dt)
    return {
        "layout": layout,
        "plans": plans,
        "computed": compile_computed(synapses, layout),
        "plastic": compile_plasticity(synapses, plans, layout),
    }


def compile_plans(
    synapses: dict[str, Synapses], sizes: dict[str, int], dt: float
) -> tuple[Layout, tuple[Plan, ...]]:
    """The layout of the inbox and the delivery plans for steps of `dt` ms."""
    # JAX sorts dictionaries: the layout must not depend on the order in which things were named
    synapses, sizes = dict(sorted(synapses.items())), dict(sorted(sizes.items()))
    names = {name for s in synapses.values() for name, _ in s.source}
    # plastic synapses learn of the spikes of their targets too
    names |= {name for s in synapses.values() if rules_of(s) for name, _ in s.target}
    sources = tuple((name, n) for name, n in sizes.items() if name in names)
    steps = {name: s.delay_steps(dt) for name, s in synapses.items()}
    # spikes that wait on an axon are delivered in the step in which they arrive
    steps = {name: 0 * d if is_axonal(synapses[name]) else d for name, d in steps.items()}
    longest = max(
        (int(steps[name].max(initial=1)) + s.interpolate for name, s in synapses.items()), default=1
    )
    if any(s.interpolate for s in synapses.values()):
        # so that a delay that is learned moves to another step, as a rule, without a new program
        longest = -(-longest // _TURNS) * _TURNS
    groups, regions, size = _regions(synapses, sizes)
    if size * longest >= 2**31:
        raise ValueError(
            f"the inbox would need {size} places for each of {longest} steps of delay, more than "
            "2**31; shorten the longest delay"
        )
    regions_of = tuple((key, tuple(found)) for key, found in regions.items())
    layout = Layout(sources, regions_of, size, longest, dt, _counts(groups, synapses))
    # the graph is known also where a network is built or put on another grid inside jit
    with jax.ensure_compile_time_eval():
        plans = [
            _plan(owner, weighted, {n: synapses[n] for n in members}, regions, steps, layout, sizes)
            for owner, weighted, members in groups
            if not synapses[members[0]].is_computed
        ]
    return layout, tuple(plans)


def compile_computed(synapses: dict[str, Synapses], layout: Layout) -> tuple[ComputedPlan, ...]:
    """The plans of projections whose targets are computed."""
    regions, found = dict(layout.regions), []
    for name, s in sorted(synapses.items()):
        if not isinstance(s.edges, ComputedEdges):
            continue
        ((source, _),), ((target, _),) = s.source, s.target
        shared = any(region.scale == name for region in regions[target, s.port])
        found.append(ComputedPlan(s.edges, source, name, shared, place_of(s, layout)))
    return tuple(found)


def place_of(synapses: Synapses, layout: Layout) -> int:
    """Where the inbox has what the synapses of one projection with one delay send now."""
    ((target, _),) = synapses.target
    starts = {r.scale: r.start for r in dict(layout.regions)[target, synapses.port]}
    steps = int(synapses.delay_steps(layout.dt)[0]) % layout.steps
    name = synapses.name
    return steps * layout.size + starts[name if name in starts else None]


def compile_plasticity(
    synapses: dict[str, Synapses], plans: tuple[Plan, ...], layout: Layout
) -> tuple[PlasticPlan, ...]:
    """The plans of plastic projections, beside their delivery plans."""
    with jax.ensure_compile_time_eval():
        return compile_plastic(synapses, plans, layout.sources, layout.dt, packed_rows, _pick)


def _regions(synapses, sizes):
    """Groups of projections with a plan in common, and the regions of the inbox.

    A scalar weight multiplies what is read from a region of its own, so that its synapses need no
    weights. With more than two such projections on one port reading the regions would cost more
    than weights do: all then count as projections with one weight per synapse, since a second list
    of spikes for the rest would cost more as well.
    """
    per_port: dict[tuple[str, str], int] = {}
    for s in synapses.values():
        if _may_share(s):
            for name, _ in s.target:
                per_port[name, s.port] = per_port.get((name, s.port), 0) + 1
    crowded = max(per_port.values(), default=0) > 2
    groups: dict[tuple[str | None, bool], list[str]] = {}
    regions: dict[tuple[str, str], list[Region]] = {}
    start = 0
    for name, s in synapses.items():
        shared = _may_share(s) and not crowded
        alone = s.release is not None or s.plasticity is not None or s.is_computed
        key = (name if alone else None, not shared)
        groups.setdefault(key, []).append(name)
        for target in dict.fromkeys(target for target, _ in s.target):
            scale = name if shared else None
            known = regions.setdefault((target, s.port), [])
            if all(region.scale != scale for region in known):
                known.append(Region(start, sizes[target], scale))
                start += sizes[target]
    listed = [(owner, weighted, members) for (owner, weighted), members in groups.items()]
    return listed, regions, start + _inbox.PADS


def _counts(groups, synapses) -> str | None:
    """The smallest type for the spikes that arrive at one place in one step.

    They are counted where weights multiply what is read: a synapse counts at most once. Half of the
    type is for what a state has under way already. `None` where something else arrives, or too
    many.
    """
    if not groups:
        return None
    most = 0
    for owner, weighted, members in groups:
        if owner is not None or weighted:
            return None
        most = max(most, *(int(synapses[n].stored.in_degrees().max(initial=0)) for n in members))
    return next((t for t in ("uint8", "uint16") if most <= _inbox.most(t)), None)


def _may_share(s: Synapses) -> bool:
    return s.is_shared and s.plasticity is None and not s.interpolate


def packed_rows(sources) -> dict[str, np.ndarray]:
    """The row of each neuron of each source: its bit in the packed words of all of them."""
    rows, first = {}, 0
    for name, n in sources:
        words = -(-n // BITS)
        neuron = np.arange(n, dtype=np.int32)
        rows[name] = BITS * (first + neuron % words) + neuron // words
        first += words
    return rows


def _plan(owner, weighted, members: dict[str, Synapses], regions, steps, layout: Layout, sizes):
    """The table of one group of projections."""
    used = {name for s in members.values() for name, _ in s.source}
    sources = tuple((name, n) for name, n in layout.sources if name in used)
    rows = packed_rows(sources)
    height = sum(-(-n // BITS) for _, n in sources) * BITS
    lanes = None
    if owner is not None and is_axonal(members[owner]):
        delays, which = delays_of(members[owner], layout.dt)
        if len(delays) > 1:
            lanes, height = which * height, height * len(delays)
    filled = np.zeros(height, np.int32)  # entries of each row so far
    entries = []
    for name, s in members.items():
        row = np.concatenate([_pick(rows[n], part) for n, part in s.source])
        scale = None if weighted else name
        slot = []
        for target, part in s.target:
            region = next(r for r in regions[target, s.port] if r.scale == scale)
            slot.append(_pick(region.start + np.arange(sizes[target], dtype=np.int32), part))
        degrees = s.stored.out_degrees()
        slots = np.concatenate(slot)[s.stored.post]
        if lanes is not None:  # all in the inbox of this step: their delays lie before
            own = row[s.stored.pre] + lanes
            filled = np.bincount(own, minlength=height)
            entries.append((name, own, places_in_rows(own, filled), slots))
            continue
        for later in range(1 + s.interpolate):
            first = np.cumsum(degrees) - degrees - filled[row]
            column = np.arange(len(s.edges), dtype=np.int32)
            column -= np.repeat(first.astype(np.int32), degrees)
            turned = (steps[name] + later) % layout.steps * np.int32(layout.size)
            entries.append((name, row[s.stored.pre], column, slots + turned.astype(np.int32)))
            filled[row] += degrees.astype(np.int32)
    width = max(-(-int(filled.max(initial=1)) // 8) * 8, 8)
    pads = layout.size - _inbox.PADS + np.arange(width, dtype=np.int32) % _inbox.PADS
    targets = np.broadcast_to(pads, (height + 1, width)).copy()
    places: dict[str, list] = {}
    for name, row, column, place in entries:
        flat = row.astype(np.int64) * width + column
        targets.reshape(-1)[flat] = place
        if weighted:
            kind = np.int32 if targets.size < 2**31 else np.int64
            places.setdefault(name, []).append(jnp.asarray(flat.astype(kind)))
    early = {name: jnp.asarray(steps[name]) for name, s in members.items() if s.interpolate}
    found = {name: tuple(each) for name, each in places.items()}
    return Plan(jnp.asarray(targets), found, early, sources, owner)


def _pick(values: np.ndarray, part) -> np.ndarray:
    return values if part is None else values[part.of(len(values))]
