"""Tasks that end in a choice between two."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import _timing
from .psychometric import Psychometric, psychometric
from .scores import checked_outputs
from .task import Task
from .trials import Trials


class DecisionTask(Task):
    """A task with one output, which shall be 1 or -1 in the decision period and 0 before.

    The first input is a fixation cue, 1 until the decision period begins. In the first `grace` ms
    of that period the mask is 0, as no circuit answers at once. After the decision period (trials
    with a shorter delay end earlier) inputs, targets and mask are 0.

    Attributes:
        decision: length of the decision period in ms.
        grace: its first part that does not count, ms.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.tasks.PerceptualDecision()
        >>> trials = task.trials(jax.random.key(0), 64)
        >>> float(task.score(trials, trials.targets).mean())  # the right answers
        1.0
        >>> curve = task.psychometric(trials, trials.targets)  # by coherence
        >>> curve.fraction[[0, -1]].tolist()
        [0.0, 1.0]
    """

    decision: eqx.AbstractVar[float]
    grace: eqx.AbstractVar[float]

    @property
    def outputs(self) -> int:
        """One: the choice."""
        return 1

    @property
    @abstractmethod
    def evidence(self) -> str:
        """The condition that a psychometric curve is drawn over."""

    def chosen(self, trials: Trials, outputs: Any) -> Array:
        """The mean output in the decision period; its sign is the choice."""
        outputs = checked_outputs(trials, outputs)
        weight = trials.mask * (trials.targets[..., 0] != 0)
        total = jnp.maximum(jnp.sum(weight, axis=-1), jnp.finfo(weight.dtype).tiny)
        return jnp.sum(weight * outputs[..., 0], axis=-1) / total

    def score(self, trials: Trials, outputs: Any) -> Array:
        """1 for the right choice, 0 for the wrong one or none; the mean is the fraction correct."""
        right = jnp.sign(self.chosen(trials, outputs)) == trials.conditions["choice"]
        return right.astype(trials.targets.dtype)

    def psychometric(
        self, trials: Trials, outputs: Any, by: str | None = None, where: Any = None
    ) -> Psychometric:
        """How often 1 was chosen for each value of a condition.

        Arguments:
            trials: a batch.
            outputs: of a circuit, shaped like the targets.
            by: name of a condition; default `evidence` of the task.
            where: booleans per trial: which ones to count. Default all.

        Raises:
            UnknownNameError: for an unknown condition.
            ValueError: if shapes do not fit.
        """
        levels = np.asarray(trials.condition(self.evidence if by is None else by))
        chosen = np.asarray(self.chosen(trials, outputs)) > 0
        if where is None:
            return psychometric(levels, chosen)
        where = np.asarray(where)
        if where.shape != levels.shape or where.dtype != bool:
            raise ValueError(
                f"where must be booleans of shape {levels.shape}, got {where.dtype} of shape "
                f"{where.shape}"
            )
        return psychometric(levels[where], chosen[where])


def check_decision(task: DecisionTask) -> None:
    """The periods that all these tasks share make sense."""
    _timing.check_dt(task)
    if not _timing.steps(task, "grace", zero=True) < _timing.steps(task, "decision"):
        raise ValueError(
            f"grace={task.grace:g} ms of {type(task).__name__} must be shorter than "
            f"decision={task.decision:g} ms, by a step at least"
        )


def decision_trial(task: DecisionTask, channels: Array, go, choice, conditions: dict) -> Trials:
    """The trial with these inputs beside the fixation cue and the decision from step `go` on."""
    t = jnp.arange(task.steps)
    kind = channels.dtype
    end = go + _timing.steps(task, "decision")
    late = (t >= go + _timing.steps(task, "grace", zero=True)) & (t < end)
    waiting = t < go
    inputs = jnp.concatenate([waiting.astype(kind)[:, None], channels], axis=-1)
    target = jnp.where((t >= go) & (t < end), choice, 0.0).astype(kind)
    mask = (waiting | late).astype(kind)
    return Trials(inputs, target[:, None], mask, conditions | {"choice": choice}, dt=task.dt)
