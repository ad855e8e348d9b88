"""The leaky echo-state network."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.tracing import known

from ..nonlinearities import as_nonlinearity, kept
from ..rate_rnn import per_unit
from ..recurrent import (
    RecurrentCircuit,
    check_finite,
    check_sizes,
    current,
    drawn_feedback,
    readout,
)
from .random_weights import (
    bias_scales,
    driven,
    fixed,
    fixed_bias,
    fixed_input,
    fixed_recurrent,
    input_scales,
    radius_and_unit,
)

FORMS = ("internal", "external")


@final
class EchoState(RecurrentCircuit):
    r"""An echo-state network: random weights that stay, and a linear read-out that is fitted.

    $$c = \rho\,\hat W h + s_u\,B u + F z + s_b\,b + I_e + \sigma\,\eta$$

    with $\hat W$ the recurrent weights divided by their spectral radius. The leak acts inside or
    outside of the nonlinearity:

    $$\text{internal:}\quad h' = (1 - a)\,h + a\,\varphi(c), \qquad
      \text{external:}\quad x' = (1 - a)\,x + a\,c, \quad h' = \varphi(x').$$

    What a study varies ($\rho, s_u, s_b, a, \sigma$) are numbers of their own, so that a sweep by
    `vmap` shares the weights, and a gradient by them is plain `jax.grad`. Training leaves all but
    the read-out as it is; `radius=nj.positive(0.9)` and the like are trained. The state is
    `{"h": (n,)}` (internal) or `{"x": (n,)}` (external); a step is one `dt` of the simulation and
    emits `rate` (h) and `output`.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        recurrent: $W$ (n, n) [to, from]: an array, a matrix of scipy.sparse, `SparseWeights`, or a
            way to draw it; default `FixedInDegree(density)`.
        radius: $\rho$, scalar or (n,); `None` takes `recurrent` as it is.
        density: share of the recurrent weights that are there, if they are drawn.
        input: B (n, inputs), default uniform in (-1, 1).
        input_scaling: $s_u$, scalar, or one per input channel.
        bias: b (n,), default uniform in (-1, 1).
        bias_scaling: $s_b$, scalar or (n,).
        leak: $a$ in (0, 1], scalar or (n,).
        output: (outputs, n), default 0.
        feedback: F (n, outputs); `True` draws it uniformly from (-1, 1); default none.
        noise: $\sigma$, the standard deviation of the noise in each step; default none.
        form: `"internal"` or `"external"`.
        nonlinearity: as in `RateRNN`.
        key: draws what is not given; default key 0.

    Inputs: `u` (inputs,), and `I_e`, a current into each unit, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, weights and scalings that are not finite, a leak
            outside (0, 1], weights without cycles (whose spectral radius is 0), an unknown form or
            nonlinearity.

    Source: Jaeger (2001), GMD Report 148; Jaeger et al. (2007), Neural Networks 20:335;
    Lukoševičius (2012), in: Neural Networks: Tricks of the Trade.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> x = jnp.sin(0.3 * jnp.arange(400.0))[:, None]
        >>> reservoir = nj.circuits.EchoState(50, inputs=1, key=jax.random.key(0))
        >>> fitted = nj.fitting.fit_readout(reservoir, x[:-1], x[1:], washout=50)
        >>> bool(fitted.nrmse < 1e-2)
        True
    """

    recurrent: Any
    radius: Any
    unit: Any
    input: Any
    input_scaling: Parameter
    bias: Parameter
    bias_scaling: Parameter
    leak: Parameter
    output: Any
    output_bias: Any
    feedback: Any
    noise: Any
    form: str = eqx.field(static=True)
    nonlinearity: Callable
    n: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        recurrent: Any = None,
        radius: Any = 0.9,
        density: float | None = None,
        input: Any = None,
        input_scaling: Any = 1.0,
        bias: Any = None,
        bias_scaling: Any = 0.1,
        leak: Any = 1.0,
        output: Any = None,
        feedback: Any = None,
        noise: Any = None,
        form: str = "internal",
        nonlinearity: Any = "tanh",
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        keys = jax.random.split(own_or_first(key), 4)
        self.n = int(n)
        self.recurrent = fixed_recurrent(recurrent, density, keys[0], n)
        self.radius, self.unit = radius_and_unit(radius, self.recurrent, n)
        self.input = fixed_input(input, keys[1], n, inputs)
        self.input_scaling = input_scales(input_scaling, inputs)
        self.bias = fixed_bias(bias, keys[2], n)
        check_finite("leak", leak)
        check_finite("noise", noise)
        self.bias_scaling, self.leak = bias_scales(bias_scaling, n), kept(leak)
        self.noise = None if noise is None else kept(noise)
        self.output, self.output_bias = readout(n, outputs, output)
        self.feedback = fixed(drawn_feedback(feedback, keys[3], (n, outputs)))
        self.form, self.nonlinearity = form, as_nonlinearity(nonlinearity)
        check_choice(self, "form", FORMS)
        for name in ("leak", "noise"):
            per_unit(getattr(self, name), n, name, spread=False)
        check_leak(self.leak)
        check_positive(self, "radius", "noise", zero=True)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All zero."""
        return {"h" if self.form == "internal" else "x": jnp.zeros(self.n)}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["h"] if self.form == "internal" else self.nonlinearity(state["x"])

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        rates = self.rates(state)
        total = driven(self, rates, inputs.get("u"))
        if self.feedback is not None:
            total = total + current(self.feedback, self.read_out(rates))
        if "I_e" in inputs:
            total = total + inputs["I_e"]
        if self.noise is not None:
            total = total + self.noise * clock.normal("noise", (self.n,), total.dtype)
        if self.form == "internal":
            h = state["h"]
            state = {"h": h + self.leak * (self.nonlinearity(total) - h)}
        else:
            x = state["x"]
            state = {"x": x + self.leak * (total - x)}
        return state, Output(values=self.values(state))


def check_leak(leak) -> None:
    """A leak lies in (0, 1]."""
    value = unwrap(leak)
    if known(value) and not bool(jnp.all((value > 0) & (value <= 1))):
        raise ValueError(f"leak must lie in (0, 1], got {value}")
