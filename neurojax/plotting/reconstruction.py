"""Hidden neurons as a fitted circuit sees them, over what was recorded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurojax.fitting import Fit
from neurojax.fitting.scores import pearson_r

from ._axes import BLUE, GREY, new_axes, open_frame
from ._given import check_given

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 6


def reconstruction(
    fit: Fit,
    animal: int | str = 0,
    neurons: Sequence[str] | None = None,
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw hidden neurons of an animal: recorded, and predicted from the neurons that were seen.

    The frames are the scored ones, which the fit did not use. The circuit is the one fitted to
    all animals. Both traces are in standard deviations of the training part; r is their
    correlation.

    Arguments:
        fit: what `neurojax.fit` returned.
        animal: its number or name.
        neurons: labels; by default six, evenly spaced from the best to the worst predicted, so
            that they are neither the best nor chosen by eye.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: nothing was scored, or there is no such animal or neuron.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:9])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> reconstruction(fit).get_xlabel()
        'time since the first scored frame (s)'
    """
    check_given("fit", fit, Fit, "what nj.fit returned")
    found = fit.reconstruction(_number(fit, animal))
    truth, predicted = found["truth"].T, found["predicted"].T
    there = np.isfinite(truth) & np.isfinite(predicted)
    scored = there.sum(axis=1) >= 2
    correlation = np.full(len(truth), np.nan)
    correlation[scored] = pearson_r(
        np.where(there, predicted, 0.0)[scored], np.where(there, truth, 0.0)[scored], there[scored]
    )
    rows = _rows(found["names"], correlation, neurons)
    if ax is None:
        ax = new_axes(8.5, 1.4 + 0.75 * len(rows))
    step = 6.0
    for k, row in enumerate(rows):
        shift = -k * step - np.nanmean(truth[row])
        ax.plot(found["time"], truth[row] + shift, color=GREY, linewidth=1.0,
                label="recorded" if k == 0 else None)  # fmt: skip
        ax.plot(found["time"], predicted[row] - np.nanmean(predicted[row]) - k * step, color=BLUE,
                linewidth=1.3, label="predicted while hidden" if k == 0 else None)  # fmt: skip
        ax.text(1.01, -k * step, f"r = {correlation[row]:.2f}", va="center", ha="left",
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.set_yticks([-k * step for k in range(len(rows))], [found["names"][row] for row in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(found["time"][0], found["time"][-1])
    ax.set_xlabel("time since the first scored frame (s)")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, borderaxespad=0)
    open_frame(ax, "bottom")
    return ax


def _number(fit: Fit, animal: int | str) -> int:
    animals = () if fit.protocol is None else fit.protocol.data.animals
    if isinstance(animal, str):
        if animal not in animals:
            raise ValueError(f"no animal {animal!r}; there are {list(animals)}")
        return animals.index(animal)
    if fit.protocol is not None and not 0 <= animal < len(animals):
        raise ValueError(f"animal must be a number from 0 to {len(animals) - 1}, got {animal}")
    return animal


def _rows(names: list[str], correlation: np.ndarray, neurons) -> list[int]:
    if neurons is not None:
        unknown = [n for n in neurons if n not in names]
        if unknown:
            raise ValueError(f"{unknown[0]!r} was not scored in this animal; scored: {names}")
        return [names.index(n) for n in neurons]
    ranked = np.argsort(-np.nan_to_num(correlation, nan=-2.0), kind="stable")
    count = min(_SHOWN, len(names))
    middle = (np.arange(count) + 0.5) * len(names) / count
    return [int(ranked[int(place)]) for place in middle]
