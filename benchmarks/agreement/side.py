"""One side of all cases, in the Python of its simulator: `python side.py nest OUT.npz [ONLY]`."""

import importlib
import json
import os
import sys
import traceback

import numpy as np
from frame import cases


def main(side, out, only=""):
    """Run the cases that have this side; `neurojax32` is neurojax in single precision."""
    name = "neurojax" if side.startswith("neurojax") else side
    if name == "neurojax":
        import jax

        jax.config.update("jax_enable_x64", side == "neurojax")
    package = importlib.import_module(name)
    found, errors = {}, {}
    for (file, title), case in cases(only).items():
        call = case.neurojax if name == "neurojax" else case.peers.get(name)
        if call is None or (side == "neurojax32" and not case.single):
            continue
        try:
            for key, value in call(package).items():
                found[f"{file}\n{title}\n{key}"] = np.asarray(value)
        except Exception as error:
            traceback.print_exc()
            errors[f"{file}\n{title}"] = f"{type(error).__name__}: {error}"
    version = getattr(package, "__version__", "")
    about = json.dumps({"errors": errors, "version": version})
    np.savez(out, about=np.frombuffer(about.encode(), np.uint8), **found)


if __name__ == "__main__":
    os.dup2(2, 1)  # banners of libraries
    main(*sys.argv[1:])
