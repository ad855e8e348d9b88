"""NARMA: a nonlinear system driven by noise, to be identified from its input."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.keys import check_key
from neurojax.core.parameter_checks import check_positive

from . import _draws, _timing
from .scores import r2
from .task import Task
from .trials import Trials

_TRIES = 64

# highest order: alpha, beta, gamma, delta, saturated
_PUBLISHED = {
    10: (0.3, 0.05, 1.5, 0.1, False),
    20: (0.3, 0.05, 1.5, 0.01, True),
    30: (0.2, 0.04, 1.5, 0.001, False),
}


@final
class NARMA(Task):
    r"""Follow a nonlinear autoregressive moving average of order n.

    $$y_{t+1} = f\Big(\alpha y_t + \beta y_t \sum_{i=0}^{n-1} y_{t-i}
        + \gamma\, u_{t-n+1} u_t + \delta\Big), \qquad u_t \sim U(0, 0.5)$$

    with f the identity, or tanh if `saturated`. The target at step t is $y_{t+1}$: what the system
    makes of the inputs up to $u_t$. It starts at rest, `washout` steps before the trial.

    Coefficients that are not given are the published ones:

    | order | alpha | beta | gamma | delta | f |
    |---|---|---|---|---|---|
    | to 10 | 0.3 | 0.05 | 1.5 | 0.1 | identity |
    | 11 to 20 | 0.3 | 0.05 | 1.5 | 0.01 | tanh |
    | 21 to 30 | 0.2 | 0.04 | 1.5 | 0.001 | identity |

    They were published for the orders 10, 20 and 30. The system without tanh can run off to
    infinity; at order 10 about one series of 4000 steps in 30 does. A trial in which |y| passes
    `bound` is drawn anew, so inputs are uniform given that the system stays bounded. If 64 draws
    in a row pass it, an error is raised: a trial never holds numbers that are not finite.

    Input: u. Output: y. Conditions: none. Score: R2; the normalised root-mean-square error often
    quoted is $\sqrt{1 - R^2}$.

    Arguments:
        order: n, a positive whole number.
        length: of a trial in ms.
        alpha: weight of the last value.
        beta: weight of its product with the sum of n values.
        gamma: weight of the product of inputs.
        delta: constant.
        saturated: whether f is tanh.
        washout: steps of the system before a trial; default 10 n.
        bound: of |y|, beyond which a series counts as diverging.
        dt: ms per step.

    Raises:
        ValueError: for a number that makes no sense, or an order above 30 without coefficients.

    Source:
        Atiya and Parlos (2000), IEEE Trans. Neural Networks 11:697 (order 10); Rodan and Tino
        (2011), IEEE Trans. Neural Networks 22:131 (order 20); Schrauwen et al. (2008),
        Neurocomputing 71:1159 (order 30).

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> trial = tasks.NARMA(10).trial(jax.random.key(0))
        >>> trial.inputs.shape, trial.targets.shape
        ((500, 1), (500, 1))
    """

    order: int = eqx.field(static=True)
    length: float = eqx.field(static=True)
    alpha: Float[Array, ""]
    beta: Float[Array, ""]
    gamma: Float[Array, ""]
    delta: Float[Array, ""]
    saturated: bool = eqx.field(static=True)
    washout: int = eqx.field(static=True)
    bound: Float[Array, ""]
    dt: float = eqx.field(static=True)

    def __init__(
        self,
        order: int = 10,
        *,
        length: float = 5000.0,
        alpha: Any = None,
        beta: Any = None,
        gamma: Any = None,
        delta: Any = None,
        saturated: bool | None = None,
        washout: int | None = None,
        bound: Any = 2.0,
        dt: float = 10.0,
    ):
        self.order = _whole("order", order, 1)
        given = (alpha, beta, gamma, delta, saturated)
        published = next((v for k, v in _PUBLISHED.items() if self.order <= k), given)
        if any(value is None for value in published) and any(value is None for value in given):
            raise ValueError(
                f"order={self.order}: no coefficients are published above 30; give alpha, beta, "
                "gamma, delta and saturated"
            )
        values = [a if b is None else b for a, b in zip(published, given, strict=True)]
        number = lambda x: jnp.asarray(x, float)
        self.alpha, self.beta, self.gamma, self.delta = map(number, values[:4])
        self.saturated = bool(values[4])
        self.bound = number(bound)
        self.washout = _whole("washout", 10 * self.order if washout is None else washout, 0)
        self.length, self.dt = float(length), float(dt)
        _timing.check_dt(self)
        _timing.check_whole(self, "length")
        _timing.check_finite(self)
        check_positive(self, "bound")

    @property
    def inputs(self) -> int:
        """One."""
        return 1

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return _timing.steps(self, "length")

    def trial(self, key) -> Trials:
        """One trial."""
        check_key(key)
        count = self.washout + self.steps

        def draw(carry):
            tries, _, _ = carry
            u = 0.5 * _draws.uniforms(jax.random.fold_in(key, tries), (count,))
            return tries + 1, u, self.solve(u)

        def diverged(carry):
            return ~jnp.all(jnp.abs(carry[2]) <= self.bound)

        more = lambda carry: diverged(carry) & (carry[0] < _TRIES)
        first = draw((0, None, None))
        carry = jax.lax.while_loop(more, draw, (jnp.asarray(first[0]), *first[1:]))
        y = eqx.error_if(
            carry[2],
            diverged(carry),
            f"NARMA of order {self.order} passed its bound in {_TRIES} draws in a row; give "
            "smaller coefficients, saturated=True or a larger bound",
        )
        return Trials(carry[1][self.washout :, None], y[self.washout :, None], dt=self.dt)

    def solve(self, u) -> Float[Array, " time"]:
        """The values $y_1, y_2, ...$ for inputs $u_0, u_1, ...$ of shape (time,), from rest.

        They are infinite or NaN where the system diverges.
        """
        n = self.order
        u = jnp.asarray(u, self.alpha.dtype)
        if u.ndim != 1:
            hint = "; one channel is u[:, 0]" if u.ndim == 2 else ""
            raise ValueError(f"u must have shape (time,), got {u.shape}{hint}")
        before = jnp.concatenate([jnp.zeros(n - 1, u.dtype), u])[: u.shape[0]]
        products = self.gamma * before * u + self.delta

        def step(past, drive):
            y = past[-1]
            new = self.alpha * y + self.beta * y * sum(past) + drive
            new = jnp.tanh(new) if self.saturated else new
            return (*past[1:], new), new

        # a tuple of numbers, not an array: over a batch each is a vector that need not be shifted
        _, y = jax.lax.scan(step, (jnp.zeros((), u.dtype),) * n, products)
        return y

    def score(self, trials: Trials, outputs: Any) -> Array:
        """R2 over the trial; see `neurojax.tasks.r2`."""
        return r2(trials, outputs)


def _whole(name: str, value, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)
