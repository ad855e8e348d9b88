"""Hyper-parameters of a model by gradient, or by a search that needs none."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import paramax
from jaxtyping import Array, Float

from neurojax.core import NonFiniteError, unwrap
from neurojax.core.parameter_checks import check_count
from neurojax.core.progress import ProgressBar
from neurojax.core.threads import one_blas_thread

from ._optimizers import check_optimizer


@final
class Tuned(eqx.Module):
    """What `tune` found.

    Arguments:
        model: of the smallest loss.
        loss: of it.
        losses: before each step, (steps,).

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.Tuned(model=None, loss=0.0, losses=np.zeros(3)).losses.shape
        (3,)
    """

    model: Any
    loss: Any
    losses: Float[Array, " steps"] | Float[np.ndarray, " steps"]


def tune(
    loss: Callable,
    model: Any,
    *,
    steps: int = 100,
    optimizer: optax.GradientTransformation | None = None,
    progress: bool = False,
) -> Tuned:
    """Minimise a function of a model by the gradient of what in it is trainable.

    For a reservoir these are the numbers declared so, such as `radius=nj.positive(0.9)` or
    `leak=nj.bounded(0.5, 0.0, 1.0)`; the loss is an error on later data of a read-out that is
    fitted within it.

    Arguments:
        loss: pure function of the model, which has its numbers as they are (unwrapped), a number.
        model: to begin with; parameters keep their bounds.
        steps: of the optimizer.
        optimizer: default `optax.adam(0.05)`.
        progress: show a progress bar.

    Raises:
        ValueError: if the model has nothing to train, steps are not positive, or the loss is no
            single number.
        TypeError: for an optimizer that needs more than gradients, such as `optax.lbfgs`.
        NonFiniteError: if the loss is not finite at the start.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> u = (
        ...     jnp.sin(0.7 * jnp.arange(300.0))[:, None]
        ...     * jnp.sin(0.11 * jnp.arange(300.0))[:, None]
        ... )
        >>> reservoir = nj.circuits.EchoState(20, inputs=1, radius=nj.positive(0.2))
        >>> def error(reservoir):
        ...     fitted = nj.fitting.fit_readout(
        ...         reservoir, u[:200], jnp.roll(u, 4, 0)[:200], method=nj.fitting.Ridge(1e-4)
        ...     )
        ...     return jnp.mean((fitted.predict(u[200:]) - jnp.roll(u, 4, 0)[200:]) ** 2)
        >>> tuned = nj.fitting.tune(error, reservoir, steps=5)
        >>> bool(tuned.loss <= tuned.losses[0])
        True
    """
    check_count("steps", steps)
    optimizer = optax.adam(0.05) if optimizer is None else optimizer
    check_optimizer(optimizer)
    is_frozen = lambda x: isinstance(x, paramax.NonTrainable)
    free, rest = eqx.partition(model, eqx.is_inexact_array, is_leaf=is_frozen)
    if not jax.tree.leaves(free):
        raise ValueError(
            "the model has nothing to train: declare parameters by nj.positive(...) or "
            "nj.bounded(...)"
        )

    def value(free, rest):
        found = loss(unwrap(eqx.combine(free, rest)))
        if jnp.shape(found) != ():
            raise ValueError(f"loss must give one number, got shape {jnp.shape(found)}")
        return found

    @eqx.filter_jit
    def step(free, rest, state):
        now, slope = eqx.filter_value_and_grad(value)(free, rest)
        change, state = optimizer.update(slope, state, free)
        return now, eqx.apply_updates(free, change), state

    state, losses, best = optimizer.init(free), [], (np.inf, free)
    try:
        jax.eval_shape(optimizer.update, free, state, free)
    except TypeError as error:
        if "keyword-only" not in str(error):
            raise
        raise TypeError(
            "optimizer must need nothing but gradients, such as optax.adam(0.05), got one that "
            f"searches along a line or follows the loss: {error}"
        ) from error
    bar = ProgressBar(steps, "tune") if progress else None
    for i in range(steps):
        with one_blas_thread():
            now, moved, state = jax.block_until_ready(step(free, rest, state))
        losses.append(float(now))
        if i == 0 and not np.isfinite(losses[0]):
            raise NonFiniteError(f"the loss of the model that was given is {losses[0]}")
        if losses[-1] < best[0]:
            best = (losses[-1], free)
        if not np.isfinite(losses[-1]):
            break  # there is no way back from here; what was best before is kept
        free = moved
        if bar:
            bar.advance(1, f"loss {losses[-1]:.4g}")
    if bar:
        bar.close()
    return Tuned(eqx.combine(best[1], rest), best[0], np.asarray(losses))


def search(
    loss: Callable,
    space: Mapping[str, tuple],
    *,
    trials: int = 50,
    seed: int = 0,
    sampler: Any = None,
    progress: bool = False,
) -> Any:
    """Minimise a function of named numbers by optuna, without gradients.

    Arguments:
        loss: of keyword arguments named as in `space`; compile it once by `jax.jit`.
        space: by name `(low, high)`, `(low, high, "log")`, or a list of choices. Where both bounds
            are of the type int, only whole numbers are tried: `(0.0, 2.0)` for those between.
        trials: evaluations of the loss.
        seed: of the default sampler (TPE).
        sampler: another of optuna's samplers.
        progress: show optuna's progress bar.

    Returns:
        The `optuna.Study`: `.best_params`, `.best_value`, `.trials_dataframe()`.

    Raises:
        ImportError: without optuna (`pip install 'neurojax-dynamics[search]'`).
        ValueError: for a range that is not one, or trials that are no positive whole number.

    Warns:
        UserWarning: if the loss was not finite in any trial, so that there is no best one.

    Example:
        >>> study = search(lambda x: (x - 1.0) ** 2, {"x": (0.0, 3.0)}, trials=20)  # doctest: +SKIP
        >>> round(study.best_params["x"], 1)  # doctest: +SKIP
        1.0
    """
    check_count("trials", trials)
    for name, bounds in space.items():
        _check_range(name, bounds)
    try:
        import optuna
    except ImportError as error:
        raise ImportError("search needs optuna: pip install 'neurojax-dynamics[search]'") from error
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed) if sampler is None else sampler
    study = optuna.create_study(sampler=sampler)

    def objective(trial):
        given = {name: _suggested(trial, name, bounds) for name, bounds in space.items()}
        value = float(loss(**given))
        if not np.isfinite(value):
            raise optuna.TrialPruned(f"the loss is {value}")
        return value

    try:
        study.optimize(objective, n_trials=trials, show_progress_bar=progress)
    finally:
        optuna.logging.set_verbosity(verbosity)
    if not any(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials):
        warnings.warn(
            f"the loss was not finite in any of the {trials} trials, so that there is no best one: "
            "look at it at some point of the space",
            stacklevel=2,
        )
    return study


def _check_range(name, bounds) -> None:
    if isinstance(bounds, list):
        fine = bool(bounds)
    elif not isinstance(bounds, tuple) or not all(
        isinstance(x, int | float | np.number) and np.isfinite(x) for x in bounds[:2]
    ):
        fine = False
    elif len(bounds) == 3:
        fine = 0 < bounds[0] < bounds[1] and bounds[2] == "log"
    else:
        fine = len(bounds) == 2 and bounds[0] < bounds[1]
    if fine:
        return
    raise ValueError(
        f"space[{name!r}] must be finite (low, high), (low, high, 'log') with low > 0, or a list "
        f"of choices, got {bounds!r}"
    )


def _suggested(trial, name, bounds):
    if isinstance(bounds, list):
        return trial.suggest_categorical(name, bounds)
    low, high = bounds[:2]
    if all(isinstance(x, int | np.integer) for x in (low, high)):
        return trial.suggest_int(name, low, high, log=len(bounds) == 3)
    return trial.suggest_float(name, low, high, log=len(bounds) == 3)
