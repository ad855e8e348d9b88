"""A reservoir whose read-out sees the squares of every second unit."""

from typing import Any, final

import equinox as eqx
from jaxtyping import Array

from neurojax.core import Clock, Output

from ..recurrent import RecurrentCircuit, readout
from .composed import AbstractComposite, as_part


@final
class WithSquares(AbstractComposite):
    r"""A circuit with the rates of every second unit squared, for the read-out.

    $$r_i = \begin{cases} r_{c,i} & i = 0, 2, 4, \ldots \\
      r_{c,i}^2 & i = 1, 3, 5, \ldots \end{cases}$$

    Without biases the rates of tanh units change their signs with the inputs, so that a linear
    read-out of them cannot give anything even in the inputs, such as z of the Lorenz system from x
    and y; with squares it can. The state is `{"circuit": state of the circuit}`.

    Arguments:
        circuit: any recurrent circuit without feedback.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        output: (outputs, n), default 0.

    Inputs: `u` of the circuit; further ones of it as `{"circuit": {"I_e": ...}}`.

    Raises:
        ValueError: for a circuit with feedback.
        TypeError: for something that is no recurrent circuit.

    Source: Lu et al. (2017), Chaos 27:041102; Pathak et al. (2018), Phys. Rev. Lett. 120:024102.

    Example:
        >>> import jax, neurojax as nj
        >>> odd = nj.circuits.EchoState(30, inputs=1, bias_scaling=0.0)
        >>> u = jax.random.normal(jax.random.key(0), (300, 1))
        >>> bool(nj.fitting.fit_readout(odd, u, u**2).nrmse > 0.8)
        True
        >>> bool(nj.fitting.fit_readout(nj.circuits.WithSquares(odd), u, u**2).nrmse < 0.3)
        True
    """

    parts: dict[str, RecurrentCircuit]
    output: Any
    output_bias: Any
    n: int = eqx.field(static=True)

    def __init__(self, circuit: Any, *, outputs: int = 0, output: Any = None):
        self.parts = {"circuit": as_part("circuit", circuit)}
        self.n = circuit.n
        self.output, self.output_bias = readout(self.n, outputs, output)

    def rates(self, state) -> Array:
        """The rates of the circuit, every second one squared."""
        rates = self.parts["circuit"].rates(state["circuit"])
        return rates.at[1::2].set(rates[1::2] ** 2)

    def step(self, state, inputs, clock: Clock):
        """One step of the circuit; see the class."""
        u = inputs.get("u")
        inner, emitted = self._step("circuit", state, inputs, u, clock)
        state = {"circuit": inner}
        return state, Output(values=self.values(state), parts={"circuit": emitted})
