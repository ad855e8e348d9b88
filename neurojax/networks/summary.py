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
    memory = _memory(network)
    lines += ["", "memory"]
    lines += _table(("part", "size"), [(what, _size(n)) for what, n in memory if n])
    total = sum(n for _, n in memory)
    synapses = sum(len(s.edges) for s in network.projections.values())
    neurons = sum(network.sizes.values())
    lines += ["", f"{neurons:,} neurons, {synapses:,} synapses, {_size(total)}"]
    return "\n".join(lines)


def _memory(network) -> list[tuple[str, int]]:
    """Bytes by part: of the network, of its state, and of what a run adds."""
    state = jax.eval_shape(lambda: network.init_state(key=jax.random.key(0)))
    synapses, plans = network.projections.values(), network.plans
    # a run begins by laying the weights out like the targets, padding included
    tables = jax.eval_shape(lambda: [t for t in network.prepare().tables if t.ndim])
    return [
        ("parameters and events of the populations", _bytes(network.populations)),
        ("state of the populations", _bytes(state["populations"])),
        ("graded couplings", _bytes((network.couplings, network.block_solvers))),
        (f"spikes under way ({network.layout.steps} steps)", _bytes(state["inbox"])),
        ("tables of targets", _bytes([p.targets for p in plans])),
        ("tables of weights (in a run)", _bytes(tables)),
        ("places of weights", _bytes([p.places for p in plans])),
        ("weights", _bytes([s.weight for s in synapses])),
        ("delays between steps", _bytes([[s.delay for s in synapses], [p.early for p in plans]])),
        ("parameters of learning", _bytes([s.plasticity for s in synapses])),
        ("state of learning", _bytes(state.get("plasticity"))),
        ("tables of learning", _bytes(network.plastic)),
        ("parameters of release", _bytes([s.release for s in synapses])),
        ("state of release", _bytes(state.get("release"))),
        ("edge lists (host)", _host(synapses)),
    ]


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


def _host(projections) -> int:
    """Of all edge lists and their delays; what several of them share is counted once."""
    arrays = []
    for s in projections:
        if not isinstance(s.edges, ComputedEdges):
            own = s.edges
            arrays += [own.pre, own.post, own.distance, own.weight, own.delay]
        if s.fixed_delay is not None and s.fixed_delay.value.ndim:
            arrays.append(s.fixed_delay.value)
    return sum({_place(a): a.nbytes for a in arrays if a is not None}.values())


def _place(array: np.ndarray) -> tuple[int, int]:
    """The same for arrays that share their memory."""
    return array.__array_interface__["data"][0], array.nbytes


def _size(count: int) -> str:
    power = min((len(str(count)) - 1) // 3, 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"
