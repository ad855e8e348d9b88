"""Random feedback local online learning."""

from typing import Any, final

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from neurojax.core import unwrap

from .bptt import BPTT
from .eprop import local_slope
from .slope_rule import AbstractSlopeRule, see
from .units import check_units


@final
class RFLO(AbstractSlopeRule):
    r"""Traces that leak, and errors that come back by random weights.

    For a `LeakyRNN`, whose state is its rates h, with u the total current:

    $$p_{ij}' = (1 - a)\, p_{ij} + a\, \varphi'(u_i)\, h_j, \qquad
      \Delta W_{ij} \propto -\sum_t \Big(\sum_k B_{ik}\,
      \frac{\partial L}{\partial z_k}\Big)\, p_{ij}'$$

    and $\Delta W_{out}$ by its own slope. The traces are those of `EProp`, also for a `RateRNN`;
    the fixed random B stands where that has $W_{out}^\top$, so no unit needs to know the weights
    that others receive from it. With $B = W_{out}^\top$ it is `EProp`: the gradient of `BPTT` with
    the paths through recurrent connections cut, and so the whole gradient at $W = 0$.

    Train the output weights too: it is they that come to agree with B, and errors that come back by
    a B that does not agree with them teach the wrong direction.

    Arguments:
        optimizer: from optax.
        feedback: B (n, outputs); default drawn from N(0, 1/n), as the output weights of the
            circuits are. It is part of the state of the rule and is not trained.
        key: draws B; default from the key of `nj.train`.
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        TypeError: in training, for another circuit than `RateRNN` and `LeakyRNN`.
        ValueError: in training, if the feedback does not fit the circuit, for a solver of several
            stages or a trained nonlinearity.

    Source: Murray (2019), eLife 8:e43299.

    Example:
        >>> import jax, optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.LeakyRNN(10, inputs=1, outputs=1, leak=0.2)
        >>> rule = nj.fitting.rules.RFLO(optax.adam(1e-2), key=jax.random.key(1))
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.rule_state.drawn.shape
        (10, 1)
    """

    objective: BPTT
    feedback: Float[Array, "n outputs"] | None
    key: Any

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        feedback: Any = None,
        key: Any = None,
        **objective: Any,
    ):
        self.objective = BPTT(optimizer, **objective)
        self.feedback = None if feedback is None else jax.numpy.asarray(feedback, float)
        self.key = key

    def draw(self, circuit, trials, key):
        """See `AbstractSlopeRule`."""
        check_units("RFLO", circuit, self.objective.freeze)
        output = unwrap(circuit).output
        if output is None:
            raise ValueError(
                "RFLO sends the errors of outputs back, but the circuit has none: give outputs=, "
                "or follow recorded units by BPTT"
            )
        shape = (circuit.n, output.shape[0])
        if self.feedback is None:
            key = key if self.key is None else self.key
            return jax.random.normal(key, shape, output.dtype) / np.sqrt(circuit.n)
        if self.feedback.shape != shape:
            raise ValueError(
                f"feedback must have shape {shape} (units, outputs), got {self.feedback.shape}"
            )
        return self.feedback.astype(output.dtype)

    def slope(self, parameters, rest, drawn, trials, key):
        """See `AbstractSlopeRule`."""
        seen = see(self.objective, parameters, rest, trials, key, feedback=drawn)
        return seen.value, local_slope(parameters, rest, seen, trials, key)
