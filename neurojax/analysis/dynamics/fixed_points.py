"""Fixed and slow points of a circuit."""

from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.precision import unrounded
from neurojax.core.threads import one_blas_thread
from neurojax.core.vector_field import is_float

from ._bank import Bank, polished
from ._distinct import distinct
from ._ends import Settings, ends
from ._field import Field, field_of, flattened
from ._spectra import eigenvalues_of, is_stable
from .found import FixedPoints


@unrounded
def fixed_points(
    circuit: Any,
    starts: Any,
    *,
    inputs: Any = None,
    dt: float | None = None,
    tolerance: float | None = None,
    slow: float = 0.02,
    distance: float = 1e-3,
    max_steps: int = 100,
    spectra: bool = True,
    batch_size: int | None = None,
) -> FixedPoints:
    r"""The distinct points where a circuit stands still, or nearly, near where it has been.

    $$F(x) = 0, \qquad F = \dot x \text{ (flow)} \quad\text{or}\quad
      F = \mathrm{step}(x) - x \text{ (map)}$$

    From each start the speed $q = |F|^2/2$ is brought down by Levenberg-Marquardt steps,

    $$d = -J^\top (J J^\top + \lambda)^{-1} F,$$

    shortened along Powell's dogleg path where the whole step is too long, and repeated with the
    same $J$ while that pays. Both kinds of points are found, stable and unstable. Where $q$ has a
    minimum above zero the search ends in a *slow point*. The distinct ends are polished by
    Newton's method in the full precision; the matrix work of the search is in 32 bits.

    In circuits of 64 variables and more what is known by then helps: starts after the first 64 (or
    the first batch) try the Jacobian of the nearest known point, as long as each step halves $|F|$,
    and keep the result only if it arrives; so do those that are nearly there. Starts that crawl
    take Newton steps, solved by iterations with that Jacobian as preconditioner, and then one with
    their own at least. So the order of the starts may change `counts` a little.

    All tolerances are relative to the size of the starts, $s = \sqrt{\langle |x|^2 \rangle}$, and
    to the size $j$ of the Jacobian (the root mean square of its singular values), so that they
    depend on no units. This is a function of the host, not for use inside `jit`; another call
    with a circuit of the same size does not compile again, whatever its parameters and the number
    of starts.

    Arguments:
        circuit: a `Dynamics`.
        starts: states with a leading axis, for example of `sample_states`.
        inputs: dictionary of constant arrays.
        dt: the step in ms. With it the map `step` is searched, which discrete circuits need;
            without it the flow of a `ContinuousDynamics`. Noise is left out of a flow; a map may
            have none.
        tolerance: a point has converged where $|F| \le$ tolerance $\cdot\, j s$. Default 1e-11 in
            64 bits and 2e-6 in 32 bits.
        slow: a point that has not converged is slow where $|F| \le$ slow $\cdot\, j s$.
        distance: points closer than distance $\cdot\, s$ are one.
        max_steps: Levenberg-Marquardt and Newton steps from each start at most.
        spectra: whether to compute eigenvalues: for many points of a large circuit they take
            longer than the search.
        batch_size: starts that are searched at once. Default 1 on a CPU, where it is fastest, and
            256 elsewhere.

    Returns:
        The `FixedPoints`, those that most starts ended in first.

    Raises:
        ValueError: for a discrete circuit without `dt`, for starts without a first axis or not
            finite, for tolerances or numbers that are not positive.
        UnknownNameError: for an input that the circuit never reads.

    Source: Sussillo and Barak (2013), Neural Computation 25, 626; the steps after Levenberg,
        Marquardt, and Powell (1970).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Switch(nj.ContinuousDynamics):
        ...     gain: nj.Parameter = nj.parameter(2.0)
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None):
        ...         return {"x": jnp.zeros(1)}
        ...
        ...     def drift(self, t, state, inputs):
        ...         return {"x": jnp.tanh(self.gain * state["x"]) - state["x"]}
        >>> found = fixed_points(Switch(), {"x": jnp.linspace(-2.0, 2.0, 9)[:, None]})
        >>> len(found), int(found.stable.sum())
        (3, 2)
    """
    _positive(slow=slow, distance=distance, max_steps=max_steps)
    rows = flattened(starts)
    if not np.all(np.isfinite(np.asarray(rows))):
        raise ValueError("starts must be finite numbers; some are NaN or infinite")
    field = field_of(circuit, starts, inputs, dt, batched=True)
    if tolerance is None:
        tolerance = 1e-11 if rows.dtype == jnp.float64 else 2e-6
    _positive(tolerance=tolerance)
    if batch_size is None:
        batch_size = 1 if jax.default_backend() == "cpu" else 256
    _positive(batch_size=batch_size)
    batch = None if batch_size == 1 else int(batch_size)
    size = float(np.sqrt(np.mean(np.sum(np.asarray(rows, float) ** 2, axis=1)))) or 1.0
    bank = Bank(field, distance * size)
    settings = Settings(size, float(tolerance), int(max_steps), batch)
    small = rows.shape[1] <= 512
    with one_blas_thread() if small else nullcontext():
        found, speeds, goals = ends(bank, np.asarray(rows), settings)
    # a goal of zero or NaN: the first Jacobian was no number
    near = np.isfinite(speeds) & (speeds <= goals * (slow / tolerance))
    limits = (tolerance, slow, distance)
    return _settle(field, found[near], speeds[near], int(np.sum(~near)), size, limits, spectra)


def _settle(field: Field, found, speeds, lost: int, size: float, limits, spectra: bool):
    """Distinct points, polished; points that polishing brings together are one."""
    tolerance, slow, distance = limits
    leader = distinct(found, speeds, distance * size)
    chosen, members = np.unique(leader, return_inverse=True)
    counts = np.bincount(members, minlength=len(chosen))
    points, speeds, jacobians = polished(field, found[chosen])
    scale = np.sqrt(np.mean(np.sum(jacobians**2, axis=2), axis=1)) * size
    converged = speeds <= tolerance * scale
    # converged points lead, so that no slow one stands for them
    leader = distinct(points, np.where(converged, 0.0, speeds), distance * size)
    chosen, members = np.unique(leader, return_inverse=True)
    counts = np.bincount(members, counts, minlength=len(chosen)).astype(int)
    keep = speeds[chosen] <= slow * scale[chosen]
    lost = int(lost + counts[~keep].sum())
    chosen, counts = chosen[keep], counts[keep]
    order = np.lexsort((np.linalg.norm(points[chosen], axis=1), -counts))
    chosen, counts = chosen[order], counts[order]
    if spectra:
        matrices = jacobians[chosen]
        if field.dt is not None:
            matrices = matrices + np.eye(points.shape[1], dtype=matrices.dtype)
        values = eigenvalues_of(matrices)
        stable = is_stable(values, field.dt is not None)
    else:
        values = np.full((len(chosen), points.shape[1]), np.nan + 0j)
        stable = np.zeros(len(chosen), bool)
    return FixedPoints(
        states_of(field, points[chosen]),
        0.5 * speeds[chosen].astype(float) ** 2,
        converged[chosen],
        values,
        stable,
        counts,
        lost,
        field.dt is not None,
    )


def states_of(field: Field, points: np.ndarray):
    """Rows as states with a leading axis; leaves that are no floats are repeated."""
    leaves, tree = jax.tree.flatten(field.template)
    filled, begin = [], 0
    for leaf in leaves:
        shape = (len(points), *leaf.shape)
        if is_float(leaf):
            part = points[:, begin : begin + leaf.size].reshape(shape)
            filled.append(jnp.asarray(part, leaf.dtype))
            begin += leaf.size
        else:
            filled.append(jnp.broadcast_to(leaf, shape))
    return jax.tree.unflatten(tree, filled)


def _positive(**values) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not (np.ndim(value) == 0 and float(value) > 0):
            raise ValueError(f"{name} must be a positive number, got {value!r}")
