"""Plastic synapses divided over devices; host-side.

A device has the synapses that end on its neurons, with what they and these neurons keep. Traces of
presynaptic neurons are on every device: all of them see all spikes.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.connectivity.spike_list import BITS
from neurojax.plasticity.events import Where, packed_rows

from ._copies import copy_of
from ._division import Share, Table
from ._placement import Common, Divided, common
from .plastic import PlasticPlan, places_in_rows


class PlasticDivision:
    """How the plan and the state of one plastic projection are divided.

    Arguments:
        plan: of the whole network.
        table: its targets, divided.
        shares: of the populations.
        devices: how many.
    """

    def __init__(self, plan: PlasticPlan, table: Table, shares: dict[str, Share], devices: int):
        self.plan, self.table, self.devices = plan, table, devices
        self.lanes = 1 if plan.axonal else len(plan.delays)
        owners, places, height = [], [], 0
        for name in plan.targets:
            words, per = -(-shares[name].n // BITS), shares[name].size // BITS
            word = np.arange(words)
            owners.append(np.repeat(word // per, BITS))
            places.append((BITS * (word % per)[:, None] + np.arange(BITS)).ravel() + height)
            height += BITS * per
        # of the rows of the targets: the device, the row there, and how many it has
        self.owner, self.place = np.concatenate(owners), np.concatenate(places)
        self.height = height
        most = max(int(np.bincount(self._posts(d)[2]).max(initial=1)) for d in range(devices))
        self.indegree = max(-(-most // 8) * 8, 8)

    def local_plan(self) -> Any:
        """The plan of each device, its arrays marked."""
        where = copy_of(
            Where, {"posts": Divided(self._posts_of), "incoming": Divided(self._incoming_of)}
        )
        used: Any = self.plan.used
        if used is not None:
            used = Common(used) if self.plan.axonal else Divided(self._used_of)
        fields = ("name", "sources", "targets", "delays", "axonal", "dt")
        static = {name: getattr(self.plan, name) for name in fields}
        graph = Common(self.plan.graph)
        return copy_of(PlasticPlan, {"where": where, "used": used, "graph": graph, **static})

    def divided(self, state):
        """The state with its leaves marked."""

        def leaf(path, x):
            value, kind = np.asarray(x), self._kind(path)
            if kind == "common":
                return Common(value)
            part = {"table": self._of_table, "rows": self._of_rows}[kind]
            return Divided(lambda device: part(path, value, device))

        return jax.tree_util.tree_map_with_path(leaf, state)

    def joined(self, arrays, like):
        """The state of the whole projection; `like` has what belongs to no neuron."""

        def leaf(path, array, old):
            kind = self._kind(path)
            if kind == "common":
                return array
            parts, whole = array.reshape(self.devices, -1), np.array(old)
            if kind == "table":
                parts = parts.reshape(self.devices, len(whole), self.table.width)
                for d in range(self.devices):
                    rows, columns, moved = self.table.entries(d)
                    whole[rows, columns] = parts[d][rows, moved]
                return whole
            turns, lanes, unit, pads = self._shape(path, whole)
            parts = parts.reshape(self.devices, turns, -1)
            own, pad = np.split(parts, [parts.shape[-1] - pads], axis=-1)
            own = own.reshape(self.devices, turns, lanes, -1)
            rows = own[self.owner[::unit], :, :, self.place[::unit] // unit]
            rows = rows.transpose(1, 2, 0).reshape(turns, -1)
            return np.concatenate([rows, pad[0]], axis=1).ravel()

        return jax.tree_util.tree_map_with_path(leaf, arrays, like)

    # -- the plan ----------------------------------------------------------------------------

    def _posts(self, device: int):
        """Rows and columns of the entries on a device, and the rows of their targets, all there."""
        rows, columns, moved = self.table.entries(device)
        lane, row = np.divmod(np.asarray(self.plan.where.posts)[rows, columns], len(self.owner))
        return rows, moved, (lane * self.height + self.place[row]).astype(np.int32)

    def _posts_of(self, device: int) -> np.ndarray:
        rows, moved, posts = self._posts(device)
        shape = len(self.table.targets), self.table.width
        found = np.full(shape, self.lanes * self.height, np.int32)
        found[rows, moved] = posts
        return found

    def _incoming_of(self, device: int) -> np.ndarray:
        rows, moved, posts = self._posts(device)
        height, width = self.lanes * self.height, self.table.width
        # padding lies in the last row of the table, spread over it
        last = (len(self.table.targets) - 1) * width
        padding = last + np.arange(self.indegree, dtype=np.int32) % width
        found = np.broadcast_to(padding.astype(np.int32), (height + 1, self.indegree)).copy()
        degrees = np.bincount(posts, minlength=height)
        found[posts, places_in_rows(posts, degrees)] = rows * width + moved
        return found

    def _used_of(self, device: int) -> np.ndarray:
        has_synapses = np.zeros(self.lanes * self.height + 1, bool)
        has_synapses[self._posts(device)[2]] = True
        return np.asarray(packed_rows(jnp.asarray(has_synapses)))

    # -- the state ---------------------------------------------------------------------------

    def _kind(self, path) -> str:
        names = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
        if names[0] == "weights" or "synapse" in names:
            return "table"
        waits = names[0] == "under_way" and not self.plan.axonal
        if waits or names[0] == "membrane" or "post" in names or "past" in names:
            return "rows"
        return "common"

    def _shape(self, path, value: np.ndarray) -> tuple[int, int, int, int]:
        """Turns of a ring, copies of the rows in each, rows of an element, and padding."""
        top = path[0].key
        if top == "under_way":
            return value.size * BITS // len(self.owner), 1, BITS, 0
        if top == "membrane":
            return value.size // len(self.owner), 1, 1, 0
        return value.size // (self.lanes * len(self.owner) + 1), self.lanes, 1, 1

    def _of_table(self, path, values: np.ndarray, device: int) -> np.ndarray:
        rows, columns, moved = self.table.entries(device)
        found = np.full((len(values), self.table.width), values[-1, 0], values.dtype)
        found[rows, moved] = values[rows, columns]
        return found

    def _of_rows(self, path, values: np.ndarray, device: int) -> np.ndarray:
        turns, lanes, unit, pads = self._shape(path, values)
        values = values.reshape(turns, -1)
        rows, pad = np.split(values, [values.shape[1] - pads], axis=1)
        here = self.owner[::unit] == device
        found = np.zeros((turns, lanes, self.height // unit), values.dtype)
        found[:, :, self.place[::unit][here] // unit] = rows.reshape(turns, lanes, -1)[:, :, here]
        return np.concatenate([found.reshape(turns, -1), pad], axis=1).ravel()


def scalars_of(rules, name: str):
    """The rules with their parameters on all devices.

    Raises:
        ValueError: for a parameter that is no single number.
    """
    for rule in rules:
        if any(np.ndim(x) for x in jax.tree.leaves(eqx.filter(rule, eqx.is_array))):
            raise ValueError(
                f"{type(rule).__name__} of projection {name!r} has an array as a parameter; only "
                "numbers can be divided over devices"
            )
    return common(rules)
