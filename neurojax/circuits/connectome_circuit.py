"""A trainable circuit of graded neurons on a connectome."""

from typing import Any, Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array, Float, Int

from neurojax.connectomes import Connectome
from neurojax.core import (
    ContinuousDynamics,
    Parameter,
    frozen,
    positive,
    random,
    unwrap,
)
from neurojax.core.keys import own_or_first
from neurojax.core.solvers import AbstractStepper, ExponentialEuler

Nonlinearity = Literal["tanh", "sigmoid"]
TimeConstants = Literal["neuron", "class", "shared"]

_PHI = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}
_GAP_START = -3.0  # softplus(-3) = 0.049, a weak junction


@final
class ConnectomeCircuit(ContinuousDynamics):
    r"""Graded neurons joined by the synapses and gap junctions of a connectome.

    $$\tau_i \dot V_i = -(V_i - b_i) + \sum_j W_{ji}\,\varphi(V_j)
      + \sum_j G_{ij}(V_j - V_i) + I_i$$

    $W$ has a weight only where the connectome has a chemical edge (autapses are left out), $G$
    is symmetric and non-negative and sits on the gap junctions. $V$ is dimensionless, in units
    of the trace that the circuit is fitted to; $\tau$ is in ms. Neurons that no recording shows
    stay in the circuit as latent ones. The state is `{"V": (n,)}`, the input is `I_e`.

    Arguments:
        connectome: names and edges; self edges are left out.
        nonlinearity: $\varphi$, `"tanh"` or `"sigmoid"`.
        signs: `"free"`; `"connectome"` (edges whose sign the connectome knows keep it, the
            others are free); or an array [pre, post] of -1, 0 (free), +1.
        tau: time constant in ms to begin with.
        time_constants: one `"neuron"` each, one per `"class"`, or one `"shared"`.
        low_rank: rank of an additional dense weight $3/\sqrt{n}\; U A$, a broadcast through
            unobserved paths; 0 for none.
        noise: amplitude of white noise on V, per $\sqrt{ms}$; `None` for none.
        solver: default `ExponentialEuler`, stable at the frame interval of a recording.
        key: draws the initial weights, N(0, 0.1); without it they are drawn from key 0.

    Raises:
        ValueError: for an unknown nonlinearity or choice, or signs of the wrong shape.

    Example:
        >>> import jax, neurojax as nj
        >>> wiring = nj.connectomes.cook2019().subset(["AVAL", "AVAR", "AVBL", "RIML"])
        >>> circuit = nj.circuits.ConnectomeCircuit(wiring, key=jax.random.key(0))
        >>> sim = nj.simulate(circuit, duration=6000.0, dt=600.0, record={"V": "V"})
        >>> sim["V"].shape
        (10, 4)
    """

    names: tuple[str, ...] = eqx.field(static=True)
    pre: Int[Array, " chemical"]
    post: Int[Array, " chemical"]
    gap_pairs: Int[Array, "2 gap"]
    chemical_count: Any  # sections or synapses of each edge, kept for reports
    gap_count: Any
    weight: Parameter  # (chemical,)
    gap: Parameter  # (gap,), non-negative
    bias: Parameter  # (n,)
    tau: Parameter  # (), (classes,) or (n,), ms
    tau_of: Int[Array, " n"] | None  # which time constant a neuron has
    broadcast: Parameter | None  # ((n, r), (r, n)): A and U of the low-rank weight
    noise: Parameter | None
    tau_prior: float = eqx.field(static=True)
    nonlinearity: Nonlinearity = eqx.field(static=True)
    solver: AbstractStepper

    def __init__(
        self,
        connectome: Connectome,
        *,
        nonlinearity: Nonlinearity = "tanh",
        signs: Any = "free",
        tau: float = 800.0,
        time_constants: TimeConstants = "neuron",
        low_rank: int = 0,
        noise: float | None = None,
        solver: AbstractStepper | None = None,
        key: Any = None,
    ):
        if nonlinearity not in _PHI:
            raise ValueError(f"nonlinearity must be one of {sorted(_PHI)}, got {nonlinearity!r}")
        if not (np.ndim(tau) == 0 and float(tau) > 0):
            raise ValueError(f"tau must be a positive number of ms, got {tau!r}")
        if noise is not None and not (np.ndim(noise) == 0 and float(noise) >= 0):
            raise ValueError(f"noise must be an amplitude of at least 0, got {noise!r}")
        if low_rank < 0:
            raise ValueError(f"low_rank must be 0 or more, got {low_rank}")
        connectome = connectome.without_self_edges()
        n = len(connectome)
        pre, post = connectome.chemical_edges()
        gap_i, gap_j = connectome.gap_edges()
        key = own_or_first(key)
        self.names = connectome.names
        self.pre, self.post = jnp.asarray(pre, jnp.int32), jnp.asarray(post, jnp.int32)
        self.gap_pairs = jnp.asarray(np.stack([gap_i, gap_j]), jnp.int32)
        self.chemical_count = frozen(_float(connectome.chemical[pre, post]))
        self.gap_count = frozen(_float(connectome.gap[gap_i, gap_j]))
        edge_signs = _edge_signs(signs, connectome, pre, post)
        start = random.Normal(0.0, 0.1).sample(jax.random.fold_in(key, 1), (len(pre),))
        self.weight = _signed(start, edge_signs)
        self.gap = paramax.Parameterize(jax.nn.softplus, _float(np.full(len(gap_i), _GAP_START)))
        self.bias = jnp.zeros(n)
        self.tau_of, groups = _groups(time_constants, connectome)
        self.tau = positive(jnp.full(groups, float(tau)))
        self.tau_prior = float(tau)
        self.broadcast = _low_rank(n, low_rank, jax.random.fold_in(key, 2))
        self.noise = None if noise is None else frozen(_float(noise))
        self.nonlinearity = nonlinearity
        self.solver = ExponentialEuler() if solver is None else solver

    def init_state(self, *, key=None) -> dict[str, Array]:
        """All neurons at V = 0."""
        return {"V": jnp.zeros(len(self.names))}

    def drift(self, t, state, inputs) -> dict[str, Array]:
        """dV/dt per ms; see the class."""
        return self.prepare().drift(t, state, inputs)

    def decay(self, t, state, inputs) -> dict[str, Array]:
        """(1 + sum of a neuron's gap weights) / tau, per ms."""
        return self.prepare().decay(t, state, inputs)

    def diffusion(self, t, state, inputs) -> dict[str, Array] | None:
        """The noise amplitude, or `None`."""
        return None if self.noise is None else {"V": jnp.asarray(unwrap(self.noise))}

    def prepare(self) -> "DenseCircuit":
        """The circuit with its weights as matrices, built once per run."""
        model = unwrap(self)
        W, G = model.chemical_matrix(), model.gap_matrix()
        tau = model.tau if model.tau_of is None else model.tau[model.tau_of]
        return DenseCircuit(
            W, G, model.bias, 1.0 / tau, 1.0 + jnp.sum(G, axis=0), model.noise,
            model.nonlinearity, model.solver,
        )  # fmt: skip

    def chemical_matrix(self) -> Float[Array, "pre post"]:
        """Fitted chemical weights [pre, post], the low-rank term included."""
        model = unwrap(self)
        n = len(model.names)
        W = jnp.zeros((n, n), model.weight.dtype).at[model.pre, model.post].set(model.weight)
        if model.broadcast is None:
            return W
        A, U = model.broadcast
        return W + (3.0 / np.sqrt(n)) * (A @ U)

    def gap_matrix(self) -> Float[Array, "n n"]:
        """Fitted gap weights, symmetric."""
        model = unwrap(self)
        n = len(model.names)
        i, j = model.gap_pairs
        half = jnp.zeros((n, n), model.gap.dtype).at[i, j].set(model.gap)
        return half + half.T

    def partners(self) -> np.ndarray:
        """Booleans [from, to]: a chemical edge or a gap junction leads from one to the other."""
        n = len(self.names)
        edge = np.zeros((n, n), bool)
        edge[np.asarray(self.pre), np.asarray(self.post)] = True
        i, j = np.asarray(self.gap_pairs)
        edge[i, j] = edge[j, i] = True
        return edge

    def connectome(self) -> Connectome:
        """The wiring (not the fitted weights) as a `Connectome`."""
        n = len(self.names)
        model = unwrap(self)
        chemical, gap = np.zeros((n, n)), np.zeros((n, n))
        chemical[np.asarray(self.pre), np.asarray(self.post)] = np.asarray(model.chemical_count)
        i, j = np.asarray(self.gap_pairs)
        gap[i, j] = gap[j, i] = np.asarray(model.gap_count)
        return Connectome(self.names, chemical, gap)

    def rewired(self, connectome: Connectome) -> "ConnectomeCircuit":
        """The same circuit on other edges between the same neurons, weights in order of edges.

        With as many edges as before (a degree-preserving shuffle) nothing is compiled again.

        Raises:
            ValueError: if the names differ, or the number of edges does.
        """
        if connectome.names != self.names:
            raise ValueError("rewired needs a connectome of the same neurons in the same order")
        connectome = connectome.without_self_edges()
        pre, post = connectome.chemical_edges()
        gap_i, gap_j = connectome.gap_edges()
        if len(pre) != self.pre.size or len(gap_i) != self.gap_pairs.shape[1]:
            raise ValueError(
                f"rewired needs {self.pre.size} chemical edges and {self.gap_pairs.shape[1]} gap "
                f"pairs, got {len(pre)} and {len(gap_i)}; build a new ConnectomeCircuit"
            )
        where = lambda c: (c.pre, c.post, c.gap_pairs, c.chemical_count, c.gap_count)
        new = (
            jnp.asarray(pre, jnp.int32),
            jnp.asarray(post, jnp.int32),
            jnp.asarray(np.stack([gap_i, gap_j]), jnp.int32),
            frozen(_float(connectome.chemical[pre, post])),
            frozen(_float(connectome.gap[gap_i, gap_j])),
        )
        return eqx.tree_at(where, self, new)

    def pruned(self, chemical: np.ndarray, gap: np.ndarray) -> "ConnectomeCircuit":
        """The same circuit with only some of its edges.

        Arguments:
            chemical: booleans per chemical edge, true to keep.
            gap: booleans per gap pair.
        """
        kept = (np.flatnonzero(chemical), np.flatnonzero(gap))
        of_edges = lambda c: (c.pre, c.post, c.chemical_count, c.weight)
        of_pairs = lambda c: (c.gap_count, c.gap)
        take = lambda x, rows: x[rows] if eqx.is_array(x) else x  # wrappers hold functions, too
        pick = lambda tree, rows: jax.tree.map(lambda x: take(x, rows), tree)
        circuit = eqx.tree_at(of_edges, self, pick(of_edges(self), kept[0]))
        circuit = eqx.tree_at(of_pairs, circuit, pick(of_pairs(self), kept[1]))
        return eqx.tree_at(lambda c: c.gap_pairs, circuit, self.gap_pairs[:, kept[1]])

    def without_homologues(self) -> "ConnectomeCircuit":
        """The same circuit without the edges between left-right partners."""
        kept = self.connectome().without_homologues()
        i, j = np.asarray(self.gap_pairs)
        chemical = kept.chemical[np.asarray(self.pre), np.asarray(self.post)] > 0
        return self.pruned(chemical, kept.gap[i, j] > 0)

    def shuffled(self, key) -> "ConnectomeCircuit":
        """The same circuit on a degree-preserving shuffle of its wiring."""
        return self.rewired(self.connectome().shuffled(key))

    def reinitialised(self, key) -> "ConnectomeCircuit":
        """The same circuit with freshly drawn weights, for another seed."""
        draw = random.Normal(0.0, 0.1).sample
        where = lambda c: _raw(c.weight)
        circuit = eqx.tree_at(where, self, draw(jax.random.fold_in(key, 1), self.pre.shape))
        if self.broadcast is None:
            return circuit
        rank = self.broadcast[0].shape[1]
        fresh = _low_rank(len(self.names), rank, jax.random.fold_in(key, 2))
        return eqx.tree_at(lambda c: c.broadcast, circuit, fresh)

    def penalty(self) -> Array:
        r"""The prior on the parameters that `fit` adds to its loss.

        $$[0.2\,|W|^2 + 0.03\,|G|^2 + 0.03(|U|^2 + |A|^2)]/n
          + 0.01\,\overline{(\log \tau/\tau_0)^2}$$

        with $|G|^2$ over the full symmetric matrix.
        """
        model = unwrap(self)
        squares = 0.2 * jnp.sum(model.weight**2) + 0.03 * 2.0 * jnp.sum(model.gap**2)
        if model.broadcast is not None:
            squares = squares + 0.03 * sum(jnp.sum(x**2) for x in model.broadcast)
        spread = jnp.mean(jnp.log(model.tau / self.tau_prior) ** 2)
        return squares / len(self.names) + 0.01 * spread


@final
class DenseCircuit(ContinuousDynamics):
    """A `ConnectomeCircuit` with its weights as matrices; made by `ConnectomeCircuit.prepare`."""

    W: Float[Array, "n n"]
    G: Float[Array, "n n"]
    bias: Float[Array, " n"]
    rate: Float[Array, "..."]  # 1 / tau, per ms
    leak: Float[Array, " n"]  # 1 + sum of a neuron's gap weights
    noise: Any
    nonlinearity: Nonlinearity = eqx.field(static=True)
    solver: AbstractStepper

    def init_state(self, *, key=None):
        """All neurons at V = 0."""
        return {"V": jnp.zeros_like(self.bias)}

    def drift(self, t, state, inputs):
        """See `ConnectomeCircuit`."""
        V = state["V"]
        total = self.bias - V * self.leak + _PHI[self.nonlinearity](V) @ self.W + V @ self.G
        current = inputs.get("I_e")
        return {"V": self.rate * (total if current is None else total + current)}

    def decay(self, t, state, inputs):
        """See `ConnectomeCircuit`."""
        return {"V": self.rate * self.leak}

    def diffusion(self, t, state, inputs):
        """See `ConnectomeCircuit`."""
        return None if self.noise is None else {"V": self.noise}


def _float(x) -> Array:
    return jnp.asarray(x, jnp.result_type(float))


def _raw(weight):
    """The array that is trained for a weight, wrapped or not."""
    return weight.args[0] if isinstance(weight, paramax.Parameterize) else weight


def _signed(start, signs):
    """Free weights, or weights whose sign is kept where it is known."""
    if signs is None:
        return start
    return paramax.Parameterize(_with_sign, start, frozen(_float(signs)))


def _with_sign(raw, sign):
    return jnp.where(sign == 0, raw, sign * 0.1 * jax.nn.softplus(10.0 * raw))


def _edge_signs(signs, connectome: Connectome, pre, post):
    if isinstance(signs, str):
        if signs == "free":
            return None
        if signs == "connectome":
            return connectome.signs[pre, post]
        raise ValueError(f"signs must be 'free', 'connectome' or an array, got {signs!r}")
    table = np.asarray(signs)
    n = len(connectome)
    if table.shape != (n, n) or not np.isin(table, (-1, 0, 1)).all():
        raise ValueError(
            f"signs must be an array [pre, post] of -1, 0 and +1 of shape {(n, n)}, got shape "
            f"{table.shape}"
        )
    return table[pre, post]


def _groups(time_constants: str, connectome: Connectome):
    """Which time constant each neuron has, and how many there are."""
    if time_constants == "neuron":
        return None, (len(connectome),)
    if time_constants == "shared":
        return None, ()
    if time_constants == "class":
        classes = sorted(set(connectome.classes))
        return jnp.asarray([classes.index(c) for c in connectome.classes]), (len(classes),)
    raise ValueError(
        f"time_constants must be 'neuron', 'class' or 'shared', got {time_constants!r}"
    )


def _low_rank(n: int, rank: int, key):
    if rank == 0:
        return None
    readout = random.Normal(0.0, 0.3).sample(jax.random.fold_in(key, 0), (n, rank))
    spread = random.Normal(0.0, 0.05).sample(jax.random.fold_in(key, 1), (rank, n))
    return readout, spread
