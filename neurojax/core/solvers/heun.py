"""Heun's method, the explicit trapezoidal rule."""

from typing import ClassVar

import jax

from .base import AbstractStepper, noise_increment, plus, plus_noise, stage


class Heun(AbstractStepper):
    r"""The mean of the slopes at both ends of an Euler step: second order, explicit.

    With noise both stages see the same increment, $y + \tfrac{dt}{2}(f_0 + f_1) +
    \tfrac12 (\sigma_0 + \sigma_1) dW$, which converges to the Stratonovich solution
    (the Ito one where the noise does not depend on the state).

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.Heun().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)
        >>> round(float(y), 6)
        0.905
    """

    order: ClassVar[int] = 2
    calculus: ClassVar[str | None] = "stratonovich"

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        k0 = f(t, y, args)
        predicted = plus(y, dt, k0)
        amplitude, dW = noise_increment(f, t, dt, y, args)
        if amplitude is None:
            k0, predicted = stage(k0, predicted, f, t, args)
            k1 = f(t + dt, predicted, args)
            return jax.tree.map(lambda a, b, c: a + 0.5 * dt * (b + c), y, k0, k1)
        (k0, dW), predicted = stage((k0, dW), plus_noise(predicted, amplitude, dW), f, t, args)
        k1 = f(t + dt, predicted, args)
        late = f.diffusion(t + dt, predicted, args)
        moved = jax.tree.map(lambda a, b, c: a + 0.5 * dt * (b + c), y, k0, k1)
        mean = jax.tree.map(lambda s0, s1: 0.5 * (s0 + s1), amplitude, late)
        return plus_noise(moved, mean, dW)
