"""Sequences of symbols from a hidden Markov model."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.tracing import known

from . import _draws, _timing
from .scores import checked_outputs
from .task import Task
from .trials import Trials


@final
class HiddenMarkov(Task):
    r"""From white noise, make a sequence of symbols with the statistics of a Markov chain.

    A hidden state moves by the transition matrix, $P(s_{t+1} = j \mid s_t = i) = A_{ij}$, and
    each step emits a symbol, $P(o_t = k \mid s_t = i) = B_{ik}$. Targets are the symbols, one-hot.
    Inputs and targets are independent: what counts is the law of the outputs, not the sequence.
    `frequencies`, `transitions` and `volatility` measure it, and `expected_transitions` and
    `expected_frequencies` are what the model itself has.

    Inputs: independent standard normal numbers in each step. Outputs: one per symbol.
    Conditions: `states` (time,).
    Score: 1 less the total variation distance between the pairs of successive symbols in the
    outputs and in the targets of the same trial; a chain compared with itself has less than 1 in
    a finite trial. The symbol of a step is the largest output; equal outputs are none.

    Arguments:
        transition: matrix A, shape (states, states), rows that sum to 1.
        emission: matrix B, shape (states, symbols), rows that sum to 1.
        length: of a sequence in ms.
        noise_channels: number of inputs.
        start: probabilities of the first state; default the stationary ones.
        dt: ms per step; each step emits a symbol.

    Raises:
        ValueError: for a matrix that is no table of probabilities, or shapes that do not fit.

    Source:
        Torre et al. (2025), arXiv:2510.25674, for the three chains.

    Example:
        >>> import jax
        >>> from neurojax import tasks
        >>> task = tasks.HiddenMarkov.linear_chain(states=2)
        >>> round(float(task.expected_volatility()), 3)
        0.069
    """

    transition: Float[Array, "states states"]
    emission: Float[Array, "states symbols"]
    start: Float[Array, " states"]
    length: float = _timing.ms(1000.0)
    noise_channels: int = eqx.field(static=True, default=1)
    dt: float = eqx.field(static=True, converter=float, default=10.0)

    def __init__(
        self,
        transition: Any,
        emission: Any,
        *,
        length: float | int = 1000.0,
        noise_channels: int = 1,
        start: Any = None,
        dt: float | int = 10.0,
    ):
        self.transition, self.emission = (
            jnp.asarray(transition, float),
            jnp.asarray(emission, float),
        )
        shape = self.transition.shape
        if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
            raise ValueError(f"transition must have shape (states, states), got {shape}")
        if self.emission.ndim != 2 or self.emission.shape[0] != shape[0]:
            raise ValueError(
                f"emission must have shape ({shape[0]}, symbols), got {self.emission.shape}"
            )
        _check_rows("transition", self.transition)
        _check_rows("emission", self.emission)
        self.start = stationary(transition) if start is None else jnp.asarray(start, float)
        if self.start.shape != (shape[0],):
            raise ValueError(f"start must have shape ({shape[0]},), got {self.start.shape}")
        _check_rows("start", self.start)
        self.length, self.noise_channels, self.dt = float(length), noise_channels, float(dt)

    def __check_init__(self):
        _timing.check_dt(self)
        if self.steps < 2:
            raise ValueError(f"length={self.length:g} ms must be at least two steps")
        if self.noise_channels < 1:
            raise ValueError(f"noise_channels must be at least 1, got {self.noise_channels}")

    @classmethod
    def linear_chain(cls, states: int = 2, **options: Any) -> "HiddenMarkov":
        """A chain of states that moves to each neighbour with probability 0.05^(1/(states - 1)).

        The three symbols of state i have probabilities 0.99 (1 - a), 0.01 and 0.99 a, with
        a = i/(states - 1): they change gradually along the chain.

        Arguments:
            states: at least 2, and few enough that two neighbours leave room to stay (up to 5).
            **options: of `HiddenMarkov`.

        Raises:
            ValueError: for another number of states.
        """
        if not 2 <= states <= 5:
            raise ValueError(f"a linear chain has 2 to 5 states, got {states}")
        q = 0.05 ** (1.0 / (states - 1))
        matrix = q * (np.eye(states, k=1) + np.eye(states, k=-1))
        a = np.arange(states) / (states - 1)
        emission = np.stack([0.99 * (1.0 - a), np.full(states, 0.01), 0.99 * a], axis=-1)
        return cls(_stay(matrix), emission, **options)

    @classmethod
    def fully_connected(cls, states: int = 3, **options: Any) -> "HiddenMarkov":
        """States that stay with probability 0.95 and move to any other alike.

        Each has a symbol of its own, of probability 0.98; the others share the rest.
        """
        _check_states(states, 2)
        matrix = (0.05 / (states - 1)) * (1.0 - np.eye(states))
        return cls(_stay(matrix), _own_symbols(states), **options)

    @classmethod
    def cyclic(cls, states: int = 4, **options: Any) -> "HiddenMarkov":
        """A ring of states that stay with 0.95 and move to either neighbour with 0.025.

        Each has a symbol of its own, of probability 0.98; the others share the rest. (The number
        of symbols of the ring is our choice.)
        """
        _check_states(states, 3)
        ring = np.roll(np.eye(states), 1, axis=1) + np.roll(np.eye(states), -1, axis=1)
        return cls(_stay(0.025 * ring), _own_symbols(states), **options)

    @property
    def inputs(self) -> int:
        """Channels of noise."""
        return self.noise_channels

    @property
    def outputs(self) -> int:
        """One per symbol."""
        return self.emission.shape[1]

    @property
    def steps(self) -> int:
        """Number of time steps, and of symbols."""
        return _timing.steps(self, "length")

    def trial(self, key) -> Trials:
        """One sequence."""
        u = _draws.uniforms(key, (2, self.steps))
        first = _pick(self.start, u[0, 0])
        # where each state would go in each step: the scan only follows
        ways = _pick(self.transition[None, :, :], u[0, 1:, None])
        number = jnp.arange(self.start.shape[0])

        def follow(state, way):
            new = jnp.sum(jnp.where(number == state, way, 0))
            return new, new

        _, later = jax.lax.scan(follow, first, ways)
        states = jnp.concatenate([first[None], later])
        symbols = _pick(self.emission[None, :, :], u[1, :, None])
        here = number[None, :] == states[:, None]
        symbol = jnp.sum(jnp.where(here, symbols, 0), axis=-1)
        targets = (symbol[:, None] == jnp.arange(self.outputs)[None, :]).astype(u.dtype)
        inputs = _draws.normals(key, (self.steps, self.noise_channels))
        return Trials(inputs, targets, None, {"states": states}, dt=self.dt)

    def score(self, trials: Trials, outputs: Any) -> Array:
        """1 less the total variation distance of the pairs of symbols, for each trial."""
        mine, wanted = _pairs(checked_outputs(trials, outputs)), _pairs(trials.targets)
        missing = 1.0 - jnp.sum(mine, axis=(-2, -1))  # pairs with a step without a symbol
        return 1.0 - 0.5 * (jnp.sum(jnp.abs(mine - wanted), axis=(-2, -1)) + missing)

    def frequencies(self, outputs: Any) -> Float[Array, " symbols"]:
        """How often each symbol occurs, over all trials."""
        shown = _symbols(jnp.asarray(outputs))
        return jnp.mean(shown, axis=tuple(range(shown.ndim - 1)))

    def transitions(self, outputs: Any) -> Float[Array, "symbols symbols"]:
        """Probabilities of the next symbol by the present one, over all trials; `NaN` if unseen."""
        pairs = _pairs(jnp.asarray(outputs))
        joint = jnp.mean(pairs, axis=tuple(range(pairs.ndim - 2)))
        return joint / jnp.sum(joint, axis=-1, keepdims=True)

    def volatility(self, outputs: Any) -> Float[Array, ""]:
        """Share of steps at which the symbol changes."""
        pairs = _pairs(jnp.asarray(outputs))
        return 1.0 - jnp.mean(jnp.trace(pairs, axis1=-2, axis2=-1))

    def expected_frequencies(self) -> Float[Array, " symbols"]:
        """The frequencies of the symbols of the model in its stationary state."""
        return stationary(self.transition) @ self.emission

    def expected_transitions(self) -> Float[Array, "symbols symbols"]:
        """The probabilities of the next symbol of the model in its stationary state."""
        joint = self._expected_pairs()
        return joint / jnp.sum(joint, axis=-1, keepdims=True)

    def expected_volatility(self) -> Float[Array, ""]:
        """The share of steps at which the symbol of the model changes."""
        return 1.0 - jnp.trace(self._expected_pairs())

    def _expected_pairs(self):
        weight = stationary(self.transition)[:, None]
        return self.emission.T @ (weight * (self.transition @ self.emission))


def stationary(transition: Any) -> Float[Array, " states"]:
    """The probabilities of states that a transition matrix leaves as they are.

    Arguments:
        transition: probabilities [from, to], each row sums to 1.

    Example:
        >>> from neurojax import tasks
        >>> tasks.stationary([[0.9, 0.1], [0.3, 0.7]]).round(4).tolist()
        [0.75, 0.25]
    """
    matrix = jnp.asarray(transition, float)
    n = matrix.shape[0]
    # pi (A - 1) = 0 and sum(pi) = 1, in the sense of least squares
    system = jnp.concatenate([matrix.T - jnp.eye(n), jnp.ones((1, n))])
    solution = jnp.linalg.lstsq(system, jnp.zeros(n + 1).at[-1].set(1.0))[0]
    solution = jnp.maximum(solution, 0.0)
    return solution / jnp.sum(solution)


def _pick(probabilities, u):
    """A number by its probability, along the last axis."""
    bounds = jnp.cumsum(probabilities, axis=-1)[..., :-1]  # the last would be 1 but for rounding
    return jnp.sum(u[..., None] >= bounds, axis=-1)


def _symbols(outputs):
    """The outputs as one-hot symbols; zero where none is above the others."""
    best = jax.nn.one_hot(jnp.argmax(outputs, axis=-1), outputs.shape[-1], dtype=outputs.dtype)
    distinct = jnp.max(outputs, axis=-1) > jnp.min(outputs, axis=-1)
    return best * distinct[..., None]


def _pairs(outputs):
    """The shares of pairs of successive symbols."""
    shown = _symbols(outputs)
    return jnp.einsum("...ti,...tj->...ij", shown[..., :-1, :], shown[..., 1:, :]) / (
        shown.shape[-2] - 1
    )


def _stay(matrix: np.ndarray) -> np.ndarray:
    return matrix + np.diag(1.0 - matrix.sum(axis=1))


def _own_symbols(states: int) -> np.ndarray:
    other = 0.02 / (states - 1)
    return np.full((states, states), other) + (0.98 - other) * np.eye(states)


def _check_states(states: int, least: int) -> None:
    if states < least:
        raise ValueError(f"states must be at least {least}, got {states}")


def _check_rows(name: str, table) -> None:
    if not known(table):
        return
    table = np.asarray(table)
    if np.any(table < -1e-6) or not np.allclose(table.sum(axis=-1), 1.0, atol=1e-5):
        raise ValueError(
            f"each row of {name} must be probabilities that sum to 1, got sums "
            f"{table.sum(axis=-1)} and a least entry of {table.min():g}"
        )
