"""The mutual information gap: against quadrature and against codes whose gap is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.measure.disentanglement import gaps, information_gap

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def by_quadrature(mean, log_std, factor):
    """I(z; v) of one latent: integrals of mixtures, on a grid, in double precision."""
    grid = np.linspace(-15, 15, 20001)
    std = np.exp(log_std)
    each = np.exp(-0.5 * ((grid[None] - mean[:, None]) / std[:, None]) ** 2) / (std[:, None] * np.sqrt(2 * np.pi))

    def entropy(p):
        return -(p * np.log(np.maximum(p, 1e-300))).sum() * (grid[1] - grid[0])

    within = sum((factor == v).mean() * entropy(each[factor == v].mean(0)) for v in np.unique(factor))
    return entropy(each.mean(0)) - within


def test_information_meets_quadrature():
    factors = np.stack([np.arange(60) % 3, RNG.integers(0, 2, 60), np.arange(60) % 5], 1)
    mean = np.stack([2.0 * factors[:, 0], factors[:, 0] - 1.5 * factors[:, 1], RNG.normal(size=60)], 1).astype("f")
    log_std = RNG.uniform(-1, 0.3, (60, 3)).astype("f")
    seen = jax.jit(lambda: information_gap(KEY, mean, log_std, jnp.asarray(factors), num_samples=300))()
    want = np.array([[by_quadrature(mean[:, j], log_std[:, j], factors[:, k]) for k in range(3)] for j in range(3)])
    np.testing.assert_allclose(seen.information, want, atol=0.02)
    entropy = [-sum(p * np.log(p) for p in np.bincount(f) / 60) for f in factors.T]
    np.testing.assert_allclose(seen.entropy, entropy, rtol=1e-5)
    ordered = np.sort(want, 0)
    gap = (ordered[-1] - ordered[-2]) / entropy
    np.testing.assert_allclose(seen.gap, gap, atol=0.04)
    np.testing.assert_allclose(seen.score, gap.mean(), atol=0.03)


def test_a_latent_for_each_factor_has_the_whole_gap_and_a_turned_pair_has_little():
    factors = jnp.asarray(np.stack([np.arange(64) % 4, np.arange(64) // 16], 1))
    alone = 10.0 * factors.astype(jnp.float32)
    small = jnp.full(alone.shape, -3.0)
    np.testing.assert_allclose(information_gap(KEY, alone, small, factors).score, 1, atol=1e-3)
    turned = alone @ jnp.array([[1.0, 1.0], [-1.0, 1.0]])
    assert information_gap(KEY, turned, small, factors).score < 0.1
    doubled = jnp.concatenate([alone, alone[:, :1]], 1)  # one factor said twice: only the other has a gap
    gap = information_gap(KEY, doubled, jnp.full(doubled.shape, -3.0), factors).gap
    np.testing.assert_allclose(gap, [0, 1], atol=1e-3)


def test_a_factor_of_one_value_does_not_count():
    factors = jnp.stack([jnp.arange(40) % 2, jnp.zeros(40, jnp.int32)], 1)
    mean = jnp.stack([10.0 * factors[:, 0], jnp.zeros(40)], 1)
    seen = information_gap(KEY, mean, jnp.full(mean.shape, -2.0), factors)
    assert np.isnan(seen.gap[1]) and np.isfinite(seen.information).all()
    np.testing.assert_allclose(seen.score, 1, atol=1e-3)
    with pytest.raises(AssertionError):
        information_gap(KEY, mean[:, :1], mean[:, :1], factors)
    with pytest.raises(AssertionError):
        information_gap(KEY, mean, mean, factors.astype(jnp.float32))


def test_the_probe_names_what_it_found():
    factors = {"shape": jnp.arange(40) % 2, "place": jnp.arange(40) // 20}
    x = 10.0 * jnp.stack([*factors.values(), jnp.zeros(40)], 1)
    seen = gaps(lambda state, x: (x + state, jnp.full(x.shape, -3.0)), x, factors)(KEY, 1.0)
    assert {*seen} == {"mig", "gap_shape", "gap_place", "share"}
    np.testing.assert_allclose(seen["share"], [[1, 0], [0, 1], [0, 0]], atol=1e-3)
    np.testing.assert_allclose([seen["mig"].value, seen["gap_place"].value], 1, atol=1e-3)
