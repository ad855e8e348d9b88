"""Lyapunov exponents: how fast neighbouring states part."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import Clock
from neurojax.core.precision import unrounded

from ._field import field_of


@unrounded
def lyapunov_spectrum(
    circuit: Any,
    state: Any,
    *,
    duration: float,
    dt: float,
    inputs: Any = None,
    count: int | None = None,
    every: int = 1,
    transient: float = 0.0,
    key: Any = None,
) -> Float[Array, " count"]:
    r"""The largest Lyapunov exponents, by QR decomposition of tangent vectors along a run.

    Tangent vectors Q move with the derivative of `step`; every few steps they are made
    orthogonal again,

    $$D_k Q_{k-1} = Q_k R_k, \qquad
      \lambda_i = \frac{1}{T} \sum_k \log |R_{k,ii}|.$$

    They are the exponents of the solver's map: of the flow as `dt` goes to zero.

    Arguments:
        circuit: a `Dynamics` with a differentiable step.
        state: where the run begins.
        duration: ms over which it averages, a whole number of `every * dt`.
        dt: step in ms.
        inputs: dictionary of constant arrays.
        count: how many exponents; default all.
        every: steps between decompositions; the vectors may neither become parallel nor overflow
            in between.
        transient: ms before the average, in which state and vectors settle; also a whole number
            of `every * dt`.
        key: of the noise, for circuits that have some; exponents are then those of one
            realisation.

    Returns:
        The exponents per ms, in falling order. (A map of step 1 ms: per step.)

    Raises:
        ValueError: for durations that are no whole number of `every * dt`, or a `count` that is
            not between 1 and the number of variables.

    Source: Benettin et al. (1980), Meccanica 15, 9; for networks Engelken, Wolf and Abbott
        (2023), Phys. Rev. Research 5, 043044.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Logistic(nj.core.Dynamics):
        ...     def init_state(self, *, key=None):
        ...         return jnp.full(1, 0.3)
        ...
        ...     def step(self, state, inputs, clock):
        ...         return 3.2 * state * (1.0 - state), nj.core.Output()
        >>> spectrum = lyapunov_spectrum(
        ...     Logistic(), jnp.full(1, 0.3), duration=1000.0, dt=1.0, transient=100.0
        ... )
        >>> round(float(spectrum[0]), 3)  # a cycle of period two: log |4 + 2 r - r^2| / 2
        -0.916
    """
    if isinstance(every, bool) or not isinstance(every, int | np.integer) or every < 1:
        raise ValueError(f"every must be a whole number of steps, got {every!r}")
    field = field_of(circuit, state, inputs, dt, key=key)
    rounds = _rounds("duration", duration, every * dt)
    settling = _rounds("transient", transient, every * dt)
    if rounds < 1:
        raise ValueError(f"duration must be at least every * dt = {every * dt:g} ms")
    flat = field.flat(field.template)
    count = flat.size if count is None else count
    if isinstance(count, bool) or not (
        isinstance(count, int | np.integer) and 1 <= count <= flat.size
    ):
        raise ValueError(f"count must be between 1 and {flat.size}, got {count!r}")
    total = _growth(field, key, int(count), int(every), settling, rounds)
    return jnp.sort(total / (rounds * every * dt))[::-1]


@eqx.filter_jit
def _growth(field, key, count: int, every: int, settling: int, rounds: int):
    """The sum of log |diag R| over the rounds."""
    flat = field.flat(field.template)

    def one_step(carry, _):
        state, tangents, k = carry
        # the whole state goes on, also its integer leaves; the tangents are of the floats
        here = eqx.tree_at(lambda f: f.template, field, state)
        clock = Clock(k, field.dt, key)
        move = lambda x: here.moved(x, clock)
        _, push, new = jax.linearize(move, here.flat(state), has_aux=True)
        return (new, jax.vmap(push)(tangents), k + 1), None

    def one_round(carry, k):
        carry, _ = jax.lax.scan(one_step, carry, None, length=every)
        state, tangents, step = carry
        Q, R = jnp.linalg.qr(tangents.T)
        gain = jnp.where(k >= settling, jnp.log(jnp.abs(jnp.diagonal(R))), 0.0)
        return (state, Q.T, step), gain

    start = jnp.eye(count, flat.size, dtype=flat.dtype)
    # a generic frame: unit vectors may lie in an invariant subspace
    mixed = jnp.cos(jnp.arange(flat.size * count, dtype=flat.dtype).reshape(count, -1) ** 1.5)
    Q, _ = jnp.linalg.qr((start + 0.3 * mixed).T)
    begun = (field.template, Q.T, jnp.zeros((), int))
    _, gains = jax.lax.scan(one_round, begun, jnp.arange(settling + rounds))
    return jnp.sum(gains, axis=0)


def _rounds(name: str, value, unit: float) -> int:
    rounds = round(float(value) / unit)
    if not (np.isfinite(float(value)) and abs(rounds * unit - value) <= 1e-6 * max(value, unit)):
        raise ValueError(f"{name}={value} ms must be a whole number of every * dt = {unit:g} ms")
    return rounds
