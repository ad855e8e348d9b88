"""Models on disk: what comes back, and what damaged files do."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models as models
from hypothesis import given, settings
from hypothesis import strategies as st

import neurojax as nj
from neurojax.core._static_content import static_content
from neurojax.core.saving import write_atomically


def everything():
    return {
        "model": models.Oscillator(a=nj.positive(0.3), b=nj.bounded(0.4, 0, 1), tau=nj.frozen(9.0)),
        "half": jnp.asarray([1.5, -2.0], jnp.bfloat16),
        "single": jnp.asarray([[1.5]], jnp.float32),
        "integer": jnp.arange(3),
        "bool": jnp.array([True, False]),
        "empty": jnp.zeros((0, 4)),
        "numpy": np.linspace(0, 1, 5),
        "key": jax.random.key(7),
        "keys": jax.random.split(jax.random.key(1), 3),
        "number": 2.5,
        "count": 3,
        "flag": True,
        "none": None,
        "complex": jnp.asarray([1 + 2j]),
    }


def blank(tree):
    """The same structure with other numbers."""

    def change(x):
        if callable(x):
            return x  # the functions of trainable wrappers come with `like`
        if isinstance(x, bool | int):
            return type(x)(0)
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jnp.zeros_like(jax.random.key_data(x)))
        return 0 * x if not isinstance(x, jax.Array) or x.dtype != bool else jnp.zeros_like(x)

    return jax.tree.map(change, tree)


def data(x):
    typed = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(x) if typed else x)


def test_round_trip_of_every_kind_of_leaf(tmp_path):
    path = tmp_path / "deep" / "model.npz"
    nj.save(path, everything())
    loaded = nj.load(path, like=blank(everything()))
    assert jax.tree.structure(loaded) == jax.tree.structure(everything())
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(everything()), strict=True):
        if callable(a):
            continue
        np.testing.assert_array_equal(data(a), data(b))
        assert data(a).dtype == data(b).dtype
    assert type(loaded["count"]) is int and type(loaded["flag"]) is bool
    assert float(nj.unwrap(loaded["model"]).a) == pytest.approx(0.3)
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_numbers_of_numpy_stay_what_they_are(tmp_path, float32):
    saved = {"array": np.linspace(0, 1, 5), "scalar": np.float64(0.1), "whole": np.arange(3)}
    nj.save(tmp_path / "m", saved)
    loaded = nj.load(tmp_path / "m", like=jax.tree.map(lambda x: 0 * x, saved))
    for name, value in saved.items():
        assert type(loaded[name]) is type(value)
        assert loaded[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded[name], value)
    narrow = nj.load(tmp_path / "m", like=saved | {"array": np.zeros(5, np.float32)})
    assert narrow["array"].dtype == np.float32
    u = np.random.default_rng(0).normal(size=(60, 1))
    fitted = nj.fitting.fit_readout(nj.circuits.EchoState(10, inputs=1), u, np.roll(u, 1, 0))
    nj.save(tmp_path / "readout", fitted)
    again = nj.load(tmp_path / "readout", like=fitted)
    assert again.weights.dtype == np.float64
    np.testing.assert_array_equal(again.predict(u), fitted.predict(u))


def test_a_loaded_model_runs_as_the_saved_one(tmp_path):
    model = models.HodgkinHuxley(I=np.linspace(5.0, 15.0, 4), n=4)
    nj.save(tmp_path / "m", model)
    loaded = nj.load(tmp_path / "m", like=models.HodgkinHuxley(I=np.zeros(4), n=4))
    run = lambda m: nj.simulate(m, duration=5.0, dt=0.025).final_state.state["V"]
    np.testing.assert_array_equal(run(model), run(loaded))


def test_a_simulation_is_saved_too(tmp_path):
    """It is a pytree, so a run can be put down and taken up in another process."""
    first = nj.simulate(models.Oscillator(), duration=3.0, dt=0.1)
    nj.save(tmp_path / "state.npz", first.final_state)
    state = nj.load(tmp_path / "state.npz", like=first.final_state)
    rest = nj.simulate(models.Oscillator(), duration=2.0, dt=0.1, state=state)
    whole = nj.simulate(models.Oscillator(), duration=5.0, dt=0.1)
    np.testing.assert_array_equal(rest.final_state.state["V"], whole.final_state.state["V"])


def test_precision_follows_like(tmp_path):
    nj.save(tmp_path / "x", {"w": jnp.arange(3.0)})
    single = nj.load(tmp_path / "x", like={"w": jnp.zeros(3, jnp.float32)})
    assert single["w"].dtype == jnp.float32


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"w": jnp.zeros(4)}, r"leaf 'w' has shape \(3,\).*\(4,\)"),
        ({"v": jnp.zeros(3)}, r"missing \['v'\], not expected \['w'\]"),
        ({"w": jnp.zeros(3), "u": jnp.zeros(1)}, r"missing \['u'\]"),
        ({"w": jnp.zeros(3, int)}, "of type float64.*int64"),
        ({"w": jax.random.split(jax.random.key(0), 3)}, "shape|of type"),
    ],
)
def test_models_that_do_not_fit(tmp_path, like, message):
    nj.save(tmp_path / "x", {"w": jnp.arange(3.0)})
    with pytest.raises(ValueError, match=message):
        nj.load(tmp_path / "x", like=like)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"n": 4}, r"n \(3 there, 4 in like=\)"),
        ({"reset": "subtract"}, r"reset \('hard' there, 'subtract' in like=\)"),
        ({"receptors": {"a": nj.synapses.ExpCurrent(2.0, normalise="area")}},
         r"receptors\.a\.normalise \('peak' there, 'area' in like=\)"),
        ({"surrogate": nj.surrogate.Triangle(width=2.0)}, None),
        ({"solver": nj.solvers.Heun()}, None),
        ({"V_th": -40.0}, None),
    ],
)  # fmt: skip
def test_other_options_are_another_model(tmp_path, other, message):
    """Not the way in which it is solved, nor anything outside of models."""
    made = lambda **given: nj.neurons.LIF(
        **{"n": 3, "receptors": {"a": nj.synapses.ExpCurrent(2.0)}} | given
    )
    nj.save(tmp_path / "m", [made()])
    if message is None:
        assert float(nj.load(tmp_path / "m", like=[made(**other)])[0].V_th) == -55.0
        return
    with pytest.raises(ValueError, match=f"another model than like=: it differs in 0.{message}"):
        nj.load(tmp_path / "m", like=[made(**other)])


@pytest.mark.filterwarnings("ignore:A JAX array is being set as static")
def test_what_is_static_is_compared_by_what_it_is():
    """Not by where it lies in memory or by its last bits, which differ between machines."""

    class Model(nj.Dynamics):
        held: object = eqx.field(static=True)

        def init_state(self, *, key=None):
            return {}

        def step(self, state, inputs, clock):
            return state, nj.Output()

    text = lambda held: static_content(Model(held))
    x = np.random.default_rng(0).lognormal(sigma=3.0, size=500)
    last_bit = np.nextafter(x, np.inf)
    wrong = x.copy()
    wrong[77] *= 1.0001
    assert text(x) == text(last_bit) == text(x.astype(">f8")) != text(wrong)
    assert text(x) != text(x[::-1]) and text(x) != text(x.reshape(2, 250))
    assert text(np.zeros(3)) == text(-np.zeros(3))
    assert text(np.arange(3)) == text(np.arange(3, dtype=np.int8)) != text(np.arange(1, 4))
    assert text({"a": 1, "b": slice(2)}) == text({"b": slice(2), "a": 1})
    assert text(("a", 1.0)) != text(("a", True)) != text(("a", None))
    assert text(lambda x: x) == text((1, np.tanh)) == text(object()) == {}
    assert text("x?#" * 50) != text("x?#" * 51)


def test_leaves_that_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match=r"leaf 'f' is a str.*static=True"):
        nj.save(tmp_path / "x", {"f": "text"})
    assert list(tmp_path.iterdir()) == []


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no saved model"):
        nj.load(tmp_path / "nothing.npz", like={})
    with pytest.raises(FileNotFoundError):
        nj.load(tmp_path, like={})


def file_of(header, **members) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, header=np.asarray(json.dumps(header)), **members)
    return buffer.getvalue()


GOOD = {"format": "neurojax model", "version": 1, "kind": "dict", "leaves": [["w", "float64"]]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip file",
        b"PK\x03\x04" + bytes(100),
        file_of(GOOD | {"format": "other"}, leaf0=np.zeros(3)),
        file_of(GOOD | {"version": 99}, leaf0=np.zeros(3)),
        file_of(GOOD),
        file_of(GOOD | {"leaves": 7}, leaf0=np.zeros(3)),
        file_of(GOOD | {"leaves": [["w"]]}, leaf0=np.zeros(3)),
        file_of([1, 2, 3]),
        file_of("text"),
        file_of(GOOD | {"leaves": [["w", "O"]]}, leaf0=np.zeros(3)),
        file_of(GOOD | {"leaves": [["w", "nonsense"]]}, leaf0=np.zeros(3)),
        file_of(GOOD | {"static": 7}, leaf0=np.zeros(3)),
        file_of(GOOD | {"leaves": [["w", "key:threefry2x32"]]}, leaf0=np.zeros(3)),
        file_of(GOOD, leaf0=np.array(["a", "b", "c"])),
        file_of(GOOD, leaf0=np.zeros(3, complex)),
    ],
)
def test_foreign_and_damaged_files(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.npz"):
        nj.load(tmp_path / "x.npz", like={"w": jnp.zeros(3)})


def test_a_pickle_is_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    buffer = io.BytesIO()
    np.savez(buffer, header=np.asarray(json.dumps(GOOD)),
             leaf0=np.array([Evil()] * 3, dtype=object))  # fmt: skip
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="not a readable"):
        nj.load(tmp_path / "x.npz", like={"w": jnp.zeros(3)})
    assert not (tmp_path / "executed").exists()


def test_a_file_that_claims_a_huge_array(tmp_path):
    """A header of a terabyte over a few bytes: an error, not an allocation."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        head = io.BytesIO()
        np.save(head, np.asarray(json.dumps(GOOD)))
        archive.writestr("header.npy", head.getvalue())
        array = io.BytesIO()
        np.lib.format.write_array_header_2_0(
            array, {"descr": "<f8", "fortran_order": False, "shape": (1 << 37,)}
        )
        archive.writestr("leaf0.npy", array.getvalue() + bytes(24))
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="not a readable"):
        nj.load(tmp_path / "x.npz", like={"w": jnp.zeros(3)})


LIKE = {"w": jnp.arange(3.0), "n": jnp.arange(2), "key": jax.random.key(0)}


@settings(max_examples=300)
@given(st.data())
def test_mutated_bytes(tmp_path_factory, data):
    """Any damage gives the saved model or a ValueError, nothing else."""
    path = tmp_path_factory.mktemp("fuzz") / "m.npz"
    nj.save(path, LIKE)
    raw = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "swap"]))
    place = data.draw(st.integers(0, len(raw) - 1))
    if kind == "flip":
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        raw = raw[:place]
    elif kind == "insert":
        raw[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    else:
        other = data.draw(st.integers(0, len(raw) - 1))
        raw[place], raw[other] = raw[other], raw[place]
    path.write_bytes(bytes(raw))
    try:
        loaded = nj.load(path, like=LIKE)
    except ValueError:
        return
    finally:
        path.unlink()
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(LIKE), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype


KILLED = """
import os, sys
from neurojax.core._static_content import static_content
from neurojax.core.saving import write_atomically
import neurojax.core.saving as saving
real = os.fsync
def die(fd):
    os.kill(os.getpid(), 9)
saving.os.fsync = die
write_atomically(sys.argv[1], b"new" * 1000)
"""


def test_a_file_is_whole_or_as_before_when_the_process_is_killed(tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(b"old")
    source = str(Path(nj.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], env={**os.environ, "PYTHONPATH": source}
    )
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_failed_write_leaves_no_partial_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "m.npz", b"x")
    assert list(tmp_path.iterdir()) == []
