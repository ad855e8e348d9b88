"""A reservoir under conceptors, and reservoirs that are loaded with patterns."""

from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output, frozen, unwrap
from neurojax.core.errors import ShapeError
from neurojax.core.ridge import ridge_on_host

from ..recurrent import RecurrentCircuit, channels, current
from .composed import AbstractComposite, as_part
from .conceptors import Conceptor
from .driven_rates import checked_inputs
from .echo_state import EchoState


@final
class WithConceptor(AbstractComposite):
    r"""A circuit whose state passes through a conceptor, or a mixture of several, at every step.

    $$h' = C\,F(h, u), \qquad C = \sum_i m_i C_i$$

    The state is `{"circuit": {"h": (n,)}}`; the read-out is that of the circuit.

    Arguments:
        circuit: one whose state is `{"h": (n,)}`, its rates: `EchoState` (internal form),
            `EdgeOfStability`, `LeakyRNN`; without feedback.
        conceptors: one or several.

    Inputs: `mix`, the weights m of the conceptors, which may vary in time (morphing); by default
    the first conceptor alone. `u` of the circuit; further ones of it as `{"circuit": ...}`.

    Raises:
        ValueError: for a circuit with another state, conceptors of another size.
        TypeError: for something that is no conceptor.

    Source: Jaeger (2017), Journal of Machine Learning Research 18(13):1.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> time = jnp.arange(300.0)
        >>> patterns = [jnp.sin(2 * jnp.pi * time / period)[:, None] for period in (8.8, 14.2)]
        >>> loaded = nj.circuits.load_patterns(
        ...     nj.circuits.EchoState(80, inputs=1, radius=1.5, input_scaling=1.5), patterns
        ... )
        >>> both = [nj.circuits.conceptor(rates, aperture=10.0) for rates in loaded.rates]
        >>> circuit = nj.circuits.WithConceptor(loaded.circuit, both)
        >>> sim = nj.simulate(
        ...     circuit,
        ...     duration=50.0,
        ...     dt=1.0,
        ...     state=circuit.start(loaded.states[0]),
        ...     record={"y": "output"},
        ... )
        >>> goes_on = jnp.sin(2 * jnp.pi * (300 + jnp.arange(50.0)) / 8.8)
        >>> bool(jnp.abs(sim["y"][:, 0] - goes_on).max() < 0.2)
        True
    """

    parts: dict[str, RecurrentCircuit]
    conceptors: Any
    output: Any
    output_bias: Any
    n: int = eqx.field(static=True)

    def __init__(self, circuit: Any, conceptors: Any):
        self.parts = {"circuit": as_part("circuit", circuit)}
        start = jax.eval_shape(lambda: circuit.init_state())
        if not isinstance(start, dict) or {k: x.shape for k, x in start.items()} != {
            "h": (circuit.n,)
        }:
            raise ValueError(
                f"WithConceptor needs a circuit whose state is its rates, {{'h': (n,)}}; "
                f"{type(circuit).__name__} has the state {jax.tree.map(jnp.shape, start)}"
            )
        conceptors = [conceptors] if isinstance(conceptors, Conceptor) else list(conceptors)
        for i, one in enumerate(conceptors):
            if not isinstance(one, Conceptor):
                raise TypeError(f"conceptors[{i}] must be a Conceptor, got {type(one).__name__}")
            if len(one.matrix) != circuit.n:
                raise ValueError(
                    f"conceptors[{i}] is for {len(one.matrix)} units, the circuit has {circuit.n}"
                )
        if not conceptors:
            raise ValueError("WithConceptor needs at least one conceptor, got none")
        self.conceptors = frozen(jnp.stack([one.matrix for one in conceptors]))
        self.output, self.output_bias, self.n = circuit.output, circuit.output_bias, circuit.n

    def start(self, state: Any) -> dict[str, Any]:
        """The state in which the circuit has this state."""
        return {"circuit": state}

    def rates(self, state) -> Array:
        """The rates of the circuit."""
        return self.parts["circuit"].rates(state["circuit"])

    def step(self, state, inputs, clock: Clock):
        """One step of the circuit, and the conceptor."""
        inner, emitted = self._step("circuit", state, inputs, inputs.get("u"), clock)
        h = inner["h"]
        if "mix" in inputs:
            count, found = len(self.conceptors), jnp.shape(inputs["mix"])
            if found != (count,):
                raise ShapeError(
                    f"mix must have shape ({count},), a weight for each conceptor, got {found}"
                )
            h = current(jnp.tensordot(inputs["mix"], self.conceptors, 1), h)
        else:
            h = current(self.conceptors[0], h)
        state = {"circuit": {"h": h}}
        return state, Output(values=self.values(state), parts={"circuit": emitted})


class LoadedPatterns(eqx.Module):
    """What `load_patterns` found.

    Arguments:
        circuit: without inputs, that can do all patterns; a conceptor chooses among them.
        rates: of each pattern, (time, n), without the washout.
        states: of the driven reservoir at the end of each pattern, to go on from.
        nrmse: of what the units receive: root mean square error of the loaded weights over
            standard deviation, over all units and patterns.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> patterns = [jnp.sin(0.3 * jnp.arange(200.0))[:, None]]
        >>> loaded = nj.circuits.load_patterns(nj.circuits.EchoState(30, inputs=1), patterns)
        >>> loaded.rates[0].shape, bool(loaded.nrmse < 0.05)
        ((100, 30), True)
    """

    circuit: EchoState
    rates: list[Array]
    states: list[Any]
    nrmse: float


def load_patterns(
    reservoir: EchoState,
    patterns: Sequence[Any],
    *,
    washout: int = 100,
    penalty: float = 1e-4,
    output_penalty: float = 1e-2,
) -> LoadedPatterns:
    r"""A reservoir that can go on by itself with each of several patterns.

    It is driven by each pattern p; then recurrent weights W and a read-out are found, by ridge
    regression on the host, that replace the input and give the pattern:

    $$W h_t \approx \rho\,\hat W h_t + s_u\,B\,p_{t+1}, \qquad W_{out}\,h_t \approx p_t$$

    Left alone, the circuit with these weights is not stable in any of the patterns; under the
    conceptor of one of them it does that one, see `WithConceptor`.

    Arguments:
        reservoir: an `EchoState` in the internal form with inputs, without feedback and noise.
        patterns: (time, inputs) each, of any lengths.
        washout: steps at the beginning of each that are not fitted.
        penalty: of the recurrent weights, on squared weights.
        output_penalty: of the read-out.

    Raises:
        ValueError: for a reservoir of another kind, patterns that do not fit, or penalties that
            are not positive.
        TypeError: for a reservoir that is no `EchoState`.

    Source: Jaeger (2017), Journal of Machine Learning Research 18(13):1.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> patterns = [jnp.sin(0.3 * jnp.arange(200.0))[:, None]]
        >>> loaded = nj.circuits.load_patterns(nj.circuits.EchoState(30, inputs=1), patterns)
        >>> loaded.circuit.input is None
        True
    """
    if not isinstance(reservoir, EchoState):
        raise TypeError(
            f"reservoir must be an nj.circuits.EchoState, got {type(reservoir).__name__}"
        )
    if reservoir.form != "internal" or reservoir.feedback is not None or not channels(reservoir):
        raise ValueError(
            "load_patterns needs a reservoir with form='internal', inputs and no feedback"
        )
    if reservoir.noise is not None:
        raise ValueError("load_patterns needs a reservoir without noise: noise=None")
    if isinstance(patterns, jax.Array | np.ndarray) or not len(patterns):
        raise ValueError("patterns must be a list of arrays (time, inputs), one for each pattern")
    for name, value in (("penalty", penalty), ("output_penalty", output_penalty)):
        if not (value > 0 and np.isfinite(value)):
            raise ValueError(f"{name} must be positive, got {value}")
    plain: Any = unwrap(reservoir)
    series = [checked_inputs(reservoir, pattern, washout) for pattern in patterns]
    driven = [_driven(plain, one) for one in series]
    kept = lambda arrays: np.concatenate([np.asarray(x, float)[washout:] for x in arrays])
    before, after = kept(h for h, _, _ in driven), kept(h for _, h, _ in driven)
    received = kept(total for _, _, total in driven)
    W, _ = ridge_on_host(before, received, penalty)
    output, _ = ridge_on_host(after, kept(series), output_penalty)
    miss = np.sqrt(np.mean((before @ W.T - received) ** 2) / np.mean(np.var(received, axis=0)))
    circuit = EchoState(
        reservoir.n, outputs=output.shape[0], recurrent=W, radius=None, output=output,
        bias=plain.bias, bias_scaling=plain.bias_scaling, leak=plain.leak,
        nonlinearity=reservoir.nonlinearity,
    )  # fmt: skip
    rates = [h[washout:] for _, h, _ in driven]
    return LoadedPatterns(circuit, rates, [{"h": h[-1]} for _, h, _ in driven], float(miss))


@eqx.filter_jit
def _driven(model, series):
    """States before and after each step, and what the units received but for the bias."""
    scale = 1.0 if model.radius is None else model.radius / model.unit

    def step(state, drive):
        number, u = drive
        total = scale * current(model.recurrent, state["h"]) + current(
            model.input, model.input_scaling * u
        )
        new, _ = model.step(state, {"u": u}, Clock(number, 1.0))
        return new, (state["h"], new["h"], total)

    return jax.lax.scan(step, model.init_state(), (jnp.arange(len(series)), series))[1]
