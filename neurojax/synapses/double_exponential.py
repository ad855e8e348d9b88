"""Receptors that rise and decay with two time constants."""

from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_finite, check_positive

from .cascade import AbstractCascade, transferred


@final
class DoubleExpCurrent(AbstractCascade):
    r"""A current that rises and decays, $I(t) = w\,k\,(e^{-t/\tau_d} - e^{-t/\tau_r})$.

    It is the second of two exponential stages (the state has both, `dI` and `I`), which stays
    right where the two times are equal: there it is the alpha function.

    Arguments:
        tau_rise: ms.
        tau_decay: ms.
        normalise: `"peak"`: $k$ is such that a spike of weight $w$ (pA) makes a peak of $w$ pA.
            `"area"`: that it makes a charge of $w$ (pA ms). `peak`, `peak_time` and `area` have the
            values for a weight of 1.

    Raises:
        ValueError: if a time is not positive, or `normalise` is another name.

    Example:
        >>> import neurojax as nj
        >>> exc = nj.synapses.DoubleExpCurrent(tau_rise=1.0, tau_decay=4.0)
        >>> round(float(exc.peak_time), 4), round(float(exc.area), 4)
        (1.8484, 6.3496)
    """

    leaf: ClassVar[str] = "I"
    tau_rise: Parameter = parameter(0.5)
    tau_decay: Parameter = parameter(5.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_positive(self, "tau_rise", "tau_decay")

    def taus(self):
        """As given."""
        return self.tau_rise, self.tau_decay

    def flow(self, h):
        """See `AbstractCascade.flow`."""
        rise, decay = self.taus()
        return jnp.exp(-h / rise), jnp.exp(-h / decay), transferred(rise, decay, h)

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["I"]

    @property
    def is_linear(self) -> bool:
        """True."""
        return True


@final
class DoubleExpConductance(AbstractCascade):
    r"""A conductance that rises and decays, $I = g(t)\,(E_\mathrm{rev} - V)$.

    $g(t) = w\,k\,(e^{-t/\tau_d} - e^{-t/\tau_r})$ after a spike of weight $w$. It is the second of
    two exponential stages (the state has both, `dg` and `g`), which stays right where the two times
    are equal: there it is the alpha function.

    Arguments:
        tau_rise: ms.
        tau_decay: ms.
        E_rev: reversal potential, mV.
        normalise: `"peak"`: $k$ is such that a spike of weight $w$ (nS) makes a peak of $w$ nS.
            `"area"`: that it makes an area of $w$ (nS ms). `peak`, `peak_time` and `area` have the
            values for a weight of 1.

    Raises:
        ValueError: if a time is not positive, `E_rev` is not finite, or `normalise` is another
            name.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> gaba = nj.synapses.DoubleExpConductance(tau_rise=0.5, tau_decay=8.0, E_rev=-80.0)
        >>> state = gaba.receive(gaba.init_state(1), jnp.array([2.0]))
        >>> state = gaba.propagate(state, gaba.peak_time)
        >>> round(float(gaba.current(state, jnp.array([-60.0]))[0]), 3)
        -40.0
    """

    leaf: ClassVar[str] = "g"
    tau_rise: Parameter = parameter(0.5)
    tau_decay: Parameter = parameter(5.0)
    E_rev: Parameter = parameter(0.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_positive(self, "tau_rise", "tau_decay")
        check_finite(self, "E_rev")

    def taus(self):
        """As given."""
        return self.tau_rise, self.tau_decay

    def flow(self, h):
        """See `AbstractCascade.flow`."""
        rise, decay = self.taus()
        return jnp.exp(-h / rise), jnp.exp(-h / decay), transferred(rise, decay, h)

    @property
    def is_conductance(self) -> bool:
        """True."""
        return True

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["g"] * (self.E_rev - V_m)
