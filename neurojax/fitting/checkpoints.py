"""Checkpoints of a fit: written by orbax, atomic, resumed bit for bit."""

import json
import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np

from neurojax.core.saving import write_atomically

# orbax tells the parts of a save apart by one number per process, so saves of two threads that
# overlap wait for each other's folders: only one may be under way, here `_being_written`.
_one_at_a_time = threading.Lock()
_being_written: Any = None


class Checkpoints:
    """The checkpoints of one fit in a folder, newest last; older ones are removed.

    Arguments:
        folder: where they are kept.
        signature: what the fit is; a folder of another fit is refused.
        resume: whether to go on from what is there.

    Raises:
        FileExistsError: if there are checkpoints and `resume` is false.
        ValueError: if they belong to another fit.
    """

    def __init__(self, folder: str | Path, signature: dict[str, Any], resume: bool):
        import orbax.checkpoint as ocp

        self.folder = Path(folder).absolute()
        note = self.folder / "fit.json"
        if note.exists():
            if not resume:
                raise FileExistsError(
                    f"checkpoint={str(folder)!r} holds a fit already; go on with resume=True or "
                    "name another folder"
                )
            _check_same(json.loads(note.read_text()), signature, folder)
        write_atomically(note, json.dumps(signature, indent=1).encode())
        options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
        with _one_at_a_time:
            _finish_writing()
            self._manager = ocp.CheckpointManager(self.folder / "steps", options=options)

    def latest(self, like: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """The newest complete checkpoint, or `None`."""
        import orbax.checkpoint as ocp

        with _one_at_a_time:
            _finish_writing()
            step = self._manager.latest_step()
            if step is None:
                return None
            try:
                found: Any = self._manager.restore(step, args=ocp.args.StandardRestore(like))
            except ValueError as error:
                raise ValueError(
                    f"the checkpoints in {str(self.folder)!r} hold another state than this fit "
                    "has, for example that of another optimiser; name another folder"
                ) from error
        return found

    def save(self, step: int, arrays: dict[str, np.ndarray]) -> None:
        """Write a checkpoint beside what follows; it counts only when it is complete."""
        global _being_written
        import orbax.checkpoint as ocp

        with _one_at_a_time:
            _finish_writing()
            _being_written = self._manager
            self._manager.save(step, args=ocp.args.StandardSave(arrays))

    def close(self) -> None:
        """Wait until everything is on disk."""
        with _one_at_a_time:
            _finish_writing()
            self._manager.close()


def _finish_writing() -> None:
    """Wait for the save under way; its failure is raised once."""
    global _being_written
    manager, _being_written = _being_written, None
    if manager is not None:
        manager.wait_until_finished()


def as_arrays(tree) -> dict[str, np.ndarray]:
    """The leaves of a tree as a flat dictionary of host arrays."""
    return {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def from_arrays(arrays: dict[str, Any], like):
    """The tree again."""
    leaves = [arrays[f"leaf{i}"] for i in range(len(arrays))]
    return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.asarray(x) for x in leaves])


def _check_same(old: dict[str, Any], new: dict[str, Any], folder) -> None:
    new = json.loads(json.dumps(new))
    for name in new:
        if old.get(name, new[name]) != new[name]:  # an older version may not have noted it
            was, now = old[name], new[name]
            if isinstance(was, list) and isinstance(now, list) and len(was) == len(now) > 2:
                was, now = next((a, b) for a, b in zip(was, now, strict=True) if a != b)
            raise ValueError(
                f"the checkpoints in {str(folder)!r} belong to another fit: {name} was "
                f"{was!r}, now it is {now!r}; name another folder"
            )
