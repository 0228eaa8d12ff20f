"""Views of images: random augmentations inside the step, each example with luck of its own."""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from adl.core.types import Array, Key


def random_shift(key: Key, images: Array, *, pixels: int) -> Array:
    """Images moved by whole pixels, zeros coming in from outside.

    Args:
      key: consumed.
      images: `[B, H, W, C]`.
      pixels: the largest shift along each axis, uniform in -pixels..pixels; 0 changes nothing.
    """

    def one(offset, image):
        padded = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
        return jax.lax.dynamic_slice(padded, (offset[0], offset[1], 0), image.shape)

    offsets = jax.random.randint(key, (images.shape[0], 2), 0, 2 * pixels + 1)
    return jax.vmap(one)(offsets, images)


def random_affine(
    key: Key, images: Array, *, degrees: float = 0.0, scale: float = 0.0, shift: float = 0.0, shear: float = 0.0
) -> Array:
    """Images rotated, scaled, sheared and moved about their centre, by bilinear interpolation with zeros outside.

    Args:
      key: consumed.
      images: `[B, H, W, C]` floats.
      degrees: rotation, uniform in [-degrees, degrees].
      scale: log of the magnification of each axis, uniform in [-scale, scale].
      shift: pixels along each axis, uniform in [-shift, shift].
      shear: of x along y, uniform in [-shear, shear].
    """
    bounds = jnp.array([degrees * jnp.pi / 180, scale, scale, shift, shift, shear], jnp.float32)
    draws = jax.random.uniform(key, (images.shape[0], 6), minval=-1.0, maxval=1.0) * bounds
    _, height, width, channels = images.shape
    centre = jnp.array([(height - 1) / 2, (width - 1) / 2])
    grid = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij"), -1) - centre

    def one(draw, image):
        angle, scale_y, scale_x, shift_y, shift_x, shear_x = draw
        rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
        stretch = jnp.array([[jnp.exp(-scale_y), 0.0], [shear_x, jnp.exp(-scale_x)]])
        where = (grid - jnp.array([shift_y, shift_x])) @ (stretch @ rotation).T + centre
        sample = [map_coordinates(image[..., c], [where[..., 0], where[..., 1]], order=1) for c in range(channels)]
        return jnp.stack(sample, -1)

    return jax.vmap(one)(draws, images)
