"""The neuron-astrocyte liquid: an astrocyte sets how strongly plasticity depresses synapses."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32

from neurojax.core import Clock, Output, Parameter, SpikeOutput, as_parameter, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_positive, check_probability
from neurojax.core.random import host_generator
from neurojax.core.tracing import known

from ..recurrent import (
    RecurrentCircuit,
    check_finite,
    check_shape,
    check_sizes,
    current,
    drawn,
)
from .liquid_grid import LiquidGrid, input_synapses

_NEVER = 1e30  # ms since the last spike of a neuron without any: exp(-1e30 / tau) is 0


@final
class AstrocyteLiquid(RecurrentCircuit):
    r"""A liquid whose synapses learn by STDP, with the depression that an astrocyte allows.

    In steps of 1 ms, in numbers without units, for n neurons of a `LiquidGrid` and one more for
    each input channel:

    $$v_i \leftarrow v_i - \frac{v_i}{\tau_m} + \sum_j \frac{w_{ij}}{\tau_i} e^{-t_j/\tau_i}
      + I_i,$$

    with $t_j$ the time since the last spike of j and $\tau_i$ = `tau_syn` of the receiver. Where
    $v > V_{th}$ a neuron spikes and starts from 0; for `t_ref` it may not spike again, but its v
    goes on. Input neurons receive $I$ = `input_current` times `u` and nothing else, so that a `u`
    of 1 makes one spike, except within `t_ref`. Traces of spikes s are
    $x \leftarrow e^{-1/\tau_x}(x + 0.1\,s)$, and for excitatory and input neurons j

    $$\Delta w_{ij} = A_+ x_j s_i - A\,x_i s_j,$$

    for inhibitory ones the roles swap, $\Delta w_{ij} = -A\,x_j s_i + A_+ x_i s_j$. Then weights
    are clipped: excitatory to [0, w_max], inhibitory to [-w_max, 0], input to [-w_max, w_max]. The
    astrocyte compares the spikes of the liquid with those of its input:

    $$\tau_a \dot A = -A + b + w_a \Bigl(\sum_{liquid} s - \sum_{input} s\Bigr), \quad A(0) = b.$$

    In each step $A_+$, A, b and $w_a$ are multiplied by `decay`. With `w_a=0` this is plain STDP
    with one depression; with `plasticity=False` the liquid is static.

    A run begins with the weights of the circuit, so that each sample finds the same ones;
    `initialise_weights` lets them learn beforehand. The rates of the circuit are spikes filtered
    by `tau_trace`, or counted with `jnp.inf`. It is no `nj.Network`: neither the sum over last
    spikes nor plasticity that depends on how many neurons fire is what its synapses do. Spikes
    have no derivative here.

    Arguments:
        shape: of the grid, or a `LiquidGrid`.
        inputs: number of input channels, one at least.
        outputs: number of output channels.
        density: fraction of pairs of channel and neuron that are joined, by a fixed number of
            pairs.
        excitatory_weight: at the start.
        inhibitory_weight: at the start, not positive.
        input_weight: size at the start; signs are random.
        recurrent: weights (n, n) [to, from] instead; those that are 0 are no synapses.
        input: weights (n, inputs) likewise.
        output: $W_{out}$ (outputs, n), default 0.
        tau_m: ms, above 0.5.
        tau_syn: the few values that $\tau_i$ has, ms; each neuron draws one.
        which_tau_syn: index into `tau_syn` for each neuron (n,) instead.
        V_th: threshold.
        t_ref: ms.
        input_current: what `u` is multiplied by.
        A_plus: learning rate of potentiation.
        tau_x: of the traces, ms.
        w_max: bound of the weights.
        b: depression without a difference of activity.
        w_a: weight of spikes in the astrocyte, 0.015 for a thousand neurons.
        tau_a: of the astrocyte, ms, above 0.5.
        decay: of the learning rates per ms; 1 keeps them.
        plasticity: whether weights change.
        tau_trace: of the spikes that a read-out sees, ms.
        key: draws what is random; default key 0.

    Input: `u` (inputs,), 1 for a spike of a channel and 0 for none.

    Raises:
        ValueError: for sizes and shapes that do not fit, time constants that are not positive,
            weights of the wrong sign or beyond `w_max`, or steps other than 1 ms.

    Source: Ivanov and Michmizos (2021), Increasing liquid state machine performance with
    edge-of-chaos dynamics organized by astrocyte-modulated plasticity, NeurIPS.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> liquid = nj.circuits.AstrocyteLiquid((3, 3, 3), inputs=6, tau_trace=jnp.inf)
        >>> pixels = jax.random.uniform(jax.random.key(1), (10, 1, 6))
        >>> spikes = jax.random.bernoulli(jax.random.key(2), pixels, (10, 50, 6))
        >>> liquid = nj.circuits.initialise_weights(liquid, spikes[:, :20])
        >>> nj.circuits.responses(liquid, spikes, dt=1.0).shape  # numbers of spikes
        (10, 27)
    """

    recurrent: Any
    input: Any
    output: Any
    feedback: Any
    output_bias: Any
    synapses: Bool[Array, "n senders"]
    tau_m: Parameter
    tau_syn: Parameter
    which_tau_syn: Int32[Array, " n"]
    V_th: Parameter
    input_current: Parameter
    A_plus: Parameter
    tau_x: Parameter
    w_max: Parameter
    b: Parameter
    w_a: Parameter
    tau_a: Parameter
    decay: Parameter
    tau_trace: Parameter
    t_ref: int = eqx.field(static=True)
    plasticity: bool = eqx.field(static=True)
    n_E: int = eqx.field(static=True)
    n: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)

    def __init__(
        self,
        shape: Any,
        *,
        inputs: int,
        outputs: int = 0,
        density: float | int = 0.15,
        excitatory_weight: float | int = 1.0,
        inhibitory_weight: float | int = -1.0,
        input_weight: float | int = 1.0,
        recurrent: Any = None,
        input: Any = None,
        output: Any = None,
        tau_m: Any = 64.0,
        tau_syn: Any = (1.0, 2.0),
        which_tau_syn: Any = None,
        V_th: Any = 20.0,
        t_ref: float | int = 2.0,
        input_current: Any = 100.0,
        A_plus: Any = 0.15,
        tau_x: Any = 10.0,
        w_max: Any = 3.0,
        b: Any = 0.15,
        w_a: Any = 0.015,
        tau_a: Any = 100.0,
        decay: Any = 0.99,
        plasticity: bool = True,
        tau_trace: Any = 20.0,
        key: Any = None,
    ):
        keys = jax.random.split(own_or_first(key), 4)
        grid = shape if isinstance(shape, LiquidGrid) else LiquidGrid(shape, key=keys[0])
        self.n, self.n_E = grid.n, grid.n_E
        check_sizes(grid.n, inputs, outputs)
        if inputs < 1:
            raise ValueError(f"inputs must be one channel at least, got {inputs}")
        number = isinstance(t_ref, int | float | np.number)
        if not (number and t_ref >= 0 and t_ref % 1 == 0):  # neither NaN nor infinite
            raise ValueError(f"t_ref must be a whole number of ms, got {t_ref!r}")
        if not isinstance(plasticity, bool | np.bool_):
            raise TypeError(f"plasticity must be True or False, got {plasticity!r}")
        self.inputs, self.t_ref, self.plasticity = int(inputs), int(t_ref), bool(plasticity)
        if recurrent is None:
            each = np.where(np.arange(grid.n) < grid.n_E, excitatory_weight, inhibitory_weight)
            recurrent = grid.synapses(keys[1]) * each
        if input is None:
            rng = host_generator(keys[2])
            reached, signs = input_synapses(grid.n, self.inputs, density, rng)
            input = input_weight * reached * signs
        self.recurrent, self.input = as_parameter(recurrent), as_parameter(input)
        check_shape("recurrent", self.recurrent, (grid.n, grid.n))
        check_shape("input", self.input, (grid.n, self.inputs))
        self.synapses = jnp.concatenate([unwrap(self.recurrent), unwrap(self.input)], axis=1) != 0
        output = jnp.zeros((outputs, grid.n)) if output is None and outputs else output
        self.output = drawn(output, keys[3], (outputs, grid.n), 1.0, "output")
        self.feedback, self.output_bias = None, jnp.zeros(outputs) if outputs else None
        if isinstance(tau_syn, tuple | list) or eqx.is_array_like(tau_syn):
            tau_syn = jnp.atleast_1d(jnp.asarray(tau_syn, float))
        self.tau_m, self.tau_syn, self.V_th = map(as_parameter, (tau_m, tau_syn, V_th))
        kinds = jnp.shape(unwrap(self.tau_syn))
        if len(kinds) != 1 or kinds[0] < 1:
            raise ValueError(f"tau_syn must list one value at least, got shape {kinds}")
        if which_tau_syn is None:
            which_tau_syn = host_generator(keys[3]).integers(0, kinds[0], grid.n)
        which = np.asarray(which_tau_syn)
        if which.shape != (grid.n,) or which.dtype.kind not in "iu":
            raise ValueError(
                f"which_tau_syn must be {grid.n} whole numbers, got {which.dtype}{which.shape}"
            )
        if which.min() < 0 or which.max() >= kinds[0]:
            raise ValueError(f"which_tau_syn must lie between 0 and {kinds[0] - 1}")
        self.which_tau_syn = jnp.asarray(which, jnp.int32)
        check_finite("input_current", input_current)
        self.input_current, self.A_plus = as_parameter(input_current), as_parameter(A_plus)
        self.tau_x, self.w_max, self.b = map(as_parameter, (tau_x, w_max, b))
        self.w_a, self.tau_a, self.decay = map(as_parameter, (w_a, tau_a, decay))
        self.tau_trace = as_parameter(tau_trace)
        self._check_weights()

    def __check_init__(self):
        check_positive(self, "tau_m", "tau_syn", "V_th", "tau_x", "w_max", "tau_a", "tau_trace")
        check_positive(self, "A_plus", "b", "w_a", zero=True)
        check_probability(self, "decay")
        for name in ("tau_m", "tau_a"):
            tau = unwrap(getattr(self, name))
            if known(tau) and not np.all(np.asarray(tau) > 0.5):
                raise ValueError(
                    f"{name} of AstrocyteLiquid must be above 0.5 ms, got {tau}: its steps of 1 ms "
                    "are unstable below"
                )

    def _check_weights(self):
        weights = self._weights()
        if not known(weights, unwrap(self.w_max)):
            return
        low, high = (np.asarray(x) for x in self._bounds())
        wrong = ~((np.asarray(weights) >= low) & (np.asarray(weights) <= high))  # or NaN
        if wrong.any():
            to, sender = np.argwhere(wrong)[0]
            kind = "E" if sender < self.n_E else "I" if sender < self.n else "input"
            raise ValueError(
                f"the weight {float(weights[to, sender]):g} of a synapse from {kind} is outside "
                f"{float(low[sender]):g} to {float(high[sender]):g}; excitatory weights lie "
                "between 0 and w_max, inhibitory ones between -w_max and 0"
            )

    def _weights(self) -> Array:
        """Weights from all neurons, those of the liquid first."""
        return jnp.concatenate([unwrap(self.recurrent), unwrap(self.input)], axis=1)

    def _bounds(self) -> tuple[Array, Array]:
        """The least and the largest weight by sender."""
        w_max = unwrap(self.w_max)
        sender = jnp.arange(self.n + self.inputs)
        low = jnp.where(sender < self.n_E, 0.0, -w_max)
        return low, jnp.where((sender >= self.n_E) & (sender < self.n), 0.0, w_max)

    def on_grid(self, dt: float) -> "AstrocyteLiquid":
        """The same model; it is made of steps of 1 ms."""
        if known(dt) and abs(float(dt) - 1.0) > 1e-6:
            raise ValueError(f"AstrocyteLiquid moves in steps of dt=1.0 ms, got dt={dt}")
        return self

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All at rest; the weights of the circuit, and A = b."""
        like, total = self._weights(), self.n + self.inputs
        zeros = lambda n: jnp.zeros(n, like.dtype)
        state = {
            "V_m": zeros(total),
            "since": jnp.full(total, _NEVER, like.dtype),
            "refractory": jnp.zeros(total, jnp.int32),
            "trace": zeros(self.n),
        }
        if self.plasticity:
            state |= {
                "x": zeros(total),
                "w": like,
                "A": jnp.asarray(unwrap(self.b), like.dtype),
                "rate_factor": jnp.ones((), like.dtype),
            }
        return state

    def rates(self, state) -> Array:
        """The filtered spikes of the liquid, excitatory neurons first."""
        return state["trace"]

    def visible(self, state):
        """The state with the pending resets applied."""
        return state | {"V_m": jnp.where(self._fired(state), 0.0, state["V_m"])}

    def _fired(self, state) -> Array:
        return (state["V_m"] > self.V_th) & (state["refractory"] == 0)

    def step(self, state, inputs, clock: Clock):
        """One step of 1 ms; see the class. Spikes act on synapses in the step after them."""
        fired = self._fired(state)
        V_m = jnp.where(fired, 0.0, state["V_m"])
        since = jnp.where(fired, 0.0, state["since"])
        u = jnp.broadcast_to(jnp.asarray(inputs.get("u", 0.0), V_m.dtype), (self.inputs,))
        weights = state["w"] if self.plasticity else self._weights()
        drive = jnp.concatenate([self._current(weights, since), self.input_current * u])
        new = state | {
            "V_m": V_m + (drive - V_m / self.tau_m),
            "since": since + 1.0,
            "refractory": jnp.where(fired, self.t_ref, jnp.maximum(state["refractory"] - 1, 0)),
        }
        if self.plasticity:
            new = new | self._learnt(state, fired.astype(V_m.dtype))
        spikes = self._fired(new)[: self.n].astype(V_m.dtype)
        new = new | {"trace": state["trace"] * jnp.exp(-1.0 / self.tau_trace) + spikes}
        armed = new["refractory"][: self.n] == 0
        emitted = SpikeOutput(new["V_m"][: self.n], self.V_th, armed, None, self.V_th)
        return new, Output(spikes=emitted, values=self.values(new))

    def _current(self, weights, since) -> Array:
        """The currents into the liquid: of each synapse, what the last spike left."""
        # a product for each value of tau_syn: cheaper than an exponential for each synapse
        left = jnp.exp(-since[None, :] / self.tau_syn[:, None]) / self.tau_syn[:, None]
        of_each = current(weights, left)  # (value of tau_syn, n)
        return jnp.take_along_axis(of_each, self.which_tau_syn[None, :], axis=0)[0]

    def _learnt(self, state, s) -> dict[str, Array]:
        """What the spikes s of all neurons change: weights, traces, astrocyte, learning rates."""
        x, A, rate = state["x"], state["A"], state["rate_factor"]
        A_plus, post, n = self.A_plus * rate, slice(0, self.n), self.n
        inhibitory = (jnp.arange(s.shape[0]) >= self.n_E) & (jnp.arange(s.shape[0]) < n)
        at_post = jnp.where(inhibitory, -A, A_plus)  # by sender
        at_pre = jnp.where(inhibitory, A_plus, -A)
        change = s[post, None] * (at_post * x)[None, :] + x[post, None] * (at_pre * s)[None, :]
        low, high = self._bounds()
        learnt = jnp.clip(state["w"] + change, low[None, :], high[None, :])
        gain = jnp.sum(s[:n]) - jnp.sum(s[n:])
        A = A + (self.b * rate + self.w_a * rate * gain - A) / self.tau_a
        return {
            "w": jnp.where(self.synapses, learnt, 0.0),
            "x": jnp.exp(-1.0 / self.tau_x) * (x + 0.1 * s),
            "A": A * self.decay,
            "rate_factor": rate * self.decay,
        }
