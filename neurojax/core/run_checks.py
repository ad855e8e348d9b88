"""What is given to a run, and whether it fits: lengths of time, inputs, recorders."""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import inputs as signals
from .errors import ShapeError
from .parameters import arrays_only, unwrap
from .recorders import Trace, as_recorders
from .tracing import is_traced, known
from .units import refuse_units


def as_given(inputs, record) -> tuple[dict, dict[str, Any]]:
    """The inputs with all numbers as arrays, and the recorders by name."""
    if not isinstance(inputs, dict | None):
        raise TypeError(
            "inputs must be a dictionary by name, for example {'I_e': 200.0}, got "
            + described(inputs)
        )
    recorders = as_recorders(record)
    return arrays_only(_values(inputs or {})), recorders


def check_times(duration, dt, t0) -> None:
    """The length of a run and of its steps, and the time of the first, are plain numbers."""
    finite_positive("duration", duration)
    finite_positive("dt", dt)
    refuse_units("t0", t0)
    if is_traced(t0):
        raise ValueError("t0 must be a plain number; inside jit give state=SimState(state, step)")
    if isinstance(t0, bool) or not (np.ndim(t0) == 0 and math.isfinite(float(t0))):
        raise ValueError(f"t0 must be a finite number of ms, got {t0!r}")


def check_run(dynamics, inputs: dict, recorders, first_step, steps: int, dt: float) -> None:
    """Inputs and recorders belong to a run of these steps.

    Raises:
        ValueError: for steps that integers do not count, or an input that does not reach over the
            run, or not to a port.
    """
    if first_step is not None:
        _check_counted(first_step, steps, dt)
    said = empty_records(recorders, first_step or 0, steps)
    if first_step is not None:
        singles, _ = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=_is_single)
        _check_reach(singles, first_step * dt, (first_step + steps) * dt)
        said += _beyond_precision(singles, first_step * dt, (first_step + steps) * dt, dt)
    _check_impulses(dynamics, inputs, dt)
    for message in said:
        # no error: a run may be one of many short pieces
        warnings.warn(message, stacklevel=3)


def name_misfits(dynamics, inputs: dict, error: ShapeError) -> None:
    """Raise the error anew, beginning with the inputs that are not shaped like their neurons.

    Only after an error: what else a model does with the shapes of its inputs is its own affair.
    """
    found = []
    for where, _, value, name, part in _at_parts(dynamics, inputs):
        found += _misfit(where, value, name, part)
    if found:
        raise ShapeError(" ".join([*found, str(error)])) from error.__cause__


def finite_positive(name: str, value) -> None:
    """A length of time is one positive number of ms, known before the run is compiled.

    Raises:
        ValueError: if it is not.
    """
    refuse_units(name, value)
    if is_traced(value):
        raise ValueError(
            f"{name} must be a plain number: it decides how many steps the compiled run has. "
            "Inside jit, close over it or make it a static argument"
        )
    number = isinstance(value, int | float | np.number | np.ndarray | jax.Array)
    fits = number and not isinstance(value, bool) and np.ndim(value) == 0
    if not (fits and math.isfinite(float(value)) and float(value) > 0):
        raise ValueError(f"{name} must be a positive number of ms, got {value!r}")


def whole_steps(name: str, value, dt) -> int:
    """`value` as a whole number of steps, or an error that says what would fit.

    Raises:
        ValueError: if it is not whole, or more than the integers of JAX count.
    """
    ratio = float(value) / float(dt)
    steps = round(ratio)
    if abs(ratio - steps) > 1e-6 * max(1.0, abs(ratio)) ** 0.5 or (
        name == "duration" and steps < 1
    ):
        nearest = max(steps, 1) if name == "duration" else steps
        fits = shown(nearest * float(dt))
        raise ValueError(
            f"{name}={value} ms is not a whole number of steps of dt={dt} ms; "
            f"the nearest that is: {fits}"
        )
    if abs(steps) > largest_step():
        raise ValueError(
            f"{name}={value} ms is {steps} steps of dt={dt} ms, but they are counted up to "
            f"{largest_step()} (2**63 - 2 with jax_enable_x64)"
        )
    return steps


def largest_step() -> int:
    """The last step that is counted."""
    # the last integer is the step of what never comes, such as a spike that is too late to count
    return int(jnp.iinfo(jnp.result_type(int)).max) - 1


def _check_counted(first_step: int, steps: int, dt: float) -> None:
    """The sum too: a start and a length that are counted may end at a step that is not."""
    if -largest_step() <= first_step and first_step + steps <= largest_step():
        return
    begin, end = shown(first_step * dt), shown((first_step + steps) * dt)
    raise ValueError(
        f"a run from t={begin} to {end} ms goes from step {first_step} to {first_step + steps} of "
        f"dt={dt} ms, but they are counted up to {largest_step()} (2**63 - 2 with "
        "jax_enable_x64); begin earlier, or enable that"
    )


def shown(time) -> str:
    """A time in ms with its digits, also a late one."""
    return f"{decimal(time):.14g}"


def decimal(number) -> float:
    """The decimal number that one of single precision stands for: 0.1, not 0.100000001."""
    single = getattr(number, "dtype", None) == np.float32
    return float(str(np.float32(number)) if single else number)


def _values(inputs: dict, path: str = "inputs") -> dict:
    """The inputs with lists of numbers as arrays, and all numbers as floating-point ones."""
    found = {}
    for name, value in inputs.items():
        where = f"{path}[{name!r}]"
        if isinstance(value, dict):
            found[name] = _values(value, where)
            continue
        refuse_units(where, value)
        if isinstance(value, list | tuple):
            found[name] = _floating(_array(where, value))
        elif value is None or isinstance(value, str):
            raise TypeError(
                f"{where} must be a number, an array or one of nj.inputs, got {value!r}; leave it "
                "out if there is nothing to give"
            )
        else:
            found[name] = _floating(value)
    return found


def _floating(value):
    """A number or an array as one of floating-point numbers; anything else as it is."""
    if isinstance(value, int):
        return float(value)
    if not isinstance(value, np.ndarray | np.generic | jax.Array):
        return value
    whole = any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.integer, jnp.bool_))
    return value.astype(float) if whole else value


def _array(where: str, value: list | tuple) -> np.ndarray:
    # a list is a tree to JAX, whose numbers would be inputs of their own
    numbers = all(isinstance(x, int | float | np.number) for x in jax.tree.leaves(value))
    try:
        array = np.asarray(value) if numbers and len(value) else None
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype == object:
        several = any(isinstance(x, signals.AbstractInput) for x in value)
        advice = "add them, a + b" if several else "give an array, for example jnp.array([...])"
        raise TypeError(
            f"{where} must be a number, an array or one of nj.inputs, got a "
            f"{type(value).__name__} of {len(value)}; {advice}"
        )
    return array


def described(value) -> str:
    """What was given in place of something else, in words."""
    if isinstance(value, type):
        return f"the class {value.__name__} itself: write {value.__name__}(...)"
    return f"{value!r} of type {type(value).__name__}"


def _check_reach(singles, begin: float, end: float) -> None:
    """Sampled inputs must cover the run."""
    for path, x in singles:
        if not isinstance(x, signals.Sampled) or not known(x.t0, x.dt):
            continue
        lo, hi = decimal(x.t0), decimal(x.t0) + decimal(x.dt) * x.values.shape[0]
        slack = 1e-3 * float(x.dt) + 1e-6 * abs(end)
        if begin < lo - slack or end > hi + slack:
            name = jax.tree_util.keystr(path)
            raise ValueError(
                f"the sampled input {name} covers {shown(lo)} to {shown(hi)} ms with its values of "
                f"shape {tuple(x.values.shape)} (time first), but the run goes from {shown(begin)} "
                f"to {shown(end)} ms; extend its values or shorten the run"
            )


_NOTICED = 0.01  # of a step by which a jump may be off without a word
_UNCLEAR = 0.25  # of a step between numbers, of which many then lie on the grid by chance


def _beyond_precision(singles, begin: float, end: float, dt: float) -> list[str]:
    """What to say of jumps of inputs that are later than their numbers tell parts of steps apart.

    Those on the grid are kept exactly, as long as it is clear from their numbers that they are.
    """
    found = []
    for path, x in singles:
        times, unit = _jumps(x), dt
        if isinstance(x, signals.Sampled):  # all of it lies where its beginning does
            unit = decimal(x.dt) if known(x.dt) else dt
        elif times is not None:
            times = times[(times >= begin) & (times <= end)]
        if times is None or not times.size:
            continue
        apart = np.spacing(np.abs(times))
        on_grid = (np.rint(times.astype(float) / unit) * unit).astype(times.dtype)
        # a product in double precision is rounded itself
        beside = np.abs(on_grid - times) > (2 * apart if times.dtype == float else 0)
        lost = times[(apart >= _UNCLEAR * dt) | (beside & (apart > _NOTICED * dt))]
        if lost.size:
            found.append(
                f"jumps of inputs{jax.tree_util.keystr(path)} fall between {shown(lost.min())} and "
                f"{shown(lost.max())} ms, where numbers of {lost.dtype} are "
                f"{np.spacing(np.abs(lost)).max():g} ms apart: give times as plain numbers instead "
                "of arrays, begin such a run at t0=0, or enable jax_enable_x64"
            )
    return found


def _jumps(x) -> np.ndarray | None:
    """The times of an input that are known, but not kept with all digits."""
    kept = getattr(x, "places", None) is not None or getattr(x, "place", None) is not None
    if not isinstance(x, signals.AbstractInput) or kept:
        return None
    times = x.t0 if isinstance(x, signals.Sampled) else x.edges()
    return np.asarray(times).ravel() if known(times) else None


def _check_impulses(dynamics, inputs: dict, dt: float) -> None:
    """Impulses go to receptors of spikes, one sample a step, not negative for conductances.

    Raises:
        ValueError: otherwise.
    """
    impulses = lambda x: isinstance(x, signals.Poisson | signals.Sampled)
    if not any(map(impulses, jax.tree.leaves(inputs, is_leaf=_is_single))):
        return
    for where, port, value, _, part in _at_parts(dynamics, inputs):
        receptors = getattr(part, "receptors", None)
        if isinstance(value, dict) or not isinstance(receptors, dict):
            continue
        receptor = receptors.get(port)
        for x in jax.tree.leaves(value, is_leaf=_is_single):
            if isinstance(x, signals.Sampled) and receptor is not None and not receptor.is_held:
                _check_samples(where, x.dt, dt)
        if not isinstance(value, signals.Poisson):
            continue
        if port == "I_e" or (receptor is not None and receptor.is_held):
            raise ValueError(
                f"{where} takes a current or a conductance that lasts, but nj.inputs.Poisson gives "
                "impulses, whose effect would depend on dt: give them to a receptor of spikes, "
                "such as receptors={'noise': nj.synapses.ExpCurrent(tau=2.0)} and its port 'noise'"
            )
        if receptor is None or not receptor.is_conductance or not known(value.weight):
            continue
        if np.any(np.asarray(value.weight) < 0):
            raise ValueError(
                f"{where}: weights of conductances must not be negative, got "
                f"{np.min(np.asarray(value.weight)):g}. Inhibition has a receptor of its own, with "
                "a low E_rev: nj.synapses.ExpConductance(E_rev=-80.0)"
            )


def _check_samples(where: str, given, dt: float) -> None:
    if known(given) and not np.isclose(float(given), dt, rtol=1e-5):
        raise ValueError(
            f"{where} goes to a receptor of spikes, where a sample is the impulse of one step: its "
            f"dt={shown(given)} ms must be that of the run, {shown(dt)} ms. Add up what arrives in "
            "each step, or give spikes as a population nj.neurons.SpikeTimes"
        )


def _is_single(x) -> bool:
    """Whether a node of inputs is a signal that is no sum of others."""
    return signals.is_input(x) and not isinstance(x, signals.Sum)


def _at_parts(dynamics, inputs: dict):
    """Each input: where it stands, its port, itself, and the part that reads it with its name."""
    model = unwrap(dynamics)
    parts = getattr(model, "populations", getattr(model, "parts", None))
    for name, value in inputs.items():
        if not isinstance(value, dict):
            yield f"inputs[{name!r}]", name, value, "the model", model
        elif isinstance(parts, dict) and name in parts:
            for port, own in value.items():
                yield f"inputs[{name!r}][{port!r}]", port, own, repr(name), parts[name]


def _misfit(where: str, value, name: str, part) -> list[str]:
    """What is wrong with the shape of an input of which each neuron reads one value."""
    n = getattr(part, "n", None)
    if n is None or not hasattr(part, "receptors") or isinstance(value, dict):
        return []
    signal = isinstance(value, signals.AbstractInput)
    shape = tuple(jax.eval_shape(value, 0.0).shape if signal else np.shape(value))
    if shape in ((), (1,), (n,)):
        return []
    neurons = f"{n} neuron" + "s" * (n != 1)
    if isinstance(value, signals.Sampled):
        return [
            f"{where} has values of shape {tuple(value.values.shape)}, the first axis being time, "
            f"but {name} has {neurons}: give shape (time,) or (time, {n})."
        ]
    return [
        f"{where} has shape {shape}, but {name} has {neurons}: give one number or shape ({n},); "
        f"a series over time, (time,) or (time, {n}), goes in nj.inputs.Sampled(values, dt)."
    ]


def empty_records(recorders: dict[str, Any], first_step: int, steps: int) -> list[str]:
    """Which records no step of the run belongs to, in words."""
    return [
        f"record {name!r} stays empty: every={r.every} keeps the steps whose number is a multiple "
        f"of {r.every}, and there is none among the {steps} steps of this run; choose a smaller "
        "every= or a longer duration"
        for name, r in recorders.items()
        if isinstance(r, Trace) and r.at is None
        and first_step // r.every == (first_step + steps) // r.every
    ]  # fmt: skip
