"""How an estimator uses the neurons that are seen: observers.

An observer belongs to the estimator that reconstructs hidden neurons. It is fitted and saved
with it, and absent from the circuit when that is simulated.
"""

from abc import abstractmethod
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from neurojax.core import ContinuousDynamics, Dynamics, Parameter
from neurojax.core.paths import get
from neurojax.core.solvers.exponential_euler import phi1


class AbstractObserver(eqx.Module):
    """How a step of the circuit is corrected because some neurons are seen."""

    @abstractmethod
    def bound(self, circuit: Dynamics) -> "AbstractObserver":
        """The observer with its parameters laid out for a circuit; starts a fit."""

    @abstractmethod
    def correct(self, circuit, before, after, leaf: str, seen: Array, clock) -> Array:
        """The leaf after a step, corrected by what the seen neurons tell.

        Arguments:
            circuit: the prepared circuit.
            before: its state before the step, seen neurons clamped to the recording.
            after: its state after the step.
            leaf: name of the clamped leaf.
            seen: which neurons are seen, (n,).
            clock: the time of the frame.
        """

    def prepare(self) -> "AbstractObserver":
        """What can be computed once per run; by default nothing."""
        return self

    def penalty(self) -> Any:
        """The prior on the observer's parameters, added to the loss; by default 0."""
        return 0.0


@final
class Clamp(AbstractObserver):
    """Seen neurons are set to the recording before each step, without lag; nothing else.

    Example:
        >>> import neurojax as nj
        >>> nj.fitting.Clamp()
        Clamp()
    """

    def bound(self, circuit: Dynamics) -> "Clamp":
        """Itself: there are no parameters."""
        return self

    def correct(self, circuit, before, after, leaf, seen, clock):
        """The leaf as the circuit left it."""
        return get(after, leaf)


@final
class EdgeObserver(AbstractObserver):
    r"""Clamping, and what a neuron's postsynaptic partners tell about it.

    $$V^\infty_i \mathrel{+}= \sum_j K_{ij}\,e_j, \qquad
      e_j = y_j - V^\infty_j \text{ for seen } j \text{, else } 0$$

    $V^\infty_j$ is the value towards which the circuit takes neuron j in the step, so $e_j$ is
    what its recording knows beyond the circuit's inputs to it. $K_{ij}$ exists only where a
    chemical edge or a gap junction leads from i to j. A Luenberger observer restricted to the
    edges of the graph.

    Arguments:
        start: initial value of all K.

    Raises:
        TypeError: if the circuit has no `partners()` or no vector field.

    Example:
        >>> import neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> observer = nj.fitting.EdgeObserver().bound(nj.circuits.ConnectomeCircuit(wiring))
        >>> observer.K.shape == observer.to.shape
        True
    """

    start: float = eqx.field(static=True, default=0.0)
    K: Parameter = None  # (edge,)
    to: Int[Array, " edge"] | None = None  # i: the neuron that is told
    of: Int[Array, " edge"] | None = None  # j: the neuron that tells
    valid: Any = None  # 0 for padding, so that shuffled graphs have the same shapes
    matrix: Any = None  # K laid out, by prepare
    neurons: int = eqx.field(static=True, default=0)

    def bound(self, circuit: Dynamics) -> "EdgeObserver":
        """The observer on the edges of a circuit, all K at `start`."""
        if not hasattr(circuit, "partners") or not isinstance(circuit, ContinuousDynamics):
            raise TypeError(
                f"EdgeObserver needs a circuit with edges, such as ConnectomeCircuit; "
                f"{type(circuit).__name__} has none: use observer=nj.fitting.Clamp()"
            )
        partners = circuit.partners()  # pyright: ignore[reportAttributeAccessIssue]
        to, of = np.nonzero(partners)
        # chemical edges and both directions of gap junctions: the most there can be
        room = circuit.pre.size + 2 * circuit.gap_pairs.shape[1]  # pyright: ignore
        pad = np.zeros(room - len(to), int)
        valid = np.concatenate([np.ones(len(to)), pad])
        return EdgeObserver(
            self.start,
            jnp.full(room, self.start, jnp.result_type(float)),
            jnp.asarray(np.concatenate([to, pad]), jnp.int32),
            jnp.asarray(np.concatenate([of, pad]), jnp.int32),
            jnp.asarray(valid > 0),
            neurons=len(partners),
        )

    def _gains(self) -> Array:
        return jnp.where(self.valid, self.K, 0.0)

    def prepare(self) -> "EdgeObserver":
        """Lay the gains out as a matrix [of, to]."""
        gains = self._gains()
        matrix = jnp.zeros((self.neurons, self.neurons), gains.dtype)
        matrix = matrix.at[self.of, self.to].add(gains)
        return eqx.tree_at(lambda o: o.matrix, self, matrix, is_leaf=lambda x: x is None)

    def correct(self, circuit, before, after, leaf, seen, clock):
        """See the class."""
        z = get(circuit.decay(clock.t, before, {}), leaf) * clock.dt
        moved = z * phi1(z)  # 1 - exp(-z), as the solver has it: computed once for both
        V = get(after, leaf)
        # a seen neuron starts from its recording y, so where the circuit takes it within the
        # step, y + (V_inf - y) moved, tells V_inf
        innovation = jnp.where(seen, (get(before, leaf) - V) / moved, 0.0)
        return V + moved * (innovation @ self.matrix)

    def penalty(self) -> Array:
        r"""$0.2\,|K|^2 / n$."""
        return 0.2 * jnp.sum(self._gains() ** 2) / self.neurons
