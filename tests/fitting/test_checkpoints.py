"""Checkpoints of several fits at once, refusals, and failures of writing."""

import threading

import numpy as np
import pytest

from neurojax.fitting.checkpoints import Checkpoints


def arrays(step):
    return {"x": np.full((50, 20), step, np.float32), "flags": np.array([step, 0])}


def test_threads_save_at_the_same_time(tmp_path):
    failures, ready = [], threading.Barrier(4)

    def work(name):
        try:
            ready.wait(10)
            for fit in range(3):
                kept = Checkpoints(tmp_path / f"{name}-{fit}", {"fit": fit}, resume=False)
                assert kept.latest(arrays(0)) is None
                for step in range(1, 5):
                    kept.save(step, arrays(step))
                kept.close()
                again = Checkpoints(tmp_path / f"{name}-{fit}", {"fit": fit}, resume=True)
                found = again.latest(arrays(0))
                assert found is not None
                np.testing.assert_array_equal(found["x"], arrays(4)["x"])
                again.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and not any(thread.is_alive() for thread in threads)


def test_only_the_newest_two_are_kept(tmp_path):
    kept = Checkpoints(tmp_path, {}, resume=False)
    for step in (1, 2, 3):
        kept.save(step, arrays(step))
    kept.close()
    assert sorted(p.name for p in (tmp_path / "steps").iterdir()) == ["2", "3"]


def test_another_fit_is_refused(tmp_path):
    Checkpoints(tmp_path, {"steps": 10}, resume=False).close()
    with pytest.raises(FileExistsError, match="resume=True"):
        Checkpoints(tmp_path, {"steps": 10}, resume=False)
    with pytest.raises(ValueError, match="steps was 10, now it is 20"):
        Checkpoints(tmp_path, {"steps": 20}, resume=True)
