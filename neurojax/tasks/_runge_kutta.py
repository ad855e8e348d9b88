"""The fourth-order Runge-Kutta method for systems of a few variables."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def solved(
    slope: Callable, start: Array, h: float, substeps: int, count: int
) -> Float[Array, "time variables"]:
    """`count` samples, `substeps` steps of `h` apart, the first of which is `start`.

    Variables are a tuple of numbers, not an array: over a batch the whole step is one loop.
    """
    along = lambda state, h, k: tuple(a + h * b for a, b in zip(state, k, strict=True))

    def substep(_, state):
        k1 = slope(state)
        k2 = slope(along(state, 0.5 * h, k1))
        k3 = slope(along(state, 0.5 * h, k2))
        k4 = slope(along(state, h, k3))
        for k, weight in ((k1, 1.0), (k2, 2.0), (k3, 2.0), (k4, 1.0)):
            state = along(state, weight * h / 6.0, k)
        return state

    def step(state, _):
        # a loop: written out, four substeps run out of registers and take half as long again
        return jax.lax.fori_loop(0, substeps, substep, state), jnp.stack(state)

    _, states = jax.lax.scan(step, tuple(start), None, length=count)
    return states
