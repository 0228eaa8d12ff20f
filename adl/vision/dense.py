"""Dense answers: one for each pixel of a picture, of which whole splits are looked at a few pictures at a time."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence

from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Probe, PyTree
from adl.nn.linknet import LinkNet
from adl.nn.resnet import BatchNorm
from adl.nn.unet import UNet

PIXELS = 2**19  # of the pictures that are looked at together
Prepare = Callable[[Key, PyTree], tuple[Array, Array]]  # (key, batch) -> (what the model sees, what it should tell)
View = Callable[[Key, Array], Array]  # (key, [B, H, W, C] floats) -> the same pictures, seen in another way


def dense_network(name: str, channels: Sequence[int], features: int, *, axis: str | None, **options) -> nn.Module:
    """`[B, H, W, C] -> [B, H, W, features]`, with batch normalisation.

    Args:
      name: "linknet", whose way up adds; "unet", whose way up concatenates.
      channels: of each level.
      features: of the output.
      axis: mapped axis whose devices share one batch.
      **options: further fields: `num_blocks`, `patch`, `dtype`.
    """
    model = {"linknet": LinkNet, "unet": UNet}[name]
    return model(channels, features=features, norm=functools.partial(BatchNorm, axis=axis), **options)


def views_of(augment: str, crop: int, affine: Mapping[str, float], elastic: float) -> View | None:
    """Random views of pictures, and of whatever lies in them, alike; None where nothing moves.

    Args:
      augment: "none"; "flip", left and right; "affine", that and an affine map; "elastic", these, up and down too, and
        an elastic map.
      crop: pixels a side of squares, which come first; 0: whole pictures.
      affine: options of `data.views.random_affine`.
      elastic: `std` of `data.views.random_elastic`.
    """
    parts = [
        functools.partial(data.views.random_flip, upside_down=augment == "elastic"),
        functools.partial(data.views.random_affine, **affine),
        functools.partial(data.views.random_elastic, std=elastic),
    ][: ("none", "flip", "affine", "elastic").index(augment)]
    cropped = [functools.partial(data.views.random_crop, pixels=crop)] if crop else []
    return data.views.composed(*cropped, *parts) if cropped or parts else None


def mirrored(look: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """What is told of pictures `[B, H, W, C]`, `[B, H, W, K]`: the mean of what is told of them and in a mirror."""
    return lambda x: (look(x) + look(x[:, :, ::-1])[:, :, ::-1]) / 2


def at_once(split: data.Split) -> int:
    """How many pictures of a split are looked at together."""
    return max(1, min(PIXELS // math.prod(split.example_shape[:2]), len(split)))


def told_at(answer: Callable[[Learner, Array], Array], split: data.Split) -> Probe:
    """Probe: `told` `[N, H, W]`, the answer for each picture of a few."""
    return Partial(lambda image, key, learner: {"told": answer(learner, image)}, split.column("image"))
