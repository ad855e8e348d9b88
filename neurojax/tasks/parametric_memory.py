"""Which of two vibrations was faster?"""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from . import _draws, _timing
from .decision import DecisionTask, check_decision, decision_trial
from .trials import Trials


def neighbours(frequencies: Any, differences: Any) -> np.ndarray:
    """All ordered pairs of these frequencies whose difference is one of those given, shape (k, 2).

    Arguments:
        frequencies: Hz.
        differences: sizes of f1 - f2 in Hz.

    Raises:
        ValueError: if there is no such pair.

    Example:
        >>> from neurojax import tasks
        >>> tasks.neighbours([10.0, 14.0, 18.0], [8.0]).tolist()
        [[10.0, 18.0], [18.0, 10.0]]
    """
    f = np.asarray(frequencies, float)
    gap = np.abs(f[:, None] - f[None, :])[..., None]
    first, second = np.nonzero(np.isclose(gap, np.asarray(differences, float)).any(axis=-1))
    if not len(first):
        raise ValueError(f"no two of the frequencies {frequencies} differ by {differences} Hz")
    return np.stack([f[first], f[second]], axis=-1)


@final
class ParametricWorkingMemory(DecisionTask):
    """Keep the frequency of a vibration in mind and compare it with a second one.

    A frequency f is shown on two channels of opposite slope, $x$ and $1 - x$, where x rises
    linearly from 0 at the lowest to 1 at the highest frequency of all pairs.

    Inputs: fixation, rising channel, falling channel. Output: 1 if f1 > f2, -1 otherwise.
    Conditions: `f1`, `f2` (Hz), `difference` (f1 - f2), `delay` (ms), `choice`.
    Score: 1 if the choice is right.

    Arguments:
        fixation: ms before the first stimulus.
        stimulus: length of each of the two in ms.
        delay: ms between them; a pair is drawn between its two numbers.
        decision: length of the decision period in ms.
        grace: its first part that does not count, ms.
        pairs: of frequencies in Hz, shape (k, 2), from which one is drawn; default all pairs of
            10, 14 ... 34 Hz that differ by 4 or 8. See `neighbours`.
        noise: of each channel while a stimulus is shown: standard deviation of its mean over
            100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration, pair or noise that makes no sense.

    Source:
        Romo, Brody, Hernandez and Lemus (1999), Nature 399:470.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.ParametricWorkingMemory(noise=0.0)
        >>> trial = task.trial(jax.random.key(0))
        >>> bool((trial.conditions["difference"] > 0) == (trial.conditions["choice"] > 0))
        True
    """

    fixation: float = _timing.ms(200.0)
    stimulus: float = _timing.ms(300.0)
    delay: _timing.Span = _timing.span(600.0, 1000.0)
    decision: float = _timing.ms(200.0)
    grace: float = _timing.ms(50.0)
    pairs: Float[Array, "k 2"] = _timing.number(
        tuple(map(tuple, neighbours(np.arange(10.0, 35.0, 4.0), (4.0, 8.0)).tolist()))
    )
    noise: Float[Array, ""] = _timing.number(0.05)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_decision(self)
        _ = self.steps  # checks the periods
        check_positive(self, "noise", zero=True)
        shape = self.pairs.shape
        if len(shape) != 2 or shape[1] != 2 or not shape[0]:
            raise ValueError(f"pairs must have shape (k, 2), k at least 1, got {shape}")
        if known(self.pairs) and bool(jnp.any(self.pairs[:, 0] == self.pairs[:, 1])):
            raise ValueError("pairs must be of different frequencies: there is no right answer")

    @property
    def evidence(self) -> str:
        """The difference of the frequencies, f1 - f2."""
        return "difference"

    @property
    def inputs(self) -> int:
        """Fixation and two channels."""
        return 3

    @property
    def _go(self) -> tuple[int, int]:
        begin = _timing.steps(self, "fixation", zero=True) + 2 * _timing.steps(self, "stimulus")
        low, high = _timing.bounds(self, "delay")
        return begin + low, begin + high

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest delay."""
        return self._go[1] + _timing.steps(self, "decision")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (2,))
        f1, f2 = self.pairs[_draws.whole(u[0], 0, self.pairs.shape[0] - 1)]
        go = _draws.whole(u[1], *self._go)
        low, high = jnp.min(self.pairs), jnp.max(self.pairs)
        x1, x2 = (f1 - low) / (high - low), (f2 - low) / (high - low)
        t = jnp.arange(self.steps)
        begin = _timing.steps(self, "fixation", zero=True)
        length = _timing.steps(self, "stimulus")
        first = (t >= begin) & (t < begin + length)
        second = (t >= go - length) & (t < go)
        x = jnp.where(first, x1, x2)[:, None]
        noise = _draws.white(key, (self.steps, 2), self.noise, self.dt)
        shown = (first | second)[:, None]
        channels = jnp.where(shown, jnp.concatenate([x, 1.0 - x], axis=-1) + noise, 0.0)
        conditions = {
            "f1": f1,
            "f2": f2,
            "difference": f1 - f2,
            "delay": (go - 2 * length - begin) * self.dt,
        }
        choice = jnp.where(f1 > f2, 1.0, -1.0).astype(noise.dtype)
        return decision_trial(self, channels, go, choice, conditions)
