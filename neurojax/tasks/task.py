"""What every task is: a law from which trials are drawn, and a score."""

from abc import abstractmethod

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from neurojax.core.keys import check_key

from .trials import Trials


class Task(eqx.Module):
    """A task: trials drawn by a key, and a score of what a circuit does in them.

    A task is a pytree. Numbers such as noise and coherences are leaves, so changing them compiles
    nothing again; durations decide about shapes and are static. All randomness comes from the key,
    and nothing loops on the host, so `jit` and `vmap` work on every method.

    A task of your own gives `inputs`, `outputs`, `steps`, `trial` and `score`.

    Attributes:
        dt: ms per step.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.FlipFlop(bits=2)
        >>> batch = task.trials(jax.random.key(0), 16)
        >>> batch.inputs.shape == (16, task.steps, task.inputs)
        True
    """

    dt: eqx.AbstractVar[float]

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Number of input channels."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of output channels."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Number of time steps, the same in every trial."""

    @property
    def duration(self) -> float:
        """Length of a trial in ms."""
        return self.steps * self.dt

    @abstractmethod
    def trial(self, key) -> Trials:
        """One trial, a pure function of the key."""

    def trials(self, key, count: int) -> Trials:
        """`count` independent trials, compiled once for each number of them.

        Arguments:
            key: a `jax.random.key`; trial i is `trial(jax.random.split(key, count)[i])`.
            count: number of trials.

        Raises:
            ValueError: if count is not a positive whole number.
            TypeError: for another key.
        """
        check_key(key)
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"count must be a positive whole number of trials, got {count!r}")
        return _many(self, key, int(count))

    def _batch(self, keys) -> Trials:
        """The trials of some keys; for tasks that have a faster way than `vmap` to replace."""
        return jax.vmap(self.trial)(keys)

    @abstractmethod
    def score(self, trials: Trials, outputs: Array) -> Array:
        """How well outputs solve each trial; 1 is best. Shape: the leading axes of the trials."""


@eqx.filter_jit
def _many(task: Task, key, count: int) -> Trials:
    trials = task._batch(jax.random.split(key, count))
    if trials.recorded is None:
        return trials
    # which units are recorded is the same for all trials and has no axis over them
    return eqx.tree_at(lambda t: t.recorded, trials, trials.recorded[0])
