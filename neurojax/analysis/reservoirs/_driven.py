"""A circuit that is driven by a series of inputs, checked at the door."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from neurojax.circuits.recurrent import RecurrentCircuit, channels
from neurojax.core import unwrap

from ..dynamics._field import Field, field_of


def driven(circuit, state, inputs, dt, *, batched: bool = False, key=None):
    """The field of the circuit, and its inputs as arrays whose first axis is time.

    Arguments:
        circuit: the model.
        state: a state, or several along a first axis if `batched`.
        inputs: array (time, channels) for the port `u`, or a dictionary of arrays (time, ...).
        dt: ms per step.
        batched: whether `state` has a leading axis.
        key: of the noise.
    """
    series = dict(inputs) if isinstance(inputs, Mapping) else {"u": inputs}
    series = jax.tree.map(jnp.asarray, series)
    shapes = [x.shape for x in jax.tree.leaves(series)]
    lengths = {shape[:1] for shape in shapes}
    if len(lengths) != 1 or () in lengths or (0,) in lengths:
        raise ValueError(
            "inputs must be an array (time, channels), or a dictionary of arrays with the same "
            f"first axis, time; got shapes {shapes}"
        )
    model = unwrap(circuit)
    if isinstance(model, RecurrentCircuit) and "u" in series:
        wanted, found = (steps_of(series), channels(model)), series["u"].shape
        if found != wanted:
            hint = "; one channel is series[:, None]" if len(found) == 1 else ""
            raise ValueError(
                f"inputs must be (time, channels), {wanted} for the {wanted[1]} input channels of "
                f"{type(model).__name__}, got {found}{hint}"
            )
    field = field_of(
        circuit, state, jax.tree.map(lambda x: x[0], series), dt, batched=batched, key=key
    )
    return field, series


def steps_of(series: Any) -> int:
    """The number of steps of a series."""
    return jax.tree.leaves(series)[0].shape[0]


def at(field: Field, state, inputs) -> Field:
    """The field about another state, under other inputs."""
    return Field(field.circuit, inputs, state, field.dt)
