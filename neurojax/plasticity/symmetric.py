"""A symmetric window."""

from typing import final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, parameter

from .rule import AbstractRule, decayed, raised


@final
class SymmetricSTDP(AbstractRule):
    r"""Pairs of spikes change the weight alike in either order.

    $$\Delta w = A_+ e^{-|\Delta t| / \tau_+} - A_- e^{-|\Delta t| / \tau_-}$$

    for all pairs, with times at the synapse. With a longer $\tau_-$ and a smaller $A_-$ the window
    is a Mexican hat. A pair at exactly the same time changes nothing.

    Arguments:
        A_plus: amplitude of potentiation, in the unit of the weight.
        A_minus: amplitude of depression.
        tau_plus: ms.
        tau_minus: ms.
        w_min: lower bound.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Raises:
        ValueError: for an unknown name or a time constant that is not positive.

    Source: Mishra et al. (2016), Nat. Commun. 7:11552 (synapses between CA3 cells).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.SymmetricSTDP(A_plus=0.25)
        >>> post = {"x_plus": jnp.array([1.0]), "x_minus": jnp.array([1.0])}
        >>> rule.at_pre({"w": jnp.array([1.0])}, {}, post, {})["w"].tolist()
        [1.25]
    """

    A_plus: Parameter = parameter(0.01)
    A_minus: Parameter = parameter(0.0)
    tau_plus: Parameter = parameter(20.0)
    tau_minus: Parameter = parameter(60.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def init_pre(self):
        """One trace per exponential."""
        return {"x_plus": 0.0, "x_minus": 0.0}

    def init_post(self):
        """One trace per exponential."""
        return {"x_plus": 0.0, "x_minus": 0.0}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, x_plus=self.tau_plus, x_minus=self.tau_minus)

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, x_plus=self.tau_plus, x_minus=self.tau_minus)

    def after_pre(self, pre, fired):
        """Raise the traces."""
        return {name: raised(x, fired, False) for name, x in pre.items()}

    def after_post(self, post, fired):
        """Raise the traces."""
        return {name: raised(x, fired, False) for name, x in post.items()}

    def _changed(self, synapse, other):
        change = self.A_plus * other["x_plus"] - self.A_minus * other["x_minus"]
        return synapse | {"w": self.bounded(synapse["w"] + change)}

    def at_pre(self, synapse, pre, post, shared):
        """Pairs with the postsynaptic spikes before."""
        return self._changed(synapse, post)

    def at_post(self, synapse, pre, post, shared):
        """Pairs with the presynaptic spikes before."""
        return self._changed(synapse, pre)
