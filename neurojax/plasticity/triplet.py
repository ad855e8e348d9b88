"""Triplets of spikes."""

from typing import final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_choice

from .rule import AbstractRule, decayed, raised


@final
class TripletSTDP(AbstractRule):
    r"""Pairs and triplets of spikes; potentiation grows with the postsynaptic rate.

    Traces $r_1, r_2$ of presynaptic spikes (time constants $\tau_+, \tau_x$) and $o_1, o_2$ of
    postsynaptic ones ($\tau_-, \tau_y$) rise by one with a spike (`"all"`) or are set to one
    (`"nearest"`). At a presynaptic spike, and at a postsynaptic one,

    $$\Delta w = -o_1 [A_2^- + A_3^- r_2], \qquad \Delta w = r_1 [A_2^+ + A_3^+ o_2],$$

    with $r_2$ and $o_2$ as they were before the spike. With A3_minus = 0 and A2_plus = 0 this is
    the minimal model for the visual cortex, with A3_minus = 0 that for the hippocampus. The
    defaults are the full model of the visual cortex with all spikes. NEST's `stdp_triplet_synapse`
    is `delay="dendritic"`, with `tau_minus` and `tau_minus_triplet` ($\tau_y$) of the neuron.

    Arguments:
        A2_plus: amplitude of pairs that potentiate, in the unit of the weight.
        A3_plus: amplitude of triplets post-pre-post.
        A2_minus: amplitude of pairs that depress.
        A3_minus: amplitude of triplets pre-post-pre.
        tau_plus: ms.
        tau_minus: ms.
        tau_x: ms.
        tau_y: ms.
        w_min: lower bound.
        w_max: upper bound.
        interaction: `"all"` or `"nearest"`.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Raises:
        ValueError: for an unknown name or a time constant that is not positive.

    Source: Pfister and Gerstner (2006), J. Neurosci. 26:9673.

    Example:
        >>> import neurojax as nj
        >>> minimal = nj.plasticity.TripletSTDP(
        ...     A2_plus=0.0, A3_plus=6.5e-3, A2_minus=7.1e-3, A3_minus=0.0, tau_y=114.0
        ... )
        >>> sorted(minimal.init_post())
        ['o1', 'o2']
    """

    A2_plus: Parameter = parameter(5e-10)
    A3_plus: Parameter = parameter(6.2e-3)
    A2_minus: Parameter = parameter(7e-3)
    A3_minus: Parameter = parameter(2.3e-4)
    tau_plus: Parameter = parameter(16.8)
    tau_minus: Parameter = parameter(33.7)
    tau_x: Parameter = parameter(101.0)
    tau_y: Parameter = parameter(125.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    interaction: str = eqx.field(static=True, default="all")
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        check_choice(self, "interaction", ("all", "nearest"))

    def init_pre(self):
        """The fast and the slow trace."""
        return {"r1": 0.0, "r2": 0.0}

    def init_post(self):
        """The fast and the slow trace."""
        return {"o1": 0.0, "o2": 0.0}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, r1=self.tau_plus, r2=self.tau_x)

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, o1=self.tau_minus, o2=self.tau_y)

    def after_pre(self, pre, fired):
        """Raise both traces."""
        return {name: raised(r, fired, self.interaction == "nearest") for name, r in pre.items()}

    def after_post(self, post, fired):
        """Raise both traces."""
        return {name: raised(o, fired, self.interaction == "nearest") for name, o in post.items()}

    def at_pre(self, synapse, pre, post, shared):
        """Depression."""
        change = post["o1"] * (self.A2_minus + self.A3_minus * pre["r2"])
        return synapse | {"w": self.bounded(synapse["w"] - change)}

    def at_post(self, synapse, pre, post, shared):
        """Potentiation."""
        change = pre["r1"] * (self.A2_plus + self.A3_plus * post["o2"])
        return synapse | {"w": self.bounded(synapse["w"] + change)}
