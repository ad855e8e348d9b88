"""Intrinsic plasticity: gains and biases that give every unit a distribution of rates."""

import warnings
from abc import abstractmethod
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import Clock, Parameter, frozen, parameter, unwrap
from neurojax.core.parameter_checks import check_positive, check_shapes
from neurojax.core.tracing import known

from ..nonlinearities import Named
from .driven_rates import checked_inputs
from .echo_state import EchoState
from .random_weights import driven


class AbstractRateTarget(eqx.Module):
    r"""A distribution that the rates $y = \varphi(g x + c)$ of a unit should have."""

    nonlinearity: eqx.AbstractClassVar[str]

    @abstractmethod
    def pull(self, y) -> Array:
        r"""Minus the slope by c of the loss $-\log\varphi'(g x + c) - \log p(y)$."""


@final
class GaussianRates(AbstractRateTarget):
    r"""Rates of tanh units as $N(\mu, \sigma^2)$.

    $$\Delta c = -\eta \Big(-\frac{\mu}{\sigma^2}
      + \frac{y}{\sigma^2}(2\sigma^2 + 1 - y^2 + \mu y)\Big)$$

    Arguments:
        mean: $\mu$ in (-1, 1), scalar or one per unit.
        sd: $\sigma$, scalar or one per unit.

    Source: Schrauwen, Wardermann, Verstraeten, Steil and Stroobandt (2008), Neurocomputing 71:1159.

    Example:
        >>> float(GaussianRates(mean=0.0, sd=0.2).pull(0.0))
        0.0
    """

    nonlinearity: ClassVar[str] = "tanh"
    mean: Parameter = parameter(0.0)
    sd: Parameter = parameter(0.2)

    def __check_init__(self):
        check_positive(self, "sd")
        _check_mean(self, -1.0)

    def pull(self, y) -> Array:
        """See `AbstractRateTarget`."""
        return (self.mean - y) * (1.0 - y**2) / self.sd**2 - 2.0 * y


@final
class ExponentialRates(AbstractRateTarget):
    r"""Rates of sigmoid units as an exponential distribution of mean $\mu$: few of them are high.

    $$\Delta c = \eta\,\big(1 - (2 + 1/\mu)\,y + y^2/\mu\big)$$

    Arguments:
        mean: $\mu$ in (0, 1), scalar or one per unit.

    Source: Triesch (2005), ICANN, LNCS 3696:65.

    Example:
        >>> float(ExponentialRates(mean=0.5).pull(0.0))
        1.0
    """

    nonlinearity: ClassVar[str] = "sigmoid"
    mean: Parameter = parameter(0.2)

    def __check_init__(self):
        _check_mean(self, 0.0)

    def pull(self, y) -> Array:
        """See `AbstractRateTarget`."""
        return 1.0 - 2.0 * y - y * (1.0 - y) / self.mean


def _check_mean(target: Any, least: float) -> None:
    """The mean is one that rates of the units can have."""
    mean = unwrap(target.mean)
    if known(*jax.tree.leaves(mean)) and not np.all(
        (np.asarray(mean) > least) & (np.asarray(mean) < 1.0)
    ):
        raise ValueError(
            f"mean of {type(target).__name__} must lie in ({least:g}, 1), as the rates of "
            f"{target.nonlinearity} units do, got {mean}"
        )


class IntrinsicAdaptation(eqx.Module):
    """What `adapt_intrinsic` found.

    Arguments:
        gain: g of each unit.
        shift: c of each unit.
        state: of the returned reservoir at the end of the series, to go on from.
        mean: of the rates y of each unit, in each pass through the series.
        sd: standard deviation of them.

    Example:
        >>> import jax.numpy as jnp
        >>> one = jnp.ones(1)
        >>> IntrinsicAdaptation(one, one, {"h": one}, one[None], one[None]).gain.shape
        (1,)
    """

    gain: Float[Array, " n"]
    shift: Float[Array, " n"]
    state: dict[str, Array]
    mean: Float[Array, "passes n"]
    sd: Float[Array, "passes n"]


def adapt_intrinsic(
    reservoir: Any,
    inputs: Any,
    *,
    target: AbstractRateTarget | None = None,
    rate: Any = 1e-3,
    key: Any = None,
) -> tuple[EchoState, IntrinsicAdaptation]:
    r"""The reservoir with gains and biases that have adapted to an input series by a local rule.

    $$y = \varphi(g x + c), \qquad
      g \leftarrow g + \eta / g + \Delta c\,x, \qquad c \leftarrow c + \Delta c$$

    at every step and in each unit, with x what the unit receives (`form="external"`: its leaky
    integral), and $\Delta c$ as the target says: a stochastic descent of the Kullback-Leibler
    divergence between the rates y and the target. It begins with $g = 1, c = 0$.

    The gains and biases become part of the reservoir that is returned,

    $$\rho_i \leftarrow g_i\,\rho, \quad B_{ij} \leftarrow g_i B_{ij}, \quad
      s_b b_i \leftarrow g_i\, s_b b_i + c_i, \quad \sigma_i \leftarrow g_i\,\sigma,$$

    an `EchoState` with a `radius` of each unit that does the same as the adapted one. (With
    `form="external"` its x is $g x + c$ of the other.) `I_e`, if it is given later, is not
    multiplied by the gain. Numbers that were declared trainable become fixed ones. With a leak
    below 1 and `form="internal"` the target is that of y, which the leak then averages. If a gain
    becomes negative, the rate is too high.

    Arguments:
        reservoir: an `EchoState` to begin with, without feedback.
        inputs: (time, inputs), of the kind that the reservoir is to be used with.
        target: `GaussianRates(mean, sd)` for tanh units (default), `ExponentialRates(mean)` for
            sigmoid units.
        rate: $\eta$, one or several; the series is gone through once for each.
        key: for the noise of the reservoir.

    Returns:
        The adapted reservoir, and an `IntrinsicAdaptation`.

    Warns:
        UserWarning: outside of transforms, if a gain has become negative.

    Raises:
        ValueError: for a target that does not fit the nonlinearity, a reservoir with feedback,
            inputs or rates that do not fit.
        TypeError: for another circuit than an `EchoState`.

    Source: Schrauwen et al. (2008), Neurocomputing 71:1159; Triesch (2005), ICANN, LNCS 3696:65.

    Example:
        >>> import jax, neurojax as nj
        >>> reservoir = nj.circuits.EchoState(50, inputs=1, input_scaling=2.0)
        >>> u = jax.random.normal(jax.random.key(0), (1000, 1))
        >>> target = nj.circuits.GaussianRates(sd=0.2)
        >>> adapted, found = nj.circuits.adapt_intrinsic(
        ...     reservoir, u, target=target, rate=[1e-3] * 4
        ... )
        >>> bool(abs(found.sd[-1].mean() - 0.2) < 0.02)
        True
    """
    if not isinstance(reservoir, EchoState):
        raise TypeError(
            f"reservoir must be an nj.circuits.EchoState, got {type(reservoir).__name__}; "
            "adapt_inhibition is for an EIReservoir"
        )
    target = GaussianRates() if target is None else target
    if not isinstance(target, AbstractRateTarget):
        raise TypeError(f"target must be GaussianRates or ExponentialRates, got {target!r}")
    named = reservoir.nonlinearity.name if isinstance(reservoir.nonlinearity, Named) else None
    if named != target.nonlinearity:
        raise ValueError(
            f"{type(target).__name__} is for units with nonlinearity={target.nonlinearity!r}, "
            f"those of the reservoir have {named or reservoir.nonlinearity!r}"
        )
    if reservoir.feedback is not None:
        raise ValueError("adapt_intrinsic drives the reservoir by inputs alone: feedback=None")
    check_shapes(target, reservoir.n)
    inputs = checked_inputs(reservoir, inputs, 0)
    rate = jnp.atleast_1d(jnp.asarray(rate, inputs.dtype))
    if rate.ndim != 1 or rate.shape[0] == 0 or (known(rate) and not np.all(np.asarray(rate) > 0)):
        raise ValueError(f"rate must be one positive learning rate or several, got {rate}")
    found = _adapted(reservoir, inputs, target, rate, key)
    if known(found.gain) and not np.all(np.asarray(found.gain) > 0):
        wrong = int(np.sum(~(np.asarray(found.gain) > 0)))
        warnings.warn(
            f"{wrong} of {reservoir.n} gains are not positive: the rate {float(jnp.max(rate)):g} "
            "is too high, give a lower one",
            stacklevel=2,
        )
    return with_gains(reservoir, found.gain, found.shift), found


def with_gains(reservoir: EchoState, gain: Any, shift: Any) -> EchoState:
    """The reservoir whose units turn what they receive, x, into the rates of g x + c.

    Arguments:
        reservoir: with gains of 1 and shifts of 0.
        gain: g, (n,).
        shift: c, (n,).

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> reservoir = nj.circuits.EchoState(3, recurrent=jnp.eye(3), radius=0.5)
        >>> changed = with_gains(reservoir, jnp.array([1.0, 2.0, 4.0]), jnp.zeros(3))
        >>> nj.unwrap(changed).radius.tolist()
        [0.5, 1.0, 2.0]
    """
    plain: Any = unwrap(reservoir)
    gain, shift = jnp.asarray(gain), jnp.asarray(shift)
    ones = jnp.ones((), gain.dtype)
    feedback, noise = plain.feedback, plain.noise
    changed = (
        gain * (ones if plain.radius is None else plain.radius),
        ones if plain.radius is None else plain.unit,
        None if plain.input is None else gain[:, None] * plain.input,
        None if feedback is None else gain[:, None] * feedback,
        gain * plain.bias_scaling * plain.bias + shift,
        ones,
        None if noise is None else gain * noise,
    )
    where = lambda r: (
        r.radius, r.unit, r.input, r.feedback, r.bias, r.bias_scaling, r.noise
    )  # fmt: skip
    changed = tuple(None if x is None else frozen(x) for x in changed)
    return eqx.tree_at(where, reservoir, changed, is_leaf=lambda x: x is None)


@eqx.filter_jit
def _adapted(reservoir, inputs, target, rate, key) -> IntrinsicAdaptation:
    model, target = unwrap(reservoir), unwrap(target)
    internal = model.form == "internal"
    steps = inputs.shape[0]

    def step(carry, drive):
        gain, shift, state, rates, total, squares = carry
        number, u, eta = drive
        x = driven(model, state if internal else rates, u)
        if model.noise is not None:
            clock = Clock(number, 1.0, key)
            x = x + model.noise * clock.normal("noise", (model.n,), x.dtype)
        if not internal:
            x = state + model.leak * (x - state)
        y = model.nonlinearity(gain * x + shift)
        state = state + model.leak * (y - state) if internal else x
        change = eta * target.pull(y)
        gain, shift = gain + eta / gain + change * x, shift + change
        return (gain, shift, state, y, total + y, squares + y**2), None

    def one_pass(carry, drive):
        number, eta = drive
        nothing = jnp.zeros_like(carry[0])
        drives = steps * number + jnp.arange(steps), inputs, jnp.broadcast_to(eta, (steps,))
        (*carry, total, squares), _ = jax.lax.scan(step, (*carry, nothing, nothing), drives)
        mean = total / steps
        return tuple(carry), (mean, jnp.sqrt(jnp.maximum(squares / steps - mean**2, 0.0)))

    (state,) = model.init_state().values()
    # what the others receive is the rate that was put out, before gain and shift have moved
    start = jnp.ones_like(state), jnp.zeros_like(state), state, model.nonlinearity(state)
    drives = jnp.arange(rate.shape[0]), rate
    (gain, shift, state, _), (mean, sd) = jax.lax.scan(one_pass, start, drives)
    final = {"h": state} if internal else {"x": gain * state + shift}
    return IntrinsicAdaptation(gain, shift, final, mean, sd)
