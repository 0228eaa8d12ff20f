"""Toy densities: scikit-learn's samples by two-sample tests, and the geometry that each one promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn import datasets

from adl.data import toys

KEY = jax.random.key(0)
N = 4000
TOYS = [
    toys.two_moons,
    toys.rings,
    toys.spirals,
    toys.eight_gaussians,
    toys.grid_gaussians,
    toys.swiss_roll,
    toys.checkerboard,
    toys.eruptions,
]


def sample(toy, **arguments) -> tuple[np.ndarray, np.ndarray]:
    points, labels = jax.jit(lambda key: toy(key, N, **arguments))(KEY)
    return np.asarray(points, float), np.asarray(labels)


def alike(ours: np.ndarray, theirs: np.ndarray) -> float:
    """p-value that two samples of the plane have one distribution: Kolmogorov-Smirnov tests of eight functions."""
    angles = np.arange(6) * np.pi / 6
    directions = np.stack([np.cos(angles), np.sin(angles)])

    def views(points):
        return [*(points @ directions).T, np.hypot(*points.T), np.hypot(*(points - [1.0, 0.5]).T)]

    return min(8 * stats.ks_2samp(a, b).pvalue for a, b in zip(views(ours), views(theirs), strict=True))


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.__name__)
def test_shape_type_range_and_key(toy):
    draw = jax.jit(lambda key: toy(key, 64))
    points, labels = draw(KEY)
    assert points.shape == (64, 2) and points.dtype == jnp.float32 and labels.shape == (64,)
    assert np.abs(points).max() < 4.5
    np.testing.assert_array_equal(points, draw(KEY)[0])
    assert (np.asarray(points) != np.asarray(draw(jax.random.key(1))[0])).all()


def test_splits_are_the_toys_with_keys_of_their_own():
    train, test = toys.splits(toys.eruptions, 30, 70)
    assert (len(train), len(test)) == (30, 70) and test.num_classes == 2
    for seed, split in enumerate((train, test)):
        x, label = toys.eruptions(jax.random.key(seed), len(split))
        np.testing.assert_array_equal(split.arrays["x"], x)
        np.testing.assert_array_equal(split.arrays["label"], label)


def test_ring_and_mesh():
    at = 3 * np.exp(1j * (0.5 + 2 * np.pi * np.arange(5) / 5))
    np.testing.assert_allclose(toys.ring(5, radius=3.0, start=0.5), np.stack([at.real, at.imag], -1), atol=1e-6)
    want = [(x, y) for y in (-2, 0, 2) for x in (-2, 0, 2)]
    np.testing.assert_allclose(toys.mesh(2.0, 3), want)


def test_two_moons_are_scikit_learns():
    ours, label = sample(toys.two_moons, noise=0.1)
    theirs, moon = datasets.make_moons(N, noise=0.1, random_state=0)
    noisier, _ = datasets.make_moons(N, noise=0.15, random_state=0, shuffle=False)
    for k in (0, 1):
        assert alike(ours[label == k], theirs[moon == k]) > 1e-3
        assert alike(ours[label == k], np.split(noisier, 2)[k]) < 1e-3, "the test must see other noise"


def test_swiss_roll_is_scikit_learns():
    ours, t = sample(toys.swiss_roll, noise=0.05)
    theirs, place = datasets.make_swiss_roll(N, noise=0.2, random_state=0)
    assert alike(ours, theirs[:, [0, 2]] / 4) > 1e-3 and stats.ks_2samp(t, place).pvalue > 1e-3
    assert alike(ours, theirs[:, [2, 0]] / 4) < 1e-3
    exact, t = sample(toys.swiss_roll, noise=0.0)
    np.testing.assert_allclose(exact, np.stack([t * np.cos(t), t * np.sin(t)], -1) / 4, atol=1e-5)


def test_rings():
    points, label = sample(toys.rings, num_rings=4, noise=0.0)
    np.testing.assert_allclose(np.hypot(*points.T), label + 1, rtol=1e-5)
    np.testing.assert_array_equal(np.bincount(label), [N // 4] * 4)
    for k in range(4):
        angle = np.arctan2(*points[label == k].T)
        assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    points, label = sample(toys.rings, noise=0.05)
    radial = np.hypot(*points.T) - label - 1
    assert stats.kstest(radial[label == 2], stats.norm(0, 0.05).cdf).pvalue > 1e-3
    assert set(label) == {0, 1, 2}


def test_spirals():
    points, label = sample(toys.spirals, turns=1.25, noise=0.0)
    radius = np.hypot(*points.T)
    angle = 2 * np.pi * 1.25 * radius / 3 + np.pi * label
    np.testing.assert_allclose(points, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1), atol=1e-4)
    assert stats.kstest(radius**2, stats.uniform(0, 9).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(np.bincount(label), [N // 2] * 2)


def test_eight_gaussians():
    points, label = sample(toys.eight_gaussians, noise=0.3)
    for k in range(8):
        at = 2 * np.exp(1j * np.pi * k / 4)
        whitened = (points[label == k] - [at.real, at.imag]) / 0.3
        assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-3
        assert stats.kstest((whitened**2).sum(-1), stats.chi2(2).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(np.bincount(label), [N // 8] * 8)


@pytest.mark.parametrize("num_sides", [3, 5])
def test_grid_gaussians(num_sides):
    points, label = sample(toys.grid_gaussians, num_sides=num_sides, noise=0.1)
    places = 2 * np.arange(num_sides) - num_sides + 1
    for k in range(num_sides**2):
        whitened = (points[label == k] - [places[k % num_sides], places[k // num_sides]]) / 0.1
        assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-4
    np.testing.assert_allclose(np.bincount(label), N / num_sides**2, atol=1)
    np.testing.assert_array_equal(toys.grid_means(num_sides)[:2], [[places[0], places[0]], [places[1], places[0]]])


def test_checkerboard():
    points, label = sample(toys.checkerboard)
    squares = np.floor((points + 4) / 2).astype(int)
    assert ((squares >= 0) & (squares < 4)).all() and not (squares.sum(-1) % 2).any()
    where = {k: {tuple(square) for square in squares[label == k]} for k in range(8)}
    assert all(len(found) == 1 for found in where.values()) and len(set.union(*where.values())) == 8
    for inside in ((points + 4) % 2).T:
        assert stats.kstest(inside, stats.uniform(0, 2).cdf).pvalue > 1e-3


def test_eruptions():
    points, label = sample(toys.eruptions)
    np.testing.assert_allclose(label.mean(), 7 / 11, atol=1e-3)
    for k, (mean, std) in enumerate([((-1.25, -1.2), (0.25, 0.45)), ((0.7, 0.65), (0.35, 0.45))]):
        covariance = np.outer(std, std) * [[1, 0.35], [0.35, 1]]
        whitened = np.linalg.solve(np.linalg.cholesky(covariance), (points[label == k] - mean).T)
        assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-3
        assert stats.kstest((whitened**2).sum(0), stats.chi2(2).cdf).pvalue > 1e-3
