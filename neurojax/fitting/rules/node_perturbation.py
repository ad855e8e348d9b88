"""Learning from the change of the loss when the currents into the units are shaken."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from neurojax.core import unwrap

from ..unroll import Unrolled, begin, ready, unroll_one
from .bptt import BPTT
from .slope_rule import AbstractSlopeRule, noise_keys
from .units import Units, check_units, pull_back


@final
class NodePerturbation(AbstractSlopeRule):
    r"""The correlation of random currents with the change of loss that they bring.

    Each batch is run twice, by itself and with independent currents
    $\xi_i(t) \sim N(0, \sigma^2)$ into all units; all other noise is the same. A trial b whose
    perturbation alone changes the loss by $\Delta L_b$ gives

    $$g_i(t) = \Delta L_b\, \xi_i(t) / \sigma^2, \qquad
      \Delta W_{ij} \propto -\sum_{b, t} g_i(t)\, r_j(t)$$

    and likewise for weights from inputs and from fed-back outputs, and for biases. On average
    $g_i(t)$ is the gradient by the current, up to $O(\sigma^2)$ (exactly where the loss is
    quadratic in the currents, as in a linear circuit with squared error); its variance grows with
    the number of units and steps. Output weights follow their own slope, with the outputs that are
    fed back taken as given.

    Arguments:
        optimizer: from optax.
        sigma: $\sigma$, in units of the current.
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        TypeError: in training, for another circuit than `RateRNN` and `LeakyRNN`.
        ValueError: for a sigma that is not positive; in training, for a solver of several stages,
            or if time constants, leaks, noise, starts or a nonlinearity are to be trained.

    Source: Williams (1992), Machine Learning 8:229; Fiete and Seung (2006), Physical Review
    Letters 97:048104.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.LeakyRNN(10, inputs=1, outputs=1, leak=0.2)
        >>> rule = nj.fitting.rules.NodePerturbation(optax.sgd(1e-3), sigma=0.01)
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape
        (2,)
    """

    objective: BPTT
    sigma: float

    def __init__(
        self, optimizer: optax.GradientTransformation, *, sigma: float = 0.01, **objective: Any
    ):
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        self.objective, self.sigma = BPTT(optimizer, **objective), float(sigma)

    def draw(self, circuit, trials, key):
        """See `AbstractSlopeRule`."""
        check_units("NodePerturbation", circuit, self.objective.freeze, currents_only=True)

    def slope(self, parameters, rest, drawn, trials, key):
        """See `AbstractSlopeRule`."""
        draws, noise = jax.random.split(key)
        circuit = eqx.combine(parameters, rest)
        shape = (*trials.mask.shape, circuit.n)
        shaken = self.sigma * jax.random.normal(draws, shape, trials.targets.dtype)
        plain = perturbed(circuit, trials, jnp.zeros_like(shaken), noise)
        moved = perturbed(circuit, trials, shaken, noise)
        value = self.objective.of_run(plain, trials)
        change = each_change(self.objective, plain, moved, trials)
        blame = change[:, None, None] * shaken / self.sigma**2
        slope = credit(parameters, rest, plain, blame, trials)

        def read_out(parameters):
            outputs = unwrap(eqx.combine(parameters, rest)).read_out(plain.rates)
            return self.objective.of_run(Unrolled(None, plain.rates, outputs), trials)

        return value, jax.tree.map(jnp.add, slope, jax.grad(read_out)(parameters))


def perturbed(circuit, trials, currents, key) -> Unrolled:
    """The run of a batch with currents (trials, time, n) into the units."""
    circuit = ready(circuit, trials.dt)
    one = lambda u, initial, key, current: unroll_one(
        circuit, u, initial, trials.dt, key, currents=current
    )
    keys = noise_keys(trials, key)
    return jax.vmap(one)(trials.inputs, trials.initial, keys, currents)


def each_change(objective: BPTT, plain: Unrolled, moved: Unrolled, trials):
    """The change of the loss when each trial by itself is replaced by its perturbed run."""
    before = objective.of_run(plain, trials)

    def one(number):
        swap = lambda a, b: a.at[number].set(b[number])
        mixed = Unrolled(
            None, swap(plain.rates, moved.rates), swap(plain.outputs, moved.outputs)
        )  # fmt: skip
        return objective.of_run(mixed, trials) - before

    return jax.lax.map(one, jnp.arange(len(trials)))


def credit(parameters, rest, run: Unrolled, blame, trials, bend=lambda sent: sent) -> Any:
    """The slope by the parameters of what gives currents, from that by the currents.

    `bend` is what a synapse makes of the rate or input that is sent through it, in this slope.
    """
    circuit = unwrap(eqx.combine(parameters, rest))
    starts = jax.vmap(lambda x: circuit.rates(begin(circuit, x)), axis_size=len(trials))
    sent = jnp.concatenate([starts(trials.initial)[:, None], run.rates[:, :-1]], axis=1)
    inputs = trials.inputs if circuit.input is not None else trials.inputs[..., :0]
    over = lambda given: jnp.einsum("bti,btj->ij", blame, bend(given))
    bias = jnp.sum(blame, axis=(0, 1))
    none = jnp.zeros_like(bias)
    own = {
        name: none for name in ("tau", "leak", "noise") if getattr(circuit, name, None) is not None
    }
    slope = Units(over(sent), over(inputs), bias, own, none)
    return pull_back(parameters, rest, slope, through_output=False)
