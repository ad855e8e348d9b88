"""Poisson spike sources."""

from typing import final

import equinox as eqx
import jax.numpy as jnp

from neurojax.core import Clock, Output, Parameter, SpikeOutput, parameter
from neurojax.core.errors import MissingInputError
from neurojax.core.inputs import MS_HZ
from neurojax.core.parameter_checks import check_positive
from neurojax.core.surrogate import AbstractSurrogate, StraightThrough

from .source import AbstractSource, chance


@final
class Poisson(AbstractSource):
    r"""Independent Poisson spike trains of constant rate.

    In each step a neuron spikes with probability $1 - e^{-\mathrm{rate}\,dt}$, that of at least
    one event; two events in one step are one spike. The state `margin` is this probability minus a
    uniform number, so that the derivative of a spike with respect to the rate, by default, is that
    of its expectation. In single precision rates are resolved to 1e-7 / dt.

    For the summed impulses of many trains at a port, `nj.inputs.Poisson` needs no population.

    Arguments:
        rate: Hz, scalar or (n,).
        n: number of neurons.
        surrogate: the derivative of a spike with respect to `margin`.

    Needs a key.

    Raises:
        ValueError: for a negative rate, or one of another shape.

    Source: Dayan and Abbott (2001), Theoretical Neuroscience, section 1.4; the derivative:
    Bengio et al. (2013), arXiv:1308.3432.

    Example:
        >>> import jax, neurojax as nj
        >>> source = nj.neurons.Poisson(rate=20.0, n=1000)
        >>> sim = nj.simulate(source, duration=100.0, dt=1.0, key=jax.random.key(0))
        >>> 1900 < int(sim.stats.spikes[""]) < 2100
        True
    """

    rate: Parameter = parameter(10.0)
    n: int = eqx.field(static=True, default=1)
    surrogate: AbstractSurrogate = StraightThrough()

    def __check_init__(self):
        check_positive(self, "rate", zero=True)

    def init_state(self, *, key=None):
        """No spike is under way."""
        return {"margin": jnp.full(self.n, -1.0)}

    def step(self, state, inputs, clock: Clock):
        """Draw the spikes of this step."""
        return _spikes(self.rate, self.n, self.surrogate, clock)


@final
class InhomogeneousPoisson(AbstractSource):
    r"""Independent Poisson spike trains whose rate is an input.

    As `Poisson`, with $1 - \exp(-\int \mathrm{rate}\,dt)$ over the step; a negative rate counts as
    zero.

    Arguments:
        n: number of neurons.
        surrogate: the derivative of a spike with respect to `margin`.

    Input: `rate`, Hz, scalar or (n,), for example an `nj.inputs.Sine`. Needs a key.

    Raises:
        ValueError: if there is no input `rate`.

    Source: Dayan and Abbott (2001), Theoretical Neuroscience, section 1.4.

    Example:
        >>> import jax, neurojax as nj
        >>> source = nj.neurons.InhomogeneousPoisson(n=1000)
        >>> rate = nj.inputs.Sine(10.0, frequency=5.0, offset=20.0)
        >>> sim = nj.simulate(
        ...     source, duration=200.0, dt=1.0, inputs={"rate": rate}, key=jax.random.key(0)
        ... )
        >>> 3800 < int(sim.stats.spikes[""]) < 4200
        True
    """

    n: int = eqx.field(static=True, default=1)
    surrogate: AbstractSurrogate = StraightThrough()

    def init_state(self, *, key=None):
        """No spike is under way."""
        return {"margin": jnp.full(self.n, -1.0)}

    def step(self, state, inputs, clock: Clock):
        """Draw the spikes of this step."""
        if "rate" not in inputs:
            raise MissingInputError(
                "InhomogeneousPoisson needs the input 'rate' (Hz), for example "
                "inputs={'rate': nj.inputs.Sine(10.0, frequency=5.0, offset=20.0)}"
            )
        rate = jnp.asarray(inputs["rate"])
        # a rate of 0 has the derivative of a positive one
        return _spikes(jnp.where(rate < 0.0, 0.0, rate), self.n, self.surrogate, clock)


def _spikes(rate, n: int, surrogate, clock: Clock):
    probability = -jnp.expm1(-rate * (MS_HZ * clock.dt))
    margin = chance(clock, probability, n)
    return {"margin": margin}, Output(spikes=SpikeOutput(margin, 0.0, surrogate=surrogate))
