"""Kernels: the probability of an edge as a function of distance."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from .homogeneous import probability


@final
@dataclass(frozen=True, eq=False, repr=False)
class Kernel:
    """A function of distance; `gaussian`, `exponential` and `box` give one.

    Any function of an array of distances will do as a kernel of `distance_dependent`. This class
    adds what makes it fast: a bound of its values, and from where on they are small.

    Arguments:
        name: of the kernel.
        arguments: what the function takes beside distances.
        function: of distances and `arguments`.
        largest: no value is above this.
        reach: of q and `arguments`: a distance beyond which no value is above q; infinite for q
            = 0 where the function never ends.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> kernel = nj.connectivity.gaussian(sigma=100.0, p_max=0.5)
        >>> kernel
        gaussian(sigma=100.0, p_max=0.5)
        >>> kernel(np.array([0.0, 100.0])).round(3).tolist()
        [0.5, 0.303]
    """

    name: str
    arguments: Mapping[str, Any]
    function: Callable[..., np.ndarray]
    largest: float = 1.0
    reach: Callable[..., float] | None = None

    def __call__(self, distance) -> np.ndarray:
        """The values at these distances."""
        return np.asarray(self.function(np.asarray(distance, np.float64), **self.arguments))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({', '.join(shown)})"


def gaussian(sigma: float | int, p_max: float | int = 1.0) -> Kernel:
    r"""$p(d) = p_\mathrm{max} \exp(-d^2 / 2\sigma^2)$.

    Arguments:
        sigma: width, in the unit of the positions.
        p_max: probability at distance 0.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.connectivity.gaussian(2.0)(2.0)), 4)
        0.6065
    """
    arguments = {"sigma": _length("sigma", sigma), "p_max": probability("p_max", p_max)}
    return Kernel("gaussian", arguments, _gaussian, arguments["p_max"], _gaussian_reach)


def _gaussian(d: np.ndarray, sigma: float, p_max: float):
    return p_max * np.exp(-0.5 * (d / sigma) ** 2)


def _gaussian_reach(q: float, sigma: float, p_max: float) -> float:
    return sigma * math.sqrt(2.0 * _log_ratio(p_max, q))


def exponential(scale: float | int, p_max: float | int = 1.0) -> Kernel:
    r"""$p(d) = p_\mathrm{max} \exp(-d / \mathrm{scale})$.

    Arguments:
        scale: length over which it falls to 1/e, in the unit of the positions.
        p_max: probability at distance 0.

    Example:
        >>> import neurojax as nj
        >>> round(float(nj.connectivity.exponential(2.0)(2.0)), 4)
        0.3679
    """
    arguments = {"scale": _length("scale", scale), "p_max": probability("p_max", p_max)}
    return Kernel("exponential", arguments, _exponential, arguments["p_max"], _exponential_reach)


def _exponential(d: np.ndarray, scale: float, p_max: float):
    return p_max * np.exp(-d / scale)


def _exponential_reach(q: float, scale: float, p_max: float) -> float:
    return scale * _log_ratio(p_max, q)


def box(radius: float | int, p: float | int = 1.0) -> Kernel:
    r"""$p$ for $d \le$ `radius`, 0 beyond.

    Arguments:
        radius: in the unit of the positions.
        p: probability within it.

    Example:
        >>> import neurojax as nj
        >>> nj.connectivity.box(2.0, p=0.25)([0.0, 2.0, 2.1]).tolist()
        [0.25, 0.25, 0.0]
    """
    arguments = {"radius": _length("radius", radius), "p": probability("p", p)}
    return Kernel("box", arguments, _box, arguments["p"], _box_reach)


def _box(d: np.ndarray, radius: float, p: float):
    return np.where(d <= radius, p, 0.0)


def _box_reach(q: float, radius: float, p: float) -> float:
    return radius


def _log_ratio(p_max: float, q: float) -> float:
    return 0.0 if q >= p_max else math.inf if q == 0 else math.log(p_max / q)


def _length(name: str, value: Any) -> float:
    if isinstance(value, str | bool) or not np.isscalar(value):
        raise TypeError(f"{name} must be a positive number, got {value!r}")
    if not 0 < value < np.inf:  # type: ignore
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)  # type: ignore
