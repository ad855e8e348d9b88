"""Time series as people have them: one, a batch, or a list of different lengths."""

import math
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.clock import checked_dt
from neurojax.core.tracing import known
from neurojax.tasks import Trials

from .gaps import without_gaps


@final
class Series(eqx.Module):
    """Inputs and targets of several series, filled up to the longest.

    Arguments:
        inputs: (series, time, inputs).
        targets: (series, time, outputs), or `None`.
        weights: (series, time), 0 where nothing counts.
        dt: ms per step.
        single: whether one series without an axis over series was given.
        gaps: whether some targets were not finite (and are 0 now).
        lengths: (series,) steps of each, or `None` where all have the same.
        initial: where each series begins, or `None`.
    """

    inputs: Any
    targets: Any
    weights: Any
    dt: float = eqx.field(static=True)
    single: bool = eqx.field(static=True)
    gaps: bool = eqx.field(static=True, default=False)
    lengths: Any = None
    initial: Any = None


def as_series(
    inputs: Any,
    targets: Any = None,
    *,
    washout: int = 0,
    dt: Any = None,
    targets_of_trials: bool = True,
) -> Series:
    """Arrays (time, channels) or (series, time, channels), lists of them, or `Trials`.

    Arguments:
        inputs: see above.
        targets: likewise, or `None`.
        washout: steps at the beginning of each series that have no weight.
        dt: ms per step; default that of the trials, or 1.
        targets_of_trials: whether trials bring their targets; otherwise those that are given count.

    Raises:
        ValueError: for shapes that do not fit together, complex numbers, series without steps, a
            washout that leaves nothing, a `dt` that is not positive, or another one than that of
            the trials.
    """
    dt = None if dt is None else checked_dt(dt)
    if isinstance(inputs, Trials):
        if dt is not None and dt != inputs.dt:
            raise ValueError(
                f"the trials have steps of dt={inputs.dt:g} ms, but dt={dt:g} is asked for "
                "(a read-out keeps the dt of its fit)"
            )
        if targets_of_trials:
            if targets is not None:
                raise ValueError("trials have targets of their own: leave targets out")
            targets = inputs.targets
        return _of_trials(inputs, targets, washout)
    listed = isinstance(inputs, list | tuple)
    if listed:
        inputs, lengths = _filled("inputs", inputs)
        if targets is not None:
            targets, others = _filled("targets", targets)
            _check_lengths(lengths, others)
    else:
        inputs = _array("inputs", inputs)
        targets = None if targets is None else _array("targets", targets)
        lengths = None
    single = inputs.ndim == 2
    if targets is not None and targets.shape[:-1] != inputs.shape[:-1]:
        raise ValueError(
            f"targets must have a row for each step of the inputs, shape {inputs.shape[:-1]} + "
            f"(outputs,), got {targets.shape}"
        )
    if single:
        inputs = inputs[None]
        targets = None if targets is None else targets[None]
    count, steps = inputs.shape[:2]
    lengths = [steps] * count if lengths is None else lengths
    _check_steps(lengths)
    check_washout(washout, min(lengths))
    time = np.arange(steps)[None]
    weights = (time >= washout) & (time < np.asarray(lengths)[:, None])
    dt = 1.0 if dt is None else dt
    lengths = jnp.asarray(lengths) if len(set(lengths)) > 1 else None
    return _checked(inputs, targets, weights.astype(float), dt, single, lengths=lengths)


def check_washout(washout, shortest: int) -> None:
    """A washout is a whole number of steps that leaves some of each series."""
    whole = isinstance(washout, int | np.integer) and not isinstance(washout, bool)
    if not whole or not 0 <= washout < shortest:
        raise ValueError(
            f"washout must be a whole number of steps below the shortest series ({shortest} "
            f"steps), got {washout!r}"
        )


def _of_trials(trials: Trials, targets, washout) -> Series:
    _check_steps([trials.steps] * math.prod(trials.batch))
    if targets is not None and targets is not trials.targets:
        targets = _real("targets", targets)
        if targets.ndim != trials.inputs.ndim or targets.shape[:-1] != trials.mask.shape:
            raise ValueError(
                f"targets must have a row for each step of the trials, shape {trials.mask.shape} + "
                f"(outputs,), got {targets.shape}"
            )
    check_washout(washout, trials.steps)
    single = trials.mask.ndim == 1
    kept = jnp.where(jnp.arange(trials.steps) >= washout, 1.0, 0.0)
    weights = trials.mask * jnp.broadcast_to(kept, trials.mask.shape)
    values: Any = (trials.inputs, targets, weights, trials.initial)
    if single:  # but for the state
        values = (*jax.tree.map(lambda x: x[None], values[:3]), trials.initial)
    elif trials.mask.ndim > 2:
        values = jax.tree.map(lambda x: x.reshape(-1, *x.shape[trials.mask.ndim - 1 :]), values)
    inputs, targets, weights, initial = values
    return _checked(inputs, targets, weights, trials.dt, single, initial=initial)


def _checked(inputs, targets, weights, dt, single, **more) -> Series:
    """Everything that counts is finite, and gaps are 0."""
    inputs = without_gaps("inputs", inputs, 1.0)
    if targets is None:
        return Series(inputs, None, weights, dt, single, **more)
    filled = without_gaps("targets", targets, weights[..., None])
    gaps = known(targets, weights) and filled is not targets
    return Series(inputs, filled, weights, dt, single, gaps, **more)


def _array(name, values) -> Any:
    values = _real(name, values)
    if values.ndim not in (2, 3):
        hint = "; one channel is series[:, None]" if values.ndim == 1 else ""
        raise ValueError(
            f"{name} must be (time, channels), or (series, time, channels), got {values.shape}"
            + hint
        )
    return values


def _real(name, values) -> Any:
    # targets stay in double precision on the host; what is traced stays what it is
    values = np.asarray(values) if known(values) else values
    if not (jnp.issubdtype(values.dtype, jnp.number) or values.dtype == bool):
        raise TypeError(
            f"{name} must be numbers, got {values.dtype}: names of classes are for "
            "nj.fitting.logistic_readout"
        )
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise ValueError(
            f"{name} must be real numbers, got {values.dtype}: give the real and the imaginary "
            "part as channels of their own"
        )
    return values


def _check_steps(lengths) -> None:
    if not lengths or min(lengths) == 0:
        found = f"one of {min(lengths)} steps" if lengths else "none"
        raise ValueError(f"inputs must be series of at least one step, got {found}")


def _filled(name, series) -> tuple[Any, list[int]]:
    arrays = [_array(f"{name}[{i}]", one) for i, one in enumerate(series)]
    if not arrays or any(a.ndim != 2 or a.shape[1] != arrays[0].shape[1] for a in arrays):
        shapes = [a.shape for a in arrays]
        raise ValueError(f"{name} must be series (time, channels) of as many channels: {shapes}")
    lengths = [len(a) for a in arrays]
    if not known(*arrays):
        fill = lambda a: jnp.pad(
            jnp.asarray(a, jnp.result_type(float)), ((0, max(lengths) - len(a)), (0, 0))
        )
        return jnp.stack([fill(a) for a in arrays]), lengths
    whole = np.zeros((len(arrays), max(lengths), arrays[0].shape[1]))
    for row, one in zip(whole, arrays, strict=True):
        row[: len(one)] = one
    return whole, lengths


def _check_lengths(inputs: list[int], targets: list[int]) -> None:
    if len(inputs) != len(targets):
        raise ValueError(f"there are {len(inputs)} series of inputs and {len(targets)} of targets")
    for i, (a, b) in enumerate(zip(inputs, targets, strict=True)):
        if a != b:
            raise ValueError(f"series {i} has {a} steps of inputs and {b} of targets")
