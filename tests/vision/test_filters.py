"""Filters and histograms made by hand: SciPy's, and what the paper says, pixel by pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_sample_image

from adl.vision.filters import KERNELS, filtered
from adl.vision.hog import cell_histograms, oriented_gradients

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photograph():
    return load_sample_image("china.jpg").astype(np.float32)[None, 100:200, 200:333] / 255


@pytest.mark.parametrize("name", KERNELS)
def test_a_photograph_is_filtered_as_by_scipy(name, photograph):
    want = np.stack([ndimage.correlate(photograph[0, ..., c], KERNELS[name]) for c in range(3)], -1)
    np.testing.assert_allclose(filtered(photograph, KERNELS[name])[0], want, atol=1e-5)


def test_what_the_filters_do_is_what_they_are_called():
    grey, ramp = np.full((1, 8, 8, 1), 0.4, np.float32), np.arange(64.0, dtype=np.float32).reshape(1, 8, 8, 1)
    for name, kernel in KERNELS.items():
        kept = 0.4 if name in ("blur", "sharpen") else 0
        np.testing.assert_allclose(filtered(grey, kernel), kept, atol=1e-6)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(filtered(ramp, KERNELS["edges"])[inner], 0, atol=1e-4)  # no edge, but a slope
    np.testing.assert_allclose(filtered(ramp, KERNELS["Sobel x"])[inner], 8, atol=1e-4)
    np.testing.assert_allclose(filtered(ramp, KERNELS["Sobel y"])[inner], 64, atol=1e-4)


def test_a_kernel_without_a_middle_is_refused():
    with pytest.raises(AssertionError):
        filtered(jnp.zeros((1, 8, 8, 1)), np.ones((2, 3)))


def hog_by_hand(image, num_bins, cell, block):
    """As the paper says it, one pixel after the other."""
    height, width, _ = image.shape
    cells = np.zeros((height // cell, width // cell, num_bins))
    for row in range(height // cell * cell):
        for col in range(width // cell * cell):
            best = (-1.0, 0.0, 0.0)
            for c in range(image.shape[2]):
                down = image[row + 1, col, c] - image[row - 1, col, c] if 0 < row < height - 1 else 0.0
                across = image[row, col + 1, c] - image[row, col - 1, c] if 0 < col < width - 1 else 0.0
                square = down**2 + across**2
                best = (square, down, across) if square > best[0] else best
            degrees = np.degrees(np.arctan2(best[1], best[2])) % 180
            cells[row // cell, col // cell, int(degrees // (180 / num_bins)) % num_bins] += best[0] ** 0.5 / cell**2
    rows, cols = cells.shape[0] - block + 1, cells.shape[1] - block + 1
    out = np.zeros((rows, cols, block, block, num_bins))
    for row in range(rows):
        for col in range(cols):
            part = cells[row : row + block, col : col + block]
            part = np.minimum(part / np.sqrt((part**2).sum() + 1e-10), 0.2)
            out[row, col] = part / np.sqrt((part**2).sum() + 1e-10)
    return out


@pytest.mark.parametrize(
    ("shape", "num_bins", "cell", "block"), [((17, 21, 3), 9, 4, 2), ((16, 16, 1), 7, 5, 3), ((8, 8, 1), 9, 4, 1)]
)
def test_oriented_gradients_are_those_of_a_loop(shape, num_bins, cell, block):
    # Of numbers whose differences are exact, so that channels are equally steep in both or in none.
    image = RNG.integers(0, 97, (2, *shape)).astype(np.float32)
    got = jax.jit(lambda x: oriented_gradients(x, num_bins=num_bins, cell=cell, block=block))(image)
    for one, picture in zip(got, image.astype(float), strict=True):
        want = hog_by_hand(picture, num_bins, cell, block)
        np.testing.assert_allclose(one, want, atol=1e-5)


def test_an_edge_votes_for_its_direction_whichever_side_is_light():
    ramp = np.arange(16.0, dtype=np.float32)
    across = np.broadcast_to(ramp[:, None], (1, 16, 16, 1))
    for picture, bin_ in ((across, 0), (across.swapaxes(1, 2), 4)):
        for sign in (1, -1):
            votes = cell_histograms(sign * picture, cell=16)[0, 0, 0]
            assert votes.argmax() == bin_ and votes[bin_] == pytest.approx(float(votes.sum()))


def test_contrast_and_brightness_are_forgotten():
    image = RNG.uniform(size=(2, 32, 32, 3)).astype("f")
    got = oriented_gradients(image)
    assert got.shape == (2, 3, 3, 2, 2, 9)
    np.testing.assert_allclose(oriented_gradients(3 * image + 5), got, atol=1e-3)


def test_no_gradient_is_no_histogram_and_no_nan():
    grey = jnp.full((1, 16, 16, 1), 0.5)
    np.testing.assert_array_equal(oriented_gradients(grey), 0)
    with pytest.raises(AssertionError):
        oriented_gradients(grey[:, :15])
