"""What a solver sees of a model: a function f(t, y, inputs) with optional decay and noise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .clock import Clock
from .errors import ShapeError
from .inputs import at_time
from .paths import leaf_names


def _is_none(x) -> bool:
    return x is None


def is_float(x) -> bool:
    """Whether a leaf is a floating-point array: what a solver can advance."""
    return isinstance(x, jax.Array | np.ndarray) and bool(jnp.issubdtype(x.dtype, jnp.inexact))


def advanced_leaves(state, exact):
    """Split a state into the leaves that the solver advances and the rest, each with `None` holes.

    `exact` holds the leaves that move by their own flow, or is `None`.
    """
    floats, rest = eqx.partition(state, is_float)
    if exact is None:
        return floats, rest
    takes = jax.tree.map(_is_none, exact, is_leaf=_is_none)
    takes = jax.tree.map(lambda take, sub: jax.tree.map(lambda _: take, sub), takes, state)
    moving = jax.tree.map(
        lambda take, leaf: leaf if take else None, takes, floats, is_leaf=_is_none
    )
    frozen = jax.tree.map(
        lambda take, leaf: None if take else leaf, takes, floats, is_leaf=_is_none
    )
    return moving, eqx.combine(frozen, rest)


def restrict(rates, like):
    """The leaves of `rates` at the places where `like` has one."""
    return jax.tree.map(
        lambda leaf, rate: None if leaf is None else rate, like, rates, is_leaf=_is_none
    )


def held_rates(dynamics, state, rates):
    """The rates of a model, zero where `hold` will undo what they do."""
    still = jax.tree.map(lambda x: jnp.zeros_like(x) if is_float(x) else x, state)
    return dynamics.hold(still, rates)


class VectorField(eqx.Module):
    """The drift of `dynamics` with the leaves in `rest` held fixed, as solvers call it.

    Their time begins at that of the clock, since 32 bits hold no small part of a late time.
    """

    dynamics: Any
    rest: Any
    clock: Clock

    def _arguments(self, t, y, inputs):
        state = eqx.combine(y, self.rest)
        return self.clock.t + t, state, at_time(inputs, t)

    def __call__(self, t, y, inputs):
        """dy/dt `t` ms after the time of the clock.

        Raises:
            ValueError: if the drift is not shaped like the state.
        """
        rates = self.dynamics.drift(*self._arguments(t, y, inputs))
        return _checked(type(self.dynamics).__name__, rates, y)

    def decay(self, t, y, inputs):
        """The model's own rates -df_i/dy_i, or `None`."""
        rates = self.dynamics.decay(*self._arguments(t, y, inputs))
        return None if rates is None else restrict(rates, y)

    def is_noisy(self, t, y, inputs) -> bool:
        """Whether any leaf has noise; by structure, not by value."""
        return bool(jax.tree.leaves(self.dynamics.diffusion(*self._arguments(t, y, inputs))))

    def diffusion(self, t, y, inputs):
        """Noise amplitudes shaped like `y`, `None` for leaves (or a whole model) without noise."""
        amplitude = self.dynamics.diffusion(*self._arguments(t, y, inputs))
        if not jax.tree.leaves(amplitude):
            return None

        def shaped(leaf, a):
            if leaf is None or a is None:
                return None
            return jnp.broadcast_to(jnp.asarray(a, leaf.dtype), leaf.shape)

        return jax.tree.map(shaped, y, _expand_none(amplitude, y), is_leaf=_is_none)

    def normals(self, like):
        """Standard normal numbers, one stream per leaf of `like`, named by its path."""
        draw = lambda path, leaf: self.clock.normal(
            "diffusion" + jax.tree_util.keystr(path), leaf.shape, leaf.dtype
        )
        return jax.tree_util.tree_map_with_path(draw, like)


def _checked(model: str, rates, y):
    """The rates of the leaves of `y`, after a look at their structure and shapes."""
    try:
        rates = restrict(rates, y)
    except (ValueError, TypeError, KeyError) as error:
        raise ShapeError(
            f"drift of {model} must return a tree like its state: {jax.tree.structure(y)}, "
            f"but gave {jax.tree.structure(rates)}"
        ) from error
    leaves, tree = jax.tree.flatten(y)
    for name, leaf, rate in zip(leaf_names(y), leaves, tree.flatten_up_to(rates), strict=True):
        if rate is None:
            raise ShapeError(
                f"drift of {model} gives nothing for the state leaf {name!r}; return its rate of "
                "change, or advance it in propagate"
            )
        if jnp.shape(rate) != jnp.shape(leaf):
            raise ShapeError(
                f"drift of {model} has shape {jnp.shape(rate)} for the state leaf {name!r} of "
                f"shape {jnp.shape(leaf)}; an input or a parameter has the wrong shape (an input "
                "array is constant in time: wrap a time series in nj.inputs.Sampled(values, dt))"
            )
    return rates


def _expand_none(tree, like):
    """Let a `None` stand for a whole subtree of `like`."""
    return jax.tree.map(
        lambda a, sub: jax.tree.map(lambda _: None, sub) if a is None else a,
        tree,
        like,
        is_leaf=_is_none,
    )
