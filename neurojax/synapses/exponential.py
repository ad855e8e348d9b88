"""Receptors with one exponential decay."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_finite, check_positive

from ._receptors import at_rest, check_normalise
from .receptor import AbstractReceptor


@final
class ExpConductance(AbstractReceptor):
    r"""A conductance that jumps and decays, $\dot g = -g/\tau$, $I = g\,(E_\mathrm{rev} - V)$.

    Arguments:
        tau: decay time, ms.
        E_rev: reversal potential, mV.
        normalise: `"peak"`: a spike of weight $w$ (nS) adds $w$ to $g$, and its area is $w\tau$.
            `"area"`: it adds $w/\tau$, and its area is $w$ (nS ms).

    Raises:
        ValueError: if `tau` is not positive, `E_rev` is not finite, or `normalise` is another name.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> ampa = nj.synapses.ExpConductance(tau=5.0, E_rev=0.0)
        >>> state = ampa.receive(ampa.init_state(1), jnp.array([2.0]))
        >>> ampa.current(state, jnp.array([-60.0])).tolist()
        [120.0]
    """

    tau: Parameter = parameter(5.0)
    E_rev: Parameter = parameter(0.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_normalise(self)
        check_positive(self, "tau")
        check_finite(self, "E_rev")

    def init_state(self, n: int):
        """No conductance."""
        return at_rest(self, n, "g")

    def drift(self, state):
        """Decay, nS/ms."""
        return {"g": -state["g"] * (1.0 / self.tau)}

    def propagate(self, state, h):
        """Exponential decay over `h` ms."""
        return {"g": state["g"] * jnp.exp(-h / self.tau)}

    def receive(self, state, impulse):
        """Add the weights, nS."""
        return {"g": state["g"] + _scaled(self, impulse)}

    @property
    def is_conductance(self) -> bool:
        """True."""
        return True

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["g"] * (self.E_rev - V_m)

    @property
    def peak_time(self) -> Array:
        """When a response is largest: at once, ms."""
        return jnp.zeros_like(self.tau)

    @property
    def peak(self) -> Array:
        """The largest value of the response to a spike of weight 1."""
        return jnp.ones_like(self.tau) if self.normalise == "peak" else 1.0 / self.tau

    @property
    def area(self) -> Array:
        """The integral over time, in ms, of the response to a spike of weight 1."""
        return jnp.ones_like(self.tau) if self.normalise == "area" else jnp.asarray(self.tau)


@final
class ExpCurrent(AbstractReceptor):
    r"""A current that jumps and decays, $\dot I = -I/\tau$.

    Arguments:
        tau: decay time, ms.
        normalise: `"peak"`: a spike of weight $w$ (pA) adds $w$ to $I$, and its charge is $w\tau$.
            `"area"`: it adds $w/\tau$, and its charge is $w$ (pA ms).

    Raises:
        ValueError: if `tau` is not positive, or `normalise` is another name.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> exc = nj.synapses.ExpCurrent(tau=2.0)
        >>> state = exc.propagate(exc.receive(exc.init_state(1), jnp.array([8.0])), 2.0)
        >>> round(float(exc.current(state, jnp.array([-60.0]))[0]), 4)
        2.943
    """

    tau: Parameter = parameter(5.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_normalise(self)
        check_positive(self, "tau")

    def init_state(self, n: int):
        """No current."""
        return at_rest(self, n, "I")

    def drift(self, state):
        """Decay, pA/ms."""
        return {"I": -state["I"] * (1.0 / self.tau)}

    def propagate(self, state, h):
        """Exponential decay over `h` ms."""
        return {"I": state["I"] * jnp.exp(-h / self.tau)}

    def receive(self, state, impulse):
        """Add the weights, pA."""
        return {"I": state["I"] + _scaled(self, impulse)}

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["I"]

    @property
    def peak_time(self) -> Array:
        """When a response is largest: at once, ms."""
        return jnp.zeros_like(self.tau)

    @property
    def peak(self) -> Array:
        """The largest value of the response to a spike of weight 1."""
        return jnp.ones_like(self.tau) if self.normalise == "peak" else 1.0 / self.tau

    @property
    def area(self) -> Array:
        """The integral over time, in ms, of the response to a spike of weight 1."""
        return jnp.ones_like(self.tau) if self.normalise == "area" else jnp.asarray(self.tau)

    @property
    def is_linear(self) -> bool:
        """True."""
        return True


def _scaled(receptor, impulse) -> Array:
    """What the impulse adds to the state."""
    return impulse if receptor.normalise == "peak" else impulse * (1.0 / receptor.tau)
