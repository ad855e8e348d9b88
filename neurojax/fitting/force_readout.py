"""FORCE in the course of trials, to be set beside rules that are local."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurojax.circuits import RecurrentCircuit
from neurojax.core import Clock, unwrap
from neurojax.core.errors import suggestion
from neurojax.tasks import Trials

from .rules.least_squares import RLS
from .trial_rule import AbstractTrialRule, beginning, foretold
from .unroll import ready


@final
class ForceReadout(eqx.Module):
    """Output weights and the inverse correlation that recursive least squares keeps.

    Arguments:
        output: (events, n).
        rls: see `nj.fitting.rules.RLS`.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.fitting.force_readout import ForceReadout
        >>> circuit = nj.circuits.LeakyRNN(20, inputs=1, outputs=2)
        >>> ForceReadout.start(circuit).output.shape
        (2, 20)
    """

    output: Float[Array, "events n"]
    rls: RLS

    @classmethod
    def start(
        cls, circuit: RecurrentCircuit, alpha: float | int = 1.0, forgetting: float | int = 1.0
    ) -> "ForceReadout":
        """Before the first trial: weights of 0; `alpha` and `forgetting` as in `RLS`."""
        output = unwrap(circuit).output
        if output is None:
            raise ValueError("the circuit needs outputs, one per event: build it with outputs=...")
        rls = RLS.start(output.shape[1], float(alpha), float(forgetting), output.dtype)
        return cls(jnp.zeros_like(output), rls)

    def reset(self, alpha: float | int = 1.0) -> "ForceReadout":
        """The same weights, with all that was known about correlations forgotten."""
        n, forgetting = self.output.shape[1], self.rls.forgetting
        rls = RLS.start(n, float(alpha), forgetting, self.output.dtype)
        return ForceReadout(self.output, rls)


@final
class ForceTrace(eqx.Module):
    """What happened in a trial, or in trials along a first axis.

    Arguments:
        outputs: (time, events).
        activity: mean of the rates over units, (time,).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.fitting.force_readout import ForceReadout, ForceTrials
        >>> task = nj.tasks.MEET(length=350.0)
        >>> circuit = nj.circuits.LeakyRNN(20, inputs=3, outputs=2, leak=0.1)
        >>> start = ForceReadout.start(circuit)
        >>> _, trace = ForceTrials().trial(circuit, start, task.cue_only(), learn=False)
        >>> trace.outputs.shape
        (350, 2)
    """

    outputs: Float[Array, "... time events"]
    activity: Float[Array, "... time"]


@final
class ForceTrials(AbstractTrialRule):
    r"""FORCE with the interface of `ErrorModulated`: same trials, same circuit, same feedback.

    In each step the error of all outputs is removed by recursive least squares. The inverse
    correlation shrinks with all that has been seen and never grows again (unless it is forgotten),
    so that what is learnt late counts for little.

    Arguments:
        taught: `"event"`: the target is the bump of the event that comes, and 0 for the others, as
            local rules see it; `"expectation"`: it is `trial.targets`, what is to be expected.

    Raises:
        ValueError: for another `taught`.

    Source: Sussillo and Abbott (2009), Neuron 63:544.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.fitting.force_readout import ForceReadout, ForceTrials
        >>> task = nj.tasks.MEET()
        >>> circuit = nj.circuits.LeakyRNN(20, inputs=3, outputs=2, leak=0.1)
        >>> readout, trace = ForceTrials().trials(
        ...     circuit, ForceReadout.start(circuit), task.trials(jax.random.key(0), 2)
        ... )
        >>> trace.outputs.shape
        (2, 450, 2)
    """

    taught: str = eqx.field(static=True, default="event")

    def __check_init__(self):
        if self.taught not in ("event", "expectation"):
            raise ValueError(
                f"unknown taught of ForceTrials: {self.taught!r}."
                + suggestion(str(self.taught), ("event", "expectation"))
            )

    def trial(
        self, circuit: RecurrentCircuit, readouts: ForceReadout, trial: Trials, *,
        key: Any = None, learn: Any = True,
    ) -> tuple[ForceReadout, ForceTrace]:  # fmt: skip
        """See `AbstractTrialRule`."""
        timing, comes = foretold(trial, readouts.output.shape[0])
        wanted = trial.targets if self.taught == "expectation" else timing * comes[None, :]
        circuit = ready(circuit, trial.dt)
        learns = jnp.asarray(learn, bool)

        def step(carry, drive):
            state, output, rls = carry
            number, u, target, mask = drive
            closed = eqx.tree_at(lambda c: c.output, circuit, output)
            state, _ = closed.step(state, {"u": u}, Clock(number, trial.dt, key))
            z = circuit.rates(state)
            found = output @ z

            def update(output, rls):
                moved, gain = rls.sample(z)
                return output - (found - target)[:, None] * gain[None, :], moved

            output, rls = jax.lax.cond(learns & (mask > 0), update, lambda *same: same, output, rls)
            return (state, output, rls), (found, jnp.mean(z))

        carry = (beginning(circuit, trial, key), readouts.output, readouts.rls)
        drives = (jnp.arange(trial.steps), trial.inputs, wanted, trial.mask)
        (_, output, rls), (found, activity) = jax.lax.scan(step, carry, drives)
        return ForceReadout(output, rls), ForceTrace(found, activity)
