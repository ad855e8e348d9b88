"""The Euler-Maruyama method for stochastic dynamics."""

from typing import ClassVar

from .base import AbstractStepper, noise_increment, plus, plus_noise


class EulerMaruyama(AbstractStepper):
    r"""$y + dt f + \sigma \sqrt{dt}\, N(0, 1)$: the Ito solution, strong order 1/2, weak order 1.

    Strong order 1 where the noise does not depend on the state. Without noise it is `Euler`.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.EulerMaruyama().advance(lambda t, y, args: -y, 0.0, 0.1, 1.0, None)
        >>> round(float(y), 6)
        0.9
    """

    order: ClassVar[int] = 1
    calculus: ClassVar[str | None] = "ito"
    holds_inputs: ClassVar[bool] = True

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        drifted = plus(y, dt, f(t, y, args))
        amplitude, dW = noise_increment(f, t, dt, y, args)
        if amplitude is None:
            return drifted
        return plus_noise(drifted, amplitude, dW)
