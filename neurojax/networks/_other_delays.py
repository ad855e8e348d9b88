"""The state of a plastic projection whose synapses get other delays."""

import jax.numpy as jnp
import numpy as np

from neurojax.plasticity.events import Rules, acts, fired_in_rows

from .plastic import PlasticPlan, waiting


def on_other_delays(own, rules: Rules, before: PlasticPlan, after: PlasticPlan, step):
    """What a projection keeps, its synapses aside, with the delays of another plan.

    The neurons on the side of the delays have their traces once for each delay. Those of a new one
    are those of the next longer one, moved on by the spikes that are between the two; beyond the
    longest one they are those of the longest one.

    Arguments:
        own: state of the projection.
        rules: its rules.
        before: its plan so far.
        after: its plan from now on.
        step: the next one; `None` where it is not known.

    Raises:
        ValueError: if spikes are under way and `step` is not known, or for new delays of a rule
            that reads the membrane potential, where it travels too.
    """
    if before.delays == after.delays:
        return own
    new = sorted(set(after.delays) - set(before.delays))
    if new and not before.axonal and acts(rules, "sense"):
        raise ValueError(
            f"a rule of projection {before.name!r} reads the membrane potential, which travels "
            "with delay='dendritic': new synapses need delays that there are, but none has "
            f"{new[0] * before.dt:g} ms"
        )
    old, longest = before.delays[-1], after.delays[-1]
    rings = {n: own[n] for n in ("under_way", "released", "membrane") if n in own}
    turned = {n: in_ring(x, old, longest, step, before.name) for n, x in rings.items()}
    words = np.asarray(own["under_way"]).reshape(old, -1)
    now = 0 if step is None else int(step)
    rows, side = waiting(before), "pre" if before.axonal else "post"
    lanes = np.minimum(np.searchsorted(before.delays, after.delays), len(before.delays) - 1)
    # rows of each delay in turn, and the one that is padding
    source = np.append((lanes[:, None] * rows + np.arange(rows)).ravel(), -1)

    def moved_on(rule, traces):
        decay, raised = getattr(rule, f"decay_{side}"), getattr(rule, f"after_{side}")
        found = {n: np.asarray(x)[source] for n, x in traces.items()}
        for k, delay in enumerate(after.delays):
            here = slice(k * rows, (k + 1) * rows)
            part = {n: jnp.asarray(x[here]) for n, x in found.items()}
            for ago in range(before.delays[lanes[k]], delay, -1):
                fired = fired_in_rows(jnp.asarray(words[(now - ago) % old]))[:-1]
                part = raised(decay(part, before.dt), fired.astype(own["weights"].dtype))
            for name, x in part.items():
                found[name][here] = x
        return {n: jnp.asarray(x) for n, x in found.items()}

    def past(ring):
        slots = np.asarray(ring).reshape(-1, len(before.delays) * rows + 1)
        return jnp.asarray(slots[:, source].ravel())

    kept = []
    for rule, each in zip(rules, own["rules"], strict=True):
        each = each | {side: moved_on(rule, each[side])}
        if "past" in each and not before.axonal:
            each |= {"past": {n: past(x) for n, x in each["past"].items()}}
        kept.append(each)
    return own | turned | {"rules": kept}


def in_ring(ring, old: int, new: int, step, name: str, to_come: int = 0):
    """A ring over `old` steps as one over `new` steps.

    Arguments:
        ring: flat, with what belongs to step k in turn k % `old`.
        old: steps.
        new: steps.
        step: the next one; `None` where it is not known.
        name: of the projection, for messages.
        to_come: of a ring with what is to come the places of a turn that count; 0: it holds what
            was.

    Raises:
        ValueError: if something is under way that a shorter ring has no place for, or the step is
            needed and not known.
    """
    if old == new:
        return ring
    turns = np.asarray(ring).reshape(old, -1)
    counting = turns[:, : to_come or None]
    if step is None and not np.all(counting == counting[:1]):
        raise ValueError(
            f"the longest delay of projection {name!r} changes while spikes are under way, and a "
            "bare state does not say at which step: give the SimState, such as sim.final_state"
        )
    now, both = 0 if step is None else int(step), min(old, new)
    steps = np.arange(both) + (now if to_come else now - both)
    found = np.zeros((new, turns.shape[1]), turns.dtype)
    found[steps % new] = turns[steps % old]
    if to_come and np.any(np.delete(counting, steps % old, axis=0)):
        raise ValueError(
            f"what is under way in the network arrives in up to {old} steps, but the longest delay "
            f"would be {new} with the new synapses of projection {name!r}: run on until it has "
            "arrived, or keep a synapse with the delay that was the longest"
        )
    return jnp.asarray(found.ravel())
