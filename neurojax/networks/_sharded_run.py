"""A run of a network that is divided over a mesh."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from neurojax.connectivity.spike_list import BITS
from neurojax.core import (
    Clock,
    NonFiniteError,
    SimState,
    Simulation,
    Spikes,
    Stats,
    Trace,
)
from neurojax.core.fixed_step import Setup, run_steps
from neurojax.core.paths import get, leaf_names, unknown
from neurojax.core.recorders import asked_of, check_index, indices_of, readout, readouts
from neurojax.core.spikes import SpikeRecord

from . import _division
from ._placement import (
    Common,
    Divided,
    common,
    on_host,
    per_neuron,
    place,
    population,
    portion,
    signal,
    specs,
    state_leaf,
)
from ._plastic_division import PlasticDivision, scalars_of
from ._shard import Shard, ShardComputed, ShardPlan
from ._terminals import Terminals
from .plan import place_of
from .plastic import rules_of

_CHUNK_BYTES = 1 << 27  # samples that may wait on the devices before they move to the host
_MOST_COUNTED = (1 << 31) - 1


class _Wanted(NamedTuple):
    """A trace: what each device records, and where the requested elements then are."""

    recorder: Any
    columns: np.ndarray


class ShardedRun:
    """A prepared network, its state, inputs and recorders, divided over a mesh.

    Arguments:
        network: prepared, on the grid of the run.
        state: of the whole network.
        output: shapes of what a step of it emits.
        inputs: by population and port.
        recorders: by name.
        mesh: one axis.
        dt: ms.
        key: of what is random while it runs, or `None`.
        values: of the stochastic inputs, `None` for all other inputs.
    """

    def __init__(
        self, network, state, output, inputs, recorders, mesh: Mesh, dt: float, key, values
    ):
        self.network, self.recorders, self.mesh, self.dt = network, recorders, mesh, dt
        self.axis, self.devices = mesh.axis_names[0], mesh.devices.size
        self.shares = {n: _division.share(size, self.devices) for n, size in network.sizes.items()}
        self.inbox = _division.inbox(network.layout, self.shares)
        self.names = leaf_names(state)
        self.learning: dict[str, PlasticDivision] = {}
        self.started = state.get("plasticity", {})
        visible = jax.eval_shape(network.visible, state)
        self.wanted = {
            name: self._wanted(name, recorder, visible, output)
            for name, recorder in recorders.items()
            if isinstance(recorder, Trace)
        }
        for recorder in recorders.values():
            if isinstance(recorder, Spikes):
                recorder.parts(output)  # refuses unknown names
        local = dict(recorders) | {name: w.recorder for name, w in self.wanted.items()}
        inputs = {
            name: {
                port: signal(x, self.shares[name], f"the input {name}.{port}")
                for port, x in own.items()
            }
            if name in self.shares
            else common(jax.tree.map(jnp.asarray, own))  # of a learning rule
            for name, own in inputs.items()
        }
        self.parts = place((self._shard(), inputs, local), mesh)
        self.state = place(self._divided(state), mesh)
        self.key = key
        divided = lambda path, x: (
            per_neuron(x, self.shares[path[0].key], "noise")
            if path[0].key in self.shares
            else Common(x)
        )
        self.values = place(jax.tree_util.tree_map_with_path(divided, values), mesh)
        self.period = math.lcm(1, *(r.every for r in recorders.values() if isinstance(r, Trace)))

    # -- division ----------------------------------------------------------------------------

    def _shard(self) -> Shard:
        network, layout = self.network, self.network.layout
        parts: dict[str, Any] = {
            name: population(part, self.shares[name], name)
            for name, part in network.populations.items()
        }
        used = {region.scale for _, regions in layout.regions for region in regions}
        scales = {name: Common(s.weight) for name, s in network.projections.items() if name in used}
        real = {name: _by_device(share.real_words()) for name, share in self.shares.items()}
        plans, block = [], 1 if network.plastic else layout.steps
        learning = {p.name: p for p in network.plastic}
        for plan, given in zip(network.plans, network.tables, strict=True):
            weights = None if given.ndim == 0 else np.asarray(given)
            table = _division.Table(np.asarray(plan.targets), weights, self.inbox, self.devices)
            block = min(block, table.shortest())
            if plan.owner in learning:
                weights = None  # they are in the state
                self.learning[plan.owner] = PlasticDivision(
                    learning[plan.owner], table, self.shares, self.devices
                )
            plans.append(
                ShardPlan(
                    Divided(table.targets_of),
                    None if weights is None else Divided(table.weights_of),
                    tuple(name for name, _ in plan.sources),
                    plan.owner,
                )
            )
        computed = []
        for plan in network.computed:
            synapses = network.projections[plan.name]
            ids = self.shares[synapses.target[0][0]].ids
            computed.append(
                ShardComputed(
                    plan.edges,
                    Common(np.ones(()) if plan.shared else synapses.weight),
                    Divided(lambda device, ids=ids: ids[device].astype(np.int32)),
                    plan.source,
                    place_of(synapses, self.inbox.layout),
                    None if synapses.release is None else plan.name,
                )
            )
            block = min(block, int(synapses.delay_steps(layout.dt)[0]))
        words = tuple((name, -(-n // BITS)) for name, n in layout.sources)
        portions = {name: portion(share) for name, share in self.shares.items()}
        return Shard(
            parts,
            scales,
            real,
            portions,
            tuple(plans),
            tuple(computed),
            {
                name: Terminals(name, s.source, common(s.release))
                for name, s in network.projections.items()
                if s.release is not None
            },
            tuple(self.learning[p.name].local_plan() for p in network.plastic),
            {name: scalars_of(rules_of(network.projections[name]), name) for name in self.learning},
            self.inbox.layout,
            words,
            self.axis,
            block,
        )

    def _divided(self, state):
        populations = {
            name: jax.tree.map(lambda x, n=name: state_leaf(x, self.shares[n], n), own)
            for name, own in state["populations"].items()
        }
        under_way = np.asarray(state["inbox"])
        inbox = Divided(lambda device: self.inbox.divided(under_way, device))
        divided = {"populations": populations, "inbox": inbox}
        if "release" in state:
            divided["release"] = common(state["release"])
        if self.learning:
            own = state["plasticity"]
            divided["plasticity"] = {n: d.divided(own[n]) for n, d in self.learning.items()}
        return divided

    def _wanted(self, name: str, recorder: Trace, visible, output) -> _Wanted:
        if not isinstance(recorder.what, str):
            raise ValueError(
                f"record {name!r} is a function of the state, which no device has as a whole; "
                "record a path, such as nj.Trace('E.V_m')"
            )
        if recorder.at is not None:
            raise ValueError(f"record {name!r}: at= is not there for many devices; use every=")
        value = get(visible, recorder.what)
        value = readout(output, recorder.what) if value is None else value
        if value is None:
            raise unknown(recorder.what, visible, readouts(output), what="record")
        if recorder.what.split(".")[0] not in self.shares:
            raise ValueError(
                f"record {name!r} is of synapses or their terminals, which cannot be recorded on "
                "many devices; read the weights at the end, as in "
                "network.weights(sim.final_state, 'E->E:exc'), and terminals in "
                "sim.final_state.state['release']"
            )
        share = self.shares[recorder.what.split(".")[0]]
        if any(leaf.shape != (share.n,) for leaf in jax.tree.leaves(value)):
            raise ValueError(f"record {name!r} is not one value per neuron, and cannot be divided")
        check_index(name, recorder, value)
        index: Any = slice(None) if recorder.index is None else recorder.index
        index = index.as_slice() if hasattr(index, "as_slice") else index
        chosen = np.arange(share.n)[index]
        shape, chosen = np.shape(chosen), np.ravel(chosen)
        device, where = share.places(chosen)
        # every device records as many elements as the one that has most
        counts = np.bincount(device, minlength=self.devices)
        most = max(int(counts.max()), 1)
        own, columns = np.zeros((self.devices, most), np.int32), np.zeros(len(chosen), int)
        for d in range(self.devices):
            own[d, : counts[d]] = where[device == d]
            columns[device == d] = d * most + np.arange(counts[d])
        local = eqx.tree_at(
            lambda r: r.index,
            Trace(recorder.what, every=recorder.every),
            _by_device(own),
            is_leaf=lambda x: x is None,
        )
        return _Wanted(local, columns.reshape(shape))

    # -- the loop over chunks ----------------------------------------------------------------

    def _chunk_steps(self, steps: int) -> int:
        per_step = 0.0
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                per_step += sum(self.shares[n].n for n in recorder.names) / 8
            else:
                per_step += 8 * self.wanted[name].columns.size / recorder.every
        chunk = min(steps, max(1, int(_CHUNK_BYTES / per_step)) if per_step else steps)
        chunk = min(chunk, max(1, _MOST_COUNTED // max(s.n for s in self.shares.values())))
        if chunk < steps:
            chunk = max(1, chunk // self.period) * self.period
        return min(chunk, steps)

    def simulation(self, first: int, steps: int, throw: bool) -> Simulation:
        """Run from step `first`."""
        chunk, done = self._chunk_steps(steps), 0
        arrays, values = self.state.arrays, self.values.arrays
        found: dict[str, list] = {name: [] for name in self.recorders}
        spikes: dict[str, int] = {}
        trouble = (-1, -1)
        while done < steps and trouble[0] < 0:
            now = min(chunk, steps - done)
            offset = (first + done) % self.period
            setup = Setup(now, offset, "threefry", None, False)
            arrays, samples, counts, finite, values = _chunk(
                self.mesh, self.axis, self.parts, self.state._replace(arrays=arrays),
                self.values._replace(arrays=values), self.key, jnp.asarray(first + done),
                jnp.asarray(self.dt), setup,
            )  # fmt: skip
            for name in self.recorders:
                found[name].append(self._sample(name, samples[name], first + done))
            for name, count in counts.items():
                spikes[name] = spikes.get(name, 0) + int(on_host(count))
            done += now
            if not bool(on_host(finite)):
                trouble = self._trouble(arrays, first + done, throw)
        records, times = {}, {}
        for name, recorder in self.recorders.items():
            if isinstance(recorder, Spikes):
                records[name] = self._spikes(recorder, found[name])
                continue
            records[name] = jax.tree.map(lambda *x: np.concatenate(x), *found[name])
            labels = np.arange(first // recorder.every + 1, (first + done) // recorder.every + 1)
            times[name] = labels * recorder.every * self.dt
        stats = Stats(
            np.asarray(done), {n: np.asarray(c) for n, c in spikes.items()},
            np.asarray(trouble[0]), np.asarray(trouble[1]), np.asarray(False), self.names,
            {n: np.asarray(self.shares[n].n) for n in spikes}, np.asarray(self.dt),
        )  # fmt: skip
        whole = lambda path, x: self._whole(path[0].key, x)
        final = SimState(
            self._joined(arrays), np.asarray(first + done), np.asarray(self.dt),
            jax.tree_util.tree_map_with_path(whole, values),
        )  # fmt: skip
        asked = indices_of(self.recorders), asked_of(self.recorders)
        return Simulation(records, final, stats, times, *asked)

    def _sample(self, name: str, sample, first: int):
        """What one chunk recorded, in the order of the neurons."""
        if name in self.wanted:
            columns = self.wanted[name].columns
            return jax.tree.map(lambda x: on_host(x)[:, columns], sample)
        kept = {}
        for population_, words in sample.items():
            words = on_host(words)[:, : -(-self.shares[population_].n // BITS)]
            rows = np.flatnonzero(words.any(axis=1))
            kept[population_] = (first + 1 + rows, words[rows])
        return kept

    def _spikes(self, recorder: Spikes, chunks: list):
        records = {}
        for name in recorder.names:
            steps, words = zip(*(chunk[name] for chunk in chunks), strict=True)
            records[name] = SpikeRecord(
                np.concatenate(steps), np.concatenate(words), np.asarray(self.dt),
                self.shares[name].n,
            )  # fmt: skip
        return records if len(recorder.names) > 1 else next(iter(records.values()))

    def _joined(self, arrays):
        """The state of the whole network."""
        populations = {
            name: jax.tree.map(lambda x, n=name: self._whole(n, x), own)
            for name, own in arrays["populations"].items()
        }
        inbox = self.inbox.joined(on_host(arrays["inbox"]), self.devices)
        whole = {"populations": populations, "inbox": inbox}
        if "release" in arrays:
            whole["release"] = jax.tree.map(on_host, arrays["release"])
        if self.learning:
            own = jax.tree.map(on_host, arrays["plasticity"])
            whole["plasticity"] = {
                name: division.joined(own[name], self.started[name])
                for name, division in self.learning.items()
            }
        return whole

    def _whole(self, name: str, array) -> np.ndarray:
        """A value for all neurons of a population, or the values of all of them."""
        values = on_host(array)
        alike = values.size == 1 or name not in self.shares  # a device has more than one place
        return values if alike else self.shares[name].joined(values)

    def _trouble(self, arrays, end: int, throw: bool) -> tuple[int, int]:
        """The last step of the chunk, and the first leaf that is not finite."""
        leaves = jax.tree.leaves(self._joined(arrays))
        bad = [i for i, x in enumerate(leaves) if not np.isfinite(x).all()]
        if not bad:
            return -1, -1  # in places without a neuron, or gone again
        if throw:
            raise NonFiniteError(
                f"the state leaf {self.names[bad[0]]!r} became NaN or infinite before step {end} "
                f"(t = {end * self.dt:g} ms). Is dt={self.dt:g} ms too long for this model? Look "
                "for NaN in parameters and inputs; throw=False returns what was computed"
            )
        return end - 1, bad[0]


def _by_device(values: np.ndarray) -> Divided:
    """Rows by device."""
    return Divided(lambda device: values[device])


@eqx.filter_jit
def _chunk(mesh: Mesh, axis: str, parts, state, values, key, step0, dt, setup: Setup):
    """Some steps on all devices.

    The state, samples, counts of spikes, whether all is finite, values of the stochastic inputs.
    """

    def local(arrays, own, values, key, step0, dt):
        shard, inputs, recorders = eqx.combine(arrays, parts.static)
        own = eqx.combine(own, state.static)
        own = shard.begun(own, step0)
        result = run_steps(shard, own, values, inputs, step0, dt, key, recorders, setup)
        ended = shard.ended(result.state, Clock(step0 + setup.steps, dt, key, setup.noise))
        counts = jax.lax.psum(result.spikes, axis)
        finite = jax.lax.pmin(result.finite.astype(jnp.int32), axis)
        return ended, result.samples, counts, finite, result.noise

    nothing, held = PartitionSpec(), specs(state.divided, axis)
    noisy = specs(values.divided, axis)
    run = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(
            specs(parts.divided, axis),
            held,
            noisy,
            nothing,
            nothing,
            nothing,
        ),
        out_specs=(held, PartitionSpec(None, axis), nothing, nothing, noisy),
        check_vma=False,  # its marks in the equations would hide that they are linear
    )
    return run(parts.arrays, state.arrays, values.arrays, key, step0, dt)
