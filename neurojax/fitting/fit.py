"""`fit`: a circuit fitted to recordings by gradient, with held-out scores and controls."""

import dataclasses
import functools
import hashlib
import math
import os
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from neurojax.connectomes import Connectome
from neurojax.core import Clock, Dynamics, unwrap
from neurojax.core.parameters import arrays_only
from neurojax.core.progress import ProgressBar
from neurojax.observations import AbstractObservation, Identity
from neurojax.recordings import Recording, Recordings

from . import parameters as which
from .batch import sessions
from .checkpoints import Checkpoints, as_arrays, from_arrays
from .controls import AbstractControl
from .estimator import Estimator
from .folds import neuron_folds
from .hold_outs import AbstractHoldOut, LaterTime, Split
from .imputation import reconstruct
from .normalisation import Normalisation
from .objectives import AbstractObjective, MaskedNeurons, TeacherForced, UserObjective
from .observers import AbstractObserver, Clamp
from .problem import Aligned, align
from .result import Fit, Job, Protocol
from .scores import Scores, imputation_scores, join
from .training import Recipe, advance, begin, held_out_loss, validate

_CALL = 25  # most gradient steps between two looks from the host


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Stop when a validation part, the end of the training part, no longer improves.

    The parameters with the least validation loss are kept. The test part plays no role.

    Arguments:
        fraction: of each training part that is set aside for validation.
        every: steps between looks.
        patience: looks without improvement before the fit stops.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.EarlyStopping(patience=3).every
        25
    """

    fraction: float = 0.15
    every: int = 25
    patience: int = 5

    def __post_init__(self):
        if not 0 < self.fraction < 1:
            raise ValueError(f"fraction must lie between 0 and 1, got {self.fraction}")
        if self.every < 1 or self.patience < 1:
            raise ValueError("every and patience must be at least 1")


def fit(
    circuit: Dynamics,
    recordings: Recording | Iterable[Recording],
    *,
    objective: AbstractObjective | Callable[[Any, Any, Any], Any] | None = None,
    observation: AbstractObservation | None = None,
    observer: AbstractObserver | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 500,
    batch: int = 32,
    hold_out: AbstractHoldOut | None = None,
    normalisation: Normalisation | None = Normalisation(),
    controls: Sequence[AbstractControl] = (),
    learning_rates: Mapping[str, float] | None = None,
    freeze: Iterable[str] = (),
    clip_gradients: float | None = None,
    early_stopping: EarlyStopping | None = None,
    seeds: int = 1,
    mesh: Any = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    resume: bool = False,
    progress: bool = True,
    key: Any,
) -> Fit:
    """Fit the parameters of a circuit to recordings of one or several animals, jointly.

    One circuit is shared by all animals. A neuron of the circuit that an animal has no trace of
    is latent there. Minibatches are windows of frames, uniform over animals and starts. A step
    whose loss or gradient is not finite is not taken; `fit.skipped` counts them.

    Arguments:
        circuit: the dynamics; `names` (if it has them) say which neuron is which.
        recordings: one or several.
        objective: `MaskedNeurons` (default), `TeacherForced`, or any function of
            (model, batch, key) that gives a scalar; see `Batch`. The model is the circuit, or the
            `Estimator` where an observation or observer is given.
        observation: how recorded values follow from the state; default `Identity()`.
        observer: how the estimator uses seen neurons; default `Clamp()`.
        optimizer: from optax; default Adam, 0.02 falling to 0 by a cosine.
        steps: gradient steps.
        batch: windows of a minibatch.
        hold_out: what is scored; default `LaterTime(0.6)`.
        normalisation: applied to the recordings, by their training part; `None` takes them as
            they are.
        controls: other circuits, fitted and scored alike: `Shuffled(2)`, `WithoutHomologues()`.
        learning_rates: factors on the updates by name of parameter, `{"tau": 0.1}`.
        freeze: names of parameters that stay as they are.
        clip_gradients: largest norm of a gradient.
        early_stopping: an `EarlyStopping`; default none.
        seeds: how many fits from different initial weights and batches, trained at once.
        mesh: a `jax.sharding.Mesh`; the windows of a batch are spread over its devices.
        checkpoint: folder for checkpoints.
        checkpoint_every: steps between checkpoints.
        resume: go on from the checkpoints; the result is that of an uninterrupted fit, bit for bit.
        progress: show a progress bar.
        key: a `jax.random.key`; everything random follows from it.

    Returns:
        A `Fit`.

    Raises:
        ValueError: for arguments out of range, recordings that are too short for the objective's
            windows, or checkpoints of another fit.
        UnknownNameError: for names of parameters that do not exist.

    Example:
        >>> import jax, neurojax as nj
        >>> worms = nj.recordings.load("dag2023")[:2]
        >>> wiring = nj.connectomes.cook2019().subset(worms[0].labels)
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
        >>> fit = nj.fit(circuit, worms, steps=2, progress=False, key=jax.random.key(1))
        >>> fit.losses.shape
        (2, 1)
    """
    started = time.perf_counter()
    _check(circuit, steps, batch, seeds, checkpoint_every, clip_gradients, mesh)
    Clock(0, 1.0, key)  # refuses what is no key
    _check_kinds(hold_out, normalisation, controls, observation, observer, early_stopping)
    freeze = (freeze,) if isinstance(freeze, str) else tuple(freeze)
    recordings = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not recordings:
        raise ValueError("recordings is empty; give at least one")
    hold_out = LaterTime() if hold_out is None else hold_out
    given = observation is not None or observer is not None
    objective = _as_objective(objective, given)
    truth = _aligned(circuit, recordings, normalisation, hold_out.train)
    data = truth if normalisation is None else truth.clipped(normalisation.clip)
    plan = _Plan(
        data, truth, hold_out, hold_out.splits(data, key), objective,
        _optimizer(optimizer, steps, clip_gradients), steps, batch, dict(learning_rates or {}),
        freeze, early_stopping, seeds, mesh, key, clip_gradients,
    )  # fmt: skip
    plan.check_windows()
    observation = Identity() if observation is None else observation
    observer = Clamp() if observer is None else observer
    jobs = []
    named = [("circuit", circuit)]
    for i, control in enumerate(controls):
        named += control.circuits(circuit, jax.random.fold_in(jax.random.fold_in(key, 3), i))
    for method, variant in named:
        estimator = Estimator(arrays_only(variant), observation, observer.bound(unwrap(variant)))
        jobs += [_Job(method, split, estimator, plan) for split in plan.splits]
    keeper = _Keeper(checkpoint, checkpoint_every, resume)
    finished = _run(jobs, plan, keeper, progress)
    settings = {
        "circuit": type(unwrap(circuit)).__name__, "objective": plan.objective,
        "observation": type(observation).__name__, "observer": type(observer).__name__,
        "hold_out": hold_out, "normalisation": normalisation, "controls": tuple(controls),
        "steps": steps, "batch": batch, "seeds": seeds, "freeze": plan.freeze,
        "early_stopping": early_stopping,
    }  # fmt: skip
    return _result(
        finished, named, plan, Recordings(recordings), settings, time.perf_counter() - started
    )


def _check(circuit, steps, batch, seeds, checkpoint_every, clip_gradients, mesh) -> None:
    if not isinstance(unwrap(circuit), Dynamics):
        raise TypeError(f"circuit must be a neurojax Dynamics, got {type(circuit).__name__}")
    numbers = {"steps": steps, "batch": batch, "seeds": seeds, "checkpoint_every": checkpoint_every}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    if clip_gradients is not None and not clip_gradients > 0:
        raise ValueError(f"clip_gradients must be positive, got {clip_gradients!r}")
    if mesh is not None and batch % mesh.size:
        raise ValueError(
            f"batch={batch} windows do not divide over the {mesh.size} devices of mesh"
        )


def _check_kinds(hold_out, normalisation, controls, observation, observer, early_stopping) -> None:
    """Names arguments that are of another kind, classes given instead of instances above all."""
    kinds: dict[str, tuple[Any, type, str]] = {
        "hold_out": (hold_out, AbstractHoldOut, "LaterTime()"),
        "normalisation": (normalisation, Normalisation, "Normalisation()"),
        "observation": (observation, AbstractObservation, "nj.observations.Identity()"),
        "observer": (observer, AbstractObserver, "EdgeObserver()"),
        "early_stopping": (early_stopping, EarlyStopping, "EarlyStopping()"),
    }
    for name, (value, kind, example) in kinds.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be an instance such as {example}, got {value!r}")
    listed = isinstance(controls, list | tuple)
    if not listed or not all(isinstance(c, AbstractControl) for c in controls):
        raise TypeError(
            f"controls must be a list of controls such as [Shuffled(2)], got {controls!r}"
        )


def _as_objective(objective, given: bool) -> AbstractObjective:
    if objective is None:
        return MaskedNeurons()  # pyright: ignore[reportCallIssue]
    if isinstance(objective, AbstractObjective):
        return objective
    if isinstance(objective, type) or not callable(objective):
        raise TypeError(
            "objective must be MaskedNeurons(...), TeacherForced(...) or a function of "
            f"(model, batch, key), got {objective!r}"
        )
    frames = getattr(objective, "frames", 41)
    return UserObjective(objective, frames=frames, whole=given)  # pyright: ignore[reportCallIssue]


@functools.lru_cache(maxsize=8)
def _default_optimizer(steps: int) -> optax.GradientTransformation:
    # one object per number of steps: a second fit does not compile again
    return optax.adam(optax.cosine_decay_schedule(0.02, steps))


@functools.lru_cache(maxsize=8)
def _clipped(optimizer: optax.GradientTransformation, norm: float):
    return optax.chain(optax.clip_by_global_norm(norm), optimizer)


def _optimizer(optimizer, steps: int, clip: float | None) -> optax.GradientTransformation:
    optimizer = _default_optimizer(steps) if optimizer is None else optimizer
    return optimizer if clip is None else _clipped(optimizer, float(clip))


def _aligned(circuit, recordings, normalisation, train: float) -> Aligned:
    names = getattr(unwrap(circuit), "names", None)
    if names is None:
        names = recordings[0].labels
        if any(r.labels != names for r in recordings):
            raise ValueError(
                f"{type(circuit).__name__} has no names, so all recordings must have the same "
                "labels in the order of its neurons"
            )
    if normalisation is not None:
        recordings = normalisation.apply(recordings, train)
    return align(recordings, names)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What all jobs of a fit share."""

    data: Aligned  # as the fit sees it
    truth: Aligned  # as it is scored
    hold_out: AbstractHoldOut
    splits: list[Split]
    objective: AbstractObjective
    optimizer: optax.GradientTransformation
    steps: int
    batch: int
    learning_rates: dict[str, float]
    freeze: tuple[str, ...]
    early_stopping: EarlyStopping | None
    seeds: int
    mesh: Any
    key: Any
    clip_gradients: float | None

    @functools.cached_property
    def first_test(self) -> np.ndarray:
        """The first scored frame of each animal."""
        train, _ = self.data.split(self.hold_out.train)
        return train.sum(axis=1)

    @functools.cached_property
    def first_validation(self) -> np.ndarray:
        """One past the last frame of each animal that batches are drawn from."""
        if self.early_stopping is None:
            return self.first_test
        return np.floor(self.first_test * (1 - self.early_stopping.fraction)).astype(int)

    def check_windows(self) -> None:
        """Every part must hold a window."""
        frames = self.objective.frames
        parts = {"training": self.first_validation}
        if self.early_stopping is not None:
            parts["validation"] = self.first_test - self.first_validation
        for part, lengths in parts.items():
            if lengths.min() < frames:
                animal = self.data.animals[int(lengths.argmin())]
                raise ValueError(
                    f"the {part} part of {animal!r} has {lengths.min()} frames, fewer than the "
                    f"{frames} of one window; take a shorter window or longer recordings"
                )

    def seed_keys(self):
        """One key per seed for batches and masks, the same for circuit and controls."""
        return jax.vmap(lambda i: jax.random.fold_in(self.key, 100 + i))(jnp.arange(self.seeds))


def _described(objective: AbstractObjective) -> str:
    """An objective in words that are the same in another process."""
    if isinstance(objective, UserObjective):
        name = getattr(objective.function, "__qualname__", type(objective.function).__name__)
        return f"{name} on {objective.frames} frames"
    return repr(objective)


class _Job:
    """One fit: one circuit on one split."""

    def __init__(self, method: str, split: Split, estimator: Estimator, plan: _Plan):
        self.name = f"{method}, {split.name}"
        self.method, self.split, self.plan, self.estimator = method, split, plan, estimator
        trainable, static = which.split(estimator, plan.freeze)
        self.recipe = Recipe(
            static, plan.objective, plan.optimizer, which.rates(trainable, plan.learning_rates),
            plan.batch, plan.mesh,
        )  # fmt: skip
        self.initial = self._stacked(estimator)
        everything = np.zeros(len(plan.data.animals), int)
        cut = lambda lo, hi: sessions(plan.data, list(split.train), lo, hi, split.shown)
        self.training = cut(everything, plan.first_validation)
        self.validation = cut(plan.first_validation, plan.first_test)
        self.test = sessions(
            plan.data, list(split.test), plan.first_test, plan.data.lengths,
            np.ones_like(split.shown),
        )  # fmt: skip
        self.keys = plan.seed_keys()
        self.losses = np.zeros((0, plan.seeds), jnp.result_type(float))
        self.state = begin(self.recipe, self.initial)
        self.stopped = False

    def _stacked(self, estimator: Estimator):
        """Initial parameters (seed, ...): the circuit as given, then freshly drawn ones."""
        starts = []
        for seed in range(self.plan.seeds):
            again = getattr(estimator.circuit, "reinitialised", None)
            if seed and again is not None:
                key = jax.random.fold_in(self.plan.key, 200 + seed)
                fresh = Estimator(again(key), estimator.observation, estimator.observer)
            else:
                fresh = estimator
            starts.append(which.split(fresh, self.plan.freeze)[0])
        return jax.tree.map(lambda *x: jnp.stack(x), *starts)

    @property
    def done(self) -> int:
        return len(self.losses)

    @property
    def finished(self) -> bool:
        return self.stopped or self.done >= self.plan.steps

    def signature(self) -> dict[str, Any]:
        """What a checkpoint must agree on."""
        plan = self.plan
        digest = hashlib.sha256(np.ascontiguousarray(plan.data.values).tobytes())
        digest.update(np.ascontiguousarray(plan.data.mask).tobytes())
        start = hashlib.sha256()
        for leaf in jax.tree.leaves(self.initial):
            start.update(np.ascontiguousarray(leaf).tobytes())
        return {
            "job": self.name,
            "steps": plan.steps,
            "batch": plan.batch,
            "seeds": plan.seeds,
            "objective": _described(plan.objective),
            "observation": type(self.estimator.observation).__name__,
            "observer": type(self.estimator.observer).__name__,
            "freeze": sorted(plan.freeze),
            "learning_rates": dict(sorted(plan.learning_rates.items())),
            "clip_gradients": plan.clip_gradients,
            "early_stopping": repr(plan.early_stopping),
            "optimizer state": str(jax.tree.map(jnp.shape, self.state.optimizer)),
            "key": np.asarray(jax.random.key_data(plan.key)).tolist(),
            "recordings": digest.hexdigest(),
            "initial parameters": start.hexdigest(),
        }

    def advance(self, most: int) -> float:
        """Up to `most` steps; the mean of their losses over steps and seeds."""
        steps = min(most, _CALL, self.plan.steps - self.done)
        self.state, losses = advance(
            self.recipe, self.state, self.training, self.keys, jnp.asarray(steps), _CALL
        )
        new = np.asarray(losses)[:steps]
        self.losses = np.concatenate([self.losses, new])
        stopping = self.plan.early_stopping
        if stopping is not None and (self.done % stopping.every == 0 or self.finished):
            self.state = validate(self.recipe, self.state, self.validation, self.plan.key)
            waited = self.done - np.asarray(self.state.best_step)
            self.stopped = bool(np.all(waited >= stopping.patience * stopping.every))
        return float(np.nanmean(new)) if np.isfinite(new).any() else math.nan

    def boundary(self, checkpoint_every: int | None) -> int:
        """Steps until the next event on the host."""
        events = [_CALL]
        if self.plan.early_stopping is not None:
            events.append(self.plan.early_stopping.every)
        if checkpoint_every is not None:
            events.append(checkpoint_every)
        return min(e - self.done % e for e in events)

    def pack(self) -> dict[str, np.ndarray]:
        """All that a resumed fit needs."""
        losses = np.full((self.plan.steps, self.plan.seeds), np.nan, self.losses.dtype)
        losses[: self.done] = self.losses
        flags = np.array([self.done, self.stopped])
        return {**as_arrays(self.state), "losses": losses, "flags": flags}

    def unpack(self, arrays: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        arrays = dict(arrays)
        done, stopped = np.asarray(arrays.pop("flags"))
        self.losses = np.asarray(arrays.pop("losses"))[: int(done)]
        self.stopped = bool(stopped)
        self.state = from_arrays(arrays, self.state)

    def estimators(self) -> list[Estimator]:
        """The fitted estimator of every seed."""
        best = self.state.best if self.plan.early_stopping is not None else self.state.parameters
        pick = lambda i: jax.tree.map(lambda x: x[i], best)
        return [self.recipe.estimator(pick(i)) for i in range(self.plan.seeds)]

    def result(self) -> Job:
        """What the fit gave, scored."""
        estimators = self.estimators()
        held_out = []
        for estimator in estimators if self.test_fits() else []:
            parameters, _ = which.split(estimator, self.plan.freeze)
            held_out.append(held_out_loss(self.recipe, parameters, self.test, self.plan.key))
        return Job(
            self.method, self.split, estimators, self.losses, np.asarray(self.state.skipped),
            np.asarray(held_out), scores(estimators, self.split, self.plan, self.method),
        )  # fmt: skip

    def test_fits(self) -> bool:
        """Whether the scored part holds a window of the objective."""
        left = self.plan.data.lengths - self.plan.first_test
        return bool(left[list(self.split.test)].min() >= self.plan.objective.frames)


def scores(estimators, split: Split, plan: _Plan, name: str) -> list[Scores]:
    """Imputation scores of every seed, or none where the objective is the user's own."""
    if not isinstance(plan.objective, MaskedNeurons | TeacherForced):
        return []
    protocol = protocol_of(plan)
    if protocol is None:
        return []
    folds = protocol.folds_of(split)
    found = []
    for estimator in estimators:
        guess = reconstruct(estimator, plan.data, folds, plan.first_test, ~split.shown)
        found.append(imputation_scores(guess, plan.truth, folds, protocol.test, name))
    return found


def protocol_of(plan: _Plan) -> Protocol | None:
    """How hidden neurons are chosen and scored; `None` if there are too few to hide any."""
    fewest = int(plan.data.labelled.sum(axis=1).min())
    if fewest < 2:
        return None
    train, test = plan.data.split(plan.hold_out.train)
    folds = neuron_folds(
        plan.data.labelled, min(5, fewest), key=jax.random.fold_in(plan.key, 11), repeats=2
    )
    return Protocol(plan.data, plan.truth, folds, train, test)


class _Keeper:
    """Checkpoints of all jobs below one folder."""

    def __init__(self, folder, every: int, resume: bool):
        self.folder = None if folder is None else Path(folder)
        self.every, self.resume = every, resume
        if self.folder is None and resume:
            raise ValueError("resume=True needs checkpoint=, the folder to go on from")

    def open(self, job: _Job) -> Checkpoints | None:
        """The checkpoints of a job, which goes on from the newest."""
        if self.folder is None:
            return None
        tag = f"{zlib.crc32(job.name.encode()):08x}"
        words = "".join(c if c.isalnum() else "-" for c in job.name)
        kept = Checkpoints(self.folder / f"{words}-{tag}", job.signature(), self.resume)
        arrays = kept.latest(job.pack())
        if arrays is not None:
            job.unpack(arrays)
        return kept


def _run(jobs: list[_Job], plan: _Plan, keeper: _Keeper, progress: bool) -> list[Job]:
    """Train and score all jobs, two at a time on a processor with two cores or more."""
    bar = ProgressBar(len(jobs) * plan.steps, "fit") if progress else None
    lock, first, compiled = threading.Lock(), threading.Lock(), threading.Event()
    stop = threading.Event()
    double = bool(jax.config.jax_enable_x64)  # may hold in the calling thread alone

    def one(job: _Job) -> Job:
        with jax.enable_x64(double):
            return train(job)

    def train(job: _Job) -> Job:
        kept = keeper.open(job)
        if bar is not None and job.done:
            with lock:
                bar.advance(job.done)
        every = None if kept is None else keeper.every
        while not job.finished:
            if stop.is_set():
                raise RuntimeError("stopped, because another fit failed or Ctrl-C was pressed")
            before = job.done
            if compiled.is_set():
                loss = job.advance(job.boundary(every))
            else:
                with first:  # let one thread compile, the others find the program
                    loss = job.advance(job.boundary(every))
                    compiled.set()
            if bar is not None:
                with lock:
                    bar.advance(job.done - before, f"loss {loss:.4f}  {job.name}")
            if kept is not None and (job.done % keeper.every == 0 or job.finished):
                kept.save(job.done, job.pack())
        skipped = int(np.asarray(job.state.skipped).sum())
        if skipped:
            warnings.warn(
                f"{skipped} of {job.done * plan.seeds} steps of the fit {job.name!r} were not "
                "taken because the loss or its gradient was not finite; see fit.skipped. A "
                "smaller learning rate or clip_gradients= may help",
                stacklevel=2,
            )
        if bar is not None and job.done < plan.steps:
            with lock:
                bar.advance(plan.steps - job.done)
        if kept is not None:
            kept.close()
        return job.result()

    workers = min(2, len(jobs), os.cpu_count() or 1)
    if plan.mesh is not None or jax.default_backend() != "cpu":
        workers = 1
    try:
        if workers == 1:
            return [one(job) for job in jobs]
        with ThreadPoolExecutor(workers) as pool:
            try:
                return list(pool.map(one, jobs))
            except BaseException:  # Ctrl-C too: the threads end with the steps that they are at
                stop.set()
                raise
    finally:
        if bar is not None:
            bar.close()


def _result(
    finished: list[Job], named, plan: _Plan, recordings: Recordings, settings, seconds: float
) -> Fit:
    """Put the jobs of each circuit together."""
    rows: dict[str, dict[str, list[Scores]]] = {}
    for method, _ in named:
        own = [job for job in finished if job.method == method]
        if own[0].scores:
            rows.setdefault(own[0].split.name, {})[method] = own[0].scores
        left_out = [job.scores for job in own[1:] if job.scores]
        if left_out:
            by_seed = [join(list(parts), method) for parts in zip(*left_out, strict=True)]
            rows.setdefault("left-out animal", {})[method] = by_seed
    main = finished[0]
    graph: Any = getattr(unwrap(named[0][1]), "connectome", None)
    wiring: Connectome | None = None if graph is None else graph()
    controls = [
        c.connectome()
        for n, c in named[1:]
        if n.startswith("shuffled") and hasattr(c, "connectome")
    ]
    return Fit(
        jobs=finished, rows=rows, protocol=protocol_of(plan), wiring=wiring,
        shuffled=controls, seconds=seconds, best_seed=_best_seed(main), first_test=plan.first_test,
        recordings=recordings, settings=settings,
    )  # fmt: skip


def _best_seed(job: Job) -> int:
    """The seed with the least mean loss over the last tenth of the steps: no test data involved."""
    tail = job.losses[-max(1, len(job.losses) // 10) :]
    means = np.where(np.isfinite(tail).any(axis=0), np.nanmean(tail, axis=0), np.inf)
    return int(np.argmin(means))
