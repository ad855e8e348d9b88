"""How far apart a reservoir takes the classes of its inputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from neurojax.core.tracing import known

from .._activity import activity


def separation(states: Any, classes: Any, *, count: int | None = None) -> Float[Array, ""]:
    r"""The separation of classes of inputs in the states of a reservoir.

    $$\mathrm{Sep} = \frac{c_d}{c_v + 1}, \qquad
      c_d = \frac{1}{N^2} \sum_{m, n} \|\mu_m - \mu_n\|, \qquad
      c_v = \frac{1}{N} \sum_m \frac{1}{|O_m|} \sum_{o \in O_m} \|\mu_m - o\|$$

    with $\mu_m$ the mean of the states $O_m$ of class m, of N classes. It has the unit of the
    states: compare reservoirs on the same scale.

    Arguments:
        states: [sample, unit].
        classes: [sample], whole numbers from 0.
        count: N; by default one more than the largest of `classes`, which must then be known
            (inside `jit` give it).

    Returns:
        A number of at least 0.

    Raises:
        ValueError: for shapes that do not fit, classes that are no whole numbers from 0 to N - 1,
            or a class without a sample.

    Source:
        Goodman and Ventura (2006), IJCNN; Norton and Ventura (2010), Neurocomputing 73:2893.

    Example:
        >>> separation([[0.0], [2.0], [10.0], [12.0]], [0, 0, 1, 1]).item()
        2.5
    """
    x = activity(states, "states")
    labels = np.asarray(classes) if known(classes) else classes
    if labels.shape != (x.shape[0],) or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"classes must be {x.shape[0]} whole numbers, one for each state, got shape "
            f"{labels.shape} of {labels.dtype}"
        )
    if isinstance(labels, np.ndarray):
        count = int(labels.max()) + 1 if count is None else count
        if set(np.unique(labels)) != set(range(count)):
            raise ValueError(
                f"classes must take all whole numbers from 0 to {count - 1}, got "
                f"{np.unique(labels).tolist()}"
            )
    elif count is None:
        raise ValueError("count must be given where classes are not known: inside jit or vmap")
    member = jax.nn.one_hot(jnp.asarray(labels), count, dtype=x.dtype)  # [sample, class]
    sizes = jnp.sum(member, axis=0)
    means = jnp.matmul(member.T, x, precision="highest") / sizes[:, None]
    length = lambda v: jnp.sqrt(jnp.sum(v**2, axis=-1))
    between = jnp.sum(length(means[:, None, :] - means[None, :, :])) / count**2
    spread = length(x - means[jnp.asarray(labels)])
    within = jnp.mean(jnp.matmul(spread, member, precision="highest") / sizes)
    return between / (within + 1.0)
