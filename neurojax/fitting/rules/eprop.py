"""Local learning with eligibility traces: e-prop."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from .bptt import BPTT
from .slope_rule import AbstractSlopeRule, see
from .units import check_units, look, pull_back, traced


@final
class EProp(AbstractSlopeRule):
    r"""A trace at each synapse times a learning signal at its unit.

    $$\epsilon_{ij}' = \lambda_i\, \epsilon_{ij} + \kappa_i\, r_j, \qquad
      \Delta W_{ij} \propto -\sum_t \mathcal{L}_i\, \epsilon_{ij}', \qquad
      \mathcal{L}_i = \varphi'(x_i) \sum_k W^{out}_{ki} \frac{\partial L}{\partial z_k}$$

    Here $\lambda_i = \partial x_i' / \partial x_i$ is what a unit keeps of its own state with all
    currents held ($1 - dt/\tau$ for a `RateRNN`, $1 - a$ for a `LeakyRNN`), $\kappa_i$ the change
    of its state by a current ($dt/\tau$, or $a\,\varphi'$), and the state of a `LeakyRNN` is its
    rate. Weights from inputs and from fed-back outputs, biases and the unit's own parameters have
    traces alike; output weights follow their own slope. A recording and a rate penalty enter the
    signal of their own units.

    This is the gradient of `BPTT` with every current through a connection taken as given. It is
    `RTRL(approximation="diagonal")` where no unit acts on itself through a connection: that rule
    keeps $\lambda_i + \kappa_i W_{ii}\,\varphi'(x_i)$ of a trace.

    Arguments:
        optimizer: from optax.
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        TypeError: in training, for another circuit than `RateRNN` and `LeakyRNN`.
        ValueError: in training, for a solver of several stages or a trained nonlinearity.

    Source: Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein and Maass (2020), Nature
    Communications 11:3625.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.LeakyRNN(10, inputs=1, outputs=1, leak=0.2)
        >>> rule = nj.fitting.rules.EProp(optax.adam(1e-2))
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape
        (2,)
    """

    objective: BPTT

    def __init__(self, optimizer: optax.GradientTransformation, **objective: Any):
        self.objective = BPTT(optimizer, **objective)

    def draw(self, circuit, trials, key):
        """See `AbstractSlopeRule`."""
        check_units("EProp", circuit, self.objective.freeze)

    def slope(self, parameters, rest, drawn, trials, key):
        """See `AbstractSlopeRule`."""
        seen = see(self.objective, parameters, rest, trials, key)
        return seen.value, local_slope(parameters, rest, seen, trials, key)


def local_slope(parameters, rest, seen, trials, key) -> Any:
    """The slope of the read-out, and the signals times traces that leak."""
    local = look(eqx.combine(parameters, rest), seen.before, trials, key)
    (signal,) = jax.tree.leaves(seen.signal)
    slope = traced(local, local.leak, signal, initial=trials.initial is None)
    recurrent = pull_back(parameters, rest, slope, through_output=False)
    return jax.tree.map(jnp.add, seen.slope, recurrent)
