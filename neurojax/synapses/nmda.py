"""NMDA receptors."""

from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_finite, check_positive

from .cascade import AbstractCascade, transferred


@final
class NMDA(AbstractCascade):
    r"""A slow conductance with the voltage-dependent block by magnesium.

    $$I = g(t)\,B(V)\,(E_\mathrm{rev} - V), \qquad
    B(V) = \frac{1}{1 + \frac{[\mathrm{Mg}^{2+}]}{3.57\,\mathrm{mM}}\,e^{-0.062\,V/\mathrm{mV}}}$$

    with $g(t) = w\,k\,(e^{-t/\tau_d} - e^{-t/\tau_r})$ after a spike of weight $w$ (nS). The block
    follows the voltage at once. Normalisation is that of $g$, without the block.

    The kinetics are linear, so one state per neuron serves all its synapses and nothing saturates.
    In Wang (2002) each synapse saturates, $\dot s = -s/\tau_d + \alpha x (1 - s)$ with a brief
    $x(t)$ after each presynaptic spike. Where $x$ is much shorter than $\tau_d$, a spike opens the
    fraction $1 - e^{-\alpha\tau_x}$ of what is closed. That is depression of the presynaptic
    terminal with the decay time of the receptor: give the projection
    `release=TsodyksMarkram(U=1 - exp(-alpha * tau_x), tau_rec=tau_decay)`. That is `iaf_bw_2001`
    of NEST (whose tau_rise_NMDA is tau_x, and whose conductance has no rise: give a short
    `tau_rise`), up to a constant factor of the weight: 1.026 at its defaults, since
    its x(t) lasts for tau_x.

    Arguments:
        tau_rise: ms.
        tau_decay: ms.
        E_rev: reversal potential, mV.
        Mg: extracellular magnesium, mM; 0: no block.
        normalise: `"peak"`: the peak of $g$ is $w$ (nS). `"area"`: its area is $w$ (nS ms).

    Raises:
        ValueError: if a time is not positive, `Mg` is negative, `E_rev` is not finite, or
            `normalise` is another name.

    Source: the block is that of Jahr and Stevens (1990), J. Neurosci. 10:3178; saturation:
    Wang (2002), Neuron 36:955.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> nmda = nj.synapses.NMDA(Mg=1.0)
        >>> [round(float(b), 3) for b in nmda.unblocked(jnp.array([-70.0, -30.0, 30.0]))]
        [0.044, 0.357, 0.958]
    """

    leaf: ClassVar[str] = "g"
    tau_rise: Parameter = parameter(2.0)
    tau_decay: Parameter = parameter(100.0)
    E_rev: Parameter = parameter(0.0)
    Mg: Parameter = parameter(1.0)
    normalise: str = eqx.field(static=True, default="peak")

    def __check_init__(self):
        check_positive(self, "tau_rise", "tau_decay")
        check_positive(self, "Mg", zero=True)
        check_finite(self, "E_rev")

    def taus(self):
        """As given."""
        return self.tau_rise, self.tau_decay

    def flow(self, h):
        """See `AbstractCascade.flow`."""
        rise, decay = self.taus()
        return jnp.exp(-h / rise), jnp.exp(-h / decay), transferred(rise, decay, h)

    def unblocked(self, V_m) -> Array:
        """The fraction of the conductance that is not blocked at a voltage in mV."""
        # below -500 mV, where less than 1e-12 is left, the exponential could overflow
        blocking = jnp.exp(-0.062 * jnp.maximum(V_m, -500.0))
        return 1.0 / (1.0 + self.Mg / 3.57 * blocking)

    @property
    def is_conductance(self) -> bool:
        """True."""
        return True

    def current(self, state, V_m) -> Array:
        """The current into the cell, pA."""
        return state["g"] * self.unblocked(V_m) * (self.E_rev - V_m)
