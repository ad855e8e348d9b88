"""A read-out of which units have been active together, instead of which are active."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from neurojax.core import Clock, Output, Parameter, as_parameter, positive, unwrap
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_count, check_positive

from .recurrent import RecurrentCircuit, check_sizes, drawn
from .reservoirs.composed import AbstractComposite, as_part


@final
class Synchronised(AbstractComposite):
    r"""A circuit read out by the synchronisation of pairs of its units.

    $$S_{ij}(t) = \frac{\sum_{s \le t} e^{-\rho_{ij}(t - s)}\, r_i(s)\, r_j(s)}
      {\sqrt{\sum_{s \le t} e^{-\rho_{ij}(t - s)}}}, \qquad y = W_{out} S + c$$

    with s and t in steps, from the first one on. A decay $\rho = 0$ remembers all steps alike, a
    large one only the last. Each step updates the numerator and the sum below the root by
    $\alpha' = e^{-\rho}\alpha + r_i r_j$ and $\beta' = e^{-\rho}\beta + 1$. The rates of this
    circuit are S: what `nj.train` and `nj.fitting.fit_readout` see. The state is
    `{"circuit": state of the circuit, "alpha": (pairs,), "beta": (pairs,)}`; before the first step
    S is 0.

    Arguments:
        circuit: any recurrent circuit without feedback, such as `NeuronLevelModels`.
        pairs: the units i and j of each pair, (pairs, 2); or how many to draw at random, with
            repetition, a unit and itself among them.
        outputs: number of output channels.
        decay: $\rho$ per step, scalar or (pairs,); default `nj.positive(0.1)` for each pair, which
            is trained.
        output: $W_{out}$ (outputs, pairs), default N(0, 1 / pairs).
        key: draws what is not given; default key 0.

    Inputs: `u` of the circuit; further ones of it as `{"circuit": {"I_e": ...}}`.

    Raises:
        ValueError: for a circuit with feedback, pairs of units that there are not, shapes that do
            not fit, a negative decay.
        TypeError: for something that is no recurrent circuit.

    Source: Darlow, Regan, Risi, Seely and Jones (2025), arXiv:2505.05522.

    Example:
        >>> import jax, optax, neurojax as nj
        >>> ticks = nj.circuits.NeuronLevelModels(12, inputs=1, memory=4, hidden=3)
        >>> circuit = nj.circuits.Synchronised(ticks, pairs=20, outputs=1)
        >>> rule = nj.fitting.rules.BPTT(optax.adam(1e-2))
        >>> task = nj.tasks.FlipFlop(bits=1)
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=4, progress=False)
        >>> circuit.n, trained.losses.shape
        (20, (2,))
    """

    parts: dict[str, RecurrentCircuit]
    pairs: Int[Array, "pairs 2"]
    decay: Parameter
    output: Any
    output_bias: Any
    n: int = eqx.field(static=True)

    def __init__(
        self,
        circuit: Any,
        pairs: Any,
        *,
        outputs: int = 0,
        decay: Any = None,
        output: Any = None,
        key: Any = None,
    ):
        self.parts = {"circuit": as_part("circuit", circuit)}
        keys = jax.random.split(own_or_first(key), 2)
        if np.ndim(pairs) == 0:
            check_count("pairs", pairs)
            pairs = jax.random.randint(keys[0], (int(pairs), 2), 0, circuit.n)
        found = np.asarray(pairs)
        if found.ndim != 2 or found.shape[1] != 2 or not len(found) or found.dtype.kind not in "iu":
            raise ValueError(
                f"pairs must be whole numbers of shape (pairs, 2), got shape {found.shape} of "
                f"{found.dtype}"
            )
        if found.min() < 0 or found.max() >= circuit.n:
            raise ValueError(
                f"pairs must name units from 0 to {circuit.n - 1}, got {found.min()} to "
                f"{found.max()}"
            )
        self.pairs, self.n = jnp.asarray(found), len(found)
        check_sizes(self.n, 0, outputs)
        self.decay = positive(jnp.full(self.n, 0.1)) if decay is None else as_parameter(decay)
        shape = jnp.shape(unwrap(self.decay))
        if shape not in ((), (self.n,)):
            raise ValueError(f"decay must be a scalar or have shape ({self.n},), got {shape}")
        check_positive(self, "decay", zero=True)
        self.output = drawn(output, keys[1], (outputs, self.n), 1.0, "output")
        self.output_bias = jnp.zeros(outputs) if outputs else None

    def init_state(self, *, key=None) -> dict[str, Any]:
        """The circuit at its start, and no step so far."""
        none = jnp.zeros(self.n, jnp.result_type(unwrap(self.decay)))
        return super().init_state(key=key) | {"alpha": none, "beta": none}

    def rates(self, state) -> Array:
        """The synchronisation of each pair."""
        steps = jnp.where(state["beta"] > 0, state["beta"], 1.0)  # a root of 0 has no slope
        return state["alpha"] / jnp.sqrt(steps)

    def step(self, state, inputs, clock: Clock):
        """One step of the circuit; see the class."""
        inner, emitted = self._step("circuit", state, inputs, inputs.get("u"), clock)
        r = self.parts["circuit"].rates(inner)
        left = jnp.exp(-unwrap(self.decay))
        state = {
            "circuit": inner,
            "alpha": left * state["alpha"] + r[self.pairs[:, 0]] * r[self.pairs[:, 1]],
            "beta": left * state["beta"] + 1.0,
        }
        return state, Output(values=self.values(state), parts={"circuit": emitted})
