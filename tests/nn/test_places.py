"""What convolutions and pooling do to places: what moves with the picture, what a border breaks, how far one sees."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.nn.convolution import convolve
from adl.nn.pooling import adaptive_mean, max_pool, mean_pool
from adl.nn.receptive import Layer, receptive_field

RNG = np.random.default_rng(0)
PICTURE = RNG.normal(size=(1, 12, 12, 2)).astype("f")
KERNEL = RNG.normal(size=(3, 3, 2, 4)).astype("f")
BINARY = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]], np.float32)
CROSS = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], np.float32)


def moved(x, by):
    return np.roll(x, (by, by), (1, 2))


def test_the_picture_of_the_slides_has_the_map_of_the_slides():
    out = convolve(BINARY[None, ..., None], CROSS[..., None, None], padding="VALID")[0, ..., 0]
    np.testing.assert_array_equal(out, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


@pytest.mark.parametrize("by", [1, -2, 5])
def test_a_convolution_moves_with_the_picture_on_a_torus(by):
    """Around whose edges it goes on: translation equivariance without exception."""

    def on_a_torus(x):
        return convolve(np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="wrap"), KERNEL, padding="VALID")

    np.testing.assert_allclose(on_a_torus(moved(PICTURE, by)), moved(on_a_torus(PICTURE), by), atol=1e-5)


def test_zeros_around_a_picture_break_it_at_the_border_alone():
    difference = convolve(moved(PICTURE, 1), KERNEL) - moved(convolve(PICTURE, KERNEL), 1)
    is_broken = np.abs(difference).max((0, 3)) > 1e-4
    border = np.ones((12, 12), bool)
    border[2:-1, 2:-1] = False  # what came in over the edge, and whoever sees it
    np.testing.assert_array_equal(is_broken, border)


def test_under_a_stride_it_moves_with_the_picture_by_multiples_of_it():
    def strided(x):
        return convolve(np.pad(x, [(0, 0), (1, 0), (1, 0), (0, 0)], mode="wrap"), KERNEL, strides=2, padding="VALID")

    np.testing.assert_allclose(strided(moved(PICTURE, 2)), moved(strided(PICTURE), 1), atol=1e-5)
    assert np.abs(strided(moved(PICTURE, 1)) - strided(PICTURE)).max() > 0.1
    assert np.abs(strided(moved(PICTURE, 1)) - moved(strided(PICTURE), 1)).max() > 0.1


def test_a_mean_over_all_places_forgets_where():
    """Equivariance and then a symmetric function of the places is invariance; the largest as well."""
    out = convolve(np.pad(PICTURE, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="wrap"), KERNEL, padding="VALID")
    for pooled in (adaptive_mean(out, (1, 1)), max_pool(out, 12, 12)):
        assert pooled.shape == (1, 1, 1, 4)
    np.testing.assert_allclose(adaptive_mean(moved(out, 5), (1, 1)), adaptive_mean(out, (1, 1)), atol=1e-6)
    np.testing.assert_array_equal(max_pool(moved(out, 5), 12, 12), max_pool(out, 12, 12))


def test_the_largest_of_a_window_stays_while_it_is_within_the_window():
    spot = np.zeros((1, 8, 8, 1), np.float32)
    spot[0, 4, 4] = 1
    np.testing.assert_array_equal(max_pool(moved(spot, 1), 2, 2), max_pool(spot, 2, 2))
    assert np.abs(max_pool(moved(spot, 2), 2, 2) - max_pool(spot, 2, 2)).max() == 1
    assert np.abs(moved(spot, 1) - spot).max() == 1


STACKS = {
    "one": [Layer(3, padding=1)],
    "two of three are one of five": [Layer(3), Layer(3)],
    "strides": [Layer(5, 2, padding=2), Layer(3, 2, padding=1), Layer(3, padding=1)],
    "dilations": [Layer(3, 1, 1, 1), Layer(3, 1, 2, 2), Layer(3, 1, 4, 4)],
    "both": [Layer(3, 2, 1, 1), Layer(2, 1, 3, 1), Layer(3, 2, 2, 2)],
}


@pytest.mark.parametrize("name", STACKS)
def test_receptive_field_is_the_gradients_support(name):
    """Along an axis: of kernels above 0 no gradient cancels, so that what a unit sees is where its gradient is."""
    stack = STACKS[name]

    def through(x):
        for layer in stack:
            kernel = jnp.ones((layer.window, 1, 1))
            pads = [(layer.padding, layer.padding)]
            x = convolve(x, kernel, strides=layer.stride, padding=pads, dilation=layer.dilation)
        return x

    field = receptive_field(stack)
    seen = np.asarray(jax.jacobian(lambda x: through(x)[0, :, 0])(jnp.zeros((1, 80, 1)))[:, 0, :, 0]) > 0
    for unit, row in enumerate(seen):
        first = field.first + field.jump * unit
        found, last = np.flatnonzero(row), first + field.size - 1
        assert first <= found[0] and found[-1] <= last  # with gaps where taps are further apart than one of them sees
        assert first < 0 or found[0] == first
        assert last > 79 or found[-1] == last


def test_receptive_fields_of_the_papers():
    """Of VGG-16's last convolution 196 pixels, of its last pooling 212; of three dilated ones 15."""
    stage = [Layer(3), Layer(3)], [Layer(3), Layer(3)], [Layer(3)] * 3, [Layer(3)] * 3, [Layer(3)] * 3
    layers = [layer for part in stage for layer in (*part, Layer(2, 2))]
    assert receptive_field(layers[:-1]).size == 196
    assert receptive_field(layers)[:2] == (212, 32)
    assert receptive_field(STACKS["dilations"]).size == 15
    assert receptive_field(STACKS["two of three are one of five"]) == receptive_field([Layer(5)])


@pytest.mark.parametrize(
    ("window", "stride", "padding", "dilation"),
    [sides for sides in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 2), (1, 2)) if sides[0] * sides[3] <= 7],
)
def test_sizes_are_those_of_the_formula(window, stride, padding, dilation):
    """floor((n + 2 p - d (k - 1) - 1) / s) + 1, as PyTorch has it; under "SAME" ceil(n / s)."""

    def places(size, padding):
        x, kernel = jnp.zeros((1, size, 1)), jnp.zeros((window, 1, 1))
        how = {"strides": stride, "dilation": dilation, "padding": padding}
        return jax.eval_shape(functools.partial(convolve, **how), x, kernel).shape[1]

    for size in (7, 8):
        found = places(size, [(padding, padding)])
        theirs = torch.nn.functional.conv1d(
            torch.zeros(1, 1, size), torch.zeros(1, 1, window), None, stride, padding, dilation
        )
        assert found == (size + 2 * padding - dilation * (window - 1) - 1) // stride + 1 == theirs.shape[2]
        assert places(size, "SAME") == -(-size // stride)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7), (9, 4)])
def test_adaptive_means_are_torch_s_with_fewer_or_more_places(size):
    x = RNG.normal(size=(2, 7, 5, 3)).astype("f")
    want = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(np.moveaxis(x, -1, 1)), size)
    np.testing.assert_allclose(np.moveaxis(adaptive_mean(x, size), -1, 1), want, atol=1e-6)


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (3, 2, 1)])
def test_pools_are_torch_s(window, stride, padding):
    x = RNG.normal(size=(2, 9, 8, 3)).astype("f")
    first = torch.tensor(np.moveaxis(x, -1, 1))
    want = torch.nn.functional.max_pool2d(first, window, stride, padding)
    np.testing.assert_array_equal(np.moveaxis(max_pool(x, window, stride, padding=padding), -1, 1), want)
    want = torch.nn.functional.avg_pool2d(first, window)
    np.testing.assert_allclose(np.moveaxis(mean_pool(x, window), -1, 1), want, atol=1e-6)
