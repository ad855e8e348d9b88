"""The echo-state network at the edge of stability: part of each step is a rotation."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.tracing import known

from ..initial_weights import Orthogonal
from ..nonlinearities import as_nonlinearity, kept
from ..recurrent import (
    RecurrentCircuit,
    check_finite,
    check_sizes,
    current,
    drawn_recurrent,
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


@final
class EdgeOfStability(RecurrentCircuit):
    r"""An echo-state network with an orthogonal part, which keeps what the rest forgets.

    $$h' = \beta\,\varphi(\rho\,\hat W h + s_u\,B u + s_b\,b + I_e) + (1 - \beta)\,O h$$

    with $\hat W$ the recurrent weights divided by their spectral radius and O orthogonal. The
    singular values of the Jacobian lie within $\beta\,\rho\,\|\hat W\|$ of $1 - \beta$ (tanh), so
    for a small proximity $\beta$ all Lyapunov exponents are near 0: a long memory, of inputs that
    act with the weight $\beta$ only. With $O = I$ it is the leaky network.

    What a study varies ($\beta, \rho, s_u, s_b$) are numbers of their own, as in `EchoState`.
    The state is `{"h": (n,)}`; a step is one `dt` of the simulation.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        proximity: $\beta$ in (0, 1].
        orthogonal: O (n, n), default uniform among the orthogonal matrices.
        recurrent: $W$ (n, n) [to, from]: an array, `SparseWeights`, or a way to draw it; default
            `FixedInDegree(density)`.
        radius: $\rho$, scalar or (n,); `None` takes `recurrent` as it is.
        density: share of the recurrent weights that are there, if they are drawn.
        input: B (n, inputs), default uniform in (-1, 1).
        input_scaling: $s_u$, scalar, or one per input channel.
        bias: b (n,), default uniform in (-1, 1).
        bias_scaling: $s_b$, scalar or (n,).
        output: (outputs, n), default 0.
        nonlinearity: as in `RateRNN`.
        key: draws what is not given; default key 0.

    Inputs: `u` (inputs,), and `I_e`, a current into each unit, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, a proximity outside (0, 1], a matrix that is not
            orthogonal, weights without cycles (whose spectral radius is 0).

    Source: Ceni and Gallicchio (2023), arXiv:2308.02902 (ES2N).

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EdgeOfStability(50, inputs=1, proximity=0.1)
        >>> u = jax.random.uniform(jax.random.key(0), (500, 1), minval=-1.0)
        >>> past = jax.numpy.roll(u, 10, axis=0)
        >>> bool(nj.fitting.fit_readout(reservoir, u, past, washout=100).nrmse < 0.2)
        True
    """

    proximity: Parameter
    orthogonal: Any
    recurrent: Any
    radius: Any
    unit: Any
    input: Any
    input_scaling: Parameter
    bias: Parameter
    bias_scaling: Parameter
    output: Any
    output_bias: Any
    nonlinearity: Callable
    n: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 0,
        outputs: int = 0,
        proximity: Any = 0.1,
        orthogonal: Any = None,
        recurrent: Any = None,
        radius: Any = 0.9,
        density: float | None = None,
        input: Any = None,
        input_scaling: Any = 1.0,
        bias: Any = None,
        bias_scaling: Any = 0.1,
        output: Any = None,
        nonlinearity: Any = "tanh",
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        keys = jax.random.split(own_or_first(key), 4)
        self.n = int(n)
        check_finite("proximity", proximity)
        self.proximity = kept(proximity)
        _check_proximity(self.proximity)
        orthogonal = Orthogonal() if orthogonal is None else orthogonal
        self.orthogonal = fixed(drawn_recurrent(orthogonal, keys[3], n, "orthogonal"))
        _check_orthogonal(unwrap(self.orthogonal))
        self.recurrent = fixed_recurrent(recurrent, density, keys[0], n)
        self.radius, self.unit = radius_and_unit(radius, self.recurrent, n)
        self.input = fixed_input(input, keys[1], n, inputs)
        self.input_scaling = input_scales(input_scaling, inputs)
        self.bias = fixed_bias(bias, keys[2], n)
        self.bias_scaling = bias_scales(bias_scaling, n)
        self.output, self.output_bias = readout(n, outputs, output)
        self.nonlinearity = as_nonlinearity(nonlinearity)

    @property
    def feedback(self) -> None:
        """There is none."""
        return None

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All zero."""
        return {"h": jnp.zeros(self.n)}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["h"]

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        h = state["h"]
        total = driven(self, h, inputs.get("u"))
        if "I_e" in inputs:
            total = total + inputs["I_e"]
        turned = current(self.orthogonal, h)
        state = {"h": turned + self.proximity * (self.nonlinearity(total) - turned)}
        return state, Output(values=self.values(state))


def _check_proximity(proximity) -> None:
    value = unwrap(proximity)
    if jnp.shape(value) != () or (known(value) and not bool((value > 0) & (value <= 1))):
        raise ValueError(f"proximity must be a number in (0, 1], got {value}")


def _check_orthogonal(matrix) -> None:
    if not eqx.is_array(matrix) or not known(matrix):
        return
    off = float(jnp.max(jnp.abs(matrix @ matrix.T - jnp.eye(len(matrix), dtype=matrix.dtype))))
    if not off < 1e-4:
        raise ValueError(f"orthogonal is not: O O' differs from the identity by up to {off:.3g}")
