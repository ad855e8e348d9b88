"""Plasticity that waits for a third factor."""

from typing import final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Parameter, UnknownNameError, parameter

from .rule import AbstractRule, decayed, raised


@final
class ThreeFactorSTDP(AbstractRule):
    r"""Pairs of spikes leave a trace at the synapse, which a modulator turns into a change.

    $$\dot e = -e / \tau_e + \sum_\mathrm{pairs} \Delta(t_\mathrm{post} - t_\mathrm{pre})\,\delta(t
      - t_\mathrm{pair}), \qquad \dot w = M(t)\, e,$$

    where $\Delta$ is the additive window of `PairSTDP` for all pairs and a pair counts when its
    second spike comes. $M$ is an input of the projection and may have any sign, such as a reward
    minus its mean: `inputs={"pre->post:port": {"modulator": nj.inputs.Step(...)}}`.

    Between events $e$ decays for all synapses alike, so weights are brought up to date only at
    their events, exactly (for M constant within a step), and all of them once every `tau_e`. Bounds
    are applied then. `net.weights`, recorders and other rules of the same projection see the
    weights up to date. Three numbers per synapse are kept.

    NEST's `stdp_dopamine_synapse` is `delay="dendritic"`, tau_e = tau_c, and M = n - b, where n
    rises by 1/tau_n at a dopamine spike and decays with tau_n. M is constant within a step here:
    give the mean of n over it (`nj.inputs.Sampled`). Compare with NEST where its shortest delay
    (`min_delay`) is one step: the weights of this synapse change with it.

    Arguments:
        A_plus: amplitude of potentiation, in the unit of the weight.
        A_minus: amplitude of depression.
        tau_plus: ms.
        tau_minus: ms.
        tau_e: time constant of the eligibility, ms.
        w_min: lower bound.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Input: `modulator`, 1/ms.

    Raises:
        ValueError: for an unknown name or a time constant that is not positive.
        UnknownNameError: in a run without the input.

    Source: Izhikevich (2007), Cereb. Cortex 17:2443; Frémaux and Gerstner (2016), Front. Neural
    Circuits 9:85.

    Example:
        >>> import neurojax as nj
        >>> rule = nj.plasticity.ThreeFactorSTDP(A_plus=0.1, tau_e=500.0)
        >>> sorted(rule.init_synapse())
        ['e', 'seen']
    """

    A_plus: Parameter = parameter(0.01)
    A_minus: Parameter = parameter(0.0105)
    tau_plus: Parameter = parameter(20.0)
    tau_minus: Parameter = parameter(20.0)
    tau_e: Parameter = parameter(1000.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def init_pre(self):
        """The trace of potentiation."""
        return {"x": 0.0}

    def init_post(self):
        """The trace of depression."""
        return {"y": 0.0}

    def init_synapse(self):
        """Eligibility at the last settling, with later pairs in its units; effect seen so far."""
        return {"e": 0.0, "seen": 0.0}

    def init_shared(self):
        """Since the last settling: the effect on a unit of eligibility, and what is left of it."""
        return {"effect": 0.0, "left": 1.0}

    def advance(self, shared, inputs, h):
        """The modulator's effect over `h` ms."""
        if "modulator" not in inputs:
            raise UnknownNameError(
                "ThreeFactorSTDP needs the input 'modulator' of its projection: "
                "inputs={'name of the projection': {'modulator': 0.0}}, got "
                + (", ".join(map(repr, inputs)) or "none")
            )
        if jnp.ndim(inputs["modulator"]):
            raise ValueError(
                "the modulator of ThreeFactorSTDP must be one number for the projection, got shape "
                f"{jnp.shape(inputs['modulator'])}"
            )
        M, fade = inputs["modulator"], -jnp.expm1(-h / self.tau_e)
        effect = shared["effect"] + M * shared["left"] * self.tau_e * fade
        return {"effect": effect, "left": shared["left"] * (1.0 - fade)}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, x=self.tau_plus)

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, y=self.tau_minus)

    def after_pre(self, pre, fired):
        """Raise the trace."""
        return {"x": raised(pre["x"], fired, False)}

    def after_post(self, post, fired):
        """Raise the trace."""
        return {"y": raised(post["y"], fired, False)}

    def present(self, synapse, shared):
        """The modulator's effect so far, which then is seen."""
        change = synapse["e"] * (shared["effect"] - synapse["seen"])
        seen = jnp.broadcast_to(shared["effect"], synapse["seen"].shape)
        return synapse | {"w": self.bounded(synapse["w"] + change), "seen": seen}

    def at_pre(self, synapse, pre, post, shared):
        """Pairs with the postsynaptic spikes before."""
        return synapse | {"e": synapse["e"] - self.A_minus * post["y"] / shared["left"]}

    def at_post(self, synapse, pre, post, shared):
        """Pairs with the presynaptic spikes before."""
        return synapse | {"e": synapse["e"] + self.A_plus * pre["x"] / shared["left"]}

    def interval(self):
        """The time constant of the eligibility."""
        return self.tau_e

    def settle(self, synapse, pre, post, shared):
        """Eligibility in its own units; all weights are up to date."""
        return synapse | {
            "e": synapse["e"] * shared["left"],
            "seen": jnp.zeros_like(synapse["seen"]),
        }

    def settle_shared(self, shared):
        """A new beginning."""
        return {
            "effect": jnp.zeros_like(shared["effect"]),
            "left": jnp.ones_like(shared["left"]),
        }
