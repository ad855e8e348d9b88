"""Electrical synapses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.core import AbstractCoupling, Parameter, parameter
from neurojax.core.parameter_checks import check_positive
from neurojax.core.tracing import known

from ._leaf import check_matrix, leaf


class GapJunctions(AbstractCoupling):
    r"""Electrical synapses, $I_i = \sum_j g_{ij} (V^\mathrm{source}_j - V^\mathrm{target}_i)$.

    The current flows into the target only: for junctions between two parts give one coupling
    each way, `GapJunctions("a", "b", g)` and `GapJunctions("b", "a", g.T)`. Within one part
    source and target have the same name and g is symmetric, unless the junctions rectify.

    Arguments:
        source: name of the part whose voltage is read.
        target: name of the part that receives the current.
        g: conductances, shape (target neuron, source neuron), in nS for voltages in mV and
            currents in pA.
        port: name of the target's input that receives the current.
        leaf: dotted path of the voltage in the visible states of both parts; default `"V_m"` or,
            where a part has none, `"V"`.
        rectifying: current flows only from a source that is more depolarised than the target,
            $I_i = \sum_j g_{ij} \max(V^\mathrm{source}_j - V^\mathrm{target}_i, 0)$. Takes a
            difference for every pair in place of a matrix product.

    Raises:
        ValueError: if `g` is negative, not symmetric within one part, or does not fit the two
            parts, or if a part has no such leaf.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> gap = nj.synapses.GapJunctions("a", "b", g=jnp.array([[2.0, 0.0]]))
        >>> gap.current({"V": jnp.array([-50.0, 0.0])}, {"V": jnp.array([-60.0])}).tolist()
        [20.0]
        >>> diode = nj.synapses.GapJunctions("a", "b", g=jnp.array([[2.0, 1.0]]), rectifying=True)
        >>> diode.current({"V": jnp.array([-50.0, -70.0])}, {"V": jnp.array([-60.0])}).tolist()
        [20.0]
    """

    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    g: Parameter = parameter(required=True)
    port: str = eqx.field(static=True, default="I_e")
    leaf: str | None = eqx.field(static=True, default=None)
    rectifying: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        check_positive(self, "g", zero=True)
        if self.source == self.target and not self.rectifying:
            self._check_symmetric()

    def _check_symmetric(self):
        """What flows into one neuron of a part flows out of the other one."""
        g = paramax.unwrap(self.g)
        if not known(g) or np.ndim(g) != 2 or np.shape(g)[0] != np.shape(g)[1]:
            return
        g = np.asarray(g)
        apart = np.abs(g - g.T)
        if np.any(apart > 1e-5 * np.max(g, initial=0.0)):
            i, j = np.unravel_index(np.argmax(apart), g.shape)
            raise ValueError(
                f"g of GapJunctions within {self.source!r} must be symmetric, got g[{i}, {j}]="
                f"{g[i, j]:g} and g[{j}, {i}]={g[j, i]:g}; (g + g.T) / 2 is symmetric, and "
                "rectifying=True lets current flow one way"
            )

    def current(self, source, target) -> Array:
        """The current into each neuron of the target, shape (target neuron,)."""
        V_source = leaf(source, self.leaf, self.source)
        V_target = leaf(target, self.leaf, self.target)
        check_matrix("g", self.g, V_source, V_target)
        if self.rectifying:
            return jnp.sum(self.g * jax.nn.relu(V_source[None, :] - V_target[:, None]), axis=1)
        return self.g @ V_source - jnp.sum(self.g, axis=1) * V_target
