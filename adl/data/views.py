"""Views of images: random augmentations inside the step, each example with luck of its own."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

from adl.core.errors import BadInput
from adl.core.types import Array, Key


def composed(*views: Callable[[Key, Array], Array]) -> Callable[[Key, Array], Array]:
    """A view of a view of ...: the first of `views` sees the images, each with a key of its own."""

    def view(key: Key, images: Array) -> Array:
        for part, own in zip(views, jax.random.split(key, len(views)), strict=True):
            images = part(own, images)
        return images

    return view


def random_noise(key: Key, images: Array, *, std: float) -> Array:
    """Images of any shape with independent Gaussian noise in every pixel, not clipped.

    Args:
      key: consumed.
      images: floats.
      std: >= 0, standard deviation in units of the pixels; 0 changes nothing.
    """
    return images + std * jax.random.normal(key, images.shape, images.dtype)


def random_shift(key: Key, images: Array, *, pixels: int) -> Array:
    """Images `[B, H, W, C]` moved by whole pixels, zeros coming in from outside.

    Args:
      key: consumed.
      images: `[B, H, W, C]` of any type, which is kept.
      pixels: >= 0, the largest shift along each axis, uniform in -pixels..pixels; 0 changes nothing.
    """
    chex.assert_rank(images, 4)
    offsets = jax.random.randint(key, (images.shape[0], 2), 0, 2 * pixels + 1)

    def one(offset, image):
        padded = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
        return jax.lax.dynamic_slice(padded, (offset[0], offset[1], 0), image.shape)

    return jax.vmap(one)(offsets, images)


def random_flip(key: Key, images: Array, *, upside_down: bool = False) -> Array:
    """Images `[B, H, W, C]` of any type, each mirrored left and right with probability 1/2, or also up and down."""
    chex.assert_rank(images, 4)
    across, down = jax.random.bernoulli(key, shape=(2, len(images), 1, 1, 1))
    images = jnp.where(across, images[:, :, ::-1], images)
    return jnp.where(down, images[:, ::-1], images) if upside_down else images


def random_crop(key: Key, images: Array, *, pixels: int) -> Array:
    """A square `[B, pixels, pixels, C]` of each image `[B, H, W, C]`, anywhere within it.

    Raises:
      BadInput: at trace time, if images are smaller.
    """
    chex.assert_rank(images, 4)
    batch, height, width, channels = images.shape
    if pixels > min(height, width):
        raise BadInput(f"crops of {pixels} x {pixels} pixels of pictures of {height} x {width}: they must be within")
    most = jnp.array([[height, width]]) - pixels
    corner = jax.random.randint(key, (batch, 2), 0, most + 1)
    return jax.vmap(lambda at, image: jax.lax.dynamic_slice(image, (at[0], at[1], 0), (pixels, pixels, channels)))(
        corner, images
    )


def random_cutout(key: Key, images: Array, *, pixels: int) -> Array:
    """Images `[B, H, W, C]` without a square each: zeros, with its middle anywhere in the image.

    Args:
      key: consumed.
      images: `[B, H, W, C]` of any type.
      pixels: >= 0, side of the square, of which parts may lie outside; 0 changes nothing.
    Source: DeVries & Taylor 2017, arXiv:1708.04552, section 3.2.
    """
    chex.assert_rank(images, 4)
    batch, height, width, _ = images.shape
    middle = jax.random.randint(key, (batch, 2), 0, jnp.tile(jnp.array([height, width]), (batch, 1)))

    def is_cut(at, size):
        start = at[:, None] - pixels // 2
        return (jnp.arange(size)[None] >= start) & (jnp.arange(size)[None] < start + pixels)

    rows, columns = is_cut(middle[:, 0], height), is_cut(middle[:, 1], width)
    return jnp.where((rows[:, :, None] & columns[:, None])[..., None], 0, images).astype(images.dtype)


def random_elastic(key: Key, images: Array, *, std: float, cells: int = 3) -> Array:
    """Images `[B, H, W, C]` whose pixels come from elsewhere: a smooth field of displacements, zeros from outside.

    Displacements are normal at the corners of a coarse grid, and between them cubic.

    Args:
      key: consumed.
      images: `[B, H, W, C]` floats.
      std: >= 0, of the displacements along each axis, in pixels.
      cells: >= 1, of the grid, along each side.
    Source: Ronneberger et al. 2015, arXiv:1505.04597, section 3.1: 10 pixels of 512, on a grid of 3 x 3.
    """
    chex.assert_rank(images, 4)
    batch, height, width, _ = images.shape
    coarse = std * jax.random.normal(key, (batch, cells + 1, cells + 1, 2))
    moved = jax.image.resize(coarse, (batch, height, width, 2), "cubic")
    y, x = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    return jax.vmap(lambda image, by: _interpolated(image, y + by[..., 0], x + by[..., 1]))(images, moved)


def random_channels(key: Key, images: Array) -> Array:
    """Images `[B, H, W, C]` with their channels in an order by luck: other hues, the same light and dark.

    Args:
      key: consumed.
      images: of any type, which is kept.
    """
    chex.assert_rank(images, 4)
    order = jax.vmap(lambda key: jax.random.permutation(key, images.shape[-1]))(jax.random.split(key, len(images)))
    return jnp.take_along_axis(images, order[:, None, None], -1)


def random_affine(
    key: Key, images: Array, *, degrees: float = 0.0, scale: float = 0.0, shift: float = 0.0, shear: float = 0.0
) -> Array:
    """Images `[B, H, W, C]` sheared, scaled, rotated and moved about their centre, zeros coming in from outside.

    A view maps a point p of the image, from its centre, to R(angle) S(magnification) H(shear) p + shift, where each
    argument bounds its part's uniform draw; all 0 changes nothing.

    Args:
      key: consumed.
      images: `[B, H, W, C]` floats.
      degrees: >= 0; rotation in [-degrees, degrees], counterclockwise where rows count downwards.
      scale: >= 0; log of the magnification of each axis in [-scale, scale].
      shift: >= 0, in pixels along each axis, in [-shift, shift].
      shear: >= 0; columns that a row moves for each row from the centre, in [-shear, shear].
    """
    return affine(images, *random_maps(key, len(images), degrees=degrees, scale=scale, shift=shift, shear=shear))


def random_maps(
    key: Key, num: int, *, degrees: float = 0.0, scale: float = 0.0, shift: float = 0.0, shear: float = 0.0
) -> tuple[Array, Array]:
    """A `[num, 2, 2]` and t `[num, 2]` of `random_affine`, for what is moved along with pictures.

    Args:
      key: consumed.
      num: >= 1.
      degrees: as all that follow, as in `random_affine`.
      scale: its bound.
      shift: its bound.
      shear: its bound.
    """
    bounds = jnp.array([degrees * jnp.pi / 180, scale, scale, shear], jnp.float32)
    key_matrix, key_shift = jax.random.split(key)
    draws = jax.random.uniform(key_matrix, (num, 4), minval=-1.0, maxval=1.0)
    shifts = jax.random.uniform(key_shift, (num, 2), minval=-shift, maxval=shift)

    def matrix(draw):
        angle, log_height, log_width, slope = draw * bounds
        rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
        return rotation * jnp.exp(jnp.stack([log_height, log_width]))[None] @ jnp.array([[1.0, 0.0], [slope, 1.0]])

    return jax.vmap(matrix)(draws), shifts


def affine(images: Array, matrix: Array, shift: Array) -> Array:
    """Images `[B, H, W, C]` under p -> A p + t of their points (row, column) from the centre, bilinear, zeros outside.

    Args:
      images: `[B, H, W, C]` floats.
      matrix: `[B, 2, 2]` A, invertible; the identity changes nothing.
      shift: `[B, 2]` t, in pixels.
    """
    chex.assert_rank([images, matrix, shift], [4, 3, 2])
    _, height, width, _ = images.shape
    y, x = jnp.meshgrid(jnp.arange(height) - (height - 1) / 2, jnp.arange(width) - (width - 1) / 2, indexing="ij")

    def one(image, matrix, shift):
        (a, b), (c, d) = matrix
        v, u = (y - shift[0]) / (a * d - b * c), (x - shift[1]) / (a * d - b * c)
        return _interpolated(image, d * v - b * u + (height - 1) / 2, a * u - c * v + (width - 1) / 2)

    return jax.vmap(one)(images, matrix, shift)


def rotated(images: Array, degrees: float) -> Array:
    """Images `[B, H, W, C]` of floats turned counterclockwise about their centre, bilinear, zeros outside."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    return affine(images, jnp.tile(matrix, (len(images), 1, 1)), jnp.zeros((len(images), 2)))


def _interpolated(image: Array, row: Array, column: Array) -> Array:
    """`[..., C]` bilinear values of an image `[H, W, C]` with zeros around it, at points `[...]`."""
    height, width, channels = image.shape
    # A frame of zeros, to which all points outside go, instead of a case for each edge.
    framed = jnp.pad(image, ((1, 1), (1, 1), (0, 0))).reshape(-1, channels)
    row, column = jnp.clip(row + 1, 0.0, height + 1.0), jnp.clip(column + 1, 0.0, width + 1.0)
    top, left = jnp.minimum(row.astype(jnp.int32), height), jnp.minimum(column.astype(jnp.int32), width)
    down, right = (row - top)[..., None], (column - left)[..., None]

    def between(index):
        here, beside = (framed.at[index + i].get(mode="promise_in_bounds") for i in (0, 1))
        return here * (1 - right) + beside * right

    index = top * (width + 2) + left
    return between(index) * (1 - down) + between(index + width + 2) * down
