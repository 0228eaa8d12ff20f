"""Random views: SciPy's and NumPy's transforms, and draws that fill the ranges they were given."""

import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from scipy import ndimage, stats

from adl.data import views

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 9, 7, 2)).astype(np.float32)
KEY = jax.random.key(0)
affine = jax.jit(views.affine)


def jitted(view: Callable[..., jax.Array], **bounds) -> Callable[[jax.Array, np.ndarray], np.ndarray]:
    view = jax.jit(functools.partial(view, **bounds))
    return lambda key, images: np.asarray(view(key, images))


def test_affine_is_scipys():
    matrix = (np.eye(2) + 0.4 * RNG.normal(size=(6, 2, 2))).astype(np.float32)
    shift = (2 * RNG.normal(size=(6, 2))).astype(np.float32)
    got = affine(IMAGES, matrix, shift)
    centre = (np.array(IMAGES.shape[1:3]) - 1) / 2
    for image, a, t, one in zip(IMAGES, matrix, shift, got, strict=True):
        inverse = np.linalg.inv(a.astype(float))
        offset = centre - inverse @ (centre + t)
        for channel in range(2):
            want = ndimage.affine_transform(image[..., channel], inverse, offset, order=1, mode="grid-constant")
            np.testing.assert_allclose(one[..., channel], want, atol=1e-4)


def test_affine_of_exact_cases():
    square = IMAGES[:, :7]

    def moved(matrix, shift=(0.0, 0.0)):
        return np.asarray(affine(square, np.tile(np.float32(matrix), (6, 1, 1)), np.tile(np.float32(shift), (6, 1))))

    np.testing.assert_array_equal(moved([[1.0, 0.0], [0.0, 1.0]]), square)
    np.testing.assert_array_equal(moved([[0.0, -1.0], [1.0, 0.0]]), np.rot90(square, axes=(1, 2)))  # counterclockwise
    np.testing.assert_array_equal(moved([[-1.0, 0.0], [0.0, 1.0]]), square[:, ::-1])
    down = moved([[1.0, 0.0], [0.0, 1.0]], (2.0, -1.0))
    np.testing.assert_array_equal(down[:, 2:, :-1], square[:, :-2, 1:])
    assert not down[:, :2].any() and not down[:, :, -1].any()
    assert not moved([[1.0, 0.0], [0.0, 1.0]], (0.0, 7.0)).any(), "what leaves the frame is gone"


def test_rotated_is_counterclockwise():
    square = IMAGES[:, :7]
    np.testing.assert_allclose(views.rotated(square, 90), np.rot90(square, axes=(1, 2)), atol=1e-5)
    want = np.stack(
        [ndimage.rotate(image[..., 0], 30, reshape=False, order=1, mode="grid-constant") for image in square]
    )
    np.testing.assert_allclose(views.rotated(square, 30)[..., 0], want, atol=1e-4)


def drawn(**bounds) -> tuple[np.ndarray, np.ndarray]:
    """The transforms `[B, 2, 2]` and shifts `[B, 2]` that were drawn, read off images of their own coordinates."""
    size, num = 41, 400
    ramp = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1) - (size - 1) / 2
    images = np.tile(ramp.astype(np.float32), (num, 1, 1, 1))
    got = jitted(views.random_affine, **bounds)(KEY, images).astype(float)
    middle = size // 2
    columns = [got[:, middle + 1, middle] - got[:, middle, middle], got[:, middle, middle + 1] - got[:, middle, middle]]
    matrix = np.linalg.inv(np.stack(columns, -1))
    return matrix, -np.einsum("bij,bj->bi", matrix, got[:, middle, middle])


def fills(values: np.ndarray, bound: float) -> None:
    assert np.abs(values).max() <= bound + 1e-3 and values.min() < -0.97 * bound and values.max() > 0.97 * bound
    assert abs(values.mean()) < 4 * bound / np.sqrt(3 * values.size)


def test_draws_fill_their_ranges():
    matrix, shift = drawn(degrees=30.0)
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.tile(np.eye(2), (400, 1, 1)), atol=1e-4)
    fills(np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0])), 30.0)
    np.testing.assert_allclose(shift, 0, atol=1e-4)

    matrix, shift = drawn(scale=0.3, shift=4.0)
    np.testing.assert_allclose(matrix[:, [0, 1], [1, 0]], 0, atol=1e-4)
    fills(np.log(matrix[:, 0, 0]), 0.3)
    fills(np.log(matrix[:, 1, 1]), 0.3)
    fills(shift[:, 0], 4.0)
    fills(shift[:, 1], 4.0)
    assert abs(np.corrcoef(np.c_[matrix[:, 0, 0], matrix[:, 1, 1], shift].T) - np.eye(4)).max() < 0.2

    matrix, _ = drawn(shear=0.5)
    np.testing.assert_allclose(matrix[:, [0, 0, 1], [0, 1, 1]], np.tile([1, 0, 1], (400, 1)), atol=1e-4)
    fills(matrix[:, 1, 0], 0.5)


def test_rotation_comes_after_magnification_and_shear():
    matrix, _ = drawn(degrees=40.0, scale=0.2, shear=0.3)
    orthogonal, triangle = np.linalg.qr(matrix[:, ::-1, ::-1])  # A = R L: L has nothing above its diagonal
    assert np.abs(triangle[:, 0, 1] / triangle[:, 0, 0]).max() <= 0.3 * np.exp(0.4) + 1e-3
    fills(np.log(np.abs(triangle[:, 1, 1])), 0.2)
    assert np.abs(np.degrees(np.arcsin(orthogonal[:, 0, 1]))).max() <= 40.1


def test_bounds_of_zero_change_nothing():
    np.testing.assert_array_equal(jitted(views.random_affine)(KEY, IMAGES), IMAGES)
    np.testing.assert_array_equal(jitted(views.random_shift, pixels=0)(KEY, IMAGES), IMAGES)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_random_shift_is_a_translation_of_each_image_alone(dtype):
    num, pixels = 300, 2
    images = RNG.integers(1, 200, (num, 6, 5, 1)).astype(dtype)
    got = jitted(views.random_shift, pixels=pixels)(KEY, images)
    assert got.dtype == dtype
    counts = np.zeros((5, 5), int)
    for image, one in zip(images, got, strict=True):
        framed = np.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
        places = [(y, x) for y in range(5) for x in range(5) if (framed[y : y + 6, x : x + 5] == one).all()]
        assert len(places) == 1
        counts[places[0]] += 1
    assert counts.min() > 0 and counts.max() < 30, "uniform over the 25 shifts: 12 each"


def test_a_view_is_a_function_of_its_key():
    view = jitted(views.random_affine, degrees=20.0, shift=1.0)
    first, other = view(KEY, IMAGES), view(jax.random.key(1), IMAGES)
    np.testing.assert_array_equal(first, view(KEY, IMAGES))
    assert (np.abs(first - other).reshape(6, -1).max(-1) > 1e-3).all()


def test_noise_is_normal_and_of_its_size():
    images = np.full((50, 8, 8, 1), 3, "f")
    noise = jitted(views.random_noise, std=0.5)(KEY, images) - images
    assert stats.kstest(noise.ravel() / 0.5, "norm").pvalue > 1e-3
    np.testing.assert_array_equal(jitted(views.random_noise, std=0.0)(KEY, images), images)


def test_composed_views_see_each_other_in_order_with_keys_of_their_own():
    noise = functools.partial(views.random_noise, std=1.0)
    got = views.composed(noise, lambda key, x: 10 * x, noise)(KEY, IMAGES)
    first, _, last = jax.random.split(KEY, 3)
    np.testing.assert_allclose(got, noise(last, 10 * noise(first, IMAGES)), rtol=1e-5)
    assert abs(np.corrcoef(np.ravel(noise(first, IMAGES) - IMAGES), np.ravel(noise(last, IMAGES) - IMAGES))[0, 1]) < 0.2


def test_cutout_takes_one_square_of_each():
    images = np.ones((40, 12, 9, 2), np.float32)
    cut = np.asarray(views.random_cutout(jax.random.key(0), images, pixels=4))
    assert (cut[..., 0] == cut[..., 1]).all()
    for image in cut[..., 0]:
        rows, columns = (image == 0).any(1), (image == 0).any(0)
        np.testing.assert_array_equal(image == 0, rows[:, None] & columns)
        assert 2 <= rows.sum() <= 4 and 2 <= columns.sum() <= 4  # part of it may lie outside
    assert len({image.tobytes() for image in cut}) > 20
    np.testing.assert_array_equal(views.random_cutout(jax.random.key(0), images, pixels=0), images)


def test_flips_are_mirrors_of_whole_pictures():
    images = np.tile(IMAGES[:1], (200, 1, 1, 1))
    kinds = [images[0], images[0][:, ::-1], images[0][::-1], images[0][::-1, ::-1]]
    for view, among in ((jitted(views.random_flip), 2), (jitted(views.random_flip, upside_down=True), 4)):
        which = [[np.array_equal(image, kind) for kind in kinds].index(True) for image in view(KEY, images)]
        counts = np.bincount(which, minlength=4)
        assert not counts[among:].any() and counts[:among].min() > 200 / among - 35


def test_crops_are_squares_of_the_picture_anywhere_in_it():
    pixels = np.arange(63, dtype=np.float32).reshape(1, 9, 7, 1)
    crops = jitted(views.random_crop, pixels=5)(KEY, np.tile(pixels, (300, 1, 1, 1)))
    corners = crops[:, 0, 0, 0].astype(int)
    for crop, corner in zip(crops[:20], corners, strict=False):
        row, column = divmod(corner, 7)
        np.testing.assert_array_equal(crop, pixels[0, row : row + 5, column : column + 5])
    assert {*corners.tolist()} == {7 * row + column for row in range(5) for column in range(3)}
    np.testing.assert_array_equal(jitted(views.random_crop, pixels=7)(KEY, pixels[:, :7]), pixels[:, :7])


def test_elastic_views_are_smooth_and_of_their_size():
    """Of a picture that says where its pixels are from."""
    where = np.stack(np.meshgrid(np.arange(60.0), np.arange(60.0), indexing="ij"), -1)[None].astype("f")
    seen = jitted(views.random_elastic, std=2.0)(KEY, np.tile(where, (40, 1, 1, 1)))
    moved = (seen - where)[:, 15:45, 15:45]  # away from the edge, beyond which there are zeros
    assert 1.0 < moved.std() < 2.2 and abs(moved.mean()) < 0.3
    assert np.abs(np.diff(moved, axis=1)).max() < 1.2 and np.abs(np.diff(moved, axis=2)).max() < 1.2
    np.testing.assert_array_equal(jitted(views.random_elastic, std=0.0)(KEY, IMAGES), IMAGES)


def test_random_channels_are_all_orders_of_each_image_alone():
    images = np.broadcast_to(np.array([1, 2, 3], np.uint8), (600, 2, 2, 3))
    found = np.asarray(views.random_channels(jax.random.key(0), images))
    assert (
        found.dtype == np.uint8 and (found == found[:, :1, :1]).all() and (np.sort(found[:, 0, 0]) == [1, 2, 3]).all()
    )
    orders, counts = np.unique(found[:, 0, 0], axis=0, return_counts=True)
    assert len(orders) == 6 and counts.min() > 60
