r"""How the change of a weight depends on the weight itself.

With $u = (w - w_{min}) / (w_{max} - w_{min})$:

| name | potentiation $F_+$ | depression $F_-$ |
|---|---|---|
| `"additive"` | $1$ | $1$ |
| `"multiplicative"` | $1 - u$ | $u$ |
| `"gutig"` | $(1 - u)^{\mu_+}$ | $u^{\mu_-}$ |
| `"power_law"` | $(w / w_0)^{\mu_+}$ | $w / w_0$ |

Source: Gütig et al. (2003), J. Neurosci. 23:3697; Morrison et al. (2007), Neural Comput. 19:1437.
"""

import jax.numpy as jnp
from jaxtyping import Array

DEPENDENCES = ("additive", "multiplicative", "power_law", "gutig")
BOUNDED = ("multiplicative", "gutig")  # those that need both bounds


def potentiation(kind: str, w: Array, w_min, w_max, mu, w_0) -> Array:
    """$F_+$ of the table.

    Example:
        >>> import jax.numpy as jnp
        >>> potentiation("multiplicative", jnp.array([0.0, 1.0]), 0.0, 4.0, None, None).tolist()
        [1.0, 0.75]
    """
    if kind == "additive":
        return jnp.ones_like(w)
    if kind == "power_law":
        return _power(w / w_0, mu)
    room = jnp.clip((w_max - w) / (w_max - w_min), 0.0, 1.0)
    return room if kind == "multiplicative" else _power(room, mu)


def depression(kind: str, w: Array, w_min, w_max, mu, w_0) -> Array:
    """$F_-$ of the table.

    Example:
        >>> import jax.numpy as jnp
        >>> depression("power_law", jnp.array([0.0, 1.0]), 0.0, None, 0.4, 2.0).tolist()
        [0.0, 0.5]
    """
    if kind == "additive":
        return jnp.ones_like(w)
    if kind == "power_law":
        return w / w_0
    u = jnp.clip((w - w_min) / (w_max - w_min), 0.0, 1.0)
    return u if kind == "multiplicative" else _power(u, mu)


def _power(x, mu) -> Array:
    """X to the power mu, also where x is zero: there mu = 0 gives 1, and no infinite slope."""
    positive = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, positive**mu, jnp.where(mu == 0, 1.0, 0.0))
