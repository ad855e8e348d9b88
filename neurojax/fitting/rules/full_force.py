"""Full-FORCE: all recurrent weights by least squares, also towards recorded units."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.circuits import RateRNN
from neurojax.circuits.recurrent import current
from neurojax.core import Clock, as_parameter, unwrap
from neurojax.core.errors import suggestion
from neurojax.core.solvers import Euler, EulerMaruyama
from neurojax.core.tracing import known
from neurojax.tasks import Trials

from ..unroll import begin, ready, unroll_one
from .least_squares import RLS, Moments
from .rule import AbstractRule, check_plain_output, squared_error


class Teacher(eqx.Module):
    """The random network that shows the units which currents make the outputs."""

    J: Array  # (n, n)
    from_targets: Array  # (n, outputs)
    from_hints: Array  # (n, hints)
    from_recorded: Array  # (n, recorded units)


class _State(NamedTuple):
    teacher: Teacher
    sums: Any  # RLS, or the moments of W and of W_out
    passes: Array


@final
class FullFORCE(AbstractRule):
    r"""Recurrent and output weights of a `RateRNN` that reproduce the currents of a teacher.

    A random network with the units of the circuit is driven by the wanted outputs as well,

    $$\tau\dot x_t = -x_t + J \varphi(x_t) + U z^* + U_h h + U_r r^* + B u + b,$$

    and the circuit learns to make the same currents by itself:
    $W r \to f = J \varphi(x_t) + U z^* + U_h h + U_r r^*$ and $W_{out} r \to z^*$. A unit that
    stands for a recorded neuron (`trials.recorded`) gets the current that makes it follow the
    recording instead, $f_i = x_i^* + \tau \dot x_i^* - (B u)_i - b_i$ with
    $x^* = \varphi^{-1}(r^*)$.

    By `"ridge"` an update is one pass over all trials: the first with the states of the teacher
    and noise on them, later ones with the states of the running circuit; the samples of all passes
    are kept. By `"rls"` the circuit runs and is corrected step by step, trial after trial. The
    `output_bias` of the circuit becomes 0.

    Arguments:
        method: `"ridge"` or `"rls"`.
        gain: of the teacher's weights J, N(0, gain^2 / n). Beyond 1 the teacher is chaotic by
            itself; 1 did better with a quarter or more of a circuit recorded (see
            `benchmarks/sparse_recording.py`).
        penalty: of the squared weights: $\lambda$ of the ridge, $\alpha$ of `RLS`.
        noise: standard deviation of the noise on the states of the first pass.
        probability: chance that a step makes an update of `"rls"`.
        hints: a function of trials that gives extra input for the teacher alone, (..., time,
            hints), such as a ramp towards a time to be kept.

    Raises:
        TypeError: if the circuit is no `RateRNN`.
        ValueError: if its weights are wrapped or of low rank, for another solver than Euler and
            EulerMaruyama, if a recording has gaps or rates that its nonlinearity cannot make.

    Source: DePasquale, Cueva, Rajan, Escola and Abbott (2018), PLoS ONE 13:e0191527; recorded
    units after Salatiello and Giese (2020), arXiv:2005.02211.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.tasks.PerceptualDecision()
        >>> circuit = nj.circuits.RateRNN(100, inputs=task.inputs, outputs=1, tau=50.0)
        >>> trials = task.trials(jax.random.key(0), 20)
        >>> rule = nj.fitting.rules.FullFORCE()
        >>> trained = nj.train(circuit, trials, rule=rule, steps=4, progress=False)
        >>> bool(trained.losses[-1] < trained.losses[0])
        True
    """

    method: Literal["ridge", "rls"] = eqx.field(static=True, default="ridge")
    gain: Any = eqx.field(converter=as_parameter, default=1.5)  # other values compile nothing
    penalty: Any = eqx.field(converter=as_parameter, default=1.0)
    noise: Any = eqx.field(converter=as_parameter, default=0.02)
    probability: float = eqx.field(static=True, default=0.5)
    hints: Callable | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if self.method not in ("ridge", "rls"):
            raise ValueError(
                f"unknown method {self.method!r}.{suggestion(str(self.method), ('ridge', 'rls'))}"
            )
        if not self.penalty > 0:
            raise ValueError(f"penalty must be positive, got {self.penalty}")
        for name in ("gain", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability must lie in (0, 1], got {self.probability}")

    def init(self, circuit, trials, key) -> _State:
        """See `AbstractRule`."""
        _check(circuit, trials)
        n, outputs = circuit.n, trials.targets.shape[-1]
        recorded = 0 if trials.recorded is None else trials.recorded.shape[0]
        hints = self._hints(trials).shape[-1]
        dtype = unwrap(circuit).recurrent.dtype
        keys = jax.random.split(key, 4)
        uniform = lambda key, k: jax.random.uniform(key, (n, k), dtype, -1.0, 1.0)
        teacher = Teacher(
            self.gain / np.sqrt(n) * jax.random.normal(keys[0], (n, n), dtype),
            uniform(keys[1], outputs),
            uniform(keys[2], hints),
            uniform(keys[3], recorded) / np.sqrt(max(recorded, 1)),
        )
        if self.method == "rls":
            sums: Any = RLS.start(n, self.penalty, dtype=dtype)
        else:
            sums = Moments.start(n, n, dtype), Moments.start(n, outputs, dtype)
        return _State(teacher, sums, jnp.zeros((), jnp.int32))

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        moving = ready(circuit, trials.dt)
        noise, chances = jax.random.split(key)
        x, f = jax.vmap(lambda trial, hints: _currents(moving, state.teacher, trial, hints),
                        in_axes=(_axes(trials), 0))(trials, self._hints(trials))  # fmt: skip
        if self.method == "rls":
            W, output, sums, loss = self._online(moving, state.sums, trials, f, noise, chances)
        else:
            W, output, sums, loss = self._pass(moving, state, trials, x, f, noise)
        bias = jnp.zeros_like(moving.output_bias)
        where = lambda c: (c.recurrent, c.output, c.output_bias)
        changed = eqx.tree_at(where, circuit, (W, output, bias))
        return changed, _State(state.teacher, sums, state.passes + 1), loss

    def _hints(self, trials):
        if self.hints is None:
            return jnp.zeros((*trials.mask.shape, 0), trials.targets.dtype)
        hints = jnp.asarray(self.hints(trials))
        if hints.shape[:-1] != trials.mask.shape:
            raise ValueError(
                f"hints must give shape {(*trials.mask.shape, 'hints')}, got {hints.shape}"
            )
        return hints

    def _pass(self, circuit, state, trials, x, f, key):
        """One pass over all trials, and the ridge solution of all passes."""
        runs, shake = jax.random.split(key)
        keys = jax.random.split(runs, len(trials))
        starts = jax.vmap(lambda initial: begin(circuit, initial)["x"], axis_size=len(trials))
        start = starts(trials.initial)
        one = lambda u, initial, key: unroll_one(circuit, u, initial, trials.dt, key)
        run = jax.vmap(one)(trials.inputs, trials.initial, keys)
        first = state.passes == 0
        shaken = x + self.noise * jax.random.normal(shake, x.shape, x.dtype)
        after = jnp.where(first, shaken, run.states["x"])
        before = jnp.concatenate([start[:, None], after[:, :-1]], axis=1)
        weights, outputs = state.sums
        weights = weights.samples(circuit.nonlinearity(before), f)
        targets = _wanted(trials)
        outputs = outputs.samples(circuit.nonlinearity(after), targets, trials.mask)
        loss = squared_error(run.outputs, trials.targets, trials.mask)
        W, output = weights.solve(self.penalty), outputs.solve(self.penalty)
        return W, output, (weights, outputs), loss

    def _online(self, circuit, rls, trials, f, key, chances):
        """The circuit corrected while it runs."""

        def trial(carry, given):
            u, targets, mask, f, initial, key, chance = given

            def step(carry, drive):
                state, W, output, rls = carry
                number, u, target, mask, f, chance = drive
                where = lambda c: (c.recurrent, c.output)
                moving = eqx.tree_at(where, circuit, (W, output))
                # rates at the start of the step: their currents drive it, and the output of the
                # step before is read from them
                rates = moving.rates(state)
                wrong, error = W @ rates - f, output @ rates - target

                def learn(W, output, rls):
                    moved, gain = rls.sample(rates)
                    W = W - wrong[:, None] * gain[None, :]
                    return W, output - mask * error[:, None] * gain[None, :], moved

                W, output, rls = jax.lax.cond(chance, learn, lambda *kept: kept, W, output, rls)
                moving = eqx.tree_at(where, circuit, (W, output))
                state, _ = moving.step(state, {"u": u}, Clock(number, trials.dt, key))
                return (state, W, output, rls), mask * jnp.sum(error**2)

            earlier = lambda y: jnp.concatenate([jnp.zeros_like(y[:1]), y[:-1]])
            drives = (jnp.arange(len(u)), u, earlier(targets), earlier(mask), f, chance)
            carry, errors = jax.lax.scan(step, (begin(circuit, initial), *carry), drives)
            return carry[1:], errors

        keys = jax.random.split(key, len(trials))
        chance = jax.random.bernoulli(chances, self.probability, trials.mask.shape)
        given = (trials.inputs, _wanted(trials), trials.mask, f, trials.initial, keys, chance)
        carry, errors = jax.lax.scan(trial, (circuit.recurrent, circuit.output, rls), given)
        weight = jnp.maximum(jnp.sum(trials.mask), 1e-12) * trials.targets.shape[-1]
        return *carry, jnp.sum(errors) / weight


def _currents(circuit: Any, teacher: Teacher, trial: Trials, hints):
    """States at the end of each step that the circuit should have, and the currents for them."""
    start = begin(circuit, trial.initial)["x"]
    alpha = trial.dt / circuit.tau
    driven = jnp.broadcast_to(circuit.bias, (trial.steps, circuit.n))
    if circuit.input is not None:
        driven = driven + current(circuit.input, trial.inputs)
    shown = current(teacher.from_targets, _wanted(trial)) + current(teacher.from_hints, hints)
    if trial.activity is not None:
        shown = shown + current(teacher.from_recorded, trial.activity)

    def step(x, drive):
        shown, driven = drive
        f = teacher.J @ circuit.nonlinearity(x) + shown
        x = x + alpha * (f + driven - x)
        return x, (x, f)

    _, (x, f) = jax.lax.scan(step, start, (shown, driven))
    if trial.activity is None:
        return x, f
    which = trial.recorded
    after = circuit.nonlinearity.inverse(trial.activity)
    before = jnp.concatenate([start[which][None], after[:-1]])
    share = jnp.broadcast_to(alpha, (circuit.n,))[which][None]
    needed = before + (after - before) / share - driven[:, which]
    return x.at[:, which].set(after), f.at[:, which].set(needed)


def _wanted(trials: Trials):
    """The targets, zero where they do not count."""
    return jnp.where(trials.mask[..., None] > 0, trials.targets, 0.0)


def _axes(trials: Trials):
    """The batch axis of everything that has one."""
    axes = jax.tree.map(lambda _: 0, trials)
    return eqx.tree_at(lambda t: t.recorded, axes, None, is_leaf=lambda x: x is None)


def _check(circuit, trials: Trials) -> None:
    if not isinstance(circuit, RateRNN):
        raise TypeError(f"FullFORCE trains a RateRNN, got {type(circuit).__name__}")
    if not eqx.is_array(circuit.recurrent) or isinstance(
        circuit.recurrent, paramax.AbstractUnwrappable
    ):
        raise ValueError(
            "FullFORCE solves for all recurrent weights: they must be a plain (n, n) array, "
            "without mask, signs or low rank (train such weights by BPTT)"
        )
    check_plain_output("FullFORCE", circuit)
    if not isinstance(circuit.solver, Euler | EulerMaruyama):
        raise ValueError(
            "FullFORCE finds the currents of steps by Euler or EulerMaruyama, got "
            f"solver={type(circuit.solver).__name__}"
        )
    if circuit.feedback is not None:
        raise ValueError("FullFORCE trains circuits without feedback; leave feedback out")
    if trials.activity is None:
        return
    phi = unwrap(circuit).nonlinearity
    if not hasattr(phi, "inverse"):
        raise ValueError("recorded units need a nonlinearity that can be inverted, such as 'tanh'")
    if not known(trials.activity):
        return
    if trials.activity_mask is not None and not bool(jnp.all(trials.activity_mask > 0)):
        raise ValueError(
            "FullFORCE needs recordings without gaps (activity_mask all 1); BPTT takes gaps"
        )
    if not bool(jnp.all(jnp.isfinite(phi.inverse(trials.activity)))):
        low, high = float(trials.activity.min()), float(trials.activity.max())
        raise ValueError(
            f"the recorded rates lie between {low:.3g} and {high:.3g}, beyond what the "
            "nonlinearity of the circuit can make: scale them first"
        )
