"""What a read-out sees after each of many samples, all presented at once."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, unwrap
from neurojax.core.clock import checked_dt
from neurojax.core.parameters import arrays_only

from ..recurrent import check_circuit, check_finite, check_inputs


def responses(circuit: Any, inputs: Any, *, dt: float, key: Any = None) -> Array:
    """The rates of a circuit after each of some samples, all of them at once.

    Only the last rates are kept, so memory does not grow with time: for a liquid with
    `tau_trace=jnp.inf` they are the numbers of spikes. (`nj.fitting.unroll` gives the rates of
    every step, `nj.simulate` anything else.)

    Arguments:
        circuit: a reservoir, or any recurrent circuit with an input `u`.
        inputs: `u` at each step, (sample, step, channel); or (step, channel) for one sample.
        dt: length of a step, ms.
        key: for initial states and noise; each sample has its own.

    Returns:
        Rates (sample, n), or (n,) for one sample.

    Raises:
        ValueError: for inputs of another shape or that are not finite, a `dt` that is not positive.
        TypeError: if `circuit` is no recurrent circuit.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.LeakyRNN(5, inputs=2)
        >>> nj.circuits.responses(circuit, jnp.ones((3, 10, 2)), dt=1.0).shape
        (3, 5)
    """
    check_circuit(circuit)
    dt = checked_dt(dt)
    inputs = jnp.asarray(inputs, jnp.result_type(float))
    if inputs.ndim not in (2, 3) or 0 in inputs.shape:
        raise ValueError(
            f"inputs must have shape (sample, step, channel) or (step, channel), got {inputs.shape}"
        )
    check_inputs(circuit, inputs)
    check_finite("inputs", inputs)
    circuit = arrays_only(circuit).on_grid(dt)
    one = inputs.ndim == 2
    inputs = inputs[None] if one else inputs
    keys = None if key is None else jax.random.split(key, len(inputs))
    final = _final(circuit, inputs, jnp.asarray(dt, inputs.dtype), keys)
    return final[0] if one else final


@eqx.filter_jit
def _final(circuit, inputs, dt, keys) -> Array:
    circuit = unwrap(circuit).prepare()
    circuit = circuit.prepare_steps(circuit.init_state(), {}, Clock(0, dt))

    def present(u, key):
        clock = Clock(0, dt, key)
        start = None if key is None else clock.child("init_state").key

        def step(state, drive):
            number, u = drive
            given = circuit.read_inputs({"u": u}, Clock(number, dt, key))
            return circuit.step(state, given, Clock(number, dt, key))[0], None

        state = circuit.init_state(key=start)
        return circuit.rates(jax.lax.scan(step, state, (jnp.arange(len(u)), u))[0])

    return jax.vmap(present)(inputs, keys)
