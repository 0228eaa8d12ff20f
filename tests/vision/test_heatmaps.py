"""Places that are drawn as bumps are found again, between the cells too."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.vision import heatmaps

WAYS = heatmaps.DECODERS
RNG = np.random.default_rng(0)
PLACES = RNG.uniform(4, 28, (200, 1, 2)).astype("f")  # at 5 cells or more from the border of 64 x 64 pixels


def error(way, *, std: float, stride: int = 1) -> np.ndarray:
    """In cells, of exact bumps."""
    size = (64 // stride, 64 // stride)

    @jax.jit
    def found(places):
        maps = jax.vmap(lambda joints: heatmaps.bumps(joints, size, stride=stride, std=std))(places)
        return heatmaps.places_of(jnp.log(maps), way, stride=stride)

    return np.linalg.norm(np.asarray(found(2 * PLACES) - 2 * PLACES), axis=-1) / stride


def test_a_bump_is_a_gaussian_of_scipys():
    maps = np.asarray(heatmaps.bumps(np.array([[3.0, 9.0]], "f"), (8, 6), stride=2, std=1.5))[..., 0]
    rows, columns = np.meshgrid(2 * np.arange(8) + 1, 2 * np.arange(6) + 1, indexing="ij")
    density = stats.multivariate_normal([9.0, 3.0], 9 * np.eye(2)).pdf(np.stack([rows, columns], -1))
    np.testing.assert_allclose(maps, density / density[4, 1], rtol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_places_between_cells_are_found_on_exact_bumps(stride):
    """Of whole cells the error is that of rounding, sqrt(1/6) in the mean square; of a parabola there is none."""
    whole = error(heatmaps.highest, std=1.0, stride=stride)
    assert whole.max() <= 0.5**0.5 + 1e-4
    assert stride == 1 or abs(np.square(whole).mean() - 1 / 6) < 0.03
    assert error(heatmaps.parabola, std=1.0, stride=stride).max() < 1e-3
    assert error(heatmaps.local_mean, std=1.0, stride=stride).max() < 0.1
    assert error(heatmaps.quarter, std=1.0, stride=stride).mean() < 0.6 * whole.mean() + 1e-4


def test_a_window_must_be_as_wide_as_the_bump():
    wide = lambda log_heat: heatmaps.local_mean(log_heat, 6)  # noqa: E731 - a decoder
    assert error(wide, std=1.5, stride=2).max() < 0.02 < 0.1 < error(heatmaps.local_mean, std=1.5, stride=2).max()


def test_a_parabola_is_found_at_the_border_and_where_there_is_none_the_highest_cell():
    places = np.array([[[0.2, 0.7]], [[15.9, 8.3]], [[7.5, 15.4]]], "f")
    maps = jax.vmap(lambda joints: heatmaps.bumps(joints, (16, 16), std=1.0))(places)
    np.testing.assert_allclose(heatmaps.places_of(jnp.log(maps), heatmaps.parabola), places, atol=1e-3)
    ramp = jnp.arange(36.0).reshape(6, 6)
    odd = jnp.stack([ramp, jnp.zeros((6, 6)), jnp.where(ramp == 14, 0.0, -jnp.inf)], -1)
    found = {name: np.asarray(jax.jit(heatmaps.places_of, static_argnums=1)(odd, way)) for name, way in WAYS.items()}
    assert all(np.isfinite(places).all() for places in found.values())
    np.testing.assert_array_equal(found["parabola"], found["argmax"])


def test_maps_of_a_softmax_are_read_as_those_of_heat():
    """A constant, or a factor of the heat, moves no place."""
    maps = jnp.log(jax.vmap(lambda joints: heatmaps.bumps(joints, (32, 32), std=1.2))(PLACES[:20]))
    for way in WAYS.values():
        read = jax.jit(functools.partial(heatmaps.places_of, decoder=way))
        np.testing.assert_allclose(read(maps + 7.0), read(maps), atol=1e-3)
