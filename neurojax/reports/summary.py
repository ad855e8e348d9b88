"""The numbers of a fit, as a dictionary that can be written as JSON."""

import dataclasses
import math
import platform
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from neurojax._version import __version__
from neurojax.fitting import Fit, Scores, average, bootstrap_interval, edge_weights
from neurojax.fitting.forecasts import (
    HORIZONS,
    ForecastErrors,
    forecast_baselines,
    forecast_errors,
)
from neurojax.fitting.free_run import free_run
from neurojax.fitting.scores import one_row_per_kind

from .verdict import gain_over, verdict


def summary(fit: Fit, *, thorough: bool = False) -> dict[str, Any]:
    """What a fit found: scores beside controls and baselines, set-up, sources.

    Arguments:
        fit: what `neurojax.fit` returned.
        thorough: all baselines, not only those that the headline needs.

    Returns:
        A dictionary of texts, numbers, lists and dictionaries; what is not defined is `None`.
        `verdict`: the headline in words, one sentence or more for each protocol. `protocols`: by
        name, `rows` (method, kind, r, sd and interval over animals, r of each animal, spread over
        seeds, median R², squared error) and `gain` over the shuffled connectomes. `forecasts`:
        squared errors by horizon. `weights`, `setup`, `animals`, `sources`: what they say.

    Example:
        >>> import jax, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:9])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> [row["method"] for row in summary(fit)["protocols"]["later time"]["rows"]][0]
        'circuit'
    """
    weights = edge_weights(fit.circuit)
    baselines = fit.all_baselines if thorough else fit.baselines
    protocols = {name: _protocol(fit, name, baselines.get(name, [])) for name in fit.rows}
    found = {
        "verdict": [],
        "protocols": protocols,
        "held_out_loss": fit.jobs[0].held_out_loss,
        "forecasts": [
            {"method": row.name, "mse": dict(zip(map(str, row.horizons), row.mean, strict=True))}
            for row in forecasts(fit)
        ],
        "weights": {kind: edges.correlation for kind, edges in (weights or {}).items()},
        "setup": _setup(fit),
        "animals": _animals(fit),
        "sources": _sources(fit),
    }
    found = _plain(found)
    found["verdict"] = verdict(found)
    return found


def forecasts(fit: Fit) -> list[ForecastErrors]:
    """Free runs of the circuit beside persistence, AR(1) and ridge; empty if there is no room.

    Samples are limited as in the fit, so that a few outliers do not rule the squared error.
    """
    p = fit.protocol
    if p is None or not fit.rows or p.train.sum(axis=1).min() < 5:
        return []
    if p.test.sum(axis=1).min() <= max(HORIZONS):
        return []
    rows = forecast_baselines(p.data, p.train, p.test)
    for job in fit.jobs:
        if job.split is not fit.jobs[0].split and job.split.name != fit.jobs[0].split.name:
            continue
        seed = fit.best_seed if job.method == "circuit" else 0
        guess = free_run(job.estimators[seed], p.data, fit.first_test)
        if not np.isfinite(guess[:, fit.first_test.max() : -max(HORIZONS)]).all():
            continue  # a run that left all bounds has no error worth a row
        rows.append(forecast_errors(guess, p.data, p.test, name=job.method))
        if job.method != "circuit":
            break  # one control is enough to see that the wiring makes no difference
    return rows


def short_table(found: dict[str, Any]) -> str:
    """The main rows of each protocol as plain text.

    Arguments:
        found: what `summary` returns.

    Example:
        >>> row = {"method": "circuit", "kind": "circuit", "r": 0.4, "sd": None, "by_animal": [0.4]}

        >>> print(short_table({"protocols": {"later time": {"rows": [row]}}}))
        later time                                          r             circuit higher in
        circuit                                             0.400
    """
    lines = []
    for protocol, part in found["protocols"].items():
        if lines:
            lines.append("")
        lines.append(f"{protocol:<52}{'r':<14}circuit higher in")
        circuit = part["rows"][0]
        for row in part["rows"]:
            if row["method"] == "train mean":
                continue
            spread = "" if row["sd"] is None else f" ± {row['sd']:.3f}"
            pairs = list(zip(circuit["by_animal"], row["by_animal"], strict=True))
            wins = sum(a is not None and b is not None and a > b for a, b in pairs)
            beside = "" if row is circuit else f"{wins} of {len(pairs)}"
            value = "" if row["r"] is None else f"{row['r']:.3f}{spread}"
            lines.append(f"{row['method']:<52}{value:<14} {beside}".rstrip())
    return "\n".join(lines)


def _protocol(fit: Fit, name: str, baselines: Sequence[Scores]) -> dict[str, Any]:
    own = {method: average(seeds, method) for method, seeds in fit.rows[name].items()}
    circuit = own.pop("circuit")
    rows = [_row(circuit, "circuit", [s.mean for s in fit.rows[name]["circuit"]])]
    shuffled = [row for method, row in own.items() if method.startswith("shuffled")]
    if shuffled:
        rows.append(_row(_mean_of(shuffled, "shuffled connectome"), "control"))
    rows += [_row(r, "control") for m, r in own.items() if not m.startswith("shuffled")]
    rows += [_row(row, "baseline") for row in one_row_per_kind(baselines)]
    rng = np.random.default_rng(0)
    gain = None
    if shuffled:
        by_animal = circuit.above(average(shuffled, "shuffled"))
        gain = gain_over(by_animal, bootstrap_interval(by_animal, rng))
    return {
        "animals": circuit.animals,
        "rows": rows,
        "gain": gain,
        "shuffles": [{"method": s.name, "r": s.mean} for s in shuffled],
    }


def _mean_of(rows: Sequence[Scores], name: str) -> Scores:
    return average(rows, name if len(rows) == 1 else f"{name} (mean of {len(rows)})")


def _row(row: Scores, kind: str, seeds: Sequence[float] = ()) -> dict[str, Any]:
    r2, mse = (x[np.isfinite(x)] for x in (row.r2_by_animal, row.mse_by_animal))
    return {
        "method": row.name,
        "kind": kind,
        "r": row.mean,
        "sd": row.sd,
        "interval": row.interval(np.random.default_rng(0)),
        "by_animal": row.r_by_animal,
        "seeds": list(seeds),
        "seed_sd": float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        "median_r2": r2.mean() if r2.size else None,
        "mse": mse.mean() if mse.size else None,
    }


def _setup(fit: Fit) -> dict[str, Any]:
    settings = {k: v if isinstance(v, int) else _words(v) for k, v in fit.settings.items()}
    wiring = fit.wiring
    return {
        **settings,
        "neurons": None if wiring is None else len(wiring),
        "chemical_edges": None if wiring is None else wiring.n_chemical,
        "gap_pairs": None if wiring is None else wiring.n_gap,
        "fits": len(fit.jobs),
        "steps_taken": len(fit.losses),
        "skipped_steps": fit.skipped,
        "seconds": fit.seconds,
        "neurojax": __version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": f"{jax.devices()[0].platform} ({jax.devices()[0].device_kind})",
    }


def _words(value: Any) -> str | None:
    """A setting in one line, or `None` where nothing was set."""
    if value is None or value == ():
        return None
    if isinstance(value, tuple):
        return ", ".join(str(_words(v)) for v in value)
    if isinstance(value, str) or not dataclasses.is_dataclass(value):
        return str(value)
    fields = [f.name for f in dataclasses.fields(value) if f.init]
    parts = ", ".join(f"{name}={_words_of(getattr(value, name))}" for name in fields)
    return f"{type(value).__name__}({parts})"


def _words_of(value: Any) -> str:
    return getattr(value, "__qualname__", repr(value)) if callable(value) else repr(value)


def _animals(fit: Fit) -> list[dict[str, Any]]:
    p = fit.protocol
    rows = []
    for a, recording in enumerate(fit.recordings):
        row = {
            "name": recording.name,
            "frames": len(recording.times),
            "interval_s": recording.dt,
            "unit": recording.unit,
            "traces": len(recording.labels),
        }
        if p is not None:
            row["in the circuit"] = int(p.data.labelled[a].sum())
            row["frames fitted"] = int(p.train[a].sum())
            row["frames scored"] = int(p.test[a].sum())
        rows.append(row)
    return rows


def _sources(fit: Fit) -> list[dict[str, str]]:
    """What the recordings say of themselves; recordings that say the same are one entry."""
    found: dict[tuple, list[str]] = {}
    for recording in fit.recordings:
        keys = ("species", "citation", "source", "licence", "license")
        said = tuple((k, recording.metadata[k]) for k in keys if recording.metadata.get(k))
        found.setdefault(said, []).append(recording.name)
    return [{"recordings": ", ".join(names), **dict(said)} for said, names in found.items()]


def _plain(value: Any) -> Any:
    """Only what JSON has: arrays become lists, numbers that are not finite `None`."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | jax.Array):
        return _plain(np.asarray(value).tolist())
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
