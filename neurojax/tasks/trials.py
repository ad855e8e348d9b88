"""Trials: what a circuit is given, what it shall do, and when that counts."""

from collections.abc import Mapping
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.paths import leaf_names
from neurojax.core.tracing import known


@final
class Trials(eqx.Module):
    """One trial, or a batch of trials along leading axes.

    Without a leading axis it is one trial; `trials[3]`, `trials[:10]` and `trials[indices]` pick
    from the first of the leading axes, as in numpy.

    Arguments:
        inputs: what the circuit is given at each step, shape (..., time, inputs).
        targets: what its outputs should be, shape (..., time, outputs).
        mask: weight of each time step in the loss of the outputs, shape (..., time); 0 is "do
            not care". Default 1 everywhere.
        conditions: facts per trial by name (coherence, delay, choice ...); leading axes as above.
        dt: ms per step.
        activity: rates of recorded units that the circuit should follow, shape
            (..., time, units), if there are any.
        activity_mask: weight of each of these samples, shape of `activity`, 0 where it is
            missing. Default 1 everywhere.
        recorded: which units of the circuit these are, shape (units,); the same for all trials.
        initial: the state of the circuit at the start, if the task sets it: an array of shape
            (..., n) for circuits with one state variable, or a dictionary, as that of an earlier
            run or by name of leaf such as `{"0.h": ...}`, with leading axes as above.

    Raises:
        ValueError: if shapes do not fit together or dt is not positive; the message names them.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.tasks import Trials
        >>> trials = Trials(jnp.zeros((8, 50, 3)), jnp.ones((8, 50, 1)), dt=10.0)
        >>> len(trials), trials.duration, trials[0].targets.shape
        (8, 500.0, (50, 1))
    """

    inputs: Float[Array, "*batch time inputs"]
    targets: Float[Array, "*batch time outputs"]
    mask: Float[Array, "*batch time"]
    conditions: dict[str, Array]
    activity: Float[Array, "*batch time units"] | None
    activity_mask: Float[Array, "*batch time units"] | None
    recorded: Int[Array, " units"] | None
    initial: Float[Array, "*batch n"] | dict[str, Any] | None
    dt: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: Any,
        targets: Any,
        mask: Any = None,
        conditions: Mapping[str, Any] | None = None,
        *,
        dt: float | int,
        activity: Any = None,
        activity_mask: Any = None,
        recorded: Any = None,
        initial: Any = None,
    ):
        if not np.isfinite(dt) or not dt > 0:
            raise ValueError(f"dt must be positive (ms per step), got {dt}")
        inputs, targets = _float(inputs), _float(targets)
        lead = targets.shape[:-1]
        if targets.ndim < 2:
            raise ValueError(
                f"targets must have shape (..., time, outputs), got {targets.shape}; "
                "one output is targets[..., None]"
            )
        if inputs.shape[:-1] != lead or inputs.ndim < 2:
            raise ValueError(
                f"inputs must have shape {(*lead, 'inputs')}, as many trials and steps as the "
                f"targets {targets.shape}, got {inputs.shape}"
            )
        mask = jnp.ones(lead, targets.dtype) if mask is None else _float(mask)
        _fits("mask", mask, lead)
        if known(mask) and not np.all(np.asarray(mask) >= 0):
            raise ValueError("mask is a weight and must not be negative or NaN")
        conditions = {name: jnp.asarray(value) for name, value in (conditions or {}).items()}
        for name, value in conditions.items():
            _fits(f"conditions[{name!r}]", value, lead[:-1], open_end=True)
        self.inputs, self.targets, self.mask, self.conditions = inputs, targets, mask, conditions
        self.activity, self.activity_mask, self.recorded = _checked_activity(
            lead, activity, activity_mask, recorded
        )
        self.initial = None if initial is None else _start(initial, lead[:-1])
        self.dt = float(dt)

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading axes: `()` for one trial."""
        return self.mask.shape[:-1]

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.mask.shape[-1]

    @property
    def duration(self) -> float:
        """Length of a trial in ms."""
        return self.steps * self.dt

    @property
    def times(self) -> Float[Array, " time"]:
        """The time in ms at which each step begins."""
        return jnp.arange(self.steps) * self.dt

    def condition(self, name: str) -> Array | np.ndarray:
        """One of the conditions by name.

        Raises:
            UnknownNameError: if there is none of this name; the message lists what there is.
        """
        if name not in self.conditions:
            raise UnknownNameError(
                f"no condition {name!r} in these trials.{suggestion(name, self.conditions)}"
            )
        return self.conditions[name]

    def __len__(self) -> int:
        if not self.batch:
            raise TypeError("this is one trial, which has no len(); it has .steps")
        return self.batch[0]

    def __getitem__(self, index) -> "Trials":
        """The trials at an index, a slice, an array of indices or of booleans."""
        if not self.batch:
            raise TypeError("this is one trial; only a batch of trials can be indexed")
        if isinstance(index, tuple) or index is None or index is Ellipsis:
            raise TypeError(f"trials are indexed along their first axis alone, got {index!r}")
        if not isinstance(index, slice):
            index = np.asarray(index) if known(index) else index
            _inside(index, len(self))
        batched = eqx.tree_at(lambda t: t.recorded, self, None, is_leaf=lambda x: x is None)
        picked = jax.tree.map(lambda x: x[index], batched)
        return eqx.tree_at(lambda t: t.recorded, picked, self.recorded, is_leaf=lambda x: x is None)

    def __repr__(self) -> str:
        count = " x ".join(map(str, self.batch)) if self.batch else "one"
        parts = [f"{self.inputs.shape[-1]} inputs", f"{self.targets.shape[-1]} outputs"]
        if self.activity is not None:
            parts.append(f"{self.activity.shape[-1]} recorded units")
        facts = ", ".join(self.conditions)
        return f"Trials({count}, {self.steps} steps of {self.dt:g} ms, {', '.join(parts)}" + (
            f"; {facts})" if facts else ")"
        )


def _float(x) -> Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def _start(initial, lead: tuple[int, ...]) -> Array | dict[str, Any]:
    if isinstance(initial, Mapping):
        state = jax.tree.map(jnp.asarray, dict(initial))
        for name, value in zip(leaf_names(state), jax.tree.leaves(state), strict=True):
            _fits(f"initial[{name!r}]", value, lead, open_end=True)
        return state
    start = _float(initial)
    if start.ndim != len(lead) + 1 or start.shape[:-1] != lead:
        raise ValueError(f"initial must have shape {(*lead, 'n')}, got {start.shape}")
    return start


def _fits(name: str, value, shape: tuple[int, ...], open_end: bool = False) -> None:
    got = value.shape[: len(shape)] if open_end else value.shape
    if got != shape:
        wanted = "a shape that begins with" if open_end else "shape"
        raise ValueError(f"{name} must have {wanted} {shape}, got {value.shape}")


def _checked_activity(lead, activity, mask, recorded):
    if activity is None:
        if mask is not None or recorded is not None:
            raise ValueError("recorded and activity_mask say which activity is known: give it")
        return None, None, None
    activity = _float(activity)
    if activity.ndim != len(lead) + 1 or activity.shape[:-1] != lead:
        raise ValueError(f"activity must have shape {(*lead, 'units')}, got {activity.shape}")
    mask = jnp.ones_like(activity) if mask is None else _float(mask)
    _fits("activity_mask", mask, activity.shape)
    units = activity.shape[-1]
    recorded = jnp.arange(units) if recorded is None else jnp.asarray(recorded)
    if recorded.shape != (units,) or not jnp.issubdtype(recorded.dtype, jnp.integer):
        raise ValueError(
            f"recorded must be {units} whole numbers, one unit of the circuit for each column of "
            f"activity, got shape {recorded.shape} of {recorded.dtype}"
        )
    if known(recorded) and len(np.unique(np.asarray(recorded))) != units:
        raise ValueError("recorded names a unit of the circuit twice")
    return activity, mask, recorded


def _inside(index, count: int) -> None:
    # JAX would silently take the last trial instead; iteration also ends by this error
    if not known(index) or index.dtype == bool:
        return
    if np.any((index < -count) | (index >= count)):
        raise IndexError(f"trial {index} of {count}")
