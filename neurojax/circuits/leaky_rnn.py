"""The recurrent network of rates in discrete time."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from .initial_weights import Gaussian
from .nonlinearities import as_nonlinearity, kept
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
class LeakyRNN(RecurrentCircuit):
    r"""Rates h that follow a nonlinear map, with a leak.

    $$h' = (1 - a)\,h + a\,\varphi(W h + B u + F z + b + I_e + \sigma \eta), \qquad
      z = W_{out}\,h + c$$

    With $a = 1$ this is the Elman network (`torch.nn.RNN`). A step has no length of its own: it is
    one `dt` of the simulation. The state is `{"h": (n,)}`; each step emits `rate` (h) and `output`.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels.
        recurrent: W (n, n) [to, from], as in `RateRNN`; default `Gaussian(1.0)`.
        input: B (n, inputs), default N(0, 1 / inputs).
        output: $W_{out}$ (outputs, n), default N(0, 1 / n).
        feedback: F (n, outputs); `True` draws it uniformly from (-1, 1); default none.
        bias: b, scalar or (n,).
        leak: $a$ in (0, 1], scalar or (n,); kept in training unless `nj.bounded(...)`.
        noise: $\sigma$, the standard deviation of the noise in each step; default none.
        initial: h at the start; kept in training.
        nonlinearity: as in `RateRNN`.
        key: draws the weights that are not given; default key 0.

    Inputs: `u` (inputs,), and `I_e`, a current into each unit, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, an unknown nonlinearity, a leak outside (0, 1].

    Source: Elman (1990), Cognitive Science 14:179; Jaeger et al. (2007), Neural Networks 20:335.

    Example:
        >>> import jax, neurojax as nj
        >>> circuit = nj.circuits.LeakyRNN(50, inputs=1, outputs=1, leak=0.2)
        >>> sim = nj.simulate(circuit, duration=20.0, dt=1.0, record={"z": "output"})
        >>> sim["z"].shape
        (20, 1)
    """

    recurrent: Any
    input: Any
    output: Any
    feedback: Any
    bias: Parameter
    output_bias: Any
    leak: Parameter
    noise: Any
    initial: Parameter
    nonlinearity: Callable
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
        feedback: Any = None,
        bias: Any = 0.0,
        leak: Any = 1.0,
        noise: Any = None,
        initial: Any = 0.0,
        nonlinearity: Any = "tanh",
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        keys = jax.random.split(own_or_first(key), 4)
        self.n = int(n)
        recurrent = Gaussian(1.0) if recurrent is None else recurrent
        self.recurrent = drawn_recurrent(recurrent, keys[0], n)
        self.input = drawn(input, keys[1], (n, inputs), 1.0, "input")
        self.output = drawn(output, keys[2], (outputs, n), 1.0, "output")
        self.feedback = drawn_feedback(feedback, keys[3], (n, outputs))
        self.bias = per_unit(bias, n, "bias")
        self.output_bias = jnp.zeros(outputs) if outputs else None
        self.leak, self.noise = kept(leak), None if noise is None else kept(noise)
        self.initial = kept(per_unit(initial, n, "initial"))
        self.nonlinearity = as_nonlinearity(nonlinearity)
        for name in ("leak", "noise"):
            per_unit(getattr(self, name), n, name, spread=False)
        rate = unwrap(self.leak)
        if known(rate) and not bool(jnp.all((rate > 0) & (rate <= 1))):
            raise ValueError(f"leak must lie in (0, 1], got {leak!r}")
        check_positive(self, "noise", zero=True)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The rates at the start."""
        return {"h": jnp.asarray(unwrap(self.initial))}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["h"]

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        h = state["h"]
        total = received(self, h, inputs)
        if self.noise is not None:
            total = total + self.noise * clock.normal("noise", (self.n,), total.dtype)
        state = {"h": h + self.leak * (self.nonlinearity(total) - h)}
        return state, Output(values=self.values(state))
