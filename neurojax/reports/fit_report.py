"""The report of a fit: one HTML page that needs no other file, and its pictures."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurojax.core.saving import write_atomically
from neurojax.fitting import Fit, rescored

from . import figures, html
from .summary import summary
from .verdict import answer

_LIMITS = (
    "That the circuit is better than a dense regression within an animal. Ridge regression on all "
    "other neurons of the same animal is higher there; a circuit with a low-rank term at best "
    "equals it.",
    "That the connectome helps to forecast. What a circuit fitted to forecast gains on simple "
    "forecasts comes from its decay, which a circuit on shuffled wiring has as well.",
    "That signs and sizes of fitted weights are biology. Weights that predict well are not unique, "
    "and these hardly follow counts of synapses or known signs.",
    "That it holds for worms in general. The embedded recordings are five animals of one "
    "laboratory and strain; an interval over so few is too narrow.",
    "That the whole gain over shuffled wiring is due to precise wiring. A shuffle keeps each "
    "neuron's number of partners, but breaks reciprocal pairs, chemical synapses beside gap "
    "junctions, and edges between left-right partners as well. The control without edges between "
    "left-right partners is the tighter one.",
    "That sizes are predicted. Correlation is blind to gain and offset: a high r with a median R² "
    "about 0 means that the shape of a trace is predicted, not its amplitude.",
)


def report(
    fit: Fit,
    path: str | os.PathLike[str],
    *,
    thorough: bool = False,
    beside: Mapping[str, Fit] | None = None,
    numbers: Mapping[str, Any] | None = None,
) -> Path:
    """Write what a fit found as one self-contained HTML page.

    The page has the headline in words, scores beside controls and baselines, loss, hidden traces,
    weights, what must not be claimed, the set-up and the sources of the recordings. The pictures
    are inside it, and beside it as PNG files in the folder `<name>_files`.

    Arguments:
        fit: what `neurojax.fit` returned; any objective, with or without a connectome.
        path: the page, `report.html`; folders are made, a file of this name is replaced.
        thorough: all baselines, and scores on folds that hide left-right partners together.
        beside: other fits by name, e.g. with another objective; their scores get a section each.
        numbers: what `neurojax.reports.summary` returned for this fit, if at hand.

    Returns:
        The path of the page.

    Raises:
        IsADirectoryError: the path is a folder.

    Example:
        >>> import jax, tempfile, neurojax as nj
        >>> worm = nj.recordings.load("dag2023")[0]
        >>> circuit = nj.circuits.ConnectomeCircuit(
        ...     nj.connectomes.cook2019().subset(worm.labels[:9])
        ... )
        >>> fit = nj.fit(circuit, worm, steps=3, progress=False, key=jax.random.key(0))
        >>> nj.report(fit, tempfile.mkdtemp() + "/report.html").name
        'report.html'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder; name a file, such as report.html")
    found = dict(summary(fit, thorough=thorough) if numbers is None else numbers)
    pictures: list[figures.Picture] = []

    def shown(*some: figures.Picture) -> str:
        pictures.extend(some)
        return "\n".join(html.picture(p.png, p.caption) for p in some)

    body = [
        *_head(fit, found),
        *_scores(fit, found, shown),
        *(_strict(fit) if thorough else []),
        *_beside(beside or {}),
        html.heading("Hidden neurons, recorded and predicted"),
        shown(*figures.reconstructions(fit)) or html.paragraph(_NOT_SCORED, "note"),
        *_weights(fit, found, shown),
        *_forecasts(found),
        html.heading("What must not be claimed"),
        html.paragraph(_LIMITS_OF),
        html.bullets(_LIMITS, "limits"),
        html.heading("Training"),
        shown(figures.loss(fit)),
        *_setup(found),
        *_sources(found),
    ]
    folder = path.with_name(path.stem + "_files")
    for drawn in pictures:
        write_atomically(folder / drawn.name, drawn.png)
    write_atomically(path, html.page("neurojax: report of a fit", body).encode())
    return path


_LIMITS_OF = (
    "These limits were found with this circuit on the embedded recordings of C. elegans. They hold "
    "for other recordings too until a test on those shows otherwise."
)
_NOT_SCORED = (
    "Nothing was reconstructed: the objective is the user's own, or too few neurons have a trace."
)


def _head(fit: Fit, found: dict[str, Any]) -> list[str]:
    animals = len(found["animals"])
    what = f"{found['setup'].get('circuit', 'Circuit')} fitted to {animals} recording"
    parts = [
        html.heading(f"neurojax: {what}{'s' if animals != 1 else ''}", 1),
        html.paragraph(answer(found), "answer"),
    ]
    parts += [html.paragraph(sentence) for sentence in found["verdict"]]
    numbers = []
    for name, part in found["protocols"].items():
        numbers.append((_three(part["rows"][0]["r"]), f"r of hidden neurons, {name}"))
        if part["gain"] is not None:
            numbers.append((f"{part['gain']['mean']:+.3f}", f"above shuffled wiring, {name}"))
    if not numbers and found["held_out_loss"]:
        values = ", ".join(f"{x:.4g}" for x in found["held_out_loss"] if x is not None)
        numbers.append((values or "not finite", "objective on the scored part, by seed"))
    parts.append(html.cards(numbers))
    if found["protocols"] and not fit.shuffled and fit.wiring is not None:
        parts.append(
            html.paragraph(
                "No shuffled connectome was fitted, so these scores cannot tell whether the wiring "
                "helped. Fit again with `controls=[nj.fitting.Shuffled(2)]`."
            )
        )
    if found["setup"]["skipped_steps"]:
        parts.append(
            html.paragraph(
                f"{found['setup']['skipped_steps']} gradient steps were not taken, because a loss "
                "or a gradient was not finite."
            )
        )
    return parts


def _scores(fit: Fit, found: dict[str, Any], shown) -> list[str]:
    if not found["protocols"]:
        return []
    parts = [
        html.heading("Held-out scores"),
        html.paragraph(
            "Every labelled neuron is hidden in turn, together with a fifth of the others, and "
            "reconstructed from those that are seen, on frames that no fit used. r is the "
            "correlation with the recording, averaged over the neurons of an animal, then over "
            "animals; ± is the standard deviation over animals, the interval a bootstrap (95 %) "
            "over animals."
        ),
    ]
    for k, (name, part) in enumerate(found["protocols"].items()):
        parts += [html.heading(name.capitalize(), 3), shown(figures.scores(fit, name, k + 1))]
        parts.append(_score_table(part))
        parts += [html.paragraph(note, "note") for note in _notes(part)]
    return parts


def _score_table(part: dict[str, Any]) -> str:
    header = ["method", "r", "±", "interval", *part["animals"], "median R²", "squared error"]
    rows = [
        [
            row["method"],
            _three(row["r"]),
            _three(row["sd"]),
            _interval(row["interval"]),
            *(_three(r) for r in row["by_animal"]),
            "" if row["median_r2"] is None else f"{row['median_r2']:.2f}",
            "" if row["mse"] is None else f"{row['mse']:.2f}",
        ]
        for row in part["rows"]
    ]
    return html.table(header, rows, [row["kind"] for row in part["rows"]])


def _notes(part: dict[str, Any]) -> list[str]:
    notes = []
    circuit = part["rows"][0]
    if circuit["seed_sd"] is not None:
        each = ", ".join(_three(r) for r in circuit["seeds"])
        notes.append(
            f"r by seed of the fit: {each}; standard deviation over seeds {circuit['seed_sd']:.4f}."
        )
    if part["shuffles"]:
        each = ", ".join(f"{s['method']}: {_three(s['r'])}" for s in part["shuffles"])
        notes.append(f"Each shuffled connectome: {each}.")
    if part["gain"] is not None:
        each = ", ".join(
            f"{name}: {'' if g is None else format(g, '+.3f')}"
            for name, g in zip(part["animals"], part["gain"]["by_animal"], strict=True)
        )
        notes.append(f"Circuit above the mean of the shuffled ones: {each}.")
    if len(part["animals"]) == 1:
        notes.append("With one animal there is no spread over animals.")
    return notes


def _strict(fit: Fit) -> list[str]:
    parts = [
        html.heading("Stricter: left-right partners hidden together"),
        html.paragraph(
            "Left-right partners are active alike: a hidden neuron whose partner is seen is easy. "
            "Here both are always hidden together; the fits are the same."
        ),
    ]
    try:
        found = rescored(fit)
    except ValueError as error:
        return [*parts, html.paragraph(f"Not done: {error}.", "note")]
    for protocol, rows in found.items():
        animals = next(iter(rows.values())).animals
        lines = [
            [name, _three(row.mean), _three(row.sd), *(_three(r) for r in row.r_by_animal)]
            for name, row in rows.items()
        ]
        kinds = ["circuit" if name == "circuit" else "control" for name in rows]
        parts.append(html.heading(protocol.capitalize(), 3))
        parts.append(html.table(["method", "r", "±", *animals], lines, kinds))
    return parts


def _beside(fits: Mapping[str, Fit]) -> list[str]:
    """A section per other fit: its own scores, without the baselines, which are the same."""
    parts = []
    for name, other in fits.items():
        found = summary(other)
        parts += [html.heading(name[:1].upper() + name[1:])]
        parts.append(html.paragraph(f"Objective: {found['setup'].get('objective')}.", "note"))
        for protocol, part in found["protocols"].items():
            own = [row for row in part["rows"] if row["kind"] != "baseline"]
            parts.append(html.heading(protocol.capitalize(), 3))
            parts.append(_score_table({**part, "rows": own}))
        parts += _forecast_table(found)
    return parts


def _weights(fit: Fit, found: dict[str, Any], shown) -> list[str]:
    drawn = figures.weights(fit)
    if not drawn:
        return []
    said = ", ".join(
        f"{kind} {r:+.2f}" for kind, r in found["weights"].items() if r is not None
    )  # fmt: skip
    return [
        html.heading("Fitted weights and counts of synapses"),
        shown(*drawn),
        html.paragraph(
            f"Correlation of the size of a weight with log(1 + count): {said or 'not defined'}. "
            "The weights are those that predict; they are not to be read as biology."
        ),
    ]


def _forecasts(found: dict[str, Any]) -> list[str]:
    if not found["forecasts"]:
        return []
    return [
        html.heading("Forecasts, a check"),
        html.paragraph(
            "Mean squared error of frames ahead, all neurons known up to now and free after it. "
            "A circuit that was fitted to reconstruct hidden neurons need not forecast well; one "
            "that was fitted to forecast owes its gain to decay, not to wiring."
        ),
        *_forecast_table(found),
    ]


def _forecast_table(found: dict[str, Any]) -> list[str]:
    if not found["forecasts"]:
        return []
    horizons = list(found["forecasts"][0]["mse"])
    rows = [[f["method"], *(_three(f["mse"][h]) for h in horizons)] for f in found["forecasts"]]
    kinds = ["circuit" if f["method"] == "circuit" else "" for f in found["forecasts"]]
    return [html.table(["frames ahead", *horizons], rows, kinds)]


def _setup(found: dict[str, Any]) -> list[str]:
    names = {
        "steps": "gradient steps asked for",
        "batch": "windows of a minibatch",
        "fits": "fits in all (circuit and controls, every split)",
        "seconds": "seconds, compilation and scoring included",
    }
    rows = []
    for key, value in found["setup"].items():
        if value is not None:
            text = f"{value:.1f}" if isinstance(value, float) else str(value)
            rows.append([names.get(key, key.replace("_", " ")), text])
    header = ["recording", *(k.replace("_", " ") for k in list(found["animals"][0])[1:])]
    animals = [
        [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()]
        for row in found["animals"]
    ]
    return [
        html.heading("Set-up"),
        html.table(header, animals),
        html.paragraph(""),
        html.table([], rows, kind="facts"),
    ]


def _sources(found: dict[str, Any]) -> list[str]:
    parts = [html.heading("Sources of the recordings")]
    for entry in found["sources"]:
        rows = [[key, value] for key, value in entry.items()]
        if len(rows) == 1:
            rows.append(["source", "the recording states neither source nor licence"])
        parts.append(html.table([], rows, kind="facts"))
    return parts


def _three(number: float | None) -> str:
    return "" if number is None or number != number else f"{number:.3f}"


def _interval(ends) -> str:
    low, high = ends
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
