"""Rules of rates: of given rates on matrices, of rates that a projection reads from its spikes."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive
from neurojax.core.solvers.exponential_euler import phi1

from .rule import AbstractRule, decayed


class AbstractRateRule(AbstractRule):
    r"""A rule of the rates $x_i$ and $y_j$ on both sides of a synapse.

    With rates at hand, `update` changes a matrix of weights by one step. As `plasticity=` of a
    projection between neurons that spike the rates are estimated: traces

    $$\tau\,\dot x = -x + \textstyle\sum_s \delta(t - t_s)$$

    in Hz, read just before a spike. The synapses change at postsynaptic spikes, so that $y_j$ is
    one factor by itself: the mean change in a second is that of `update` at the rates in Hz, where
    spikes on both sides are independent.

    Attributes:
        tau: time constant of the estimates, ms.
    """

    tau: eqx.AbstractVar[Parameter]

    def init_pre(self):
        """The rate, Hz."""
        return {"rate": 0.0}

    def init_post(self):
        """The rate, Hz."""
        return {"rate": 0.0}

    def decay_pre(self, pre, h):
        """Exponential decay."""
        return decayed(pre, h, rate=self.tau)

    def decay_post(self, post, h):
        """Exponential decay."""
        return decayed(post, h, rate=self.tau)

    def after_pre(self, pre, fired):
        """Raise the rate by that of one spike within tau."""
        return pre | {"rate": pre["rate"] + fired / (MS_HZ * self.tau)}

    def after_post(self, post, fired):
        """Raise the rate by that of one spike within tau."""
        return post | {"rate": post["rate"] + fired / (MS_HZ * self.tau)}


@final
class Hebb(AbstractRateRule):
    r"""What is active together grows together, $\Delta w_{ij} = \eta\, x_i y_j$.

    At a postsynaptic spike of a projection, $\Delta w_{ij} = \eta\, x_i$; see `AbstractRateRule`.

    Arguments:
        eta: learning rate.
        tau: of the estimates of rates from spikes, ms.
        w_min: lower bound; by default none, so give 0 where weights are conductances.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Source: Hebb (1949), The Organization of Behavior.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.Hebb(eta=0.5)
        >>> rule.update(jnp.zeros((2, 1)), jnp.array([1.0, 2.0]), jnp.array([3.0])).tolist()
        [[1.5], [3.0]]
    """

    eta: Parameter = parameter(0.01)
    tau: Parameter = parameter(100.0)
    w_min: Parameter = parameter(-jnp.inf)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def update(self, w: Array, x: Array, y: Array) -> Array:
        """The weights after one step, within the bounds.

        Arguments:
            w: weights, shape (pre, post).
            x: presynaptic activity, shape (pre,).
            y: postsynaptic activity, shape (post,).

        Raises:
            ValueError: for other shapes.
        """
        w, x, y = _fitting(self, w, x=x, y=y)
        return self.bounded(w + self.eta * (x[:, None] * y[None, :]))

    def at_post(self, synapse, pre, post, shared):
        """Growth by the presynaptic rate."""
        return synapse | {"w": self.bounded(synapse["w"] + self.eta * pre["rate"])}


@final
class AntiHebb(AbstractRateRule):
    r"""What is active together is decorrelated, $\Delta w_{ij} = -\eta\, x_i y_j$.

    At a postsynaptic spike of a projection, $\Delta w_{ij} = -\eta\, x_i$; see `AbstractRateRule`.

    Arguments:
        eta: learning rate.
        tau: of the estimates of rates from spikes, ms.
        w_min: lower bound; by default none, so give 0 where weights are conductances.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Source: Földiák (1990), Biol. Cybern. 64:165.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.AntiHebb(eta=0.5)
        >>> rule.update(jnp.zeros((1, 1)), jnp.array([1.0]), jnp.array([3.0])).tolist()
        [[-1.5]]
    """

    eta: Parameter = parameter(0.01)
    tau: Parameter = parameter(100.0)
    w_min: Parameter = parameter(-jnp.inf)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def update(self, w: Array, x: Array, y: Array) -> Array:
        """The weights after one step; arguments as in `Hebb`."""
        w, x, y = _fitting(self, w, x=x, y=y)
        return self.bounded(w - self.eta * (x[:, None] * y[None, :]))

    def at_post(self, synapse, pre, post, shared):
        """Decline by the presynaptic rate."""
        return synapse | {"w": self.bounded(synapse["w"] - self.eta * pre["rate"])}


@final
class Oja(AbstractRateRule):
    r"""Hebbian growth with a weight decay that keeps the norm.

    $$\Delta w_{ij} = \eta\, y_j (x_i - \alpha\, y_j w_{ij})$$

    With $y = w^T x$ the weights onto each neuron turn to the first principal component of x, with
    norm $1 / \sqrt{\alpha}$. At a postsynaptic spike of a projection,
    $\Delta w_{ij} = \eta\,(x_i - \alpha\, y_j w_{ij})$; see `AbstractRateRule`.

    Arguments:
        eta: learning rate.
        alpha: strength of the decay.
        tau: of the estimates of rates from spikes, ms.
        w_min: lower bound; by default none, so give 0 where weights are conductances.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Source: Oja (1982), J. Math. Biol. 15:267.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.Oja(eta=0.5)
        >>> rule.update(jnp.ones((1, 1)), jnp.array([1.0]), jnp.array([1.0])).tolist()
        [[1.0]]
    """

    eta: Parameter = parameter(0.01)
    alpha: Parameter = parameter(1.0)
    tau: Parameter = parameter(100.0)
    w_min: Parameter = parameter(-jnp.inf)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def update(self, w: Array, x: Array, y: Array) -> Array:
        """The weights after one step; arguments as in `Hebb`."""
        w, x, y = _fitting(self, w, x=x, y=y)
        decay = self.alpha * y[None, :] * w
        return self.bounded(w + self.eta * y[None, :] * (x[:, None] - decay))

    def at_post(self, synapse, pre, post, shared):
        """Growth by the presynaptic rate, decay by the postsynaptic one."""
        change = pre["rate"] - self.alpha * post["rate"] * synapse["w"]
        return synapse | {"w": self.bounded(synapse["w"] + self.eta * change)}


@final
class BCM(AbstractRateRule):
    r"""Growth above a threshold that slides with the activity, and depression below.

    $$\Delta w_{ij} = \eta\, x_i\, y_j (y_j - \theta_j), \qquad
      \tau_\theta\, \dot\theta_j = y_j^2 / y_0 - \theta_j.$$

    At a postsynaptic spike of a projection, $\Delta w_{ij} = \eta\, x_i (y_j - \theta_j)$, with
    $\theta_j = 0$ at first; see `AbstractRateRule`. The threshold must be faster than the weights.

    Arguments:
        eta: learning rate.
        tau_theta: time constant of the threshold: in ms on a projection, in steps in `threshold`.
        y_0: activity at which a constant y neither grows nor falls; Hz on a projection.
        tau: of the estimates of rates from spikes, ms.
        w_min: lower bound; by default none, so give 0 where weights are conductances.
        w_max: upper bound.
        delay: `"axonal"` or `"dendritic"`, see `AbstractRule`.

    Source: Bienenstock, Cooper and Munro (1982), J. Neurosci. 2:32; Intrator and Cooper (1992),
    Neural Netw. 5:3.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.BCM(eta=0.5, tau_theta=10.0)
        >>> x, y, theta = jnp.array([1.0]), jnp.array([2.0]), jnp.array([1.0])
        >>> rule.update(jnp.zeros((1, 1)), x, y, theta).tolist()
        [[1.0]]
        >>> round(float(rule.threshold(theta, y)[0]), 4)
        1.3
    """

    eta: Parameter = parameter(0.001)
    tau_theta: Parameter = parameter(100.0)
    y_0: Parameter = parameter(1.0)
    tau: Parameter = parameter(100.0)
    w_min: Parameter = parameter(-jnp.inf)
    w_max: Parameter = parameter(jnp.inf)
    delay: str = eqx.field(static=True, default="axonal")

    def __check_init__(self):
        check_positive(self, "y_0")

    def update(self, w: Array, x: Array, y: Array, theta: Array) -> Array:
        """The weights after one step; `theta` are the thresholds, shape (post,): `threshold`."""
        w, x, y, theta = _fitting(self, w, x=x, y=y, theta=theta)
        return self.bounded(w + self.eta * (x[:, None] * (y * (y - theta))[None, :]))

    def threshold(self, theta: Array, y: Array) -> Array:
        """The thresholds after one step, one for each y."""
        if jnp.shape(theta) != jnp.shape(y):
            raise ValueError(
                "theta of BCM.threshold must have the shape of y, got "
                f"{jnp.shape(theta)} and {jnp.shape(y)}"
            )
        return theta + (y**2 / self.y_0 - theta) / self.tau_theta

    def init_post(self):
        """The rate, Hz, and the threshold."""
        return {"rate": 0.0, "theta": 0.0}

    def decay_post(self, post, h):
        """Exact while the rate decays: its square is an exponential that the threshold follows."""
        apart = jnp.asarray(2.0 / self.tau - 1.0 / self.tau_theta, post["rate"].dtype)
        toward = post["rate"] ** 2 / self.y_0 * (h / self.tau_theta) * phi1(apart * h)
        theta = (post["theta"] + toward) * jnp.exp(-h / self.tau_theta)
        return decayed(post, h, rate=self.tau) | {"theta": theta}

    def at_post(self, synapse, pre, post, shared):
        """Growth or decline by the presynaptic rate."""
        change = self.eta * pre["rate"] * (post["rate"] - post["theta"])
        return synapse | {"w": self.bounded(synapse["w"] + change)}


def _fitting(rule, w, **sides):
    """Weights and what neurons have, as arrays of shapes that fit.

    Raises:
        ValueError: naming the one that does not.
    """
    what, w = f"of {type(rule).__name__}.update", jnp.asarray(w)
    if w.ndim != 2:
        raise ValueError(f"w {what} must have shape (pre, post), got shape {w.shape}")
    for name, value in sides.items():
        side, wanted = ("pre", w.shape[:1]) if name == "x" else ("post", w.shape[1:])
        if jnp.shape(value) != wanted:
            raise ValueError(
                f"{name} {what} must have shape {wanted}, one value per {side}synaptic neuron of w "
                f"with shape {w.shape}, got shape {jnp.shape(value)}"
            )
    return w, *map(jnp.asarray, sides.values())
