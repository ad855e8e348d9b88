"""Leaves of models, states and inputs, divided over the devices of a mesh or common to all."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from neurojax.core import Clock
from neurojax.core.clock import Portion
from neurojax.core.inputs import AbstractStochasticInput, Sampled
from neurojax.core.paths import leaf_names
from neurojax.neurons import AbstractNeuron, SpikeTimes

from ._copies import copy_of
from ._division import Share


class Divided(NamedTuple):
    """A leaf of which every device has a part of its own, all of one shape."""

    part: Callable[[int], np.ndarray]  # by device


class Common(NamedTuple):
    """A leaf that all devices have."""

    value: Any


class Placed(NamedTuple):
    """A tree on a mesh: its arrays, which of them are divided, and everything else."""

    arrays: Any
    divided: Any
    static: Any


def is_marked(x) -> bool:
    """Whether a leaf says how it is placed."""
    return isinstance(x, Divided | Common)


def place(tree, mesh: Mesh) -> Placed:
    """The marked leaves of a tree as arrays on the mesh."""
    marked, static = eqx.partition(tree, is_marked, is_leaf=is_marked)
    divided = jax.tree.map(lambda x: isinstance(x, Divided), marked, is_leaf=is_marked)
    arrays = jax.tree.map(lambda x: _array(x, mesh), marked, is_leaf=is_marked)
    return Placed(arrays, divided, static)


def specs(divided, axis: str):
    """The partition of each array."""
    return jax.tree.map(lambda x: PartitionSpec(axis) if x else PartitionSpec(), divided)


def on_host(array: Array) -> np.ndarray:
    """The whole array in numpy, on every process."""
    if array.is_fully_addressable:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def _array(leaf, mesh: Mesh) -> Array:
    if isinstance(leaf, Common):
        value = _native(leaf.value)
        everywhere = NamedSharding(mesh, PartitionSpec())
        return jax.make_array_from_callback(value.shape, everywhere, lambda index: value[index])
    axis = mesh.axis_names[0]
    first = _native(leaf.part(0))
    rows, rest = first.shape[0], first.shape[1:]

    def part(index):
        device = (index[0].start or 0) // rows
        return first if device == 0 else _native(leaf.part(device))

    shape = (mesh.devices.size * rows, *rest)
    return jax.make_array_from_callback(shape, NamedSharding(mesh, PartitionSpec(axis)), part)


def _native(value) -> np.ndarray:
    """In the precision of the run, without a visit to a device."""
    value = np.asarray(value)
    return value.astype(jax.dtypes.canonicalize_dtype(value.dtype), copy=False)


# -- what is divided how -------------------------------------------------------------------------


def common(tree):
    """The tree with every array on all devices."""
    is_array = lambda x: isinstance(x, jax.Array | np.ndarray)
    return jax.tree.map(lambda x: Common(x) if is_array(x) else x, tree)


class InPart(AbstractStochasticInput):
    """A stochastic input of the neurons of one device, with the numbers that these have.

    Arguments:
        signal: of their shape.
        portion: which ones they are.
    """

    signal: AbstractStochasticInput
    portion: Portion

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the signal."""
        return self.signal.shape

    def init_state(self, clock: Clock, name: str) -> Array:
        """See `AbstractStochasticInput`."""
        return self.signal.init_state(clock.of(self.portion), name)

    def advance(self, state: Array, clock: Clock, name: str) -> Array:
        """See `AbstractStochasticInput`."""
        return self.signal.advance(state, clock.of(self.portion), name)


def portion(share: Share) -> Portion:
    """The numbers of the neurons of each device."""
    ids: Any = Divided(lambda device: share.ids[device].astype(np.int32))
    return copy_of(Portion, {"neurons": ids, "n": share.n})


def per_neuron(value, share: Share, name: str):
    """A number for all neurons, also as an array of one, or an array with a value for each."""
    value = np.asarray(value)
    if value.ndim == 0 or (value.shape == (1,) and share.n > 1):
        return Common(value)
    if value.shape != (share.n,):
        raise ValueError(
            f"{name} has shape {value.shape}; only numbers and arrays of shape ({share.n},), one "
            "value per neuron, can be divided over devices"
        )
    return Divided(lambda device: value[share.ids[device]])


def state_leaf(value, share: Share, name: str):
    """A leaf of the state of a population: one value per neuron."""
    value = np.asarray(value)
    if value.shape != (share.n,):
        raise ValueError(
            f"a leaf of the state of population {name!r} has shape {value.shape}; only shape "
            f"({share.n},), one value per neuron, can be divided over devices"
        )
    return Divided(lambda device: value[share.ids[device]])


def population(part, share: Share, name: str):
    """A population with as many neurons as a device has places."""
    if isinstance(part, SpikeTimes):
        return _spike_times(part, share)
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    if "initial" in values:
        values["initial"] = {}  # the state is given
    # the cell of a HomeostaticThreshold, which has the number of neurons
    inner = {k: population(x, share, f"{name}.{k}") for k, x in values.items()
             if isinstance(x, AbstractNeuron)}  # fmt: skip
    values = {k: x for k, x in values.items() if k not in inner}
    leaves, tree = jax.tree.flatten(values)
    marked = [
        per_neuron(x, share, f"{name}.{path}") if eqx.is_array(x) else x
        for path, x in zip(leaf_names(values), leaves, strict=True)
    ]
    size = {"n": share.size} if "n" in values else {}
    return copy_of(type(part), jax.tree.unflatten(tree, marked) | inner | size)


def signal(x, share: Share, name: str):
    """An input with its amplitudes divided; the time axis of a sampled one stays whole."""
    if isinstance(x, Sampled):
        values = np.asarray(x.values)
        alike = values.shape[1:] in ((), (1,))
        if not alike and values.shape[1:] != (share.n,):
            raise ValueError(
                f"{name} has samples of shape {values.shape[1:]}; only numbers and shape "
                f"({share.n},), one value per neuron, can be divided over devices"
            )
        part = lambda device: values[:, share.ids[device]]
        sampled: dict[str, Any] = {
            field: jax.tree.map(Common, getattr(x, field))
            for field in ("dt", "t0", "place", "numbers")
        }
        sampled |= {"totals": None, "given": None}
        return copy_of(type(x), sampled | {"values": Common(values) if alike else Divided(part)})
    if isinstance(x, AbstractStochasticInput):
        if x.shape not in ((), (1,), (share.n,)):
            raise ValueError(
                f"{name} is noise of shape {x.shape}; only one signal for all neurons, or one per "
                f"neuron, shape ({share.n},), can be divided over devices"
            )
        values = {field.name: getattr(x, field.name) for field in dataclasses.fields(x)}
        values |= {k: per_neuron(v, share, name) for k, v in values.items() if eqx.is_array(v)}
        if x.shape != (share.n,):
            return copy_of(type(x), values)
        own = copy_of(type(x), values | {"shape": (share.size,)})
        return copy_of(InPart, {"signal": own, "portion": portion(share)})
    if eqx.is_array_like(x):
        return per_neuron(x, share, name)
    inner = lambda y: y is not x and (isinstance(y, Sampled) or eqx.is_array_like(y))
    return jax.tree.map(lambda y: signal(y, share, name), x, is_leaf=inner)


def _spike_times(part: SpikeTimes, share: Share):
    """Every device has all events; those of others name a neuron that is not there."""
    device, place = share.places(np.asarray(part.neurons))
    neurons = lambda d: np.where(device == d, place, share.size).astype(np.int32)
    values = {"times": Common(np.zeros(0)), "neurons": Divided(neurons), "n": share.size}
    return copy_of(SpikeTimes, values | {"labels": Common(part.labels), "laid_out": None})
