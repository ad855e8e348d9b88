"""Read-outs for what comes and when, learnt from errors that each of them sees by itself."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.circuits import RecurrentCircuit
from neurojax.core import Clock, unwrap
from neurojax.core.errors import suggestion
from neurojax.core.parameter_checks import check_positive
from neurojax.core.parameters import as_parameter
from neurojax.core.tracing import known
from neurojax.tasks import Trials

from .trial_rule import AbstractTrialRule, beginning, foretold
from .unroll import ready


@final
class WhatWhen(eqx.Module):
    r"""Two linear read-outs of one circuit whose product is the output.

    *When*: $\hat n(t) = W_n z(t)$ follows the time course of each event. *What*:
    $\hat w = W_w \bar z$, with $\bar z$ the mean of z after the cue, says how likely each is.
    The output is $\hat w \odot \hat n(t)$.

    Arguments:
        what: $W_w$ (events, n).
        when: $W_n$ (events, n).
        mean: $\bar z$ of the last trial (n,), from which $\hat w$ is known while the next one runs.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.fitting.what_when import WhatWhen
        >>> readouts = WhatWhen.start(nj.circuits.EchoState(50, inputs=1, outputs=2))
        >>> readouts.what.shape, readouts.when.shape
        ((2, 50), (2, 50))
    """

    what: Float[Array, "events n"]
    when: Float[Array, "events n"]
    mean: Float[Array, " n"]

    @classmethod
    def start(cls, circuit: RecurrentCircuit) -> "WhatWhen":
        """Before the first trial: zeros, one event for each output of the circuit."""
        output = unwrap(circuit).output
        if output is None:
            raise ValueError("the circuit needs outputs, one per event: build it with outputs=...")
        return cls(jnp.zeros_like(output), jnp.zeros_like(output), jnp.zeros_like(output[0]))


@final
class WhatWhenTrace(eqx.Module):
    """What happened in a trial, or in trials along a first axis.

    Arguments:
        outputs: (time, events), what times when.
        when: (time, events), before the update of each step.
        what: (events,), before the update at the end.
        activity: mean of the rates over units, (time,).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.fitting.what_when import ErrorModulated, WhatWhen
        >>> task = nj.tasks.MEET(length=350.0)
        >>> circuit = nj.circuits.LeakyRNN(20, inputs=3, outputs=2, leak=0.1)
        >>> _, trace = ErrorModulated().trial(circuit, WhatWhen.start(circuit), task.cue_only())
        >>> trace.outputs.shape, trace.what.shape
        ((350, 2), (2,))
    """

    outputs: Float[Array, "... time events"]
    when: Float[Array, "... time events"]
    what: Float[Array, "... events"]
    activity: Float[Array, "... time"]


@final
class ErrorModulated(AbstractTrialRule):
    r"""The rule: *when* learns online with three factors, *what* at the end of a trial with two.

    In every step t of a trial in which event k comes, with the bump $n^*_k(t)$ of its time,

    $$\Delta W_n = \eta_n\, G\, (n^*(t) - \hat n(t))\, \frac{z(t)^\top}{\epsilon + |z(t)|^2},
      \qquad G_j = [j = k],$$

    and at the end $\Delta W_w = \eta_w\, (e_k - \hat w)\, \bar z^\top / (\epsilon + |\bar z|^2)$
    with $e_k$ the unit vector of k. The gate G is open for the channel of the event, from the cue
    to the end of the trial: with a gate around the event alone, nothing teaches the channel to be
    silent elsewhere, and what it does there ruins the prediction. While a trial runs, the circuit
    is fed back what its `feedback` weights take: `"output"`, $\hat w \odot \hat n$ with $\hat w$ by
    the mean of the last trial, or `"when"`, $\hat n$ alone.

    Arguments:
        eta_when: $\eta_n$ in [0, 2), share of the error of a step that its update removes.
        eta_what: $\eta_w$ in [0, 2), likewise for a trial; $1/\eta_w$ trials are averaged.
        epsilon: $\epsilon$, below which a silent circuit teaches nothing.
        window: ms on both sides of an event to which its gate is narrowed; default the whole
            trial.
        fed_back: `"output"` or `"when"`.

    Raises:
        ValueError: for rates outside [0, 2), a window or epsilon that is not positive, or another
            `fed_back`.

    Source: Yamada and Chao (2026), arXiv:2510.14382; the normalisation is that of Nagumo and Noda
    (1967), IEEE Trans. Autom. Control 12:282.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.fitting.what_when import ErrorModulated, WhatWhen
        >>> task = nj.tasks.MEET()
        >>> circuit = nj.circuits.IzhikevichReservoir(
        ...     100, inputs=task.inputs, outputs=task.outputs, feedback=1.0
        ... )
        >>> trials = task.trials(jax.random.key(0), 3)
        >>> readouts, trace = ErrorModulated().trials(
        ...     circuit, WhatWhen.start(circuit), trials, key=jax.random.key(1)
        ... )
        >>> trace.outputs.shape, trace.what.shape
        ((3, 450, 2), (3, 2))
    """

    eta_when: Any = eqx.field(converter=as_parameter, default=0.05)
    eta_what: Any = eqx.field(converter=as_parameter, default=0.05)
    epsilon: Any = eqx.field(converter=as_parameter, default=1.0)
    window: Any = eqx.field(converter=as_parameter, default=None)
    fed_back: str = eqx.field(static=True, default="output")

    def __check_init__(self):
        check_positive(self, "eta_when", "eta_what", zero=True)
        for name in ("eta_when", "eta_what"):
            rate = unwrap(getattr(self, name))
            if known(rate) and not np.all(np.asarray(rate) < 2):
                raise ValueError(
                    f"{name} of ErrorModulated must lie below 2, got {rate}: from there on each "
                    "update leaves a larger error than it found"
                )
        check_positive(self, "epsilon")
        if self.window is not None and known(self.window) and not float(self.window) > 0:
            raise ValueError(f"window of ErrorModulated must be positive (ms), got {self.window}")
        if self.fed_back not in ("output", "when"):
            raise ValueError(
                f"unknown fed_back of ErrorModulated: {self.fed_back!r}."
                + suggestion(str(self.fed_back), ("output", "when"))
            )

    def trial(
        self, circuit: RecurrentCircuit, readouts: WhatWhen, trial: Trials, *, key: Any = None,
        learn: Any = True,
    ) -> tuple[WhatWhen, WhatWhenTrace]:  # fmt: skip
        """See `AbstractTrialRule`."""
        timing, comes = foretold(trial, readouts.when.shape[0])
        circuit = ready(circuit, trial.dt)
        on = jnp.asarray(learn, timing.dtype)
        gate = on * trial.mask[:, None] * comes[None, :]
        if self.window is not None:
            peak = jnp.argmax(timing, axis=0)
            apart = jnp.abs(jnp.arange(trial.steps)[:, None] - peak[None, :]) * trial.dt
            gate = gate * (apart <= self.window)
        before = readouts.what @ readouts.mean
        scale = before[:, None] if self.fed_back == "output" else jnp.ones_like(before)[:, None]

        def step(carry, drive):
            state, when = carry
            number, u, wanted, open_ = drive
            closed = eqx.tree_at(lambda c: c.output, circuit, scale * when)
            state, _ = closed.step(state, {"u": u}, Clock(number, trial.dt, key))
            z = circuit.rates(state)
            found = when @ z
            size = self.eta_when / (self.epsilon + z @ z)
            when = when + (size * open_ * (wanted - found))[:, None] * z[None, :]
            return (state, when), (found, z)

        start = beginning(circuit, trial, key)
        drives = (jnp.arange(trial.steps), trial.inputs, timing, gate)
        (_, when), (found, z) = jax.lax.scan(step, (start, readouts.when), drives)
        mean = trial.mask @ z / jnp.maximum(jnp.sum(trial.mask), 1e-12)
        what = readouts.what @ mean
        size = on * self.eta_what / (self.epsilon + mean @ mean)
        learnt = readouts.what + (size * (comes - what))[:, None] * mean[None, :]
        trace = WhatWhenTrace(what[None, :] * found, found, what, jnp.mean(z, axis=1))
        # a trial without learning leaves the mean too: it scales what is fed back
        kept = jnp.where(on > 0, mean, readouts.mean)
        return WhatWhen(learnt, when, kept), trace
