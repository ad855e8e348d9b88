"""A decision between two noisy stimuli."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from . import _draws, _timing
from .decision import DecisionTask, check_decision, decision_trial
from .trials import Trials


@final
class PerceptualDecision(DecisionTask):
    r"""Which of two noisy stimuli is stronger, as with moving dots?

    During the stimulus the two evidence channels are $(1 \pm c)/2 + \mathrm{noise}$ with the
    signed coherence $c$; after a delay the output shall be the sign of $c$. Where $c = 0$ the
    right answer is drawn by chance. An observer who sums all evidence is right with probability
    $\Phi(|c| \sqrt{T/100\,\mathrm{ms}} / (\sqrt 2\, \sigma))$ for a stimulus of length T and
    noise $\sigma$.

    Inputs: fixation, evidence for 1, evidence for -1. Output: the choice.
    Conditions: `coherence` (signed), `delay` (ms), `choice`.
    Score: 1 if the choice is right.

    Arguments:
        fixation: ms before the stimulus.
        stimulus: its length in ms.
        delay: ms between stimulus and decision; a pair is drawn between its two numbers.
        decision: length of the decision period in ms.
        grace: its first part that does not count, ms.
        coherences: their sizes, one of which is drawn with a sign.
        noise: of each evidence channel: standard deviation of its mean over 100 ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration, coherence or noise that makes no sense.

    Source:
        Britten, Shadlen, Newsome and Movshon (1992), J. Neurosci. 12:4745.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.PerceptualDecision(delay=(0.0, 500.0))
        >>> trials = task.trials(jax.random.key(0), 8)
        >>> float(task.score(trials, trials.targets).mean())
        1.0
    """

    fixation: float = _timing.ms(200.0)
    stimulus: float = _timing.ms(700.0)
    delay: _timing.Span = _timing.span(0.0, 0.0)
    decision: float = _timing.ms(200.0)
    grace: float = _timing.ms(50.0)
    coherences: Float[Array, " levels"] = _timing.number((0.032, 0.064, 0.128, 0.256, 0.512))
    noise: Float[Array, ""] = _timing.number(0.2)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        check_decision(self)
        _ = self.steps  # checks the periods
        check_positive(self, "noise", zero=True)
        check_coherences(self, "coherences")

    @property
    def evidence(self) -> str:
        """The signed coherence."""
        return "coherence"

    @property
    def inputs(self) -> int:
        """Fixation and two channels of evidence."""
        return 3

    @property
    def _go(self) -> tuple[int, int]:
        """The first and the last possible step at which the decision period begins."""
        begin = _timing.steps(self, "fixation", zero=True) + _timing.steps(self, "stimulus")
        low, high = _timing.bounds(self, "delay")
        return begin + low, begin + high

    @property
    def steps(self) -> int:
        """Number of time steps, enough for the longest delay."""
        return self._go[1] + _timing.steps(self, "decision")

    def trial(self, key) -> Trials:
        """One trial."""
        u = _draws.uniforms(key, (3,))
        side = _draws.sign(u[0])
        levels = self.coherences.shape[0]
        coherence = side * self.coherences[_draws.whole(u[1], 0, levels - 1)]
        go = _draws.whole(u[2], *self._go)
        t = jnp.arange(self.steps)
        begin = _timing.steps(self, "fixation", zero=True)
        end = begin + _timing.steps(self, "stimulus")
        noise = _draws.white(key, (self.steps, 2), self.noise, self.dt)
        mean = 0.5 * (1.0 + jnp.stack([coherence, -coherence]))
        shown = ((t >= begin) & (t < end))[:, None]
        channels = jnp.where(shown, mean[None, :] + noise, 0.0)
        conditions = {"coherence": coherence, "delay": (go - end) * self.dt}
        return decision_trial(self, channels, go, side, conditions)


def check_coherences(task: Any, name: str) -> None:
    """The sizes of coherences are a list of numbers from 0 on."""
    value = getattr(task, name)
    if value.ndim != 1 or not value.size:
        raise ValueError(
            f"{name} of {type(task).__name__} must be a list of numbers, got shape {value.shape}"
        )
    if known(value) and not bool(jnp.all(value >= 0)):
        raise ValueError(
            f"{name} of {type(task).__name__} are sizes, which are drawn with either sign: they "
            f"must not be negative, got {value}"
        )
