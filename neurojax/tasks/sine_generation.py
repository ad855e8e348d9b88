"""A sine whose frequency is given by a constant input."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from . import _draws, _timing
from .scores import r2
from .task import Task
from .trials import Trials


@final
class SineGeneration(Task):
    r"""The output shall be $\sin(2\pi f t)$ from the onset of the input on, which says f.

    The input is 0 until `onset` and then $0.25 + f/f_\mathrm{max}$, so that every frequency is a
    step that can be seen.

    Inputs: the level. Output: the sine, 0 before the onset. Conditions: `frequency` (Hz).
    Score: R2.

    Arguments:
        frequencies: Hz, one of which is drawn.
        onset: ms of silence.
        length: of the sine in ms.
        dt: ms per step.

    Raises:
        ValueError: for a duration or frequency that makes no sense, or a frequency above half the
            sampling rate.

    Source:
        Sussillo and Barak (2013), Neural Comput. 25:626, with fewer frequencies.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.SineGeneration(frequencies=(2.0,)).trial(jax.random.key(0))
        >>> round(float(trial.targets[10 + 12, 0]), 3)  # 120 ms after onset: nearly a quarter
        0.998
    """

    frequencies: Float[Array, " frequencies"] = _timing.number((1.0, 2.0, 3.0, 4.0, 5.0))
    onset: float = _timing.ms(100.0)
    length: float = _timing.ms(1500.0)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __check_init__(self):
        _timing.check_dt(self)
        _ = self.steps  # checks the durations
        check_positive(self, "frequencies")
        if self.frequencies.ndim != 1 or not self.frequencies.size:
            raise ValueError(f"frequencies must be a list, got shape {self.frequencies.shape}")
        limit = 500.0 / self.dt
        if known(self.frequencies) and float(self.frequencies.max()) >= limit:
            raise ValueError(
                f"frequencies must be below {limit:g} Hz for dt={self.dt:g} ms, "
                f"got {self.frequencies}"
            )

    @property
    def inputs(self) -> int:
        """One: the level."""
        return 1

    @property
    def outputs(self) -> int:
        """One: the sine."""
        return 1

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "onset", zero=True) + _timing.steps(self, "length")

    def trial(self, key) -> Trials:
        """One trial."""
        count = self.frequencies.shape[0]
        frequency = self.frequencies[_draws.whole(_draws.uniforms(key, ()), 0, count - 1)]
        since = jnp.arange(self.steps) - _timing.steps(self, "onset", zero=True)
        level = 0.25 + frequency / jnp.max(self.frequencies)
        seconds = jnp.maximum(since, 0) * (1e-3 * self.dt)
        sine = jnp.sin(2.0 * jnp.pi * frequency * seconds)
        inputs = jnp.where(since >= 0, level, 0.0)
        return Trials(inputs[:, None], sine[:, None], None, {"frequency": frequency}, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """R2 over the trial; see `neurojax.tasks.r2`."""
        return r2(trials, outputs)
