"""`train`: a recurrent circuit, trials, and a rule."""

import warnings
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_count
from neurojax.core.parameters import arrays_only
from neurojax.core.progress import ProgressBar
from neurojax.tasks import Task, Trials

from .checkpoints import Checkpoints, as_arrays, from_arrays
from .gaps import without_gaps
from .rules.rule import AbstractRule, check_fit

_CHUNK = 50  # updates in one compiled call at most


class Trained(eqx.Module):
    """What `train` gives back.

    Arguments:
        circuit: the trained circuit.
        losses: the loss of each update's batch before it, (steps,).
        rule_state: the state of the rule, such as the moments of an optimiser.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> circuit = nj.circuits.LeakyRNN(5, inputs=1, outputs=1)
        >>> rule = nj.fitting.rules.BPTT(optax.sgd(0.1))
        >>> trained = nj.train(circuit, task, rule=rule, steps=1, batch=2, progress=False)
        >>> trained.circuit.n, trained.losses.shape
        (5, (1,))
    """

    circuit: Any
    losses: np.ndarray
    rule_state: Any


def train(
    circuit: Any,
    task: Any,
    *,
    rule: Any,
    steps: int,
    batch: int | None = None,
    key: Any = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: int = 500,
    progress: bool = True,
) -> Trained:
    """Train a recurrent circuit to do a task, to follow recorded units, or both.

    The same circuit is trained by any rule: `BPTT` (gradient), `FORCE`, `FullFORCE` and the
    others of `nj.fitting.rules`. The batch of update k is a function of the key and of k alone, so
    a training that was interrupted and resumed gives what an uninterrupted one gives, bit for bit.

    Arguments:
        circuit: such as `nj.circuits.RateRNN`, with the inputs and outputs of the task.
        task: a task of `nj.tasks`, which draws new trials for each update; or a fixed set of
            `Trials`, of which each update sees `batch` at random (all of them without `batch`).
        rule: how an update changes the circuit.
        steps: number of updates.
        batch: trials in an update; default 64 for a task.
        key: for trials, noise and the state of the rule; default key 0.
        checkpoint: a folder for checkpoints, written while the training goes on.
        resume: go on from the checkpoints in that folder, also to more `steps` than before.
        checkpoint_every: updates between two checkpoints.
        progress: show a progress bar.

    Returns:
        A `Trained` with the circuit and the losses.

    Raises:
        TypeError: for a circuit, task or rule of another kind.
        ValueError: if circuit and trials do not fit, a count is not positive, or the checkpoints
            belong to another training.
        FileExistsError: if the folder holds checkpoints and `resume` is false.

    Example:
        >>> import jax, optax, neurojax as nj
        >>> task = nj.tasks.PerceptualDecision()
        >>> circuit = nj.circuits.RateRNN(
        ...     20, inputs=task.inputs, outputs=task.outputs, tau=50.0, key=jax.random.key(0)
        ... )
        >>> rule = nj.fitting.rules.BPTT(optax.adam(1e-2))
        >>> trained = nj.train(circuit, task, rule=rule, steps=3, batch=8, progress=False)
        >>> trained.losses.shape
        (3,)
    """
    if not isinstance(rule, AbstractRule):
        raise TypeError(
            "rule must be one of nj.fitting.rules, for example BPTT(optax.adam(1e-3)), got "
            f"{rule!r}"
        )
    for name, value in (("steps", steps), ("checkpoint_every", checkpoint_every)):
        check_count(name, value)
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=, the folder to go on from")
    key = own_or_first(key)
    source = _source(task, batch)
    circuit = arrays_only(circuit)
    shown = source.draw(jax.random.fold_in(key, 0))
    check_fit(circuit, shown)
    if shown.activity is not None and not rule.follows_recorded:
        warnings.warn(
            f"{type(rule).__name__} learns from the targets alone: the recorded activity of the "
            "trials is not used. FullFORCE, BPTT and the other gradient rules follow it too",
            stacklevel=2,
        )
    state = rule.init(circuit, shown, jax.random.fold_in(key, 1))
    moving, static = eqx.partition((circuit, state), eqx.is_array)
    losses, done = np.zeros(steps), 0
    keeper = None
    if checkpoint is not None:
        keeper = Checkpoints(checkpoint, _signature(circuit, rule, source, key), resume)
        found = keeper.latest(_saved(moving, losses, done))
        if found is not None:
            done, before = int(found.pop("done")), np.asarray(found.pop("losses"))
            if done > steps:
                raise ValueError(
                    f"steps={steps} is less than the {done} updates that are done in "
                    f"checkpoint={str(checkpoint)!r}: give more, or name another folder"
                )
            losses[:done] = before[:done]
            moving = from_arrays(found, moving)
    bar = ProgressBar(steps, "train") if progress else None
    try:
        if bar is not None and done:
            bar.advance(done)
        draws = jax.random.fold_in(key, 2)
        while done < steps:
            count = min(_CHUNK, steps - done, checkpoint_every - done % checkpoint_every)
            first = jnp.asarray(done)  # a number would compile anew for each chunk
            moving, found = _advance(rule, moving, static, source, draws, first, count)
            losses[done : done + count] = np.asarray(found)[:count]
            done += count
            if keeper is not None and (done % checkpoint_every == 0 or done == steps):
                keeper.save(done, _saved(moving, losses, done))
            if bar is not None:
                bar.advance(count, f"loss {losses[done - 1]:.4g}")
    finally:
        if bar is not None:
            bar.close()
        if keeper is not None:
            keeper.close()
    circuit, state = eqx.combine(moving, static)
    return Trained(circuit, losses, state)


class _Drawn(eqx.Module):
    """New trials of a task for each update."""

    task: Task
    batch: int = eqx.field(static=True)

    def draw(self, key) -> Trials:
        """A batch."""
        return self.task.trials(key, self.batch)


class _Fixed(eqx.Module):
    """A fixed set of trials, all of them or some at random in each update."""

    trials: Trials
    batch: int | None = eqx.field(static=True)

    def draw(self, key) -> Trials:
        """A batch."""
        if self.batch is None:
            return self.trials
        return self.trials[jax.random.permutation(key, len(self.trials))[: self.batch]]


def _source(task, batch):
    if batch is not None:
        check_count("batch", batch)
    if isinstance(task, Task):
        return _Drawn(arrays_only(task), 64 if batch is None else int(batch))
    if not isinstance(task, Trials):
        raise TypeError(f"task must be a task of nj.tasks or Trials, got {task!r}")
    if len(task.batch) != 1:
        raise ValueError(
            f"trials must have one leading axis, got {task.batch}; one trial is trials[None] "
            "of its arrays"
        )
    if batch is not None and batch > len(task):
        raise ValueError(f"batch={batch} is more than the {len(task)} trials that there are")
    return _Fixed(_filled(task), batch)


def _filled(trials: Trials) -> Trials:
    """Nothing that counts is NaN, and nothing else is."""
    values: Any = without_gaps("inputs", trials.inputs, 1.0)
    values = values, without_gaps("targets", trials.targets, trials.mask[..., None])
    where: Any = lambda t: (t.inputs, t.targets)
    if trials.activity is not None:
        values = *values, without_gaps("activity", trials.activity, trials.activity_mask)
        where = lambda t: (t.inputs, t.targets, t.activity)
    return eqx.tree_at(where, trials, values)


@eqx.filter_jit
def _advance(rule, moving, static, source, key, first, most: int):
    """`most` updates; each draws its batch by its own number."""

    def one(moving, number):
        trials, noise = jax.random.split(jax.random.fold_in(key, number))
        circuit, state = eqx.combine(moving, static)
        circuit, state, loss = rule.update(circuit, state, source.draw(trials), noise)
        return eqx.filter((circuit, state), eqx.is_array), loss

    return jax.lax.scan(one, moving, first + jnp.arange(most))


def _saved(moving, losses, done) -> dict[str, np.ndarray]:
    return as_arrays(moving) | {"losses": losses, "done": np.asarray(done)}


def _signature(circuit, rule, source, key) -> dict[str, Any]:
    shapes = [str(x.shape) for x in jax.tree.leaves(eqx.filter(circuit, eqx.is_array))]
    lines = lambda tree: eqx.tree_pformat(tree, width=100).splitlines()
    return {
        "circuit": type(circuit).__name__,
        "shapes": shapes,
        "rule": type(rule).__name__,
        "what the circuit is": lines(circuit),
        "how the rule learns": lines(rule),
        "what is learnt": lines(source),
        "task": type(getattr(source, "task", source.draw)).__name__,
        "batch": source.batch,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
    }
