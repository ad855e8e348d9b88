"""FORCE: the output weights of a running circuit by recursive least squares."""

import warnings
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp

from neurojax.core import Clock, as_parameter, unwrap
from neurojax.core.tracing import known

from ..unroll import begin, ready, unroll
from .least_squares import RLS
from .rule import AbstractRule, check_plain_output


@final
class FORCE(AbstractRule):
    r"""Output weights trained while the circuit runs with its own output fed back.

    At each update the error of the output is made small at once,
    $W_{out} \leftarrow W_{out} - (W_{out} r - z^*)\,k^\top$ with the gain k of `RLS`; the circuit
    goes on with the corrected output. Only `output` is trained. Trials of a batch follow one
    another.

    Nothing is learnt while all rates are 0, and without inputs, bias and noise a circuit that
    begins at 0 stays there: a generator needs `initial=` (or a `bias=`), as in
    `RateRNN(n, outputs=1, feedback=True, recurrent=Gaussian(1.5), initial=jax.random.normal(key,
    (n,)))`, which begins each trial in the same way.

    Arguments:
        alpha: regularisation; the weights are the ridge solution with this penalty.
        probability: chance that a step makes an update (1: each).
        forgetting: see `RLS`; steps that the mask leaves out are not forgotten either.

    Warns:
        UserWarning: if the circuit stays at rates of 0.

    Source: Sussillo and Abbott (2009), Neuron 63:544; updates by chance: DePasquale et al. (2018),
    PLoS ONE 13:e0191527.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.tasks.SineGeneration()
        >>> circuit = nj.circuits.RateRNN(
        ...     50, inputs=task.inputs, outputs=1, feedback=True, tau=10.0, key=jax.random.key(0)
        ... )
        >>> trained = nj.train(
        ...     circuit, task, rule=nj.fitting.rules.FORCE(), steps=2, batch=1, progress=False
        ... )
        >>> trained.losses.shape
        (2,)
    """

    alpha: Any = eqx.field(converter=as_parameter, default=1.0)  # another value compiles nothing
    probability: float = eqx.field(static=True, converter=float, default=1.0)
    forgetting: float = eqx.field(static=True, converter=float, default=1.0)

    def __check_init__(self):
        RLS.start(1, self.alpha, self.forgetting)
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability must lie in (0, 1], got {self.probability}")

    @property
    def follows_recorded(self) -> bool:
        """False: it learns from targets of the outputs alone."""
        return False

    def init(self, circuit, trials, key) -> RLS:
        """See `AbstractRule`."""
        check_plain_output("FORCE", circuit)
        if known(*jax.tree.leaves((circuit, trials))) and _stays_at_zero(circuit, trials, key):
            warnings.warn(
                "FORCE learns nothing while all rates are 0, and without inputs those of this "
                f"{type(unwrap(circuit)).__name__} stay there: begin elsewhere (initial= of the "
                "circuit or of the trials), or give a bias or noise",
                stacklevel=4,
            )
        dtype = unwrap(circuit).output.dtype
        return RLS.start(circuit.n, self.alpha, self.forgetting, dtype)

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        moving = ready(circuit, trials.dt)
        chances, noise = jax.random.split(key)

        def trial(carry, given):
            trial, key, chance = given
            initial = begin(moving, trial.initial)
            drives = (jnp.arange(trial.steps), trial.inputs, trial.targets, trial.mask, chance)
            step = lambda carry, drive: self._step(moving, trial.dt, key, carry, drive)
            (_, *carry), errors = jax.lax.scan(step, (initial, *carry), drives)
            return tuple(carry), errors

        count, steps = trials.mask.shape
        keys = jax.random.split(noise, count)
        chance = jax.random.bernoulli(chances, self.probability, (count, steps))
        (output, state), errors = jax.lax.scan(trial, (moving.output, state), (
            _without_recorded(trials), keys, chance,
        ))  # fmt: skip
        weight = jnp.maximum(jnp.sum(trials.mask), 1e-12) * output.shape[0]
        loss = jnp.sum(errors) / weight
        return eqx.tree_at(lambda c: c.output, circuit, output), state, loss

    def _step(self, circuit, dt, key, carry, drive):
        state, output, rls = carry
        number, u, target, mask, chance = drive
        circuit = eqx.tree_at(lambda c: c.output, circuit, output)
        state, _ = circuit.step(state, {"u": u}, Clock(number, dt, key))
        rates = circuit.rates(state)
        error = circuit.read_out(rates) - target
        counts = (mask > 0) & chance

        def learn(output, rls):
            moved, gain = rls.sample(rates)
            return output - error[:, None] * gain[None, :], moved

        if self.probability == 1.0:
            # updates where nothing counts are switched off by a sample of zeros
            moved, gain = rls.sample(jnp.where(mask > 0, rates, 0.0))
            output = output - error[:, None] * gain[None, :]
            if self.forgetting != 1.0:  # which acts on its own, and P would grow without bound
                moved = jax.tree.map(lambda new, old: jnp.where(mask > 0, new, old), moved, rls)
            rls = moved
        else:
            output, rls = jax.lax.cond(counts, learn, lambda o, p: (o, p), output, rls)
        return (state, output, rls), mask * jnp.sum(error**2)


def _stays_at_zero(circuit, trials, key) -> bool:
    """Whether nothing drives the circuit away from rates of 0."""
    if any(bool(jnp.any(x != 0)) for x in jax.tree.leaves((trials.inputs, trials.initial))):
        return False
    return not bool(jnp.any(unroll(circuit, trials[0], key=key).rates != 0))


def _without_recorded(trials) -> Any:
    """The trials with batch axes alone, so that a scan can take them one by one."""
    none = lambda x: x is None
    where = lambda t: (t.activity, t.activity_mask, t.recorded)
    return eqx.tree_at(where, trials, (None, None, None), is_leaf=none)
