"""Truncated backpropagation with a learned guess of what the future will say about a state."""

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from neurojax.core import Clock
from neurojax.core.parameter_checks import check_count

from ..parameters import split
from ..unroll import Unrolled, begin, ready
from .bptt import BPTT, apply
from .rule import AbstractRule
from .slope_rule import noise_keys


class SyntheticState(NamedTuple):
    """The optimisers of the circuit and of the predictor, and the predictor."""

    optimizer: Any
    predictor: dict[str, Array]
    predictor_optimizer: Any


@final
class SyntheticGradient(AbstractRule):
    r"""Backpropagation over K steps, and beyond them by a predictor as the cerebellum may be one.

    The trial is cut after every K steps. What later steps say about the state h at a cut is not
    carried back, but predicted from the state: $\hat g(h) \approx \partial L_{later}/\partial h$.
    The circuit follows, segment by segment, the slope of

    $$L_{segment} + \langle \hat g(h_{end}),\, h_{end} \rangle \quad(\hat g \text{ held}),$$

    and the predictor learns from what comes back to the start of the next segment, where the guess
    at its own end stands for everything beyond (bootstrapping):

    $$\hat g(h_{start}) \to \frac{\partial L_{segment}}{\partial h_{start}} +
      \Big(\frac{\partial h_{end}}{\partial h_{start}}\Big)^{\!\top} \hat g(h_{end})$$

    The last segment ends with the trial, where nothing is left to predict. $\hat g$ begins at zero,
    so that the rule begins as truncated backpropagation; with K of the whole trial it is `BPTT`. In
    a linear circuit with squared error a linear predictor for each cut (`hidden=None`,
    `apart=True`) can be exact if all trials have the same inputs and targets: then the slope is
    that of `BPTT`. Elsewhere it is a guess, which disturbs while it is learnt: circuits of tanh
    units often end with a larger loss than by truncation alone. Let the predictor learn faster than
    the circuit, and compare. This form of the rule needs the memory of all steps, as `BPTT` does.

    Arguments:
        optimizer: of the circuit, from optax.
        horizon: K, in steps.
        hidden: units of the predictor's hidden layer (rectified); `None`: an affine map.
        apart: a predictor of its own for each cut, in place of one for all of them.
        predictor_optimizer: from optax, default `optax.adam(1e-3)`.
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        ValueError: for a horizon or a number of hidden units that is not a positive whole number.
        TypeError: for an optimiser that is not from optax.

    Source: Jaderberg et al. (2017), International Conference on Machine Learning, arXiv:1608.05343;
    the cerebellum: Pemberton, Boven, Apps and Costa (2021), Advances in Neural Information
    Processing Systems 34; Boven, Pemberton, Chadderton, Apps and Costa (2023), Nature
    Communications 14:51.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.GRU(10, inputs=1, outputs=1)
        >>> rule = nj.fitting.rules.SyntheticGradient(optax.adam(1e-3), horizon=5, hidden=20)
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape, trained.rule_state.predictor["output"].shape
        ((2,), (10, 20))
    """

    objective: BPTT
    predictor_optimizer: optax.GradientTransformation = eqx.field(static=True)
    horizon: int = eqx.field(static=True)
    hidden: int | None = eqx.field(static=True)
    apart: bool = eqx.field(static=True)

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        horizon: int,
        hidden: int | None = 400,
        apart: bool = False,
        predictor_optimizer: optax.GradientTransformation | None = None,
        **objective: Any,
    ):
        check_count("horizon", horizon)
        if hidden is not None:
            check_count("hidden", hidden)
        self.objective = BPTT(optimizer, **objective)
        own = optax.adam(1e-3) if predictor_optimizer is None else predictor_optimizer
        self.predictor_optimizer = BPTT(own).optimizer  # checked there
        self.horizon, self.hidden = int(horizon), None if hidden is None else int(hidden)
        self.apart = apart

    def init(self, circuit, trials, key):
        """See `AbstractRule`."""
        state = ready(circuit, trials.dt).init_state()
        flat = ravel_pytree(state)[0]
        lead = (len(self._cuts(trials)),) if self.apart else ()
        predictor = fresh(key, flat.shape[0], self.hidden, lead, flat.dtype)
        optimizer = self.objective.init(circuit, trials, key)
        return SyntheticState(optimizer, predictor, self.predictor_optimizer.init(predictor))

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        parameters, rest = split(circuit, self.objective.freeze)
        value, slope, ends, wanted = self.slope(parameters, rest, state.predictor, trials, key)
        circuit, optimizer, value = apply(
            self.objective.optimizer, parameters, rest, state.optimizer, value, slope
        )
        if not ends.shape[1]:  # nothing was cut
            return circuit, SyntheticState(optimizer, *state[1:]), value

        def error(predictor):
            guess = predicted(predictor, ends, self.apart)
            return jnp.mean(jnp.sum((guess - wanted) ** 2, axis=-1))

        rest = jax.tree.map(lambda _: None, state.predictor)  # all of it learns
        mistake, by_predictor = jax.value_and_grad(error)(state.predictor)
        predictor, own, _ = apply(
            self.predictor_optimizer, state.predictor, rest, state.predictor_optimizer,
            value + mistake, by_predictor,
        )  # fmt: skip
        return circuit, SyntheticState(optimizer, predictor, own), value

    def slope(self, parameters, rest, predictor, trials, key):
        """The loss and its slope; states at the cuts (trials, cuts, n) and what comes back there.

        What comes back is for the loss of each trial: that of the batch times its size.
        """
        cuts, count = self._cuts(trials), len(trials)
        n = ravel_pytree(ready(eqx.combine(parameters, rest), trials.dt).init_state())[0].shape[0]
        still = jnp.zeros((count, len(cuts), n), trials.targets.dtype)

        def loss(parameters, shift):
            run, ends = cut_run(eqx.combine(parameters, rest), trials, key, cuts, shift)
            value = self.objective.of_run(run, trials)
            guess = predicted(predictor, ends, self.apart)
            beyond = jnp.sum(jax.lax.stop_gradient(guess) * ends) / count
            return value + beyond, (value, ends)

        slopes = jax.grad(loss, (0, 1), has_aux=True)
        (slope, back), (value, ends) = slopes(parameters, still)
        return value, slope, ends, back * count

    def _cuts(self, trials) -> np.ndarray:
        """The steps before which the trial is cut."""
        return np.arange(self.horizon, trials.steps, self.horizon)


def cut_run(circuit, trials, key, cuts, shift) -> tuple[Unrolled, Array]:
    """The run of a batch through whose cuts no slope passes, and the states there.

    `shift` (trials, cuts, n), zero, is added to the states after the cuts: the slope by it is what
    comes back to them.
    """
    circuit = ready(circuit, trials.dt)
    is_cut = jnp.zeros(trials.steps, bool).at[cuts].set(True)

    def one(inputs, initial, key, shift):
        start, unravel = ravel_pytree(begin(circuit, initial))
        moved = jnp.zeros((trials.steps, start.shape[0]), start.dtype).at[cuts].set(shift)

        def step(flat, now):
            number, u, cut, shift = now
            flat = jnp.where(cut, jax.lax.stop_gradient(flat) + shift, flat)
            state, _ = circuit.step(unravel(flat), {"u": u}, Clock(number, trials.dt, key))
            flat = ravel_pytree(state)[0]
            return flat, flat

        drives = (jnp.arange(trials.steps), inputs, is_cut, moved)
        _, states = jax.lax.scan(step, start, drives)
        rates = jax.vmap(lambda flat: circuit.rates(unravel(flat)))(states)
        return rates, circuit.read_out(rates), states[cuts - 1]

    keys = noise_keys(trials, key)
    rates, outputs, ends = jax.vmap(one)(trials.inputs, trials.initial, keys, shift)
    return Unrolled(None, rates, outputs), ends


def fresh(key, n: int, hidden: int | None, lead: tuple[int, ...], dtype) -> dict[str, Array]:
    """A predictor that says zero."""
    width = n if hidden is None else hidden
    predictor = {
        "output": jnp.zeros((*lead, n, width), dtype),
        "bias": jnp.zeros((*lead, n), dtype),
    }
    if hidden is not None:
        draws = jax.random.normal(key, (*lead, hidden, n), dtype)
        predictor["hidden"] = draws * np.sqrt(2.0 / n)
        predictor["hidden_bias"] = jnp.zeros((*lead, hidden), dtype)
    return predictor


def predicted(
    predictor: dict[str, Array], states: Float[Array, "trials cuts n"], apart: bool
) -> Float[Array, "trials cuts n"]:
    """What the predictor says about states at the cuts."""

    def one(predictor, h):
        if "hidden" in predictor:
            h = jax.nn.relu(predictor["hidden"] @ h + predictor["hidden_bias"])
        return predictor["output"] @ h + predictor["bias"]

    along = jax.vmap(one, (0 if apart else None, 0))
    return jax.vmap(along, (None, 0))(predictor, states)
