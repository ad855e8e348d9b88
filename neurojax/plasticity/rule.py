"""What a learning rule is: traces of neurons, and what happens to a synapse at its events."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from neurojax.core import Parameter
from neurojax.core.parameter_checks import check_choice

from ._checks import check_bounds, check_scalars

DELAYS = ("axonal", "dendritic")

Values = dict[str, Array]


class AbstractRule(eqx.Module):
    r"""A local rule: weights change at presynaptic and postsynaptic events.

    A rule has traces, one number per neuron, that `decay_pre` and `decay_post` move between events
    and that `after_pre` and `after_post` raise after an event. `at_pre` and `at_post` change the
    synapses of the neuron that fired; they read the traces as they were just before, so that two
    events of a synapse at exactly the same time do not see each other. All methods are elementwise.
    A new rule names its traces (`init_pre`, `init_post`) and overrides what it needs.

    A rule of the membrane potential overrides `sense`, and `active` and `while_active` where
    weights move between events: the cost follows the number of neurons that are active in a step.

    Where the delay d of the synapse lies decides when the spikes act on it. A presynaptic spike at
    $t$ acts at $t + d$ with `delay="axonal"`, at $t$ with `"dendritic"`; a postsynaptic one (and
    the membrane potential) at $t$ and $t + d$. A spike transmits the weight that it finds after the
    change that it makes itself. If both events of a synapse come at the same time, the presynaptic
    one goes first with an axonal delay, the postsynaptic one with a dendritic delay.

    NEST's synapses are those of `"dendritic"`, and change their weights at presynaptic spikes only:
    what they show between these is out of date. Brian2's `delay` is `"axonal"`. In the equations of
    its handbook (`ge += w; Apre += dApre; w = clip(w + Apost, 0, gmax)`) a spike transmits the
    weight before its own change, and of two spikes at exactly the same time the postsynaptic one
    sees the trace of the presynaptic one.

    Synapses may have different delays. Then the side that they are on has its traces once for each
    of them, and an event of a neuron is one for each of them: the cost grows with the number of
    different delays (in steps), so round continuous ones to a few.

    Derivatives by weights and parameters of the rule are exact at the given spikes. The surrogate
    slope of a spike acts through what it delivers with a dendritic delay only.

    Attributes:
        delay: `"axonal"` or `"dendritic"`.
        w_min: lower bound of the weights, in their unit; not negative where they are conductances.
        w_max: upper bound of the weights.
    """

    delay: eqx.AbstractVar[str]
    w_min: eqx.AbstractVar[Parameter]
    w_max: eqx.AbstractVar[Parameter]

    def __check_init__(self):
        check_choice(self, "delay", DELAYS)
        check_scalars(self)
        check_bounds(self)

    def bounded(self, w: Array) -> Array:
        """Weights within the bounds."""
        return jnp.clip(w, self.w_min, self.w_max)

    # -- what is kept ------------------------------------------------------------------------

    def init_pre(self) -> dict[str, float]:
        """The traces of each presynaptic neuron, with their first values."""
        return {}

    def init_post(self) -> dict[str, float]:
        """The traces of each postsynaptic neuron."""
        return {}

    def init_synapse(self) -> dict[str, float]:
        """What each synapse keeps besides its weight."""
        return {}

    def new_synapse(self, pre: Values, post: Values) -> Values | dict[str, float]:
        """What a synapse keeps at first that comes between two runs, by the traces of its ends."""
        return self.init_synapse()

    def init_shared(self) -> dict[str, float]:
        """What the whole projection has in common."""
        return {}

    # -- between events ----------------------------------------------------------------------

    def decay_pre(self, pre: Values, h) -> Values:
        """The traces of presynaptic neurons `h` ms later."""
        return pre

    def decay_post(self, post: Values, h) -> Values:
        """The traces of postsynaptic neurons `h` ms later."""
        return post

    def advance(self, shared: Values, inputs: dict[str, Any], h) -> Values:
        """What is shared, `h` ms later, with the inputs of the projection over this time."""
        return shared

    # -- events ------------------------------------------------------------------------------

    def at_pre(self, synapse: Values, pre: Values, post: Values, shared: Values) -> Values:
        """The synapses of a presynaptic neuron that fired.

        Arguments:
            synapse: `"w"` and what `init_synapse` names, one value per synapse.
            pre: traces of the neuron that fired, scalars.
            post: traces of the neuron at the other end of each synapse.
            shared: scalars.
        """
        return synapse

    def at_post(self, synapse: Values, pre: Values, post: Values, shared: Values) -> Values:
        """The synapses onto a postsynaptic neuron that fired; here `post` are scalars."""
        return synapse

    def after_pre(self, pre: Values, fired: Array) -> Values:
        """The traces after the events; `fired` is 1 for neurons that fired, else 0."""
        return pre

    def after_post(self, post: Values, fired: Array) -> Values:
        """The traces after the events."""
        return post

    # -- the membrane of the postsynaptic neurons ---------------------------------------------

    def sense(self, post: Values, V_m: Array, fired: Array, h) -> Values:
        """The traces when the step of `h` ms has ended, after `at_pre` and `at_post`.

        Arguments:
            post: traces.
            V_m: membrane potential at the end of the step, before a reset, mV.
            fired: 1 for neurons that fired, else 0.
            h: ms.
        """
        return post

    def remembered(self) -> dict[str, tuple[str, float]]:
        """Traces that hold what another one was, in `sense`, some ms ago: by name, (other, ms)."""
        return {}

    def active(self, post: Values) -> Array:
        """The postsynaptic neurons whose synapses change in this step, asked after `sense`."""
        raise NotImplementedError(f"{type(self).__name__} has while_active, but not active")

    def while_active(self, synapse: Values, pre: Values, post: Values, shared: Values) -> Values:
        """The synapses onto a postsynaptic neuron that is active; here `post` are scalars."""
        return synapse

    # -- now and then ------------------------------------------------------------------------

    def check_grid(self, dt: float) -> None:
        """Refuse steps of `dt` ms that the rule cannot be true to; by default none."""

    def interval(self) -> Any:
        """Every how many ms `settle` is called, at a cost of all synapses; `None`: never."""
        return None

    def settle(self, synapse: Values, pre: Values, post: Values, shared: Values) -> Values:
        """A change of all synapses, at the end of a step.

        Spikes of this step are sent off afterwards with a dendritic delay, with the new weights;
        those that arrive in it after an axonal delay were delivered before, with the old ones.
        """
        return synapse

    def settle_shared(self, shared: Values) -> Values:
        """What is shared after `settle`."""
        return shared

    # -- what waits --------------------------------------------------------------------------

    def present(self, synapse: Values, shared: Values) -> Values:
        """The synapse as of now, for rules of which a change waits until it is needed.

        It is asked before any rule acts on the synapse, so `"w"` has what was waiting, and what the
        synapse keeps says that nothing waits any more.
        """
        return synapse


def decayed(traces: Values, h, **tau) -> Values:
    """Traces that decay exponentially with the given time constants (ms); others stay."""
    return traces | {name: traces[name] * jnp.exp(-h / t) for name, t in tau.items()}


def raised(trace: Array, fired: Array, nearest: bool) -> Array:
    """A trace after events: one more, or (only the nearest spike counts) set to one."""
    return jnp.where(fired > 0, 1.0, trace) if nearest else trace + fired
