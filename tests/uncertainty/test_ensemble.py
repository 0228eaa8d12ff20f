"""The mixture and the parts of its entropy: SciPy's, closed forms, and pairs counted one by one."""

import itertools

import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from adl.uncertainty.ensemble import disagreement, mixture_log_prob, uncertainty

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.normal(size=(4, 50, 6)).astype("f")
PROBABILITY = special.softmax(LOGITS.astype(float), -1)


def test_mixture_is_the_mean_of_probabilities():
    np.testing.assert_allclose(np.exp(mixture_log_prob(LOGITS)), PROBABILITY.mean(0), rtol=1e-5)


def test_mixture_survives_certainty_that_no_float_holds():
    one = jnp.array([[400.0, 0.0], [0.0, 400.0], [0.0, 400.0]])
    np.testing.assert_allclose(mixture_log_prob(one), np.log([1 / 3, 2 / 3]), rtol=1e-5)
    np.testing.assert_allclose(mixture_log_prob(one[:1]), [0, -400], atol=1e-5)


def test_parts_are_entropies_and_divergences_of_scipy():
    total, aleatoric, epistemic = uncertainty(LOGITS)
    mixture = PROBABILITY.mean(0)
    np.testing.assert_allclose(total, stats.entropy(mixture, axis=-1), rtol=1e-4)
    np.testing.assert_allclose(aleatoric, stats.entropy(PROBABILITY, axis=-1).mean(0), rtol=1e-4)
    divergence = special.rel_entr(PROBABILITY, mixture).sum(-1).mean(0)
    np.testing.assert_allclose(epistemic, divergence, rtol=1e-3, atol=1e-5)


def test_members_that_agree_and_members_that_are_certain_of_different_classes():
    same = uncertainty(jnp.broadcast_to(LOGITS[:1], LOGITS.shape))
    np.testing.assert_allclose(same.epistemic, 0, atol=1e-5)
    apart = uncertainty(100 * jnp.eye(3)[:, None])
    np.testing.assert_allclose([*apart], [[np.log(3)], [0], [np.log(3)]], atol=1e-5)


def test_disagreement_is_the_share_of_pairs():
    named = LOGITS.argmax(-1)
    pairs = [named[a] != named[b] for a, b in itertools.combinations(range(4), 2)]
    assert 0 < np.mean(pairs) < 1
    np.testing.assert_allclose(disagreement(LOGITS), np.mean(pairs, 0), atol=1e-6)


def test_classes_that_cannot_be_have_no_part_in_the_uncertainty():
    logits = RNG.normal(size=(3, 4, 2))
    masked = np.concatenate([logits, np.full((3, 4, 1), -np.inf)], -1)
    for part, want in zip(uncertainty(jnp.asarray(masked, "f")), uncertainty(jnp.asarray(logits, "f")), strict=True):
        np.testing.assert_allclose(part, want, atol=1e-6)
    slope = jax.grad(lambda z: uncertainty(z).total.sum())(jnp.asarray(masked, "f"))
    want = jax.grad(lambda z: uncertainty(z).total.sum())(jnp.asarray(logits, "f"))
    np.testing.assert_allclose(slope[..., :2], want, atol=1e-6)
    np.testing.assert_array_equal(slope[..., 2], 0)
    assert np.isnan(disagreement(jnp.full((3, 4, 2), jnp.nan))).all()
