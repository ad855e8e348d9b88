"""Training of the distribution of output sequences."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ..parameters import split
from ..sinkhorn import sinkhorn_divergence
from ..unroll import unroll
from .bptt import BPTT, apply
from .rule import AbstractRule


@final
class Sinkhorn(AbstractRule):
    r"""Makes the sequences of a batch as a whole like those that are wanted, by gradient.

    The loss is the `sinkhorn_divergence` between the output sequences of the batch and its target
    sequences, each flattened to one point of time times outputs; which trial makes which sequence
    does not matter. Outputs are logits of symbols, drawn with Gumbel noise,

    $$o_t = \mathrm{onehot}\big(\arg\max_k (z_{t,k} + \gamma_{t,k})\big), \qquad
      \frac{\partial o_t}{\partial z_t} := \frac{\partial}{\partial z_t}
      \mathrm{softmax}\big((z_t + \gamma_t) / T\big)$$

    (straight through: hard symbols forwards, soft ones backwards). Steps count by `mask`, which
    should be the same for all trials.

    Arguments:
        optimizer: from optax; chain `optax.clip_by_global_norm` before it.
        epsilon: of the divergence, in units of half squared distances: two one-hot sequences that
            differ in k steps have a cost of k.
        iterations: of the divergence.
        temperature: T.
        symbols: false takes the outputs themselves, without logits and noise.
        freeze: names of parameters that are left as they are.

    Raises:
        ValueError: for an epsilon or temperature that is not positive, or no iterations.

    Source: Torre et al. (2025), arXiv:2510.25674; straight-through samples: Jang, Gu and Poole
    (2017), International Conference on Learning Representations, arXiv:1611.01144.

    Example:
        >>> import optax, neurojax as nj
        >>> task = nj.tasks.HiddenMarkov.linear_chain(2, length=100.0, noise_channels=4)
        >>> circuit = nj.circuits.LeakyRNN(
        ...     10, inputs=4, outputs=3, nonlinearity="relu", key=jax.random.key(0)
        ... )
        >>> rule = nj.fitting.rules.Sinkhorn(optax.adam(1e-3), epsilon=0.1, iterations=10)
        >>> trained = nj.train(circuit, task, rule=rule, steps=2, batch=8, progress=False)
        >>> trained.losses.shape
        (2,)
    """

    objective: BPTT
    epsilon: float
    iterations: int = eqx.field(static=True)
    temperature: float
    symbols: bool = eqx.field(static=True)

    def __init__(
        self,
        optimizer: optax.GradientTransformation,
        *,
        epsilon: float = 0.05,
        iterations: int = 20,
        temperature: float = 1.0,
        symbols: bool = True,
        freeze: Any = (),
    ):
        for name, value in (("epsilon", epsilon), ("temperature", temperature)):
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}")
        self.objective = BPTT(optimizer, freeze=freeze)
        self.epsilon, self.iterations = float(epsilon), int(iterations)
        self.temperature, self.symbols = float(temperature), symbols

    @property
    def follows_recorded(self) -> bool:
        """False: it learns from targets of the outputs alone."""
        return False

    def init(self, circuit, trials, key):
        """See `AbstractRule`."""
        return self.objective.init(circuit, trials, key)

    def update(self, circuit, state, trials, key):
        """See `AbstractRule`."""
        parameters, rest = split(circuit, self.objective.freeze)
        value, slope = jax.value_and_grad(
            lambda p: self.value(eqx.combine(p, rest), trials, key)
        )(parameters)  # fmt: skip
        return apply(self.objective.optimizer, parameters, rest, state, value, slope)

    def value(self, circuit, trials, key):
        """The divergence of a circuit's sequences from those of the trials."""
        noise, draws = jax.random.split(key)
        outputs = unroll(circuit, trials, key=noise).outputs
        if self.symbols:
            outputs = straight_through(draws, outputs, self.temperature)
        weight = jnp.sqrt(trials.mask)[..., None]  # so that squared distances count by the mask
        wanted = jnp.where(weight > 0, trials.targets, 0.0)
        flat = lambda sequences: (weight * sequences).reshape(len(trials), -1)
        return sinkhorn_divergence(
            flat(outputs), flat(wanted), epsilon=self.epsilon, iterations=self.iterations
        )


def straight_through(
    key, logits: Float[Array, "... symbols"], temperature: float = 1.0
) -> Float[Array, "... symbols"]:
    r"""Symbols drawn from logits, one-hot, with the slope of a softmax.

    The values are exact draws, $P(k) = \mathrm{softmax}(z)_k$; their derivative by the logits is
    that of $\mathrm{softmax}((z + \gamma)/T)$ with the Gumbel noise of the draw.

    Arguments:
        key: of the draw.
        logits: z.
        temperature: T of the derivative.

    Source: Jang, Gu and Poole (2017), International Conference on Learning Representations,
    arXiv:1611.01144.

    Example:
        >>> import jax, jax.numpy as jnp, neurojax as nj
        >>> logits = jnp.tile(jnp.log(jnp.array([0.2, 0.8])), (1000, 1))
        >>> draws = nj.fitting.rules.straight_through(jax.random.key(0), logits)
        >>> 0.75 < float(draws[:, 1].mean()) < 0.85
        True
    """
    noisy = logits + jax.random.gumbel(key, logits.shape, logits.dtype)
    soft = jax.nn.softmax(noisy / temperature, axis=-1)
    hard = jax.nn.one_hot(jnp.argmax(noisy, axis=-1), logits.shape[-1], dtype=logits.dtype)
    return hard + (soft - jax.lax.stop_gradient(soft))
