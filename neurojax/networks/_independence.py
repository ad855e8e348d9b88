"""Whether neurons of classes that are not ours do without each other, found by steps on trial."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core import Clock
from neurojax.core.clock import Portion
from neurojax.core.inputs import resolve
from neurojax.core.part_inputs import with_added
from neurojax.core.paths import leaf_names
from neurojax.core.solvers import DiffraxStepper, Heun

from ._division import share
from ._placement import Divided, is_marked, population, state_leaf

# how far values are moved, in their own size: a little, across thresholds, below, out of all bounds
_DISTANCES = (0.01, 1.0, -1.0, 30.0)
# last bits that may differ: a branch that some neurons need may round the others otherwise, and
# another number of neurons rounds otherwise
_BRANCHES, _SHAPES = 64.0, 512.0


def check_independent(network, state, inputs, clock: Clock, devices: int) -> None:
    """Refuse populations that a division would change, by the name of population and class.

    Our own classes are known to be divisible, and cost nothing. Others make some steps on trial.
    In the first ones a half of the neurons has other values, which the other half must not notice;
    in the others those of one device are stepped alone, which none of them must notice.

    Arguments:
        network: prepared, on the grid of the run.
        state: of the network.
        inputs: prepared, with the present values of the stochastic ones.
        clock: of the first step.
        devices: their number.

    Raises:
        ValueError: if a neuron's step reads more than the neuron, or a leaf of the state has not
            one value per neuron.
    """
    for name, part in network.populations.items():
        if (foreign := _foreign(part)) is None:
            continue
        part = _with_explicit_solver(part)
        ports = [port for (target, port), _ in network.layout.regions if target == name]
        given = resolve(part.read_inputs(inputs.get(name, {}), clock), clock)
        given = with_added(given, {port: jnp.zeros(part.n) for port in ports})
        trial = _Trial(part, state["populations"][name], given, clock.child(name), devices, name)
        kind = type(part).__name__
        kind += "" if foreign == kind else f" with {foreign}"
        if leaf := trial.seen_by_others():
            raise ValueError(
                f"the neurons of population {name!r} ({kind}) see each other: in a step {leaf} of "
                "one neuron changes with the state or the input of others, which may be on other "
                "devices, and simulate_sharded does not exchange it. Use simulate, or join the "
                "neurons by projections"
            )
        if leaf := trial.changed_by_division():
            raise ValueError(
                f"the neurons of population {name!r} ({kind}) cannot be divided: in a step {leaf} "
                "is another one where only the neurons of one device are stepped. What a step "
                "reads must not depend on n or on a neuron's place: give it as a parameter with a "
                "value per neuron, and draw noise with clock.normal or clock.uniform. Or use "
                "simulate"
            )


def _foreign(value) -> str | None:
    """The name of a class in a model that is neither ours nor one of the libraries we build on."""
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif isinstance(value, eqx.Module):
        known = ("neurojax", "diffrax", "equinox", "lineax", "optimistix", "optax", "paramax")
        if type(value).__module__.split(".")[0] not in known:
            return type(value).__name__
        inner = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    else:
        return None
    return next((name for x in inner if (name := _foreign(x)) is not None), None)


def _with_explicit_solver(part):
    """Of an implicit method all neurons share the iterations, which says nothing of the model."""
    is_wrapped = lambda x: isinstance(x, DiffraxStepper)
    return jax.tree.map(lambda x: Heun() if is_wrapped(x) else x, part, is_leaf=is_wrapped)


class _Trial:
    """Steps of one population on trial."""

    def __init__(self, part, state, inputs, clock: Clock, devices: int, name: str):
        on_host = lambda x: np.asarray(x) if eqx.is_array(x) else x
        self.part, self.given = part, jax.tree.map(on_host, (state, inputs))
        self.clock = clock
        self.name, self.share = name, share(part.n, devices)
        for leaf in jax.tree.leaves(state):
            state_leaf(leaf, self.share, name)  # refuses other shapes
        self.rng = np.random.default_rng(0)

    def seen_by_others(self) -> str | None:
        """What of a neuron changes with others, or `None`."""
        n, rng = self.part.n, self.rng
        # as the run begins, where much may be zero, and as it might go on
        for start in (self.given, self._moved(1.0)):
            before = _tried(self.part, start, self._clock(np.arange(n)))
            for distance in _DISTANCES:
                moved = self._moved(distance)
                half = rng.permutation(n) < n // 2
                for others in (half, ~half):
                    # their random numbers are those of any neurons
                    clock = self._clock(np.where(others, rng.permutation(n), np.arange(n)))
                    after = _tried(self.part, self._mixed(others, moved, start), clock)
                    if found := _difference(before, after, n, ~others, _BRANCHES):
                        return found
        return None

    def changed_by_division(self) -> str | None:
        """What of a neuron changes where only those of the first device are stepped, or `None`."""
        part = _first(population(self.part, self.share, self.name))
        clock, real = self._clock(self.share.ids[0]), self.share.real[0]
        own = lambda x: x[self.share.ids[0]] if self._is_divided(x) else x
        found = []
        for _ in range(2):  # a value on a threshold, which rounding may move across, is none twice
            moved = self._moved(1.0)
            whole = jax.tree.map(own, _tried(self.part, moved, self.clock))
            alone = _tried(part, jax.tree.map(own, moved), clock)
            found.append(_difference(whole, alone, self.share.size, real, _SHAPES))
        return found[0] if all(found) else None

    def _is_divided(self, x) -> bool:
        return jnp.shape(x) == (self.part.n,)

    def _clock(self, neurons: np.ndarray) -> Clock:
        """The clock of neurons with these numbers."""
        return self.clock.of(Portion(jnp.asarray(neurons, jnp.int32), self.part.n))

    def _mixed(self, others: np.ndarray, theirs, own):
        """State and inputs of some neurons, and those of the rest."""
        mix = lambda new, old: np.where(others, new, old) if self._is_divided(old) else old
        return jax.tree.map(mix, theirs, own)

    def _moved(self, distance: float):
        """State and inputs with another value of each neuron."""
        n, rng = self.part.n, self.rng

        def moved(x):
            if not self._is_divided(x):
                return x
            x = np.asarray(x)
            if x.dtype == bool:
                return rng.random(n) < 0.5
            if np.issubdtype(x.dtype, np.integer):
                return x + rng.integers(0, 4, n).astype(x.dtype)
            # to one side, so that a mean over many neurons moves too
            return x + (distance * rng.uniform(0.1, 1.0, n)).astype(x.dtype) * (abs(x) + 1)

        return jax.tree.map(moved, self.given)


def _tried(part, given, clock: Clock) -> tuple[Any, ...] | None:
    """What a step leaves, shows and emits; `None` if the model itself refuses such values."""
    try:
        return _step(part, given, clock)
    except RuntimeError:  # of eqx.error_if
        return None


@eqx.filter_jit
def _step(part, given, clock: Clock) -> tuple[Any, ...]:
    state, inputs = given
    ready = part.prepare_steps(state, inputs, clock)
    state, output = ready.step(state, inputs, clock)
    return state, ready.visible(state), output


def _difference(one, two, size: int, places: np.ndarray, bits: float) -> str | None:
    """The name of the first leaf of `size` values that differs at some of the places."""
    if one is None or two is None:
        return None
    for name, *pair in zip(leaf_names(one), *map(jax.tree.leaves, (one, two)), strict=True):
        if any(jnp.shape(x) != (size,) for x in pair):
            continue  # one value for all
        a, b = (np.asarray(x)[places] for x in pair)
        same = a == b
        if np.issubdtype(a.dtype, np.inexact) and a.size:
            largest = np.maximum(np.abs(a), np.abs(b))
            # a small difference of large numbers has the last bits of these
            typical = np.median(np.where(np.isfinite(largest), largest, 0.0))
            most = bits * np.finfo(a.dtype).eps * np.maximum(largest, typical)
            with np.errstate(invalid="ignore"):
                same |= (np.abs(a - b) <= most) & np.isfinite(largest)
            same |= np.isnan(a) & np.isnan(b)
        if not same.all():
            return repr(name.split(".", 1)[-1])
    return None


def _first(marked):
    """A divided tree as the first device has it."""
    own = lambda x: x.part(0) if isinstance(x, Divided) else x.value
    taken = lambda x: jnp.asarray(own(x)) if is_marked(x) else x
    return jax.tree.map(taken, marked, is_leaf=is_marked)
