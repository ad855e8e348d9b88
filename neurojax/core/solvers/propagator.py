"""The exact propagator of linear dynamics."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from ..structure import is_affine, local_jacobian, of_one_neuron
from .base import AbstractStepper

_LARGEST = 2048  # variables of a coupled system whose matrix exponential is still formed
_DOUBLINGS, _TERMS = 6, 18
_SMALL = 64.0  # of A dt, up to which that many suffice in double precision
_MORE = 14  # doublings, up to 1e6 of A dt; JAX's exponential is NaN beyond 7e5


class Propagator(AbstractStepper):
    r"""Exact for linear dynamics $\dot y = A y + B u$ with inputs constant over a step.

    $y + \left(\int_0^{dt} e^{A s} ds\right) f(y)$, by the matrix exponential of the step, also
    where $A$ is singular or has repeated eigenvalues. For cells (an elementwise drift) one small
    matrix per neuron couples its variables, or one for all where no parameter differs between
    them; a coupled circuit gets one dense matrix.
    The matrices are computed once per run. Time steps limit only the resolution of the inputs.

    Arguments:
        local: the matrices of cells, made by `prepare`; leave it out.
        dense: the matrix of a coupled circuit, made by `prepare`; leave it out.

    Raises:
        ValueError: if the drift is not affine in state and inputs together, or a coupled
            system has more than 2048 variables.

    Example:
        >>> import neurojax as nj
        >>> y = nj.solvers.Propagator().advance(lambda t, y, args: -y, 0.0, 1.0, 1.0, None)
        >>> round(float(y), 6)
        0.367879
    """

    order: ClassVar[int] = 1  # of held inputs; exact in the state
    holds_inputs: ClassVar[bool] = True
    local: Array | None = None
    dense: Array | None = None

    def prepare(self, f, t, dt, y, args) -> "Propagator":
        """Form the matrices for a step of `dt` ms."""
        if not is_affine(f, t, y, args):
            raise ValueError(
                "Propagator is exact for linear dynamics only, and this drift is not affine in "
                "its state and inputs; use solver=nj.solvers.Heun() or RungeKutta4()"
            )
        matrices = local_jacobian(f, t, y, args)
        if matrices is not None:
            if (one := of_one_neuron(f, t, y, args)) is not None:
                alike, first, given = one
                found = local_jacobian(alike, t, first, given)
                matrices = matrices if found is None else found[0]
            # neurons last: a step reads each entry of all matrices in one piece
            return Propagator(local=jnp.moveaxis(_step_integral(matrices, dt), (-2, -1), (0, 1)))
        flat, unravel = ravel_pytree(y)
        if flat.size > _LARGEST:
            raise ValueError(
                f"Propagator would need a dense {flat.size} x {flat.size} matrix exponential "
                f"(limit {_LARGEST}); use solver=nj.solvers.Heun()"
            )
        slope = lambda v: ravel_pytree(f(t, unravel(v), args))[0]
        return Propagator(dense=_step_integral(jax.jacfwd(slope)(flat), dt))

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        if self.local is None and self.dense is None:
            return self.prepare(f, t, dt, y, args).advance(f, t, dt, y, args)
        if self.dense is not None:
            slope, _ = ravel_pytree(f(t, y, args))
            flat, unravel = ravel_pytree(y)
            return unravel(flat + jnp.matmul(self.dense, slope, precision="highest"))
        local: Any = self.local
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, y))
        slopes = jax.tree.leaves(f(t, y, args))
        moved = [
            leaf + sum(local[i, j] * slope for j, slope in enumerate(slopes))
            for i, leaf in enumerate(leaves)
        ]
        return jax.tree.unflatten(tree, moved)


@jax.custom_jvp
def _step_integral(A, dt):
    """The integral of exp(A s) over a step, of one matrix or of many small ones."""
    if A.ndim == 2:
        return _by_exponential(A, dt)
    # thousands of exponentials of small matrices are slow, also one by one in a batch
    size = jnp.max(jnp.sum(jnp.abs(A), axis=-1), initial=0.0) * dt
    return jax.lax.cond(size < _SMALL, _by_doubling, _by_exponential, A, dt)


@_step_integral.defjvp
def _step_integral_slope(primals, tangents):
    """By sums and products alone: of a branch that differs within a batch JAX has no transpose.

    The rule of a whole run is such a place (`with_rule`), and an exponential has such branches.
    """
    A, dt = primals
    size = jnp.max(jnp.sum(jnp.abs(A), axis=-2), initial=0.0) * jnp.abs(dt)
    more = jnp.sum(size > _SMALL * 2.0 ** np.arange(_MORE))
    _, slope = jax.jvp(lambda A, dt: _in_loops(A, dt, _DOUBLINGS + more), primals, tangents)
    return _step_integral(A, dt), slope


def _by_doubling(A, dt):
    """By the Taylor series of a part of the step, and P(2h) = 2 P(h) + P(h) A P(h)."""
    shape, A, eye, times = _with_products(A)
    h = dt / 2**_DOUBLINGS
    P = eye
    for n in reversed(range(2, _TERMS + 1)):
        P = eye + times(A, P) * (h / n)
    P = P * h
    for _ in range(_DOUBLINGS):
        P = 2.0 * P + times(P, times(A, P))
    return jnp.moveaxis(P, -1, 0).reshape(shape)


def _in_loops(A, dt, doublings):
    """As `_by_doubling`, of any size: its derivative is compiled in a fraction of the time."""
    kind = jnp.result_type(A, dt)
    shape, A, eye, times = _with_products(A.astype(kind))
    h = jnp.asarray(dt, kind) / 2.0 ** doublings.astype(kind)
    term = lambda P, n: (eye + times(A, P) * (h / n), None)
    P, _ = jax.lax.scan(term, eye + A * (h / _TERMS), jnp.arange(_TERMS - 1, 1, -1, kind))

    def double(P, i):
        Q = jnp.where(i < doublings, P, 0.0)  # beyond the step it may become infinite
        return P + (Q + times(Q, times(A, Q))), None

    P, _ = jax.lax.scan(double, P * h, jnp.arange(_DOUBLINGS + _MORE))
    return P if len(shape) == 2 else jnp.moveaxis(P, -1, 0).reshape(shape)


def _with_products(A):
    """The shape of A, A as it is multiplied, its unit matrix, and the product."""
    shape, eye = A.shape, jnp.eye(A.shape[-1], dtype=A.dtype)
    if A.ndim == 2:
        return shape, A, eye, lambda X, Y: jnp.matmul(X, Y, precision="highest")
    # a product of all matrices is a sum of products of long arrays
    A = jnp.moveaxis(A.reshape(-1, *shape[-2:]), 0, -1)
    times = lambda X, Y: sum(X[:, i, None] * Y[None, i] for i in range(A.shape[0]))
    return shape, A, jnp.broadcast_to(eye[:, :, None], A.shape), times


def _by_exponential(A, dt):
    """From one exponential of a block matrix."""
    n = A.shape[-1]
    eye = jnp.broadcast_to(jnp.eye(n, dtype=A.dtype), A.shape)
    top = jnp.concatenate([A * dt, eye * dt], axis=-1)
    block = jnp.concatenate([top, jnp.zeros_like(top)], axis=-2)
    return jax.scipy.linalg.expm(block)[..., :n, n:]
