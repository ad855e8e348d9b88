"""The part of a network that one device holds, stepped inside `shard_map`."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.connectivity.event_products import push
from neurojax.connectivity.procedural import ComputedEdges
from neurojax.core import Clock, Dynamics, Output
from neurojax.core.clock import Portion

from . import _inbox
from .plan import Layout


class ShardPlan(eqx.Module):
    """The table of a delivery plan: rows of all neurons, targets of this device.

    Arguments:
        targets: places in the inbox of this device.
        weights: shaped like the targets, or `None` for 1.
        sources: populations whose words make the rows.
    """

    targets: Any
    weights: Any
    sources: tuple[str, ...] = eqx.field(static=True)


class ShardComputed(eqx.Module):
    """A projection whose targets are computed: every device computes all, and keeps its own.

    Arguments:
        edges: what computes them.
        weight: one, or one per sending neuron; 1 where what is read has it.
        neurons: which targets are on this device.
        source: population whose words make the rows.
        place: where their part of the inbox begins, the delay included.
    """

    edges: ComputedEdges = eqx.field(static=True)
    weight: Any
    neurons: Any
    source: str = eqx.field(static=True)
    place: int = eqx.field(static=True)

    def deliver(self, inbox: Array, words: Array, turn) -> Array:
        """The inbox of this device with the weights of all neurons that spike."""
        arrived = self.edges.push(self.weight.astype(inbox.dtype), words)[self.neurons]
        return _inbox.added(inbox, arrived, self.place, turn)


class Shard(Dynamics):
    """Populations in part, their incoming synapses, and spikes gathered from all devices.

    Spikes are gathered once per shortest delay: until then the packed words of each step wait in
    `"waiting"`, and no receptor can tell.

    Arguments:
        populations: the neurons of this device.
        scales: the weights of projections that share one weight.
        real: packed bits of the places where there is a neuron, by population.
        portions: which neurons of each population these are.
        plans: delivery tables.
        computed: projections without one.
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

    def read_inputs(self, inputs, clock: Clock):
        """The inputs of each population as it wants them."""
        return {
            name: self.populations[name].read_inputs(own, clock) for name, own in inputs.items()
        }

    def waiting(self) -> Array:
        """Room for the words of the steps between two gatherings."""
        size = sum(self.real[name].shape[0] for name, _ in self.words)
        return jnp.zeros((self.block, size), jnp.uint32)

    def step(self, state, inputs, clock: Clock):
        """Step the neurons of this device, then gather spikes and deliver those that end here."""
        layout = self.layout
        inbox, arrived = _inbox.take(state["inbox"], clock.step, layout.size, layout.steps)
        impulses = self._impulses(arrived)
        states, outputs = {}, {}
        for name, part in self.populations.items():
            own, ports = dict(inputs.get(name, {})), impulses.get(name, {})
            own |= {port: own[port] + x if port in own else x for port, x in ports.items()}
            now = clock.child(name).of(self.portions[name])
            states[name], output = part.step(state["populations"][name], own, now)
            outputs[name] = self._real_only(name, output)
        if not (self.plans or self.computed):
            return {"populations": states, "inbox": inbox}, Output(parts=outputs)
        # everything has read the inbox before it is cleared in place
        states, inbox = jax.lax.optimization_barrier((states, inbox))
        inbox = _inbox.cleared(inbox, clock.step, layout.size, layout.steps)
        spikes = jnp.concatenate([outputs[name].spikes.words for name, _ in self.words])
        new = {"populations": states}
        if self.block == 1:
            new["inbox"] = self._sent(inbox, spikes[None], clock.step)
            return new, Output(parts=outputs)
        turn = clock.step % self.block
        waiting = jax.lax.dynamic_update_slice(
            state["waiting"], spikes[None], (turn, jnp.zeros_like(turn))
        )
        first = clock.step - turn
        inbox, waiting = jax.lax.cond(
            turn == self.block - 1,
            lambda: (self._sent(inbox, waiting, first), self.waiting()),
            lambda: (inbox, waiting),
        )
        return new | {"inbox": inbox, "waiting": waiting}, Output(parts=outputs)

    def flushed(self, state, step):
        """The state with all waiting spikes on their way; `step` is the number of the next step."""
        if "waiting" not in state:
            return state
        first = (step - 1) // self.block * self.block
        inbox = self._sent(state["inbox"], state["waiting"], first)
        return {"populations": state["populations"], "inbox": inbox}

    # -- one step ----------------------------------------------------------------------------

    def _impulses(self, arrived: Array) -> dict[str, dict[str, Array]]:
        """What arrives at each port of each population in this step."""
        found: dict[str, dict[str, Array]] = {}
        for (name, port), regions in self.layout.regions:
            total: Any = None
            for region in regions:
                part = arrived[region.start : region.start + region.size]
                if region.scale is not None:
                    part = part * self.scales[region.scale].astype(part.dtype)
                total = part if total is None else total + part
            found.setdefault(name, {})[port] = total
        return found

    def _real_only(self, name: str, output: Output) -> Output:
        """The output with its spikes packed, and none where there is no neuron."""
        if output.spikes is None:
            return output
        words = output.spikes.packed() & self.real[name]
        spikes = eqx.tree_at(lambda s: s.words, output.spikes, words, is_leaf=lambda x: x is None)
        return Output(spikes, output.values, output.parts)

    def _sent(self, inbox: Array, spikes: Array, first) -> Array:
        """Deliver the spikes [step, word] of this and all other devices; `first` is their step."""
        layout = self.layout
        everywhere = jax.lax.all_gather(spikes, self.axis, axis=1)  # [step, device, word]
        words, start = {}, 0
        for name, count in self.words:
            local = self.real[name].shape[0]
            own = everywhere[:, :, start : start + local].reshape(len(spikes), -1)
            words[name], start = own[:, :count], start + local

        def deliver(i, inbox):
            turn = _inbox.turn(first + i, layout.size, layout.steps)
            for plan in self.plans:
                rows = jnp.concatenate([words[name][i] for name in plan.sources])
                weights: Any = 1.0 if plan.weights is None else plan.weights
                inbox = push(inbox[None], 1.0, weights, rows[None], plan.targets, turn)[0]
            for plan in self.computed:
                inbox = plan.deliver(inbox, words[plan.source][i], turn)
            return inbox

        if len(spikes) == 1:
            return deliver(0, inbox)
        return jax.lax.fori_loop(0, len(spikes), deliver, inbox)
