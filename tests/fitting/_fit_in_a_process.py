"""A fit of its own process, for tests that kill it or give it several devices.

Arguments: the file that the result goes to; then `NAME=VALUE` as in the tests that start it.
"""

import os
import signal
import sys

import jax
import numpy as np
import small_worms

import neurojax as nj


def main(out, **given):
    """Fit, and write parameters and losses."""
    kill_at = int(given.get("kill_at", 0))
    if kill_at:
        from neurojax.fitting.checkpoints import Checkpoints

        save = Checkpoints.save

        def save_then_die(self, step, arrays):
            save(self, step, arrays)
            if step >= kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        Checkpoints.save = save_then_die
    devices = int(given.get("devices", 1))
    mesh = jax.make_mesh((devices,), ("windows",)) if "devices" in given else None
    fit = nj.fit(
        small_worms.circuit(key=jax.random.key(1)),
        small_worms.worms(),
        objective=small_worms.SMALL,
        observer=nj.fitting.EdgeObserver(),
        steps=int(given.get("steps", 30)),
        batch=8,
        seeds=2,
        mesh=mesh,
        checkpoint=given.get("checkpoint"),
        checkpoint_every=5,
        resume="resume" in given,
        progress=False,
        key=jax.random.key(int(given.get("key", 3))),
    )
    leaves = [x for x in jax.tree.leaves(fit.jobs[0].estimators) if isinstance(x, jax.Array)]
    np.savez(out, losses=fit.losses, **{f"leaf{i}": x for i, x in enumerate(leaves)})


if __name__ == "__main__":
    main(sys.argv[1], **dict(word.split("=", 1) for word in sys.argv[2:]))
