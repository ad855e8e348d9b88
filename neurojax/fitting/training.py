"""The optimisation loop: pure, chunked, the same whether or not it was interrupted."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from .batch import Sessions, draw
from .estimator import Estimator
from .objectives import AbstractObjective


class TrainState(NamedTuple):
    """Everything that moves during a fit; each array has the seeds as first axis."""

    parameters: Any
    optimizer: Any
    step: Array
    skipped: Array  # steps whose loss or gradient was not finite and that were not taken
    best: Any  # parameters with the least validation loss so far
    best_loss: Array
    best_step: Array


class Recipe(eqx.Module):
    """What does not move during a fit."""

    static: Any  # the estimator without its trainable arrays
    objective: AbstractObjective
    optimizer: optax.GradientTransformation = eqx.field(static=True)
    rates: Any  # factor on the update of each trainable leaf
    batch: int = eqx.field(static=True)
    mesh: Any = eqx.field(static=True)

    def estimator(self, parameters) -> Estimator:
        """The estimator with these parameters."""
        return eqx.combine(parameters, self.static)


def begin(recipe: Recipe, parameters) -> TrainState:
    """The state before the first step, from stacked parameters (seed, ...)."""
    seeds = jax.tree.leaves(parameters)[0].shape[0]
    zero = jnp.zeros(seeds, jnp.int32)
    return TrainState(
        parameters,
        jax.vmap(recipe.optimizer.init)(parameters),
        zero,
        zero,
        parameters,
        jnp.full(seeds, jnp.inf),
        zero,
    )


@eqx.filter_jit
def advance(recipe: Recipe, state: TrainState, data: Sessions, keys, steps, most: int):
    """`steps` gradient steps (at most `most`) for every seed; losses (most, seed).

    The batch of a step is a function of the seed's key and the step number alone, so a fit that
    was interrupted and resumed draws what an uninterrupted one draws. The number of steps is not
    part of the compiled program.
    """

    def one(state: TrainState, key) -> tuple[TrainState, Array]:
        key = jax.random.fold_in(key, state.step)
        windows, mask = jax.random.split(key)
        batch = draw(data, windows, recipe.batch, recipe.objective.frames)
        if recipe.mesh is not None:
            batch = _spread(batch, recipe.mesh)

        def loss(parameters):
            return recipe.objective.loss(recipe.estimator(parameters), batch, mask)

        value, slope = jax.value_and_grad(loss)(state.parameters)
        good = jnp.isfinite(value)
        for leaf in jax.tree.leaves(slope):
            good &= jnp.all(jnp.isfinite(leaf))
        safe = jax.tree.map(lambda g: jnp.where(good, g, 0.0), slope)
        updates, optimizer = recipe.optimizer.update(safe, state.optimizer, state.parameters)
        updates = jax.tree.map(lambda u, r: u * r, updates, recipe.rates)
        moved = optax.apply_updates(state.parameters, updates)
        keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(good, a, b), new, old)
        state = state._replace(
            parameters=keep(moved, state.parameters),
            optimizer=keep(optimizer, state.optimizer),
            step=state.step + 1,
            skipped=state.skipped + ~good,
        )
        return state, value

    def body(i, carry):
        state, losses = carry
        state, value = jax.vmap(one)(state, keys)
        return state, losses.at[i].set(value.astype(losses.dtype))

    losses = jnp.zeros((most, state.step.shape[0]))
    return jax.lax.fori_loop(0, steps, body, (state, losses))


@eqx.filter_jit
def validate(recipe: Recipe, state: TrainState, data: Sessions, key) -> TrainState:
    """Keep the parameters if they are the best so far on the validation windows."""

    def one(state: TrainState) -> TrainState:
        value = held_out_loss(recipe, state.parameters, data, key)
        better = value < state.best_loss
        pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)
        return state._replace(
            best=pick(state.parameters, state.best),
            best_loss=jnp.where(better, value, state.best_loss),
            best_step=jnp.where(better, state.step, state.best_step),
        )

    return jax.vmap(one)(state)


@eqx.filter_jit
def held_out_loss(recipe: Recipe, parameters, data: Sessions, key, windows: int = 128) -> Array:
    """The objective on windows of another part of the recordings; always the same windows."""
    where, mask = jax.random.split(key)
    batch = draw(data, where, windows, recipe.objective.frames)
    return recipe.objective.loss(recipe.estimator(parameters), batch, mask)


def _spread(batch, mesh):
    """Windows over the devices of a mesh; parameters stay replicated."""
    # make_mesh of newer versions of jax makes explicit axes, which the constraint refuses
    automatic = (jax.sharding.AxisType.Auto,) * len(mesh.axis_names)
    mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names, axis_types=automatic)
    spec = jax.sharding.PartitionSpec(mesh.axis_names)
    sharding = jax.sharding.NamedSharding(mesh, spec)
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, sharding), batch)
