"""Batches of pictures with boxes, as detectors learn from them."""

from collections.abc import Callable

import chex
from jax import Array

from adl.core import Key, PyTree, border
from adl.data.boxed_views import BoxedPictures
from adl.measure.detection import Objects

Prepare = Callable[[Key, PyTree], tuple[Array, Objects]]  # (key, batch) -> (what the model sees, what is there)


def boxed_pictures(
    encode: Callable[[Array], Array] = lambda image: image,
    augment: Callable[[Key, BoxedPictures], BoxedPictures] | None = None,
) -> Prepare:
    """Pictures with what is there, of the columns of `data.boxes`, each picture seen in its own way.

    Args:
      encode: from the batch's pictures to what the model sees, `[B, H, W, C]` float.
      augment: random views of encoded pictures and their boxes (`data.boxed_views`); None for none.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, H, W, C]", box="float [B, S, D]", label="int [B, S]", present="float [B, S]")
        chex.assert_axis_dimension(batch["box"], -1, 4)
        seen = BoxedPictures(encode(batch["image"]), batch["box"], batch["present"])
        seen = seen if augment is None else augment(key, seen)
        return seen.image, Objects(seen.box, batch["label"], seen.present)

    return prepare
