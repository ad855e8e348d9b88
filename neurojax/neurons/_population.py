"""Parameters of a population that are drawn once per neuron."""

from collections.abc import Iterable, Mapping
from typing import Any

from neurojax.core import Clock
from neurojax.core import random as laws
from neurojax.core.parameter_checks import check_size, refuse_distributions
from neurojax.synapses.receptor import AbstractReceptor


def drawn_parameters(n: int, key, parameters: dict[str, Any]) -> dict[str, Any]:
    """Every distribution among the parameters, or their components or receptors, as n draws.

    Raises:
        ValueError: if `n` is not positive, or a distribution is given without a key.
    """
    check_size(n)

    def drawn(name: str, value):
        if isinstance(value, tuple | list):
            parts = [drawn(f"{name}[{i}]", part) for i, part in enumerate(value)]
            return tuple(parts) if isinstance(value, tuple) else parts
        if not isinstance(value, laws.AbstractDistribution):
            return value
        if key is None:
            raise ValueError(
                f"{name} is a distribution, so population needs key=jax.random.key(0) to draw it"
            )
        return laws.draw(value, Clock(0, 1.0, key).child(name).key, (int(n),))

    def drawn_receptor(port: str, receptor):
        if not isinstance(receptor, AbstractReceptor):
            return receptor
        return laws.drawn(receptor, lambda name, law: drawn(f"receptors.{port}.{name}", law))

    found: dict[str, Any] = {name: drawn(name, value) for name, value in parameters.items()}
    ports = found.get("receptors")
    if isinstance(ports, Mapping):
        found["receptors"] = {port: drawn_receptor(port, r) for port, r in ports.items()}
    return found


def refuse_laws(model, receptors: Iterable[AbstractReceptor] = ()) -> None:
    """A constructor does not know how many neurons there will be, nor has it a key.

    Raises:
        TypeError: if a parameter, or one of a receptor, is a distribution.
    """
    advice = (
        f"give it to population, as in {type(model).__name__}(...).population(n, {{name}}=..., "
        "key=...), which draws a value for each neuron"
    )
    refuse_distributions(model, advice)
    for receptor in receptors:
        refuse_distributions(receptor, advice.format(name="receptors"))
