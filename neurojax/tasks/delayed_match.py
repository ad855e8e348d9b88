"""Is a second stimulus the same as the first?"""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .decision import DecisionTask, check_decision, decision_trial
from .trials import Trials


@final
class DelayedMatchToSample(DecisionTask):
    """Keep a sample in mind over a delay, then say whether the test is the same.

    Sample and test are one of `stimuli`, each on an input channel of its own. Half of the trials
    match; in the others the test is any of the other stimuli. The decision follows the test.

    Inputs: fixation, one channel per stimulus. Output: 1 for a match, -1 otherwise.
    Conditions: `sample`, `test` (numbers of stimuli), `match` (0 or 1), `delay` (ms), `choice`.
    Score: 1 if the choice is right.

    Arguments:
        fixation: ms before the sample.
        stimulus: length of sample and test in ms.
        delay: ms between them; a pair is drawn between its two numbers.
        decision: length of the decision period in ms.
        grace: its first part that does not count, ms.
        stimuli: how many there are, at least 2.
        noise: of each channel while a stimulus is shown: standard deviation of its mean over
            100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration, number or noise that makes no sense.

    Source:
        Miyashita and Chang (1988), Nature 331:68.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trials = tasks.DelayedMatchToSample(stimuli=4).trials(jax.random.key(0), 6)
        >>> same = trials.conditions["sample"] == trials.conditions["test"]
        >>> bool((same == (trials.conditions["choice"] > 0)).all())
        True
    """

    fixation: float = _timing.ms(200.0)
    stimulus: float = _timing.ms(300.0)
    delay: _timing.Span = _timing.span(400.0, 800.0)
    decision: float = _timing.ms(200.0)
    grace: float = _timing.ms(50.0)
    stimuli: int = eqx.field(static=True, default=2)
    noise: Float[Array, ""] = _timing.number(0.1)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_decision(self)
        _ = self.steps  # checks the periods
        check_positive(self, "noise", zero=True)
        if self.stimuli < 2:
            raise ValueError(f"stimuli must be at least 2, got {self.stimuli}")

    @property
    def evidence(self) -> str:
        """Whether sample and test match."""
        return "match"

    @property
    def inputs(self) -> int:
        """Fixation and a channel per stimulus."""
        return 1 + self.stimuli

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
        u = _draws.uniforms(key, (4,))
        match = u[0] < 0.5
        sample = _draws.whole(u[1], 0, self.stimuli - 1)
        away = _draws.whole(u[2], 1, self.stimuli - 1)
        test = jnp.where(match, sample, (sample + away) % self.stimuli)
        go = _draws.whole(u[3], *self._go)
        t = jnp.arange(self.steps)
        begin = _timing.steps(self, "fixation", zero=True)
        length = _timing.steps(self, "stimulus")
        first = (t >= begin) & (t < begin + length)
        second = (t >= go - length) & (t < go)
        number = jnp.arange(self.stimuli)
        pattern = (first[:, None] & (number == sample)[None, :]) | (
            second[:, None] & (number == test)[None, :]
        )
        noise = _draws.white(key, (self.steps, self.stimuli), self.noise, self.dt)
        shown = (first | second)[:, None]
        channels = jnp.where(shown, pattern.astype(noise.dtype) + noise, 0.0)
        conditions = {
            "sample": sample,
            "test": test,
            "match": match.astype(jnp.int32),
            "delay": (go - 2 * length - begin) * self.dt,
        }
        choice = jnp.where(match, 1.0, -1.0).astype(noise.dtype)
        return decision_trial(self, channels, go, choice, conditions)
