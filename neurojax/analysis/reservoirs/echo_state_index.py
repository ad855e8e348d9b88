"""How many different responses a circuit has to one and the same input."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurojax.core import Clock
from neurojax.core.tracing import known

from ..dynamics._field import flattened
from ._driven import driven, steps_of
from ._series import whole


class EchoStateIndex(NamedTuple):
    """The responses of a circuit to one input from many starts.

    Arguments:
        index: number of different responses; 1 if the circuit forgets where it began.
        responses: [start], which of them each start led to.
        rate: at which starts of the same response approach each other, per ms; negative if they
            part, NaN if no two led to the same response, or if these were the same to rounding
            after the first step.
        spread: [time], mean distance between starts of the same response, before the first step
            and after each one; NaN if no two led to the same response.

    Example:
        >>> found = EchoStateIndex(jnp.array(1), jnp.zeros(4, int), jnp.array(0.1), jnp.ones(9))
        >>> found.responses.tolist()
        [0, 0, 0, 0]
    """

    index: Int[Array, ""]
    responses: Int[Array, " start"]
    rate: Float[Array, ""]
    spread: Float[Array, " time"]


def echo_state_index(
    circuit: Any,
    inputs: Any,
    starts: Any,
    *,
    dt: float,
    tolerance: Any = 1e-3,
    window: int | None = None,
    key: Any = None,
) -> EchoStateIndex:
    r"""The number of different responses to an input, over many initial states: the echo index.

    Two starts lead to the same response if their states stay within `tolerance`,

    $$\max_{t > T - \mathrm{window}} \Big(\frac{1}{n} \|x_t - x'_t\|^2\Big)^{1/2}
        \le \mathrm{tolerance},$$

    with x what recorders see of a state (`visible`: spikes that are under way in a network count
    where they arrive), or if a chain of such pairs joins them. An index of 1 is the echo-state
    property for this input, as far as the starts can tell; a larger one means that the input
    leaves several responses stable. A circuit in chaos gives as many as there are starts. The
    rate is minus the slope of the logarithm of the spread over time, by least squares, up to
    where rounding ends its fall.

    Arguments:
        circuit: a `Dynamics`.
        inputs: array (time, channels), which goes to the port `u`, or a dictionary of arrays
            (time, ...).
        starts: states with a leading axis of at least two; `sample_states` of
            `nj.analysis.dynamics` draws some.
        dt: ms per step.
        tolerance: in the unit of the state, not negative.
        window: steps at the end over which states are compared; default a tenth of all. Choose
            it longer than the period of a response.
        key: of the noise, the same for all starts.

    Returns:
        `index`, `responses`, `rate` and `spread`.

    Raises:
        ValueError: for inputs whose lengths differ, states that are not of this circuit, fewer
            than two starts, a negative tolerance, or a window longer than the run.

    Source:
        Ceni, Ashwin, Livi and Postlethwaite (2020), Physica D 412:132609.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> one = jnp.ones((1, 1))
        >>> circuit = nj.circuits.LeakyRNN(1, inputs=1, recurrent=2.0 * one, input=one)
        >>> starts = {"h": jnp.linspace(-1.0, 1.0, 6)[:, None]}
        >>> weak = echo_state_index(circuit, 0.1 * jnp.ones((100, 1)), starts, dt=1.0)
        >>> strong = echo_state_index(circuit, 2.0 * jnp.ones((100, 1)), starts, dt=1.0)
        >>> weak.index.item(), strong.index.item()
        (2, 1)
    """
    field, series = driven(circuit, starts, inputs, dt, batched=True, key=key)
    starts = jax.tree.map(jnp.asarray, starts)
    if jax.tree.leaves(starts)[0].shape[0] < 2:
        raise ValueError("starts must be at least two states")
    if known(tolerance) and not np.all(np.asarray(tolerance) >= 0):
        raise ValueError(f"tolerance must not be negative, got {tolerance!r}")
    steps = steps_of(series)
    window = max(1, steps // 10) if window is None else whole("window", window, 1)
    if window > steps:
        raise ValueError(f"window={window} is longer than the run of {steps} steps")
    return _index(field, series, starts, key, jnp.asarray(tolerance), window)


@eqx.filter_jit
def _index(field, series, starts, key, tolerance, window: int) -> EchoStateIndex:
    steps = steps_of(series)

    def moved(state, k, inputs):
        new, _ = field.circuit.step(state, inputs, Clock(k, field.dt, key))
        return new

    def apart(states):
        flat = flattened(jax.vmap(field.circuit.visible)(states))
        return jnp.sqrt(jnp.mean((flat[:, None, :] - flat[None, :, :]) ** 2, axis=-1))

    def compare(carry, drive):
        states, most = carry
        k, inputs = drive
        states = jax.vmap(moved, (0, None, None))(states, k, inputs)
        found = jax.lax.cond(k >= steps - window, apart, lambda _: jnp.zeros_like(most), states)
        return (states, jnp.maximum(most, found)), None

    first = apart(starts)
    drives = (jnp.arange(steps), series)
    (ends, most), _ = jax.lax.scan(compare, (starts, jnp.zeros_like(first)), drives)
    responses, index = _components(most <= tolerance)

    # again, now that it is known which pairs belong together
    same = (responses[:, None] == responses[None, :]) & ~jnp.eye(len(responses), dtype=bool)
    pairs = jnp.sum(same)
    mean = lambda d: jnp.sum(jnp.where(same, d, 0.0)) / pairs

    def follow(states, drive):
        states = jax.vmap(moved, (0, None, None))(states, *drive)
        return states, mean(apart(states))

    _, spread = jax.lax.scan(follow, starts, drives)
    spread = jnp.concatenate([mean(first)[None], spread])
    # below this rounding, not the circuit, decides about distances
    largest = jnp.max(jnp.abs(flattened(jax.vmap(field.circuit.visible)(ends))))
    floor = 1e3 * jnp.finfo(spread.dtype).eps * jnp.maximum(largest, spread[0])
    falling = jnp.cumprod((spread > floor).astype(spread.dtype))
    rate = -_slope(jnp.log(jnp.where(falling > 0, spread, 1.0)), falling) / field.dt
    return EchoStateIndex(index, responses, rate, spread)


def _components(joined):
    """The connected part to which each node belongs, numbered from 0, and how many there are."""
    count = joined.shape[0]
    joined = joined | jnp.eye(count, dtype=bool)
    lowest = lambda _, label: jnp.min(jnp.where(joined, label[None, :], count), axis=1)
    label = jax.lax.fori_loop(0, count, lowest, jnp.arange(count))
    own = label == jnp.arange(count)
    return (jnp.cumsum(own) - 1)[label], jnp.sum(own)


def _slope(values, weight):
    """The slope per step of a weighted straight line."""
    total = jnp.sum(weight)
    times = jnp.arange(len(values), dtype=values.dtype)
    times = times - jnp.sum(weight * times) / total
    return jnp.sum(weight * times * values) / jnp.sum(weight * times**2)
