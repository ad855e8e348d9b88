"""Optimizers at the door."""

import optax


def check_optimizer(optimizer) -> None:
    """An optimizer is one of optax."""
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(
            f"optimizer must come from optax, for example optax.adam(1e-3), got {optimizer!r}"
        )
