"""A circuit run over trials, in the form that training needs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.circuits import RecurrentCircuit
from neurojax.circuits.recurrent import check_inputs
from neurojax.core import Clock, unwrap
from neurojax.core.keys import check_key
from neurojax.core.parameters import arrays_only
from neurojax.core.paths import leaf_names
from neurojax.core.tracing import known
from neurojax.tasks import Trials


class Unrolled(eqx.Module):
    """What a circuit did in one trial, or in a batch of them.

    Arguments:
        states: states at the end of each step, (..., time) before the axes of a state.
        rates: (..., time, n).
        outputs: (..., time, outputs).

    Example:
        >>> import numpy as np, neurojax as nj
        >>> trials = nj.tasks.Trials(np.zeros((2, 7, 1)), np.zeros((2, 7, 3)), dt=1.0)
        >>> run = nj.fitting.unroll(nj.circuits.LeakyRNN(5, inputs=1, outputs=3), trials)
        >>> run.states["h"].shape, run.rates.shape, run.outputs.shape
        ((2, 7, 5), (2, 7, 5), (2, 7, 3))
    """

    states: Any
    rates: Float[Array, "... time n"]
    outputs: Float[Array, "... time outputs"]


def ready(circuit: RecurrentCircuit, dt: float) -> RecurrentCircuit:
    """The circuit as its steps of `dt` ms want it: plain arrays, solvers prepared."""
    prepared: Any = unwrap(arrays_only(circuit).on_grid(dt)).prepare()
    return prepared.prepare_steps(prepared.init_state(), {}, Clock(0, dt))


def unroll(circuit: RecurrentCircuit, trials, *, key: Any = None) -> Unrolled:
    """Run a circuit over trials; differentiable by the circuit and by the inputs.

    As `nj.simulate` with the inputs of the trials, for all trials at once. Trials that carry
    `initial` states begin there, the others at the circuit's own.

    Arguments:
        circuit: one of the recurrent circuits.
        trials: `nj.tasks.Trials`, one or a batch.
        key: for the noise of the circuit; each trial has noise of its own.

    Returns:
        States, rates and outputs at the end of each step.

    Raises:
        TypeError: if `trials` are no trials.
        ValueError: if they have not the inputs of the circuit.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.tasks.FlipFlop()
        >>> circuit = nj.circuits.RateRNN(20, inputs=task.inputs, outputs=task.outputs)
        >>> trials = task.trials(jax.random.key(0), 5)
        >>> nj.fitting.unroll(circuit, trials).outputs.shape == trials.targets.shape
        True
    """
    if not isinstance(trials, Trials):
        raise TypeError(
            f"trials must be nj.tasks.Trials, got {type(trials).__name__}; arrays of inputs are "
            "for nj.fitting.drive"
        )
    check_inputs(circuit, trials.inputs)
    if key is not None:
        check_key(key)
    if known(*jax.tree.leaves((circuit, trials, key))):
        # compiled once, whatever the numbers; what is traced already is compiled by others
        return _compiled(arrays_only(circuit), trials, key)
    return _unrolled(circuit, trials, key)


def _unrolled(circuit, trials, key) -> Unrolled:
    circuit = ready(circuit, trials.dt)
    if trials.inputs.ndim == 2:
        return unroll_one(circuit, trials.inputs, trials.initial, trials.dt, key)
    keys = None if key is None else jax.random.split(key, len(trials))
    one = lambda inputs, initial, key: unroll_one(circuit, inputs, initial, trials.dt, key)
    return jax.vmap(one)(trials.inputs, trials.initial, keys)


_compiled = eqx.filter_jit(_unrolled)


def unroll_one(circuit, inputs, initial, dt, key, currents=None) -> Unrolled:
    """One trial of a circuit that is `ready`; `currents` (time, n) go into its units."""
    start = begin(circuit, initial)
    _, states = along(circuit, inputs, start, dt, key, currents, keep=lambda state: state)
    # rates and outputs of all steps at once: two large products instead of many small ones
    rates = jax.vmap(circuit.rates)(states)
    return Unrolled(states, rates, circuit.read_out(rates))


def along(circuit, inputs, state, dt, key, currents, *, keep, length=None):
    """The last state of a circuit that is `ready`, and what is kept of the state of each step.

    After `length` steps the state stays as it is.
    """

    def step(before, drive):
        number, u, current = drive
        given = {"u": u} if current is None else {"u": u, "I_e": current}
        state, _ = circuit.step(before, given, Clock(number, dt, key))
        if length is not None:
            stay = lambda new, old: jnp.where(number < length, new, old)
            state = jax.tree.map(stay, state, before)
        return state, keep(state)

    drives = (jnp.arange(inputs.shape[0]), inputs, currents)
    return jax.lax.scan(step, state, drives)


def begin(circuit: RecurrentCircuit, initial):
    """The state at the start of a trial: the circuit's own, or the one that the trial gives."""
    state = circuit.init_state()
    if initial is None:
        return state
    given = like(circuit, state, initial, "trials.initial")
    leaves = zip(leaf_names(state), jax.tree.leaves(given), jax.tree.leaves(state), strict=True)
    for leaf, value, own in leaves:
        if value.shape != own.shape:
            raise ValueError(
                f"trials.initial[{leaf!r}] must have shape {own.shape} in each trial, got "
                f"{value.shape}"
            )
    return given


def like(circuit, own, value, name: str):
    """A state as a tree like `own`, of such a tree or of a dictionary by name of leaf.

    Of a circuit with one leaf an array may be given.

    Raises:
        ValueError: naming the leaves, for others, or for an array where there are several.
    """
    leaves, tree = jax.tree.flatten(own)
    wanted = leaf_names(own)
    if isinstance(value, dict):  # a name of a leaf as a key is its path as well
        given = dict(zip(leaf_names(value), jax.tree.leaves(value), strict=True))
        if set(given) != set(wanted):
            raise ValueError(
                f"{name} must have the leaves {list(wanted)} of {type(circuit).__name__}, as "
                f"that of an earlier run, got {list(given)}"
            )
    elif len(leaves) == 1:
        given = {wanted[0]: value}
    else:
        raise ValueError(
            f"{name} as an array is for circuits with one state variable; "
            f"{type(circuit).__name__} needs a dictionary with {list(wanted)}"
        )
    cast = [jnp.asarray(given[leaf], x.dtype) for leaf, x in zip(wanted, leaves, strict=True)]
    return jax.tree.unflatten(tree, cast)
