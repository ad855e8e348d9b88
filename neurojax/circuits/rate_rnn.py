"""The continuous-time recurrent network of rates."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import ContinuousDynamics, Output, Parameter, as_parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_drawn, check_positive
from neurojax.core.simulate import as_stepper
from neurojax.core.solvers import AbstractStepper, EulerMaruyama

from .initial_weights import Gaussian
from .nonlinearities import as_nonlinearity, kept
from .recurrent import (
    RecurrentCircuit,
    check_real,
    check_sizes,
    drawn,
    drawn_feedback,
    drawn_recurrent,
    received,
)


@final
class RateRNN(RecurrentCircuit, ContinuousDynamics):
    r"""Units with activations x and rates r that drive each other.

    $$\tau \dot x = -x + W r + B u + F z + b + I_e + \tau\,\sigma\,\xi, \qquad
      r = \varphi(x), \qquad z = W_{out}\,r + c$$

    With the Euler method and $\alpha = dt/\tau$ a step is
    $x' = (1 - \alpha) x + \alpha(W r + B u + \ldots)$. The state is `{"x": (n,)}`; each step emits
    `rate` and `output`.

    It is also a reservoir in continuous time: `nj.fitting.fit_readout(circuit, u, y, dt=1.0)`, and
    then `nj.simulate(fitted.circuit, stepsize_controller=..., record={"z": nj.Trace("output",
    at=times)})` integrates it through diffrax with steps of any length.

    Arguments:
        n: number of units.
        inputs: number of input channels.
        outputs: number of output channels.
        recurrent: W (n, n) [to, from]: an array, a `LowRank`, or a way to draw it such as
            `Gaussian(1.5)` (default), `Orthogonal()`, `DaleBalanced()`, `Truncated(rank)`.
        input: B (n, inputs), default N(0, 1 / inputs).
        output: $W_{out}$ (outputs, n), default N(0, 1 / n).
        feedback: F (n, outputs); `True` draws it uniformly from (-1, 1); default none.
        bias: b, scalar or (n,).
        tau: time constant in ms, scalar or (n,); kept in training unless `nj.positive(...)`.
        noise: $\sigma$ per $\sqrt{ms}$, scalar or (n,); default none. Needs a key in `simulate`.
        initial: x at the start, scalar or (n,); kept in training. Give `nj.parameter` arrays
            wrapped as `nj.bounded(...)` to train it.
        nonlinearity: $\varphi$: a name (`"tanh"`, `"relu"`, `"softplus"`, `"sigmoid"`,
            `"identity"`), `Hennequin()`, or a function.
        solver: of fixed steps, one of `nj.solvers` or a diffrax solver; default `EulerMaruyama`.
        key: draws the weights that are not given; default key 0.

    Inputs: `u` (inputs,), and `I_e`, a current into each unit, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, an unknown nonlinearity, a tau that is not positive,
            a diffrax solver that cannot take fixed steps.
        TypeError: for something that is no solver.

    Source: Sompolinsky, Crisanti and Sommers (1988), Physical Review Letters 61:259.

    Example:
        >>> import jax, neurojax as nj
        >>> circuit = nj.circuits.RateRNN(50, inputs=2, outputs=1, key=jax.random.key(0))
        >>> sim = nj.simulate(
        ...     circuit,
        ...     duration=100.0,
        ...     dt=1.0,
        ...     inputs={"u": jax.numpy.ones(2)},
        ...     record={"r": "rate", "z": "output"},
        ... )
        >>> sim["r"].shape, sim["z"].shape
        ((100, 50), (100, 1))
    """

    recurrent: Any
    input: Any
    output: Any
    feedback: Any
    bias: Parameter
    output_bias: Any
    tau: Parameter
    noise: Any
    initial: Parameter
    nonlinearity: Callable
    solver: AbstractStepper
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
        tau: Any = 10.0,
        noise: Any = None,
        initial: Any = 0.0,
        nonlinearity: Any = "tanh",
        solver: Any = None,
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        keys = jax.random.split(own_or_first(key), 4)
        self.n = int(n)
        recurrent = Gaussian() if recurrent is None else recurrent
        self.recurrent = drawn_recurrent(recurrent, keys[0], n)
        self.input = drawn(input, keys[1], (n, inputs), 1.0, "input")
        self.output = drawn(output, keys[2], (outputs, n), 1.0, "output")
        self.feedback = drawn_feedback(feedback, keys[3], (n, outputs))
        self.bias = per_unit(bias, n, "bias")
        self.output_bias = jnp.zeros(outputs) if outputs else None
        self.tau, self.noise = kept(tau), None if noise is None else kept(noise)
        self.initial = kept(per_unit(initial, n, "initial"))
        self.nonlinearity = as_nonlinearity(nonlinearity)
        self.solver = EulerMaruyama() if solver is None else as_stepper(solver)
        for name in ("tau", "noise"):
            per_unit(getattr(self, name), n, name, spread=False)
        check_positive(self, "tau")
        check_positive(self, "noise", zero=True)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The activations at the start."""
        return {"x": jnp.asarray(unwrap(self.initial))}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return self.nonlinearity(state["x"])

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dx/dt per ms; see the class."""
        total = received(self, self.rates(state), inputs) - state["x"]
        return {"x": total / self.tau}

    def diffusion(self, t, state, inputs) -> dict[str, Array] | None:
        """The noise amplitude, or `None`."""
        return None if self.noise is None else {"x": self.noise}

    def decay(self, t, state, inputs) -> dict[str, Array]:
        """1 / tau: the leak, without what a unit does to itself."""
        return {"x": jnp.broadcast_to(1.0 / self.tau, (self.n,))}

    def emit(self, state, clock) -> Output:
        """Rates and outputs of the new state."""
        return Output(values=self.values(state))


def per_unit(value, n: int, name: str, spread: bool = True) -> Any:
    """A scalar as one value per unit; what is wrapped or has the shape already stays."""
    value = jnp.asarray(value) if isinstance(value, list | tuple) else value
    check_real(name, value)
    value = as_parameter(value)
    if value is None:
        return None
    check_drawn(name, unwrap(value))
    shape = jnp.shape(unwrap(value))
    if shape not in ((), (n,)):
        raise ValueError(f"{name} must be a scalar or have shape ({n},), got shape {shape}")
    plain = eqx.is_array(value)
    return jnp.broadcast_to(value, (n,)) if plain and spread else value
