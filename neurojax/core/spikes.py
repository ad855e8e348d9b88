"""Spikes of one step, as a function of the state rather than an array."""

from functools import cached_property
from operator import index

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from .surrogate import AbstractSurrogate, Triangle
from .tracing import known

_BITS = 32


class SpikeOutput(eqx.Module):
    r"""Neurons with `value > threshold` (and `armed`, where given) spike in this step.

    The value is kept, not a float array of spikes: counting, packing to bits and surrogate
    gradients each read it once.

    Arguments:
        value: the membrane variable before its reset, shape (n,).
        threshold: scalar or (n,).
        armed: for models that do not reset: whether the neuron was below threshold before
            the step, shape (n,); keep it in the state with `begin`.
        surrogate: the derivative of a spike in training; default `Triangle()`.
        scale: the surrogate's argument is (value - threshold) / scale; default 1.
        words: the packed spikes, where they are known already.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> int(nj.SpikeOutput(jnp.array([-60.0, -49.0]), -50.0).count())
        1
    """

    value: Float[Array, " n"]
    threshold: Float[Array, "..."]
    armed: Bool[Array, " n"] | None = None
    surrogate: AbstractSurrogate | None = None
    scale: Float[Array, "..."] | None = None
    words: UInt32[Array, " words"] | None = None

    def __init__(self, value, threshold, armed=None, surrogate=None, scale=None, words=None):
        self.value, self.words = value, words
        self.threshold = jnp.asarray(threshold, value.dtype)
        self.armed, self.surrogate = armed, surrogate
        self.scale = None if scale is None else jnp.asarray(scale, value.dtype)

    def fired(self) -> Bool[Array, " n"]:
        """One boolean per neuron."""
        above = self.value > self.threshold
        return above if self.armed is None else above & self.armed

    def count(self) -> Int[Array, ""]:
        """How many neurons spike."""
        return jnp.sum(self.counts(), dtype=jnp.int32)

    def counts(self) -> Int[Array, "..."]:
        """Numbers that add up to `count`: one per word, where the spikes are packed already.

        What adds them up over time needs no sum over neurons in every step.
        """
        if self.words is not None:
            return jax.lax.population_count(self.words).astype(jnp.int32)
        return jnp.sum(self.fired(), dtype=jnp.int32)

    def packed(self) -> UInt32[Array, " words"]:
        """One bit per neuron: neuron i is bit i // words of word i % words, words = ceil(n/32).

        Slices of the membrane variable are compared and shifted, so it is read once.
        """
        if self.words is not None:
            return self.words
        value, threshold, armed = jax.lax.stop_gradient((self.value, self.threshold, self.armed))

        def fired(part):
            own = lambda x: x if x.ndim == 0 else jax.lax.slice_in_dim(x, part.start, part.stop)
            above = own(value) > own(threshold)
            return above if armed is None else above & own(armed)

        return pack(fired, value.shape[0])

    def values(self, surrogate: AbstractSurrogate | None = None) -> Float[Array, " n"]:
        """Spikes as 0 and 1 with the derivative of `surrogate` (default: the population's own)."""
        surrogate = surrogate or self.surrogate or Triangle()
        spikes = surrogate(self.distance())
        return spikes if self.armed is None else jnp.where(self.armed, spikes, 0.0)

    def distance(self) -> Float[Array, " n"]:
        """The argument of the surrogate, positive above threshold."""
        return distance(self.value, self.threshold, self.scale)


def distance(value, threshold, scale) -> Array:
    """How far a value is above threshold, in units of a scale where there is one."""
    above = value - threshold
    return above if scale is None else above / scale


def pack(condition, n: int) -> UInt32[Array, " words"]:
    """One bit per neuron, laid out as in `SpikeOutput.packed`.

    `condition(part)` gives the booleans of the neurons in a slice.
    """
    words = -(-n // _BITS)
    packed = jnp.zeros(words, jnp.uint32)
    for bit in range(_BITS):
        lo, hi = bit * words, min((bit + 1) * words, n)
        if lo >= hi:
            break
        bits = jax.lax.convert_element_type(condition(slice(lo, hi)), jnp.uint32)
        bits = jax.lax.shift_left(bits, np.uint32(bit))
        short = words - (hi - lo)
        packed = jax.lax.bitwise_or(packed, jnp.pad(bits, (0, short)) if short else bits)
    return packed


def unpack(words, n: int):
    """Booleans [..., neuron] from packed words [..., word], in numpy or in JAX as these are."""
    shifts = np.arange(_BITS, dtype=np.uint32)
    bits = (words[..., None, :] >> shifts[:, None]) & np.uint32(1)
    return bits.reshape(*words.shape[:-1], _BITS * words.shape[-1])[..., :n].astype(bool)


def shortest(dt) -> float:
    """0.1 for the 32-bit number that is nearest to 0.1."""
    return float(str(np.asarray(dt)))


class SpikeRecord(eqx.Module):
    """All spikes of one population, no matter how many: nothing overflows, nothing is dropped.

    Arguments:
        steps: the recorded steps' end labels (integers); outside jit only steps with spikes.
        words: packed spikes of each recorded step, see `SpikeOutput.packed`.
        dt: step length in ms.
        n: number of neurons.

    Example:
        >>> import jax.numpy as jnp, neurojax as nj
        >>> fired = nj.SpikeOutput(jnp.array([-60.0, -49.0]), -50.0).packed()
        >>> record = nj.SpikeRecord(jnp.array([7]), fired[None], jnp.array(0.5), 2)
        >>> record.times, record.neurons
        (array([3.5]), array([1]))
    """

    steps: Int[Array | np.ndarray, "*batch time"]
    words: UInt32[Array | np.ndarray, "*batch time words"]
    dt: Float[Array | np.ndarray, "*batch"]
    n: int = eqx.field(static=True)

    @cached_property
    def _events(self):
        # decoded once: the record itself never changes
        if not known(self.steps, self.words, self.dt):
            raise ValueError(
                "times, neurons, train and counts of a SpikeRecord are there outside jit, vmap and "
                "grad only; return the record and read it there, or inside use sim.stats.spikes "
                "(spikes by population) or record={'s': nj.Trace('E.spikes')} (0 and 1 by step and "
                "neuron)"
            )
        if np.ndim(self.steps) != 1:
            raise ValueError(
                "this record holds a batch of runs (vmap); pick one first, for example "
                "jax.tree.map(lambda x: x[0], sim)"
            )
        row, neuron = np.nonzero(unpack(np.asarray(self.words), self.n))
        return np.asarray(self.steps)[row], neuron

    @property
    def times(self) -> np.ndarray:
        """Spike times in ms, in order of time; host-side."""
        return self._events[0] * shortest(self.dt)

    @property
    def neurons(self) -> np.ndarray:
        """The neuron of each entry of `times`."""
        return self._events[1]

    def train(self, neuron: int) -> np.ndarray:
        """Spike times of one neuron in ms; negative numbers count from the last.

        Raises:
            ValueError: `neuron` is no whole number.
            IndexError: there is no such neuron.
        """
        try:
            number = index(neuron)
        except TypeError:
            raise ValueError(f"neuron must be a whole number, got {neuron!r}") from None
        if not -self.n <= number < self.n:
            raise IndexError(
                f"there is no neuron {number}; neurons run from 0 to {self.n - 1}, and from -1 "
                f"down to {-self.n} from the last"
            )
        steps, neurons = self._events
        return steps[neurons == number % self.n] * shortest(self.dt)

    def counts(self) -> np.ndarray:
        """Number of spikes of each neuron, shape (n,)."""
        return np.bincount(self._events[1], minlength=self.n)
