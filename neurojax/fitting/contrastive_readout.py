"""Projections of the features of two circuits under which what belongs together is alike."""

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from neurojax.circuits.recurrent import check_finite
from neurojax.core.keys import own_or_first
from neurojax.core.parameter_checks import check_count

from ._optimizers import check_optimizer

_LEAST_TEMPERATURE = 0.01  # as in CLIP


@final
class ContrastiveReadout(eqx.Module):
    """Linear projections of two kinds of features into a common space.

    Arguments:
        first: (dimension, features of the first circuit).
        second: (dimension, features of the second circuit).
        log_temperature: of the softmax over pairs.
        first_scale: mean and standard deviation of each feature, (2, features).
        second_scale: likewise.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.contrastive_readout import ContrastiveReadout
        >>> plain = jnp.array([[0.0, 0.0], [1.0, 1.0]])  # mean 0, standard deviation 1
        >>> readout = ContrastiveReadout(
        ...     jnp.eye(2), jnp.eye(2)[::-1], jnp.log(jnp.array(0.1)), plain, plain
        ... )
        >>> readout.retrieve([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).tolist()
        [1]
    """

    first: Float[Array, "dimension m"]
    second: Float[Array, "dimension n"]
    log_temperature: Float[Array, ""]
    first_scale: Float[Array, "2 m"]
    second_scale: Float[Array, "2 n"]

    @property
    def temperature(self) -> Array:
        """At least 0.01."""
        return jnp.maximum(jnp.exp(self.log_temperature), _LEAST_TEMPERATURE)

    def embed_first(self, features: Any) -> Float[Array, "samples dimension"]:
        """Unit vectors for features (samples, m) of the first circuit."""
        return _embedded("first", self.first, self.first_scale, features)

    def embed_second(self, features: Any) -> Float[Array, "samples dimension"]:
        """Unit vectors for features (samples, n) of the second circuit."""
        return _embedded("second", self.second, self.second_scale, features)

    def similarities(self, first: Any, second: Any) -> Float[Array, "samples others"]:
        """Cosines between all samples of the first and all of the second."""
        return self.embed_first(first) @ self.embed_second(second).T

    def retrieve(self, first: Any, second: Any) -> Array:
        """The most similar of the second for each of the first, as an index."""
        return jnp.argmax(self.similarities(first, second), axis=1)


def info_nce(similarities: Any, temperature: Any = 1.0) -> Float[Array, ""]:
    r"""The symmetric contrastive loss of a square table whose diagonal belongs together.

    $$L = -\frac{1}{2B} \sum_b \Big( \log \frac{e^{s_{bb}/\tau}}{\sum_c e^{s_{bc}/\tau}}
          + \log \frac{e^{s_{bb}/\tau}}{\sum_c e^{s_{cb}/\tau}} \Big)$$

    Arguments:
        similarities: s, shape (B, B).
        temperature: $\tau$.

    Raises:
        ValueError: if the table is not square.

    Source: van den Oord et al. (2018), arXiv:1807.03748; Radford et al. (2021), arXiv:2103.00020.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.fitting.contrastive_readout import info_nce
        >>> round(float(info_nce(jnp.zeros((4, 4)))), 4)  # log 4
        1.3863
    """
    table = jnp.asarray(similarities, float)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"similarities must be square, pairs on the diagonal, got {table.shape}")
    scaled = table / temperature
    rows = jnp.diagonal(jax.nn.log_softmax(scaled, axis=1))
    columns = jnp.diagonal(jax.nn.log_softmax(scaled, axis=0))
    return -0.5 * jnp.mean(rows + columns)


def contrastive_readout(
    first: Any, second: Any, *, dimension: int = 16, steps: int = 500, batch: int = 64,
    optimizer: optax.GradientTransformation | None = None, temperature: float | int = 0.1,
    key: Any = None,
) -> tuple[ContrastiveReadout, Float[Array, " steps"]]:  # fmt: skip
    """Projections of the features of two circuits that saw the same samples.

    Features are standardised by their means and standard deviations; then the two projections and
    the temperature follow the gradient of `info_nce` of batches of pairs. Nothing is said about
    classes, so pairs of classes that were not seen can be matched.

    Arguments:
        first: features of the first circuit, (samples, m), such as spike counts.
        second: features of the second one, (samples, n), of the same samples in the same order.
        dimension: of the common space.
        steps: updates.
        batch: pairs in each of them, two at least.
        optimizer: from optax; default AdamW with rate 1e-2 and weight decay 1e-2.
        temperature: at the start.
        key: of the projections at the start and of the batches; default key 0.

    Returns:
        The read-out, and the loss of each batch.

    Raises:
        ValueError: for shapes that do not fit, a number that is not positive, or batches of one
            pair.

    Source: the loss as in Radford et al. (2021), arXiv:2103.00020, on random recurrent circuits.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from neurojax.fitting.contrastive_readout import contrastive_readout
        >>> latent = jax.random.normal(jax.random.key(0), (200, 4))
        >>> other = latent @ jax.random.normal(jax.random.key(1), (4, 6))
        >>> readout, losses = contrastive_readout(latent, other, dimension=4, steps=200)
        >>> bool(losses[-1] < 0.5 * losses[0])
        True
    """
    first, second = jnp.asarray(first, float), jnp.asarray(second, float)
    if first.ndim != 2 or second.ndim != 2 or first.shape[0] != second.shape[0]:
        raise ValueError(
            "first and second must have shapes (samples, features) with as many samples, got "
            f"{first.shape} and {second.shape}"
        )
    check_finite("first", first)
    check_finite("second", second)
    for name, value in (("dimension", dimension), ("steps", steps), ("batch", batch)):
        check_count(name, value)
    if batch < 2:
        raise ValueError(f"batch must be two pairs at least, got {batch}: one pair has no contrast")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if first.shape[0] < 2:
        raise ValueError("a contrast needs at least two samples")
    batch = min(batch, first.shape[0])
    keys = jax.random.split(own_or_first(key), 3)
    drawn = lambda key, n: jax.random.normal(key, (dimension, n)) / np.sqrt(n)
    start = ContrastiveReadout(
        drawn(keys[0], first.shape[1]), drawn(keys[1], second.shape[1]),
        jnp.log(jnp.asarray(temperature, float)), _scale(first), _scale(second),
    )  # fmt: skip
    optimizer = optax.adamw(1e-2, weight_decay=1e-2) if optimizer is None else optimizer
    check_optimizer(optimizer)
    return _trained(start, first, second, optimizer, jax.random.split(keys[2], steps), batch)


@eqx.filter_jit
def _trained(start, first, second, optimizer, keys, batch):
    where = lambda r: (r.first, r.second, r.log_temperature)

    def loss(trained, chosen):
        readout = eqx.tree_at(where, start, trained)
        similar = readout.similarities(first[chosen], second[chosen])
        return info_nce(similar, readout.temperature)

    def update(carry, key):
        trained, state = carry
        chosen = jax.random.choice(key, first.shape[0], (batch,), replace=False)
        value, slope = jax.value_and_grad(loss)(trained, chosen)
        change, state = optimizer.update(slope, state, trained)
        return (optax.apply_updates(trained, change), state), value

    begin = (where(start), optimizer.init(where(start)))
    (trained, _), losses = jax.lax.scan(update, begin, keys)
    return eqx.tree_at(where, start, trained), losses


def _scale(features):
    """Mean and standard deviation of each feature; 1 for one that does not vary."""
    spread = jnp.std(features, axis=0)
    return jnp.stack([jnp.mean(features, axis=0), jnp.where(spread > 0, spread, 1.0)])


def _embedded(name: str, projection, scale, features):
    features = jnp.asarray(features, projection.dtype)
    if features.ndim != 2 or features.shape[1] != projection.shape[1]:
        raise ValueError(
            f"features of the {name} circuit must have shape (samples, {projection.shape[1]}), got "
            f"{features.shape}"
        )
    centred = features - jnp.broadcast_to(scale[0], features.shape)
    z = (centred / jnp.broadcast_to(scale[1], features.shape)) @ projection.T
    # the square root of 0 has no derivative
    return z * jax.lax.rsqrt(jnp.sum(z * z, axis=-1, keepdims=True) + 1e-12)
