"""Recall of a noise at several delays: the task behind memory capacity."""

from collections.abc import Iterable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class DelayedRecall(Task):
    r"""Give back an input of the past, at several delays at once.

    $$z^*_{tk} = u_{t - d_k}, \qquad u_t \sim U(-1, 1)$$

    The first steps, for which an input lies before the trial, do not count: the mask is 0 up to
    the longest delay.

    Input: u. Outputs: one for each delay. Conditions: none. Score: the mean over delays of the
    squared correlation of output and target, so that the memory capacity is this score times the
    number of delays; of a trained read-out, judge it on other trials than those it was trained on.

    Arguments:
        delays: in steps, different whole numbers of at least 0; a single number k means
            1, 2, ..., k.
        length: of a trial in ms, longer than the longest delay by two steps or more.
        dt: ms per step.

    Raises:
        ValueError: for delays that are no different whole numbers, or a trial that is too short.

    Source:
        Jaeger (2001), GMD report 152.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.DelayedRecall((0, 2), length=60.0).trial(jax.random.key(0))
        >>> bool((trial.targets[2:, 1] == trial.inputs[:-2, 0]).all()), trial.mask.tolist()
        (True, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    """

    delays: tuple[int, ...] = eqx.field(static=True)
    length: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    def __init__(
        self, delays: int | Iterable[int] = 20, *, length: float = 5000.0, dt: float = 10.0
    ):
        self.delays = _delays(delays)
        self.length, self.dt = float(length), float(dt)
        _timing.check_dt(self)
        if self.steps < max(self.delays) + 2:
            raise ValueError(
                f"length={self.length:g} ms is {self.steps} steps; a delay of {max(self.delays)} "
                f"needs at least {max(self.delays) + 2}"
            )

    @property
    def inputs(self) -> int:
        """One."""
        return 1

    @property
    def outputs(self) -> int:
        """One per delay."""
        return len(self.delays)

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "length")

    def trial(self, key) -> Trials:
        """One trial."""
        longest = max(self.delays)
        u = 2.0 * _draws.uniforms(key, (longest + self.steps,)) - 1.0
        # drawn once, not once for each delay; and one gather, which is faster than many slices
        u = jax.lax.optimization_barrier(u)
        now = jnp.arange(longest, longest + self.steps)
        past = u[now[:, None] - jnp.array(self.delays)[None, :]]
        mask = (jnp.arange(self.steps) >= longest).astype(u.dtype)
        return Trials(u[longest:, None], past, mask, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """Mean over delays of the squared correlation with the target; 0 for a constant output."""
        outputs = checked_outputs(trials, outputs)
        weight = trials.mask[..., None]
        total = jnp.sum(weight, axis=-2, keepdims=True)
        mean = lambda x: jnp.sum(weight * x, axis=-2, keepdims=True) / total
        z, target = outputs - mean(outputs), trials.targets - mean(trials.targets)
        power = mean(z**2) * mean(target**2)
        none = power <= 0
        squared = jnp.where(none, 0.0, mean(z * target) ** 2 / jnp.where(none, 1.0, power))
        return jnp.mean(squared, axis=(-2, -1))


def _delays(delays) -> tuple[int, ...]:
    whole = lambda d: isinstance(d, int | np.integer) and not isinstance(d, bool)
    if whole(delays) and delays >= 1:
        return tuple(range(1, int(delays) + 1))
    found = tuple(np.asarray(delays).tolist()) if isinstance(delays, np.ndarray) else delays
    found = tuple(found) if isinstance(found, Iterable) else ()
    if not found or not all(whole(d) and d >= 0 for d in found) or len(set(found)) < len(found):
        raise ValueError(
            "delays must be a positive whole number of steps, or different whole numbers of at "
            f"least 0, got {delays!r}"
        )
    return tuple(int(d) for d in found)
