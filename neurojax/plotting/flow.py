"""Trajectories of a circuit in a plane, with its fixed points."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import GREY, ORANGE, VERMILION, dark, new_axes, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def flow(
    trajectories: Any,
    points: Any = None,
    *,
    plane: Any = None,
    labels: tuple[str, str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw trajectories in a plane, with stable points filled, unstable ones open, slow ones small.

    A cross in an open point is a saddle with one unstable direction: a gate between two basins.

    Arguments:
        trajectories: (time, n) or (trial, time, n).
        points: the `FixedPoints` of `neurojax.analysis.dynamics.fixed_points`, of the same n
            variables, with spectra.
        plane: (2, n), two directions that states are projected on; default the first two
            principal components of the trajectories, about their mean.
        labels: of the two axes.
        ax: where to draw; by default a new figure.

    Returns:
        The axes drawn on.

    Raises:
        ValueError: for shapes that do not fit together.

    Example:
        >>> import numpy as np
        >>> angle = np.linspace(0.0, 6.0, 50)
        >>> ax = flow(np.stack([np.cos(angle), np.sin(angle), 0.1 * angle], axis=1))
        >>> ax.get_xlabel()
        'component 1'
    """
    paths = np.asarray(trajectories, float)
    if paths.ndim not in (2, 3) or paths.shape[-1] < 2 or not paths.size:
        raise ValueError(
            "trajectories must have shape (time, n) or (trial, time, n) with n of at least 2 and "
            f"one time at least, got {paths.shape}"
        )
    if labels is not None and (isinstance(labels, str) or len(labels) != 2):
        raise ValueError(f"labels must be two, one for each axis, got {labels!r}")
    paths = paths.reshape(-1, *paths.shape[-2:])
    n = paths.shape[-1]
    centre, plane, names = _plane(paths, plane)
    if ax is None:
        ax = new_axes(4.6, 4.2)
    for path in paths:
        line = (path - centre) @ plane.T
        ax.plot(*line.T, color=GREY, linewidth=0.6, alpha=0.7, zorder=1)
    if points is not None:
        _draw_points(ax, points, n, centre, plane)
    x, y = names if labels is None else labels
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    open_frame(ax, "left", "bottom")
    return ax


def _plane(paths, plane):
    """What is subtracted, the two directions, and what the axes are called."""
    n = paths.shape[-1]
    if plane is not None:
        plane = np.asarray(plane, float)
        if plane.shape != (2, n):
            raise ValueError(f"plane must have shape (2, {n}), got {plane.shape}")
        return np.zeros(n), plane, ("direction 1", "direction 2")
    rows = paths.reshape(-1, n)
    if not np.all(np.isfinite(rows)):
        raise ValueError(
            "trajectories must be finite for their principal components to be found; there is a "
            "NaN or an infinity: leave it out, or give plane="
        )
    centre = rows.mean(axis=0)
    values, vectors = np.linalg.eigh((rows - centre).T @ (rows - centre))
    plane = vectors[:, np.argsort(values)[:-3:-1]].T
    # the same side at every call
    plane = plane * np.sign(plane[np.arange(2), np.argmax(np.abs(plane), axis=1)])[:, None]
    return centre, plane, ("component 1", "component 2")


def _draw_points(ax, points, n: int, centre, plane) -> None:
    import jax

    count = len(points)
    leaves = [np.asarray(x) for x in jax.tree.leaves(points.states)]
    rows = [x.reshape(count, -1) for x in leaves if np.issubdtype(x.dtype, np.floating)]
    states = np.concatenate(rows, axis=1).astype(float)
    if states.shape[1] != n:
        raise ValueError(f"points have {states.shape[1]} variables, the trajectories {n}")
    where = (states - centre) @ plane.T
    converged, stable = np.asarray(points.converged), np.asarray(points.stable)
    gate = converged & ~stable & (points.unstable_directions == 1)
    open_dot = {"facecolor": ax.get_facecolor(), "edgecolor": VERMILION}
    kinds = (
        ("slow", ~converged, {"marker": ".", "color": ORANGE, "s": 14, "zorder": 2}),
        ("stable", converged & stable, {"color": dark(), "s": 36, "zorder": 4}),
        ("unstable", converged & ~stable, {"s": 36, "zorder": 3, **open_dot}),
        ("saddle, one direction", gate, {"marker": "x", "color": VERMILION, "s": 14, "zorder": 4}),
    )
    for name, which, look in kinds:
        if which.any():
            ax.scatter(*where[which].T, label=name, **look)
    if count:
        ax.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
