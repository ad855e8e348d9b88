"""Memory of the last pulse, for several bits."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class FlipFlop(Task):
    """Each output shall be the sign of the last pulse on its own input.

    Pulses of 1 or -1 come at random times, independently on each bit; one that begins during
    another cuts it off. A pulse on every bit begins each trial, so that the targets are known.
    A circuit that solves it with three bits has eight stable states.

    Inputs: one per bit. Outputs: one per bit. Conditions: none.
    Score: fraction of bits and steps between pulses at which the output has the right sign.

    Arguments:
        bits: how many.
        length: of a trial in ms.
        pulse: length of a pulse in ms.
        rate: pulses per second on each bit (Hz).
        dt: ms per step.

    Raises:
        ValueError: for a duration, number or rate that makes no sense.

    Source:
        Sussillo and Barak (2013), Neural Comput. 25:626.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.FlipFlop(bits=3).trial(jax.random.key(0))
        >>> bool((abs(trial.targets) == 1.0).all())
        True
    """

    bits: int = eqx.field(static=True, default=3)
    length: float = _timing.ms(1000.0)
    pulse: float = _timing.ms(20.0)
    rate: Float[Array, ""] = _timing.number(4.0)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _timing.steps(self, "length")
        _timing.steps(self, "pulse")
        check_positive(self, "rate", zero=True)
        if self.bits < 1:
            raise ValueError(f"bits must be at least 1, got {self.bits}")
        if known(self.rate) and float(self.rate) * self.dt * 1e-3 > 1:
            raise ValueError(f"rate={self.rate} Hz is more than one pulse per step")

    @property
    def inputs(self) -> int:
        """One per bit."""
        return self.bits

    @property
    def outputs(self) -> int:
        """One per bit."""
        return self.bits

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "length")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (self.steps, self.bits))
        half = 0.5e-3 * self.rate * self.dt
        first = (jnp.arange(self.steps) == 0)[:, None]
        up = jnp.where(first, u < 0.5, u < half)
        down = jnp.where(first, u >= 0.5, u >= 1.0 - half)
        event = up.astype(u.dtype) - down.astype(u.dtype)
        width = _timing.steps(self, "pulse")

        def follow(carry, event):
            value, left = carry
            new = event != 0
            value = jnp.where(new, event, value)
            left = jnp.where(new, width, jnp.maximum(left - 1, 0))
            return (value, left), (value, jnp.where(left > 0, value, 0.0))

        none = (jnp.zeros(self.bits, u.dtype), jnp.zeros(self.bits, jnp.int32))
        _, (targets, inputs) = jax.lax.scan(follow, none, event)
        return Trials(inputs, targets, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """Fraction of right signs between the pulses."""
        right = jnp.sign(checked_outputs(trials, outputs)) == trials.targets
        weight = trials.mask[..., None] * (trials.inputs == 0)
        total = jnp.maximum(jnp.sum(weight, axis=(-2, -1)), jnp.finfo(weight.dtype).tiny)
        return jnp.sum(weight * right, axis=(-2, -1)) / total
