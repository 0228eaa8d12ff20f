"""Losses of worth by hand: the temporal difference's, and C51's projection as the paper's loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from adl.rl.worth import by_atoms, clipped, expected, projected

RNG = np.random.default_rng(0)
LOW, HIGH, K, B = -2.0, 3.0, 11, 64


def looped(probabilities, reward, discount, atoms):
    """Algorithm 1 of Bellemare et al. 2017 for one transition."""
    width, m = atoms[1] - atoms[0], np.zeros(len(atoms))
    for p, z in zip(probabilities, atoms, strict=True):
        b = (np.clip(reward + discount * z, atoms[0], atoms[-1]) - atoms[0]) / width
        low, high = int(np.floor(b)), int(np.ceil(b))
        if low == high:
            m[low] += p
        else:
            m[low] += p * (high - b)
            m[high] += p * (b - low)
    return m


def test_projection_is_the_papers_loop():
    atoms = np.linspace(LOW, HIGH, K)
    probabilities, reward = RNG.dirichlet(np.ones(K), size=B), RNG.normal(size=B) * 3
    discount = np.where(np.arange(B) % 4, 0.9, 0.0)
    want = np.stack([looped(*row, atoms) for row in zip(probabilities, reward, discount, strict=True)])
    places = reward[:, None] + discount[:, None] * atoms
    got = projected(*(jnp.asarray(x, "f") for x in (probabilities, places, atoms)))
    np.testing.assert_allclose(got, want, atol=2e-6)
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)


def test_c51_loss_is_the_cross_entropy_and_surprise_the_divergence():
    numbers, following = RNG.normal(size=(2, B, K))
    reward, discount = RNG.normal(size=B), np.where(np.arange(B) % 4, 0.9, 0.0)
    atoms = np.linspace(LOW, HIGH, K)
    target = np.stack([looped(*row, atoms) for row in zip(softmax(following, -1), reward, discount, strict=True)])
    worth = by_atoms(LOW, HIGH, K)
    loss, surprise = worth.loss(*(jnp.asarray(x, "f") for x in (numbers, reward, discount, following)))
    want = -(target * log_softmax(numbers, -1)).sum(-1)
    np.testing.assert_allclose(loss, want, rtol=1e-4)
    own = -np.where(target > 0, target * np.log(np.where(target > 0, target, 1)), 0).sum(-1)
    np.testing.assert_allclose(surprise, want - own, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        worth.value(jnp.asarray(numbers, "f")), softmax(numbers, -1) @ atoms, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("worth", "slope"), [(expected, lambda x: x), (clipped, lambda x: np.clip(x, -1, 1))])
def test_gradient_of_the_expected_return_is_the_error(worth, slope):
    numbers, reward = jnp.array([0.0, 5.0, -5.0, 0.3]), jnp.zeros(4)
    got = jax.grad(lambda x: worth.loss(x, reward, jnp.full(4, 0.5), jnp.ones(4))[0].sum())(numbers)
    np.testing.assert_allclose(got, slope(numbers - 0.5), atol=1e-6)
    np.testing.assert_allclose(worth.loss(numbers, reward, jnp.zeros(4), jnp.ones(4))[1], np.abs(numbers))
