"""Stopping a read-out as soon as it is sure: fewer steps at nearly the same accuracy."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurojax.circuits.recurrent import check_finite
from neurojax.core.tracing import known

_HOTTEST, _COLDEST = 1e4, 1e-4  # bounds of the temperature


@final
class Exits(eqx.Module):
    """When each trial was decided, and how.

    Arguments:
        steps: number of steps that were used, from 1, shape (trials,).
        predictions: the class, shape (trials,).

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import Exits
        >>> exits = Exits(jnp.array([1, 3]), jnp.array([0, 1]))
        >>> float(exits.accuracy([0, 0]))
        0.5
    """

    steps: Int[Array, "*trials"]
    predictions: Int[Array, "*trials"]

    def accuracy(self, labels: Any) -> Array:
        """Share of trials whose prediction is right."""
        labels = _numbers(labels)
        if labels.shape != self.predictions.shape:
            raise ValueError(
                f"labels must have shape {self.predictions.shape}, one per trial, got "
                f"{labels.shape}"
            )
        return jnp.mean((self.predictions == labels).astype(float))


@final
class EarlyExit(eqx.Module):
    r"""Outputs are summed up until the most likely class is likely enough.

    With $U_t = \sum_{s \le t} y_s$ the decision is taken at the first step with

    $$\max_k \mathrm{softmax}(U_t / \alpha_t)_k > \theta,$$

    and at the last step if there is none; the class is that of the largest $U_t$.

    Arguments:
        temperature: $\alpha_t$ of each step, shape (time,), such as `calibrated_temperature`.
        threshold: $\theta$.
        front: the trade that the calibration found, as rows (threshold, mean steps, accuracy) from
            few steps to many; no other threshold is both faster and more often right.

    Source: Li, Jones and Furber (2023), ICCV, "Unleashing the potential of spiking neural networks
    with dynamic confidence".

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import EarlyExit
        >>> outputs = jnp.array([[[3.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
        >>> exits = EarlyExit(jnp.ones(2), jnp.array(0.9))(outputs)
        >>> exits.steps.tolist(), exits.predictions.tolist()
        ([1, 2], [0, 1])
    """

    temperature: Float[Array, " time"]
    threshold: Float[Array, ""]
    front: Float[Array, "points 3"] | None = None

    def __call__(self, outputs: Any) -> Exits:
        """The decisions for outputs of each step, shape (..., time, classes)."""
        check_finite("outputs", outputs)
        sums = _summed(outputs)
        if sums.shape[-2] != self.temperature.shape[0]:
            raise ValueError(
                f"outputs have {sums.shape[-2]} steps, the temperatures {self.temperature.shape[0]}"
            )
        return _exits(_best(sums), confidence(sums, self.temperature), self.threshold)


def confidence(sums: Any, temperature: Any = 1.0) -> Float[Array, "... time"]:
    r"""The largest probability, $\max_k \mathrm{softmax}(U / \alpha)_k$.

    Arguments:
        sums: U, shape (..., time, classes).
        temperature: $\alpha$, a number or one for each step.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import confidence
        >>> round(float(confidence(jnp.array([[2.0, 0.0]]), 2.0)[0]), 4)  # 1 / (1 + exp(-1))
        0.7311
    """
    sums = jnp.asarray(sums, float)
    cool = jnp.broadcast_to(jnp.asarray(temperature, float), sums.shape[-2:-1])[:, None]
    scaled = sums / jnp.broadcast_to(cool, sums.shape)
    return jnp.max(jax.nn.softmax(scaled, axis=-1), axis=-1)


@eqx.filter_jit
def calibrated_temperature(outputs: Any, labels: Any) -> Float[Array, " time"]:
    r"""The temperature of each step that makes probabilities of held-out trials the most likely.

    $\alpha_t$ minimises $-\sum_b \log \mathrm{softmax}(U_t / \alpha_t)_{y_b}$, which is convex in
    $1 / \alpha_t$; between 1e-4 and 1e4. It changes no decision about the class.

    Arguments:
        outputs: of each step, shape (trials, time, classes), of trials that trained nothing.
        labels: classes as whole numbers from 0, shape (trials,).

    Source: Guo et al. (2017), ICML, arXiv:1706.04599.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import calibrated_temperature
        >>> outputs = jnp.tile(jnp.array([[[5.0, 0.0]]]), (4, 1, 1))  # sure, but right in 3 of 4
        >>> temperature = calibrated_temperature(outputs, jnp.array([0, 0, 0, 1]))
        >>> round(float(temperature[0]), 2)  # 5 / log 3
        4.55
    """
    outputs, labels = checked(outputs, labels)
    sums = _summed(outputs)
    right = jnp.take_along_axis(sums, labels[:, None, None], axis=-1)[..., 0]

    def slope(log_inverse):
        """The derivative of the loss by the inverse temperature of each step; it rises with it."""
        p = jax.nn.softmax(sums * jnp.exp(log_inverse)[None, :, None], axis=-1)
        return jnp.sum(jnp.sum(p * sums, axis=-1) - right, axis=0)

    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        rises = slope(middle) > 0
        return jnp.where(rises, low, middle), jnp.where(rises, middle, high)

    ends = jnp.log(jnp.array([1.0 / _HOTTEST, 1.0 / _COLDEST], sums.dtype))
    start = tuple(jnp.full(sums.shape[1], end) for end in ends)
    low, high = jax.lax.fori_loop(0, 60, halve, start)
    return jnp.exp(-0.5 * (low + high))


def fit_early_exit(
    outputs: Any, labels: Any, *, loss: float | int = 0.005, thresholds: Any = None
) -> EarlyExit:
    """Temperature and threshold from trials that trained nothing.

    Of the thresholds whose accuracy is at most `loss` below that of deciding at the last step, the
    one with the fewest steps is taken. What it does on other trials is to be measured on those.

    Arguments:
        outputs: of each step, shape (trials, time, classes).
        labels: classes as whole numbers from 0, shape (trials,).
        loss: of accuracy that is accepted, as a share.
        thresholds: what is tried; default 0 to 1 in steps of 0.002 and, so that the last step
            remains possible, 1.

    Raises:
        ValueError: for shapes that do not fit, outputs or thresholds that are not finite, a label
            that is no class, or a loss outside 0 to 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import fit_early_exit
        >>> labels = jnp.arange(200) % 2
        >>> noise = jax.random.normal(jax.random.key(0), (200, 20, 2))
        >>> outputs = noise + 1.0 * jax.nn.one_hot(labels, 2)[:, None, :]
        >>> exits = fit_early_exit(outputs, labels)(outputs)
        >>> bool(exits.steps.mean() < 15), bool(exits.accuracy(labels) > 0.99)
        (True, True)
    """
    if not 0 <= loss <= 1:
        raise ValueError(f"loss must lie between 0 and 1 (a share of trials), got {loss}")
    outputs, labels = checked(outputs, labels)
    tried = np.linspace(0.0, 1.0, 501) if thresholds is None else _thresholds(thresholds)
    temperature = calibrated_temperature(outputs, labels)
    steps, accuracy, final = (
        np.asarray(x) for x in _trade(outputs, labels, temperature, jnp.asarray(tried))
    )
    # sorted by steps, then the better ones first: a point is on the front if it beats all before
    order = np.lexsort((-accuracy, steps))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order][:-1]]))
    front = order[accuracy[order] > best]
    good = [i for i in front if accuracy[i] >= final - loss - 1e-12]
    if not good:
        raise ValueError(
            f"none of the thresholds loses at most {loss:g} of the accuracy {final:g} of the last "
            "step: allow more, or give higher thresholds"
        )
    points = np.stack([tried[front], steps[front], accuracy[front]], axis=1)
    return EarlyExit(temperature, jnp.asarray(tried[good[0]]), jnp.asarray(points))


def _thresholds(given) -> np.ndarray:
    check_finite("thresholds", np.asarray(given))
    if np.ndim(given) != 1 or np.size(given) == 0:
        raise ValueError(f"thresholds must be a list of numbers to choose among, got {given!r}")
    return np.asarray(given, float)


def oracle_exits(outputs: Any, labels: Any) -> Exits:
    """The bound of every rule: each trial stops at the first step that is right.

    A trial that is never right takes all steps.

    Arguments:
        outputs: of each step, shape (trials, time, classes).
        labels: classes as whole numbers from 0, shape (trials,).

    Raises:
        ValueError: for shapes that do not fit, outputs that are not finite, or a label that is no
            class.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.early_exit import oracle_exits
        >>> outputs = jnp.array([[[1.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [1.0, 0.0]]])
        >>> exits = oracle_exits(outputs, jnp.array([1, 1]))
        >>> exits.steps.tolist(), exits.predictions.tolist()
        ([2, 2], [1, 0])
    """
    outputs, labels = checked(outputs, labels)
    sums = _summed(outputs)
    best = _best(sums)
    return _exits(best, (best == labels[:, None]).astype(sums.dtype), 0.5)


def checked(outputs: Any, labels: Any) -> tuple[Array, Array]:
    """Outputs (trials, time, classes) and labels (trials,) that fit together, as arrays."""
    outputs, labels = jnp.asarray(outputs, float), _numbers(labels)
    if outputs.ndim != 3 or 0 in outputs.shape:
        raise ValueError(f"outputs must have shape (trials, time, classes), got {outputs.shape}")
    check_finite("outputs", outputs)
    if labels.shape != outputs.shape[:1] or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"labels must be whole numbers of shape {outputs.shape[:1]}, one per trial, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    if known(labels):
        low, high = int(np.min(labels)), int(np.max(labels))
        if low < 0 or high >= outputs.shape[-1]:
            raise ValueError(
                f"labels must lie between 0 and {outputs.shape[-1] - 1}, the classes of the "
                f"outputs, got {low} to {high}"
            )
    return outputs, labels


def _numbers(labels):
    """Labels as numbers; names say nothing about the order of the outputs."""
    kind = np.asarray(labels).dtype if known(*jax.tree.leaves(labels)) else None
    if kind is not None and kind.kind in "USO":
        raise TypeError(
            f"labels must be whole numbers, the places of the classes in the outputs, got {kind}: "
            "those of names are np.searchsorted(readout.classes, labels)"
        )
    return jnp.asarray(labels)


def _summed(outputs):
    return jnp.cumsum(jnp.asarray(outputs, float), axis=-2)


def _best(sums):
    return jnp.argmax(sums, axis=-1)


def _exits(best, sure, threshold) -> Exits:
    """Stop at the first step that is sure enough, or at the last one."""
    last = best.shape[-1] - 1
    enough = sure > threshold
    step = jnp.where(jnp.any(enough, axis=-1), jnp.argmax(enough, axis=-1), last)
    there = jnp.take_along_axis(best, step[..., None], axis=-1)[..., 0]
    return Exits(step + 1, there)


@eqx.filter_jit
def _trade(outputs, labels, temperature, thresholds):
    """Mean steps and accuracy of each threshold, and the accuracy of the last step."""
    sums = _summed(outputs)
    best, sure = _best(sums), confidence(sums, temperature)

    def one(threshold):
        exits = _exits(best, sure, threshold)
        return jnp.mean(exits.steps.astype(sums.dtype)), exits.accuracy(labels)

    final = _exits(best, sure, jnp.inf).accuracy(labels)
    return (*jax.lax.map(one, thresholds), final)
