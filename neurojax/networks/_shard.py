"""The part of a network that one device holds, stepped inside `shard_map`."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.connectivity.delivery import in_rows
from neurojax.connectivity.event_products import push
from neurojax.connectivity.procedural import ComputedEdges
from neurojax.core import Clock, Dynamics, Output
from neurojax.core.clock import Portion
from neurojax.core.inputs import resolve
from neurojax.core.part_inputs import inputs_of, with_added
from neurojax.core.spikes import unpack
from neurojax.plasticity.events import Rules, fired_in_rows

from . import _inbox
from ._terminals import Terminals
from .plan import Layout
from .plastic import PlasticPlan, PlasticStep, membrane


class ShardPlan(eqx.Module):
    """The table of a delivery plan: rows of all neurons, targets of this device.

    Arguments:
        targets: places in the inbox of this device.
        weights: shaped like the targets, or `None` for 1.
        sources: populations whose words make the rows.
        owner: the projection whose release or plasticity it serves alone, or `None`.
    """

    targets: Any
    weights: Any
    sources: tuple[str, ...] = eqx.field(static=True)
    owner: str | None = eqx.field(static=True)

    def deliver(self, inbox: Array, words: dict[str, Array], amplitudes, turn, learning) -> Array:
        """The inbox of this device with the weights of all neurons that spike."""
        rows = jnp.concatenate([words[name] for name in self.sources])
        weights: Any = 1.0 if self.weights is None else self.weights
        x: Any = 1.0
        if amplitudes is not None:
            x = jnp.concatenate([in_rows(amplitudes[name]) for name in self.sources])[None]
        if learning is not None:
            if learning.plan.axonal:  # delivered when they arrive, with the amplitude of now
                learning.send(1.0 if amplitudes is None else x[0])
                return inbox
            weights = learning.w
        return push(inbox[None], x, weights, rows[None], self.targets, turn)[0]


class ShardComputed(eqx.Module):
    """A projection whose targets are computed: every device computes all, and keeps its own.

    Arguments:
        edges: what computes them.
        weight: one, or one per sending neuron; 1 where what is read has it.
        neurons: which targets are on this device.
        source: population whose words make the rows.
        place: where their part of the inbox begins, the delay included.
        owner: the projection, where it has release.
    """

    edges: ComputedEdges = eqx.field(static=True)
    weight: Any
    neurons: Any
    source: str = eqx.field(static=True)
    place: int = eqx.field(static=True)
    owner: str | None = eqx.field(static=True)

    def deliver(self, inbox: Array, words: dict[str, Array], amplitudes, turn, learning) -> Array:
        """The inbox of this device with the weights of all neurons that spike."""
        weight = self.weight if amplitudes is None else self.weight * amplitudes[self.source]
        arrived = self.edges.push(weight.astype(inbox.dtype), words[self.source])[self.neurons]
        return _inbox.added(inbox, arrived, self.place, turn)


class Shard(Dynamics):
    """Populations in part, their incoming synapses, and spikes gathered from all devices.

    Spikes are gathered once per shortest delay: until then the packed words of each step wait in
    `"waiting"`, and no receptor can tell. Every device has the terminals of all neurons, which the
    gathered words move on: `"since"` is the first step that these have not seen.

    Arguments:
        populations: the neurons of this device.
        scales: the weights of projections that share one weight.
        real: packed bits of the places where there is a neuron, by population.
        portions: which neurons of each population these are.
        plans: delivery tables.
        computed: projections without one.
        terminals: of the projections with release, by name.
        plastic: of the projections that learn, with the synapses of this device.
        rules: of these, by name.
        layout: of the inbox of this device.
        words: number of packed words by source, without those that pad it out.
        axis: name of the mesh's axis.
        block: steps between two gatherings.
    """

    populations: dict[str, Dynamics]
    scales: dict[str, Any]
    real: dict[str, Any]
    portions: dict[str, Portion]
    plans: tuple[ShardPlan, ...]
    computed: tuple[ShardComputed, ...]
    terminals: dict[str, Terminals]
    plastic: tuple[PlasticPlan, ...]
    rules: dict[str, Rules]
    layout: Layout = eqx.field(static=True)
    words: tuple[tuple[str, int], ...] = eqx.field(static=True)
    axis: str = eqx.field(static=True)
    block: int = eqx.field(static=True)

    def init_state(self, *, key=None):
        """None: the state of the whole network is divided."""
        raise NotImplementedError("a shard is given its state")

    def visible(self, state):
        """The visible states of the populations by name."""
        states = state["populations"]
        return {name: part.visible(states[name]) for name, part in self.populations.items()}

    def prepare(self) -> "Shard":
        """Prepare every population."""
        parts = {name: part.prepare() for name, part in self.populations.items()}
        return eqx.tree_at(lambda s: s.populations, self, parts)

    def prepare_steps(self, state, inputs, clock: Clock) -> "Shard":
        """Prepare the solver of every population."""
        parts = {
            name: part.prepare_steps(state["populations"][name], inputs.get(name, {}), clock)
            for name, part in self.populations.items()
        }
        # another structure: a solver may hold matrices now
        return eqx.tree_at(lambda s: s.populations, self, parts, is_leaf=lambda x: x is None)

    def narrowed(self, state):
        """As those of the whole network."""
        return _inbox.narrowed(state, self.layout)

    def read_inputs(self, inputs, clock: Clock):
        """The inputs of each population as it wants them."""
        parts = self.populations
        read = lambda name, own: (
            parts[name].read_inputs(own, clock) if name in parts else resolve(own, clock)
        )
        return {name: read(name, own) for name, own in inputs.items()}

    def begun(self, state, step):
        """The state with room for the spikes between two gatherings, before a run of steps."""
        if self.block == 1:
            return state
        return state | {"waiting": self._waiting(), "since": jnp.asarray(step)}

    def ended(self, state, clock: Clock):
        """The state with all waiting spikes on their way; `clock` is that of the next step."""
        if self.block == 1:
            return state
        state = dict(state)
        waiting, since = state.pop("waiting"), state.pop("since")
        first = (clock.step - 1) // self.block * self.block
        return state | self._sent_together(state, waiting, first, (since, clock.step), clock)

    def step(self, state, inputs, clock: Clock):
        """Step the neurons of this device, then gather spikes and deliver those that end here."""
        layout, inbox = self.layout, state["inbox"]
        learning = {
            p.name: PlasticStep(
                p, self.rules[p.name], state["plasticity"][p.name], inputs_of(inputs, p.name), clock
            )
            for p in self.plastic
        }
        for plan in self.plans:
            if plan.owner in learning:
                turn = _inbox.turn(clock.step, layout.size, layout.steps)
                inbox = learning[plan.owner].arrive(inbox, plan.targets, turn)
        inbox, arrived = _inbox.take(inbox, clock.step, layout.size, layout.steps)
        impulses = self._impulses(arrived)
        states, outputs = {}, {}
        for name, part in self.populations.items():
            own = with_added(inputs_of(inputs, name), impulses.get(name, {}))
            now = clock.child(name).of(self.portions[name])
            states[name], output = part.step(state["populations"][name], own, now)
            outputs[name] = self._real_only(name, output)
        if not (self.plans or self.computed):
            return {"populations": states, "inbox": inbox}, Output(parts=outputs)
        # everything has read the inbox before it is cleared in place
        states, inbox = jax.lax.optimization_barrier((states, inbox))
        inbox = _inbox.cleared(inbox, clock.step, layout.size, layout.steps)
        spikes = jnp.concatenate([outputs[name].spikes.words for name, _ in self.words])
        # alone: a branch copies what it hands on, so the populations stay outside
        sent = {name: state[name] for name in state if name == "release"} | {"inbox": inbox}
        if self.block == 1:
            words = self._gathered(spikes[None])
            for p in self.plastic:
                own = learning[p.name]
                pre = jnp.concatenate([words[name][0] for name in p.sources])
                post = jnp.concatenate([outputs[name].spikes.words for name in p.targets])
                own.fire(pre, post, self._membrane(p, states))
            sent = self._sent(sent, words, 1, clock.step, None, clock, learning)
            if learning:
                sent["plasticity"] = {name: step.state() for name, step in learning.items()}
            return {"populations": states} | sent, Output(parts=outputs)
        turn, until = clock.step % self.block, clock.step + 1
        waiting = jax.lax.dynamic_update_slice(
            state["waiting"], spikes[None], (turn, jnp.zeros_like(turn))
        )
        since = state["since"]
        sent, waiting, since = jax.lax.cond(
            turn == self.block - 1,
            lambda: (
                self._sent_together(sent, waiting, clock.step - turn, (since, until), clock),
                self._waiting(),
                until,
            ),
            lambda: (sent, waiting, since),
        )
        new = {"populations": states, "waiting": waiting, "since": since} | sent
        return new, Output(parts=outputs)

    # -- one step ----------------------------------------------------------------------------

    def _impulses(self, arrived: Array) -> dict[str, dict[str, Array]]:
        """What arrives at each port of each population in this step."""
        found: dict[str, dict[str, Array]] = {}
        for (name, port), regions in self.layout.regions:
            total: Any = None
            for region in regions:
                part = arrived[region.start : region.start + region.size]
                part = part.astype(jnp.result_type(float))
                if region.scale is not None:
                    part = part * self.scales[region.scale].astype(part.dtype)
                total = part if total is None else total + part
            found.setdefault(name, {})[port] = total
        return found

    def _membrane(self, plan: PlasticPlan, states) -> Array | None:
        """The potential of the targets in rows; as on one device 0 where there is no neuron."""
        V_m = membrane(plan, self.rules[plan.name], states)
        if V_m is None:
            return None
        real = jnp.concatenate([self.real[name] for name in plan.targets])
        return jnp.where(fired_in_rows(real), V_m, 0.0)

    def _real_only(self, name: str, output: Output) -> Output:
        """The output with its spikes packed, and none where there is no neuron."""
        if output.spikes is None:
            return output
        words = output.spikes.packed() & self.real[name]
        spikes = eqx.tree_at(lambda s: s.words, output.spikes, words, is_leaf=lambda x: x is None)
        return Output(spikes, output.values, output.parts)

    def _waiting(self) -> Array:
        size = sum(self.real[name].shape[0] for name, _ in self.words)
        return jnp.zeros((self.block, size), jnp.uint32)

    def _gathered(self, spikes: Array) -> dict[str, Array]:
        """The packed words [step, word] of all neurons, by source."""
        everywhere = jax.lax.all_gather(spikes, self.axis, axis=1)  # [step, device, word]
        words, start = {}, 0
        for name, count in self.words:
            local = self.real[name].shape[0]
            own = everywhere[:, :, start : start + local].reshape(len(spikes), -1)
            words[name], start = own[:, :count], start + local
        return words

    def _sent_together(self, sent, spikes: Array, first, seen, clock: Clock):
        return self._sent(sent, self._gathered(spikes), len(spikes), first, seen, clock, {})

    def _sent(self, sent, words, steps: int, first, seen, clock: Clock, learning):
        """Deliver the spikes of all devices in some steps, of which `first` is the first one.

        Into the inbox of `sent`, which has the states of release too. These move in the steps from
        `seen[0]` to the one before `seen[1]`; `None`: in all.
        """
        layout = self.layout

        def deliver(i, carry):
            inbox, release = carry
            turn = _inbox.turn(first + i, layout.size, layout.steps)
            now = {name: own[i] for name, own in words.items()}
            amplitudes, moved = self._released(release, now, eqx.tree_at(at, clock, first + i))
            if seen is not None:
                moves = (first + i >= seen[0]) & (first + i < seen[1])
                moved = jax.tree.map(lambda new, old: jnp.where(moves, new, old), moved, release)
            for plan in (*self.plans, *self.computed):
                owner = plan.owner
                inbox = plan.deliver(inbox, now, amplitudes.get(owner), turn, learning.get(owner))
            return inbox, moved

        at = lambda c: c.step
        carry = sent["inbox"], sent.get("release", {})
        if steps == 1:
            inbox, release = deliver(0, carry)
        else:
            inbox, release = jax.lax.fori_loop(0, steps, deliver, carry)
        return {"inbox": inbox} | ({"release": release} if release else {})

    def _released(self, state, words: dict[str, Array], clock: Clock):
        """The amplitudes of all neurons by projection with release, and the new states."""
        sizes, amplitudes, moved = dict(self.layout.sources), {}, {}
        for name, terminals in self.terminals.items():
            fired = {n: unpack(words[n], sizes[n]) for n, _ in terminals.source}
            amplitudes[name], moved[name] = terminals.released(state[name], fired, clock)
        return amplitudes, moved
