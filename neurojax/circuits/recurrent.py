"""What every trainable recurrent circuit has in common: rates, and a linear read-out of them."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Dynamics, as_parameter, unwrap
from neurojax.core.tracing import known

from .initial_weights import AbstractWeights
from .low_rank import LowRank
from .sparse_weights import SparseWeights


class Turned(eqx.Module):
    """Dense weights for a run of many steps, [from, to], in the layout of a batch of rates.

    Arguments:
        columns: (from, to).
    """

    columns: Any

    @classmethod
    def of(cls, weights) -> "Turned":
        """Of weights [to, from], turned once and not at every step."""
        return cls(jax.lax.optimization_barrier(weights.T))

    def apply(self, rates) -> Array:
        """The currents for rates of shape (..., from)."""
        axes = (((rates.ndim - 1,), (0,)), ((), ()))
        return jax.lax.dot_general(rates, self.columns, axes)


_FACTORED = LowRank | SparseWeights  # weights that know their product with rates


class RecurrentCircuit(Dynamics):
    r"""A circuit with rates r and outputs $z = W_{out}\,r + c$; what `nj.train` trains.

    Weights are [to, from]. `recurrent`, `input`, `output` and `feedback` may be wrapped
    (`nj.frozen`, `masked`, `sign_kept`); what is not there is `None`.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.RateRNN(50, inputs=2, outputs=1, key=jax.random.key(0))
        >>> isinstance(circuit, nj.circuits.RecurrentCircuit)
        True
        >>> circuit.read_out(jnp.zeros((10, 50))).shape  # of rates [time, unit]
        (10, 1)
    """

    output: eqx.AbstractVar[Any]  # (outputs, n) or None
    output_bias: eqx.AbstractVar[Any]  # (outputs,) or None
    n: eqx.AbstractVar[int]

    @abstractmethod
    def rates(self, state) -> Array:
        """The rates of the units, (n,)."""

    def read_out(self, rates) -> Array:
        """The outputs for rates of shape (..., n)."""
        if self.output is None:
            return jnp.zeros((*rates.shape[:-1], 0), rates.dtype)
        outputs = current(self.output, rates)
        return outputs + jnp.broadcast_to(self.output_bias, outputs.shape)

    def values(self, state) -> dict[str, Array]:
        """What the circuit emits at each step: its rates and its outputs."""
        rates = self.rates(state)
        return {"rate": rates, "output": self.read_out(rates)}


def current(weights, rates) -> Array:
    """The currents of weights [to, from] for rates of shape (..., from)."""
    if isinstance(weights, _FACTORED | Turned):
        return weights.apply(rates)
    # as one contraction, without a transpose that XLA would make anew at every step; in this order
    # a batch of trials is one product in the layout that it has already
    return jax.lax.dot_general(rates, weights, (((rates.ndim - 1,), (1,)), ((), ())))


def received(circuit, rates, inputs) -> Array:
    """What the units of a circuit receive: recurrent, bias, `u`, feedback and `I_e`."""
    total = current(circuit.recurrent, rates) + circuit.bias
    if circuit.input is not None and "u" in inputs:
        total = total + current(circuit.input, inputs["u"])
    if circuit.feedback is not None:
        total = total + current(circuit.feedback, circuit.read_out(rates))
    return total + inputs["I_e"] if "I_e" in inputs else total


def drawn_recurrent(weights, key, n: int, name: str = "recurrent") -> Any:
    """Weights given as an array, a wrapper or a way to draw them."""
    if isinstance(weights, AbstractWeights):
        return weights.draw(key, n)
    if isinstance(weights, str | type):
        raise TypeError(
            f"{name} must be an array, or a way to draw one such as nj.circuits.Orthogonal(), "
            f"got {weights!r}"
        )
    if not isinstance(weights, _FACTORED):
        weights = real_parameter(name, weights)
    check_shape(name, weights, (n, n))
    return weights


def drawn(weights, key, shape: tuple[int, int], scale: float, name: str) -> Any:
    """Finite weights as given, or drawn from N(0, scale^2 / fan-in); `None` if there is nothing."""
    if 0 in shape:
        if weights is not None:
            raise ValueError(f"{name} weights need a circuit with {name}s: their number is 0")
        return None
    if weights is None:
        return scale / np.sqrt(shape[1]) * jax.random.normal(key, shape)
    weights = real_parameter(name, weights)
    check_shape(name, weights, shape)
    check_finite(name, weights)
    return weights


def as_array(weights) -> Any:
    """Nested lists and matrices of scipy.sparse as arrays; what else is given stays."""
    if hasattr(weights, "toarray"):
        weights = weights.toarray()
    return np.asarray(weights) if isinstance(weights, list | tuple | np.matrix) else weights


def drawn_feedback(feedback, key, shape: tuple[int, int]) -> Any:
    """Feedback weights as given, uniform in (-1, 1) for `True`, or `None`."""
    if feedback is None or feedback is False:
        return None
    if shape[1] == 0:
        raise ValueError("feedback needs a circuit with outputs: give their number, outputs=")
    if feedback is True:
        feedback = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    return drawn(feedback, key, shape, 1.0, "feedback")


def channels(circuit: Any) -> int:
    """The number of input channels of a circuit."""
    weights = getattr(unwrap(circuit), "input", None)
    return 0 if weights is None else weights.shape[1]


def check_circuit(circuit) -> None:
    """A read-out is one of a recurrent circuit."""
    if not isinstance(circuit, RecurrentCircuit):
        raise TypeError(
            "circuit must be a recurrent circuit such as nj.circuits.EchoState(100, inputs=1), got "
            f"{type(circuit).__name__}"
        )


def check_inputs(circuit, inputs) -> None:
    """The circuit has the input channels that are given, and they count what it takes."""
    if inputs.shape[-1] != channels(circuit):
        raise ValueError(
            f"the circuit has {channels(circuit)} input channels, the inputs have "
            f"{inputs.shape[-1]}"
        )
    spikes = getattr(circuit, "drive", None) == "spikes"
    if spikes and known(inputs) and np.any(np.asarray(inputs) < 0):
        raise ValueError(
            "inputs are numbers of spikes and must not be negative: drive='current' takes amounts "
            "of any sign"
        )


def readout(n: int, outputs: int, output: Any) -> tuple[Any, Any]:
    """Weights and bias of a read-out, zero or as given."""
    check_sizes(n, 0, outputs)
    output = jnp.zeros((outputs, n)) if output is None and outputs else output
    weights = drawn(output, None, (outputs, n), 1.0, "output")
    return weights, jnp.zeros(outputs) if outputs else None


def check_shape(name: str, weights, shape) -> None:
    """The array that a parameter stands for has this shape."""
    found = weights.shape if isinstance(weights, _FACTORED) else unwrap(weights).shape
    if found != shape:
        raise ValueError(f"{name} must have shape {shape} ([to, from]), got {found}")


def real_parameter(name: str, weights) -> Any:
    """Weights as given, lists and sparse matrices included, as a parameter of real numbers."""
    weights = as_array(weights)
    check_real(name, weights)
    return as_parameter(weights)


def check_real(name: str, value) -> None:
    """A parameter has no imaginary part, which would be lost."""
    for number in jax.tree.leaves(value):
        kind = getattr(number, "dtype", type(number))
        if jnp.issubdtype(kind, np.complexfloating):
            raise TypeError(f"{name} must be real numbers, got {np.dtype(kind)}")


def check_finite(name: str, value) -> None:
    """Everything that is known of a parameter is a finite number."""
    check_real(name, unwrap(value))
    for number in jax.tree.leaves(unwrap(value)):
        if not known(number):
            continue
        number = np.asarray(number)
        if not (jnp.issubdtype(number.dtype, jnp.number) or number.dtype == bool):
            raise TypeError(f"{name} must be a number or an array of numbers, got {value!r}")
        wrong = number[~np.isfinite(number)]
        if wrong.size:
            count = f"{wrong.size} times " if number.ndim else ""
            raise ValueError(f"{name} must be finite, got {count}{wrong[0]}")


def check_sizes(n, inputs, outputs) -> None:
    """Numbers of units, inputs and outputs at the door."""
    for name, value, least in (("n", n, 1), ("inputs", inputs, 0), ("outputs", outputs, 0)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (whole and value >= least):
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
