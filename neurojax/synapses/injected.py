"""Ports for conductances and currents that are given from outside as functions of time."""

from abc import abstractmethod
from typing import final

from jaxtyping import Array

from neurojax.core import Parameter, parameter
from neurojax.core.parameter_checks import check_finite

from ._receptors import at_rest
from .receptor import AbstractReceptor


class AbstractInjected(AbstractReceptor):
    """A port without a state, whose input is held over the step for which it is given."""

    def init_state(self, n: int):
        """Nothing."""
        return at_rest(self, n)

    def drift(self, state):
        """None."""
        return {}

    def propagate(self, state, h):
        """None."""
        return {}

    def receive(self, state, impulse):
        """Nothing arrives as an impulse."""
        return state

    def current(self, state, V_m) -> Array | float:
        """Zero: all of it comes from the input."""
        return 0.0

    @property
    def is_held(self) -> bool:
        """True."""
        return True

    @abstractmethod
    def held_current(self, value, V_m) -> Array:
        """The current into the cell, pA, for the input that the port is given."""


@final
class InjectedConductance(AbstractInjected):
    r"""A conductance $g(t)$ given as an input, $I = g(t)\,(E_\mathrm{rev} - V)$.

    The input of the port, in nS, is the conductance itself (at the other receptors an input is the
    impulses that arrive in a step): a number, or a step, ramp, sine, sampled or
    Ornstein-Uhlenbeck signal of `nj.inputs`. It acts during the step for which it is given, as a
    current at `I_e` does. It must not be negative, which is not looked at. It has no state.
    No projection may end on such a port: spikes are impulses.

    Arguments:
        E_rev: reversal potential, mV.

    Raises:
        ValueError: if `E_rev` is not finite.

    Source: Destexhe, Rudolph, Fellous and Sejnowski (2001), Neuroscience 107:13-24, for
    fluctuating conductances.

    Example:
        >>> import neurojax as nj
        >>> receptors = {"g_exc": nj.synapses.InjectedConductance(E_rev=0.0)}
        >>> cell = nj.neurons.LIF(g_L=25.0, E_L=-70.0, receptors=receptors)
        >>> g = nj.inputs.Step(2.0, start=10.0)
        >>> sim = nj.simulate(
        ...     cell, duration=200.0, dt=0.1, inputs={"g_exc": g}, record={"V": "V_m"}
        ... )
        >>> round(float(sim["V"][-1, 0]), 3)  # 25 * -70 / 27
        -64.815
    """

    E_rev: Parameter = parameter(0.0)

    def __check_init__(self):
        check_finite(self, "E_rev")

    def held_current(self, value, V_m) -> Array:
        """The current into the cell, pA, for a conductance in nS."""
        return value * (self.E_rev - V_m)


@final
class InjectedCurrent(AbstractInjected):
    r"""A current $I(t)$ given as an input, beside that of `I_e`.

    The input of the port, in pA, flows during the step for which it is given. With it a neuron can
    have a step at `I_e` and noise at a port of its own.

    Example:
        >>> import jax, neurojax as nj
        >>> cell = nj.neurons.LIF(receptors={"noise": nj.synapses.InjectedCurrent()})
        >>> drive = {"I_e": nj.inputs.Step(300.0, start=20.0)}
        >>> drive["noise"] = nj.inputs.OrnsteinUhlenbeck(0.0, 50.0, tau=5.0)
        >>> sim = nj.simulate(cell, duration=50.0, dt=0.1, inputs=drive, key=jax.random.key(0))
        >>> sim.stats.trouble is None
        True
    """

    @property
    def is_linear(self) -> bool:
        """True."""
        return True

    def held_current(self, value, V_m) -> Array:
        """The input itself, pA."""
        return value
