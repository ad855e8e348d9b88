"""How well hidden neurons were reconstructed: correlation, R², squared error, and their spread."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from neurojax.fitting.folds import Folds
from neurojax.fitting.problem import Aligned

# A trace whose variance is this small a part of its mean square is a constant with rounding errors.
_CONSTANT = 1e-12


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Scores of one method, one entry for each time that a neuron was hidden.

    Means are taken over the neurons of an animal first and over animals then, so that an animal
    with many labelled neurons counts no more than another.

    Arguments:
        name: of the method, as tables show it.
        animals: names of the animals.
        animal: number of the animal, shape (hidden,).
        neuron: number of the neuron that was hidden, shape (hidden,).
        r: Pearson correlation of prediction and truth over the scored frames.
        r2: 1 - squared error / variance of the truth; `NaN` where the truth does not vary.
        mse: mean squared error.

    Example:
        >>> import numpy as np
        >>> at, r = np.array([0, 0, 1]), np.array([0.2, 0.4, 0.5])
        >>> Scores("circuit", ("a", "b"), at, np.array([4, 7, 4]), r, r**2, 1 - r).r_by_animal
        array([0.3, 0.5])
    """

    name: str
    animals: tuple[str, ...]
    animal: Int[np.ndarray, " hidden"]
    neuron: Int[np.ndarray, " hidden"]
    r: Float[np.ndarray, " hidden"]
    r2: Float[np.ndarray, " hidden"]
    mse: Float[np.ndarray, " hidden"]

    @property
    def r_by_animal(self) -> Float[np.ndarray, " animal"]:
        """Mean correlation over the hidden neurons of each animal, `NaN` where there are none."""
        return self._by_animal(np.mean, self.r)

    @property
    def r2_by_animal(self) -> Float[np.ndarray, " animal"]:
        """Median R² over the hidden neurons of each animal (a few drifting ones rule the mean)."""
        return self._by_animal(np.median, self.r2)

    @property
    def mse_by_animal(self) -> Float[np.ndarray, " animal"]:
        """Mean squared error over the hidden neurons of each animal."""
        return self._by_animal(np.mean, self.mse)

    @property
    def mean(self) -> float:
        """The headline: mean correlation over neurons, then animals."""
        return _mean(self.r_by_animal)

    @property
    def sd(self) -> float:
        """Standard deviation (ddof 1) of the mean correlation over animals; `NaN` for one."""
        r = self.r_by_animal[np.isfinite(self.r_by_animal)]
        return float(r.std(ddof=1)) if len(r) > 1 else float("nan")

    def above(self, other: "Scores") -> Float[np.ndarray, " animal"]:
        """How much higher the mean correlation is than that of `other`, animal by animal.

        Raises:
            ValueError: the animals differ.
        """
        if other.animals != self.animals:
            raise ValueError(
                f"other scores other animals: {other.animals}, but these are {self.animals}"
            )
        return self.r_by_animal - other.r_by_animal

    def interval(
        self, rng: np.random.Generator, level: float = 0.95, draws: int = 10_000
    ) -> tuple[float, float]:
        """Percentile bootstrap over animals of the mean correlation; see `bootstrap_interval`."""
        return bootstrap_interval(self.r_by_animal, rng, level, draws)

    def __str__(self) -> str:
        return table([self])

    def __repr__(self) -> str:
        return f"Scores({self.name!r}, r {self.mean:.3f} over {len(self.animals)} animals)"

    def _by_animal(self, summary, values):
        parts = [values[self.animal == a] for a in range(len(self.animals))]
        parts = [part[np.isfinite(part)] for part in parts]
        return np.array([summary(part) if len(part) else np.nan for part in parts])


def imputation_scores(
    predicted: Float[np.ndarray, "_fold _time _neuron"],
    aligned: Aligned,
    folds: Folds,
    test: Bool[np.ndarray, "_animal _time"],
    name: str = "",
) -> Scores:
    """Compare reconstructed hidden neurons with what was recorded.

    Only frames in `test` at which the sample is there count. A neuron that is there in fewer than
    two of them is left out.

    Arguments:
        predicted: what a method made of each fold, at the frames of its animal; read only where
            the fold hides a neuron, and `NaN` is allowed elsewhere.
        aligned: the truth.
        folds: who was hidden.
        test: the frames that count, e.g. from `Aligned.split`.
        name: of the method.

    Returns:
        See `Scores`. The correlation is 0 where prediction or truth does not vary, so a method
        that cannot tell anything about a neuron scores 0 on it.

    Raises:
        ValueError: shapes do not fit, a needed prediction is not finite, or nothing can be scored.

    Example:
        >>> from neurojax.fitting.folds import neuron_folds
        >>> from neurojax.fitting.problem import align
        >>> from neurojax.recordings import Recording
        >>> import jax
        >>> x = np.sin(np.arange(20.0)[:, None] + np.arange(3))
        >>> worm = align(Recording(np.arange(20.0), x, labels=["a", "b", "c"]), ["a", "b", "c"])
        >>> train, test = worm.split(0.6)
        >>> folds = neuron_folds(worm.labelled, 3, key=jax.random.key(0))
        >>> perfect = imputation_scores(worm.values[folds.animal], worm, folds, test, "oracle")
        >>> round(perfect.mean, 6)
        1.0
    """
    shape = (len(folds), *aligned.mask.shape[1:])
    if predicted.shape != shape:
        raise ValueError(
            f"predicted must have shape (fold, time, neuron) = {shape}, got {predicted.shape}"
        )
    if test.shape != aligned.mask.shape[:2]:
        raise ValueError(
            f"test must have shape (animal, time) = {aligned.mask.shape[:2]}, got {test.shape}"
        )
    scored = test.any(axis=0)  # what no animal is scored on need not be copied
    truth, predicted = aligned.values[:, scored], predicted[:, scored]
    fold, neuron = np.nonzero(folds.hidden)
    animal = folds.animal[fold]
    counts = (aligned.mask & test[:, :, None])[:, scored][animal, :, neuron]
    enough = counts.sum(axis=1) >= 2
    if not enough.any():
        raise ValueError("no hidden neuron has two samples in the test frames; nothing to score")
    fold, neuron, animal, counts = fold[enough], neuron[enough], animal[enough], counts[enough]
    guess = predicted[fold, :, neuron]
    wrong = (counts & ~np.isfinite(guess)).any(axis=1)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise ValueError(
            f"predicted is not finite for {aligned.names[neuron[k]]!r} in animal "
            f"{aligned.animals[animal[k]]!r} (fold {fold[k]}), and for {wrong.sum() - 1} others"
        )
    truth = truth[animal, :, neuron]
    return Scores(
        name=name,
        animals=aligned.animals,
        animal=animal,
        neuron=neuron,
        r=pearson_r(guess, truth, counts),
        r2=r_squared(guess, truth, counts),
        mse=mean_squared_error(guess, truth, counts),
    )


def pearson_r(
    predicted: Float[np.ndarray, "trace time"],
    truth: Float[np.ndarray, "trace time"],
    mask: Bool[np.ndarray, "trace time"],
) -> Float[np.ndarray, " trace"]:
    """Pearson correlation of each pair of traces over the frames in `mask`.

    r = cov(predicted, truth) / (sd(predicted) sd(truth)), and 0 where one of them is constant.
    """
    x, y = _centred(predicted, mask), _centred(truth, mask)
    xx, yy, xy = (x * x).sum(axis=1), (y * y).sum(axis=1), (x * y).sum(axis=1)
    varies = _varies(xx, predicted, mask) & _varies(yy, truth, mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(varies, xy / np.sqrt(xx * yy), 0.0)


def r_squared(
    predicted: Float[np.ndarray, "trace time"],
    truth: Float[np.ndarray, "trace time"],
    mask: Bool[np.ndarray, "trace time"],
) -> Float[np.ndarray, " trace"]:
    """1 - sum of squared errors / sum of squares about the mean, over the frames in `mask`.

    1 is perfect, 0 is as good as the mean of the truth, which the method does not know; `NaN`
    where the truth is constant.
    """
    total = (_centred(truth, mask) ** 2).sum(axis=1)
    error = mean_squared_error(predicted, truth, mask) * mask.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_varies(total, truth, mask), 1.0 - error / total, np.nan)


def mean_squared_error(
    predicted: Float[np.ndarray, "trace time"],
    truth: Float[np.ndarray, "trace time"],
    mask: Bool[np.ndarray, "trace time"],
) -> Float[np.ndarray, " trace"]:
    """Mean squared difference of each pair of traces over the frames in `mask`."""
    error = np.where(mask, predicted.astype(np.float64) - truth, 0.0)
    return (error**2).sum(axis=1) / mask.sum(axis=1)


def bootstrap_interval(
    values: Float[np.ndarray, " animal"],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 10_000,
) -> tuple[float, float]:
    """Percentile bootstrap of a mean over animals, the unit that was sampled.

    With few animals the interval is too narrow; it describes these animals, no more.

    Arguments:
        values: one per animal; `NaN`s are left out.
        rng: a numpy generator.
        level: coverage of the interval.
        draws: number of resamples.

    Returns:
        Lower and upper end; both `NaN` for fewer than two animals.

    Raises:
        ValueError: `level` is not between 0 and 1, or `draws` is not positive.

    Example:
        >>> low, high = bootstrap_interval(np.array([0.3, 0.4, 0.5]), np.random.default_rng(0))
        >>> 0.3 <= low < 0.4 < high <= 0.5
        True
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def join(parts: Sequence[Scores], name: str = "") -> Scores:
    """Scores of several parts of the folds as one, e.g. each animal left out in turn.

    Arguments:
        parts: scores of the same animals, on different folds.
        name: of the row; default that of the first part.

    Raises:
        ValueError: there is no part, or the animals differ.

    Example:
        >>> import numpy as np
        >>> one, r = np.zeros(1, int), np.array([0.4])
        >>> parts = [Scores("circuit", ("a", "b"), one + k, one, r + k / 10, r, r) for k in (0, 1)]
        >>> join(parts).r_by_animal
        array([0.4, 0.5])
    """
    _alike(parts)
    arrays = {
        field: np.concatenate([getattr(part, field) for part in parts])
        for field in ("animal", "neuron", "r", "r2", "mse")
    }
    return Scores(name=name or parts[0].name, animals=parts[0].animals, **arrays)


def average(runs: Sequence[Scores], name: str = "") -> Scores:
    """Scores averaged over several runs on the same folds, e.g. several shuffled connectomes.

    Arguments:
        runs: scores of the same animals and hidden neurons.
        name: of the row; default that of the first run.

    Raises:
        ValueError: there is no run, or the runs hid different neurons.

    Example:
        >>> import numpy as np
        >>> one, r = np.zeros(1, int), np.array([0.4])
        >>> runs = [Scores("shuffled", ("a",), one, one, r + k / 10, r, r) for k in (0, 1)]
        >>> round(average(runs).mean, 3)
        0.45
    """
    _alike(runs)
    first = runs[0]
    for run in runs:
        if not (
            np.array_equal(run.animal, first.animal) and np.array_equal(run.neuron, first.neuron)
        ):
            raise ValueError(f"{run.name!r} and {first.name!r} were not scored on the same folds")
    return Scores(
        name=name or first.name,
        animals=first.animals,
        animal=first.animal,
        neuron=first.neuron,
        r=np.mean([run.r for run in runs], axis=0),
        r2=np.mean([run.r2 for run in runs], axis=0),
        mse=np.mean([run.mse for run in runs], axis=0),
    )


def one_row_per_kind(rows: Sequence[Scores]) -> list[Scores]:
    """Rows on several shuffled connectomes (`... shuffled 1`, `... shuffled 2`) as one, their mean.

    Example:
        >>> one = np.ones(1)
        >>> row = lambda name: Scores(name, ("a",), one.astype(int), one.astype(int), one, one, one)
        >>> rows = one_row_per_kind(
        ...     [row("ridge"), row("ridge, shuffled 1"), row("ridge, shuffled 2")]
        ... )
        >>> [r.name for r in rows]
        ['ridge', 'ridge, shuffled (mean of 2)']
    """
    groups: dict[str, list[Scores]] = {}
    for row in rows:
        stem, mark, _ = row.name.rpartition(" shuffled ")
        groups.setdefault(f"{stem} shuffled" if mark else row.name, []).append(row)
    return [
        group[0] if len(group) == 1 else average(group, f"{name} (mean of {len(group)})")
        for name, group in groups.items()
    ]


def table(rows: Sequence[Scores]) -> str:
    """A plain-text table, one line per method.

    Columns: mean r and its standard deviation over animals, r of each animal, median R² and mean
    squared error.

    Arguments:
        rows: scores of the same animals, one per method.

    Raises:
        ValueError: there is no row, or the animals differ.

    Example:
        >>> one = np.ones(1)
        >>> row = Scores("ridge", ("worm 1",), np.zeros(1, int), np.zeros(1, int), one, one, one)
        >>> print(table([row]))
        method  r      worm 1  median R2   MSE
        ridge   1.000   1.000       1.00  1.00
    """
    _alike(rows)
    header = ["method", "r", *rows[0].animals, "median R2", "MSE"]
    lines = [header]
    for row in rows:
        spread = f" +- {row.sd:.3f}" if np.isfinite(row.sd) else ""
        lines.append(
            [
                row.name,
                f"{row.mean:.3f}{spread}",
                *(f"{r:.3f}" for r in row.r_by_animal),
                f"{_mean(row.r2_by_animal):.2f}",
                f"{_mean(row.mse_by_animal):.2f}",
            ]
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _mean(by_animal):
    finite = by_animal[np.isfinite(by_animal)]
    return float(finite.mean()) if len(finite) else float("nan")


def _alike(parts):
    if not parts:
        raise ValueError("no scores were given")
    for part in parts:
        if part.animals != parts[0].animals:
            raise ValueError(
                f"{part.name!r} scores other animals ({part.animals}) than {parts[0].name!r} "
                f"({parts[0].animals})"
            )


def _centred(traces, mask):
    """Each trace minus its mean over the frames in `mask`, 0 elsewhere."""
    traces = np.where(mask, traces, 0.0).astype(np.float64)
    mean = traces.sum(axis=1, keepdims=True) / mask.sum(axis=1, keepdims=True)
    return np.where(mask, traces - mean, 0.0)


def _varies(sum_of_squares, traces, mask):
    """Whether a centred sum of squares is more than rounding errors of the trace."""
    scale = (np.where(mask, traces, 0.0).astype(np.float64) ** 2).sum(axis=1)
    return sum_of_squares > _CONSTANT * scale
