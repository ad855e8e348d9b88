"""A circuit under constant inputs as a function of a flat state: what every tool works on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, ContinuousDynamics, Dynamics, unwrap
from neurojax.core.checks import fitting
from neurojax.core.inputs import is_input
from neurojax.core.parameters import arrays_only
from neurojax.core.vector_field import is_float
from neurojax.networks import Network


class Field(eqx.Module):
    """F(x) on flat states: the drift of a flow, or step(x) - x for a map.

    Arguments:
        circuit: the prepared model.
        inputs: constant arrays.
        template: one state; its leaves that are no floating-point numbers are kept as they are.
        dt: the step of the map in ms, or `None` for a flow.
    """

    circuit: Any
    inputs: Any
    template: Any
    dt: Any

    def __call__(self, flat):
        """The rate of change per ms, or what one step changes."""
        state = self.state(flat)
        if self.dt is None:
            return self.flat(self.circuit.drift(jnp.zeros((), flat.dtype), state, self.inputs))
        return self.after(flat) - flat

    def after(self, flat):
        """The flat state after one step of the map."""
        return self.moved(flat, Clock(0, self.dt))[0]

    def moved(self, flat, clock):
        """The flat state and the whole state after one step."""
        state, _ = self.circuit.step(self.state(flat), self.inputs, clock)
        return self.flat(state), state

    def state(self, flat):
        """The state whose floating-point leaves hold these numbers."""
        leaves, tree = jax.tree.flatten(self.template)
        filled, begin = [], 0
        for leaf in leaves:
            if is_float(leaf):
                part = flat[begin : begin + leaf.size]
                leaf, begin = part.reshape(leaf.shape).astype(leaf.dtype), begin + leaf.size
            filled.append(leaf)
        return jax.tree.unflatten(tree, filled)

    def flat(self, state):
        """The floating-point leaves of a state, or of its rate of change, one after the other."""
        kept = jax.tree.map(
            lambda leaf, own: jnp.ravel(own) if is_float(leaf) else None, self.template, state
        )
        return jnp.concatenate(jax.tree.leaves(kept))

    def with_inputs(self, inputs) -> "Field":
        """The same circuit under other inputs of the same shapes."""
        return Field(self.circuit, inputs, self.template, self.dt)

    def single(self) -> "Field":
        """The same in 32-bit numbers."""
        narrow = lambda x: x.astype(jnp.float32) if is_float(x) and x.dtype == jnp.float64 else x
        return jax.tree.map(narrow, self)


def field_of(circuit, state, inputs, dt, *, batched: bool = False, key=None) -> Field:
    """The field of a circuit about a state, checked at the door.

    Arguments:
        circuit: the model.
        state: a state, or several along a first axis if `batched`.
        inputs: dictionary of constant arrays, or `None`.
        dt: the step in ms for a map; `None` for the flow of a `ContinuousDynamics`.
        batched: whether `state` has a leading axis.
        key: of the noise of a map.
    """
    model = unwrap(circuit)
    if not isinstance(model, Dynamics):
        raise TypeError(f"circuit must be a neurojax Dynamics, got {type(circuit).__name__}")
    inputs = constant(inputs)
    if dt is None and not isinstance(model, ContinuousDynamics):
        raise ValueError(
            f"{type(model).__name__} has no vector field: give dt= (ms), the step of its map"
        )
    if dt is not None:
        if not (np.ndim(dt) == 0 and np.isfinite(float(dt)) and float(dt) > 0):
            raise ValueError(f"dt must be a positive number of ms, got {dt!r}")
        model = model.on_grid(float(dt))
    model = arrays_only(model).prepare()
    template = jax.tree.map(lambda x: jnp.asarray(x)[0] if batched else jnp.asarray(x), state)
    if not any(is_float(leaf) for leaf in jax.tree.leaves(template)):
        raise ValueError("the state has no floating-point leaf, so nothing in it can move")
    name = type(model).__name__
    check_state(model, template, batched, dt)
    if dt is None:
        slope = lambda y, u: (model.drift(jnp.zeros(()), y, u), None)
        fitting(name, slope, template, inputs)
        return Field(model, inputs, template, None)
    clock = Clock(0, dt, key)
    model = model.prepare_steps(template, inputs, clock)
    fitting(name, lambda y, u: model.step(y, u, clock), template, inputs)
    return Field(model, inputs, template, clock.dt)


def state_shapes(model) -> Any:
    """The shapes of a state of a model."""
    return jax.eval_shape(lambda key: model.init_state(key=key), jax.random.key(0))


def check_state(model, template, batched: bool, dt) -> None:
    """A state given by the user is one of this model."""
    own, given = state_shapes(model), jax.tree.map(jnp.asarray, template)
    shapes = lambda tree: [x.shape for x in jax.tree.leaves(tree)]
    if jax.tree.structure(own) != jax.tree.structure(given) or shapes(own) != shapes(given):
        axes = (
            "with one axis before it, which counts the states" if batched else "without more axes"
        )
        name, hint = type(model).__name__, "sample_states draws such states from trajectories"
        is_network = lambda part: isinstance(part, Network)
        if any(map(is_network, jax.tree.leaves(model, is_leaf=is_network))):
            hint = (
                "Its delays are counted in steps, so that the shapes depend on dt: take the state "
                f"from circuit.on_grid({dt:g}), or sample_states with that circuit"
            )
        raise ValueError(
            f"a state of {name} is a tree {jax.tree.structure(own)} with the shapes "
            f"{shapes(own)}, {axes}; got {jax.tree.structure(given)} with {shapes(given)} each. "
            f"{hint}"
        )


def constant(inputs):
    """The inputs as arrays; signals that change in time are refused."""
    inputs = {} if inputs is None else inputs
    if not isinstance(inputs, dict):
        raise TypeError(
            f"inputs must be a dictionary of constant arrays, got {type(inputs).__name__}"
        )
    if any(is_input(x) for x in jax.tree.leaves(inputs, is_leaf=is_input)):
        raise ValueError(
            "inputs must be constant arrays here: a circuit that is driven in time has no fixed "
            "points; give the value at the time you mean, signal(t)"
        )
    return jax.tree.map(jnp.asarray, inputs)


def flattened(states) -> Array:
    """States with a leading axis as rows of a matrix; leaves that are no floats are left out."""
    leaves = [jnp.asarray(x) for x in jax.tree.leaves(states)]
    leaves = [x for x in leaves if is_float(x)]
    if not leaves or any(x.ndim == 0 for x in leaves):
        raise ValueError("states need a first axis that counts them; add one with x[None]")
    counts = {x.shape[0] for x in leaves}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(
            f"states need one first axis that counts them, got lengths {sorted(counts)}"
        )
    return jnp.concatenate([x.reshape(x.shape[0], -1) for x in leaves], axis=1)
