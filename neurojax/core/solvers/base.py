"""The contract of a fixed-step solver."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ..structure import is_costly


class AbstractStepper(eqx.Module):
    """One step of fixed length: `advance(f, t, dt, y, args) -> y`.

    A stepper has no state and writes its stages out in Python. `f(t, y, args)` gives dy/dt;
    in a simulation it is a `VectorField`, which also offers `decay`, `diffusion` and `normals`.
    """

    order: ClassVar[int]  # of the error at a fixed end time, for smooth dynamics without noise
    calculus: ClassVar[str | None] = None  # "ito" or "stratonovich"; None: refuses noise
    holds_inputs: ClassVar[bool] = False  # reads inputs as their mean over the step
    within_steps: ClassVar[bool] = False  # knows the time of a spike within its step

    @abstractmethod
    def advance(self, f, t, dt, y, args):
        """The state one step after `y`.

        Arguments:
            f: the vector field, called as `f(t, y, args)`.
            t: time in ms at which the step begins; in a simulation that is 0, see `VectorField`.
            dt: step length in ms.
            y: a pytree of floating-point arrays.
            args: passed to `f`; in a simulation the inputs.
        """

    def check(self, dynamics) -> None:
        """Refuse a model that this solver cannot advance; by default none."""

    def prepare(self, f, t, dt, y, args) -> "AbstractStepper":
        """What can be computed once per run, outside the loop over time; by default nothing."""
        return self


def plus(y, scale, k):
    """Leaf by leaf y + scale * k; `scale` takes the precision of the leaves."""
    return jax.tree.map(lambda a, b: a + jnp.asarray(scale, jnp.result_type(a, b)) * b, y, k)


def stage(k, y, f, t, args):
    """A slope and the state of the next stage, computed before anything that reads them.

    Without this XLA fuses the stages and computes the slope again for each of its readers: for
    drifts with exponentials up to twice the time, also in gradients. Where the slope is a few
    products it is the other way round: writing it down costs more.
    """
    return jax.lax.optimization_barrier((k, y)) if is_costly(f, t, y, args) else (k, y)


def noise_increment(f, t, dt, y, args):
    """The amplitude sigma(t, y) and sqrt(dt) N(0, 1), `None` for leaves or fields without noise."""
    diffusion = getattr(f, "diffusion", None)
    amplitude = None if diffusion is None else diffusion(t, y, args)
    if amplitude is None:
        return None, None
    normals = f.normals(amplitude)
    return amplitude, jax.tree.map(lambda z: jnp.sqrt(jnp.asarray(dt, z.dtype)) * z, normals)


def plus_noise(y, amplitude, increment):
    """Leaf by leaf y + amplitude * increment, for the leaves that have noise."""
    return jax.tree.map(
        lambda a, s, w: a if s is None else a + s * w,
        y,
        amplitude,
        increment,
        is_leaf=lambda x: x is None,
    )
