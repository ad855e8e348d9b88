"""Plasticity that depends on the voltage of the postsynaptic neuron."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import paramax

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_positive

from .rule import AbstractRule, decayed


@final
class Clopath(AbstractRule):
    r"""Presynaptic spikes depress, a depolarised postsynaptic membrane potentiates.

    With the voltage $u$, its low-pass filters $\bar u_\pm$ and the presynaptic spikes $X$,

    $$\dot w = -A_\mathrm{LTD}\, X(t)\, [\bar u_-(t) - \theta_-]_+
      + A_\mathrm{LTP}\, \bar x(t)\, [u(t) - \theta_+]_+ [\bar u_+(t) - \theta_-]_+,$$

    $$\tau_\pm \dot{\bar u}_\pm = -\bar u_\pm + u(t - \epsilon), \qquad
      \tau_x \dot{\bar x} = -\bar x + X(t),$$

    and hard bounds. Depression acts at presynaptic spikes; potentiation once per step, onto those
    neurons only that are above $\theta_+$ and have been depolarised, at a cost that follows their
    number. Filters hold the voltage over a step. With `u_ref` depression adapts (homeostasis):
    $A_\mathrm{LTD}$ is multiplied by $\bar{\bar u}^2 / u_\mathrm{ref}^2$, where $\bar{\bar u}$ is
    $u - \theta_-$ filtered with `tau_u_bar_bar`, which starts at `u_ref`.

    The action potential is part of the rule: its width and height decide how much it potentiates.
    Integrate-and-fire neurons have none, so from a spike on the rule sees `V_clamp` for `t_clamp`
    ms. For a neuron with a spike of its own (Hodgkin-Huxley) give `t_clamp=0`. The filters start at
    `theta_minus`.

    NEST's `clopath_synapse` is `delay="dendritic"` without `u_ref` (`A_LTD_const=True`); most of
    the parameters stand at its neurons, which solve the filters within the step. For
    `A_LTD_const=False` NEST filters $\bar u_-$ itself where we filter the depolarisation. Its
    delayed filters start at 0 mV, so spikes within the first `delay_u_bars` depress more there.

    Arguments:
        A_LTD: amplitude of depression, in the unit of the weight per mV.
        A_LTP: amplitude of potentiation, in the unit of the weight per mV^2.
        theta_minus: threshold of the filtered voltages, mV.
        theta_plus: threshold of the voltage for potentiation, mV.
        tau_x: time constant of the presynaptic trace, ms.
        tau_minus: time constant of the voltage for depression, ms.
        tau_plus: time constant of the voltage for potentiation, ms.
        delay_u_bars: $\epsilon$, ms, rounded to whole steps: an action potential shall not see
            itself.
        V_clamp: voltage of an action potential, mV.
        t_clamp: its duration, ms, rounded to whole steps.
        u_ref: reference of the mean depolarisation, mV; `None`: no homeostasis.
        tau_u_bar_bar: time constant of the mean depolarisation, ms.
        w_min: lower bound.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Raises:
        TypeError: for a `delay_u_bars` that is no number.
        ValueError: for an unknown name, a time constant that is not positive or a negative
            duration.

    Source: Clopath, Büsing, Vasilaki and Gerstner (2010), Nat. Neurosci. 13:344; its parameters
    of the visual cortex. The delay of the filters and the clamp are those of NEST's implementation.

    Example:
        >>> import neurojax as nj
        >>> ports = {"in": nj.synapses.Delta()}
        >>> cell = nj.neurons.LIF(E_L=-70.6, V_reset=-70.6, V_th=-50.0, receptors=ports)
        >>> rule = nj.plasticity.Clopath(w_max=3.0)
        >>> one = nj.connectivity.one_to_one()
        >>> pre = nj.neurons.SpikeTimes([[10.0, 30.0, 50.0]])
        >>> synapse = nj.Projection("pre", "post", "in", one, weight=1.0, plasticity=rule, name="s")
        >>> net = nj.Network({"pre": pre, "post": cell}, [synapse])
        >>> drive = {"post": {"I_e": 900.0}}  # fires at about 60 Hz
        >>> sim = nj.simulate(net, duration=100.0, dt=0.1, inputs=drive)
        >>> 1.0 < float(net.weights(sim.final_state, "s")[0]) < 1.1
        True
    """

    A_LTD: Parameter = parameter(14e-5)
    A_LTP: Parameter = parameter(8e-5)
    theta_minus: Parameter = parameter(-70.6)
    theta_plus: Parameter = parameter(-45.3)
    tau_x: Parameter = parameter(15.0)
    tau_minus: Parameter = parameter(10.0)
    tau_plus: Parameter = parameter(7.0)
    delay_u_bars: float = eqx.field(static=True, default=5.0)
    V_clamp: Parameter = parameter(33.0)
    t_clamp: Parameter = parameter(2.0)
    u_ref: Parameter = parameter(None)
    tau_u_bar_bar: Parameter = parameter(1000.0)
    w_min: Parameter = parameter(0.0)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        ms = self.delay_u_bars
        if not isinstance(ms, int | float | np.number) or not np.isfinite(ms):
            raise TypeError(f"delay_u_bars of Clopath must be a finite number of ms, got {ms!r}")
        check_positive(self, "t_clamp", "delay_u_bars", zero=True)
        if paramax.unwrap(self.u_ref) is not None:
            check_positive(self, "u_ref")

    def init_pre(self):
        """The trace of presynaptic spikes, 1/ms."""
        return {"x": 0.0}

    def init_post(self):
        """The voltage now and before, its filters, potentiation in this step, ms of a spike."""
        at_rest = dict.fromkeys(("u", "late", "minus", "plus"), self.theta_minus)
        bar = {} if self.u_ref is None else {"bar": self.u_ref}
        return at_rest | {"drive": 0.0, "spiking": 0.0} | bar

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, x=self.tau_x)

    def decay_post(self, post, h):
        """The filters, with the voltage held; the clamp goes by."""
        late = post["late"]
        new = {
            "minus": _towards(post["minus"], late, h / self.tau_minus),
            "plus": _towards(post["plus"], late, h / self.tau_plus),
            "spiking": post["spiking"] - h,
        }
        if "bar" in post:
            new["bar"] = _towards(post["bar"], late - self.theta_minus, h / self.tau_u_bar_bar)
        return post | new

    def after_pre(self, pre, fired):
        """Raise the trace."""
        return {"x": pre["x"] + fired / self.tau_x}

    def at_pre(self, synapse, pre, post, shared):
        """Depression."""
        A_LTD = self.A_LTD
        if "bar" in post:
            A_LTD = A_LTD * (post["bar"] / self.u_ref) ** 2
        change = A_LTD * _above(post["minus"], self.theta_minus)
        return synapse | {"w": self.bounded(synapse["w"] - change)}

    def sense(self, post, V_m, fired, h):
        """The voltage with its action potential, and what a unit of x gains in this step."""
        spiking = jnp.where(fired > 0, self.t_clamp, post["spiking"])
        u = jnp.where(spiking > 0.5 * h, self.V_clamp, V_m)
        drive = _above(u, self.theta_plus) * _above(post["plus"], self.theta_minus)
        return post | {"u": u, "spiking": spiking, "drive": self.A_LTP * h * drive}

    def remembered(self):
        """The voltage that the filters see."""
        return {"late": ("u", self.delay_u_bars)}

    def active(self, post):
        """Depolarised neurons, whose synapses are potentiated."""
        return post["drive"] != 0

    def while_active(self, synapse, pre, post, shared):
        """Potentiation."""
        return synapse | {"w": self.bounded(synapse["w"] + pre["x"] * post["drive"])}


def _above(u, theta):
    return jnp.maximum(u - theta, 0.0)


def _towards(filtered, u, h_by_tau):
    """The filter after a step in which its input was `u`."""
    return u + (filtered - u) * jnp.exp(-h_by_tau)
