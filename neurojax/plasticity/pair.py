"""Spike-timing dependent plasticity by pairs of spikes."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import paramax

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_choice, check_positive
from neurojax.core.tracing import known

from .rule import AbstractRule, decayed, raised
from .weight_dependence import BOUNDED, DEPENDENCES, depression, potentiation

INTERACTIONS = ("all", "nearest", "presynaptic_centred", "restricted")
_NEVER = 1e9  # ms


@final
class PairSTDP(AbstractRule):
    r"""Each pair of a presynaptic and a postsynaptic spike at a lag $\Delta t$ changes the weight.

    $$\Delta w = \begin{cases}
        A_+ F_+(w)\, e^{-\Delta t / \tau_+} & \Delta t = t_\mathrm{post} - t_\mathrm{pre} > 0 \\
        -A_- F_-(w)\, e^{\Delta t / \tau_-} & \Delta t < 0
    \end{cases}$$

    with times at the synapse, which the delay shifts. A pair at exactly the same time changes
    nothing. Which spikes are paired:

    - `"all"`: all with all.
    - `"nearest"`: each presynaptic spike with the last postsynaptic one, each postsynaptic spike
      with the last presynaptic one (symmetric).
    - `"presynaptic_centred"`: each presynaptic spike with the last and with the next postsynaptic
      one. One more number per synapse is kept.
    - `"restricted"`: the same, but only neighbours: no other spike of either neuron lies between.

    Arguments:
        A_plus: amplitude of potentiation, in the unit of the weight.
        A_minus: amplitude of depression, in the unit of the weight.
        tau_plus: ms.
        tau_minus: ms.
        w_min: lower bound; not negative with `"power_law"`.
        w_max: upper bound; needed by the dependences `"multiplicative"` and `"gutig"`.
        interaction: one of those above.
        dependence: $F_\pm$: `"additive"` (1), `"multiplicative"`, `"power_law"` or `"gutig"`, see
            `nj.plasticity.weight_dependence`.
        mu_plus: exponent of potentiation for `"power_law"` and `"gutig"`.
        mu_minus: exponent of depression for `"gutig"`; default: that of potentiation.
        w_0: reference weight for `"power_law"`.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    NEST's synapses have `delay="dendritic"`, `w_max` = Wmax, and `tau_minus` is a parameter of the
    postsynaptic neuron:

    | NEST | here |
    |---|---|
    | `stdp_synapse` | `dependence="gutig"`, A_plus = lambda Wmax, A_minus = alpha lambda Wmax |
    | `stdp_nn_symm_synapse` | the same with `interaction="nearest"` |
    | `stdp_nn_pre_centered_synapse` | `interaction="presynaptic_centred"` |
    | `stdp_nn_restr_synapse` | `interaction="restricted"` |
    | `stdp_pl_synapse_hom` | `dependence="power_law"`, A_plus = lambda, A_minus = alpha lambda |

    Two differences: the first and the last of the nearest-neighbour schemes of NEST begin as if the
    presynaptic neuron had fired at time 0; and where both spikes come at the same time,
    `stdp_nn_restr_synapse` depresses by an earlier postsynaptic spike though a presynaptic one came
    after it.

    Raises:
        ValueError: for an unknown name, a time constant that is not positive, a negative exponent,
            or bounds that the dependence cannot have.

    Source: Morrison, Diesmann and Gerstner (2008), Biol. Cybern. 98:459.

    Example:
        >>> import neurojax as nj
        >>> rule = nj.plasticity.PairSTDP(A_plus=0.1, A_minus=0.12, w_max=2.0)
        >>> spikes = {
        ...     name: nj.neurons.SpikeTimes([[t]]) for name, t in [("pre", 10.0), ("post", 15.0)]
        ... }
        >>> one = nj.connectivity.one_to_one()
        >>> synapse = nj.Projection("pre", "post", "in", one, weight=1.0, plasticity=rule, name="s")
        >>> net = nj.Network(spikes, [synapse])
        >>> sim = nj.simulate(net, duration=20.0, dt=0.1)
        >>> round(float(net.weights(sim.final_state, "s")[0]), 4)  # 1 + 0.1 exp(-4.9 / 20)
        1.0783
    """

    A_plus: Parameter = parameter(0.01)
    A_minus: Parameter = parameter(0.0105)
    tau_plus: Parameter = parameter(20.0)
    tau_minus: Parameter = parameter(20.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    interaction: str = eqx.field(static=True, default="all")
    dependence: str = eqx.field(static=True, default="additive")
    mu_plus: Parameter = parameter(0.4)
    mu_minus: Parameter = parameter(None)
    w_0: Parameter = parameter(1.0)
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        check_choice(self, "interaction", INTERACTIONS)
        check_choice(self, "dependence", DEPENDENCES)
        check_positive(self, "w_0")
        check_positive(self, "mu_plus", "mu_minus", zero=True)
        w_min = paramax.unwrap(self.w_min)
        if self.dependence == "power_law" and known(w_min) and w_min < 0:
            raise ValueError(
                "dependence='power_law' of PairSTDP has no negative weights: w_min must not be "
                f"negative, got {float(w_min):g}"
            )
        for name in ("w_min", "w_max") if self.dependence in BOUNDED else ():
            bound = paramax.unwrap(getattr(self, name))
            if known(bound) and not jnp.isfinite(bound):
                raise ValueError(
                    f"dependence={self.dependence!r} of PairSTDP needs a finite {name}=, got "
                    f"{float(bound):g}"
                )

    def _depends(self, how, w, mu):
        return how(self.dependence, w, self.w_min, self.w_max, mu, self.w_0)

    def init_pre(self):
        """Potentiation that a postsynaptic spike would find now; ms since the last spike."""
        return {"x": 0.0} | ({"since": _NEVER} if self.interaction == "restricted" else {})

    def init_post(self):
        """Depression that a presynaptic spike would find now; ms since the last spike."""
        more = {"restricted": {"since": _NEVER}, "presynaptic_centred": {"forgotten": 0.0}}
        return {"y": 0.0} | more.get(self.interaction, {})

    def init_synapse(self):
        """For presynaptic-centred pairs: x at the last postsynaptic spike, which used it up."""
        return {"used": 0.0} if self.interaction == "presynaptic_centred" else {}

    def new_synapse(self, pre, post):
        """For presynaptic-centred pairs: x is used up, if there was a postsynaptic spike."""
        if self.interaction != "presynaptic_centred":
            return self.init_synapse()
        left = post["forgotten"]
        recent = left > 1e-12  # of a spike before that nothing is left that it could have used
        return {"used": jnp.where(recent, pre["x"] / jnp.where(recent, left, 1.0), 0.0)}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return _older(decayed(pre, h, x=self.tau_plus), h)

    def decay_post(self, post, h):
        """Exponential decay."""
        post = _older(decayed(post, h, y=self.tau_minus), h)
        return decayed(post, h, forgotten=self.tau_plus) if "forgotten" in post else post

    def after_pre(self, pre, fired):
        """Raise the trace."""
        nearest = self.interaction in ("nearest", "restricted")
        return _new(pre | {"x": raised(pre["x"], fired, nearest)}, fired)

    def after_post(self, post, fired):
        """Raise the trace."""
        post = _new(post | {"y": raised(post["y"], fired, self.interaction != "all")}, fired)
        if "forgotten" in post:
            post["forgotten"] = raised(post["forgotten"], fired, True)
        return post

    def at_pre(self, synapse, pre, post, shared):
        """Depression by the postsynaptic spikes before."""
        w, y = synapse["w"], post["y"]
        if self.interaction == "restricted":
            y = jnp.where(post["since"] < pre["since"], y, 0.0)
        mu = self.mu_plus if self.mu_minus is None else self.mu_minus
        change = self.A_minus * self._depends(depression, w, mu) * y
        return synapse | {"w": self.bounded(w - change)}

    def at_post(self, synapse, pre, post, shared):
        """Potentiation by the presynaptic spikes before."""
        w, x = synapse["w"], pre["x"]
        if self.interaction == "restricted":
            x = jnp.where(pre["since"] <= post["since"], x, 0.0)
        elif self.interaction == "presynaptic_centred":
            x = jnp.maximum(x - synapse["used"] * post["forgotten"], 0.0)
            synapse = synapse | {"used": pre["x"]}
        change = self.A_plus * self._depends(potentiation, w, self.mu_plus) * x
        return synapse | {"w": self.bounded(w + change)}


def _older(traces, h):
    return traces | {"since": traces["since"] + h} if "since" in traces else traces


def _new(traces, fired):
    if "since" not in traces:
        return traces
    return traces | {"since": jnp.where(fired > 0, 0.0, traces["since"])}
