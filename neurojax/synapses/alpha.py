"""Receptors that rise and decay with one time constant: alpha functions."""

from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_finite, check_positive

from .cascade import AbstractCascade


@final
class AlphaCurrent(AbstractCascade):
    r"""A current with the shape of an alpha function, $I(t) = w\,(t/\tau)\,e^{1 - t/\tau}$.

    It is the second of two equal exponential stages; the state has both, `dI` and `I`.

    Arguments:
        tau: time from the spike to the peak, ms.
        normalise: `"peak"`: a spike of weight $w$ (pA) makes a peak of $w$ pA and a charge of
            $e\,\tau w$. `"area"`: it makes a charge of $w$ (pA ms) and a peak of $w/(e\tau)$.

    Raises:
        ValueError: if `tau` is not positive, or `normalise` is another name.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> exc = nj.synapses.AlphaCurrent(tau=2.0)
        >>> state = exc.propagate(exc.receive(exc.init_state(1), jnp.array([8.0])), 2.0)
        >>> round(float(exc.current(state, jnp.array([-60.0]))[0]), 4)
        8.0
    """

    leaf: ClassVar[str] = "I"
    tau: Parameter = parameter(2.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_positive(self, "tau")

    def taus(self):
        """Rise and decay are the same."""
        return self.tau, self.tau

    def flow(self, h):
        """See `AbstractCascade.flow`."""
        left = jnp.exp(-h / self.tau)
        return left, left, h * left

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["I"]

    @property
    def is_linear(self) -> bool:
        """True."""
        return True


@final
class AlphaConductance(AbstractCascade):
    r"""A conductance with the shape of an alpha function, $I = g(t)\,(E_\mathrm{rev} - V)$.

    $g(t) = w\,(t/\tau)\,e^{1 - t/\tau}$ after a spike of weight $w$. It is the second of two equal
    exponential stages; the state has both, `dg` and `g`.

    Arguments:
        tau: time from the spike to the peak, ms.
        E_rev: reversal potential, mV.
        normalise: `"peak"`: a spike of weight $w$ (nS) makes a peak of $w$ nS and an area of
            $e\,\tau w$. `"area"`: it makes an area of $w$ (nS ms) and a peak of $w/(e\tau)$.

    Raises:
        ValueError: if `tau` is not positive, `E_rev` is not finite, or `normalise` is another name.

    Source: Rall (1967), J. Neurophysiol. 30:1138.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> gaba = nj.synapses.AlphaConductance(tau=3.0, E_rev=-80.0)
        >>> state = gaba.propagate(gaba.receive(gaba.init_state(1), jnp.array([2.0])), 3.0)
        >>> round(float(gaba.current(state, jnp.array([-60.0]))[0]), 3)
        -40.0
    """

    leaf: ClassVar[str] = "g"
    tau: Parameter = parameter(2.0)
    E_rev: Parameter = parameter(0.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_positive(self, "tau")
        check_finite(self, "E_rev")

    def taus(self):
        """Rise and decay are the same."""
        return self.tau, self.tau

    def flow(self, h):
        """See `AbstractCascade.flow`."""
        left = jnp.exp(-h / self.tau)
        return left, left, h * left

    @property
    def is_conductance(self) -> bool:
        """True."""
        return True

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["g"] * (self.E_rev - V_m)
