"""A network in words: populations, synapses, memory."""

import jax
import numpy as np

from neurojax.connectivity.procedural import ComputedEdges


def describe(network) -> str:
    """The text of `Network.summary`."""
    lines = [f"Network on a grid of {network.layout.dt:g} ms", "", "populations"]
    rows = []
    for name, part in network.populations.items():
        ports = ", ".join(
            f"{port}: {type(r).__name__}" for port, r in getattr(part, "receptors", {}).items()
        )
        rows.append((name, type(part).__name__, f"{network.sizes[name]:,}", ports or "no ports"))
    lines += _table(("name", "model", "neurons", "receptors"), rows)
    if network.projections:
        rows = []
        for name, s in network.projections.items():
            extras = [x for x in (s.release, s.plasticity) if x is not None]
            words = ", ".join(type(x).__name__ for x in extras)
            rows.append(
                (name, f"{len(s.edges):,}", _spread(s.weight), _delay(s, network.layout.dt), words)
            )
        lines += ["", "projections"]
        lines += _table(("name", "synapses", "weight", "delay (ms)", "dynamics"), rows)
    if network.couplings:
        lines += ["", "graded couplings"]
        lines += [f"  {type(c).__name__} {c.source} -> {c.target}" for c in network.couplings]
    state = jax.eval_shape(lambda: network.init_state(key=jax.random.key(0)))
    memory = [
        ("state of the populations", _bytes(state["populations"])),
        (f"spikes under way ({network.layout.steps} steps)", _bytes(state["inbox"])),
        ("tables of targets", _bytes([p.targets for p in network.plans])),
        ("places of weights", _bytes([p.places for p in network.plans])),
        ("weights", _bytes([s.weight for s in network.projections.values()])),
        ("state of learning", _bytes(state.get("plasticity"))),
        ("tables of learning", _bytes(network.plastic)),
        ("state of release", _bytes(state.get("release"))),
        ("edge lists (host)", sum(_host(s.edges) for s in network.projections.values())),
    ]
    lines += ["", "memory"]
    lines += _table(("part", "size"), [(what, _size(n)) for what, n in memory if n])
    total = sum(n for _, n in memory)
    synapses = sum(len(s.edges) for s in network.projections.values())
    neurons = sum(network.sizes.values())
    lines += ["", f"{neurons:,} neurons, {synapses:,} synapses, {_size(total)}"]
    return "\n".join(lines)


def _table(head, rows) -> list[str]:
    columns = list(zip(head, *rows, strict=True))
    widths = [max(len(str(x)) for x in column) for column in columns]
    line = lambda row: "  " + "  ".join(str(x).ljust(w) for x, w in zip(row, widths, strict=True))
    return [line(row).rstrip() for row in (head, *rows)]


def _spread(weight) -> str:
    from neurojax.core import unwrap

    values = np.asarray(unwrap(weight))
    if values.ndim == 0:
        return f"{float(values):g}"
    return f"{values.mean():.4g} ± {values.std():.2g}" if values.size else "none"


def _delay(synapses, dt: float) -> str:
    steps = synapses.delay_steps(dt)
    if not steps.size:
        return "none"
    low, high = steps.min() * dt, steps.max() * dt
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _bytes(tree) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree) if hasattr(x, "dtype"))


def _host(edges) -> int:
    if isinstance(edges, ComputedEdges):
        return 0
    arrays = (edges.pre, edges.post, edges.distance, edges.weight, edges.delay)
    return sum(a.nbytes for a in arrays if a is not None)


def _size(count: int) -> str:
    power = min((len(str(count)) - 1) // 3, 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"
