"""Stochastic release of vesicles."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from neurojax.core import Clock, Parameter, parameter
from neurojax.core.parameter_checks import check_positive, check_probability, check_shapes

from .release import AbstractRelease, gone_after, left_after


@final
class Quantal(AbstractRelease):
    r"""Each of $N$ sites holds a vesicle or none, and releases it with probability $u$ at a spike.

    An empty site is refilled at the rate $1/\tau_\mathrm{rec}$, independently of all others. At a
    spike $u \to u + p (1 - u)$, then each full site releases with the new $u$; between spikes
    $\dot u = -u/\tau_\mathrm{facil}$. So without facilitation $u = p$ always, and without recovery
    time ($\tau_\mathrm{rec} = 0$) the number released is binomial; with $N = 1$ it is then a
    synapse that transmits a spike with probability $p$. NEST's `quantal_stp_synapse` is the same
    with p as U, N as n, and a weight of one vesicle, the N-th part of that here.

    Recorders see both at the end of the step, after a spike there: `u` and the number of `full`
    sites, as `nj.Trace("projections.<name>.release.full")`, one value per sending neuron.

    The amplitude is the number released divided by $N$. Its mean over trials is the amplitude of
    `TsodyksMarkram(U=p, tau_rec, tau_facil)`; from full sites its mean is $p$, its variance
    $p (1 - p) / N$. All synapses of a neuron in one projection share its draws, those of two
    projections do not. Draws are exact, and a number has no gradient with respect to $p$.

    Arguments:
        N: number of sites, a whole number. Costs N random numbers per neuron and step.
        p: release probability, between 0 and 1.
        tau_rec: mean time until an empty site is filled again, ms; 0: at once.
        tau_facil: decay of the facilitation, ms; 0: none.

    Raises:
        ValueError: if `N` is not a positive whole number, `p` is not between 0 and 1, or a time is
            negative; in `release`, if the clock has no key.

    Source: binomial release: del Castillo and Katz (1954), J. Physiol. 124:560; with refilling:
    Fuhrmann et al. (2002), J. Neurophysiol. 87:140.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> unreliable = nj.synapses.Quantal(N=1, p=0.3)
        >>> clock = nj.Clock(0, 0.1, jax.random.key(0))
        >>> fired = jnp.ones(10000, bool)
        >>> amplitude, _ = unreliable.release(unreliable.init_state(10000), fired, clock)
        >>> bool(abs(amplitude.mean() - 0.3) < 0.02)
        True
    """

    N: int = eqx.field(static=True, default=1)
    p: Parameter = parameter(0.5)
    tau_rec: Parameter = parameter(0.0)
    tau_facil: Parameter = parameter(0.0)

    def __check_init__(self):
        if isinstance(self.N, bool) or not isinstance(self.N, int | np.integer) or self.N < 1:
            raise ValueError(f"N of Quantal must be a positive whole number, got {self.N!r}")
        check_probability(self, "p")
        check_positive(self, "tau_rec", "tau_facil", zero=True)

    def init_state(self, n: int):
        """All sites full, no facilitation."""
        check_shapes(self, n)
        return {"full": jnp.full(n, self.N, jnp.int32), "u": jnp.zeros(n)}

    def release(self, state, fired, clock: Clock):
        """See `AbstractRelease.release`."""
        u = state["u"] * left_after(self.tau_facil, clock.dt)
        used = u + self.p * (1.0 - u)
        refilled = gone_after(self.tau_rec, clock.dt)
        # sites are alike, so the first ones are the full ones; one number decides for each
        # whether it is refilled and, as the smaller part of that, whether it releases as well
        draw = clock.uniform("release", (self.N, fired.shape[0]))
        full = jnp.arange(self.N)[:, None] < state["full"][None, :]
        holds = jnp.where(full, 1.0, jnp.broadcast_to(refilled, fired.shape)[None, :])
        released = (draw < holds * used[None, :]) & fired[None, :]
        remains = (draw < holds) & ~released
        amplitude = jnp.sum(released, axis=0) / self.N
        return amplitude.astype(used.dtype), {
            "full": jnp.sum(remains, axis=0, dtype=jnp.int32),
            "u": jnp.where(fired, used, u),
        }
