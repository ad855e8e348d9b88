"""Learning from one reward at the end of each trial, without a gradient and without a twin run."""

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from neurojax.core import unwrap
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_count
from neurojax.core.tracing import known

from ..parameters import split
from ..unroll import Unrolled, begin
from .bptt import BPTT, apply
from .node_perturbation import credit, perturbed
from .rule import AbstractRule
from .units import check_units


class RewardState(NamedTuple):
    """The state of the optimiser, and the reward that each type of trial has led to lately."""

    optimizer: Any
    expected: Array  # (types,)
    seen: Array  # (types,): whether there was a trial of this type yet


@final
class RewardModulatedHebbian(AbstractRule):
    r"""What was sent times how far its receiver strayed, kept if the reward was more than expected.

    Currents $\xi_i(t)$ at random times shake the units. Each synapse adds up what it sees, and at
    the end of the trial one number R decides about it:

    $$e_{ij} = \sum_t S\big(r_j(t)\,(x_i(t+1) - \bar x_i(t))\big), \qquad
      S(y) = \mathrm{sign}(y)\,|y|^p, \qquad
      \Delta W_{ij} \propto \big\langle e_{ij}\,(R - \bar R_k) \big\rangle_{trials}$$

    with the running mean $\bar x(t+1) = \alpha\,\bar x(t) + (1 - \alpha)\,x(t+1)$ of the state of
    the unit, $R = -L$ of the trial alone, and $\bar R_k$ what trials of its type k led to before.
    A unit knows nothing of $\xi$: after a kick it strays one way fast and comes back slowly, which
    cancel in a plain sum; only a supralinear S (p above 1) remembers the kick.

    With `state_memory=None` the kick $\xi_i(t)$ itself stands for the straying. Then, at p = 1, the
    mean update is exactly $\sigma^2$ times minus the gradient of the expected loss of the shaken
    circuit, whatever its nonlinearity (Stein's lemma).

    Weights from inputs and biases have traces alike (a bias with a sent rate of 1). Wrapped weights
    (`masked`, `sign_kept`), `low_rank` ones, and those from fed-back outputs follow the weights
    between units by the chain rule. The output weights stay as they are: nothing shakes the
    outputs. Updates scale as $\sigma^{p + 1}$: `optax.adam` does not mind, `optax.sgd` needs a
    large rate.

    Arguments:
        optimizer: from optax.
        sigma: standard deviation of a kick, in units of the current.
        rate: kicks of a unit per second, in Hz; `None`: one in each step.
        power: p.
        state_memory: $\alpha$, what the running mean keeps of itself in a step, or `None`.
        trial_type: name of the condition of the trials that gives their type, a whole number from
            0; default: all are of one type.
        types: the number of types.
        reward_memory: the share of itself that $\bar R$ keeps in an update (the first update
            expects the mean of its own trials).
        **objective: `activity`, `loss`, `rate_penalty` and `freeze` of `BPTT`.

    Raises:
        TypeError: in training, for another circuit than `RateRNN` and `LeakyRNN`.
        ValueError: for numbers out of their range; in training, for a solver of several stages, a
            rate of more than one kick per step, types that are not whole numbers below `types`, or
            if time constants, leaks, noise, starts or a nonlinearity are to be trained.

    Source: Miconi (2017), eLife 6:e20899; the kicks there are uniform, 3 Hz, p = 3 and
    $\alpha = 0.05$. Known kicks: Fiete and Seung (2006), Physical Review Letters 97:048104.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.LeakyRNN(10, inputs=1, outputs=1, leak=0.2)
        >>> rule = nj.fitting.rules.RewardModulatedHebbian(optax.adam(1e-3), sigma=0.5, rate=3.0)
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> trained.losses.shape, trained.rule_state.expected.shape
        ((2,), (1,))
    """

    objective: BPTT
    sigma: float
    rate: float | int | None
    power: float
    state_memory: float | int | None
    trial_type: str | None
    types: int
    reward_memory: float

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        sigma: float | int = 0.5,
        rate: float | int | None = None,
        power: float | int = 3.0,
        state_memory: float | int | None = 0.05,
        trial_type: str | None = None,
        types: int = 1,
        reward_memory: float | int = 0.75,
        **objective: Any,
    ):
        for name, value in (("sigma", sigma), ("rate", rate), ("power", power)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        for name, value in (("state_memory", state_memory), ("reward_memory", reward_memory)):
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {value}")
        check_count("types", types)
        if trial_type is None and types != 1:
            raise ValueError(f"types={types} need trial_type, the condition that tells them apart")
        self.objective = BPTT(optimizer, **objective)
        self.sigma, self.rate, self.power = float(sigma), rate, float(power)
        self.state_memory, self.reward_memory = state_memory, float(reward_memory)
        self.trial_type, self.types = trial_type, int(types)

    def init(self, circuit, trials, key):
        """See `AbstractRule`."""
        check_units(type(self).__name__, circuit, self.objective.freeze, currents_only=True)
        if self.rate is not None and self.rate * trials.dt * MS_HZ > 1:
            raise ValueError(
                f"rate={self.rate} Hz is more than one kick in a step of {trials.dt} ms: give "
                "rate=None for one in each step"
            )
        kinds = self._kinds(trials)
        if known(kinds) and not bool(
            jnp.all((kinds >= 0) & (kinds < self.types) & (kinds % 1 == 0))
        ):
            raise ValueError(
                f"condition {self.trial_type!r} must hold whole numbers from 0 to {self.types - 1} "
                f"(types={self.types}), got values from {kinds.min()} to {kinds.max()}"
            )
        optimizer = self.objective.optimizer.init(self._split(circuit)[0])
        return RewardState(
            optimizer, jnp.zeros(self.types, trials.targets.dtype), jnp.zeros(self.types, bool)
        )

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        parameters, rest = self._split(circuit)
        draws, noise = jax.random.split(key)
        kicks = self._kicks(draws, (*trials.mask.shape, circuit.n), trials)
        run = perturbed(circuit, trials, kicks, noise)
        value = self.objective.of_run(run, trials)
        reward = -each_loss(self.objective, run, trials)
        surprise, expected, seen = compared(
            reward, self._kinds(trials), state.expected, state.seen, self.reward_memory
        )
        strayed = kicks
        if self.state_memory is not None:
            strayed = straying(unwrap(circuit), run, trials, self.state_memory)
        slope = self._slope(parameters, rest, run, strayed, surprise, trials)
        circuit, optimizer, value = apply(
            self.objective.optimizer, parameters, rest, state.optimizer, value, slope
        )
        good = jnp.all(jnp.isfinite(reward))
        return circuit, RewardState(
            optimizer, jnp.where(good, expected, state.expected), jnp.where(good, seen, state.seen)
        ), value  # fmt: skip

    def _slope(self, parameters, rest, run, strayed, surprise, trials):
        """Minus the update, by the trained parameters."""
        bend = lambda y: jnp.sign(y) * jnp.abs(y) ** self.power
        # S of a product is the product of S, so that no trace is kept for each synapse and step
        blame = -surprise[:, None, None] * bend(strayed) / len(trials)
        return credit(parameters, rest, run, blame, trials, bend)

    def _kicks(self, key, shape, trials):
        size, when = jax.random.split(key)
        kicks = self.sigma * jax.random.normal(size, shape, trials.targets.dtype)
        if self.rate is None:
            return kicks
        return kicks * jax.random.bernoulli(when, self.rate * trials.dt * MS_HZ, shape)

    def _kinds(self, trials):
        if self.trial_type is None:
            return jnp.zeros(len(trials), int)
        return jnp.asarray(trials.condition(self.trial_type))

    def _split(self, circuit):
        """Trained parameters and the rest, with output weights among the rest."""
        trained, _ = split(circuit, self.objective.freeze)
        read = [
            name
            for name in ("output", "output_bias")
            if jax.tree.leaves(getattr(trained, name, None))
        ]
        return split(circuit, (*self.objective.freeze, *read))


def each_loss(objective: BPTT, run: Unrolled, trials) -> Array:
    """The loss of each trial by itself, (trials,)."""

    def one(number):
        own = Unrolled(None, run.rates[number][None], run.outputs[number][None])
        return objective.of_run(own, trials[number[None]])

    return jax.vmap(one)(jnp.arange(len(trials)))


def compared(reward, kinds, expected, seen, memory) -> tuple[Array, Array, Array]:
    """The reward less what its type of trial led to, and what is expected and seen from now on."""
    member = (kinds[:, None] == jnp.arange(expected.shape[0])[None, :]).astype(reward.dtype)
    count = jnp.sum(member, axis=0)
    mean = reward @ member / jnp.maximum(count, 1.0)
    before = jnp.where(seen, expected, mean)
    after = jnp.where(count > 0, memory * before + (1.0 - memory) * mean, expected)
    return reward - member @ before, after, seen | (count > 0)


def straying(circuit, run: Unrolled, trials, memory) -> Array:
    """The state after each step less its running mean before it, (trials, time, n)."""
    (states,) = jax.tree.leaves(run.states)
    starts = jax.vmap(lambda x: begin(circuit, x), axis_size=len(trials))
    (start,) = jax.tree.leaves(starts(trials.initial))

    def step(mean, state):
        return memory * mean + (1.0 - memory) * state, state - mean

    _, strayed = jax.lax.scan(step, start, jnp.moveaxis(states, 1, 0))
    return jnp.moveaxis(strayed, 0, 1)
