"""What a child process sends back: one JSON header, then the raw bytes of its arrays."""

import io
import json
from typing import Any

import numpy as np


def write_answer(stream: io.BufferedIOBase, answer: Any) -> None:
    """Write nested lists and dictionaries whose leaves are numbers, texts or arrays.

    An array is replaced by `{"array": number}`; the arrays follow the header in that order, as
    `neurojax.recordings.readers._apart` reads them. One that occurs twice, such as a common
    clock, is sent once.
    """
    arrays: list[np.ndarray] = []
    numbers: dict[int, int] = {}

    def skeleton(part: Any) -> Any:
        if isinstance(part, np.ndarray):
            if id(part) not in numbers:
                numbers[id(part)] = len(arrays)
                arrays.append(np.ascontiguousarray(part))
            return {"array": numbers[id(part)]}
        if isinstance(part, dict):
            return {k: skeleton(v) for k, v in part.items()}
        if isinstance(part, list | tuple):
            return [skeleton(v) for v in part]
        return part

    tree = skeleton(answer)
    kinds = [{"dtype": a.dtype.str, "shape": list(a.shape)} for a in arrays]
    header = json.dumps({"tree": tree, "arrays": kinds}).encode()
    stream.write(len(header).to_bytes(8, "little"))
    stream.write(header)
    for array in arrays:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()
