"""States that another network made are refused at the door."""

from functools import partial
from typing import Any

import jax
import numpy as np

from neurojax.core.tracing import joined, known, split

from . import _inbox
from .plastic import is_of_others

_KEPT = ("release", "plasticity")


def check_state(network, state) -> None:
    """The state is one that this network made.

    Arguments:
        network: a `Network`.
        state: given by the user.

    Raises:
        ValueError: naming the part that does not fit.
    """
    own: Any = _initial.eval_shape(*split(network))
    found = state if isinstance(state, dict) else {}
    populations = found.get("populations")
    if not isinstance(populations, dict) or set(populations) != set(own["populations"]):
        names = sorted(populations) if isinstance(populations, dict) else "no populations at all"
        raise _refused(f"it has {names}, this network has {sorted(own['populations'])}")
    for name, part in network.populations.items():
        _check_like(f"the population {name!r}", populations[name], own["populations"][name])
        part.check_state(populations[name])
    for kind in _KEPT:
        given, wanted = found.get(kind, {}), own.get(kind, {})
        for name in sorted({*given, *wanted}):
            what = f"{kind} of the projection {name!r}"
            if name not in given:
                raise _refused(f"it knows nothing of the {what}")
            if name not in wanted:
                raise _refused(f"it has {what}, which this network has not")
            _check_like(what, given[name], wanted[name])
    for plan in network.plastic:
        if is_of_others(found["plasticity"][plan.name], plan):
            raise _refused(
                f"the projection {plan.name!r} has other synapses there, or its delays on the "
                "other side"
            )
    _check_counts(network.layout, found.get("inbox"))


@partial(jax.jit, static_argnums=0)
def _initial(static, arrays):
    return joined(static, arrays).init_state(key=jax.random.key(0))


def _check_counts(layout, inbox) -> None:
    """Spikes under way that are counted are whole numbers, and leave room for more."""
    if layout.counts is None or inbox is None or not known(inbox):
        return
    most = _inbox.most(layout.counts)
    real = np.asarray(inbox)
    if real.size == layout.size * layout.steps:
        real = real.reshape(layout.steps, -1)[:, : -_inbox.PADS]
    odd = real[~((real == np.rint(real)) & (real >= 0) & (real <= most))]
    if odd.size:
        raise ValueError(
            f"state=: its inbox has {odd[0]:g} where this network counts the spikes that arrive "
            f"(whole numbers from 0 to {most}; the weight multiplies them when they do). Give "
            "impulses of other sizes as an input of the population, inputs={'E': {'exc': ...}}"
        )


def _check_like(what: str, given, wanted) -> None:
    if jax.tree.structure(given) == jax.tree.structure(wanted):
        return
    leaves = lambda tree: sorted(
        jax.tree_util.keystr(p) for p, _ in jax.tree.leaves_with_path(tree)
    )
    a, b = leaves(given), leaves(wanted)
    missing = [name for name in b if name not in a]
    more = [name for name in a if name not in b]
    raise _refused(
        f"{what} is of another kind here: "
        + "; ".join(
            f"{word} {', '.join(names)}"
            for word, names in (("it lacks", missing), ("it has", more))
            if names
        )
    )


def _refused(why: str) -> ValueError:
    return ValueError(
        f"state= is that of another network: {why}. Go on with the network that made it, begin "
        "with net.init_state(), or take over what the populations do: net.init_state() | "
        "{'populations': state['populations']}"
    )
