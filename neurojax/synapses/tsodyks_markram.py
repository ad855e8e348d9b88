"""Short-term depression and facilitation."""

from typing import final

import jax.numpy as jnp

from neurojax.core import Clock, Parameter, parameter
from neurojax.core.parameter_checks import check_positive, check_probability, check_shapes

from .release import AbstractRelease, left_after


@final
class TsodyksMarkram(AbstractRelease):
    r"""Resources that are used up and utilisation that builds up with each spike.

    $$\dot x = \frac{1 - x}{\tau_\mathrm{rec}}, \qquad \dot u = -\frac{u}{\tau_\mathrm{facil}};
    \qquad \text{at a spike } u \to u + U (1 - u),\quad A = u\,x,\quad x \to x - u\,x$$

    The order at a spike is: first $u$, then the release with the new $u$. So the first spike after
    long silence has the amplitude $U$, and the weight of the projection is the absolute efficacy
    (all resources at once). $u$ decays to 0, not to $U$, between spikes, and starts there; $x$
    starts at 1 (the state holds `depleted` $= 1 - x$, which single precision resolves better). Both
    move exactly over a step, so the amplitudes depend on the spike times only. This is NEST's
    `tsodyks2_synapse` as it begins by default (its u is that of the next spike, so u = U there).
    NEST's `tsodyks_synapse` keeps what is released inactive for `tau_psc` before it recovers, and
    comes close to this only where `tau_psc` is short beside the intervals.

    Recorders see both at the end of the step, after a spike there, one value per sending neuron:
    `nj.Trace("projections.<name>.release.u")` and `".x"`. A spike that came now would release with
    $u + U (1 - u)$, at rest $U$: this is what Mongillo et al. (2008) and `tsodyks2_synapse` call u.

    Under a regular train with interval $T$ the amplitude goes to $u x$ with
    $u = U / (1 - (1 - U) e^{-T/\tau_\mathrm{facil}})$ and
    $x = (1 - e^{-T/\tau_\mathrm{rec}}) / (1 - (1 - u) e^{-T/\tau_\mathrm{rec}})$.

    Arguments:
        U: utilisation that a spike adds, between 0 and 1.
        tau_rec: recovery of the resources, ms; 0: no depression.
        tau_facil: decay of the facilitation, ms; 0: none, the utilisation is always $U$.

    Raises:
        ValueError: if `U` is not between 0 and 1, or a time is negative.

    Source: Tsodyks, Pawelzik and Markram (1998), Neural Comput. 10:821, with instantaneous
    inactivation of the released resources.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> depressing = nj.synapses.TsodyksMarkram(U=0.5, tau_rec=800.0)
        >>> state, fired = depressing.init_state(1), jnp.array([True])
        >>> for step in range(3):
        ...     amplitude, state = depressing.release(state, fired, nj.Clock(step, dt=10.0))
        ...     print(round(float(amplitude[0]), 3))
        0.5
        0.253
        0.131
    """

    U: Parameter = parameter(0.5)
    tau_rec: Parameter = parameter(800.0)
    tau_facil: Parameter = parameter(0.0)

    def __check_init__(self):
        check_probability(self, "U")
        check_positive(self, "tau_rec", "tau_facil", zero=True)

    def init_state(self, n: int):
        """All resources, no facilitation."""
        check_shapes(self, n)
        return {"u": jnp.zeros(n), "depleted": jnp.zeros(n)}

    def release(self, state, fired, clock: Clock):
        """See `AbstractRelease.release`."""
        u = state["u"] * left_after(self.tau_facil, clock.dt)
        depleted = state["depleted"] * left_after(self.tau_rec, clock.dt)
        used = u + self.U * (1.0 - u)
        amplitude = used * (1.0 - depleted)
        return amplitude, {
            "u": jnp.where(fired, used, u),
            "depleted": jnp.where(fired, depleted + amplitude, depleted),
        }

    def visible(self, state):
        """Utilisation u and resources x."""
        return {"u": state["u"], "x": 1.0 - state["depleted"]}
