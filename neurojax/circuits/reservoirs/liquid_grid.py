"""Neurons on a grid, joined with a probability that falls with their distance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float64

from neurojax.connectivity import Builder, distance_dependent, gaussian
from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.keys import own_or_first
from neurojax.core.random import host_generator

PAIRS = ("EE", "EI", "IE", "II")


@final
@dataclass(frozen=True, eq=False, repr=False)
class LiquidGrid:
    r"""Excitatory and inhibitory neurons at random places of a grid L x M x K, and their wiring.

    A neuron at distance D from another one sends it a synapse with the probability

    $$P = C_{ab}\,\exp\!\left(-(D / \lambda)^2\right),$$

    with $C_{ab}$ by the kinds of the two: the first letter is the *sender*, so `"EI"` is from
    excitatory to inhibitory neurons. (Some papers write the receiver first: with these numbers
    that makes another network.) No neuron is joined to itself. Everywhere excitatory neurons come
    first.

    Arguments:
        shape: numbers of neurons along the axes, such as (6, 6, 6).
        excitatory: fraction of excitatory neurons; their number is rounded.
        probability: $C_{ab}$ by pair; what is left out has its default, `"EE"` 0.2, `"EI"` 0.1,
            `"IE"` 0.3, `"II"` 0.05.
        length: $\lambda$, in steps of the grid.
        key: draws which places are excitatory; default key 0.

    Raises:
        ValueError: an axis without neurons, fractions or probabilities outside 0 to 1, a length
            that is not positive, or only one kind of neuron.
        UnknownNameError: for a pair that is not there.

    Source: Maass, Natschläger and Markram (2002), Neural Comput. 14:2531; the numbers are those of
    Ivanov and Michmizos (2021), NeurIPS.

    Example:
        >>> import jax, neurojax as nj
        >>> grid = nj.circuits.LiquidGrid((6, 6, 6), key=jax.random.key(0))
        >>> grid.n, grid.n_E, grid.positions["I"].shape
        (216, 173, (43, 3))
        >>> grid.connectivity("EI")
        distance_dependent(kernel=gaussian(sigma=2.121..., p_max=0.1), ...)
    """

    shape: tuple[int, ...]
    excitatory: float = 0.8
    probability: Mapping[str, float] | None = None
    length: float = 3.0
    key: Any = None
    positions: dict[str, Float64[np.ndarray, "n axis"]] = field(init=False)

    def __post_init__(self):
        given: Any = self.shape
        shape = tuple(given) if np.ndim(given) else (given,)
        whole = [isinstance(n, int | np.integer) and not isinstance(n, bool) for n in shape]
        if not (shape and all(whole) and all(n >= 1 for n in shape)):
            raise ValueError(f"shape must be whole numbers of neurons per axis, got {self.shape!r}")
        n = int(np.prod(shape))
        _check_fraction("excitatory", self.excitatory)
        n_E = round(self.excitatory * n)
        if not 0 < n_E < n:
            raise ValueError(
                f"excitatory={self.excitatory} of {n} neurons leaves only one kind; a liquid needs "
                "both"
            )
        if not (isinstance(self.length, int | float | np.number) and 0 < self.length < np.inf):
            raise ValueError(f"length must be positive (steps of the grid), got {self.length!r}")
        rng = host_generator(own_or_first(self.key))
        places = np.stack(np.unravel_index(rng.permutation(n), shape), axis=1).astype(float)
        store = lambda name, value: object.__setattr__(self, name, value)
        store("shape", tuple(map(int, shape)))
        store("probability", _probabilities(self.probability))
        store("positions", {"E": places[:n_E], "I": places[n_E:]})

    def __repr__(self) -> str:
        return f"LiquidGrid({self.shape}, excitatory={self.excitatory}, length={self.length})"

    @property
    def n(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))

    @property
    def n_E(self) -> int:
        """The number of excitatory neurons."""
        return len(self.positions["E"])

    def connectivity(self, pair: str) -> Builder:
        """The graph from the first kind of a pair, such as `"EI"`, to the second, for projections.

        Arguments:
            pair: `"EE"`, `"EI"`, `"IE"` or `"II"`; the first letter is the sender.

        Raises:
            UnknownNameError: for another name.
        """
        check_pair(pair)
        # exp(-(D / length)^2) is a Gaussian of this width
        kernel = gaussian(self.length / np.sqrt(2.0), self.probability[pair])  # type: ignore
        pre, post = (self.positions[kind] for kind in pair)
        return distance_dependent(kernel, pre, post)

    def synapses(self, key) -> Bool[np.ndarray, "to from"]:
        """Which neuron (column) sends a synapse to which (row), drawn with `key`."""
        n_E, found = self.n_E, np.zeros((self.n, self.n), bool)
        start = {"E": 0, "I": n_E}
        identity = {"E": np.arange(n_E), "I": np.arange(n_E, self.n)}
        rng = host_generator(key)
        for pair in PAIRS:
            pre, post = pair
            edges = self.connectivity(pair).build(
                len(identity[pre]), len(identity[post]), rng,
                pre_ids=identity[pre], post_ids=identity[post],
            )  # fmt: skip
            found[edges.post + start[post], edges.pre + start[pre]] = True
        return found


def _probabilities(given) -> dict[str, float]:
    probability = {"EE": 0.2, "EI": 0.1, "IE": 0.3, "II": 0.05}
    if not (given is None or isinstance(given, Mapping)):
        raise TypeError(
            f"probability must be a dictionary by pair, such as {{'EE': 0.2}}, got {given!r}"
        )
    for pair, value in dict(given or {}).items():
        check_pair(pair)
        _check_fraction(f"probability[{pair!r}]", value)
        probability[pair] = float(value)
    return probability


def check_pair(pair) -> None:
    """A pair of kinds is one of the four."""
    if pair not in PAIRS:
        raise UnknownNameError(
            f"{pair!r} is no pair of kinds; the first letter sends.{suggestion(str(pair), PAIRS)}"
        )


def _check_fraction(name: str, value) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 <= value <= 1):
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")


def input_synapses(
    n: int, inputs: int, density: float, rng: np.random.Generator
) -> tuple[Bool[np.ndarray, "n inputs"], Float64[np.ndarray, "n inputs"]]:
    """Which channel reaches which neuron, a fixed number of pairs at random; and signs +1, -1."""
    _check_fraction("density", density)
    chosen = rng.permutation(n * inputs)[: int(density * n * inputs)]
    reached = np.zeros(n * inputs, bool)
    reached[chosen] = True
    signs = rng.choice([-1.0, 1.0], size=(n, inputs))
    return reached.reshape(n, inputs), signs
