"""Other synapses for a plastic projection, between two runs."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.connectivity.edges import Edges, per_edge
from neurojax.core import SimState, as_parameter
from neurojax.core.fixed import Fixed
from neurojax.plasticity._checks import check_one_run

from ._copies import replaced
from ._other_delays import in_ring, on_other_delays
from .plan import compile_network
from .plastic import check, rules_of
from .synapses import Synapses, check_delay


def rewired(network, state, old: Synapses, edges: Edges, origin: np.ndarray, weight):
    """See `Network.with_edges`; `old` are the synapses so far."""
    projection, rules = old.name, rules_of(old)
    if not rules:
        raise ValueError(f"projection {projection!r} has no plasticity=, so its synapses stay")
    if len(edges) != len(old.edges) or origin.shape != (len(edges),):
        raise ValueError(
            f"projection {projection!r} has {len(old.edges)} synapses and keeps this number, got "
            f"{len(edges)} edges and origin of shape {origin.shape}"
        )
    _check(old, edges, origin)
    first = _first_weights(old, edges, origin, weight)
    if old.distance is not None and old.distance.between is not None and edges.distance is None:
        distance = old.distance.between(edges.pre, edges.post)
        edges = dataclasses.replace(edges, distance=distance)
    bare = state.state if isinstance(state, SimState) else state
    step = state.step if isinstance(state, SimState) else None
    kept = jnp.asarray(origin >= 0)
    from_old = jnp.asarray(np.maximum(origin, 0))
    present = network.weights(bare, projection)
    check_one_run(present)
    present = jnp.where(kept, present[from_old], first)
    synapses = dataclasses.replace(
        old, edges=edges, weight=as_parameter(present), fixed_delay=_delays(old, edges, origin)
    )
    projections = network.projections | {projection: synapses}
    compiled = compile_network(projections, network.sizes, network.layout.dt)
    new = replaced(network, projections=projections, tables=None, **compiled)

    before, after = _plan(network, projection), _plan(new, projection)
    where_old, where_new = before.places[projection][0], after.places[projection][0]
    learning = next(plan for plan in new.plastic if plan.name == projection)
    learnt: dict[str, Any] = on_other_delays(
        dict(bare["plasticity"][projection]), paramax.unwrap(rules),
        next(plan for plan in network.plastic if plan.name == projection), learning, step,
    )  # fmt: skip

    def moved(table, first, padding):
        values = jnp.where(kept, table.reshape(-1)[where_old][from_old], first)
        flat = jnp.full(after.targets.size, padding, table.dtype)
        return flat.at[where_new].set(values.astype(table.dtype)).reshape(after.targets.shape)

    pre, post = where_new // after.targets.shape[1], learning.where.posts.reshape(-1)[where_new]

    def carried(rule, own):
        ends = (own["pre"], pre), (own["post"], post)
        first = rule.new_synapse(*({n: x[row] for n, x in side.items()} for side, row in ends))
        padding = rule.init_synapse()
        return {n: moved(x, first[n], padding[n]) for n, x in own["synapse"].items()}

    learnt["graph"] = learning.graph
    learnt["weights"] = moved(learnt["weights"], first, 0.0)
    learnt["rules"] = [
        own | {"synapse": carried(paramax.unwrap(rule), own)}
        for rule, own in zip(rules, learnt["rules"], strict=True)
    ]
    places = max(r.start + r.size for _, found in new.layout.regions for r in found)
    inbox = in_ring(bare["inbox"], network.layout.steps, new.layout.steps, step, projection, places)
    bare = bare | {"inbox": inbox, "plasticity": bare["plasticity"] | {projection: learnt}}
    return new, dataclasses.replace(state, state=bare) if isinstance(state, SimState) else bare


def _check(old: Synapses, edges: Edges, origin: np.ndarray) -> None:
    sizes, given = (old.edges.n_pre, old.edges.n_post), (edges.n_pre, edges.n_post)
    if sizes != given:
        raise ValueError(
            f"projection {old.name!r} goes from {sizes[0]} to {sizes[1]} neurons, but the edges "
            f"from {given[0]} to {given[1]}"
        )
    if origin.dtype.kind not in "iu":
        raise TypeError(f"origin must be whole numbers, got {origin.dtype}")
    wrong = (origin < -1) | (origin >= len(edges))
    if wrong.any():
        raise ValueError(
            f"origin must name one of the {len(edges)} old synapses, or -1, but origin"
            f"[{np.argmax(wrong)}] is {origin[np.argmax(wrong)]}"
        )


def _first_weights(old: Synapses, edges: Edges, origin: np.ndarray, weight):
    """The weights of synapses that take over none; what stands for the others is not read."""
    fresh = origin < 0
    if weight is not None and edges.weight is not None and fresh.any():
        raise ValueError(
            f"new synapses of projection {old.name!r} have the weights of the edges, or all have "
            f"weight={weight:g}: leave one of them out"
        )
    if weight is not None:
        if not np.isfinite(weight):
            raise ValueError(f"weight must be a finite number, got {weight}")
        check(dataclasses.replace(old, weight=as_parameter(weight)))
        return weight
    if not fresh.any():
        return 0.0
    if edges.weight is None:
        raise ValueError(
            f"projection {old.name!r} has new synapses (origin -1): give them weight=, or edges "
            "with weights"
        )
    check(dataclasses.replace(old, weight=as_parameter(edges.weight[fresh])))
    return jnp.asarray(edges.weight)


def _delays(old: Synapses, edges: Edges, origin: np.ndarray):
    """The delays of the edges, else those of their distances, else those that there are.

    Of delays that are none of their ends' each new synapse has that of one that goes, so that
    their distribution stays.
    """
    fixed, law = old.fixed_delay, old.distance
    if edges.delay is not None:
        check_delay(edges.delay, drawn_or_made=False)
        return Fixed(edges.delay)
    if fixed is None or fixed.value.ndim == 0:
        return fixed
    fresh = origin < 0
    gone = np.setdiff1d(np.arange(len(origin)), origin)
    source = origin.copy()
    source[fresh] = gone[: np.sum(fresh)]
    delays = fixed.value[source]
    if law is not None and law.delay is not None:
        was, now = old.stored, edges
        other = fresh | (was.pre[source] != now.pre) | (was.post[source] != now.post)
        if other.any():
            delays[other] = _of_distances(old.name, law.delay, edges)[other]
    return Fixed(delays)


def _of_distances(name: str, delay, edges: Edges) -> np.ndarray:
    if edges.distance is None:
        raise ValueError(
            f"the delays of projection {name!r} are a function of distance, and its graph does "
            "not know how far apart other neurons are: call net.with_edges with edges that have "
            "distance= or delay="
        )
    found = per_edge("delay", delay(edges.distance), len(edges))
    check_delay(found, drawn_or_made=True)
    return found


def _plan(network, projection: str):
    return next(plan for plan in network.plans if plan.owner == projection)
