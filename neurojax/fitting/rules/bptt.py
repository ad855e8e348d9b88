"""Training by gradient: backpropagation through time."""

from collections.abc import Callable, Iterable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from neurojax.core.errors import suggestion

from .._optimizers import check_optimizer
from ..parameters import split
from ..unroll import Unrolled, unroll
from .rule import AbstractRule, activity_error, cross_entropy, squared_error

_LOSSES = {"squared": squared_error, "cross_entropy": cross_entropy}
Loss = str | Callable


@final
class BPTT(AbstractRule):
    r"""Gradient descent by backpropagation through time.

    $$L = \langle |z - z^*|^2 \rangle + \beta\, \langle (r_i - r_i^*)^2 \rangle_{i\,recorded}
      + \gamma\, \langle r^2 \rangle$$

    Every array of the circuit is trained but for those that are wrapped in `nj.frozen` (time
    constants and noise are) and those that `freeze` names. An update with a loss or a gradient
    that is not finite is left out, and counted.

    Arguments:
        optimizer: from optax; chain `optax.clip_by_global_norm(1.0)` before it where gradients
            explode.
        activity: $\beta$, the weight of the recorded units.
        loss: `"squared"`, `"cross_entropy"` (outputs are logits), or a function of outputs,
            targets and mask.
        rate_penalty: $\gamma$.
        freeze: names of parameters that are left as they are, for example `["recurrent"]`.

    Source: Werbos (1990), Proceedings of the IEEE 78:1550; the recorded units: Perich et al.
    (2020), bioRxiv 2020.12.18.423348; Salatiello and Giese (2020), arXiv:2005.02211.

    Example:
        >>> import jax, optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.RateRNN(10, inputs=1, outputs=1, tau=50.0)
        >>> rule = nj.fitting.rules.BPTT(optax.adam(1e-2), freeze=["input"])
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape
        (2,)
    """

    optimizer: optax.GradientTransformation = eqx.field(static=True)
    activity: float
    loss: Loss = eqx.field(static=True)
    rate_penalty: float
    freeze: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        activity: float = 1.0,
        loss: Loss = "squared",
        rate_penalty: float = 0.0,
        freeze: Iterable[str] = (),
    ):
        check_optimizer(optimizer)
        if isinstance(loss, str) and loss not in _LOSSES:
            raise ValueError(f"unknown loss {loss!r}.{suggestion(loss, _LOSSES)}")
        for name, value in (("activity", activity), ("rate_penalty", rate_penalty)):
            if not float(value) >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        self.optimizer, self.activity, self.loss = optimizer, activity, loss
        self.rate_penalty = rate_penalty
        self.freeze = (freeze,) if isinstance(freeze, str) else tuple(freeze)

    def init(self, circuit, trials, key):
        """See `AbstractRule`."""
        return self.optimizer.init(split(circuit, self.freeze)[0])

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        parameters, rest = split(circuit, self.freeze)

        def loss(parameters):
            return self.value(eqx.combine(parameters, rest), trials, key)

        value, slope = jax.value_and_grad(loss)(parameters)
        return apply(self.optimizer, parameters, rest, state, value, slope)

    def value(self, circuit, trials, key=None):
        """The loss of a circuit on trials."""
        return self.of_run(unroll(circuit, trials, key=key), trials)

    def of_run(self, run: Unrolled, trials):
        """The loss of a run that is there already."""
        error = _LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        value = error(run.outputs, trials.targets, trials.mask)
        if trials.activity is not None:
            value = value + self.activity * activity_error(run.rates, trials)
        return value + self.rate_penalty * jnp.mean(run.rates**2)


def apply(optimizer, parameters, rest, state, value, slope) -> tuple[Any, Any, Any]:
    """One step of an optimiser, left out where something is not finite."""
    good = jnp.isfinite(value)
    for leaf in jax.tree.leaves(slope):
        good &= jnp.all(jnp.isfinite(leaf))
    change, moved = optimizer.update(slope, state, parameters)
    choose = lambda new, old: jnp.where(good, new, old) if eqx.is_array(new) else new
    parameters = jax.tree.map(choose, optax.apply_updates(parameters, change), parameters)
    return eqx.combine(parameters, rest), jax.tree.map(choose, moved, state), value
