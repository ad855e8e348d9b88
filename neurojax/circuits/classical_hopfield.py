"""The associative memory of binary units."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core import Dynamics, Output, Parameter, as_parameter, unwrap


@final
class ClassicalHopfield(Dynamics):
    r"""Binary units whose Hebbian weights make the stored patterns attractors.

    $$s_i \leftarrow \mathrm{sign}\Big(\sum_j W_{ij} s_j + I_i\Big),\qquad
      W = \frac{1}{n}\sum_\mu x_\mu x_\mu^\top,\quad W_{ii} = 0$$

    A unit whose field is zero keeps its state. One step visits all units once, one after the
    other, so that the `energy` never rises; with `synchronous=True` all move together, which may
    end in a cycle of two states. Random patterns are stable up to about 0.138 n of them. The state
    is `{"s": (n,)}` of -1 and +1; it begins at +1, or where `simulate` is told to. A step has no
    duration of its own: any dt does. The optional input is `I_e`.

    Arguments:
        patterns: (patterns, n) of -1 and +1.
        synchronous: move all units at the same time.

    Raises:
        ValueError: for patterns that are no matrix of -1 and +1.

    Source: Hopfield 1982 *PNAS* 79:2554; the capacity Amit, Gutfreund, Sompolinsky 1985
    *Phys Rev Lett* 55:1530.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> memory = ClassicalHopfield(jnp.array([[1, 1, 1, -1, -1], [1, -1, 1, -1, 1]]))
        >>> memory.update(jnp.array([1.0, 1.0, 1.0, -1.0, 1.0])).tolist()
        [1.0, -1.0, 1.0, -1.0, 1.0]
    """

    weights: Parameter  # (n, n) [to, from]
    synchronous: bool = eqx.field(static=True)

    def __init__(self, patterns, *, synchronous: bool = False):
        patterns = np.asarray(patterns, float)
        if patterns.ndim != 2 or not patterns.size:
            raise ValueError(f"patterns must be an array (patterns, n), got shape {patterns.shape}")
        if not np.all(np.abs(patterns) == 1.0):
            raise ValueError("patterns of ClassicalHopfield must consist of -1 and +1")
        weights = patterns.T @ patterns / patterns.shape[1]
        np.fill_diagonal(weights, 0.0)
        self.weights = as_parameter(weights)
        self.synchronous = synchronous

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All units at +1, or drawn evenly with a key."""
        weights = unwrap(self.weights)
        n = weights.shape[0]
        if key is None:
            return {"s": jnp.ones(n, weights.dtype)}
        return {"s": jax.random.rademacher(key, (n,), weights.dtype)}

    def step(self, state, inputs, clock) -> tuple[dict[str, Array], Output]:
        """One visit to each unit; see the class."""
        return {"s": self.update(state["s"], inputs.get("I_e"))}, Output()

    def update(self, s: Float[Array, " n"], current=None) -> Float[Array, " n"]:
        """The units after each was visited once.

        Arguments:
            s: -1 and +1.
            current: added to the fields, scalar or (n,).
        """
        weights = unwrap(self.weights)
        current = jnp.broadcast_to(jnp.asarray(0.0 if current is None else current), s.shape)
        decided = lambda field, old: jnp.where(field == 0, old, jnp.sign(field)).astype(s.dtype)
        if self.synchronous:
            return decided(weights @ s + current, s)

        def visit(i, s):
            return s.at[i].set(decided(weights[i] @ s + current[i], s[i]))

        return jax.lax.fori_loop(0, s.shape[0], visit, s)

    def recall(self, cue: Float[Array, " n"], sweeps: int = 20) -> Float[Array, " n"]:
        """The units after so many updates, or earlier where they no longer change."""
        moving = lambda carry: (carry[2] < sweeps) & jnp.any(carry[0] != carry[1])
        move = lambda carry: (self.update(carry[0]), carry[0], carry[2] + 1)
        return jax.lax.while_loop(moving, move, (self.update(cue), cue, 1))[0]

    def energy(self, s: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        r"""$-\tfrac12 s^\top W s$, never rising under updates one unit after the other."""
        return -0.5 * jnp.sum((s @ unwrap(self.weights)) * s, axis=-1)
