"""Rules for rates: the change of a weight matrix by the activity on both sides."""

from typing import final

import equinox as eqx
from jaxtyping import Array, Float

from neurojax.core import Parameter, parameter

from ._checks import check_scalars

Weights = Float[Array, "pre post"]


@final
class Hebb(eqx.Module):
    r"""What is active together grows together, $\Delta w_{ij} = \eta\, x_i y_j$.

    Arguments:
        eta: learning rate.

    Source: Hebb (1949), The Organization of Behavior.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.Hebb(eta=0.5)
        >>> rule.update(jnp.zeros((2, 1)), jnp.array([1.0, 2.0]), jnp.array([3.0])).tolist()
        [[1.5], [3.0]]
    """

    eta: Parameter = parameter(0.01)

    def __check_init__(self):
        check_scalars(self)

    def update(self, w: Weights, x: Float[Array, " pre"], y: Float[Array, " post"]) -> Weights:
        """The weights after one step.

        Arguments:
            w: weights.
            x: presynaptic activity.
            y: postsynaptic activity.
        """
        return w + self.eta * (x[:, None] * y[None, :])


@final
class AntiHebb(eqx.Module):
    r"""What is active together is decorrelated, $\Delta w_{ij} = -\eta\, x_i y_j$.

    Arguments:
        eta: learning rate.

    Source: Földiák (1990), Biol. Cybern. 64:165.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.AntiHebb(eta=0.5)
        >>> rule.update(jnp.zeros((1, 1)), jnp.array([1.0]), jnp.array([3.0])).tolist()
        [[-1.5]]
    """

    eta: Parameter = parameter(0.01)

    def __check_init__(self):
        check_scalars(self)

    def update(self, w: Weights, x: Float[Array, " pre"], y: Float[Array, " post"]) -> Weights:
        """The weights after one step; arguments as in `Hebb`."""
        return w - self.eta * (x[:, None] * y[None, :])


@final
class Oja(eqx.Module):
    r"""Hebbian growth with a weight decay that keeps the norm.

    $$\Delta w_{ij} = \eta\, y_j (x_i - \alpha\, y_j w_{ij})$$

    With $y = w^T x$ the weights onto each neuron turn to the first principal component of x, with
    norm $1 / \sqrt{\alpha}$.

    Arguments:
        eta: learning rate.
        alpha: strength of the decay.

    Source: Oja (1982), J. Math. Biol. 15:267.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> rule = nj.plasticity.Oja(eta=0.5)
        >>> rule.update(jnp.ones((1, 1)), jnp.array([1.0]), jnp.array([1.0])).tolist()
        [[1.0]]
    """

    eta: Parameter = parameter(0.01)
    alpha: Parameter = parameter(1.0)

    def __check_init__(self):
        check_scalars(self)

    def update(self, w: Weights, x: Float[Array, " pre"], y: Float[Array, " post"]) -> Weights:
        """The weights after one step; arguments as in `Hebb`."""
        return w + self.eta * y[None, :] * (x[:, None] - self.alpha * y[None, :] * w)


@final
class BCM(eqx.Module):
    r"""Growth above a threshold that slides with the activity, and depression below.

    $$\Delta w_{ij} = \eta\, x_i\, y_j (y_j - \theta_j), \qquad
      \Delta \theta_j = (y_j^2 / y_0 - \theta_j) / \tau_\theta.$$

    Arguments:
        eta: learning rate.
        tau_theta: time constant of the threshold, in steps; the threshold must be faster than the
            weights.
        y_0: activity at which a constant y neither grows nor falls.

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

    def __check_init__(self):
        check_scalars(self)

    def update(
        self,
        w: Weights,
        x: Float[Array, " pre"],
        y: Float[Array, " post"],
        theta: Float[Array, " post"],
    ) -> Weights:
        """The weights after one step; `theta` are the thresholds, see `threshold`."""
        return w + self.eta * (x[:, None] * (y * (y - theta))[None, :])

    def threshold(
        self, theta: Float[Array, " post"], y: Float[Array, " post"]
    ) -> Float[Array, " post"]:
        """The thresholds after one step."""
        return theta + (y**2 / self.y_0 - theta) / self.tau_theta
