"""Weighted draws and resampling: moments and normalisers in closed form, counts that scatter as theory says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.sampling import importance
from adl.sampling.importance import Weighted
from adl.sampling.resampling import SCHEMES, resample

KEY = jax.random.key(0)


def student(key):
    return jax.random.t(key, 5.0)


def log_student(x):
    return jax.scipy.stats.t.logpdf(x, 5.0)


def shifted(x):
    """N(1, 0.5^2), times 3."""
    return jnp.log(3.0) + jax.scipy.stats.norm.logpdf(x, 1.0, 0.5)


@pytest.fixture(scope="module")
def many():
    """400 runs of 500 draws."""

    def run(key):
        return importance.importance(key, shifted, student, log_student, num_samples=500)

    return jax.jit(jax.vmap(run))(jax.random.split(KEY, 400))


def test_normaliser_is_unbiased_and_its_error_is_told(many):
    """Within 4 standard errors of the 400 runs; each run's own error is their spread."""
    log_z = jax.vmap(importance.log_normaliser)(many.log_weight)
    z = jnp.exp(log_z)
    assert abs(z.mean() - 3) < 4 * z.std() / 20
    told = jax.vmap(importance.log_normaliser_error)(many.log_weight)
    np.testing.assert_allclose(told.mean(), log_z.std(), rtol=0.15)  # of a standard deviation of 400: 3.5 % one sigma


def test_self_normalised_mean_and_its_error(many):
    mean, error = jax.vmap(lambda w: importance.mean(w, jnp.stack([w.x, w.x**2], -1)))(many)
    z = (mean - jnp.array([1.0, 1.25])[None]) / error
    assert abs(mean.mean(0) - jnp.array([1.0, 1.25])).max() < 4 * float((mean.std(0) / 20).max())
    np.testing.assert_allclose(z.std(0), 1, atol=0.15)  # 4 sigma of a standard deviation of 400 is 0.14


def test_effective_size_is_that_of_the_variance():
    """Equal weights are worth all, one weight one; else N / (1 + the weights' relative variance), of any scale."""
    log_weight = jax.random.normal(KEY, (1000,))
    weight = np.exp(np.asarray(log_weight))
    want = 1000 / (1 + weight.var() / weight.mean() ** 2)
    np.testing.assert_allclose(importance.effective_size(log_weight), want, rtol=1e-4)
    np.testing.assert_allclose(importance.effective_size(log_weight + 500.0), want, rtol=1e-3)
    np.testing.assert_allclose(importance.effective_size(jnp.zeros(7)), 7, rtol=1e-5)
    np.testing.assert_allclose(importance.effective_size(jnp.array([0.0, -jnp.inf, -jnp.inf])), 1, rtol=1e-5)


def test_sampling_importance_resampling_has_the_targets_law():
    weighted = importance.importance(KEY, shifted, student, log_student, num_samples=40_000)
    x = importance.resampled(jax.random.key(1), weighted, 2000, scheme="multinomial")
    assert stats.kstest(np.asarray(x), stats.norm(1, 0.5).cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(weighted.x[:2000]), stats.norm(1, 0.5).cdf).pvalue < 1e-6


WEIGHT = np.array([0.02, 0.0, 0.33, 0.25, 0.4])


@pytest.fixture(scope="module")
def counts():
    """Of each scheme, over 4,000 keys: `[4000, 5]` of 10 draws."""
    keys = jax.random.split(KEY, 4000)

    def count(key, scheme):
        index = resample(key, jnp.log(WEIGHT).astype("float32"), 10, scheme=scheme)
        return jnp.bincount(index, length=5)

    return {
        scheme: np.asarray(jax.jit(jax.vmap(lambda key, scheme=scheme: count(key, scheme)))(keys)) for scheme in SCHEMES
    }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampling_is_unbiased(counts, scheme):
    """Mean counts within 4 standard errors of n w; what has no weight is never drawn; 10 are."""
    seen = counts[scheme]
    assert (seen.sum(1) == 10).all() and (seen[:, 1] == 0).all()
    error = seen.std(0) / np.sqrt(len(seen)) + 1e-6
    assert (abs(seen.mean(0) - 10 * WEIGHT) < 4 * error).all()


def test_counts_scatter_as_the_schemes_are_ordered(counts):
    variance = {scheme: seen.var(0).sum() for scheme, seen in counts.items()}
    np.testing.assert_allclose(variance["multinomial"], (10 * WEIGHT * (1 - WEIGHT)).sum(), rtol=0.05)
    assert variance["multinomial"] > 2 * variance["residual"] and variance["multinomial"] > 2 * variance["stratified"]
    systematic = counts["systematic"]
    assert (abs(systematic - 10 * WEIGHT[None]) < 1 + 1e-4).all()
    residual = counts["residual"]
    assert (residual >= np.floor(10 * WEIGHT[None] + 1e-6)).all()


def test_whole_counts_are_kept_by_all_but_chance():
    log_weight = jnp.log(jnp.array([0.25, 0.5, 0.25]))
    for scheme in ("residual", "systematic", "stratified"):
        index = resample(KEY, log_weight, 8, scheme=scheme)
        np.testing.assert_array_equal(jnp.bincount(index, length=3), [2, 4, 2])


def test_resampling_takes_any_structure():
    weighted = Weighted({"a": jnp.arange(3), "b": jnp.ones((3, 2))}, jnp.array([-jnp.inf, 0.0, -jnp.inf]))
    x = importance.resampled(KEY, weighted, 5)
    assert (x["a"] == 1).all() and x["b"].shape == (5, 2)
