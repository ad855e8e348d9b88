"""Which leaves of an estimator are trained, and how fast."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import paramax

from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.paths import leaf_names


def split(estimator, freeze: Iterable[str]) -> tuple[Any, Any]:
    """Trainable arrays and the rest.

    Trainable is every floating-point array outside `nj.frozen(...)` whose dotted name does not
    begin with a name in `freeze`.

    Raises:
        UnknownNameError: if a name in `freeze` fits no trainable leaf.
        ValueError: if nothing is left to train.
    """
    is_frozen = lambda x: isinstance(x, paramax.NonTrainable)
    trainable, rest = eqx.partition(estimator, eqx.is_inexact_array, is_leaf=is_frozen)
    chosen = _matching(trainable, freeze, "freeze")
    flags = jax.tree.unflatten(jax.tree.structure(trainable), [not c for c in chosen])
    kept, dropped = eqx.partition(trainable, flags)
    if not jax.tree.leaves(kept):
        raise ValueError("nothing is left to train: every parameter is frozen")
    return kept, eqx.combine(dropped, rest)  # this order: a frozen wrapper fills a hole whole


def rates(trainable, learning_rates: Mapping[str, float]) -> Any:
    """A factor for each trainable leaf, shaped like the tree."""
    leaves, tree = jax.tree.flatten(trainable)
    factors = [1.0] * len(leaves)
    for name, factor in learning_rates.items():
        if not factor >= 0:
            raise ValueError(
                f"learning_rates[{name!r}] must be a factor of at least 0, got {factor}"
            )
        for i, hit in enumerate(_matching(trainable, [name], "learning_rates")):
            if hit:
                factors[i] = float(factor)
    return jax.tree.unflatten(tree, [jnp.asarray(f) for f in factors])


def _matching(tree, prefixes: Iterable[str], argument: str) -> list[bool]:
    """Which leaves have a name that begins with one of the prefixes."""
    names = leaf_names(tree)
    hits = [False] * len(names)
    for prefix in prefixes:
        fits = [_begins(name, prefix) or _begins(name, f"circuit.{prefix}") for name in names]
        if not any(fits):
            shown = {name.split(".args")[0] for name in names}
            shown |= {name.removeprefix("circuit.") for name in shown}
            raise UnknownNameError(
                f"{argument}: no trainable parameter is called {prefix!r}."
                + suggestion(prefix, sorted(shown))
            )
        hits = [a or b for a, b in zip(hits, fits, strict=True)]
    return hits


def _begins(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
