"""Views of pictures with boxes: what is done to a picture is done to the boxes around its objects."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array, Key
from adl.data.views import affine


class BoxedPictures(NamedTuple):
    """Pictures, and where their objects are."""

    image: Array  # [B, H, W, C] floats
    box: Array  # [B, S, 4] (ymin, xmin, ymax, xmax), relative to the picture
    present: Array  # [B, S]: 1 is an object, 0 an empty slot


def random_flips(key: Key, pictures: BoxedPictures, *, across: float = 0.5, down: float = 0.0) -> BoxedPictures:
    """Each picture as in a mirror at its side, or above it.

    Args:
      key: consumed.
      pictures: B of them.
      across: in [0, 1], how probably left and right change places.
      down: in [0, 1], how probably top and bottom do.
    """
    chex.assert_rank([*pictures], [4, 3, 2])
    image, box, present = pictures
    for probability, axis, (low, high), own in zip(
        (down, across), (1, 2), ((0, 2), (1, 3)), jax.random.split(key), strict=True
    ):
        is_turned = jax.random.bernoulli(own, probability, (len(image),))
        image = jnp.where(is_turned[:, None, None, None], jnp.flip(image, axis), image)
        turned = box.at[..., low].set(1 - box[..., high]).at[..., high].set(1 - box[..., low])
        box = jnp.where(is_turned[:, None, None], turned, box)
    return BoxedPictures(image, box * present[..., None], present)


def random_zooms(key: Key, pictures: BoxedPictures, *, scale: float, shift: float, least: float = 0.4) -> BoxedPictures:
    """Each picture larger or smaller about its middle, and moved, bilinear, zeros coming in from outside.

    A box is cut where its picture ends, and its object leaves with too little of it.

    Args:
      key: consumed.
      pictures: B of them.
      scale: >= 0, log of the magnification, uniform in [-scale, scale].
      shift: >= 0, of each axis, in sides of the picture, uniform in [-shift, shift].
      least: in [0, 1], share of a box's area that must stay.
    """
    chex.assert_rank([*pictures], [4, 3, 2])
    image, box, present = pictures
    key_scale, key_shift = jax.random.split(key)
    times = jnp.exp(jax.random.uniform(key_scale, (len(image),), minval=-scale, maxval=scale))
    moved = jax.random.uniform(key_shift, (len(image), 2), minval=-shift, maxval=shift)
    seen = affine(
        image, times[:, None, None] * jnp.eye(2)[None], moved * jnp.array(image.shape[1:3], jnp.float32)[None]
    )
    # Pixels are turned about the middle of the picture, and so are boxes: a pixel's middle is half a pixel within.
    new = 0.5 + times[:, None, None] * (box - 0.5) + jnp.tile(moved, 2)[:, None]
    cut = jnp.clip(new, 0, 1)
    whole, left = ((of[..., 2:] - of[..., :2]).prod(-1) for of in (new, cut))
    present = present * (left > least * whole)
    return BoxedPictures(seen, cut * present[..., None], present)
