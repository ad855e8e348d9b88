"""Plastic projections in a network: their tables, their state and their part of a step.

The state of a plastic projection is its table of weights in the shape of its plan's targets, what
its rules keep, and a ring with the packed spikes that are still on their way along the side that
the delay is on. In a step the traces move first. With an axonal delay the spikes that arrive in
this step then change their synapses and are delivered at once; the postsynaptic spikes of the step
follow when they are known. With a dendritic delay everything happens at the end of the step:
postsynaptic spikes that have travelled back, then presynaptic spikes, which are sent off. Rules of
the membrane potential come after the spikes; with a dendritic delay it travels like them.
"""

import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array, UInt32

from neurojax.connectivity._ordering import counting_argsort
from neurojax.connectivity.delivery import in_rows
from neurojax.connectivity.event_products import push
from neurojax.connectivity.spike_list import BITS
from neurojax.core import Clock
from neurojax.core.tracing import known
from neurojax.plasticity import AbstractRule
from neurojax.plasticity.events import (
    Moving,
    Rules,
    Where,
    acts,
    at_events,
    fired_in_rows,
    packed_rows,
    settled,
)

from . import _inbox
from .synapses import Synapses

Words = dict[str, Array]


class PlasticPlan(eqx.Module):
    """Where the synapses of a plastic projection stand, and how its spikes travel.

    Where synapses have several delays, the side that they are on has its rows once for each of
    them, as if every neuron had that many axons (or dendrites): what waits, the traces and the
    tables then are those of one delay.

    Arguments:
        where: the synapses of each target.
        used: packed words of the rows with synapses; `None` with one delay for all.
        graph: a number that tells these synapses, and the side of their delays, from others.
        name: of the projection.
        sources: populations of the presynaptic side, whose words make the rows.
        targets: populations of the postsynaptic side.
        delays: the different delays, in steps, from the shortest to the longest.
        axonal: whether the delay is on the axon.
        dt: ms.
    """

    where: Where
    used: UInt32[Array, " words"] | None
    graph: UInt32[Array, ""]
    name: str = eqx.field(static=True)
    sources: tuple[str, ...] = eqx.field(static=True)
    targets: tuple[str, ...] = eqx.field(static=True)
    delays: tuple[int, ...] = eqx.field(static=True)
    axonal: bool = eqx.field(static=True)
    dt: float = eqx.field(static=True)


def rules_of(synapses: Synapses) -> tuple[Any, ...]:
    """The rules of a projection: none, one or several."""
    rules = synapses.plasticity
    if rules is None:
        return ()
    return tuple(rules) if isinstance(rules, list | tuple) else (rules,)


def is_axonal(synapses: Synapses) -> bool:
    """Whether a projection learns and its delay is on the axon."""
    rules = rules_of(synapses)
    return bool(rules) and rules[0].delay == "axonal"


def delays_of(synapses: Synapses, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """The different delays of a projection in steps of `dt` ms, and which one each synapse has."""
    steps = synapses.delay_steps(dt)
    if not steps.size:
        return np.ones(1, np.int32), steps
    return np.unique(steps, return_inverse=True)


def check(s: Synapses) -> None:
    """What a plastic projection cannot be.

    Raises:
        TypeError: if `plasticity` is no rule.
        ValueError: if rules disagree about the delay, delays lie between steps, or weights lie
            outside the bounds.
    """
    rules, name = rules_of(s), f"projection {s.name!r}"
    for rule in rules:
        if not isinstance(rule, AbstractRule):
            raise TypeError(
                f"plasticity of {name} must be a rule of nj.plasticity, such as PairSTDP(), or a "
                f"list of them, got {rule!r}"
            )
    if len({rule.delay for rule in rules}) > 1:
        raise ValueError(
            f"the rules of {name} must agree about delay=, got "
            + ", ".join(repr(rule.delay) for rule in rules)
        )
    if not rules:
        return
    if s.interpolate:
        raise ValueError(
            f"{name} is plastic and needs delays of whole steps: leave interpolate=True out"
        )
    weight = paramax.unwrap(s.weight)
    for rule in rules:
        low, high = paramax.unwrap(rule.w_min), paramax.unwrap(rule.w_max)
        if not known(weight, low, high) or np.size(weight) == 0:
            continue
        least, most = float(np.min(weight)), float(np.max(weight))
        slack = 1e-6 * max(abs(least), abs(most))
        if least < float(low) - slack or most > float(high) + slack:
            raise ValueError(
                f"the weights of {name} lie between {least:g} and {most:g}, but those of "
                f"{type(rule).__name__} must lie between w_min={float(low):g} and "
                f"w_max={float(high):g}: give other bounds"
            )


def compile_plastic(synapses: dict[str, Synapses], plans, sources, dt: float, rows_of, pick):
    """The plans of all plastic projections.

    Arguments:
        synapses: all projections by name.
        plans: the delivery plans.
        sources: populations with packed words, and their sizes.
        dt: ms.
        rows_of: gives the row of each neuron of some populations.
        pick: gives the chosen neurons of a population.
    """
    found = []
    for plan in plans:
        s = synapses.get(plan.owner)
        if s is None or not rules_of(s):
            continue
        for rule in rules_of(s):
            rule.check_grid(dt)
        used = {name for name, _ in s.target}
        targets = tuple((name, n) for name, n in sources if name in used)
        delays, which = delays_of(s, dt)
        axonal, several = is_axonal(s), len(delays) > 1
        rows = rows_of(targets)
        row = np.concatenate([pick(rows[name], part) for name, part in s.target])[s.stored.post]
        height = sum(-(-n // BITS) for _, n in targets) * BITS
        if several and not axonal:
            row, height = row + which * height, height * len(delays)
        where = _where(plan, row, height)
        used = None
        if several:
            of_plan = np.asarray(plan.places[plan.owner][0]) // plan.targets.shape[1]
            has_synapses = np.zeros(1 + (plan.targets.shape[0] - 1 if axonal else height), bool)
            has_synapses[of_plan if axonal else row] = True
            used = packed_rows(jnp.asarray(has_synapses))
        names = lambda side: tuple(name for name, _ in side)
        graph = zlib.crc32(np.asarray(where.posts).tobytes(), int(axonal))
        found.append(
            PlasticPlan(
                where, used, jnp.uint32(graph), s.name, names(plan.sources), names(targets),
                tuple(delays.tolist()), axonal, dt,
            )
        )  # fmt: skip
    return tuple(found)


def places_in_rows(rows: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The place of each entry among those of its row, in order; `degrees` is how many there are."""
    order = counting_argsort(rows, len(degrees))
    places = np.empty(len(rows), np.int32)
    places[order] = np.arange(len(rows)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    return places


def _where(plan, post: np.ndarray, height: int) -> Where:
    """The tables of targets by synapse and of synapses by target."""
    shape = plan.targets.shape
    if shape[0] * shape[1] >= 2**31:
        raise ValueError(
            f"projection {plan.owner!r} has too many plastic synapses, or too many different "
            "delays, for 32-bit places; split it, or round its delays to fewer values"
        )
    flat = np.asarray(plan.places[plan.owner][0]).astype(np.int32)
    posts = np.full(shape, height, np.int32)
    posts.reshape(-1)[flat] = post
    degrees = np.bincount(post, minlength=height)
    indegree = max(-(-int(degrees.max(initial=1)) // 8) * 8, 8)
    # padding lies in the last row of the table, spread over it
    padding = (shape[0] - 1) * shape[1] + np.arange(indegree, dtype=np.int32) % shape[1]
    incoming = np.broadcast_to(padding.astype(np.int32), (height + 1, indegree)).copy()
    incoming[post, places_in_rows(post, degrees)] = flat
    return Where(jnp.asarray(posts), jnp.asarray(incoming))


def check_membrane(plan: PlasticPlan, rules: Rules, populations) -> None:
    """Targets of a rule that senses the membrane potential have one.

    Raises:
        ValueError: naming the population without `V_m`.
    """
    for name in plan.targets if acts(rules, "sense") else ():
        part = populations[name]
        state = jax.eval_shape(lambda part=part: part.init_state(key=jax.random.key(0)))
        if not isinstance(state, dict) or "V_m" not in state:
            kinds = ", ".join(type(r).__name__ for r in rules if acts((r,), "sense"))
            raise ValueError(
                f"{kinds} of projection {plan.name!r} reads the membrane potential 'V_m' of its "
                f"targets, but {name!r} ({type(part).__name__}) has none"
            )


def membrane(plan: PlasticPlan, rules: Rules, states: dict[str, Any]) -> Array | None:
    """The potential of all targets in rows; `None` where no rule senses it.

    Arguments:
        plan: of the projection.
        rules: its rules.
        states: of the populations.
    """
    if not acts(rules, "sense"):
        return None
    return jnp.pad(jnp.concatenate([in_rows(states[name]["V_m"]) for name in plan.targets]), (0, 1))


def waiting(plan: PlasticPlan) -> int:
    """The rows of neurons on the side with the delay."""
    tables = plan.where.posts if plan.axonal else plan.where.incoming
    return (tables.shape[0] - 1) // len(plan.delays)


def places_under_way(plan: PlasticPlan) -> int:
    """The packed words of the spikes that are on their way along the side with the delay."""
    return plan.delays[-1] * (waiting(plan) // BITS)


def init(
    plan: PlasticPlan, rules: Rules, table: Array, V_m: Array | None, releases: bool
) -> dict[str, Any]:
    """The state of a plastic projection, which may have release too, before the first step."""
    kind = table.dtype
    full = lambda values, shape: {n: jnp.full(shape, v, kind) for n, v in values.items()}
    rows, targets = table.shape[0], plan.where.incoming.shape[0]
    longest = plan.delays[-1]
    state = {
        "weights": table,
        "graph": plan.graph,
        "under_way": jnp.zeros(places_under_way(plan), jnp.uint32),
        "rules": [
            {
                "pre": full(rule.init_pre(), (rows,)),
                "post": full(rule.init_post(), (targets,)),
                "synapse": full(rule.init_synapse(), table.shape),
                "shared": full(rule.init_shared(), ()),
            }
            for rule in rules
        ],
    }
    for rule, own in zip(rules, state["rules"], strict=True):
        past = {
            name: jnp.tile(own["post"][other], steps)
            for name, (other, steps) in _past(rule, plan.dt).items()
            if steps
        }
        own |= {"past": past} if past else {}
    if V_m is not None and not plan.axonal:
        state["membrane"] = jnp.tile(V_m[:-1].astype(kind), longest)
    if releases and plan.axonal:
        state["released"] = jnp.zeros(longest * waiting(plan), kind)
    return state


def _past(rule: AbstractRule, dt: float) -> dict[str, tuple[str, int]]:
    """The traces that hold what another one was: by name, the other and whole steps."""
    return {name: (other, round(ms / dt)) for name, (other, ms) in rule.remembered().items()}


def longest_ring(plan: PlasticPlan, synapses) -> int:
    """Over how many steps a plastic projection remembers; 1 is what arrives in the next step."""
    past = [steps for rule in rules_of(synapses) for _, steps in _past(rule, plan.dt).values()]
    return max(plan.delays[-1], *(1 + steps for steps in past), 1)


def learnt_in(state, plan: PlasticPlan, rules: Rules) -> dict[str, Any]:
    """The state of a plastic projection in that of its network, of one run or of several.

    Arguments:
        state: of the network.
        plan: of the projection.
        rules: its rules.

    Raises:
        TypeError: if the state has no such projection that learns.
        ValueError: if it has other synapses or rules.
    """
    learnt, name = state.get("plasticity", {}) if isinstance(state, dict) else {}, plan.name
    if name not in learnt:
        raise TypeError(
            f"state must be one of a network in which projection {name!r} learns, such as "
            f"sim.final_state, got {type(state).__name__}"
        )
    own = learnt[name]
    parts = {"pre": "init_pre", "post": "init_post", "synapse": "init_synapse",
             "shared": "init_shared"}  # fmt: skip
    names = [[sorted(getattr(rule, init)()) for init in parts.values()] for rule in rules]
    found = [[sorted(kept[part]) for part in parts] for kept in own["rules"]]
    if found != names or is_of_others(own, plan):
        raise ValueError(
            f"the state is that of another network: its projection {name!r} has other "
            f"{'rules' if found != names else 'synapses'}"
        )
    return own


def is_of_others(own: dict[str, Any], plan: PlasticPlan) -> bool:
    """Whether the state of a plastic projection is known to be that of other synapses."""
    graph = own.get("graph")
    return known(graph, plan.graph) and bool(np.any(np.asarray(graph) != np.asarray(plan.graph)))


def present_weights(rules: Rules, state: dict[str, Any]) -> Array:
    """The table of weights, up to date."""
    w = state["weights"]
    for rule, own in zip(rules, state["rules"], strict=True):
        w = rule.present({"w": w} | own["synapse"], own["shared"])["w"]
    return w


class PlasticStep:
    """One step of a plastic projection.

    Arguments:
        plan: of the projection.
        rules: its rules.
        state: as `init` makes it.
        inputs: the inputs of the projection.
        clock: of the step.
    """

    def __init__(self, plan: PlasticPlan, rules: Rules, state, inputs, clock: Clock):
        self.plan, self.rules, self.clock = plan, rules, clock
        h, pairs = clock.dt, list(zip(rules, state["rules"], strict=True))
        self.w = state["weights"]
        self.synapses = tuple(own["synapse"] for own in state["rules"])
        self.pre = tuple(rule.decay_pre(own["pre"], h) for rule, own in pairs)
        self.post = tuple(rule.decay_post(own["post"], h) for rule, own in pairs)
        self.shared = tuple(rule.advance(own["shared"], inputs, h) for rule, own in pairs)
        # moved in place, once: else XLA does it again wherever they are read, on a copy
        self.pre, self.post = jax.lax.optimization_barrier((self.pre, self.post))
        self.past = [own.get("past", {}) for own in state["rules"]]
        self.membrane, self.released = state.get("membrane"), state.get("released")
        self.graph = state["graph"]
        self.ring, self.due = self._taken(state["under_way"])
        # rows without synapses have traces, which move, but no events
        self.listed = self.due if plan.used is None else self.due & plan.used

    def _moving(self, acting: int | None = None) -> Moving:
        return Moving(self.rules, self.w, self.synapses, self.pre, self.post, self.shared, acting)

    def _at(self, side: str, words: Array) -> None:
        # a presynaptic spike transmits what is up to date
        if acts(self.rules, side) or (side == "at_pre" and acts(self.rules, "present")):
            self.w, self.synapses = at_events(side, self._moving(), words, self.plan.where)

    def arrive(self, inbox: Array, targets: Array, turn) -> Array:
        """The inbox with the spikes that arrive in this step; nothing with a dendritic delay."""
        if not self.plan.axonal:
            return inbox
        self._at("at_pre", self.listed)
        amplitude: Any = 1.0
        if self.released is not None:
            self.released, found = self._taken(self.released)
            amplitude = found[None]
        inbox = push(inbox[None], amplitude, self.w, self.listed[None], targets, turn)[0]
        # read before later events change it: else XLA keeps a copy
        inbox, self.w = jax.lax.optimization_barrier((inbox, self.w))
        return inbox

    def fire(self, pre: Array, post: Array, V_m: Array | None) -> None:
        """Take the spikes of this step, in packed words, and the potential of the targets."""
        if self.plan.axonal:
            self._at("at_post", post)
            self._sense(V_m, post)
            self._after(self.due, post)
            self.ring = self._queued(self.ring, pre, self.plan.delays[-1])
        else:
            self._at("at_post", self.listed)
            self._at("at_pre", pre)
            if V_m is not None and self.membrane is not None:
                ring, due = self._taken(self.membrane)
                self.membrane = self._queued(ring, V_m[:-1], self.plan.delays[-1])
                V_m = jnp.pad(due, (0, 1))
            self._sense(V_m, self.due)
            self._after(pre, self.due)
            self.ring = self._queued(self.ring, post, self.plan.delays[-1])
        self._settle()

    def send(self, amplitude) -> None:
        """Let the amplitudes of spikes wait on their axons like the spikes, where they differ."""
        if self.released is None:
            return
        amplitude = amplitude.astype(self.released.dtype)
        self.released = self._queued(self.released, amplitude, self.plan.delays[-1])

    def _sense(self, V_m: Array | None, post: Array) -> None:
        if V_m is None:
            return
        dtype, h = self.w.dtype, self.clock.dt
        fired, V_m = fired_in_rows(post).astype(dtype), V_m.astype(dtype)
        self.post = tuple(
            self._remember(i, rule.sense(own, V_m, fired, h))
            for i, (rule, own) in enumerate(zip(self.rules, self.post, strict=True))
        )
        height, width = self.w.shape
        # rows without synapses are never asked
        has_synapses = self.plan.where.incoming[:, 0] < (height - 1) * width
        for i, rule in enumerate(self.rules):
            if acts((rule,), "while_active"):
                words = packed_rows(rule.active(self.post[i]) & has_synapses)
                moved = at_events("while_active", self._moving(i), words, self.plan.where)
                self.w, self.synapses = moved

    def _remember(self, i: int, post):
        """The traces of a rule with those that hold what others were."""
        post, past = dict(post), dict(self.past[i])
        for name, (other, steps) in _past(self.rules[i], self.plan.dt).items():
            post[name] = post[other]
            if steps:
                ring, before = self._take(past[name], steps)
                past[name], post[name] = self._queued(ring, post[other], steps), before
        self.past[i] = past
        return post

    def _after(self, pre: Array, post: Array) -> None:
        read = (self.w, self.synapses, self.pre, self.post)
        self.w, self.synapses, self.pre, self.post = jax.lax.optimization_barrier(read)
        fired = [fired_in_rows(words).astype(self.w.dtype) for words in (pre, post)]
        sides = zip(self.rules, self.pre, self.post, strict=True)
        after = [(r.after_pre(a, fired[0]), r.after_post(b, fired[1])) for r, a, b in sides]
        self.pre, self.post = (tuple(side) for side in zip(*after, strict=True))

    def _take(self, ring: Array, steps: int) -> tuple[Array, Array]:
        """A ring over some steps, and what was put in so many steps ago."""
        return _inbox.take(ring, self.clock.step, ring.shape[0] // steps, steps)

    def _taken(self, ring: Array) -> tuple[Array, Array]:
        """A ring over the longest delay, and what was put in each of the delays ago."""
        longest, delays = self.plan.delays[-1], self.plan.delays
        if len(delays) == 1:
            return self._take(ring, longest)
        ago = (self.clock.step - jnp.asarray(delays)) % longest
        found = ring.reshape(longest, -1).at[ago].get(mode="promise_in_bounds").ravel()
        return jax.lax.optimization_barrier((ring, found))

    def _queued(self, ring: Array, new: Array, steps: int) -> Array:
        if steps == 1:
            return new
        turn: Any = _inbox.turn(self.clock.step, new.shape[0], steps)
        return jax.lax.dynamic_update_slice(ring, new, (turn,))

    def _settle(self) -> None:
        for i, rule in enumerate(self.rules):
            interval = rule.interval()
            if interval is None:
                continue
            every = jnp.maximum(jnp.round(interval / self.clock.dt), 1.0).astype(jnp.int32)
            due = (self.clock.step + 1) % every == 0
            self.w, self.synapses = settled(self._moving(i), due, self.plan.where)
            after = rule.settle_shared(self.shared[i])
            own = {n: jnp.where(due, after[n], x) for n, x in self.shared[i].items()}
            self.shared = (*self.shared[:i], own, *self.shared[i + 1 :])

    def state(self) -> dict[str, Any]:
        """The new state."""
        parts = zip(self.pre, self.post, self.synapses, self.shared, strict=True)
        names = ("pre", "post", "synapse", "shared")
        rules = [
            dict(zip(names, part, strict=True)) | ({"past": past} if past else {})
            for part, past in zip(parts, self.past, strict=True)
        ]
        waiting = {"membrane": self.membrane, "released": self.released}
        waiting = {name: ring for name, ring in waiting.items() if ring is not None}
        same = {"weights": self.w, "graph": self.graph, "under_way": self.ring, "rules": rules}
        return same | waiting
