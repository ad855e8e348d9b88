"""Linear read-outs of circuits that stay as they are: reservoirs, above all."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.circuits import EchoState, RecurrentCircuit
from neurojax.circuits.recurrent import (
    Turned,
    channels,
    check_circuit,
    check_finite,
    check_inputs,
    current,
)
from neurojax.core import Clock, unwrap
from neurojax.core.clock import checked_dt
from neurojax.core.keys import check_key
from neurojax.core.parameter_checks import check_count
from neurojax.core.paths import leaf_names
from neurojax.core.tracing import known
from neurojax.core.vector_field import is_float

from .readout_methods import AbstractReadoutMethod, Ridge, Solution
from .series import Series, as_series
from .unroll import along, like, ready

_MAY_BE_MANY = 512  # units; a vector times a turned matrix is slower beyond, many vectors are not


@final
class FittedReadout(eqx.Module):
    """What `fit_readout` found.

    Arguments:
        circuit: with `output` and `output_bias` set, in the precision of its states.
        state: at the end of the series; of several series with an axis over them in front.
        weights: (outputs, features), in the precision in which they were found.
        bias: (outputs,).
        penalty: that was used; chosen, where the method chooses.
        scores: of each penalty that was tried, or `None`.
        nrmse: root mean square error over the samples of the fit (after `update`, those of the last
            part), divided by the standard deviation of the targets, over all outputs; NaN where the
            targets do not vary.
        method: by which the read-out was found.
        kept: what the method keeps of the samples for `update`, or `None`.
        dt: ms per step.
        solver: how and in which precision the read-out was found.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> x = jnp.sin(0.3 * jnp.arange(300.0))[:, None]
        >>> fitted = nj.fitting.fit_readout(nj.circuits.EchoState(30, inputs=1), x[:-1], x[1:])
        >>> fitted.solver
        'Cholesky, float64, on the host'
    """

    circuit: RecurrentCircuit
    state: Any
    weights: Any
    bias: Any
    penalty: Any
    scores: Any
    nrmse: Any
    method: AbstractReadoutMethod
    kept: Any
    dt: float = eqx.field(static=True)
    solver: str = eqx.field(static=True)

    def predict(self, inputs: Any, *, state: Any = None, targets: Any = None, key: Any = None):
        """The outputs for other inputs, in the precision in which the read-out was found.

        Arguments:
            inputs: as in `fit_readout`.
            state: to begin with, such as `fitted.state` to go on; default the circuit's own. Of a
                circuit with one state variable it may be an array.
            targets: for circuits with feedback, what is fed back in place of their own outputs.
                Those of trials are not, unless they are given here: `targets=trials.targets`.
            key: for the noise of the circuit.

        Returns:
            (time, outputs), with an axis over series in front where there are several; a list of
            arrays for a list of series.
        """
        series = _fed(self.circuit, inputs, targets, self.dt)
        _, rates = _driven(self.circuit, series, state, key)
        if known(rates, self.weights):
            rates = np.asarray(rates, np.asarray(self.weights).dtype)
        outputs = rates @ self.weights.T + self.bias.reshape(*[1] * (rates.ndim - 1), -1)
        if isinstance(inputs, list | tuple):
            return [one[: len(given)] for one, given in zip(outputs, inputs, strict=True)]
        return outputs

    def update(
        self,
        inputs: Any,
        targets: Any = None,
        *,
        washout: int = 0,
        state: Any = None,
        key: Any = None,
    ) -> "FittedReadout":
        """Go on learning from where the series of the fit, or of the last update, ended.

        Parts of any lengths give the weights of one fit of all steps, by the methods that can go
        on: `RecursiveLeastSquares`, `LMS` (with one epoch) and `IncrementalRidge`. The first two
        do so inside of `jit` and `vmap` as well. Several series are learnt from one after the
        other in each part, which matters to `LMS` and with `forgetting`. A circuit with feedback is
        fed its own output in the first step of a part, in place of the last target.

        Arguments:
            inputs: as in `fit_readout`; as many series as there, unless `state` is given.
            targets: as in `fit_readout`.
            washout: steps at the beginning of each series that are not fitted.
            state: to begin with; default that of the trials, or the end of the series before. For
                series that begin anew, such as `fitted.circuit.init_state()`.
            key: for the noise of the circuit; another one for each part.

        Returns:
            The read-out after the new samples; this one stays as it is.

        Raises:
            ValueError: for another method, other numbers of outputs than in the fit, and as
                `fit_readout`.

        Example:
            >>> import jax.numpy as jnp, neurojax as nj
            >>> x = jnp.sin(0.3 * jnp.arange(301.0))[:, None]
            >>> reservoir = nj.circuits.EchoState(20, inputs=1)
            >>> rls = nj.fitting.RecursiveLeastSquares(1e-2)
            >>> fitted = nj.fitting.fit_readout(reservoir, x[:100], x[1:101], method=rls)
            >>> for first in range(100, 300, 50):
            ...     part = slice(first, first + 50)
            ...     fitted = fitted.update(x[part], x[1:][part])
            >>> once = nj.fitting.fit_readout(reservoir, x[:-1], x[1:], method=rls)
            >>> bool(jnp.allclose(fitted.weights, once.weights, atol=1e-3))
            True
        """
        series = _with_targets("update", inputs, targets, washout, self.dt)
        outputs = series.targets.shape[-1]
        if outputs != len(self.weights):
            raise ValueError(
                f"targets must have the {len(self.weights)} outputs of the fit, got {outputs}"
            )
        found = Solution(self.weights, self.bias, self.penalty, self.scores, self.solver, self.kept)
        solve = lambda *samples: self.method.update(found, *samples)
        state = self.state if state is None and series.initial is None else state
        return _fitted(self.circuit, series, self.method, solve, state, key)

    def generate(self, steps: Any, *, state: Any = None, key: Any = None):
        """The circuit on its own outputs from the end of the series on; see `generate`.

        After a fit of several series: from the end of each, with an axis over series in front.
        """
        return generate(self.circuit, self.state if state is None else state, steps,
                        dt=self.dt, key=key)  # fmt: skip


@final
class Driven(eqx.Module):
    """What `drive` gives.

    Arguments:
        rates: of the units at the end of each step, (time, n), with an axis over series in front
            where there are several; where a series of a list is over, they stay as they are.
        state: at the end of each series.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> run = nj.fitting.drive(nj.circuits.EchoState(10, inputs=1), jnp.ones((5, 1)))
        >>> bool((run.rates[-1] == run.state["h"]).all())
        True
    """

    rates: Any
    state: Any


def drive(
    circuit: Any,
    inputs: Any,
    *,
    targets: Any = None,
    state: Any = None,
    dt: float | None = None,
    key: Any = None,
) -> Driven:
    """The rates of a circuit for a series of inputs, compiled once for each length.

    As `nj.simulate` with the rates recorded, for one series or many at once and without its other
    abilities.

    Arguments:
        circuit: a reservoir, or any recurrent circuit.
        inputs: as in `fit_readout`.
        targets: for circuits with feedback, what is fed back in place of their own outputs. Those
            of trials are not, unless they are given here: `targets=trials.targets`.
        state: to begin with, such as that of an earlier run; default that of the trials, or the
            circuit's own. Of a circuit with one state variable it may be an array. With targets
            the first step is fed the circuit's own output of this state.
        dt: ms per step; default that of the trials, or 1.
        key: for the initial state and the noise of the circuit. A run that goes on needs another
            one: with the same its noise would repeat itself.

    Raises:
        ValueError: for shapes that do not fit, a `dt` that is not positive, `targets` of a circuit
            without feedback.
        TypeError: if `circuit` is no recurrent circuit.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> reservoir = nj.circuits.EchoState(10, inputs=2)
        >>> nj.fitting.drive(reservoir, jnp.ones((7, 30, 2))).rates.shape
        (7, 30, 10)
    """
    check_circuit(circuit)
    series = _fed(circuit, inputs, targets, dt)
    final, rates = _driven(circuit, series, state, key)
    return Driven(rates, final)


def fit_readout(
    circuit: Any,
    inputs: Any,
    targets: Any = None,
    *,
    method: AbstractReadoutMethod | None = None,
    washout: int = 0,
    state: Any = None,
    dt: float | None = None,
    key: Any = None,
) -> FittedReadout:
    """Fit the linear read-out of a circuit; nothing else of it changes.

    The circuit is driven by the inputs, all series at once. A circuit with feedback is fed the
    targets of the step before (teacher forcing); in the first step nothing, or with `state=` its
    own output there. So where one series is driven in two parts, the second begins with the output
    of the circuit in place of the last target of the first. Outside of transforms the read-out is
    found in double precision on the host, whatever the precision of the states; within `jit`,
    `vmap` and `grad` in the graph, in their precision. `.solver` says which it was.

    Arguments:
        circuit: a reservoir, or any recurrent circuit.
        inputs: (time, inputs), several series (series, time, inputs), a list of series of different
            lengths, or `nj.tasks.Trials` (whose mask is a weight of the samples).
        targets: as the inputs, with outputs in place of inputs.
        method: `Ridge(penalty)` (default, 1e-8), `RidgeGCV()`, `RidgeCV()`; for data in parts, by
            `FittedReadout.update`, `IncrementalRidge()`, `RecursiveLeastSquares()`, `LMS()`.
        washout: steps at the beginning of each series that are not fitted.
        state: to begin with, such as that of an earlier fit (of which nothing else is taken over);
            default that of the trials, or the circuit's own. Of a circuit with one state variable
            it may be an array.
        dt: ms per step; default that of the trials, or 1.
        key: for the initial state and the noise of the circuit.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, a circuit without the
            inputs that are given, a `dt` that is not positive.
        TypeError: if `circuit` is no recurrent circuit or `method` no read-out method.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> u = jax.random.uniform(jax.random.key(0), (500, 1))
        >>> reservoir = nj.circuits.EchoState(40, inputs=1, radius=0.8)
        >>> memory = jnp.roll(u, 3, axis=0)
        >>> fitted = nj.fitting.fit_readout(reservoir, u, memory, washout=20)
        >>> bool(fitted.nrmse < 0.2), fitted.predict(u).shape
        (True, (500, 1))
    """
    check_circuit(circuit)
    method = Ridge() if method is None else method
    if not isinstance(method, AbstractReadoutMethod):
        raise TypeError(f"method must be a read-out method such as Ridge(1e-6), got {method!r}")
    series = _with_targets("fit_readout", inputs, targets, washout, dt)
    if known(series.weights) and not np.any(series.weights):
        raise ValueError("no sample counts: the mask is 0 wherever the washout is over")
    return _fitted(circuit, series, method, method.solve, state, key)


def _with_targets(name, inputs, targets, washout, dt) -> Series:
    series = as_series(inputs, targets, washout=washout, dt=dt)
    if series.targets is None:
        raise ValueError(f"{name} needs targets")
    return series


def _fitted(circuit, series: Series, method, solve, state, key) -> FittedReadout:
    blank = with_outputs(circuit, series.targets.shape[-1])
    final, rates = _driven(circuit, series, state, key)  # with its own output in the first step
    kind = rates.dtype
    if (
        series.single
    ):  # an axis over series; of a NumPy array it is a view, JAX would copy all rates
        rates = (np.asarray(rates) if known(rates) else rates)[None]
    found = solve(rates, series.targets, series.weights)
    error = _nrmse(rates, series, found)
    where = lambda c: (c.output, c.output_bias)
    fitted = eqx.tree_at(where, blank, (jnp.asarray(found.weights, kind),
                                        jnp.asarray(found.bias, kind)))  # fmt: skip
    return FittedReadout(fitted, final, found.weights, found.bias, found.penalty, found.scores,
                         error, method, found.kept, series.dt, found.solver)  # fmt: skip


def generate(circuit: Any, state: Any, steps: Any, *, dt: float = 1.0, key: Any = None):
    """A circuit on its own outputs (closed loop): each is the input of the next step.

    A circuit without inputs goes on by its feedback and its recurrent weights alone, such as one
    that is loaded with patterns, under a conceptor.

    Arguments:
        circuit: with a fitted read-out, and as many outputs as inputs, or no inputs.
        state: to begin with, such as `fitted.state`; of several series with an axis in front. Of
            a circuit with one state variable it may be an array.
        steps: how many.
        dt: ms per step.
        key: for the noise of the circuit.

    Returns:
        Outputs (steps, outputs), with an axis over series in front where there are several. The
        first input is the output of `state`, so after a fit of the next value of a series the first
        output is the first value that the fit has not seen.

    Raises:
        ValueError: for a circuit whose outputs cannot be its inputs, no whole number of steps, a
            state of another shape, or a `dt` that is not positive.
        TypeError: if `circuit` is no recurrent circuit.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> x = jnp.sin(0.3 * jnp.arange(400.0))[:, None]
        >>> fitted = nj.fitting.fit_readout(nj.circuits.EchoState(50, inputs=1), x[:-1], x[1:])
        >>> bool(
        ...     jnp.abs(fitted.generate(20)[:, 0] - jnp.sin(0.3 * (400 + jnp.arange(20)))).max()
        ...     < 0.05
        ... )
        True
    """
    check_circuit(circuit)
    check_count("steps", steps)
    dt = checked_dt(dt)
    plain: Any = unwrap(circuit)
    inputs = channels(circuit)
    outputs = 0 if plain.output is None else plain.output.shape[0]
    if outputs == 0 or inputs not in (0, outputs):
        raise ValueError(
            "generate needs as many outputs as inputs, or outputs and no inputs; this circuit has "
            f"{inputs} inputs and {outputs} outputs"
        )
    if key is not None:
        check_key(key)
    state = as_state(circuit, state, dt)
    several = check_state(circuit, state, dt)
    return _generate(circuit, state, int(steps), dt, key, inputs > 0, several)


@eqx.filter_jit
def _generate(circuit, state, steps, dt, key, driven, several):
    circuit = ready(circuit, dt)
    one = lambda state, key: _alone(circuit, state, steps, dt, key, driven)
    if not several:
        return one(state, key)
    keys = None if key is None else jax.random.split(key, _count(state))
    return jax.vmap(one)(state, keys)


def _alone(circuit, state, steps, dt, key, driven):
    def step(carry, number):
        state, output = carry
        given = {"u": output} if driven else {}
        state, _ = circuit.step(state, given, Clock(number, dt, key))
        output = circuit.read_out(circuit.rates(state))
        return (state, output), output

    start = (state, circuit.read_out(circuit.rates(state)))
    return jax.lax.scan(step, start, jnp.arange(steps))[1]


def _fed(circuit: Any, inputs, targets, dt) -> Series:
    """The series without a fit: only targets that are given as such are fed back."""
    if targets is not None and getattr(circuit, "feedback", None) is None:
        raise ValueError(
            f"targets are fed back in place of outputs, but this {type(unwrap(circuit)).__name__} "
            "has no feedback: leave them out"
        )
    return as_series(inputs, targets, dt=dt, targets_of_trials=False)


def _driven(circuit: Any, series: Series, state, key):
    """Final states and rates (time, n), of several series with an axis over them in front."""
    check_inputs(circuit, series.inputs)
    if key is not None:
        check_key(key)
    kind = jnp.result_type(float)
    inputs = jnp.asarray(series.inputs, kind)
    targets = None
    if getattr(circuit, "feedback", None) is not None and series.targets is not None:
        if series.gaps:
            raise ValueError("targets of a circuit with feedback must be finite: they are fed back")
        targets = jnp.asarray(series.targets, kind)
    name = "state" if state is not None else "trials.initial"
    state = series.initial if state is None else state
    if state is not None:
        state = as_state(circuit, state, series.dt, name)
        several = check_state(circuit, state, series.dt, name)
        if several == series.single or (several and _count(state) != len(inputs)):
            theirs = f"{_count(state)} series" if several else "one series"
            ours = "one series" if series.single else f"{len(inputs)} series"
            raise ValueError(f"{name} is that of {theirs}, but the inputs are {ours}")
    rates, final = _run(circuit, inputs, targets, state, series.dt, key, series.single,
                        series.lengths)  # fmt: skip
    return final, rates


def as_state(circuit, state, dt: float, name: str = "state") -> Any:
    """A state as a dictionary; of a circuit with one leaf an array may be given.

    Raises:
        TypeError: if it is neither.
        ValueError: for other leaves, or an array where there are several.
    """
    if not (eqx.is_array_like(state) or isinstance(state, dict | list | tuple)):
        raise TypeError(
            f"{name} must be a dictionary, as that of an earlier run, or an array for a circuit "
            f"with one state variable, got {type(state).__name__}"
        )
    return like(unwrap(circuit), _own_state(circuit, dt), state, name)


def _own_state(circuit, dt: float) -> Any:
    return jax.eval_shape(lambda: ready(circuit, dt).init_state())


def check_state(circuit, state, dt: float, name: str = "state") -> bool:
    """Whether a state, of the leaves of the circuit, has an axis over series in front.

    Raises:
        ValueError: if a leaf is not finite or has another shape.
    """
    own = _own_state(circuit, dt)
    wanted, given = (
        dict(zip(leaf_names(t), jax.tree.leaves(t), strict=True)) for t in (own, state)
    )
    for leaf, value in given.items():
        if is_float(value):
            check_finite(f"{name}[{leaf!r}]", value)
    shapes = {leaf: (jnp.shape(given[leaf]), wanted[leaf].shape) for leaf in wanted}
    if all(found == own for found, own in shapes.values()):
        return False
    for leaf, (found, one) in shapes.items():
        if found[1:] != one or len(found) != len(one) + 1:
            raise ValueError(
                f"{name}[{leaf!r}] must have shape {one}, with an axis over series in front where "
                f"there are several, got {found}"
            )
    return True


def _count(state) -> int:
    return len(jax.tree.leaves(state)[0])


@eqx.filter_jit
def _run(circuit: Any, inputs, targets, state, dt, key, single, lengths):
    circuit = ready(circuit, dt)
    # small ones may be many at once by vmap, which cannot be seen here
    many = not single or circuit.n <= _MAY_BE_MANY
    if many and isinstance(circuit, EchoState) and eqx.is_array(circuit.recurrent):
        circuit = eqx.tree_at(lambda c: c.recurrent, circuit, Turned.of(circuit.recurrent))
    currents = None
    if targets is not None:
        first = jnp.zeros_like(targets[:, :1])
        if state is not None:  # that goes on has put out something already
            own = circuit.read_out(circuit.rates(state))
            first = own.reshape(first.shape)
        currents = current(circuit.feedback, jnp.concatenate([first, targets[:, :-1]], 1))
        circuit = eqx.tree_at(lambda c: c.feedback, circuit, None, is_leaf=lambda x: x is None)

    def one(inputs, state, key, currents, length=None):
        # the other states, which may be large, are not kept
        start = circuit.init_state(key=key) if state is None else state
        keep = circuit.rates
        final, rates = along(circuit, inputs, start, dt, key, currents, keep=keep, length=length)
        return rates, final

    if single:  # without an axis over series the product is that of one vector
        first = lambda x: None if x is None else x[0]
        return one(inputs[0], state, key, first(currents))
    keys = None if key is None else jax.random.split(key, len(inputs))
    # time lies first, as the scan leaves it: left to vmap, XLA would turn the rates in two passes
    rates, final = jax.vmap(one, out_axes=(1, 0))(inputs, state, keys, currents, lengths)
    return jnp.swapaxes(rates, 0, 1), final


def with_outputs(circuit, outputs: int) -> Any:
    """The circuit with a read-out of that many outputs, all zero."""
    plain: Any = unwrap(circuit)
    feedback = getattr(plain, "feedback", None)
    if feedback is not None and feedback.shape[1] != outputs:
        raise ValueError(
            f"the circuit feeds back {feedback.shape[1]} outputs, the targets have {outputs}"
        )
    where = lambda c: (c.output, c.output_bias)
    blank = (jnp.zeros((outputs, circuit.n)), jnp.zeros(outputs))
    return eqx.tree_at(where, circuit, blank, is_leaf=lambda x: x is None)


def _nrmse(rates, series: Series, found):
    if known(rates, series.targets, found.weights):
        kind = np.asarray(found.weights).dtype
        weights = np.asarray(series.weights, float)
        rates, targets = np.asarray(rates, kind), np.asarray(series.targets, kind)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(_error(np, rates, targets, weights, found))
        return float(error) if np.isfinite(error) else float("nan")
    return jnp.sqrt(_error(jnp, rates, series.targets, series.weights, found))


def _error(xp, rates, targets, weights, found):
    miss = rates @ xp.asarray(found.weights).T + found.bias[None, None] - targets
    total = xp.sum(weights)
    w = weights[..., None]
    mean = xp.sum(w * targets, (0, 1)) / total
    spread = xp.sum(w * (targets - mean[None, None]) ** 2) / total
    return xp.sum(w * miss**2) / total / spread
