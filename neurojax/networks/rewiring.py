"""Other synapses for a plastic projection, between two runs."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.connectivity.edges import Edges
from neurojax.connectivity.pairs import all_different
from neurojax.core import SimState, as_parameter
from neurojax.plasticity._checks import check_one_run

from .plan import compile_network
from .plastic import check, rules_of
from .synapses import Fixed, Synapses


def rewired(network, state, old: Synapses, edges: Edges, origin: np.ndarray, weight: float):
    """See `Network.with_edges`; `old` are the synapses so far."""
    projection, rules = old.name, rules_of(old)
    if not rules:
        raise ValueError(f"projection {projection!r} has no plasticity=, so its synapses stay")
    if len(edges) != len(old.edges) or origin.shape != (len(edges),):
        raise ValueError(
            f"projection {projection!r} has {len(old.edges)} synapses and keeps this number, got "
            f"{len(edges)} edges and origin of shape {origin.shape}"
        )
    _check(old, edges, origin, weight)
    several = old.fixed_delay is not None and old.fixed_delay.value.ndim
    if several and not all_different(origin[origin >= 0]):
        raise ValueError(
            f"projection {projection!r} has a delay for each synapse, so origin must name an old "
            "synapse once at most"
        )
    bare = state.state if isinstance(state, SimState) else state
    kept = jnp.asarray(origin >= 0)
    from_old = jnp.asarray(np.maximum(origin, 0))
    present = network.weights(bare, projection)
    check_one_run(present)
    present = jnp.where(kept, present[from_old], weight)
    synapses = dataclasses.replace(
        old, edges=edges, weight=as_parameter(present), fixed_delay=_delays(old, origin)
    )
    projections = network.projections | {projection: synapses}
    compiled = compile_network(projections, network.sizes, network.layout.dt)
    new = network._replaced(projections=projections, tables=None, **compiled)

    before, after = _plan(network, projection), _plan(new, projection)
    where_old, where_new = before.places[projection][0], after.places[projection][0]
    learnt: dict[str, Any] = dict(bare["plasticity"][projection])

    def moved(table, first, padding):
        values = jnp.where(kept, table.reshape(-1)[where_old][from_old], first)
        flat = jnp.full(after.targets.size, padding, table.dtype)
        return flat.at[where_new].set(values.astype(table.dtype)).reshape(after.targets.shape)

    learning = next(plan for plan in new.plastic if plan.name == projection)
    pre, post = where_new // after.targets.shape[1], learning.where.posts.reshape(-1)[where_new]

    def carried(rule, own):
        ends = (own["pre"], pre), (own["post"], post)
        first = rule.new_synapse(*({n: x[row] for n, x in side.items()} for side, row in ends))
        padding = rule.init_synapse()
        return {n: moved(x, first[n], padding[n]) for n, x in own["synapse"].items()}

    learnt["graph"] = learning.graph
    learnt["weights"] = moved(learnt["weights"], weight, 0.0)
    learnt["rules"] = [
        own | {"synapse": carried(paramax.unwrap(rule), own)}
        for rule, own in zip(rules, learnt["rules"], strict=True)
    ]
    bare = bare | {"plasticity": bare["plasticity"] | {projection: learnt}}
    return new, dataclasses.replace(state, state=bare) if isinstance(state, SimState) else bare


def _check(old: Synapses, edges: Edges, origin: np.ndarray, weight) -> None:
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
    if not np.isfinite(weight):
        raise ValueError(f"weight must be a finite number, got {weight}")
    check(dataclasses.replace(old, weight=as_parameter(weight)))


def _delays(old, origin: np.ndarray):
    """Synapses keep their delays; new ones have those of the synapses that they replace."""
    fixed = old.fixed_delay
    if fixed is None or fixed.value.ndim == 0:
        return fixed
    gone = np.setdiff1d(np.arange(len(origin)), origin)
    source = origin.copy()
    source[origin < 0] = gone[: np.sum(origin < 0)]
    return Fixed(fixed.value[source])


def _plan(network, projection: str):
    return next(plan for plan in network.plans if plan.owner == projection)
