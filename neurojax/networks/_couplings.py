"""Graded couplings are fitted to their populations when the network is made, by shapes alone."""

import jax

from neurojax.core import AbstractCoupling, Dynamics, unwrap
from neurojax.core.parameters import arrays_only


def check_coupling(coupling: AbstractCoupling, populations: dict[str, Dynamics]) -> None:
    """The matrix of a coupling has the shape of its two populations, and they have its leaf.

    Raises:
        ValueError: naming the coupling and what does not fit.
    """
    what = f"{type(coupling).__name__} from {coupling.source!r} to {coupling.target!r}"
    plain = arrays_only(
        unwrap((coupling, populations[coupling.source], populations[coupling.target]))
    )

    def current(key):
        link, *ends = plain
        ends = [part.prepare() for part in ends]
        return link.prepare().current(*(part.bounded(part.init_state(key=key)) for part in ends))

    try:
        shape = jax.eval_shape(current, jax.random.key(0)).shape
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    n = getattr(populations[coupling.target], "n", None)
    if isinstance(n, int) and shape not in ((), (1,), (n,)):
        raise ValueError(
            f"{what} gives currents of shape {shape}, but {coupling.target!r} has n = {n}: its "
            "matrix must be (target neuron, source neuron)"
        )
