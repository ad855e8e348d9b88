"""How well the next frames of all neurons are foretold: errors by horizon, simple forecasts."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from neurojax.fitting._moments import Moments, best_ridge
from neurojax.fitting.baselines import PENALTIES
from neurojax.fitting.problem import Aligned

HORIZONS = (1, 2, 5, 10, 20)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ForecastErrors:
    """Squared errors of one method's forecasts, by animal and horizon.

    Arguments:
        name: of the method.
        animals: names of the animals.
        horizons: frames ahead, shape (horizon,).
        mse: mean over the frames and then the neurons of an animal, shape (animal, horizon);
            `NaN` where nothing could be scored.
    """

    name: str
    animals: tuple[str, ...]
    horizons: Int[np.ndarray, " horizon"]
    mse: Float[np.ndarray, "animal horizon"]

    @property
    def mean(self) -> Float[np.ndarray, " horizon"]:
        """Mean over the animals that could be scored."""
        there = np.isfinite(self.mse)
        with np.errstate(invalid="ignore"):
            return np.where(there, self.mse, 0.0).sum(axis=0) / there.sum(axis=0)

    def __str__(self) -> str:
        return forecast_table([self])

    def __repr__(self) -> str:
        return f"ForecastErrors({self.name!r}, horizons {self.horizons.tolist()})"


def forecast_errors(
    predicted: Float[np.ndarray, "_animal _time _horizon _neuron"],
    aligned: Aligned,
    test: Bool[np.ndarray, "animal time"],
    horizons: Sequence[int] = HORIZONS,
    name: str = "",
) -> ForecastErrors:
    """Compare forecasts with what was recorded.

    The forecast made at frame s for frame s + h counts if frames s + 1 to s + h all lie in `test`
    and the sample at s + h is there; frame s may be the last one before the test part.

    Arguments:
        predicted: `predicted[a, s, k]` is what the method, knowing frames up to s, says of frame
            s + horizons[k]; read only where it counts, and `NaN` is allowed elsewhere.
        aligned: the truth; clip it first (`Aligned.clipped`) to keep a few outliers from ruling.
        test: the frames that count.
        horizons: frames ahead.
        name: of the method.

    Raises:
        ValueError: shapes do not fit, a horizon is below 1, or a needed forecast is not finite.
    """
    ahead = _checked_horizons(horizons)
    animals, time, neurons = aligned.mask.shape
    if predicted.shape != (animals, time, len(ahead), neurons):
        raise ValueError(
            "predicted must have shape (animal, time, horizon, neuron) = "
            f"{(animals, time, len(ahead), neurons)}, got {predicted.shape}"
        )
    mse = np.full((animals, len(ahead)), np.nan)
    for k, h in enumerate(ahead):
        if h >= time:
            continue
        counts = _all_within(test, h)[:, :, None] & aligned.mask[:, h:]
        guess = predicted[:, : time - h, k]
        if not np.isfinite(guess[counts]).all():
            raise ValueError(f"predicted is not finite in some test frames at horizon {h}")
        error = np.where(counts, guess - aligned.values[:, h:].astype(np.float64), 0.0) ** 2
        samples = counts.sum(axis=1)
        for a in np.flatnonzero(samples.any(axis=1)):
            there = samples[a] > 0
            mse[a, k] = (error[a].sum(axis=0)[there] / samples[a][there]).mean()
    return ForecastErrors(name, aligned.animals, ahead, mse)


def forecast_baselines(
    aligned: Aligned,
    train: Bool[np.ndarray, "animal time"],
    test: Bool[np.ndarray, "animal time"],
    horizons: Sequence[int] = HORIZONS,
) -> list[ForecastErrors]:
    """Forecasts that use no connectome, to put beside the free run of a circuit.

    Everything is fitted to one animal's training frames. A missing sample of a predictor counts
    as 0, the mean of a normalised trace.

    - persistence: x(s + h) = x(s);
    - AR(1), iterated: x(s + 1) = c + a x(s) by least squares, h times;
    - AR(1) per horizon: x(s + h) = c_h + a_h x(s) by least squares for each h;
    - ridge VAR: x(s + 1) = x(s) + c + A x(s) with all neurons of the animal, iterated; the penalty
      of each row of A is chosen as in `ridge`, and a large one leads back to persistence.

    Arguments:
        aligned: normalised recordings, clipped as the errors shall be.
        train: frames to learn from.
        test: frames to score.
        horizons: frames ahead.

    Raises:
        ValueError: a horizon is below 1.

    Example:
        >>> from neurojax.fitting.problem import align
        >>> from neurojax.recordings import Recording
        >>> ramp = align(Recording(np.arange(50.0), np.arange(50.0)[:, None], ["a"]), ["a"])
        >>> rows = forecast_baselines(ramp, *ramp.split(0.6), horizons=(1, 3))
        >>> rows[0].mean  # persistence is 1 and 3 behind
        array([1., 9.])
    """
    ahead = _checked_horizons(horizons)
    values = aligned.values.astype(np.float64)
    slope, intercept = _autoregression(values, aligned.mask, train, 1)
    matrix, offset = _vector_autoregression(values, aligned, train)
    shape = (*values.shape[:2], len(ahead), values.shape[2])
    last, ar, direct, var = (np.zeros(shape) for _ in range(4))
    ar_now, var_now, steps = values, values, 0
    for k in np.argsort(ahead):
        while steps < ahead[k]:
            ar_now = intercept[:, None] + slope[:, None] * ar_now
            var_now = offset[:, None] + var_now @ matrix
            steps += 1
        a, c = _autoregression(values, aligned.mask, train, int(ahead[k]))
        last[:, :, k], ar[:, :, k], var[:, :, k] = values, ar_now, var_now
        direct[:, :, k] = c[:, None] + a[:, None] * values
    methods = {
        "persistence": last,
        "AR(1) iterated": ar,
        "AR(1) per horizon": direct,
        "ridge VAR": var,
    }
    return [forecast_errors(p, aligned, test, horizons, name) for name, p in methods.items()]


def forecast_table(rows: Sequence[ForecastErrors]) -> str:
    """A plain-text table of mean squared errors, one line per method, one column per horizon.

    Raises:
        ValueError: there is no row, or horizons differ.
    """
    if not rows:
        raise ValueError("no forecast errors were given")
    for row in rows:
        if not np.array_equal(row.horizons, rows[0].horizons):
            raise ValueError(f"{row.name!r} has other horizons than {rows[0].name!r}")
    width = max(len("frames ahead"), *(len(row.name) for row in rows))
    lines = ["frames ahead".ljust(width) + "".join(f"{h:8d}" for h in rows[0].horizons)]
    lines += [row.name.ljust(width) + "".join(f"{m:8.3f}" for m in row.mean) for row in rows]
    return "\n".join(lines)


def _checked_horizons(horizons):
    ahead = np.array(horizons, int)
    if ahead.ndim != 1 or not len(ahead) or (ahead < 1).any():
        raise ValueError(f"horizons must be numbers of frames, at least 1, got {horizons!r}")
    return ahead


def _all_within(frames, h):
    """For each frame s with a frame s + h: whether s + 1 to s + h are all in `frames`."""
    count = np.cumsum(frames, axis=1)
    return count[:, h:] - count[:, :-h] == h


def _autoregression(values, mask, train, h):
    """Slope and intercept of x(s + h) on x(s), by animal and neuron; a flat trace has slope 0."""
    pairs = (train[:, :-h] & train[:, h:])[:, :, None] & mask[:, :-h] & mask[:, h:]
    n = np.maximum(pairs.sum(axis=1), 1)
    x, y = np.where(pairs, values[:, :-h], 0.0), np.where(pairs, values[:, h:], 0.0)
    mx, my = x.sum(axis=1) / n, y.sum(axis=1) / n
    dx, dy = np.where(pairs, x - mx[:, None], 0.0), np.where(pairs, y - my[:, None], 0.0)
    variance = (dx * dx).sum(axis=1)
    slope = (dx * dy).sum(axis=1) / np.where(variance > 0, variance, 1.0)
    return slope, my - slope * mx


def _vector_autoregression(values, aligned, train):
    """The matrix [animal, source, target] and the offset of x(s + 1) = offset + x(s) matrix."""
    animals, _, neurons = values.shape
    matrix, offset = np.zeros((animals, neurons, neurons)), np.zeros((animals, neurons))
    # Predictors at frame s in the first columns, what is added until s + 1 in the last.
    both = np.concatenate([values[:, :-1], np.diff(values, axis=1)], axis=2)
    mask = np.concatenate(
        [aligned.mask[:, :-1], aligned.mask[:, :-1] & aligned.mask[:, 1:]], axis=2
    )
    moments = Moments(both, mask, train[:, :-1] & train[:, 1:])
    labelled = aligned.labelled
    for a in range(animals):
        context = np.concatenate([labelled[a], np.zeros(neurons, bool)])
        by_frames = {}
        for target in np.flatnonzero(labelled[a]) + neurons:
            by_frames.setdefault(moments.frames(a, target), []).append(target)
        for targets in map(np.array, by_frames.values()):
            weights, intercepts = best_ridge(moments, (a,), context, targets, np.array(PENALTIES))
            matrix[a][:, targets - neurons] = weights[:neurons]
            offset[a, targets - neurons] = intercepts
        matrix[a] += np.eye(neurons)
    return matrix, offset
