"""Lyapunov exponents of a circuit that is driven in time."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core import Clock
from neurojax.core.precision import unrounded

from ._driven import at, driven, steps_of
from ._series import whole


@unrounded
def conditional_lyapunov(
    circuit: Any,
    state: Any,
    inputs: Any,
    *,
    dt: float,
    count: int = 1,
    every: int = 1,
    washout: int = 0,
    key: Any = None,
) -> Float[Array, " count"]:
    r"""The largest Lyapunov exponents of a circuit along its response to a series of inputs.

    $$\lambda_i = \frac{1}{T} \sum_t \log |R_{t,ii}|, \qquad
      \frac{\partial x_{t+1}}{\partial x_t}(x_t, u_t)\, Q_t = Q_{t+1} R_{t+1}$$

    The input is the same for neighbouring states, so only what the circuit itself does to
    them counts. If the largest exponent is negative, neighbouring states fall together: a
    necessary condition of the echo-state property under this input. (Whether distant ones do is
    what `echo_state_index` asks.)

    Arguments:
        circuit: a `Dynamics` with a differentiable step.
        state: where the run begins.
        inputs: array (time, channels), which goes to the port `u`, or a dictionary of arrays
            (time, ...).
        dt: ms per step.
        count: how many exponents.
        every: steps between decompositions; the steps after the washout must be a whole number
            of times as many.
        washout: steps before the average, a whole number of times `every`.
        key: of the noise, for circuits that have some.

    Returns:
        The exponents per ms, in falling order.

    Raises:
        ValueError: for inputs whose lengths differ, a `count` that is not between 1 and the
            number of variables, or steps that are no whole number of times `every`.

    Source:
        Pecora and Carroll (1990), Phys. Rev. Lett. 64:821; Benettin et al. (1980), Meccanica 15:9.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.LeakyRNN(2, inputs=1, recurrent=jnp.diag(jnp.array([0.5, 0.1])))
        >>> found = conditional_lyapunov(
        ...     circuit, circuit.init_state(), jnp.zeros((100, 1)), dt=1.0, count=2
        ... )
        >>> jnp.exp(found).round(3).tolist()  # at rest the slope of tanh is 1
        [0.5, 0.1...]
    """
    field, series = driven(circuit, state, inputs, dt, key=key)
    every, washout = whole("every", every, 1), whole("washout", washout, 0)
    variables = field.flat(field.template).size
    if whole("count", count, 1) > variables:
        raise ValueError(f"count must be between 1 and {variables}, got {count}")
    steps = steps_of(series)
    if washout % every or (steps - washout) % every or steps <= washout:
        raise ValueError(
            f"{washout} steps of washout and the {steps - washout} that follow must both be a "
            f"whole number of times every={every}, and some must follow"
        )
    total = _growth(field, series, key, int(count), every, washout // every)
    return jnp.sort(total / ((steps - washout) * field.dt))[::-1]


@eqx.filter_jit
def _growth(field, series, key, count: int, every: int, settling: int):
    """The sum of log |diag R| over the rounds after settling."""
    flat = field.flat(field.template)

    def one_step(carry, inputs):
        state, tangents, k = carry
        here = at(field, state, inputs)
        move = lambda x: here.moved(x, Clock(k, field.dt, key))
        _, push, new = jax.linearize(move, here.flat(state), has_aux=True)
        return (new, jax.vmap(push)(tangents), k + 1), None

    def one_round(carry, drive):
        number, inputs = drive
        (state, tangents, step), _ = jax.lax.scan(one_step, carry, inputs)
        Q, R = jnp.linalg.qr(tangents.T)
        gain = jnp.where(number >= settling, jnp.log(jnp.abs(jnp.diagonal(R))), 0.0)
        return (state, Q.T, step), gain

    rounds = steps_of(series) // every
    drives = jax.tree.map(lambda x: x.reshape(rounds, every, *x.shape[1:]), series)
    # a generic frame: unit vectors may lie in an invariant subspace
    mixed = jnp.cos(jnp.arange(flat.size * count, dtype=flat.dtype).reshape(count, -1) ** 1.5)
    Q, _ = jnp.linalg.qr((jnp.eye(count, flat.size, dtype=flat.dtype) + 0.3 * mixed).T)
    begun = (field.template, Q.T, jnp.zeros((), int))
    _, gains = jax.lax.scan(one_round, begun, (jnp.arange(rounds), drives))
    return jnp.sum(gains, axis=0)
