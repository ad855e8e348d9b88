"""Homeostasis of the weights."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import paramax

from neurojax.core import Parameter, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from .rule import AbstractRule, decayed


@final
class SynapticScaling(AbstractRule):
    r"""All weights onto a neuron grow together while it fires too little, and shrink if too much.

    Every `every` ms

    $$w_{ij} \leftarrow w_{ij} \left[1 + \frac{T}{\tau_w} \Big(1 - \frac{r_j}{\rho_0}\Big)\right],$$

    where $T$ is `every` and $r_j$ the rate of the target, averaged over $\tau_r$: each spike adds
    $1 / \tau_r$. The ratios of the weights stay. Combined with another rule:
    `plasticity=[nj.plasticity.PairSTDP(...), nj.plasticity.SynapticScaling(...)]`. The change comes
    at the end of a step: a spike that has this step as its label transmits the new weight with
    `delay="dendritic"`; with `"axonal"` one that arrives in it still transmits the old weight.

    Arguments:
        rho0: target rate, Hz.
        tau_w: time constant of the weights, ms.
        tau_r: time constant of the average of the rate, ms.
        every: ms between two changes, which cost as much as there are synapses.
        r_start: rate that is assumed at the beginning, Hz; default `rho0`.
        w_min: lower bound.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, as that of the rule it is combined with.

    Raises:
        ValueError: for a time constant, a rate or an interval that is not positive, a negative
            `r_start`, or (in a network) an interval that is no whole number of steps.

    Source: Turrigiano et al. (1998), Nature 391:892; van Rossum et al. (2000), J. Neurosci.
    20:8812.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.SynapticScaling(rho0=5.0, tau_w=1000.0, every=100.0)
        >>> w, r = jnp.array([2.0]), jnp.array([10.0])
        >>> round(float(rule.settle({"w": w}, {}, {"r": r}, {})["w"][0]), 4)
        1.8
    """

    rho0: Parameter = parameter(5.0)
    tau_w: Parameter = parameter(1e5)
    tau_r: Parameter = parameter(1e4)
    every: Parameter = parameter(100.0)
    r_start: Parameter = parameter(None)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        check_positive(self, "rho0", "every")
        check_positive(self, "r_start", zero=True)

    def check_grid(self, dt: float) -> None:
        """The interval is a whole number of steps: the change is in proportion to it."""
        every = paramax.unwrap(self.every)
        if known(every) and abs(float(every) / dt - max(round(float(every) / dt), 1)) > 1e-6:
            raise ValueError(
                f"every={float(every):g} ms of SynapticScaling must be a whole number of steps of "
                f"dt={dt:g} ms (for another dt than 0.1 ms say Network(dt=...) too)"
            )

    def init_post(self):
        """The average rate, Hz."""
        return {"r": self.rho0 if self.r_start is None else self.r_start}

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, r=self.tau_r)

    def after_post(self, post, fired):
        """A spike counts."""
        return {"r": post["r"] + fired / (MS_HZ * self.tau_r)}

    def interval(self):
        """Every so many ms."""
        return self.every

    def settle(self, synapse, pre, post, shared):
        """Scale all weights."""
        factor = 1.0 + self.every / self.tau_w * (1.0 - post["r"] / self.rho0)
        return synapse | {"w": self.bounded(synapse["w"] * factor)}
