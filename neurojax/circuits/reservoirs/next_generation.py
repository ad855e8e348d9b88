"""The next-generation reservoir: delayed inputs and their products."""

from collections.abc import Iterable
from itertools import combinations_with_replacement
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from neurojax.core import Clock, Output

from ..recurrent import RecurrentCircuit, check_sizes, drawn


@final
class NextGeneration(RecurrentCircuit):
    r"""Nonlinear vector autoregression: a read-out of past inputs and of their monomials.

    $$\ell_t = (u_t, u_{t-s}, \ldots, u_{t-(k-1)s}), \qquad
      r_t = \big(\ell_t,\ \ell_{t,i_1} \cdots \ell_{t,i_p}\ \text{for}\
      i_1 \le \ldots \le i_p\ \text{and each degree}\ p\big)$$

    There is nothing random and nothing recurrent: the rates r are the features, `n` their number,
    $m + \sum_p \binom{m+p-1}{p}$ with $m = k \cdot \mathrm{inputs}$. The read-out has a bias, so
    there is no constant among them. Products of delays of a smooth series are nearly the same: with
    a small penalty the read-out can be exact for one step and still diverge when it generates.
    Choose the penalty by what is generated, or add noise to the inputs.

    The state is `{"past": ((k - 1) s + 1, inputs)}`, the latest
    input first, and zeros for what was before the start: leave out $(k-1)s$ steps by `washout`.

    Arguments:
        inputs: number of input channels.
        outputs: number of output channels; `nj.fitting.fit_readout` sets them by the targets.
        delays: k, how many inputs are seen, the present one included.
        stride: s, steps between them.
        degrees: p, of the monomials, whole numbers from 2 on; empty for a linear autoregression.
        output: (outputs, n), default 0.

    Inputs: `u` (inputs,).

    Raises:
        ValueError: for numbers that are no whole ones, or too small.

    Source: Gauthier, Bollt, Griffith and Barbosa (2021), Nature Communications 12:5564.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> x = [0.3]
        >>> for _ in range(200):  # the logistic map is a polynomial of degree two
        ...     x.append(3.9 * x[-1] * (1 - x[-1]))
        >>> x = jnp.array(x)[:, None]
        >>> reservoir = nj.circuits.NextGeneration(inputs=1, delays=1)
        >>> fitted = nj.fitting.fit_readout(reservoir, x[:-1], x[1:])
        >>> fitted.weights.round(3).tolist()
        [[3.9, -3.9]]
    """

    output: Any
    output_bias: Any
    monomials: tuple[Any, ...]  # for each degree the factors of each, (count, degree)
    inputs: int = eqx.field(static=True)
    delays: int = eqx.field(static=True)
    stride: int = eqx.field(static=True)
    n: int = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        *,
        outputs: int = 0,
        delays: int = 2,
        stride: int = 1,
        degrees: Any = (2,),
        output: Any = None,
    ):
        _whole("inputs", inputs, 1)
        self.inputs = int(inputs)
        self.delays, self.stride = _whole("delays", delays, 1), _whole("stride", stride, 1)
        degrees = degrees if isinstance(degrees, Iterable) else (degrees,)
        degrees = tuple(sorted({_whole("each of the degrees", p, 2) for p in degrees}))
        linear = self.delays * self.inputs
        self.monomials = tuple(
            jnp.asarray(list(combinations_with_replacement(range(linear), p)), jnp.int32)
            for p in degrees
        )
        self.n = linear + sum(len(factors) for factors in self.monomials)
        check_sizes(self.n, inputs, outputs)
        output = jnp.zeros((outputs, self.n)) if output is None and outputs else output
        self.output = drawn(output, None, (outputs, self.n), 1.0, "output")
        self.output_bias = jnp.zeros(outputs) if outputs else None

    @property
    def input(self) -> Array:
        """The channels as they are."""
        return jnp.eye(self.inputs)

    @property
    def feedback(self) -> None:
        """There is none."""
        return None

    def init_state(self, *, key=None) -> dict[str, Array]:
        """No inputs so far: zeros."""
        return {"past": jnp.zeros(((self.delays - 1) * self.stride + 1, self.inputs))}

    def rates(self, state) -> Array:
        """The features: delayed inputs, the latest first, then monomials in rising degree."""
        linear = state["past"][:: self.stride].reshape(-1)
        features = [linear]
        for factors in self.monomials:
            product = linear[factors[:, 0]]
            for i in range(1, factors.shape[1]):
                product = product * linear[factors[:, i]]
            features.append(product)
        return jnp.concatenate(features)

    def step(self, state, inputs, clock: Clock):
        """The past moves on by one step."""
        past = state["past"]
        u = jnp.asarray(inputs["u"], past.dtype) if "u" in inputs else jnp.zeros_like(past[0])
        state = {"past": jnp.concatenate([u[None], past[:-1]])}
        return state, Output(values=self.values(state))

    def names(self, channels: Any = None) -> list[str]:
        """What each feature is, such as `"x[t-1] y[t]"`.

        Arguments:
            channels: names of the input channels; default u0, u1, ...

        Raises:
            ValueError: if there is not one for each channel.

        Example:
            >>> NextGeneration(1, delays=2).names(["x"])
            ['x[t]', 'x[t-1]', 'x[t] x[t]', 'x[t] x[t-1]', 'x[t-1] x[t-1]']
        """
        channels = [f"u{i}" for i in range(self.inputs)] if channels is None else list(channels)
        if len(channels) != self.inputs:
            raise ValueError(f"channels must be {self.inputs} names, got {len(channels)}")
        when = [f"t-{k * self.stride}" if k else "t" for k in range(self.delays)]
        linear = [f"{name}[{t}]" for t in when for name in channels]
        factors = [row for table in self.monomials for row in np.asarray(table)]
        return linear + [" ".join(linear[i] for i in row) for row in factors]


def _whole(name: str, value, least: int) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value >= least):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)
