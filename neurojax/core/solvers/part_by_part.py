"""Blocks whose parts spike within a step: each part by a solver of its own."""

from typing import Any, ClassVar

import equinox as eqx
import jax

from ..clock import Clock
from ..inputs import at_time
from ..part_inputs import inputs_of, with_added
from ..vector_field import held_rates, is_float, restrict
from .base import AbstractStepper
from .heun import Heun


class PartByPart(AbstractStepper):
    r"""Every part of a `Block` by itself, along the path of the others from a first pass.

    In the first pass a part sees the others as they begin the step, in the second one on the
    straight line to where the first one took them: second order, as Heun's method on all parts at
    once. But a part whose spikes have a time within the step (`EIF`, `AdEx`) keeps the solver that
    knows it; others move by Heun's method. Where a spike was, the line ends at the reset: what
    passes through a junction during a spike is of first order.

    Raises:
        ValueError: for a model that is no `Block`, and for noise in a part.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> gap = nj.synapses.GapJunctions("a", "b", np.array([[1.0]]))
        >>> block = nj.Block({"a": nj.neurons.AdEx(), "b": nj.neurons.LIF()}, [gap])
        >>> type(block.solver).__name__
        'PartByPart'
    """

    order: ClassVar[int] = 2
    within_steps: ClassVar[bool] = True

    def check(self, dynamics) -> None:
        """See `AbstractStepper.check`."""
        if not hasattr(dynamics, "parts"):
            raise ValueError(
                f"PartByPart steps the parts of a Block one by one, and {type(dynamics).__name__} "
                "is one part: use nj.solvers.Heun()"
            )

    def advance(self, f, t, dt, y, args):
        """See `AbstractStepper.advance`."""
        self.check(f.dynamics)
        block, start = f.dynamics, eqx.combine(y, f.rest)
        seen, moved = start, y
        for _ in range(2):
            moved = {}
            for name, part in block.parts.items():
                field = _PartField(
                    part, f.rest[name], f.clock.child(name), block.couplings, name, start, seen, dt
                )
                solver = part.solver if part.solver.within_steps else Heun()
                moved[name] = solver.advance(field, t, dt, y[name], inputs_of(args, name))
            end = block.hold(start, eqx.combine(moved, f.rest))
            seen = {
                name: part.visible(end[name]) if part.solver.within_steps else end[name]
                for name, part in block.parts.items()
            }
        return moved


class _PartField(eqx.Module):
    """The drift of one part, which sees the others on their way from `start` to `seen`."""

    dynamics: Any
    rest: Any
    clock: Clock
    couplings: tuple[Any, ...]
    name: str = eqx.field(static=True)
    start: Any
    seen: Any
    dt: Any

    def __call__(self, t, y, inputs):
        part, state = self.dynamics, eqx.combine(y, self.rest)
        inputs, own = at_time(inputs, t), part.bounded(state)
        for c in self.couplings:
            if c.target != self.name:
                continue
            between = lambda a, b: a + (b - a) * (t / self.dt) if is_float(a) else a
            source = jax.tree.map(between, self.start[c.source], self.seen[c.source])
            inputs = with_added(inputs, {c.port: c.current(source, own)})
        rates = part.drift(self.clock.t + t, state, inputs)
        return restrict(held_rates(part, state, rates), y)
