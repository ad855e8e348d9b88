"""Many settings of a model in one compiled call."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.errors import UnknownNameError, suggestion
from neurojax.core.parameter_checks import check_count
from neurojax.core.progress import ProgressBar
from neurojax.core.threads import one_blas_thread

_AT_ONCE = 20  # on a CPU
_WANT_NUMBERS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


@final
class Sweep(eqx.Module):
    """The scores of every combination of settings.

    Arguments:
        settings: the values of each setting by name, in the order of the axes.
        scores: by name, numpy arrays of shape (models, settings...), with further axes if the
            function gave arrays. A function that gives one number has the name `"score"`.

    Example:
        >>> import neurojax as nj
        >>> table = nj.fitting.sweep(lambda a, b: a * b, {"a": [1.0, 2.0], "b": [3.0, 4.0, 5.0]})
        >>> table.scores["score"].shape, table.best()
        ((1, 2, 3), {'a': 1.0, 'b': 3.0})
        >>> table.to_pandas().columns.tolist()
        ['model', 'a', 'b', 'score']
    """

    settings: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]

    def best(self, score: str | None = None, *, largest: bool = False) -> dict[str, float]:
        """The settings with the smallest (or largest) median over the models of a score.

        Settings whose score is not finite in one of the models are passed over.

        Raises:
            UnknownNameError: for a name that is not among the scores.
            ValueError: if no setting has finite scores.
        """
        values = self._score(score)
        finite = np.all(np.isfinite(values), axis=0)
        if not np.any(finite):
            raise ValueError("no setting has finite scores in all models")
        median = np.median(np.where(finite[None], values, 0.0), axis=0)
        medians = np.where(finite, median, -np.inf if largest else np.inf)
        place = np.argmax(medians) if largest else np.argmin(medians)
        index = np.unravel_index(place, medians.shape)
        found = zip(self.settings.items(), index, strict=True)
        return {name: values[i].item() for (name, values), i in found}

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each model and combination of settings.

        Raises:
            ValueError: if the column of an entry of an array, such as `v_0`, has the name of a
                setting or of another score.
        """
        import pandas as pd

        axes = [np.arange(self._models), *self.settings.values()]
        grids = np.meshgrid(*axes, indexing="ij")
        names = ["model", *self.settings]
        columns = {name: grid.ravel() for name, grid in zip(names, grids, strict=True)}
        for name, values in self.scores.items():
            flat = values.reshape(grids[0].size, -1)
            for i in range(flat.shape[1]):
                column = name if flat.shape[1] == 1 else f"{name}_{i}"
                if column != name and column in {*names, *self.scores}:
                    raise _taken(column, name)
                columns[column] = flat[:, i]
        return pd.DataFrame(columns)

    def to_xarray(self) -> Any:
        """An `xarray.Dataset` with the dimensions `model` and the settings.

        Raises:
            ValueError: if a further axis of a score, such as `v_0`, has the name of a setting or
                of another score.
        """
        import xarray as xr

        names = ["model", *self.settings]
        data = {}
        for name, values in self.scores.items():
            more = [f"{name}_{i}" for i in range(values.ndim - len(names))]
            for axis in more:
                if axis in {*names, *self.scores}:
                    raise _taken(axis, name)
            data[name] = ([*names, *more], values)
        return xr.Dataset(data, coords={"model": np.arange(self._models), **self.settings})

    @property
    def _models(self) -> int:
        return next(iter(self.scores.values())).shape[0]

    def _score(self, name):
        name = next(iter(self.scores)) if name is None else name
        if name not in self.scores:
            raise UnknownNameError(f"no score {name!r}.{suggestion(name, self.scores)}")
        values = self.scores[name]
        if values.ndim != 1 + len(self.settings):
            raise ValueError(f"score {name!r} is not one number for each setting: {values.shape}")
        return values


def sweep(
    function: Callable,
    settings: Mapping[str, Any],
    *,
    models: Any = None,
    batch: int | None = None,
    progress: bool = False,
) -> Sweep:
    """A function of all combinations of settings, by `vmap`, compiled once for each structure.

    The settings are an axis of every array, while what does not depend on them, such as the weights
    of a reservoir, is shared: a product of a matrix and a vector becomes one of two matrices.
    Inside of the function they are traced numbers. So sizes, numbers of steps, names and other
    choices that shape the program need a sweep each, or `search`.

    Arguments:
        function: pure, of keyword arguments named as the settings, each a scalar; with `models`
            the model comes first. Gives a number, or a dictionary of numbers or arrays.
        settings: values (numbers) of each setting by name.
        models: a model, or a list or another iterable of models such as one for each seed. Those
            whose structures are the same share one compiled program; others, such as networks
            with other numbers of synapses, have one each.
        batch: combinations at once; default all, on a CPU about 20, since what they need more often
            stays in its caches. Fewer need less memory.
        progress: show a progress bar.

    Raises:
        ValueError: for settings without values, with values that are not real or beyond the
            integers of JAX, a function that needs their plain values, models that are none, scores
            whose shapes differ among models.
        TypeError: if the function gives something else.

    Example:
        >>> import equinox as eqx, jax, jax.numpy as jnp, neurojax as nj
        >>> x = jnp.sin(0.3 * jnp.arange(300.0))[:, None]
        >>> def error(reservoir, radius, leak):
        ...     where = lambda r: (r.radius, r.leak)
        ...     changed = eqx.tree_at(where, reservoir, (radius, leak))
        ...     return nj.fitting.fit_readout(changed, x[:-1], x[1:], washout=50).nrmse
        >>> seeds = [nj.circuits.EchoState(20, inputs=1, key=jax.random.key(i)) for i in range(2)]
        >>> table = nj.fitting.sweep(
        ...     error, {"radius": [0.5, 0.9], "leak": [0.3, 1.0]}, models=seeds
        ... )
        >>> table.scores["score"].shape
        (2, 2, 2)
    """
    values = {name: _values(name, given) for name, given in settings.items()}
    if not values:
        raise ValueError("sweep needs settings: a dictionary of names and values")
    listed = _models(models)
    grid = np.meshgrid(*values.values(), indexing="ij")
    count = grid[0].size
    if batch is None:
        parts = -(-count // _AT_ONCE) if jax.default_backend() == "cpu" else 1
        batch = -(-count // parts)
    check_count("batch", batch)
    batch = min(batch, count)
    columns = {name: g.ravel() for name, g in zip(values, grid, strict=True)}

    bar = ProgressBar(len(listed) * count, "sweep") if progress else None
    results = []
    with one_blas_thread():
        for i, model in enumerate(listed):
            parts = []
            for first in range(0, count, batch):
                # the last part is filled up, so that it needs no program of its own
                rows = np.minimum(np.arange(first, first + batch), count - 1)
                given = {name: jnp.asarray(c[rows]) for name, c in columns.items()}
                part = jax.block_until_ready(_all(function, model, given, models is not None))
                _check_names(values, part)  # now, not when all is done
                _check_alike(results[0] if results else part, part, i)
                kept = min(batch, count - first)
                parts.append(jax.tree.map(lambda x, kept=kept: np.asarray(x)[:kept], part))
                if bar:
                    bar.advance(kept)
            results.append(jax.tree.map(lambda *x: np.concatenate(x), *parts))
    if bar:
        bar.close()
    scores = jax.tree.map(lambda *x: np.stack(x), *results)
    shape = (len(listed), *(len(v) for v in values.values()))
    return Sweep(values, {name: x.reshape(*shape, *x.shape[2:]) for name, x in scores.items()})


@eqx.filter_jit
def _all(function, model, settings, with_model: bool):
    """The function of each row of settings; compiled again only for another function or shapes."""

    def one(settings):
        try:
            given = function(model, **settings) if with_model else function(**settings)
        except (IndexError, TypeError, ValueError) as error:
            if isinstance(error, _WANT_NUMBERS) or "Tracer" in str(error):
                raise ValueError(
                    "the function needs a plain value, but in a sweep the settings "
                    f"{list(settings)} are traced numbers: sizes and other choices that shape the "
                    "program need a sweep each, or nj.fitting.search"
                ) from error
            raise
        _check_given(given)
        return jax.tree.map(jnp.asarray, given if isinstance(given, dict) else {"score": given})

    return jax.vmap(one)(settings)


def _check_given(given) -> None:
    """A table has a column for each number; before anything runs, as it is traced."""
    named = isinstance(given, dict)
    values = list(given.values()) if named else [given]
    if values and all(eqx.is_array_like(value) for value in values):
        return
    found = f"a {type(given).__name__}"
    if named and values:
        name = next(name for name, value in given.items() if not eqx.is_array_like(value))
        found = f"a {type(given[name]).__name__} for {name!r}"
    elif isinstance(given, dict | tuple | list):
        found += f" of {len(given)}"
    raise TypeError(
        "the function must give a number, or a dictionary of numbers or arrays by name, got "
        + ("None: has it a return?" if given is None else found)
    )


def _check_names(settings, scores) -> None:
    """No setting is called as a score or as the axis over models, whose column it would take."""
    if taken := {"model", *scores} & set(settings):
        raise ValueError(
            f"the settings {sorted(taken)} have names of scores or of the axis 'model': rename them"
        )


def _check_alike(first, scores, number: int) -> None:
    """One table holds the scores of all models."""
    wanted, found = ({name: x.shape[1:] for name, x in s.items()} for s in (first, scores))
    if wanted.keys() != found.keys():
        raise ValueError(
            f"models[{number}] gives the scores {sorted(found)}, models[0] {sorted(wanted)}: they "
            "have no table in common, run them in sweeps of their own"
        )
    for name, shape in found.items():
        if shape != wanted[name]:
            raise ValueError(
                f"models[{number}] gives the score {name!r} of shape {shape}, models[0] of shape "
                f"{wanted[name]}: give numbers, or run them in sweeps of their own"
            )


def _taken(name: str, score: str) -> ValueError:
    return ValueError(
        f"an array of the score {score!r} takes the name {name!r} of a setting or another score: "
        "rename that, or read scores"
    )


def _values(name, given) -> np.ndarray:
    values = np.atleast_1d(np.asarray(given))
    values = values.astype(int) if values.dtype == bool else values
    number = np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)
    if values.ndim != 1 or values.size == 0 or not number:
        raise ValueError(
            f"setting {name!r} must be a list of real numbers, got {given!r}: other choices need a "
            "sweep each, or nj.fitting.search"
        )
    if not np.issubdtype(values.dtype, np.integer):
        return values.astype(float)
    held = np.iinfo(jax.dtypes.canonicalize_dtype(values.dtype))
    if values.min() < held.min or values.max() > held.max:
        raise ValueError(
            f"setting {name!r} must lie from {held.min} to {held.max}, got {given!r}: give "
            "floating point, or set jax_enable_x64"
        )
    return values


def _models(models) -> Sequence[Any]:
    one = isinstance(models, str) or eqx.is_array_like(models)
    if isinstance(models, Iterable) and jax.tree_util.all_leaves([models]) and not one:
        models = list(models)  # such as a generator; what JAX takes apart is a model
    if not isinstance(models, list | tuple):
        return [models]
    if not models:
        raise ValueError("models must be a model or a list of models, got an empty list")
    for i, model in enumerate(models):
        if isinstance(model, str | int | float | complex | np.generic):
            raise ValueError(
                f"models[{i}] must be a model, got {model!r}: values that differ are settings"
            )
    return models
