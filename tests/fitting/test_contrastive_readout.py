"""The contrastive read-out: its loss in numpy, and pairs of classes that it has not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax.fitting.contrastive_readout import contrastive_readout, info_nce


def test_loss_is_its_equation():
    s, tau = np.random.default_rng(0).normal(size=(5, 5)), 0.3
    total = 0.0
    for b in range(5):
        total -= np.log(np.exp(s[b, b] / tau) / np.exp(s[b] / tau).sum())
        total -= np.log(np.exp(s[b, b] / tau) / np.exp(s[:, b] / tau).sum())
    assert np.isclose(float(info_nce(s, tau)), total / 10, atol=1e-12)
    assert np.isclose(float(info_nce(s.T, tau)), total / 10, atol=1e-12)
    # perfect pairs: as good as can be
    assert float(info_nce(np.eye(5), 0.01)) < 1e-12


def test_pairs_of_classes_that_were_not_seen_are_found():
    """Digits and the same digits with permuted, noisy pixels; two of the classes are held out."""
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    noise = lambda: rng.normal(size=X.shape)
    views = X / 16.0 + 0.05 * noise(), X[:, rng.permutation(64)] / 16.0 + 0.05 * noise()
    # random features that nobody trained, as of two reservoirs
    first, second = (np.tanh(v @ rng.normal(size=(64, 120)) / 4.0) for v in views)
    seen = y < 8
    readout, losses = contrastive_readout(
        first[seen], second[seen], dimension=16, steps=150, batch=64, key=jax.random.key(0)
    )
    assert float(losses[-10:].mean()) < 0.5 * float(losses[:10].mean())
    new = np.flatnonzero(~seen)[:100]
    found = np.asarray(readout.retrieve(first[new], second[new]))
    # chance is 1 in 100, its standard error over 100 pairs 1 %
    assert np.mean(found == np.arange(100)) > 0.2
    # whoever is paired at random is not found
    shuffled = rng.permutation(100)
    assert np.mean(found == shuffled) < 0.06
    # the class of an unseen pair is found by the mean of the other view, zero-shot
    means = jnp.stack([jnp.asarray(second[y == k]).mean(axis=0) for k in (8, 9)])
    chosen = np.asarray(readout.retrieve(first[~seen], means)) + 8
    assert np.mean(chosen == y[~seen]) > 0.8
    units = np.linalg.norm(readout.embed_first(first[new]), axis=1)
    assert np.allclose(units, 1.0, atol=1e-6)
    assert float(readout.temperature) >= 0.01


def test_constant_features_do_no_harm():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    first[:, 1] = 4.0
    readout, losses = contrastive_readout(first, second, dimension=2, steps=5, batch=64)
    assert np.all(np.isfinite(losses)) and losses.shape == (5,)
    assert np.all(np.isfinite(readout.similarities(first, second)))


def test_bad_arguments_are_named():
    a, b = np.zeros((4, 3)), np.zeros((4, 2))
    with pytest.raises(ValueError, match="as many samples"):
        contrastive_readout(a, b[:3])
    for name in ("dimension", "steps", "batch"):
        with pytest.raises(ValueError, match=name):
            contrastive_readout(a, b, **{name: 0})
    with pytest.raises(ValueError, match="batch must be two pairs at least, got 1"):
        contrastive_readout(a, b, batch=1)
    with pytest.raises(ValueError, match="temperature"):
        contrastive_readout(a, b, temperature=0.0)
    with pytest.raises(ValueError, match="two samples"):
        contrastive_readout(a[:1], b[:1])
    with pytest.raises(ValueError, match="second must be finite, got 8 times nan"):
        contrastive_readout(a, np.nan * b)
    readout, _ = contrastive_readout(a, b, steps=1)
    with pytest.raises(
        ValueError, match=r"second circuit must have shape \(samples, 2\), got \(4, 3\)"
    ):
        readout.retrieve(a, a)
    with pytest.raises(ValueError, match="square"):
        info_nce(np.zeros((3, 4)))
