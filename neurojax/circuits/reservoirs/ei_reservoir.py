"""The reservoir of excitatory and inhibitory rates."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output, Parameter, as_parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_drawn
from neurojax.core.tracing import known

from ..constrained_weights import check_share
from ..nonlinearities import kept
from ..rate_rnn import per_unit
from ..recurrent import (
    RecurrentCircuit,
    check_finite,
    check_shape,
    check_sizes,
    current,
    drawn,
    drawn_feedback,
    real_parameter,
)


@final
class EIReservoir(RecurrentCircuit):
    r"""Neurons that either excite or inhibit, with rates between 0 and 1, in discrete time.

    $$r' = (1 - a)\,r + a\,\sigma\big(c\,[A^E r^E - \beta A^I r^I + W_{in} u + F z
      + I_e - \theta]\big), \qquad z = W_{out}\,r + b$$

    with the logistic $\sigma$. Dale's law is in the shape of the weights: the first `n_exc` neurons
    send $A^E \ge 0$, the others $A^I \ge 0$. As drawn, the mean of all excitation that a neuron
    receives is 1 at full rates, and that of all inhibition too, so that $\beta = 1$ is balanced
    and beyond it inhibition prevails. `adapt_inhibition` and `design_inhibition` set $A^I$ for
    rates that are asked for. The state is `{"r": (n,)}`; each step emits `rate` and `output`.

    A pair of neurons is connected with probability `indegree / n`. Excitatory weights are
    $|N(\mu_E, (s \mu_E)^2)|$ with $\mu_E = 1 / (k f_E)$ and inhibitory ones
    $|N(\mu_I, (s \mu_E)^2)|$ with $\mu_I = 1 / (k f_I)$, for in-degree $k$, shares $f$ and spread
    $s$; a neuron may be connected to itself. Input weights are uniform within half of
    `input_scaling` to either side, on a share of the neurons.

    Arguments:
        n: number of neurons.
        inputs: number of input channels.
        outputs: number of output channels.
        excitatory: share $f_E$ of the neurons that excite; they come first.
        indegree: $k$, the mean number of synapses onto a neuron.
        balance: $\beta$, a factor on all inhibition.
        gain: $c$, scalar or (n,).
        threshold: $\theta$, scalar or (n,).
        leak: $a$ in (0, 1], scalar or (n,); default 1, no memory of a neuron's own. Kept in
            training unless `nj.bounded(...)`.
        input_scaling: width of the law of the input weights, scalar or one per input channel.
        input_share: share of the neurons that receive the input.
        spread: $s$, the standard deviation of the weights as a part of $\mu_E$.
        excitation: $A^E$ (n, n_exc) [to, from] to use in place of a draw.
        inhibition: $A^I$ (n, n - n_exc) [to, from] to use in place of a draw.
        input: $W_{in}$ (n, inputs) to use in place of a draw.
        output: $W_{out}$ (outputs, n), default N(0, 1 / n).
        feedback: $F$ (n, outputs); `True` draws it uniformly from (-1, 1); default none.
        initial: r at the start, scalar or (n,); kept in training.
        key: draws the weights that are not given; default key 0.

    Training keeps $A^E$, $A^I$, $W_{in}$ and $F$ as they are; give
    `nj.circuits.sign_kept(A, jnp.ones((1, 1)))` to train weights that stay non-negative.

    Inputs: `u` (inputs,), and `I_e`, a current into each neuron, scalar or (n,).

    Raises:
        ValueError: for shapes that do not fit, negative weights or a negative spread, input
            weights, an input scaling or thresholds that are not finite, shares and an in-degree
            that leave nothing, a leak outside (0, 1], a gain that is not positive.

    Source: Srinivasan, Plenz and Girvan (2025), Nature Communications,
    doi:10.1038/s41467-025-64978-8.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, inputs=1, indegree=20, balance=1.2)
        >>> sim = nj.simulate(
        ...     reservoir, duration=30.0, dt=1.0, inputs={"u": jnp.ones(1)}, record={"r": "rate"}
        ... )
        >>> sim["r"].shape, bool((sim["r"] > 0).all())
        ((30, 100), True)
    """

    excitation: Any
    inhibition: Any
    input: Any
    output: Any
    output_bias: Any
    feedback: Any
    balance: Parameter
    gain: Parameter
    threshold: Parameter
    leak: Parameter
    initial: Parameter
    n: int = eqx.field(static=True)
    n_exc: int = eqx.field(static=True)

    def __init__(
        self,
        n: int,
        *,
        inputs: int = 1,
        outputs: int = 0,
        excitatory: float | int = 0.8,
        indegree: float | int = 50.0,
        balance: Any = 1.0,
        gain: Any = 10.0,
        threshold: Any = 0.0,
        leak: Any = 1.0,
        input_scaling: Any = 0.5,
        input_share: float | int = 0.3,
        spread: float | int = 0.2,
        excitation: Any = None,
        inhibition: Any = None,
        input: Any = None,
        output: Any = None,
        feedback: Any = None,
        initial: Any = 0.5,
        key: Any = None,
    ):
        check_sizes(n, inputs, outputs)
        self.n, self.n_exc = int(n), _number_of_exciting(n, excitatory)
        given = excitation is not None and inhibition is not None
        if not given and not 0 < indegree <= n:
            raise ValueError(f"indegree must lie between 0 and n={n}, got {indegree}")
        check_share("input_share of EIReservoir", input_share)
        check_finite("input_scaling of EIReservoir", input_scaling)
        if np.shape(input_scaling) not in ((), (inputs,)):
            raise ValueError(
                "input_scaling of EIReservoir must be a number or have shape "
                f"({inputs},), one per input channel, got {np.shape(input_scaling)}"
            )
        _check("spread", spread, lambda s: np.isfinite(s) & (s >= 0), "not be negative")
        keys = jax.random.split(own_or_first(key), 5)
        mean_exc = n / (indegree * self.n_exc)
        mean_inh = n / (indegree * (n - self.n_exc))
        draw = lambda key, mean, senders: _sparse_weights(
            key, (n, senders), indegree / n, mean, spread * mean_exc
        )
        if excitation is None:
            excitation = draw(keys[0], mean_exc, self.n_exc)
        if inhibition is None:
            inhibition = draw(keys[1], mean_inh, n - self.n_exc)
        self.excitation = _weights(excitation, (n, self.n_exc), "excitation")
        self.inhibition = _weights(inhibition, (n, n - self.n_exc), "inhibition")
        if input is None and inputs:
            input = _input_weights(keys[2], (n, inputs), input_scaling, input_share)
        input = drawn(input, keys[2], (n, inputs), 1.0, "input")
        self.input = None if input is None else kept(input)
        self.output = drawn(output, keys[3], (outputs, n), 1.0, "output")
        self.output_bias = jnp.zeros(outputs) if outputs else None
        self.feedback = kept(drawn_feedback(feedback, keys[4], (n, outputs)))
        self.balance = as_parameter(balance)
        check_drawn("balance of EIReservoir", unwrap(self.balance))
        if jnp.shape(unwrap(self.balance)) != ():
            raise ValueError(
                "balance of EIReservoir must be one number, a factor on all inhibition, got shape "
                f"{jnp.shape(unwrap(self.balance))}"
            )
        self.gain = per_unit(gain, n, "gain", spread=False)
        self.threshold = per_unit(threshold, n, "threshold", spread=False)
        check_finite("threshold of EIReservoir", self.threshold)
        self.leak = kept(per_unit(leak, n, "leak", spread=False))
        self.initial = kept(per_unit(initial, n, "initial"))
        _check("leak", self.leak, lambda a: (a > 0) & (a <= 1), "lie in (0, 1]")
        _check("gain", self.gain, lambda c: c > 0, "be positive")
        _check("balance", self.balance, lambda b: b >= 0, "not be negative")
        _check("initial", self.initial, lambda r: (r >= 0) & (r <= 1), "lie between 0 and 1")

    @property
    def weights(self) -> Array:
        r"""$[A^E, -\beta A^I]$, (n, n) [to, from]."""
        model = unwrap(self)
        return jnp.concatenate([model.excitation, -model.balance * model.inhibition], axis=1)

    def init_state(self, *, key=None) -> dict[str, Array]:
        """The rates at the start."""
        return {"r": jnp.asarray(unwrap(self.initial))}

    def rates(self, state) -> Array:
        """See `RecurrentCircuit`."""
        return state["r"]

    def step(self, state, inputs, clock: Clock):
        """One step of the map; see the class."""
        r = state["r"]
        excited = current(self.excitation, r[: self.n_exc])
        total = excited - self.balance * current(self.inhibition, r[self.n_exc :])
        if self.input is not None and "u" in inputs:
            total = total + current(self.input, inputs["u"])
        if self.feedback is not None:
            total = total + current(self.feedback, self.read_out(r))
        if "I_e" in inputs:
            total = total + inputs["I_e"]
        driven = jax.nn.sigmoid(self.gain * (total - self.threshold))
        state = {"r": (1.0 - self.leak) * r + self.leak * driven}
        return state, Output(values=self.values(state))


def check_ei_reservoir(reservoir) -> None:
    """Its inhibition is what is changed."""
    if not isinstance(reservoir, EIReservoir):
        raise TypeError(
            "reservoir must be an nj.circuits.EIReservoir, whose inhibition is apart from its "
            f"excitation, got {type(reservoir).__name__}"
        )


def with_inhibition(reservoir: EIReservoir, inhibition: Array) -> EIReservoir:
    """The same reservoir with other inhibitory weights, kept in training if they were before."""
    plain = eqx.is_array(reservoir.inhibition)
    # a reservoir that is unwrapped stays so, since what is kept has no gradient
    return eqx.tree_at(lambda r: r.inhibition, reservoir, inhibition if plain else kept(inhibition))


def _number_of_exciting(n: int, share: float) -> int:
    check_share("excitatory of EIReservoir", share)
    count = round(share * n)
    if not 0 < count < n:
        raise ValueError(
            f"EIReservoir needs neurons of both kinds: excitatory={share} of n={n} makes {count} "
            "that excite"
        )
    return count


def _sparse_weights(key, shape: tuple[int, int], density: float, mean: float, sd: float) -> Array:
    sizes, places = jax.random.split(key)
    size = jnp.abs(mean + sd * jax.random.normal(sizes, shape))
    return jnp.where(jax.random.bernoulli(places, density, shape), size, 0.0)


def _input_weights(key, shape: tuple[int, int], width, share: float) -> Array:
    sizes, places = jax.random.split(key)
    width = jnp.broadcast_to(jnp.asarray(width, float), shape)
    drawn = width * jax.random.uniform(sizes, shape, minval=-0.5, maxval=0.5)
    # a neuron that receives the input receives all of its channels
    return jnp.where(jax.random.bernoulli(places, share, (shape[0], 1)), drawn, 0.0)


def _weights(value, shape: tuple[int, int], name: str) -> Any:
    value = real_parameter(name, value)
    check_shape(name, value, shape)
    _check(name, value, lambda w: w >= 0, "not be negative: its sign is in the equation")
    return kept(value)


def _check(name: str, value, holds, rule: str) -> None:
    number = unwrap(value)
    if known(number) and not bool(np.all(holds(np.asarray(number)))):
        raise ValueError(f"{name} of EIReservoir must {rule}, got {np.asarray(number)}")
