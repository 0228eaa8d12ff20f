"""What is fitted with weights is fitted to the pictures that count, and strange pictures score higher."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.latent import novelty

RNG = np.random.default_rng(0)
SIZE = {"levels": 17, "num_factors": 2, "num_components": 2}
X = (0.5 + 0.1 * RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 6))).clip(0, 1).astype("f")
WEIGHT = (np.arange(60) < 40).astype("f")


def test_pictures_of_weight_0_are_not_there():
    """Where a mixture begins depends on who is there: it is fitted twice from one place, in one component."""
    size = {**SIZE, "num_components": 1}
    fitted = [novelty.judges(jax.random.key(0), x, w, **size) for x, w in ((X, WEIGHT), (X[:40], jnp.ones(40)))]
    some, alone = (novelty.novelty(one, X[:10] + 0.03) for one in fitted)
    assert [*some] == [*novelty.NAMES]
    for name in novelty.NAMES:
        np.testing.assert_allclose(some[name], alone[name], rtol=1e-3, atol=1e-3)


def test_scores_are_what_they_are_called():
    fitted = novelty.judges(jax.random.key(0), X, jnp.ones(60), **SIZE)
    scores = novelty.novelty(fitted, jnp.asarray(X))
    np.testing.assert_allclose(scores["neighbour"], 0, atol=1e-5)
    np.testing.assert_allclose(scores["ink"], X.mean(1) - X.mean(), atol=1e-5)
    far = novelty.novelty(fitted, jnp.asarray(X[::-1] * np.array([1, -1, 1, -1, 1, -1]), jnp.float32))
    for name in ("reconstruction", "gaussian", "ppca", "mixture", "neighbour"):
        assert far[name].mean() > scores[name].mean(), name
    theirs = -jax.vmap(fitted.densities["gaussian"].log_prob)(jnp.asarray(X))
    np.testing.assert_allclose(scores["gaussian"], theirs, rtol=1e-4, atol=1e-3)


def test_a_ratio_sees_what_plain_likelihoods_take_for_the_best_of_pictures():
    """In the middle between two kinds all is likely, but for what knows how numbers go together; far out is far out."""
    kinds = np.where(RNG.random((400, 1)) < 0.5, 0.25, 0.75)
    x = (kinds + 0.03 * RNG.normal(size=(400, 6))).astype("f")
    fitted = novelty.judges(jax.random.key(0), x, jnp.ones(400), **SIZE)
    inside, between, out = (
        novelty.novelty(fitted, jnp.asarray(rows, jnp.float32))
        for rows in (x, 0.5 + 0.03 * RNG.normal(size=(400, 6)), np.array([0.1, 0.9])[RNG.integers(2, size=(400, 6))])
    )
    assert between["gaussian"].mean() < inside["gaussian"].mean()
    for strange in (between, out):
        assert strange["ratio"].mean() > inside["ratio"].max()
