"""The Jacobian of a field, without products of matrices where it is plain to see.

Reverse mode multiplies the weights of a circuit by the unit matrix. In a circuit of rates the unit
matrix meets only factors of single units before it meets the weights, so the Jacobian is the
weights with scaled columns; here diagonal matrices stay diagonal as long as they are.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array, Float


def jacobian(field: Any, x: Float[Array, " n"]) -> Float[Array, "m n"]:
    """As `jax.jacrev(field)(x)`, without its product of matrices for circuits of rates."""
    _, push = jax.linearize(field, x)
    found = _read(jax.make_jaxpr(push)(x), x.size)
    return jax.jacrev(field)(x) if found is None else found.dense()


class _Linear(NamedTuple):
    """A linear function of the tangent: a full matrix, or the diagonal of one."""

    values: Array

    @property
    def diagonal(self) -> bool:
        return self.values.ndim == 1

    def dense(self) -> Array:
        return jnp.diag(self.values) if self.diagonal else self.values


def _read(closed, n: int) -> _Linear | None:
    """The function that a linear program computes, or `None` if it does anything uncommon."""
    program = closed.jaxpr
    known: dict[Any, Any] = dict(zip(program.constvars, closed.consts, strict=True))
    known[program.invars[0]] = _Linear(jnp.ones(n, program.invars[0].aval.dtype))
    for line in program.eqns:
        rule = _RULES.get(line.primitive.name)
        given = [v.val if isinstance(v, Literal) else known[v] for v in line.invars]
        found = None if rule is None else rule(*given, **line.params)
        if found is None:
            return None
        known[line.outvars[0]] = found
    end = program.outvars[0]
    found = None if isinstance(end, Literal) else known[end]
    return found if isinstance(found, _Linear) else None


def _scaled(a, b, **_):
    a, b = (a, b) if isinstance(a, _Linear) else (b, a)
    if not isinstance(a, _Linear) or isinstance(b, _Linear):
        return None
    return _Linear(a.values * (b if a.diagonal or jnp.ndim(b) == 0 else b[:, None]))


def _divided(a, b, **_):
    return None if isinstance(b, _Linear) else _scaled(a, 1.0 / b)


def _added(a, b, **_):
    if not (isinstance(a, _Linear) and isinstance(b, _Linear)):
        return None
    same = a.diagonal == b.diagonal
    return _Linear(a.values + b.values if same else a.dense() + b.dense())


def _negated(a, **_):
    return _Linear(-a.values) if isinstance(a, _Linear) else None


def _subtracted(a, b, **_):
    minus = _negated(b)
    return None if minus is None else _added(a, minus)


def _product(a, b, *, dimension_numbers, **_):
    (axes_a, axes_b), batch = dimension_numbers
    if isinstance(b, _Linear):
        a, b, axes_b = b, a, axes_a
    if not isinstance(a, _Linear) or isinstance(b, _Linear) or jnp.ndim(b) != 2:
        return None
    if any(batch) or len(axes_b) != 1:
        return None
    weights = b if axes_b[0] == 1 else b.T
    return _Linear(weights * a.values[None] if a.diagonal else weights @ a.values)


_RULES = {
    "mul": _scaled,
    "div": _divided,
    "add": _added,
    "add_any": _added,
    "sub": _subtracted,
    "neg": _negated,
    "dot_general": _product,
}
