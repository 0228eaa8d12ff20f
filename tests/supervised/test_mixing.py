"""Mixed pictures: halves that add up, and a loss that is that of soft targets."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.stats

from adl.supervised.classification import views
from adl.supervised.mixing import Mixed, mixed_surprise, mixup


def test_pictures_and_classes_are_mixed_by_one_share():
    batch = {"image": jnp.arange(12.0).reshape(6, 2, 1, 1), "label": jnp.arange(6)}
    x, mixed = mixup(views(), concentration=0.5)(jax.random.key(0), batch)
    share = mixed.share[:, None, None, None]
    before = batch["image"][jnp.array([5, 0, 1, 2, 3, 4])]
    np.testing.assert_allclose(x, share * batch["image"] + (1 - share) * before, rtol=1e-6)
    np.testing.assert_array_equal(mixed.label, batch["label"])
    np.testing.assert_array_equal(mixed.other, [5, 0, 1, 2, 3, 4])


def test_shares_are_those_of_a_beta_and_its_mirror():
    batch = {"image": jnp.zeros((4000, 1)), "label": jnp.zeros(4000, int)}
    _, mixed = mixup(views(), concentration=1.0)(jax.random.key(1), batch)
    assert mixed.share.min() >= 0.5
    np.testing.assert_allclose(mixed.share.mean(), 0.75, atol=0.01)  # of the larger of s and 1 - s, s uniform
    _, mixed = mixup(views(), concentration=0.2)(jax.random.key(2), batch)
    draws = np.random.default_rng(0).beta(0.2, 0.2, 4000)
    assert scipy.stats.ks_2samp(mixed.share, np.maximum(draws, 1 - draws)).pvalue > 1e-3


def test_the_loss_is_that_of_soft_targets():
    key = jax.random.key(2)
    logits, share = jax.random.normal(key, (5, 3)), jnp.array([0.5, 0.6, 0.7, 0.9, 1.0])
    mixed = Mixed(jnp.array([0, 1, 2, 0, 1]), jnp.array([1, 1, 0, 2, 0]), share)
    soft = share[:, None] * jax.nn.one_hot(mixed.label, 3) + (1 - share)[:, None] * jax.nn.one_hot(mixed.other, 3)
    found = mixed_surprise()(logits, mixed)
    want = optax.softmax_cross_entropy(logits, soft)
    np.testing.assert_allclose(found["loss"].total / found["loss"].count, want.mean(), rtol=1e-6)
    right = (logits.argmax(-1) == mixed.label).mean()
    np.testing.assert_allclose(found["accuracy"].total / found["accuracy"].count, right)
