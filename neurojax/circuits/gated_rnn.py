"""Gated recurrent cells with the contract of every other circuit."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, unwrap
from neurojax.core.keys import own_or_first

from .initial_weights import AbstractWeights
from .nonlinearities import kept
from .rate_rnn import per_unit
from .recurrent import (
    RecurrentCircuit,
    as_array,
    check_real,
    check_shape,
    check_sizes,
    current,
    drawn,
)


@final
class GRU(RecurrentCircuit):
    r"""The gated recurrent unit.

    $$r = \sigma(W_r h + B_r u + b_r), \quad z = \sigma(W_z h + B_z u + b_z), \quad
      \tilde h = \tanh(r \odot (W_h h + d) + B_h u + b_h), \quad
      h' = z \odot h + (1 - z) \odot \tilde h$$

    The rows of W, B and b belong to r, z and $\tilde h$ in this order, as in `torch.nn.GRU` and
    `equinox.nn.GRUCell`. The state is `{"h": (n,)}`; each step emits `rate` (h) and `output`.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels.
        recurrent: (3 n, n), default uniform within $\pm 1/\sqrt{n}$.
        input: (3 n, inputs), likewise.
        output: (outputs, n), default N(0, 1 / n).
        initial: h at the start; kept in training.
        key: draws the weights that are not given; default key 0.

    Inputs: `u` (inputs,).

    Source: Cho et al. (2014), arXiv:1406.1078.

    Example:
        >>> import jax, neurojax as nj
        >>> circuit = nj.circuits.GRU(20, inputs=1, outputs=1)
        >>> nj.simulate(circuit, duration=5.0, dt=1.0, record={"z": "output"})["z"].shape
        (5, 1)
    """

    recurrent: Any
    input: Any
    output: Any
    bias: Parameter  # (3 n,)
    candidate_bias: Parameter  # (n,): d
    output_bias: Any
    initial: Parameter
    n: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        recurrent: Any = None,
        input: Any = None,
        output: Any = None,
        initial: Any = 0.0,
        key: Any = None,
    ):
        self.n, parts = int(n), _gated(3, n, inputs, outputs, recurrent, input, output, key)
        self.recurrent, self.input, self.output, self.output_bias = parts
        self.bias, self.candidate_bias = jnp.zeros(3 * n), jnp.zeros(n)
        self.initial = kept(per_unit(initial, n, "initial"))

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The rates at the start."""
        return {"h": jnp.asarray(unwrap(self.initial))}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["h"]

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        h = state["h"]
        from_h = current(self.recurrent, h).reshape(3, self.n)
        from_u = _driven(self, inputs).reshape(3, self.n)
        reset = jax.nn.sigmoid(from_h[0] + from_u[0])
        update = jax.nn.sigmoid(from_h[1] + from_u[1])
        candidate = jnp.tanh(from_u[2] + reset * (from_h[2] + self.candidate_bias))
        state = {"h": candidate + update * (h - candidate)}
        return state, Output(values=self.values(state))


@final
class MinimalGatedRNN(RecurrentCircuit):
    r"""A gated unit with a single gate.

    $$f = \sigma(W_f h + B_f u + b_f), \quad
      \tilde h = \tanh(W_h (f \odot h) + B_h u + b_h), \quad
      h' = (1 - f) \odot h + f \odot \tilde h$$

    The rows of W, B and b belong to f and $\tilde h$ in this order. The state is `{"h": (n,)}`;
    each step emits `rate` (h) and `output`.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels.
        recurrent: (2 n, n), default uniform within $\pm 1/\sqrt{n}$.
        input: (2 n, inputs), likewise.
        output: (outputs, n), default N(0, 1 / n).
        initial: h at the start; kept in training.
        key: draws the weights that are not given; default key 0.

    Inputs: `u` (inputs,).

    Source: Zhou, Wu, Zhang and Zhou (2016), arXiv:1603.09420.

    Example:
        >>> import jax, neurojax as nj
        >>> circuit = nj.circuits.MinimalGatedRNN(20, inputs=1, outputs=1)
        >>> nj.simulate(circuit, duration=5.0, dt=1.0, record={"z": "output"})["z"].shape
        (5, 1)
    """

    recurrent: Any
    input: Any
    output: Any
    bias: Parameter  # (2 n,)
    output_bias: Any
    initial: Parameter
    n: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        recurrent: Any = None,
        input: Any = None,
        output: Any = None,
        initial: Any = 0.0,
        key: Any = None,
    ):
        self.n, parts = int(n), _gated(2, n, inputs, outputs, recurrent, input, output, key)
        self.recurrent, self.input, self.output, self.output_bias = parts
        self.bias = jnp.zeros(2 * n)
        self.initial = kept(per_unit(initial, n, "initial"))

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The rates at the start."""
        return {"h": jnp.asarray(unwrap(self.initial))}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["h"]

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        h, from_u = state["h"], _driven(self, inputs)
        gate = jax.nn.sigmoid(current(self.recurrent[: self.n], h) + from_u[: self.n])
        candidate = jnp.tanh(current(self.recurrent[self.n :], gate * h) + from_u[self.n :])
        state = {"h": h + gate * (candidate - h)}
        return state, Output(values=self.values(state))


def _gated(gates: int, n, inputs, outputs, recurrent, input, output, key) -> tuple:
    """Weights of a gated cell as given, or drawn."""
    check_sizes(n, inputs, outputs)
    keys = jax.random.split(own_or_first(key), 3)
    bound = 1.0 / np.sqrt(n)
    uniform = lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    if recurrent is None:
        recurrent = uniform(keys[0], (gates * n, n))
    if input is None and inputs:
        input = uniform(keys[1], (gates * n, inputs))
    if isinstance(recurrent, AbstractWeights):  # one draw for each gate, one above the other
        draws = [recurrent.draw(k, n) for k in jax.random.split(keys[0], gates)]
        if not all(eqx.is_array(one) for one in draws):
            raise ValueError(
                f"recurrent of a gated circuit has one matrix for each gate: {recurrent!r} gives "
                "no plain arrays; give an array"
            )
        recurrent = jnp.concatenate(draws)
    recurrent = as_array(recurrent)
    check_real("recurrent", recurrent)
    check_shape("recurrent", recurrent, (gates * n, n))
    input = drawn(input, keys[1], (gates * n, inputs), 1.0, "input")
    output = drawn(output, keys[2], (outputs, n), 1.0, "output")
    return recurrent, input, output, jnp.zeros(outputs) if outputs else None


def _driven(circuit, inputs):
    """The bias and what the inputs add to it."""
    if circuit.input is None or "u" not in inputs:
        return circuit.bias
    return current(circuit.input, inputs["u"]) + circuit.bias
