"""Event products against dense sums written out, their derivatives and batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from neurojax.connectivity.event_products import outer, pull, push, push_through
from neurojax.connectivity.spike_list import BITS, count_spikes, rows

WORDS, WIDTH, SLOTS, PADS = 3, 8, 20, 8
ROWS = 32 * WORDS


def bits(words):
    """Booleans [b, r] of packed words."""
    found = (np.asarray(words)[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    return found.reshape(*np.shape(words)[:-1], -1).astype(bool)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, SLOTS, (ROWS + 1, WIDTH)).astype(np.int32)
    used = np.arange(WIDTH) < rng.integers(0, WIDTH + 1, (ROWS + 1, 1))
    used[-1] = False
    pads = SLOTS + np.arange(WIDTH, dtype=np.int32) % PADS
    weights = np.where(used, rng.normal(size=used.shape), 0.0)
    return jnp.asarray(np.where(used, targets, pads)), jnp.asarray(weights)


def drawn(trials, density=0.3, seed=1):
    rng = np.random.default_rng(seed)
    on = rng.random((trials, WORDS, 32)) < density
    words = (on.astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(-1, dtype=np.uint32)
    x = rng.normal(size=(trials, ROWS))
    y = np.concatenate([rng.normal(size=(trials, SLOTS)), np.zeros((trials, PADS))], axis=1)
    return jnp.asarray(words), jnp.asarray(x), jnp.asarray(y)


def dense(words, targets):
    """One-hot [b, r, k, s] of the active synapses."""
    hot = np.asarray(targets)[:-1, :, None] == np.arange(SLOTS + PADS)
    return bits(words)[:, :, None, None] * hot


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 1.0])
def test_sums_are_those_of_a_dense_tensor(table, trials, density):
    targets, w = table
    words, x, y = drawn(trials, density)
    hot, w0 = dense(words, targets), np.asarray(w)[:-1]
    pushed = np.einsum("br,rk,brks->bs", x, w0, hot)
    np.testing.assert_allclose(push(y, x, w, words, targets), y + pushed, atol=1e-12)
    np.testing.assert_allclose(
        pull(y, w, words, targets), np.einsum("rk,brks,bs->br", w0, hot, y), atol=1e-12
    )
    each = np.einsum("br,brks,bs->brk", x, hot, y)
    own = jnp.broadcast_to(w, (trials, *w.shape))
    np.testing.assert_allclose(outer(own, x, y, words, targets)[:, :-1], w0 + each, atol=1e-12)
    np.testing.assert_allclose(outer(w, x, y, words, targets)[:-1], w0 + each.sum(0), atol=1e-12)
    found, through = push_through(y, x, w, words, targets)
    np.testing.assert_array_equal(found, push(y, x, w, words, targets))
    np.testing.assert_array_equal(through, w)
    ones = np.einsum("brks->bs", hot[..., :SLOTS].astype(int))
    np.testing.assert_allclose(
        push(jnp.zeros_like(y), 1.0, 1.0, words, targets)[:, :SLOTS], ones, atol=1e-12
    )


@pytest.mark.parametrize("turn", [0, 5, 27])
def test_a_ring_turns_its_targets(table, turn):
    targets, w = table
    words, x, y = drawn(2)
    moved = jnp.asarray((np.asarray(targets) + turn) % (SLOTS + PADS))
    np.testing.assert_allclose(
        push(y, x, w, words, targets, turn), push(y, x, w, words, moved), atol=1e-12
    )
    turns = jnp.array([turn, 3])
    found = jax.vmap(lambda n: push(y, x, w, words, targets, n))(turns)
    np.testing.assert_allclose(found[1], push(y, x, w, words, targets, 3), atol=1e-12)
    check_grads(
        lambda y, x, w: push(y, x, w, words, targets, turn), (y, x, w), 1, atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("trials", [1, 2])
def test_all_rows_in_one_piece(table, trials):
    targets, w = table
    words, x, y = drawn(trials)
    everyone = jnp.full_like(words, 0xFFFFFFFF)
    for turn in (None, 5):
        found = pull(y, w, words, targets, turn, every_row=True)
        np.testing.assert_allclose(found, pull(y, w, everyone, targets, turn), atol=1e-12)
    each = jnp.broadcast_to(w, (trials, *w.shape))
    found = pull(y, each, words, targets, every_row=True)
    np.testing.assert_allclose(found, pull(y, w, everyone, targets), atol=1e-12)
    loss = lambda x: jnp.sum(push(y, x, w, everyone, targets, every_row=True) ** 2)
    slope = jax.grad(lambda x: jnp.sum(push(y, x, w, everyone, targets) ** 2))(x)
    np.testing.assert_allclose(jax.grad(loss)(x), slope, atol=1e-11)


def test_every_row_may_fire_at_once_on_one_target(table):
    targets = (
        jnp.zeros((ROWS + 1, WIDTH), jnp.int32)
        .at[-1]
        .set(SLOTS + jnp.arange(WIDTH, dtype=jnp.int32))
    )
    words = jnp.full((1, WORDS), 0xFFFFFFFF, jnp.uint32)
    buffer = jnp.zeros((1, SLOTS + PADS), jnp.float32)
    found = push(buffer, 1.0, 1.0, words, targets)
    assert float(found[0, 0]) == ROWS * WIDTH and found.dtype == jnp.float32


@pytest.mark.parametrize("modes", ["fwd", "rev"])
def test_derivatives_of_all_orders(table, modes):
    targets, w = table
    words, x, y = drawn(2)
    options = {"order": 2, "modes": [modes], "atol": 1e-6, "rtol": 1e-6}
    square = lambda a: jnp.sum(jnp.sin(a))
    check_grads(lambda y, x, w: square(push(y, x, w, words, targets)), (y, x, w), **options)
    check_grads(lambda y, w: square(pull(y, w, words, targets)), (y, w), **options)
    check_grads(lambda w, x, y: square(outer(w, x, y, words, targets)), (w, x, y), **options)
    through = lambda y, x, w: sum(map(square, push_through(y, x, w, words, targets)))
    check_grads(through, (y, x, w), **options)
    check_grads(lambda w: square(push_through(y, x, w, words, targets)[1]), (w,), **options)


def summed(v, primitive):
    """A loss of what two steps of a loop send, with weights that are constants or carried."""
    words, x, y = v["words"], v["x"], v["y"]

    def step(carry, _):
        y, w = carry
        if primitive is push:
            return (push(jnp.cos(y), x, v["w"], words, v["targets"]), w), None
        return tuple(push_through(jnp.cos(y), x, w, words, v["targets"])), None

    (y, _), _ = jax.lax.scan(step, (y, v["w"]), None, length=2)
    return jnp.sum(jnp.sin(y))


def test_derivative_by_a_scalar_weight(table):
    targets, _ = table
    words, _, y = drawn(1)
    loss = lambda s: jnp.sum(push(jnp.zeros_like(y), 1.0, s, words, targets) * y)
    h = 1e-6
    numeric = (loss(1.0 + h) - loss(1.0 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(loss)(1.0), numeric, rtol=1e-8)


@pytest.mark.parametrize("mapped", ["words", "x", "w", "y", "all", "targets"])
def test_vmap_equals_a_loop(table, mapped):
    targets, w = table
    n = 3
    kinds = {
        "words": jnp.stack([drawn(1, seed=i)[0] for i in range(n)]),
        "x": jnp.stack([drawn(1, seed=i)[1] for i in range(n)]),
        "y": jnp.stack([drawn(1, seed=i)[2] for i in range(n)]),
        "w": jnp.stack([w * (i + 1) for i in range(n)]),
        "targets": jnp.stack([jnp.roll(targets, i, 0).at[-1].set(targets[-1]) for i in range(n)]),
    }
    one = {"words": drawn(1)[0], "x": drawn(1)[1], "y": drawn(1)[2], "w": w, "targets": targets}
    axes = {
        k: 0 if mapped in (k, "all") and (k, mapped) != ("targets", "all") else None for k in one
    }
    values = {k: kinds[k] if axes[k] == 0 else one[k] for k in one}

    def run(v):
        return (
            push(v["y"], v["x"], v["w"], v["words"], v["targets"]),
            pull(v["y"], v["w"], v["words"], v["targets"]),
            outer(v["w"], v["x"], v["y"], v["words"], v["targets"]),
            jax.grad(lambda w: summed(v | {"w": w}, push))(v["w"]),
            jax.grad(lambda w: summed(v | {"w": w}, push_through))(v["w"]),
        )

    together = jax.vmap(run, in_axes=(axes,))(values)
    for i in range(n):
        alone = run({k: values[k][i] if axes[k] == 0 else values[k] for k in values})
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-12)
        np.testing.assert_allclose(alone[-1], alone[-2], atol=1e-12)
    total = lambda values, primitive: jnp.sum(
        jax.vmap(lambda v: summed(v, primitive), in_axes=(axes,))(values)
    )
    slopes = [
        jax.grad(lambda w, p=p: total(values | {"w": w}, p))(values["w"])
        for p in (push, push_through)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-11)


def test_scalars_may_be_mapped_and_vmaps_nested(table):
    targets, w = table
    words, _, y = drawn(1)
    scales = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    found = jax.vmap(jax.vmap(lambda s: push(y, s, w, words, targets)))(scales)
    by_weight = jax.vmap(jax.vmap(lambda s: push(y, 1.0, s, words, targets)))(scales)
    for i in range(2):
        for j in range(2):
            real = np.s_[:, :SLOTS]  # what lands on the padding is of no account
            alone = push(y, scales[i, j], w, words, targets)
            np.testing.assert_allclose(found[i, j][real], alone[real])
            alone = push(y, 1.0, scales[i, j], words, targets)
            np.testing.assert_allclose(by_weight[i, j][real], alone[real])


@pytest.mark.parametrize("trials", [1, 2])
def test_works_without_x64(table, trials):
    targets, w = table
    words, x, y = drawn(trials)
    single = lambda a: a.astype(jnp.float32)
    with jax.enable_x64(False):
        found = push(single(y), single(x), single(w), words, targets)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, push(y, x, w, words, targets), atol=1e-5)


def test_list_of_rows():
    words = drawn(1)[0][0]
    counts = count_spikes(words)
    total = int(counts.total)
    expected = np.flatnonzero(bits(words))
    found = np.asarray(rows(words, counts, 0, total + 3))
    np.testing.assert_array_equal(found[:total], expected)
    assert (found[total:] == ROWS).all()


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 125, 513, 4100])
def test_the_list_of_rows_is_numpys(n):
    rng = np.random.default_rng(n)
    for density in (0.0, 0.03, 0.5, 1.0):
        set_bits = rng.random((n, BITS)) < density
        words = jnp.asarray((set_bits << np.arange(BITS)).sum(1).astype(np.uint32))
        expected = np.flatnonzero(set_bits.ravel())
        length = len(expected) + 5
        found = rows(words, count_spikes(words), 0, length)
        np.testing.assert_array_equal(found[: len(expected)], expected)
        assert (np.asarray(found[len(expected) :]) >= n * BITS).all()
