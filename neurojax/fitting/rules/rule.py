"""What a training rule is: how a circuit changes by a batch of trials."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.circuits import RecurrentCircuit
from neurojax.core import unwrap
from neurojax.core.tracing import known
from neurojax.tasks import Trials


class AbstractRule(eqx.Module):
    """A training rule: given to `nj.train`, with pure functions of a state of its own."""

    @property
    def follows_recorded(self) -> bool:
        """Whether the circuit learns from `trials.activity` too, where there is one."""
        return True

    @abstractmethod
    def init(self, circuit: RecurrentCircuit, trials: Trials, key) -> Any:
        """The state of the rule before the first update; `trials` shows shapes alone."""

    @abstractmethod
    def update(
        self, circuit: RecurrentCircuit, state: Any, trials: Trials, key
    ) -> tuple[RecurrentCircuit, Any, Array]:
        """One update by a batch of trials.

        Returns:
            The changed circuit, the state of the rule, and the loss of the batch before it.
        """


def check_plain_output(rule: str, circuit) -> None:
    """The read-out is one plain matrix, which a rule may replace."""
    if circuit.output is None:
        raise ValueError(f"{rule} trains the outputs of a circuit, but it has none: give outputs=")
    if not eqx.is_array(circuit.output):
        raise ValueError(
            f"{rule} solves for all output weights: they must be a plain array, without mask or "
            f"signs and not frozen, got {type(circuit.output).__name__} (BPTT trains such weights)"
        )


def squared_error(outputs, targets, mask) -> Array:
    """Mean of the squared error over weighted steps and over outputs.

    Arguments:
        outputs: of each step, shape (..., time, outputs).
        targets: of the same shape.
        mask: weight of each step, shape (..., time); what has none may be NaN.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> outputs, mask = jnp.full((4, 2), 3.0), jnp.array([0.0, 1.0, 1.0, 1.0])
        >>> float(nj.fitting.rules.squared_error(outputs, jnp.ones((4, 2)), mask))
        4.0
    """
    wanted = jnp.where(mask[..., None] > 0, targets, 0.0)  # a NaN where nothing counts is no harm
    error = jnp.where(mask[..., None] > 0, outputs - wanted, 0.0)
    # without outputs, where recorded units alone are followed, there is no error
    total = jnp.maximum(jnp.sum(mask), 1e-12) * max(outputs.shape[-1], 1)
    return jnp.sum(mask[..., None] * error**2) / total


def cross_entropy(outputs, targets, mask) -> Array:
    """Mean cross-entropy over weighted steps of logits with targets that are probabilities.

    Arguments:
        outputs: logits of each step, shape (..., time, outputs).
        targets: probabilities, of the same shape.
        mask: weight of each step, shape (..., time).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> targets = jnp.array([[1.0, 0.0]])
        >>> loss = nj.fitting.rules.cross_entropy(jnp.zeros((1, 2)), targets, jnp.ones(1))
        >>> round(float(loss), 4)  # log 2
        0.6931
    """
    losses = -jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1)
    return jnp.sum(jnp.where(mask > 0, mask * losses, 0.0)) / jnp.maximum(jnp.sum(mask), 1e-12)


def activity_error(rates, trials: Trials) -> Array:
    """Mean squared error of the recorded units where they were recorded; 0 without a recording."""
    mask = trials.activity_mask
    if trials.activity is None or trials.recorded is None or mask is None:
        return jnp.zeros((), rates.dtype)
    found = jnp.take(rates, trials.recorded, axis=-1)
    error = jnp.where(mask > 0, found - jnp.where(mask > 0, trials.activity, 0.0), 0.0)
    return jnp.sum(mask * error**2) / jnp.maximum(jnp.sum(mask), 1e-12)


def check_fit(circuit: Any, trials: Trials) -> None:
    """The trials have the circuit's numbers of inputs, outputs and units.

    Raises:
        TypeError: if the circuit is no `RecurrentCircuit`.
        ValueError: naming what does not fit.
    """
    if not isinstance(circuit, RecurrentCircuit):
        raise TypeError(
            "circuit must be a recurrent circuit with an output, such as nj.circuits.RateRNN, got "
            f"{type(circuit).__name__}; recordings are fitted to other circuits by nj.fit"
        )
    model = unwrap(circuit)
    outputs = 0 if model.output is None else model.output.shape[0]
    weights = getattr(model, "input", None)
    inputs = 0 if weights is None else weights.shape[1]
    for name, own, given in (
        ("outputs", outputs, trials.targets.shape[-1]),
        ("inputs", inputs, trials.inputs.shape[-1]),
    ):
        if own != given:
            raise ValueError(
                f"the circuit has {own} {name}, the trials have {given}: build it with "
                f"{name}={given}"
            )
    if outputs == 0 and trials.activity is None:
        raise ValueError(
            "there is nothing to learn: the circuit has no outputs, the trials no recorded activity"
        )
    if trials.initial is not None and not isinstance(trials.initial, dict):
        own = jax.tree.leaves(jax.eval_shape(model.init_state))
        if len(own) == 1 and trials.initial.shape != (*trials.batch, *own[0].shape):
            raise ValueError(
                f"trials.initial must have shape {(*trials.batch, *own[0].shape)}, one state for "
                f"each trial, got {trials.initial.shape}"
            )
    if trials.recorded is not None and trials.recorded.shape[0] > model.n:
        raise ValueError(
            f"{trials.recorded.shape[0]} units are recorded, but the circuit has only n={model.n}"
        )
    if trials.recorded is not None and known(trials.recorded):
        units = np.asarray(trials.recorded)
        outside = units[(units < 0) | (units >= model.n)]
        if len(outside):
            raise ValueError(
                f"recorded names unit {outside[0]}, but the units of the circuit are 0 to "
                f"{model.n - 1}"
            )
