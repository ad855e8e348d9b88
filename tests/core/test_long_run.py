"""A run of ten million steps keeps only what is recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models as models

import neurojax as nj

LONG = """
import json, resource, sys
sys.path.append({folder!r})
import small_models as models
import neurojax as nj
import numpy as np

def run(steps, **arguments):
    return nj.simulate(
        models.Oscillator(n=8, solver=nj.solvers.Euler()), duration=0.1 * steps, dt=0.1,
        inputs={{"I": 0.5}}, **arguments,
    )

megabytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
record = {{"V": nj.Trace("V", every=5000), "w": nj.Trace("w", 0, every=1000)}}
run(100_000, record=record)
before = megabytes()
long = run(10_000_000, record=record)
after = megabytes()
streamed = run(10_000_000, record={{"V": "V"}}, stream_to={target!r})
print(json.dumps({{
    "grown": after - before, "streaming": megabytes() - after,
    "shapes": [long["V"].shape, long["w"].shape, streamed["V"].shape],
    "steps": int(long.stats.steps), "last": np.asarray(long["V"][-1]).tolist(),
    "final": np.asarray(long.final_state.state["V"]).tolist(),
    "equal": bool(np.array_equal(streamed["V"][4999::5000], long["V"])),
}}))
"""


@pytest.mark.slow
def test_ten_million_steps(tmp_path):
    """All of V would be 320 MB: in memory it must not appear, streamed to disk it must not stay."""
    code = LONG.format(folder=str(Path(models.__file__).parent), target=str(tmp_path / "run"))
    source = os.pathsep.join([str(Path(nj.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["steps"] == 10_000_000
    assert found["shapes"] == [[2000, 8], [10_000], [10_000_000, 8]]
    assert found["equal"]
    assert found["last"] == found["final"] and np.all(np.isfinite(found["final"]))
    assert found["grown"] < 60
    # one chunk on the device, one on its way
    assert found["streaming"] < 320
