"""A circuit near one state: Jacobian, eigenvalues, and the matrices of its linear model."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from neurojax.core.precision import unrounded
from neurojax.core.vector_field import is_float

from ._field import field_of
from ._spectra import eigenvalues_of


@unrounded
def jacobian(
    circuit: Any, state: Any, inputs: Any = None, *, dt: float | None = None
) -> Float[Array, "n n"]:
    r"""The Jacobian $J_{ij} = \partial \dot x_i / \partial x_j$ at a state; differentiable.

    Arguments:
        circuit: a `Dynamics`.
        state: one state; its floating-point leaves one after the other are x.
        inputs: dictionary of constant arrays.
        dt: step in ms: then the Jacobian of the map `step`, which discrete circuits need.

    Raises:
        ValueError: for a discrete circuit without `dt`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Spring(nj.ContinuousDynamics):
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None):
        ...         return jnp.zeros(2)
        ...
        ...     def drift(self, t, state, inputs):
        ...         return jnp.stack([state[1], -2.0 * state[0]])
        >>> jacobian(Spring(), jnp.ones(2)).tolist()
        [[0.0, 1.0], [-2.0, 0.0]]
    """
    field = field_of(circuit, state, inputs, dt)
    return jax.jacrev(field if dt is None else field.after)(field.flat(field.template))


@unrounded
def eigenvalues(
    circuit: Any, state: Any, inputs: Any = None, *, dt: float | None = None
) -> Complex[np.ndarray, " n"]:
    """The eigenvalues of the Jacobian at a state, those with the largest real part first.

    Arguments:
        circuit: a `Dynamics`.
        state: one state.
        inputs: dictionary of constant arrays.
        dt: step in ms: then of the map `step`.

    Returns:
        Per ms for a flow (time constants are -1 / real part), plain numbers for a map.

    Raises:
        ValueError: for a discrete circuit without `dt`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Rotation(nj.ContinuousDynamics):
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None):
        ...         return jnp.zeros(2)
        ...
        ...     def drift(self, t, state, inputs):
        ...         return jnp.stack([state[1], -state[0]])
        >>> eigenvalues(Rotation(), jnp.zeros(2)).imag.tolist()
        [1.0, -1.0]
    """
    return eigenvalues_of(jacobian(circuit, state, inputs, dt=dt))


class Linearisation(NamedTuple):
    """The matrices of `linearise`.

    Arguments:
        A: the Jacobian by the state, shape (n, n), per ms for a flow.
        B: the Jacobian by each input, shape (n, size of the input).
        offset: the rate of change (what a step changes, for a map) there, shape (n,).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.RateRNN(3, tau=10.0)
        >>> nj.analysis.dynamics.linearise(circuit, {"x": jnp.zeros(3)}).A.shape
        (3, 3)
    """

    A: Array
    B: dict[str, Array]
    offset: Array


@unrounded
def linearise(
    circuit: Any, state: Any, inputs: Any = None, *, dt: float | None = None
) -> Linearisation:
    r"""The linear model of a circuit about a state and constant inputs.

    $$\delta\dot x = A\,\delta x + \sum_k B_k\,\delta u_k + F, \qquad
      A = \partial F/\partial x, \quad B_k = \partial F / \partial u_k$$

    With `dt` the same of the map, $\delta x' = A\,\delta x + B\,\delta u + F$, with F what a step
    changes.

    Arguments:
        circuit: a `Dynamics`.
        state: one state.
        inputs: dictionary of constant arrays, about which it is linearised; inputs that are not
            given have no B.
        dt: step in ms of a map.

    Returns:
        `A` (n, n), `B` with one matrix (n, size) per input, and `offset` = F, zero at a fixed
        point.

    Raises:
        ValueError: for a discrete circuit without `dt`.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> class Leak(nj.ContinuousDynamics):
        ...     solver: nj.solvers.AbstractStepper = nj.solvers.Euler()
        ...
        ...     def init_state(self, *, key=None):
        ...         return jnp.zeros(1)
        ...
        ...     def drift(self, t, state, inputs):
        ...         return -state + 3.0 * inputs["u"]
        >>> linear = linearise(Leak(), jnp.zeros(1), {"u": jnp.zeros(1)})
        >>> linear.A.tolist(), linear.B["u"].tolist()
        ([[-1.0]], [[3.0]])
    """
    field = field_of(circuit, state, inputs, dt)
    flat = field.flat(field.template)
    given = {
        name: value if is_float(value) else value.astype(flat.dtype)
        for name, value in field.inputs.items()
    }
    A = jax.jacrev(field if dt is None else field.after)(flat)
    B = jax.jacfwd(lambda u: field.with_inputs(u)(flat))(given) if given else {}
    flat_B = {name: jnp.reshape(value, (flat.size, -1)) for name, value in B.items()}
    return Linearisation(A, flat_B, field(flat))
