"""Add two numbers that were marked long ago."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class DelayedAddition(Task):
    """A stream of random numbers, two of them marked: the output at the end shall be their sum.

    Numbers are uniform between 0 and 1 and change every `slot` ms. One is marked in the first
    half of the stream and one in the second. Then follows the response period, without input;
    the mask is 0 before it.

    Inputs: numbers, marks. Output: the sum. Conditions: `first`, `second` (the two numbers),
    `first_time`, `second_time` (ms), `sum`.
    Score: 1 if the mean output in the response period is within `tolerance` of the sum, else 0.

    Arguments:
        length: of the stream in ms.
        slot: for how long each number is shown, ms.
        response: length of the response period in ms.
        tolerance: of the score.
        dt: ms per step.

    Raises:
        ValueError: for a duration that makes no sense, or fewer than two slots.

    Source:
        Hochreiter and Schmidhuber (1997), Neural Comput. 9:1735, experiment 4.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.DelayedAddition().trial(jax.random.key(0))
        >>> float(trial.inputs[:, 1].sum())  # two marks of five steps each
        10.0
    """

    length: float = _timing.ms(1000.0)
    slot: float = _timing.ms(50.0)
    response: float = _timing.ms(100.0)
    tolerance: Float[Array, ""] = _timing.number(0.04)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _timing.steps(self, "response")
        check_positive(self, "tolerance")
        if self._slots < 2:
            raise ValueError(
                f"length={self.length:g} ms must hold at least two slots of {self.slot:g} ms"
            )

    @property
    def _slots(self) -> int:
        return _timing.steps(self, "length") // _timing.steps(self, "slot")

    @property
    def inputs(self) -> int:
        """Two: numbers and marks."""
        return 2

    @property
    def outputs(self) -> int:
        """One: the sum."""
        return 1

    @property
    def steps(self) -> int:
        """Number of time steps: whole slots and the response period."""
        return self._slots * _timing.steps(self, "slot") + _timing.steps(self, "response")

    def trial(self, key) -> Trials:
        """One trial."""
        slots, width = self._slots, _timing.steps(self, "slot")
        u = _draws.uniforms(key, (slots + 2,))
        numbers = u[:slots]
        first = _draws.whole(u[slots], 0, slots // 2 - 1)
        second = _draws.whole(u[slots + 1], slots // 2, slots - 1)
        slot = jnp.arange(slots)
        marks = ((slot == first) | (slot == second)).astype(u.dtype)
        stream = jnp.repeat(jnp.stack([numbers, marks], axis=-1), width, axis=0)
        response = _timing.steps(self, "response")
        inputs = jnp.pad(stream, ((0, response), (0, 0)))
        mask = (jnp.arange(self.steps) >= slots * width).astype(u.dtype)
        total = numbers[first] + numbers[second]
        targets = jnp.broadcast_to(total, (self.steps, 1)) * mask[:, None]
        conditions = {
            "first": numbers[first],
            "second": numbers[second],
            "first_time": first * (width * self.dt),
            "second_time": second * (width * self.dt),
            "sum": total,
        }
        return Trials(inputs, targets, mask, conditions, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """1 where the answer is within the tolerance of the sum."""
        outputs = checked_outputs(trials, outputs)[..., 0]
        answer = jnp.sum(trials.mask * outputs, axis=-1) / jnp.sum(trials.mask, axis=-1)
        near = jnp.abs(answer - trials.conditions["sum"]) < self.tolerance
        return near.astype(trials.targets.dtype)
