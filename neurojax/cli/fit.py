"""`neurojax fit`: a connectome circuit fitted to recordings, scored, and reported."""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

SUMMARY = "fit a connectome circuit to recordings and report how well hidden neurons are predicted"

_CONNECTOMES = ("cook2019", "varshney2011", "witvliet2021")
_RANK = 8  # of the low-rank option of the whole table
_HORIZON = 20  # frames that a forecasting circuit is fitted to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `neurojax fit`.

    Arguments:
        parser: The parser of this command.

    Example:
        >>> import argparse
        >>> from neurojax.cli import fit
        >>> parser = argparse.ArgumentParser()
        >>> fit.add_arguments(parser)
        >>> parser.parse_args(["--steps", "100"]).steps
        100
    """
    add = parser.add_argument
    add("data", nargs="*", metavar="DATA",
        help="recordings: files (.npz, .nwb, .parquet, .h5, .csv) or names of embedded sets "
        "(default: dag2023, five C. elegans)")  # fmt: skip
    add("--connectome", choices=_CONNECTOMES, default="cook2019", help="default: %(default)s")
    add("--all-neurons", action="store_true",
        help="the whole connectome, not only the neurons that a recording labels")  # fmt: skip
    add("--objective", choices=("masked", "forecast"), default="masked",
        help="reconstruct hidden neurons, or foretell frames (default: masked)")  # fmt: skip
    add("--steps", type=_count, metavar="N",
        help="gradient steps (default: 250; with --full: 500)")  # fmt: skip
    add("--seed", type=_seed, default=0, metavar="N", help="of everything random (default: 0)")
    add("--seeds", type=_count, default=1, metavar="N", help="fits from different starts")
    add("--shuffles", type=_seed, metavar="K",
        help="shuffled connectomes to compare with (default: 2; with --full: 3)")  # fmt: skip
    add("--low-rank", type=_seed, default=0, metavar="R",
        help="rank of an additional dense weight (default: 0, none)")  # fmt: skip
    add("--device", choices=("cpu", "gpu"), help="default: the best that JAX finds")
    add("--out", type=Path, default=Path("neurojax-fit"), metavar="FOLDER",
        help="where the report goes (default: %(default)s)")  # fmt: skip
    add("--checkpoint", type=Path, metavar="FOLDER",
        help="where checkpoints are kept (default: OUT/checkpoints, begun anew)")  # fmt: skip
    add("--resume", action="store_true",
        help="go on from the checkpoints of a fit that was cut off")  # fmt: skip
    add("--full", action="store_true",
        help="the whole table: three shuffles, edges between left-right partners dropped, stricter "
        "folds, a low-rank circuit, a forecasting one, all baselines")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object to standard output, no more")
    add("--quiet", action="store_true", help="no progress bar, no table")


def run(arguments: argparse.Namespace) -> int:
    """Fits, scores, writes the report and prints the table in short.

    Arguments:
        arguments: What the options give.

    Returns:
        The exit status: 0, or 2 if recordings or options do not fit.
    """
    _choose_device(arguments.device)
    try:
        return _run(arguments)
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        print(f"neurojax fit: {_one_line(error)}", file=sys.stderr)
        return 2


def _choose_device(device: str | None) -> None:
    """Keep JAX to one kind of device; works until JAX has started one."""
    if device is None:
        return
    platform = {"cpu": "cpu", "gpu": "cuda"}[device]
    os.environ["JAX_PLATFORMS"] = platform
    import jax

    jax.config.update("jax_platforms", platform)  # it read the variable when it was imported


def _run(arguments: argparse.Namespace) -> int:
    import neurojax as nj

    begun = time.perf_counter()
    page = arguments.out / "report.html"
    _check_device(arguments.device)
    recordings = _load(arguments.data or ["dag2023"])
    wiring = _wiring(arguments, recordings)
    for option, folder in (("--out", arguments.out), ("--checkpoint", arguments.checkpoint)):
        if folder is not None:
            _make(option, folder)
    loud = not (arguments.quiet or arguments.json)
    fit, beside = _fits(arguments, recordings, wiring)
    found = nj.reports.summary(fit, thorough=arguments.full)
    nj.report(fit, page, thorough=arguments.full, beside=beside, numbers=found)
    if arguments.json:
        others = {name: nj.reports.summary(other) for name, other in beside.items()}
        total = time.perf_counter() - begun
        found = {**found, "beside": others, "report": str(page), "seconds": total}
        print(json.dumps(found, indent=2, allow_nan=False))
    elif loud:
        print(_text(found, beside))
        print(f"report: {page}    ({time.perf_counter() - begun:.0f} s)")
    else:
        print(page)
    return 0


def _make(option: str, folder: Path) -> None:
    """Before hours of work, make the folder that an option names."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.exists() else error.strerror
        raise ValueError(f"{option} {folder} cannot be made ({why}); name a folder") from error
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{option} {folder} cannot be written to; name another folder")


def _check_device(device: str | None) -> None:
    import jax

    try:
        jax.devices()
    except RuntimeError as error:
        wanted = "" if device is None else f" (--device {device})"
        raise ValueError(f"JAX could not start a device{wanted}: {error}") from error


def _load(names: list[str]):
    """All recordings of all files; two with one name are told apart by their file."""
    import dataclasses

    import neurojax as nj

    loaded = [(name, r) for name in names for r in nj.recordings.load(name)]
    known = [r.name for _, r in loaded]
    return nj.recordings.Recordings(
        dataclasses.replace(r, name=f"{Path(name).stem} {r.name}") if known.count(r.name) > 1 else r
        for name, r in loaded
    )


def _wiring(arguments: argparse.Namespace, recordings):
    import neurojax as nj

    connectome = getattr(nj.connectomes, arguments.connectome)()
    if arguments.all_neurons:
        return connectome
    labels = {nj.recordings.tidy_label(label) for label in recordings.labels}
    known = [name for name in connectome.names if name in labels or name in recordings.labels]
    if len(known) < 2:
        raise ValueError(
            f"the recordings label {len(known)} neurons of {arguments.connectome}; at least 2 are "
            f"needed. Their labels: {', '.join(recordings.labels[:8]) or 'none'}"
            f"{' ...' if len(recordings.labels) > 8 else ''}"
        )
    return connectome.subset(known)


def _fits(arguments: argparse.Namespace, recordings, wiring) -> tuple[Any, dict[str, Any]]:
    """The main fit, and with `--full` those beside it."""
    import jax

    import neurojax as nj
    from neurojax.fitting import (
        EdgeObserver,
        LaterTime,
        LeaveOneAnimalOut,
        MaskedNeurons,
        Shuffled,
        TeacherForced,
        WithoutHomologues,
    )

    full = arguments.full
    key = jax.random.key(arguments.seed)
    draw, rest = jax.random.split(key)
    steps = arguments.steps if arguments.steps is not None else (500 if full else 250)
    shuffles = arguments.shuffles if arguments.shuffles is not None else (3 if full else 2)
    shuffled = [Shuffled(shuffles)] if shuffles else []
    checkpoint = arguments.checkpoint
    if checkpoint is None:
        checkpoint = arguments.out / "checkpoints"
        if not arguments.resume:
            shutil.rmtree(checkpoint, ignore_errors=True)  # of an earlier fit, in our own folder

    def fit(name, objective, low_rank=0, controls=(), **options):
        tau = 6000.0 if objective == "forecast" else 800.0
        circuit = nj.circuits.ConnectomeCircuit(wiring, tau=tau, low_rank=low_rank, key=draw)
        # an abstract variable of equinox looks like a field without a value to pyright
        masked = MaskedNeurons(low=0.1, high=0.5)  # pyright: ignore[reportCallIssue]
        forecast = TeacherForced(horizon=_HORIZON)  # pyright: ignore[reportCallIssue]
        goal = masked if objective == "masked" else forecast
        several = len(recordings) > 1 and objective == "masked"
        return nj.fit(
            circuit,
            recordings,
            objective=goal,
            observer=EdgeObserver() if objective == "masked" else None,
            hold_out=LeaveOneAnimalOut() if several else LaterTime(),
            controls=controls,
            steps=steps,
            seeds=arguments.seeds,
            checkpoint=checkpoint / name,
            checkpoint_every=250,
            resume=arguments.resume,
            progress=not (arguments.quiet or arguments.json),
            key=rest,
        )

    extra = [WithoutHomologues()] if full else []
    main = fit("main", arguments.objective, arguments.low_rank, [*shuffled, *extra])
    beside = {}
    if full and arguments.low_rank == 0:
        name = f"with a low-rank term of rank {_RANK}"
        beside[name] = fit("low-rank", "masked", _RANK, shuffled)
    if full and arguments.objective == "masked":
        beside["fitted to forecast"] = fit("forecast", "forecast", 0, [Shuffled(1)])
    return main, beside


def _text(found: dict[str, Any], beside: dict[str, Any]) -> str:
    from neurojax.reports import short_table, summary

    parts = [short_table(found)]
    for name, other in beside.items():
        rows = summary(other)
        for part in rows["protocols"].values():
            part["rows"] = [row for row in part["rows"] if row["kind"] != "baseline"]
        parts += [f"{name}:\n" + short_table(rows)]
    return "\n" + "\n\n".join([*parts, *found["verdict"]]) + "\n"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None


def _count(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return _seed(text)


def _seed(text: str) -> int:
    number = _whole(text)
    if not 0 <= number < 2**31:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 2147483647, got {number}")
    return number
