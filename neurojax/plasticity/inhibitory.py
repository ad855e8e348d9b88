"""Inhibition that finds the balance."""

from typing import final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive

from .rule import AbstractRule, decayed, raised


@final
class InhibitorySTDP(AbstractRule):
    r"""Inhibitory synapses that drive their targets to a given rate.

    All pairs of spikes strengthen the synapse in either order, every presynaptic spike weakens it:

    $$\Delta w = \eta\,(x_\mathrm{post} - \alpha) \text{ at a presynaptic spike}, \qquad
      \Delta w = \eta\, x_\mathrm{pre} \text{ at a postsynaptic one}, \qquad
      \alpha = 2 \rho_0 \tau,$$

    where the traces rise by one with a spike and decay with $\tau$: at rates that are independent
    the mean change vanishes where the target fires at $\rho_0$. Weights are conductances or
    absolute values; for negative weights (currents) give a negative `eta`, and bounds below zero.
    A pair at exactly the same time changes nothing.

    NEST's `vogels_sprekeler_synapse` is `delay="dendritic"`, with its alpha = $2 \rho_0 \tau$ and
    the time constant of the neuron, `tau_minus`, equal to tau. At a presynaptic spike it bounds the
    weight after the first term and again after the second; here the change is one, as published.

    Arguments:
        eta: learning rate, in the unit of the weight.
        rho0: target rate of the postsynaptic neurons, Hz.
        tau: ms.
        w_min: lower bound.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Raises:
        ValueError: for an unknown name, a time constant that is not positive or a negative rate.

    Source: Vogels et al. (2011), Science 334:1569.

    Example:
        >>> import neurojax as nj
        >>> rule = nj.plasticity.InhibitorySTDP(eta=0.1, rho0=5.0, tau=20.0)
        >>> round(float(rule.alpha), 6)
        0.2
    """

    eta: Parameter = parameter(0.01)
    rho0: Parameter = parameter(5.0)
    tau: Parameter = parameter(20.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        check_positive(self, "rho0", zero=True)

    @property
    def alpha(self):
        r"""The trace that leaves the weight as it is, $2 \rho_0 \tau$."""
        return 2.0 * MS_HZ * self.rho0 * self.tau

    def init_pre(self):
        """One trace."""
        return {"x": 0.0}

    def init_post(self):
        """One trace."""
        return {"x": 0.0}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, x=self.tau)

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, x=self.tau)

    def after_pre(self, pre, fired):
        """Raise the trace."""
        return {"x": raised(pre["x"], fired, False)}

    def after_post(self, post, fired):
        """Raise the trace."""
        return {"x": raised(post["x"], fired, False)}

    def at_pre(self, synapse, pre, post, shared):
        """Pairs with postsynaptic spikes before, and depression."""
        return synapse | {"w": self.bounded(synapse["w"] + self.eta * (post["x"] - self.alpha))}

    def at_post(self, synapse, pre, post, shared):
        """Pairs with presynaptic spikes before."""
        return synapse | {"w": self.bounded(synapse["w"] + self.eta * pre["x"])}
