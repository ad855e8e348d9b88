"""Structural plasticity: weak synapses go, as many new ones come."""

from typing import Any

import jax
import numpy as np

from neurojax.connectivity.edges import Edges
from neurojax.connectivity.pairs import Pairs
from neurojax.core import unwrap
from neurojax.core.random import host_generator
from neurojax.core.tracing import known

from ._checks import check_one_run


def rewire(
    network, state, projection: str, *, threshold: Any, weight: Any, key,
    self_edges: bool = False, multi_edges: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Prune the weak synapses of a plastic projection and grow as many new ones elsewhere.

    Synapses with |w| below `threshold` are removed, and the same number is drawn uniformly among
    the free pairs, those just freed included. So the number of synapses stays. Those that stay keep
    their weights and traces; neurons keep theirs. New ones pair with the spikes before, from the
    traces of their neurons; only with `interaction="presynaptic_centred"` all presynaptic spikes
    before count as used up, if their target has fired. Call it between two runs. The next run
    compiles anew, as the graph is part of the structure.

    New synapses have the one delay that all have; the delay at their distance, where delays are a
    function of distance; else, of an array or a distribution, the delays of those that go. With a
    dendritic delay what is under way arrives where it was sent to; with an axonal one, the default,
    a spike under way reaches the synapses that are there when it arrives, new ones too, but not
    those that were removed.

    Arguments:
        network: a `Network`.
        state: its state, such as `sim.final_state`.
        projection: name of a projection with `plasticity=`.
        threshold: a number in the unit of the weights.
        weight: of the new synapses, a number.
        key: `jax.random.key` from which they are drawn.
        self_edges: whether a neuron may be joined to itself.
        multi_edges: whether two neurons may be joined more than once.

    Returns:
        The network and its state with the new synapses; the old ones are not changed.

    Raises:
        UnknownNameError: if there is no such projection.
        TypeError: if `threshold` or `weight` is no number, or `state` no state of the network.
        ValueError: if the projection does not learn, `threshold` is negative, `weight` lies outside
            the bounds of its rules, the state is that of several runs or of another network, or
            there are fewer free pairs than synapses to be drawn; where delays are a function of
            distance and the graph does not know that of other pairs, as `Edges` do not; where
            `Network.with_edges` refuses other delays; inside jit, vmap or grad.

    Source: the scheme of Deger et al. (2012), PLoS Comput. Biol. 8:e1002689, and Bellec et al.
    (2018), ICLR, in its simplest form: deletion below a threshold at a fixed number of synapses.

    Example:
        >>> import jax, neurojax as nj
        >>> pre, post = (nj.neurons.SpikeTimes([[t]] * 4) for t in (5.0, 4.0))
        >>> rule = nj.plasticity.PairSTDP(A_minus=0.9)
        >>> graph = nj.connectivity.fixed_total(6)
        >>> synapse = nj.Projection("a", "b", "in", graph, weight=1.0, plasticity=rule, name="s")
        >>> net = nj.Network({"a": pre, "b": post}, [synapse], key=jax.random.key(0))
        >>> end = nj.simulate(net, duration=10.0, dt=0.1).final_state
        >>> new, state = nj.plasticity.rewire(
        ...     net, end, "s", threshold=0.5, weight=1.0, key=jax.random.key(1)
        ... )
        >>> [round(float(w), 2) for w in net.weights(end, "s")[:3]], len(new.projections["s"].edges)
        ([0.15, 0.15, 0.15], 6)
        >>> new.weights(state, "s").tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    pairs = network.ends(projection)
    if not known(*jax.tree.leaves((network, state, threshold, weight, key))):
        raise ValueError(
            "rewire makes another network on the host: call it between two runs, outside jit, vmap "
            "and grad"
        )
    for name, value in (("threshold", threshold), ("weight", weight)):
        if np.ndim(value) or np.asarray(value).dtype.kind not in "iuf":
            raise TypeError(f"{name} of rewire must be one number, got {value!r}")
    if not threshold >= 0:
        raise ValueError(f"threshold of rewire must not be negative, got {float(threshold):g}")
    if not np.isfinite(weight):
        raise ValueError(f"weight of rewire must be finite, got {float(weight):g}")
    rules = unwrap(network.projections[projection].plasticity)
    for rule in rules if isinstance(rules, list | tuple) else [] if rules is None else [rules]:
        if not float(rule.w_min) <= weight <= float(rule.w_max):
            raise ValueError(
                f"weight={weight:g} lies outside the bounds of {type(rule).__name__}: "
                f"w_min={float(rule.w_min):g}, w_max={float(rule.w_max):g}"
            )
    old = network.projections[projection].edges
    present = network.weights(state, projection)
    check_one_run(present)
    keep = np.flatnonzero(np.abs(np.asarray(present)) >= threshold)
    cells = old.pre[keep].astype(np.int64) * old.n_post + old.post[keep]
    fresh = _drawn(len(old) - len(keep), pairs, cells, self_edges, multi_edges, host_generator(key))
    cells = np.concatenate([cells, fresh])
    origin = np.concatenate([keep, np.full(len(fresh), -1)])
    order = np.argsort(cells, kind="stable")
    pre, post = np.divmod(cells[order], old.n_post)
    edges = Edges(pre, post, old.n_pre, old.n_post)
    return network.with_edges(state, projection, edges, origin[order], float(weight))


def _drawn(n: int, pairs: Pairs, taken: np.ndarray, self_edges: bool, multi_edges: bool, rng):
    """`n` cells of the table [pre, post] that are permitted and, unless `multi_edges`, free."""

    def permitted(cells):
        if self_edges:
            return cells
        return cells[pairs.differ(*np.divmod(cells, pairs.n_post))]

    taken = np.unique(taken)
    holes = 0 if self_edges else pairs.n_self
    free = pairs.n_cells - holes - (0 if multi_edges else len(permitted(taken)))
    if n > free and not (multi_edges and free):
        raise ValueError(
            f"{n} synapses were pruned, but only {free} free pairs are left to grow new ones; "
            "lower threshold, or say multi_edges=True"
        )
    if not multi_edges and 2 * n > free:  # list them: drawing would meet the same ones again
        listed = np.setdiff1d(permitted(np.arange(pairs.n_cells)), taken, assume_unique=True)
        return rng.choice(listed, n, replace=False)
    found = np.zeros(0, np.int64)
    while len(found) < n:
        # at least so many that most are free
        drawn = permitted(rng.integers(0, pairs.n_cells, 2 * (n - len(found)) + 8))
        if not multi_edges:
            drawn = drawn[~np.isin(drawn, taken) & ~np.isin(drawn, found)]
            drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        found = np.concatenate([found, drawn])
    return found[:n]
