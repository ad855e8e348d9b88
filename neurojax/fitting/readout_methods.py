"""How a linear read-out is found from features and targets: nouns for `fit_readout(method=)`."""

import warnings
from abc import abstractmethod
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameter_checks import check_count
from neurojax.core.precision import unrounded
from neurojax.core.ridge import ridge, ridge_on_host, ridge_with_bias_on_host
from neurojax.core.tracing import known

from .rules.least_squares import RLS

_ROUNDING = 1e-5


def _is_real(value) -> bool:
    """Whether it is a real number, or an array of them, which may be traced."""
    kind = (value if isinstance(value, jax.Array) else np.asarray(value)).dtype
    return bool(jnp.issubdtype(kind, jnp.integer) or jnp.issubdtype(kind, jnp.floating))


def _number(name: str):
    """Converts a static field of this name."""

    def converted(value) -> float:
        if not (_is_real(value) and np.ndim(value) == 0):
            raise TypeError(f"{name} must be one number, got {value!r}")
        return float(value)

    return converted


@final
class Solution(eqx.Module):
    """What a method found.

    Arguments:
        weights: (outputs, features).
        bias: (outputs,).
        penalty: that was used, or NaN.
        scores: of each penalty that was tried, smaller is better; or `None`.
        solver: how and in which precision it was found.
        kept: what `update` needs besides to go on from here, or `None`.
    """

    weights: Any
    bias: Any
    penalty: Any
    scores: Any
    solver: str = eqx.field(static=True)
    kept: Any = None


class AbstractReadoutMethod(eqx.Module):
    """A way to find weights W and a bias c with $W x_t + c \\approx y_t$.

    In the graph differentiable by features, targets and weights. `Ridge`, `RidgeGCV`, `RidgeCV` and
    `LMS` are so by a weight that is 0 as well; the others take that derivative as 0.
    """

    @abstractmethod
    def solve(self, features, targets, weights) -> Solution:
        """Weights from samples of all series in the order of time.

        Arguments:
            features: x, (series, time, features).
            targets: y, (series, time, outputs).
            weights: (series, time), of each sample.
        """

    def update(self, found: Solution, features, targets, weights) -> Solution:
        """Go on from what was found, with further samples as in `solve`.

        Raises:
            ValueError: if the method cannot.
        """
        raise ValueError(
            f"{type(self).__name__} needs all samples at once: fit by RecursiveLeastSquares(), "
            "LMS() or IncrementalRidge() to go on with others"
        )


@final
class Ridge(AbstractReadoutMethod):
    r"""Ridge regression, $\min \sum_t w_t |W x_t + c - y_t|^2 + \lambda |W|^2$.

    In double precision on the host (Cholesky, refined once; QR where that fails); within `jit`,
    `vmap` and `grad` by QR in the precision of the features. The bias is not penalised.

    Arguments:
        penalty: $\lambda > 0$.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.Ridge(1e-6).penalty
        1e-06
    """

    penalty: Any = 1e-8

    def __check_init__(self):
        _check_penalties("penalty", self.penalty)

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        if known(features, targets, weights, self.penalty):
            samples = _samples(features, targets, weights)
            W, bias, name = ridge_with_bias_on_host(*samples, float(self.penalty))
            return Solution(W, bias, self.penalty, None, f"{name}, float64, on the host")
        samples = _after_washout(features, targets, weights)
        X, y, w = _flat(*samples)
        if known(samples[2]) and np.all(np.asarray(samples[2]) == 1):
            means = jnp.mean(X, 0), jnp.mean(y, 0), len(X)
            W = ridge(X - means[0][None], y - means[1][None], self.penalty)
        else:
            X, y, means = _without_means(jnp, X, y, w)
            W = ridge(X, y, jnp.asarray(self.penalty, X.dtype), w)
        return _solution(W, means, self.penalty, None, f"QR, {X.dtype}, in the graph")


@final
class IncrementalRidge(AbstractReadoutMethod):
    r"""`Ridge` of data that come in parts, such as those whose features do not fit into memory.

    Of all samples so far a triangular factor is kept, (features + outputs + 1) squared, so that the
    weights are those of all of them at once, in double precision on the host. A part should be
    longer than there are features: each costs at least one decomposition of the factor.

    Arguments:
        penalty: $\lambda > 0$, on the sum over all samples.

    Raises:
        ValueError: inside of `jit`, `vmap` and `grad`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> x = jnp.sin(0.3 * jnp.arange(300.0))[:, None]
        >>> reservoir = nj.circuits.EchoState(20, inputs=1)
        >>> method = nj.fitting.IncrementalRidge(1e-6)
        >>> fitted = nj.fitting.fit_readout(reservoir, x[:200], x[1:201], method=method)
        >>> fitted = fitted.update(x[200:-1], x[201:])
        >>> fitted.solver
        'Cholesky, float64, on the host'
    """

    penalty: float = eqx.field(static=True, converter=_number("penalty"), default=1e-8)

    def __check_init__(self):
        _check_penalties("penalty", self.penalty)

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        size = 1 + features.shape[-1] + targets.shape[-1]
        start = _before(features, targets, np.zeros((size, size)))
        return self.update(start, features, targets, weights)

    def update(self, found: Solution, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        if not known(found.kept, features, targets, weights):
            raise ValueError(
                "IncrementalRidge works on the host only, not inside jit, vmap or grad: call it "
                "outside, or give RecursiveLeastSquares()"
            )
        X, y, w = _samples(features, targets, weights)
        rows = np.concatenate([np.ones((len(w), 1)), X, y], 1) * np.sqrt(w)[:, None]
        R = np.linalg.qr(np.concatenate([found.kept, rows]), mode="r")
        # what lies below the first row, which is that of the means, is centred
        end = 1 + X.shape[1]
        W, name = ridge_on_host(R[1:, 1:end], R[1:, end:], self.penalty)
        bias = (R[0, end:] - W @ R[0, 1:end]) / R[0, 0]
        return Solution(W, bias, self.penalty, None, f"{name}, float64, on the host", R)


@final
class RidgeGCV(AbstractReadoutMethod):
    r"""Ridge regression with the penalty chosen by generalised cross-validation.

    $$\mathrm{GCV}(\lambda) = \frac{T \sum_t w_t |y_t - \hat y_t|^2}{(T - \mathrm{df}(\lambda))^2},
      \qquad \mathrm{df}(\lambda) = 1 + \sum_i \frac{s_i^2}{s_i^2 + \lambda}$$

    with the singular values s of the centred features, each sample times $\sqrt{w_t}$, for all
    penalties from one decomposition. T is the number of samples whose weight is not 0: weights are
    inverse variances and not numbers of repetitions. With as many features as samples or more that
    depend on each other, penalties below what the precision can tell from 0 have an infinite score.

    Arguments:
        penalties: to choose among, default 1e-12 to 1e2 by factors of 10 of the half.

    Source: Golub, Heath and Wahba (1979), Technometrics 21:215.

    Example:
        >>> import neurojax as nj
        >>> len(nj.fitting.RidgeGCV().penalties)
        29
    """

    penalties: Any = eqx.field(default_factory=lambda: np.logspace(-12, 2, 29))

    def __check_init__(self):
        _check_penalties("penalties", self.penalties)

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        xp, where, samples = _place(features, targets, weights, self.penalties)
        X, y, means = _centred(xp, *samples)
        s, Vt, z, outside = _decomposed(xp, X, y)
        penalties = xp.asarray(self.penalties, X.dtype)
        scores = _generalised(xp, s, z, outside, penalties, samples[2], X.shape)
        best = xp.argmin(scores)
        W = _at(xp, penalties[best], s, Vt, z, samples)
        return _solution(W, means, penalties[best], scores, f"SVD, {where}")


@final
class RidgeCV(AbstractReadoutMethod):
    r"""Ridge regression with the penalty chosen by cross-validation over folds of time.

    What counts of each series (after the washout, where the mask is not 0) is cut into `folds`
    parts that are not mixed, as neighbours in time are alike; with that many series or more, whole
    series are left out. The score is the mean squared error of what is left out.

    Arguments:
        penalties: to choose among, default 1e-12 to 1e2 by factors of 10 of the half.
        folds: number of parts.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.RidgeCV(folds=4).folds
        4
    """

    penalties: Any = eqx.field(default_factory=lambda: np.logspace(-12, 2, 29))
    folds: int = eqx.field(static=True, default=5)

    def __check_init__(self):
        _check_penalties("penalties", self.penalties)
        check_count("folds", self.folds)
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        xp, where, _ = _place(features, targets, weights, self.penalties)
        if xp is np:
            features, targets, weights = (
                np.asarray(x, float) for x in (features, targets, weights)
            )
        series, steps = features.shape[:2]
        if self.folds > max(series, steps):
            raise ValueError(
                f"folds={self.folds} is more than the {steps} steps of a series: give fewer"
            )
        fold = self._folds(weights)
        penalties = xp.asarray(self.penalties, xp.asarray(features).dtype)
        scores, total = xp.zeros(len(self.penalties)), 0.0
        for part in range(self.folds):
            kept = xp.where(fold != part, weights, 0.0)
            X, y, means = _centred(xp, *_flat(features, targets, kept, xp))
            s, Vt, z, _ = _decomposed(xp, X, y)
            x, t, w = _flat(features, targets, xp.where(fold == part, weights, 0.0), xp)
            errors = []
            for penalty in penalties:
                W = _along_path(s, Vt, z, penalty)
                miss = (x - means[0][None]) @ W.T - (t - means[1][None])
                errors.append(xp.sum(w[:, None] * miss**2))
            scores = scores + xp.stack(errors)
            total = total + xp.sum(w)
        best = xp.argmin(scores)
        samples = _flat(features, targets, weights, xp)
        X, y, means = _centred(xp, *samples)
        s, Vt, z, _ = _decomposed(xp, X, y)
        W = _at(xp, penalties[best], s, Vt, z, samples)
        return _solution(W, means, penalties[best], scores / total, f"SVD, {where}")

    def _folds(self, weights):
        """The fold of each sample: of those that count, all are about as large."""
        xp: Any = np if known(weights) else jnp
        counted = xp.asarray(weights) > 0
        whole = xp.any(counted, axis=1)
        of_each = xp.sum(counted, axis=1)
        number = xp.sum(whole)  # of series that count
        if xp is np and self.folds > max(
            number, np.min(of_each[whole], initial=counted.shape[1])
        ):  # fmt: skip
            raise ValueError(
                f"folds={self.folds} is more than the samples of a series that count, washout and "
                "mask aside: give fewer folds or longer series"
            )
        series = xp.maximum(xp.cumsum(whole) - 1, 0) * self.folds // xp.maximum(number, 1)
        rank = xp.maximum(xp.cumsum(counted, axis=1) - 1, 0)
        part = rank * self.folds // xp.maximum(of_each, 1)[:, None]
        # which of the two it is may depend on a mask that is traced
        return xp.where(number >= self.folds, series[:, None], part)


@final
class RecursiveLeastSquares(AbstractReadoutMethod):
    """Recursive least squares, sample by sample in the order of time, in the graph.

    After all samples, with `forgetting=1`, the ridge solution with penalty alpha (the bias
    included in the penalty). A sample whose weight is 0 changes nothing, not even by forgetting.

    Arguments:
        alpha: penalty; in single precision not much below 1e-6 of the sum of the squares of a
            feature.
        forgetting: in (0, 1], see `nj.fitting.rules.RLS`.

    Warns:
        UserWarning: outside of transforms, if rounding has made the inverse correlation indefinite.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.RecursiveLeastSquares(alpha=1e-4).alpha
        0.0001
    """

    alpha: float = eqx.field(static=True, converter=_number("alpha"), default=1e-3)
    forgetting: float = eqx.field(static=True, converter=_number("forgetting"), default=1.0)

    def __check_init__(self):
        RLS.start(1, self.alpha, self.forgetting)

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        kind = jax.dtypes.canonicalize_dtype(features.dtype)
        rls = RLS.start(features.shape[-1] + 1, self.alpha, self.forgetting, kind)
        return self.update(_before(features, targets, rls), features, targets, weights)

    def update(self, found: Solution, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        X, y, w = _with_ones(features, targets, weights)
        W, rls, sound = _recursive(_whole(found), found.kept, X, y, w)
        if known(sound) and not bool(sound):
            warnings.warn(
                f"recursive least squares lost its precision in {X.dtype}: give an alpha above "
                f"{self.alpha:g}, or use double precision",
                stacklevel=7,
            )
        return Solution(W[:, :-1], W[:, -1], self.alpha, None,
                        f"recursive least squares, {X.dtype}, in the graph", rls)  # fmt: skip


@final
class LMS(AbstractReadoutMethod):
    r"""Least mean squares, sample by sample, in the graph.

    $$W \leftarrow W + \eta\,(y - W x)\,x^\top / (\epsilon + |x|^2)$$

    Arguments:
        rate: $\eta$ in (0, 2).
        epochs: how often the samples are gone through, in `update` those of each part.
        normalised: whether the division by $|x|^2$ is made; without it the rate must be below
            $2 / |x|^2$.

    Warns:
        UserWarning: outside of transforms, if the weights have grown beyond all bounds.

    Source: Widrow and Hoff (1960); Haykin (2002), Adaptive Filter Theory, chapters 5 and 6.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.LMS(rate=0.1).epochs
        1
    """

    rate: Any = 0.5
    epochs: Any = eqx.field(static=True, default=1)
    normalised: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        if not (_is_real(self.rate) and np.ndim(self.rate) == 0):
            raise TypeError(f"rate of LMS must be one number, got {self.rate!r}")
        if known(self.rate) and not 0 < self.rate < 2:
            raise ValueError(f"rate of LMS must lie in (0, 2), got {self.rate}")
        check_count("epochs", self.epochs)

    def solve(self, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        return self.update(_before(features, targets), features, targets, weights)

    def update(self, found: Solution, features, targets, weights) -> Solution:
        """See `AbstractReadoutMethod`."""
        X, y, w = _with_ones(features, targets, weights)
        W = _least_mean_squares(_whole(found), X, y, w, self.rate, self.epochs, self.normalised)
        if known(W) and not np.all(np.isfinite(W)):
            bound = "" if self.normalised else ", below 2 / |x|^2, or normalised=True"
            warnings.warn(
                f"least mean squares diverged with rate={self.rate:g}: give a lower one{bound}",
                stacklevel=7,
            )
        return Solution(W[:, :-1], W[:, -1], np.nan, None,
                        f"least mean squares, {X.dtype}, in the graph")  # fmt: skip


@eqx.filter_jit
@unrounded
def _recursive(W, rls, X, y, w):
    def step(carry, sample):
        W, rls = carry
        x, target, weight = sample
        root = _root(jnp, weight)
        moved, gain = rls.sample(x * root)
        W = W - (W @ x - target)[:, None] * (root * gain)[None]
        # of a positive definite P this share lies in [0, 1)
        share = root * (x @ gain)
        # a sample without weight changes nothing, not even by forgetting
        kept = jax.tree.map(lambda a, b: jnp.where(weight > 0, a, b), moved, rls)
        return (W, kept), (share >= -_ROUNDING) & (share < 1.0)

    (W, rls), sound = jax.lax.scan(step, (W, rls), (X, y, w))
    return W, rls, jnp.all(sound)


@eqx.filter_jit
def _least_mean_squares(W, X, y, w, rate, epochs, normalised):
    def step(W, sample):
        x, target, weight = sample
        size = 1e-8 + x @ x if normalised else 1.0
        return W - (weight * rate / size) * (W @ x - target)[:, None] * x[None], None

    epoch = lambda W, _: (jax.lax.scan(step, W, (X, y, w))[0], None)
    return jax.lax.scan(epoch, W, None, length=epochs)[0]


def _before(features, targets, kept=None) -> Solution:
    """Where a method begins that goes on from there: weights of 0."""
    kind = jax.dtypes.canonicalize_dtype(features.dtype)
    outputs = targets.shape[-1]
    W = jnp.zeros((outputs, features.shape[-1]), kind)
    return Solution(W, jnp.zeros(outputs, kind), np.nan, None, "", kept)


def _whole(found: Solution):
    """The weights with the bias as that of the last feature, as `_with_ones` has them."""
    return jnp.concatenate([found.weights, found.bias[:, None]], 1)


def _with_ones(features, targets, weights):
    X, y, w = _flat(features, targets, weights)
    X = jnp.asarray(X)
    ones = jnp.ones((len(X), 1), X.dtype)
    return jnp.concatenate([X, ones], 1), jnp.asarray(y, X.dtype), jnp.asarray(w, X.dtype)


def _flat(features, targets, weights, xp: Any = jnp):
    flat = lambda x: x.reshape(-1, x.shape[-1])
    kind = xp.asarray(features).dtype
    return flat(features), xp.asarray(flat(targets), kind), xp.asarray(weights, kind).reshape(-1)


def _after_washout(features, targets, weights):
    """Without the first steps, if it is known that they count in no series."""
    if not known(weights):
        return features, targets, weights
    first = int(np.argmax(np.any(np.asarray(weights) > 0, axis=0)))
    return features[:, first:], targets[:, first:], weights[:, first:]


def _samples(features, targets, weights):
    """On the host, and only those that count."""
    weights = np.asarray(weights, float).ravel()
    flat = lambda x: np.asarray(x).reshape(len(weights), -1)
    X, y = flat(features), flat(targets)
    if np.all(weights > 0):
        return X, y, weights
    counts = weights > 0
    return X[counts], y[counts], weights[counts]


def _place(features, targets, weights, penalties):
    """Which numpy solves, its name in a report, and the samples."""
    if known(features, targets, weights, penalties):
        double = lambda x: np.asarray(x, float)
        samples = map(double, _samples(features, targets, weights))
        return np, "float64, on the host", tuple(samples)
    samples = _flat(features, targets, weights)
    return jnp, f"{samples[0].dtype}, in the graph", samples


def _without_means(xp, X, y, w):
    """Features and targets without their weighted means, and the means."""
    total = xp.sum(w)
    mean_x, mean_y = w @ X / total, w @ y / total
    return X - mean_x[None], y - mean_y[None], (mean_x, mean_y, total)


def _centred(xp, X, y, w):
    """Features and targets without their means, rows times the root of their weights."""
    X, y, means = _without_means(xp, X, y, w)
    if xp is np and np.all(w == 1):
        return X, y, means
    root = _root(xp, w)[:, None]
    return X * root, y * root, means


def _root(xp, w):
    """The square root, with the derivative 0 at 0: an infinite one times 0 would be NaN."""
    if xp is np:
        return np.sqrt(w)
    return jnp.where(w > 0, jnp.sqrt(jnp.where(w > 0, w, 1.0)), 0.0)


@unrounded
def _decomposed(xp, X, y):
    """Singular values and vectors of X by way of its QR, and the targets in these terms."""
    Q, R = xp.linalg.qr(X)
    q = Q.T @ y
    U, s, Vt = xp.linalg.svd(R, full_matrices=False)
    return s, Vt, U.T @ q, xp.sum((y - Q @ q) ** 2)


def _generalised(xp, s, z, outside, penalties, weights, shape):
    """The scores of generalised cross-validation, infinite for penalties that rounding hides."""
    count = xp.sum(weights > 0)
    # the means take one of the samples, so that no more directions than this are there
    directions = xp.minimum(count - 1, shape[1])
    there = xp.arange(len(s)) < directions
    # that of singular values grows with the root of the smaller side, not with the samples
    noise = 10.0 * min(shape) ** 0.5 * xp.finfo(s.dtype).eps * s[0]
    # error and freedom are both rounding only where directions might take all samples
    hidden = (directions == count - 1) & xp.any(there & (s <= noise))
    # all samples are met as the penalty goes to 0: what is left over is rounding
    met = (directions == count - 1) & ~hidden
    shrunk = xp.where(there[None], penalties[:, None] / (s[None] ** 2 + penalties[:, None]), 0.0)
    # error and freedom both go to 0 then, and their ratio does not
    unit = xp.where(met, xp.max(shrunk, 1), 1.0)
    shrunk = shrunk / xp.where(unit > 0, unit, 1.0)[:, None]
    power = xp.sum(z**2, 1)
    rest = xp.where(met, 0.0, outside + xp.sum(xp.where(there, 0.0, power)))
    freedom = (count - 1 - directions) + xp.sum(shrunk, 1)
    least = xp.finfo(s.dtype).eps  # of a single sample
    scores = count * (rest + shrunk**2 @ power) / xp.maximum(freedom, least) ** 2
    # the largest penalty remains, whatever the precision
    seen = ~hidden | (penalties >= noise**2) | (penalties == xp.max(penalties))
    return xp.where(seen, scores, xp.inf)


def _at(xp, penalty, s, Vt, z, samples):
    """The weights for the penalty that was chosen."""
    if xp is np:
        return _along_path(s, Vt, z, penalty)
    # its derivative is exact also where a weight of samples is 0
    X, y, _ = _without_means(jnp, *samples)
    return ridge(X, y, penalty, samples[2])


def _along_path(s, Vt, z, penalty):
    return ((s / (s**2 + penalty))[:, None] * z).T @ Vt


def _solution(W, means, penalty, scores, solver) -> Solution:
    mean_x, mean_y, _ = means
    return Solution(W, mean_y - W @ mean_x, penalty, scores, solver)


def _check_penalties(name, value) -> None:
    several = name == "penalties"
    if np.ndim(value) != several:
        what = "an array of positive numbers to choose among" if several else "one positive number"
        raise ValueError(f"{name} must be {what}, got {value!r}")
    if known(value):
        if not _is_real(value):
            what = "numbers" if several else "a number"
            raise TypeError(f"{name} must be {what}, got {value!r}")
        values = np.asarray(value, float)
        if not (np.all(values > 0) and np.all(np.isfinite(values)) and np.size(values) > 0):
            raise ValueError(f"{name} must be positive, got {value}")
