"""Units that each have a small network of their own for what they make of their past."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import Clock, Output, Parameter, as_parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_count

from .initial_weights import Gaussian
from .nonlinearities import as_nonlinearity
from .rate_rnn import per_unit
from .recurrent import (
    RecurrentCircuit,
    check_sizes,
    drawn,
    drawn_feedback,
    drawn_recurrent,
    received,
)


@final
class NeuronLevelModels(RecurrentCircuit):
    r"""Rates z that a private network of each unit reads off the last M currents into it.

    $$a' = W z + B u + F y + b + I_e, \qquad
      z_i' = v_i \cdot \varphi(V_i\, A_i' + c_i) + d_i, \qquad
      A_i' = (a_i(t - M + 2), \ldots, a_i(t), a_i')$$

    No weights of these networks are shared, so that each unit can keep time and respond in its own
    way: this is the neuron-level model of continuous thought machines (without the gates there);
    `Synchronised` is their read-out. A step is a tick, one `dt` of the simulation. The state is
    `{"history": (n, memory), "z": (n,)}`, the newest current last; each step emits `rate` (z) and
    `output` ($W_{out} z + e$, which is y).

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels.
        memory: M, the currents that a unit remembers.
        hidden: units in the hidden layer of each private network.
        recurrent: W (n, n) [to, from], as in `RateRNN`; default `Gaussian(1.0)`.
        input: B (n, inputs), default N(0, 1 / inputs).
        output: $W_{out}$ (outputs, n), default N(0, 1 / n).
        feedback: F (n, outputs); `True` draws it uniformly from (-1, 1); default none.
        bias: b, scalar or (n,).
        initial: the history at the start, scalar or (n, memory); trained.
        nonlinearity: $\varphi$, as in `RateRNN`.
        key: draws the weights that are not given; default key 0. V and v are drawn from
            N(0, 1 / memory) and N(0, 1 / hidden).

    Inputs: `u` (inputs,), and `I_e`, a current into each unit, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, an unknown nonlinearity, a memory or a number of
            hidden units that is not positive.

    Source: Darlow, Regan, Risi, Seely and Jones (2025), arXiv:2505.05522.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> circuit = nj.circuits.NeuronLevelModels(20, inputs=2, outputs=1, memory=5, hidden=4)
        >>> sim = nj.simulate(
        ...     circuit, duration=30.0, dt=1.0, inputs={"u": jnp.ones(2)}, record={"z": "rate"}
        ... )
        >>> sim["z"].shape, circuit.private(jnp.zeros((20, 5))).shape
        ((30, 20), (20,))
    """

    recurrent: Any
    input: Any
    output: Any
    feedback: Any
    bias: Parameter
    output_bias: Any
    inner: Parameter  # (n, hidden, memory): V
    inner_bias: Parameter  # (n, hidden): c
    outer: Parameter  # (n, hidden): v
    outer_bias: Parameter  # (n,): d
    initial: Parameter
    nonlinearity: Callable
    n: int = eqx.field(static=True)
    memory: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        memory: int = 10,
        hidden: int = 8,
        recurrent: Any = None,
        input: Any = None,
        output: Any = None,
        feedback: Any = None,
        bias: Any = 0.0,
        initial: Any = 0.0,
        nonlinearity: Any = "tanh",
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        check_count("memory", memory)
        check_count("hidden", hidden)
        keys = jax.random.split(own_or_first(key), 6)
        self.n, self.memory = int(n), int(memory)
        recurrent = Gaussian(1.0) if recurrent is None else recurrent
        self.recurrent = drawn_recurrent(recurrent, keys[0], n)
        self.input = drawn(input, keys[1], (n, inputs), 1.0, "input")
        self.output = drawn(output, keys[2], (outputs, n), 1.0, "output")
        self.feedback = drawn_feedback(feedback, keys[3], (n, outputs))
        self.bias = per_unit(bias, n, "bias")
        self.output_bias = jnp.zeros(outputs) if outputs else None
        self.inner = jax.random.normal(keys[4], (n, hidden, memory)) / np.sqrt(memory)
        self.outer = jax.random.normal(keys[5], (n, hidden)) / np.sqrt(hidden)
        self.inner_bias, self.outer_bias = jnp.zeros((n, hidden)), jnp.zeros(n)
        start = as_parameter(initial)
        shape = jnp.shape(unwrap(start))
        if shape not in ((), (n, memory)):
            raise ValueError(f"initial must be a scalar or have shape {(n, memory)}, got {shape}")
        self.initial = jnp.broadcast_to(start, (n, memory)) if eqx.is_array(start) else start
        self.nonlinearity = as_nonlinearity(nonlinearity)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The history at the start, and the rates that it makes."""
        model = unwrap(self)
        history = jnp.broadcast_to(model.initial, (self.n, self.memory))
        return {"history": history, "z": model.private(history)}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["z"]

    def private(self, history: Float[Array, "n memory"]) -> Float[Array, " n"]:
        """What each unit makes of its own history, the newest current last."""
        model = unwrap(self)
        hidden = jnp.einsum("nhm,nm->nh", model.inner, history) + model.inner_bias
        return jnp.sum(model.outer * model.nonlinearity(hidden), axis=1) + model.outer_bias

    def step(self, state, inputs, clock: Clock):
        """One tick; see the class."""
        a = received(self, state["z"], inputs)
        history = jnp.concatenate([state["history"][:, 1:], a[:, None]], axis=1)
        state = {"history": history, "z": self.private(history)}
        return state, Output(values=self.values(state))
