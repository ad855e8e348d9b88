"""A progress bar with rate and time left, on standard error."""

import sys


class ProgressBar:
    """Shows how much of `total` is done, free text such as a loss, and the time left."""

    def __init__(self, total: int, title: str):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
        )
        self._progress.start()
        self._task = self._progress.add_task(title, total=total, note="")

    def advance(self, amount: int, note: str = "") -> None:
        """Some more is done."""
        self._progress.update(self._task, advance=amount, note=note)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()
