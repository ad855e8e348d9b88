"""How weights are distributed."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameter_checks import check_count
from neurojax.synapses.receptor import AbstractReceptor

from ._axes import LINES, colours, inches, new_axes, open_frame
from ._synapses import weights_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.22  # height of a row of a legend in inches, for letters of 10 points
_FEW = 4  # the most rows of such a legend; a longer one is wider and has smaller letters


def weight_histogram(
    weights: Any,
    *,
    bins: int = 50,
    unit: str | None = None,
    log: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the distribution of weights; several sets are drawn over each other in the same bins.

    Arguments:
        weights: an array, a projection of a network (`net.projections["E->I:exc"]`), a network
            for all of its projections, or a dictionary by name, such as before and after learning.
        bins: number of bins.
        unit: of the weights, for the axis; default: that of the receptors of a network, if they
            have the same, else none.
        log: whether the counts are on a logarithmic scale.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: there is no weight, or one is not finite.
        TypeError: for what holds no weights.

    Example:
        >>> import numpy as np
        >>> ax = weight_histogram({"before": np.ones(10), "after": np.linspace(0.0, 2.0, 10)})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['before (10)', 'after (10)']
    """
    check_count("bins", bins)
    if hasattr(weights, "projections"):
        unit = _unit(weights) if unit is None else unit
        weights = weights.projections
    sets = weights if isinstance(weights, dict) else {"": weights}
    read = lambda values: weights_of(values) if hasattr(values, "edges") else values
    sets = {str(name): _numbers(read(x)) for name, x in sets.items()}
    if not any(len(values) for values in sets.values()):
        raise ValueError("there is no weight to draw")
    for name, values in sets.items():
        if not np.all(np.isfinite(values)):
            which = f"weights {name!r}" if name else "weights"
            raise ValueError(f"{which} must be finite; there is a NaN or an infinity")
    edges = np.histogram_bin_edges(np.concatenate(list(sets.values())), bins)
    many = len(sets) > _FEW * _in_a_row(sets, 5.0)
    size = 8.0 if many else 10.0
    if ax is None:
        width = 9.0 if many else 5.6
        columns = _in_a_row(sets, width - 0.6, size)
        rows = -(-len(sets) // columns)
        ax = new_axes(width, 3.4 + _ROW * 0.1 * size * (rows - 1))
    else:
        columns = _in_a_row(sets, inches(ax)[0], size)
    several = colours()
    for k, (name, values) in enumerate(sets.items()):
        counts, _ = np.histogram(values, edges)
        colour, line = several[k % len(several)], LINES[k // len(several) % len(LINES)]
        ax.stairs(counts, edges, fill=True, color=colour, alpha=0.3)
        label = f"{name} ({len(values)})"
        ax.stairs(counts, edges, color=colour, linewidth=1.2, linestyle=line, label=label)
    if log:
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.7)
    else:
        ax.set_ylim(bottom=0.0)
    if any(sets):
        ax.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns,
            fontsize=size if many else None,
        )  # fmt: skip
    ax.set_xlabel(f"weight ({unit})" if unit else "weight")
    ax.set_ylabel("synapses")
    open_frame(ax, "left", "bottom")
    return ax


def _numbers(values) -> np.ndarray:
    try:
        return np.ravel(np.asarray(values, float))
    except (TypeError, ValueError):
        raise TypeError(
            "weights must be an array, a projection of a network, a network or a dictionary of "
            f"these, got {type(values).__name__}; those that were learned are "
            "net.weights(sim.final_state, name)"
        ) from None


def _in_a_row(sets: dict[str, np.ndarray], width: float, size: float = 10.0) -> int:
    """How many names of sets stand beside each other in a legend as wide as this (inches)."""
    longest = max(len(f"{name} ({len(values)})") for name, values in sets.items())
    return int(np.clip(width / (0.1 * size * (0.09 * longest + 0.6)), 1, len(sets)))


def _unit(network: Any) -> str | None:
    """The unit that the weights of all projections have; `None` if there are several."""
    units = set()
    for synapses in network.projections.values():
        for name, _ in synapses.target:
            receptor = getattr(network.populations[name], "receptors", {}).get(synapses.port)
            units.add(None if receptor is None else _unit_of(receptor))
    return units.pop() if len(units) == 1 else None


def _unit_of(receptor: AbstractReceptor) -> str:
    if receptor.is_conductance:
        return "nS"
    return "pA" if receptor.jump(jnp.zeros(1)) is None else "mV"
