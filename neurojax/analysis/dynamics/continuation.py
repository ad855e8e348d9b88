"""A fixed point followed along an input."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.precision import unrounded

from ._field import constant, field_of
from ._search import newton_path
from ._spectra import eigenvalues_of, is_stable
from .fixed_points import states_of


@final
class Branch(eqx.Module):
    """A fixed point at each step of a path of inputs; made by `continuation`.

    Arguments:
        states: the points, with a leading axis over the path.
        speeds: |F|^2 / 2 at each.
        converged: whether Newton's method arrived; once it has not, the rest is not to be read.
        eigenvalues: (step, n), the least stable first.
        stable: whether each point is stable.

    Example:
        >>> import numpy as np
        >>> Branch({"x": np.zeros((1, 1))}, np.zeros(1), np.ones(1, bool), -np.ones((1, 1)),
        ...        np.ones(1, bool)).stable.all()
        np.True_
    """  # fmt: skip

    states: Any
    speeds: Any
    converged: Any
    eigenvalues: Any
    stable: Any


@unrounded
def continuation(
    circuit: Any,
    point: Any,
    path: dict[str, Any],
    *,
    inputs: Any = None,
    dt: float | None = None,
    tolerance: float | None = None,
) -> Branch:
    r"""Follow a fixed point along a path of inputs, with its stability at each step.

    At each step Newton's method starts from the point before, moved by the tangent

    $$\delta x = -J^{-1}\,[F(x, u_{k+1}) - F(x, u_k)].$$

    A branch is followed past a change of stability; where it folds back, `converged` becomes
    false.

    Arguments:
        circuit: a `Dynamics`.
        point: a state near the fixed point under the first inputs of the path.
        path: the inputs that change, each with a leading axis over the steps.
        inputs: the inputs that do not change.
        dt: step in ms of a map; `None` for a flow.
        tolerance: converged where $|F| \le$ tolerance times the size of the Jacobian (root mean
            square of its singular values) times $\max(|x|, 1)$. Default 1e-10 in 64 bits, 1e-5
            in 32 bits.

    Returns:
        A `Branch`.

    Raises:
        ValueError: for a path without a common first axis, or a discrete circuit without `dt`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Leak(nj.ContinuousDynamics):
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None):
        ...         return jnp.zeros(1)
        ...
        ...     def drift(self, t, state, inputs):
        ...         return inputs["u"] - state
        >>> branch = continuation(Leak(), jnp.zeros(1), {"u": jnp.linspace(0.0, 1.0, 5)[:, None]})
        >>> branch.states[:, 0].tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    path = constant(path)
    lengths = {x.shape[0] if x.ndim else 0 for x in jax.tree.leaves(path)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError("every input of path needs the same first axis over the steps")
    fixed = constant(inputs)
    first = jax.tree.map(lambda x: x[0], path)
    field = field_of(circuit, point, {**fixed, **first}, dt)
    flat = field.flat(field.template)
    fields = lambda k: field.with_inputs({**fixed, **jax.tree.map(lambda x: x[k], path)})
    if tolerance is None:
        tolerance = 1e-10 if flat.dtype == jnp.float64 else 1e-5
    along = [fields(k).inputs for k in range(int(lengths.pop()))]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *along)
    found = newton_path(field, flat, stacked)
    points, speeds, jacobians = (np.asarray(x) for x in found)
    scale = np.sqrt(np.mean(np.sum(jacobians**2, axis=2), axis=1))
    size = np.maximum(np.linalg.norm(points, axis=1), 1.0)
    matrices = jacobians if dt is None else jacobians + np.eye(points.shape[1])
    finite = np.isfinite(matrices).all(axis=(1, 2))
    values = eigenvalues_of(np.where(finite[:, None, None], matrices, 0.0))
    values[~finite] = np.nan
    return Branch(
        states_of(field, points),
        0.5 * speeds.astype(float) ** 2,
        speeds <= tolerance * scale * size,
        values,
        is_stable(values, dt is not None),
    )
