"""Inhibition designed in one step for given rates of a reservoir."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logit
from jaxtyping import Array, Bool, Float

from neurojax.core import unwrap
from neurojax.core.tracing import known

from ..recurrent import check_finite, current
from .driven_rates import driven_rates
from .ei_reservoir import EIReservoir, check_ei_reservoir, with_inhibition
from .target_rates import as_targets

_STEPS, _APART = 400, 0.03


class InhibitionDesign(eqx.Module):
    r"""What a design of inhibition came to.

    Arguments:
        target: rate of each neuron that was asked for.
        scale: $\Omega$, the factor on the inhibition that each neuron receives.
        reachable: whether inhibition can bring the neuron to its target: not where there is too
            little excitation ($\Omega$ came out negative, and was set to 0), and not where the
            neuron receives no inhibition.

    Example:
        >>> import neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, indegree=40)
        >>> _, design = nj.circuits.design_inhibition(reservoir, 0.0, target=0.4)
        >>> design.scale.shape, bool(design.reachable.all())
        ((100,), True)
    """

    target: Float[Array, " n"]
    scale: Float[Array, " n"]
    reachable: Bool[Array, " n"]


def design_inhibition(
    reservoir: Any, mean_input: Any, target: Any = 0.5, *, strict: bool = False
) -> tuple[EIReservoir, InhibitionDesign]:
    r"""The reservoir with inhibition scaled so that its neurons have given mean rates.

    The inhibition that neuron i receives is multiplied by

    $$\Omega_i = \frac{(A^E \rho)_i + (W_{in} \bar u)_i + (F z)_i - \theta_i - c_i^{-1}\,
      \mathrm{logit}(\rho_i)}{\beta\,(A^I \rho)_i}$$

    which makes the target rates $\rho$ a fixed point under the mean input $\bar u$; $z$ is the
    output at these rates, where there is feedback. With an input that varies, the mean rates
    differ from them a little, since the logistic function is curved, and at low targets the fixed
    point is not stable (see `adapt_inhibition`): `driven_rates` measures both. Can be vmapped, and
    differentiated where the reservoir is unwrapped.

    Arguments:
        reservoir: an `EIReservoir`, whose inhibition is scaled.
        mean_input: $\bar u$, scalar or (inputs,).
        target: $\rho$, one rate between 0 and 1, or one per neuron, such as `beta_targets`.
        strict: whether targets that cannot be reached are an error, rather than a warning.

    Returns:
        The reservoir, and an `InhibitionDesign` that says which targets can be reached.

    Warns:
        UserWarning: outside of transforms, if neurons cannot reach their targets, or if the rates
            under the mean input alone leave them, since the fixed point is not stable.

    Raises:
        ValueError: for a mean input or targets that do not fit; with `strict`, if neurons cannot
            reach their targets.
        TypeError: for another circuit than an `EIReservoir`.

    Source: Srinivasan, Plenz and Girvan (2025), Nature Communications,
    doi:10.1038/s41467-025-64978-8, equation 8.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EIReservoir(100, indegree=40)
        >>> designed, _ = nj.circuits.design_inhibition(reservoir, 0.0, target=0.4)
        >>> u = jax.random.uniform(jax.random.key(1), (400, 1), minval=-1.0)
        >>> rates = nj.circuits.driven_rates(designed, u)
        >>> bool(abs(rates.mean.mean() - 0.4) < 0.03)
        True
    """
    check_ei_reservoir(reservoir)
    model = unwrap(reservoir)
    dtype = model.inhibition.dtype
    target = as_targets(target, reservoir.n, dtype)
    net = current(model.excitation, target[: model.n_exc]) - model.threshold
    net = net - logit(target) / model.gain
    if model.input is not None:
        net = net + current(model.input, _mean_input(mean_input, model.input.shape[1], dtype))
    if model.feedback is not None:
        net = net + current(model.feedback, model.read_out(target))
    inhibition = model.balance * current(model.inhibition, target[model.n_exc :])
    inhibited = inhibition > 0
    needed = net / jnp.where(inhibited, inhibition, 1.0)
    scale = jnp.where(inhibited, jnp.maximum(needed, 0.0), 1.0)
    reachable = inhibited & (needed >= 0)
    _report(reachable, strict)
    designed = with_inhibition(reservoir, model.inhibition * scale[:, None])
    _report_instability(designed, mean_input, target, reachable)
    return designed, InhibitionDesign(target, scale, reachable)


def _mean_input(value, channels: int, dtype) -> Array:
    value = jnp.asarray(value, dtype)
    if value.shape not in ((), (channels,)):
        raise ValueError(
            f"mean_input must be a scalar or have shape ({channels},), got {value.shape}"
        )
    check_finite("mean_input", value)
    return jnp.broadcast_to(value, (channels,))


def _report(reachable, strict: bool) -> None:
    if not known(reachable) or bool(np.all(reachable)):
        return
    out = np.flatnonzero(~np.asarray(reachable))
    message = (
        f"{len(out)} of {reachable.shape[0]} neurons cannot reach their target rates by "
        f"inhibition, the first of them neuron {out[0]}: they are excited too little even without "
        "it, or receive none. Ask for lower targets, or lower the threshold"
    )
    if strict:
        raise ValueError(message)
    warnings.warn(message, stacklevel=3)


def _report_instability(designed, mean_input, target, reachable) -> None:
    leaves = jax.tree.leaves((eqx.filter(designed, eqx.is_array), mean_input, target))
    if not known(*leaves) or not bool(np.all(reachable)):
        return
    model = unwrap(designed)
    channels = 0 if model.input is None else model.input.shape[1]
    steady = jnp.broadcast_to(jnp.asarray(mean_input, target.dtype), (_STEPS, channels))
    found = driven_rates(designed, steady, washout=_STEPS // 2)
    wanted, mean = float(jnp.mean(target)), float(jnp.mean(found.mean))
    if abs(mean - wanted) > _APART:
        how = " and alternate from step to step" if bool(found.alternates) else ""
        warnings.warn(
            "the target rates are a fixed point that is not stable: under the mean input alone "
            f"the rates are {mean:.3g} in the mean, not {wanted:.3g}{how}. Ask for higher targets",
            stacklevel=3,
        )
