"""The synapses of one projection, once the sizes of its populations are known."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array

from neurojax.connectivity.builder import Builder
from neurojax.connectivity.edges import Edges
from neurojax.connectivity.pairs import all_different
from neurojax.connectivity.procedural import ComputedEdges
from neurojax.connectivity.values import synapse_values
from neurojax.core import as_parameter
from neurojax.core.fixed import Fixed
from neurojax.core.random import AbstractDistribution, drawn
from neurojax.core.tracing import is_traced

from . import _distances
from ._copies import replaced
from .projection import Group, Projection


@dataclass(frozen=True)
class EdgeCount:
    """How many edges there are between how many neurons: what steps need of `Edges`."""

    edges: int
    n_pre: int
    n_post: int

    def __len__(self) -> int:
        return self.edges


class Synapses(eqx.Module):
    """A built projection: its edges and their weights, delays, release and plasticity.

    Arguments:
        name: of the projection.
        source: populations and parts of them, see `Projection`.
        target: likewise.
        port: receptor of the target.
        edges: the synapses, in order of pre, then post.
        weight: a scalar that all synapses share, or an array with one value per edge: a parameter.
        delay: ms per edge or for all, a parameter, where delays may lie between steps; else `None`.
        fixed_delay: ms, one number or one per edge; `None`: one step.
        release: dynamics of the presynaptic terminals, or `None`.
        plasticity: a learning rule, or `None`.
        distance: of a plastic projection in space: the distances of pairs, and delays where they
            are a function of these, for other synapses; else `None`.

    Example:
        >>> import neurojax as nj
        >>> cell = nj.neurons.LIF(n=3, receptors={"exc": nj.synapses.ExpCurrent(tau=2.0)})
        >>> pairs = nj.Projection("A", "A", "exc", nj.connectivity.all_to_all(), weight=2.0)
        >>> synapses = nj.Network({"A": cell}, [pairs]).projections["A->A:exc"]
        >>> len(synapses.edges), float(synapses.weight)
        (6, 2.0)
    """

    name: str = eqx.field(static=True)
    source: tuple[Group, ...] = eqx.field(static=True)
    target: tuple[Group, ...] = eqx.field(static=True)
    port: str = eqx.field(static=True)
    edges: Edges | ComputedEdges | EdgeCount = eqx.field(static=True)
    weight: Any
    delay: Any
    release: Any
    plasticity: Any
    fixed_delay: Fixed | None = eqx.field(static=True)
    distance: "_distances.Distance | None" = eqx.field(static=True, default=None)

    @property
    def interpolate(self) -> bool:
        """Whether delays lie between steps."""
        return self.delay is not None

    @property
    def has_known_delays(self) -> bool:
        """Whether delays that are parameters have values here, outside of jit and grad."""
        return not is_traced(paramax.unwrap(self.delay))

    @property
    def is_computed(self) -> bool:
        """Whether the targets are computed in every step, and not stored."""
        return isinstance(self.edges, ComputedEdges)

    @property
    def stored(self) -> Edges:
        """The edges, where they are no computed ones."""
        assert isinstance(self.edges, Edges)
        return self.edges

    @property
    def is_shared(self) -> bool:
        """Whether one scalar weight serves all synapses."""
        return jnp.ndim(paramax.unwrap(self.weight)) == 0

    def without_host_data(self) -> "Synapses":
        """The synapses as steps read them: stored edges are in the plans of the network."""
        edges, sizes = self.edges, (self.edges.n_pre, self.edges.n_post)
        edges = edges if self.is_computed else EdgeCount(len(edges), *sizes)
        return replaced(self, edges=edges, fixed_delay=None, distance=None)

    def weights(self) -> Array:
        """One weight per edge."""
        weight = jnp.asarray(self.weight)
        if isinstance(self.edges, ComputedEdges) and weight.ndim:
            return jnp.repeat(weight, self.edges.out_degree)
        return jnp.broadcast_to(weight, (len(self.edges),))

    def delay_steps(self, dt: float) -> np.ndarray:
        """Whole steps of `dt` ms per edge; 1 where no delay was given.

        Delays in arrays are rounded, half a step up, those below a step to one, the shortest there
        is.
        Of computed edges, which have one delay, one number in an array.
        Where delays lie between steps these are the earlier ones.

        Raises:
            ValueError: if a delay that was given as one number is not a whole number of steps, or
                if delays that are parameters are not known here (inside jit).
        """
        m = 1 if self.is_computed else len(self.edges)
        if self.interpolate:
            delay = paramax.unwrap(self.delay)
            if not self.has_known_delays:
                raise ValueError(
                    f"the delays of projection {self.name!r} are a parameter, and inside jit they "
                    f"cannot be laid out anew for dt={dt:g} ms: call net.on_grid({dt:g}) before"
                )
            if not np.all(np.isfinite(delay)):
                raise ValueError(
                    f"the delays of projection {self.name!r} must be finite, got {delay}"
                )
            # rounding must not put a whole number of steps into the step before
            steps = np.floor(np.asarray(delay, np.float64) / dt + 1e-6)
            return np.broadcast_to(np.maximum(steps, 1).astype(np.int32), (m,))
        if self.fixed_delay is None:
            return np.ones(m, np.int32)
        delay = self.fixed_delay.value
        # 0.15 / 0.1 is below 1.5: what float32 or the division loses does not decide a half
        steps = np.floor(delay / dt * (1 + 1e-7) + 0.5)
        steps = np.maximum(steps, 1).astype(np.int32)
        if delay.ndim == 0 and abs(float(delay) / dt - float(steps)) > 1e-6 * float(steps):
            raise ValueError(
                f"delay={float(delay):g} ms of projection {self.name!r} is not a whole number of "
                f"steps of dt={dt:g} ms (at least one); the nearest that is: {int(steps) * dt:g}"
            )
        return np.broadcast_to(steps, (m,))


def common_grid(synapses: dict[str, Synapses]) -> float:
    """The longest step in ms, 0.1 at most, of which each delay that is one number is a multiple.

    Raises:
        ValueError: if there is none of 0.0001 ms or more.
    """
    fixed = {name: s.fixed_delay.value for name, s in synapses.items() if s.fixed_delay is not None}
    grid = Fraction(1, 10)
    for name, value in fixed.items():
        if value.ndim:
            continue
        delay = Fraction(float(value)).limit_denominator(10_000)
        over = grid.denominator * delay.denominator
        both = grid.numerator * delay.denominator, delay.numerator * grid.denominator
        grid = Fraction(math.gcd(*both), over)
        if abs(float(delay) - float(value)) > 1e-9 * float(value) or grid < Fraction(1, 10_000):
            raise ValueError(
                f"delay={float(value):g} ms of projection {name!r}: no step of 0.0001 ms or more "
                "divides it together with 0.1 ms and the delays before; say the step of the runs, "
                "as in Network(..., dt=0.25)"
            )
    return float(grid)


def build(projection: Projection, sizes: dict[str, int], identities: dict[str, np.ndarray], rng):
    """The synapses of a projection.

    Arguments:
        projection: the recipe.
        sizes: number of neurons by name of population.
        identities: a number for every neuron of the network, for self-edges.
        rng: numpy generator.
    """
    sides = {}
    for role in ("source", "target"):
        parts = [
            identities[name] if part is None else identities[name][part.of(sizes[name])]
            for name, part in getattr(projection, role)
        ]
        sides[role] = np.concatenate(parts)
    pre, post = sides["source"], sides["target"]
    if not all_different(pre):
        raise ValueError(f"projection {projection.name!r} names a source neuron twice")
    graph = projection.connectivity
    try:
        if isinstance(graph, ComputedEdges):
            return _computed(projection, graph, len(pre), len(post), rng)
        if isinstance(graph, Edges):
            if (graph.n_pre, graph.n_post) != (len(pre), len(post)):
                raise ValueError(
                    f"its edges go from {graph.n_pre} to {graph.n_post} neurons, the projection "
                    f"from {len(pre)} to {len(post)}"
                )
            edges = graph
        else:
            _check_ends(pre, post)
            edges = graph.build(len(pre), len(post), rng, pre_ids=pre, post_ids=post)
        weight = _weight(projection.weight, edges, rng)
        delay = _delay(projection, graph, edges, rng)
        release = _release(projection.release, edges, rng)
    except ValueError as error:
        raise ValueError(f"projection {projection.name!r}: {error}") from error
    except TypeError as error:
        raise TypeError(f"projection {projection.name!r}: {error}") from error
    moving, fixed = None, None if delay is None else Fixed(delay)
    if projection.interpolate:
        if delay is None:
            raise ValueError(
                f"projection {projection.name!r}: interpolate=True needs delay=, in ms"
            )
        wrapped = isinstance(projection.delay, paramax.AbstractUnwrappable)
        each = projection.delay if wrapped else np.broadcast_to(delay, (len(edges),))
        moving, fixed = as_parameter(each), None
    return Synapses(
        projection.name, projection.source, projection.target, projection.port, edges,
        as_parameter(weight), moving, release, projection.plasticity, fixed,
        None if projection.plasticity is None else _distance(projection, edges),
    )  # fmt: skip


def _distance(projection: Projection, edges: Edges) -> _distances.Distance | None:
    between = _distances.between(projection.connectivity, edges)
    delay = projection.delay if is_function(projection.delay) else None
    return None if between is None and delay is None else _distances.Distance(delay, between)


def _check_ends(pre: np.ndarray, post: np.ndarray) -> None:
    """What builders need on both sides, in words of a projection."""
    for role, neurons in (("source", pre), ("target", post)):
        if not len(neurons):
            raise ValueError(f"its {role} is an empty part of a population; give it a neuron")
    if not all_different(post):
        raise ValueError("it names a target neuron twice")


def _computed(projection: Projection, edges: ComputedEdges, n_pre: int, n_post: int, rng):
    """The synapses of a projection whose targets are computed.

    Raises:
        ValueError: for what only stored synapses have.
    """
    stored = "give it connectivity=procedural.to_edges(), which stores the synapses"
    if (edges.n_pre, edges.n_post) != (n_pre, n_post):
        raise ValueError(
            f"Procedural goes from {edges.n_pre} to {edges.n_post} neurons, the projection from "
            f"{n_pre} to {n_post}"
        )
    groups = [*projection.source, *projection.target]
    if len(groups) > 2 or any(part is not None for _, part in groups):
        raise ValueError(f"Procedural joins two whole populations; for parts and several, {stored}")
    for what in ("plasticity", "interpolate"):
        if getattr(projection, what):
            raise ValueError(f"Procedural has no {what}=; {stored}")
    made = lambda given: callable(given) or isinstance(given, AbstractDistribution)
    weight, delay = projection.weight, projection.delay
    if made(weight) or jnp.shape(paramax.unwrap(weight)) not in ((), (n_pre,)):
        raise ValueError(
            f"weight of Procedural must be a number or one per sending neuron, shape ({n_pre},); "
            f"for one per synapse, {stored}"
        )
    if made(delay) or isinstance(delay, paramax.AbstractUnwrappable) or np.ndim(delay):
        raise ValueError(f"delay of Procedural must be one number; for others, {stored}")
    if delay is not None:
        delay = np.asarray(delay, float)
        check_delay(delay, drawn_or_made=False)
    release = _release(projection.release, edges, rng)
    return Synapses(
        projection.name, projection.source, projection.target, projection.port, edges,
        as_parameter(weight), None, release, None, None if delay is None else Fixed(delay),
    )  # fmt: skip


def _weight(given, edges: Edges, rng):
    if isinstance(given, paramax.AbstractUnwrappable):
        shape = jnp.shape(paramax.unwrap(given))
        if shape not in ((), (len(edges),)):
            raise ValueError(f"weight has shape {shape}, but there are {len(edges)} synapses")
        return given
    if given is None and edges.weight is None:
        return 1.0
    return synapse_values(given, edges, rng)


def _release(given, edges: Edges | ComputedEdges, rng):
    """The release, with a value for each sending neuron where a parameter is a distribution."""
    if given is None:
        return None
    return drawn(given, lambda _, law: law.draw(rng, (edges.n_pre,)))


def _delay(projection: Projection, graph: Builder | Edges, edges: Edges, rng):
    given = projection.delay
    if isinstance(given, paramax.AbstractUnwrappable):
        if not projection.interpolate:
            raise ValueError(
                "a delay that is a parameter (nj.positive, ...) needs interpolate=True"
            )
        given = jnp.asarray(paramax.unwrap(given))
        if is_traced(given):
            raise ValueError("delays are laid out where they are known: build outside of jit, grad")
        if given.shape not in ((), (len(edges),)):
            raise ValueError(f"delay has shape {given.shape}, but there are {len(edges)} synapses")
        given = np.asarray(given)
    if given is None:
        if edges.delay is None:
            return None
        given = _given_delay(graph, edges)
        if given is None:
            return edges.delay
    delay = np.asarray(synapse_values(given, edges, rng, "delay"))
    check_delay(delay, drawn_or_made=callable(given) or isinstance(given, AbstractDistribution))
    return delay


def is_function(given) -> bool:
    """Whether weights or delays are given as a function of distance."""
    return callable(given) and not isinstance(given, AbstractDistribution)


def check_delay(delay: np.ndarray, drawn_or_made: bool) -> None:
    """Delays are finite and not negative; 0 is one step where it was not given as a number."""
    if not np.all(np.isfinite(delay)) or np.any(delay < 0):
        raise ValueError(f"delay must be finite and not negative (ms), got {delay.min():g}")
    if np.any(delay == 0) and not drawn_or_made:
        which = "delay=0" if delay.ndim == 0 else "some delays are 0"
        raise ValueError(
            f"{which}: a spike arrives one step later at the earliest; leave delay= out, or give "
            "at least the dt of the run"
        )


def _given_delay(graph: Builder | Edges, edges: Edges):
    """What the delays of `edges` were given as; `None` where a builder checked or made them."""
    if isinstance(graph, Edges):
        return edges.delay
    one = graph.arguments.get("delay")
    is_number = isinstance(one, int | float) and bool(np.all(edges.delay == one))
    return one if is_number else None
