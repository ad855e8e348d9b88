"""Adaptation by gains: a fixed recurrent circuit that tunes how strongly each neuron responds."""

from functools import lru_cache
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from neurojax.core import ContinuousDynamics, Output, Parameter, as_parameter, frozen, unwrap
from neurojax.core.parameter_checks import check_positive
from neurojax.core.solvers import AbstractStepper, RungeKutta4


@final
class GainControl(ContinuousDynamics):
    r"""Neurons with adjustable gains in a fixed recurrent circuit.

    $$\tau \dot r = -r + \varphi\big(F + W (g \odot r)\big)$$

    $F$ is the feed-forward drive of a stimulus, $g$ are the gains and $g \odot r$ is what the
    circuit puts out. `steady_state` finds the response to a constant drive by Newton's method, and
    its derivatives come from the implicit function theorem, not from the iterations. The state is
    `{"r": (n,)}` and begins at zero; the input is `F`. Each step emits the `response`
    $g \odot r$.

    Arguments:
        weights: $W$ (n, n) [to, from], kept in training.
        gain: $g$, scalar or (n,); what `adapt_gains` optimises.
        tau: time constant in ms, kept in training.
        activation: $\varphi$; default none, the linear circuit of the source.
        solver: default fourth-order Runge-Kutta.

    Raises:
        ValueError: for weights that are not square, a gain of another shape, tau not positive.

    Source: Duong et al. 2023, arXiv:2305.19869.

    Example:
        >>> import jax.numpy as jnp
        >>> circuit = GainControl(jnp.array([[0.0, -1.0], [-1.0, 0.0]]), gain=0.5)
        >>> circuit.steady_state(jnp.array([1.5, 0.0])).round(4).tolist()
        [2.0, -1.0]
    """

    weights: Parameter  # (n, n) [to, from]
    gain: Parameter  # (n,)
    tau: Parameter
    activation: Any
    solver: AbstractStepper

    def __init__(
        self,
        weights,
        *,
        gain: Any = 1.0,
        tau: Any = 10.0,
        activation: Any = None,
        solver: AbstractStepper | None = None,
    ):
        weights = np.asarray(weights) if isinstance(weights, list | tuple) else weights
        self.weights = frozen(as_parameter(weights))
        shape = jnp.shape(unwrap(self.weights))
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"weights must be a square matrix [to, from], got shape {shape}")
        gain = as_parameter(gain)
        if jnp.shape(unwrap(gain)) not in ((), shape[:1]):
            raise ValueError(
                f"gain must be a scalar or have shape {shape[:1]}, got {jnp.shape(unwrap(gain))}"
            )
        self.gain = jnp.broadcast_to(gain, shape[:1]) if eqx.is_array(gain) else gain
        self.tau = frozen(as_parameter(tau))
        plain = activation is None or isinstance(activation, eqx.Module)
        self.activation = activation if plain else jax.tree_util.Partial(activation)
        self.solver = RungeKutta4() if solver is None else solver
        check_positive(self, "tau")

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All responses at zero."""
        weights = unwrap(self.weights)
        return {"r": jnp.zeros(weights.shape[0], weights.dtype)}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dr/dt per ms; see the class."""
        model = unwrap(self)
        return {"r": model.residual(state["r"], inputs.get("F", 0.0)) / model.tau}

    def emit(self, state, clock) -> Output:
        """The response."""
        return Output(values={"response": unwrap(self.gain) * state["r"]})

    def residual(self, r: Float[Array, " n"], drive) -> Float[Array, " n"]:
        r"""$\varphi(F + W (g \odot r)) - r$: zero at the steady state."""
        model = unwrap(self)
        total = drive + model.weights @ (model.gain * r)
        return (total if model.activation is None else model.activation(total)) - r

    def steady_state(
        self, drive: Float[Array, "*batch n"], *, tolerance: float | None = None
    ) -> Float[Array, "*batch n"]:
        """The r at which the circuit rests under a constant drive, differentiable in all of it.

        Arguments:
            drive: F, one stimulus or many.
            tolerance: of Newton's method, relative and absolute; by default fitting the precision.

        Raises:
            RuntimeError: (outside jit as inside) if Newton's method does not converge.
        """
        import optimistix

        if tolerance is None:
            tolerance = 1e-9 if drive.dtype == jnp.float64 else 1e-5
        method = optimistix.Newton(rtol=tolerance, atol=tolerance)

        def rest(model, drive):
            residual = lambda r, given: given[0].residual(r, given[1])
            start = jnp.zeros_like(drive)
            return optimistix.root_find(residual, method, start, (model, drive), max_steps=64).value

        flat = drive.reshape(-1, drive.shape[-1])
        return jax.vmap(rest, in_axes=(None, 0))(unwrap(self), flat).reshape(drive.shape)

    def response(self, drive: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        r"""The output $g \odot r$ at the steady state."""
        r = self.steady_state(drive)
        return jnp.broadcast_to(unwrap(self.gain), r.shape) * r


def coding_cost(
    circuit: GainControl,
    drives: Float[Array, "stimuli n"],
    probability: Float[Array, " stimuli"],
    *,
    activity: Any,
    homeostasis: Any,
    decoder: Float[Array, "n n"] | None = None,
) -> Float[Array, ""]:
    r"""What efficient coding by gains minimises.

    $$\sum_s p_s \big[\,|F_s - D (g \odot r_s)|^2 + \alpha |g \odot r_s|^2\,\big]
      + \gamma |g - 1|^2$$

    Arguments:
        circuit: with its present gains.
        drives: $F_s$, one stimulus per row.
        probability: $p_s$, summing to 1.
        activity: $\alpha$, the price of activity.
        homeostasis: $\gamma$, the price of gains away from 1. Without it the other terms both
            scale with the probability and the circuit hardly adapts.
        decoder: $D$; by default $1 - W$, which recovers the drive of a linear circuit at $g = 1$.

    Raises:
        ValueError: if the circuit has an activation and no decoder is given.

    Example:
        >>> import jax.numpy as jnp
        >>> circuit = GainControl(jnp.zeros((2, 2)))
        >>> float(coding_cost(circuit, jnp.eye(2), jnp.ones(2) / 2, activity=0.5, homeostasis=1.0))
        0.5
    """
    model = unwrap(circuit)
    if decoder is None:
        if model.activation is not None:
            raise ValueError("a circuit with an activation needs a decoder=, the matrix D")
        read = jnp.eye(model.weights.shape[0], dtype=model.weights.dtype) - model.weights
    else:
        read = decoder
    out = model.response(drives)
    error = jnp.sum((drives - out @ read.T) ** 2, axis=1)
    price = error + activity * jnp.sum(out**2, axis=1)
    return jnp.dot(probability, price) + homeostasis * jnp.sum((model.gain - 1.0) ** 2)


def adapt_gains(
    circuit: GainControl,
    drives: Float[Array, "stimuli n"],
    probability: Float[Array, " stimuli"],
    *,
    activity: Any = 0.3,
    homeostasis: Any = None,
    decoder: Float[Array, "n n"] | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 200,
) -> tuple[GainControl, Float[Array, " steps"]]:
    """The circuit with gains adapted to an ensemble of stimuli, and the cost at each step.

    Arguments:
        circuit: its gains are the start.
        drives: one stimulus per row.
        probability: of each stimulus; scaled to sum to 1.
        activity: see `coding_cost`.
        homeostasis: see `coding_cost`; default 20 / n.
        decoder: see `coding_cost`.
        optimizer: default Adam with a rate that falls from 0.03 to zero.
        steps: of the optimiser.

    Raises:
        ValueError: for drives or probabilities that do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> drives = jnp.eye(3)
        >>> often_first = jnp.array([0.6, 0.2, 0.2])
        >>> adapted, cost = adapt_gains(GainControl(jnp.zeros((3, 3))), drives, often_first)
        >>> bool(adapted.gain[0] < adapted.gain[1]), bool(cost[-1] < cost[0])
        (True, True)
    """
    n = unwrap(circuit.weights).shape[0]
    if drives.ndim != 2 or drives.shape[1] != n or probability.shape != drives.shape[:1]:
        raise ValueError(
            f"drives must be (stimuli, {n}) and probability (stimuli,), got {drives.shape} and "
            f"{probability.shape}"
        )
    homeostasis = 20.0 / n if homeostasis is None else homeostasis
    optimizer = _falling_adam(steps) if optimizer is None else optimizer
    circuit = eqx.tree_at(lambda c: c.gain, circuit, unwrap(circuit.gain) * jnp.ones(n))
    prices = jnp.asarray(activity, drives.dtype), jnp.asarray(homeostasis, drives.dtype)
    share = probability / jnp.sum(probability)
    return _adapted(circuit, drives, share, prices, decoder, optimizer, steps)


@lru_cache(maxsize=32)
def _falling_adam(steps: int) -> optax.GradientTransformation:
    # one object for each length: another one would compile `_adapted` again
    return optax.adam(optax.cosine_decay_schedule(0.03, steps))


@eqx.filter_jit
def _adapted(circuit, drives, probability, prices, decoder, optimizer, steps):
    place = lambda c: c.gain

    def cost(gain):
        trial = eqx.tree_at(place, circuit, gain)
        return coding_cost(
            trial, drives, probability, activity=prices[0], homeostasis=prices[1], decoder=decoder
        )

    def step(carry, _):
        gain, memory = carry
        value, slope = jax.value_and_grad(cost)(gain)
        change, memory = optimizer.update(slope, memory, gain)
        return (optax.apply_updates(gain, change), memory), value

    (gain, _), costs = jax.lax.scan(
        step, (circuit.gain, optimizer.init(circuit.gain)), None, length=steps
    )
    return eqx.tree_at(place, circuit, gain), costs
