"""Who holds what, where a network is divided over devices; host-side.

A population of n neurons has W = ceil(n / 32) packed words, and neuron i is a bit of word i % W.
Words, not neurons, are divided evenly: a device holds all neurons of its words, in such an order
that the words it packs are its part of those of the whole population. So the words of all devices
one after the other are the words of the population, and rows of delivery tables, the order of sums
and recorded spikes are those of one device.
"""

import dataclasses

import numpy as np

from neurojax.connectivity.spike_list import BITS

from ._inbox import PADS
from .plan import Layout, Region


@dataclasses.dataclass(frozen=True)
class Share:
    """How one population is divided: devices d, neurons p of a device.

    Places without a neuron (`real` is false) stand in for the last neuron.
    """

    n: int
    ids: np.ndarray  # [d, p] the neuron of each place
    real: np.ndarray  # [d, p]

    @property
    def size(self) -> int:
        """Places of one device."""
        return self.ids.shape[1]

    def places(self, neurons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The device and the place of neurons."""
        words, per = -(-self.n // BITS), self.size // BITS
        word = neurons % words
        return word // per, neurons // words * per + word % per

    def real_words(self) -> np.ndarray:
        """The places with a neuron as packed words [d, w]."""
        per = self.size // BITS
        bits = self.real.reshape(len(self.real), BITS, per).astype(np.uint32)
        shifts = np.arange(BITS, dtype=np.uint32)[:, None]
        return np.bitwise_or.reduce(bits << shifts, axis=1)

    def divided(self, values: np.ndarray) -> np.ndarray:
        """Values of neurons, on the last axis, as [d, ..., p]."""
        return np.moveaxis(np.asarray(values)[..., self.ids], -2, 0)

    def joined(self, values: np.ndarray) -> np.ndarray:
        """Values [..., d * p] of all devices as those of the neurons, [..., n]."""
        device, place = self.places(np.arange(self.n))
        return values[..., device * self.size + place]


def share(n: int, devices: int) -> Share:
    """How `n` neurons are divided."""
    words = -(-n // BITS)
    per = -(-words // devices)
    word = (np.arange(devices) * per)[:, None, None] + np.arange(per)
    neuron = (np.arange(BITS) * words)[:, None] + word
    real = ((word < words) & (neuron < n)).reshape(devices, -1)
    return Share(n, np.where(real, neuron.reshape(devices, -1), n - 1), real)


@dataclasses.dataclass(frozen=True)
class Inbox:
    """How the inbox is divided: the device and the place of every place of one turn."""

    layout: Layout  # of one device
    owner: np.ndarray  # -1: a dummy
    place: np.ndarray

    def divided(self, inbox: np.ndarray, device: int) -> np.ndarray:
        """What is under way to the neurons of one device."""
        layout = self.layout
        found = np.zeros((layout.steps, layout.size), inbox.dtype)
        own = self.owner == device
        if own.any():  # a network without projections has no inbox
            found[:, self.place[own]] = inbox.reshape(layout.steps, -1)[:, own]
        return found.ravel()

    def joined(self, inbox: np.ndarray, devices: int) -> np.ndarray:
        """What is under way to all neurons."""
        parts = inbox.reshape(devices, self.layout.steps, self.layout.size)
        found = np.zeros((self.layout.steps, len(self.owner)), inbox.dtype)
        real = self.owner >= 0
        if not real.any():
            return found[:, :0].ravel()
        found[:, real] = parts[self.owner[real], :, self.place[real]].T
        return found.ravel()


def inbox(layout: Layout, shares: dict[str, Share]) -> Inbox:
    """How the inbox of a layout is divided."""
    owner, place = np.full(layout.size, -1, np.int32), np.zeros(layout.size, np.int32)
    regions, start = [], 0
    for (name, port), listed in layout.regions:
        own = []
        for region in listed:
            device, where = shares[name].places(np.arange(region.size))
            owner[region.start : region.start + region.size] = device
            place[region.start : region.start + region.size] = start + where
            own.append(Region(start, shares[name].size, region.scale))
            start += shares[name].size
        regions.append(((name, port), tuple(own)))
    local = dataclasses.replace(layout, regions=tuple(regions), size=start + PADS)
    return Inbox(local, owner, place)


class Table:
    """The rows of a delivery table with only those entries that end on one device."""

    def __init__(self, targets: np.ndarray, weights: np.ndarray | None, inbox: Inbox, devices: int):
        size = len(inbox.owner)
        self.targets, self.weights, self.inbox = targets, weights, inbox
        self.turn, slot = targets // size, targets % size
        self.owner, self.place = inbox.owner[slot], inbox.place[slot]
        widest = max(int((self.owner == d).sum(axis=1).max()) for d in range(devices))
        self.width = max(-(-widest // 8) * 8, 8)

    def shortest(self) -> int:
        """The shortest delay in steps."""
        turns = self.turn[self.owner >= 0]
        steps = self.inbox.layout.steps
        return int(np.where(turns == 0, steps, turns).min(initial=steps))

    def targets_of(self, device: int) -> np.ndarray:
        """The targets on one device; the entries of a row keep their order."""
        rows, columns, column = self.entries(device)
        layout = self.inbox.layout
        pads = layout.size - PADS + np.arange(self.width, dtype=np.int32) % PADS
        targets = np.broadcast_to(pads, (len(self.targets), self.width)).copy()
        turned = self.turn[rows, columns] * layout.size
        targets[rows, column] = turned + self.place[rows, columns]
        return targets

    def weights_of(self, device: int) -> np.ndarray:
        """The weights of these targets, zero at padding."""
        rows, columns, column = self.entries(device)
        given = np.ones(self.targets.shape) if self.weights is None else self.weights
        weights = np.zeros((len(self.targets), self.width), given.dtype)
        weights[rows, column] = given[rows, columns]
        return weights

    def entries(self, device: int):
        """Rows and columns of the entries on a device, and the columns to which they move."""
        rows, columns = np.nonzero(self.owner == device)
        counts = np.bincount(rows, minlength=len(self.targets))
        moved = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, columns, moved
