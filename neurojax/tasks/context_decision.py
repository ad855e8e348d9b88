"""A decision about one of two stimuli, by context."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .decision import DecisionTask, check_decision, decision_trial
from .perceptual_decision import check_coherences
from .trials import Trials


@final
class ContextDecision(DecisionTask):
    r"""Judge the motion or the colour of noisy dots, as a cue says, and ignore the other.

    During the stimulus the channels of motion and colour are their signed coherences plus noise;
    the cue of the context is there from the beginning. The output shall be the sign of the
    coherence that counts. With noise $\sigma$ and a stimulus of length T, an observer who sums the
    right channel is right with probability $\Phi(|c| \sqrt{T/100\,\mathrm{ms}}/\sigma)$.

    Inputs: fixation, cue for motion, cue for colour, motion, colour. Output: the choice.
    Conditions: `motion`, `colour` (signed coherences), `context` (0 motion, 1 colour),
    `coherence` (the one that counts), `other`, `delay` (ms), `choice`.
    Score: 1 if the choice is right.

    Arguments:
        fixation: ms before the stimulus.
        stimulus: its length in ms.
        delay: ms between stimulus and decision; a pair is drawn between its two numbers.
        decision: length of the decision period in ms.
        grace: its first part that does not count, ms.
        motion: sizes of the coherences of motion.
        colour: sizes of the coherences of colour.
        noise: of each channel: standard deviation of its mean over 100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration, coherence or noise that makes no sense.

    Source:
        Mante, Sussillo, Shenoy and Newsome (2013), Nature 503:78.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.ContextDecision()
        >>> trials = task.trials(jax.random.key(0), 8)
        >>> sorted(trials.conditions)
        ['choice', 'coherence', 'colour', 'context', 'delay', 'motion', 'other']
    """

    fixation: float = _timing.ms(200.0)
    stimulus: float = _timing.ms(750.0)
    delay: _timing.Span = _timing.span(0.0, 0.0)
    decision: float = _timing.ms(200.0)
    grace: float = _timing.ms(50.0)
    motion: Float[Array, " motions"] = _timing.number((0.05, 0.15, 0.5))
    colour: Float[Array, " colours"] = _timing.number((0.05, 0.15, 0.5))
    noise: Float[Array, ""] = _timing.number(0.2)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_decision(self)
        _ = self.steps  # checks the periods
        check_positive(self, "noise", zero=True)
        check_coherences(self, "motion")
        check_coherences(self, "colour")

    @property
    def evidence(self) -> str:
        """The signed coherence that counts."""
        return "coherence"

    @property
    def inputs(self) -> int:
        """Fixation, two cues, motion and colour."""
        return 5

    @property
    def _go(self) -> tuple[int, int]:
        begin = _timing.steps(self, "fixation", zero=True) + _timing.steps(self, "stimulus")
        low, high = _timing.bounds(self, "delay")
        return begin + low, begin + high

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest delay."""
        return self._go[1] + _timing.steps(self, "decision")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (6,))
        pick = lambda levels, u: levels[_draws.whole(u, 0, levels.shape[0] - 1)]
        signs = _draws.sign(u[:2])
        sizes = jnp.stack([pick(self.motion, u[2]), pick(self.colour, u[3])])
        signed = signs * sizes
        context = (u[4] >= 0.5).astype(jnp.int32)
        go = _draws.whole(u[5], *self._go)
        t = jnp.arange(self.steps)
        begin = _timing.steps(self, "fixation", zero=True)
        end = begin + _timing.steps(self, "stimulus")
        noise = _draws.white(key, (self.steps, 2), self.noise, self.dt)
        shown = ((t >= begin) & (t < end))[:, None]
        stimulus = jnp.where(shown, signed[None, :] + noise, 0.0)
        cue = jnp.stack([context == 0, context == 1])[None, :]
        on = (t < go + _timing.steps(self, "decision"))[:, None]
        channels = jnp.concatenate([(cue & on).astype(stimulus.dtype), stimulus], axis=-1)
        mine = lambda pair: jnp.where(context == 0, pair[0], pair[1])
        conditions = {
            "motion": signed[0],
            "colour": signed[1],
            "context": context,
            "coherence": mine(signed),
            "other": mine(signed[::-1]),
            "delay": (go - end) * self.dt,
        }
        return decision_trial(self, channels, go, mine(signs), conditions)
