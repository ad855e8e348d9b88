"""`Builder`: a recipe of a graph, to be built once the numbers of neurons are known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from .edges import Edges
from .pairs import Pairs


@final
@dataclass(frozen=True, eq=False, repr=False)
class Builder:
    """A recipe of a graph; the functions of this package give one.

    For a recipe of your own, write a function `draw(pairs, rng, **arguments)` that gives `Edges`;
    `pairs` is a `Pairs`, which also says what would be an edge of a neuron with itself.

    Arguments:
        name: of the recipe.
        arguments: what `draw` takes beside the pairs and the generator.
        draw: makes the edges.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> graph = nj.connectivity.fixed_outdegree(2)
        >>> graph
        fixed_outdegree(k=2)
        >>> rng = np.random.default_rng(0)
        >>> graph.build(4, 5, rng).out_degrees().tolist()
        [2, 2, 2, 2]
        >>> def chain(pairs, rng, step):
        ...     pre = np.arange(pairs.n_pre - step)
        ...     return nj.connectivity.Edges(pre, pre + step, pairs.n_pre, pairs.n_post)
        >>> nj.connectivity.Builder("chain", {"step": 2}, chain).build(4, 4, rng).post.tolist()
        [2, 3]
    """

    name: str
    arguments: Mapping[str, Any]
    draw: Callable[..., Edges]

    def __repr__(self) -> str:
        shown = [
            f"{name}={_shown(value)}"
            for name, value in self.arguments.items()
            if value is not None and value is not False
        ]
        return f"{self.name}({', '.join(shown)})"

    def build(
        self,
        n_pre: int,
        n_post: int,
        rng: np.random.Generator,
        *,
        pre_ids=None,
        post_ids=None,
    ) -> Edges:
        """The graph for these numbers of neurons.

        Arguments:
            n_pre: number of neurons on the sending side.
            n_post: number of neurons on the receiving side.
            rng: source of chance, such as `np.random.default_rng(0)`; the same seed gives the
                same graph on every platform.
            pre_ids: identities of the neurons of the sending side, for self-edges: see `Pairs`.
            post_ids: those of the receiving side.

        Raises:
            ValueError: the numbers do not fit the recipe; the message says what to do.
            TypeError: `rng` is no numpy generator.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"rng must be a numpy generator such as np.random.default_rng(0), got {rng!r}"
            )
        return self.draw(Pairs(n_pre, n_post, pre_ids, post_ids), rng, **self.arguments)


def _shown(value: Any) -> str:
    """Numbers and words as they are, large things by their shape."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and np.size(value) > 4:
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    return value.tolist().__repr__() if isinstance(value, np.ndarray) else repr(value)
