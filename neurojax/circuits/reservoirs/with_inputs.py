"""A reservoir whose read-out sees the inputs as well."""

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Clock, Output, unwrap

from ..recurrent import RecurrentCircuit, channels, current, readout
from .composed import AbstractComposite, as_part


@final
class WithInputs(AbstractComposite):
    r"""A circuit with its current inputs among the rates, for the read-out: $r = (r_c, u)$.

    The state is `{"circuit": state of the circuit, "u": (inputs,)}`. A circuit with feedback gets
    the outputs of the whole, those at the beginning of each step.

    Arguments:
        circuit: any recurrent circuit with inputs.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets;
            default those that are fed back.
        output: (outputs, n), default 0, with n the units and inputs.

    Inputs: `u` of the circuit; further ones of it as `{"circuit": {"I_e": ...}}`, of a circuit with
    feedback `I_e` as well.

    Raises:
        ValueError: for a circuit without inputs, or with feedback of another number of outputs.
        TypeError: for something that is no recurrent circuit.

    Source: Jaeger (2001), GMD Report 148; Lukoševičius (2012), in: Neural Networks: Tricks of the
    Trade.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.WithInputs(nj.circuits.EchoState(20, inputs=1))
        >>> u = jax.random.normal(jax.random.key(0), (100, 1))
        >>> reservoir.n, bool(nj.fitting.fit_readout(reservoir, u, 3 * u + 1).nrmse < 1e-4)
        (21, True)
    """

    parts: dict[str, RecurrentCircuit]
    back: Any  # the feedback weights of the circuit (units, outputs), or None
    output: Any
    output_bias: Any
    fed: bool = eqx.field(static=True)  # also where targets take the place of outputs
    inputs: int = eqx.field(static=True)
    n: int = eqx.field(static=True)

    def __init__(self, circuit: Any, *, outputs: int = 0, output: Any = None):
        self.back = getattr(circuit, "feedback", None)
        self.fed = self.back is not None
        if self.fed:
            circuit = eqx.tree_at(lambda c: c.feedback, circuit, None)
            wanted = unwrap(self.back).shape[1]
            outputs = outputs or wanted
            if outputs != wanted:
                raise ValueError(
                    f"the circuit feeds back {wanted} outputs, but WithInputs has outputs={outputs}"
                )
        self.parts = {"circuit": as_part("circuit", circuit)}
        self.inputs = channels(circuit)
        if not self.inputs:
            raise ValueError("WithInputs needs a circuit with inputs: it has none")
        self.n = circuit.n + self.inputs
        self.output, self.output_bias = readout(self.n, outputs, output)

    @property
    def feedback(self) -> Any:
        """The feedback weights of the circuit."""
        return self.back

    def init_state(self, *, key=None) -> dict[str, Any]:
        """The circuit at its start, and no input so far."""
        return super().init_state(key=key) | {"u": jnp.zeros(self.inputs)}

    def rates(self, state) -> Array:
        """The rates of the circuit, and the inputs of the last step."""
        return jnp.concatenate([self.parts["circuit"].rates(state["circuit"]), state["u"]])

    def step(self, state, inputs, clock: Clock):
        """One step of the circuit; see the class."""
        given, currents = inputs.get("u"), inputs.get("I_e") if self.fed else None
        if self.back is not None:
            own = current(self.back, self.read_out(self.rates(state)))
            currents = own if currents is None else own + currents
        inner, emitted = self._step("circuit", state, inputs, given, clock, currents)
        kept = jnp.zeros_like(state["u"]) if given is None else given
        state = {"circuit": inner, "u": jnp.asarray(kept, state["u"].dtype)}
        return state, Output(values=self.values(state), parts={"circuit": emitted})
