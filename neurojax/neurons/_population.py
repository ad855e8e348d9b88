"""Parameters of a population that are drawn once per neuron."""

from typing import Any

from neurojax.core import Clock
from neurojax.core import random as laws
from neurojax.core.parameter_checks import check_size, each_parameter


def drawn_parameters(n: int, key, parameters: dict[str, Any]) -> dict[str, Any]:
    """Every distribution among the parameters, or among the components of one, as n draws.

    Raises:
        ValueError: if `n` is not positive, or a distribution is given without a key.
    """
    check_size(n)

    def drawn(name: str, value):
        if isinstance(value, tuple | list):
            return tuple(drawn(f"{name}[{i}]", part) for i, part in enumerate(value))
        if not isinstance(value, laws.AbstractDistribution):
            return value
        if key is None:
            raise ValueError(
                f"{name} is a distribution, so population needs key=jax.random.key(0) to draw it"
            )
        return laws.draw(value, Clock(0, 1.0, key).child(name).key, (int(n),))

    return {name: drawn(name, value) for name, value in parameters.items()}


def refuse_distributions(model) -> None:
    """A constructor does not know how many neurons there will be, nor has it a key.

    Raises:
        TypeError: if a parameter is a distribution.
    """
    for name, value in each_parameter(model):
        if isinstance(value, laws.AbstractDistribution):
            kind = type(model).__name__
            raise TypeError(
                f"{name} of {kind} is the distribution {value!r}: give it to "
                f"population, as in {kind}(...).population(n, {name}=..., key=...), "
                "which draws a value for each neuron"
            )
