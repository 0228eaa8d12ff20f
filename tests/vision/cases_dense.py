"""Networks that tell a class, or a depth, of each pixel."""

import functools

import numpy as np
import optax
from flax import linen as nn

from adl import data
from adl.core import Algorithm
from adl.data.segments import Segments
from adl.nn.convolution import Conv
from adl.nn.unet import UNet
from adl.supervised.regression import fit
from adl.vision.dense import dense_network, views_of
from adl.vision.depth import depth_views, scale_invariant_error
from adl.vision.segmentation import dice_loss, focal_loss, paired, pixel_surprise
from tests.case import IMAGES, Case

SEGMENT = (IMAGES[..., 0] // 128 + (IMAGES[..., 0] > 240)).astype(np.int32)  # of three classes
SEGMENT[:, 0, :2] = 255
DEPTH = np.where(SEGMENT == 255, 0, 1 + IMAGES[..., 0] / 64).astype("f")
SEGMENTS = Segments(("dark", "bright", "brightest"))


def masks(step: int) -> dict[str, np.ndarray]:
    return {"image": IMAGES[step % 4], "segment": SEGMENT[step % 4]}


def depths(step: int) -> dict[str, np.ndarray]:
    return {"image": IMAGES[step % 4], "depth": DEPTH[step % 4]}


DEEP = UNet((8,), 1, features=3, patch=2)
SHALLOW = nn.Sequential([Conv(8, (3, 3)), nn.relu, Conv(3, (3, 3))])  # the laws are of the loss, and of the views


def segment(axis: str | None, loss, view=None, model=SHALLOW) -> Algorithm:
    prepare = paired(SEGMENTS, data.image.symmetric, view)
    return fit(model, optax.sgd(0.3, 0.9), loss=loss, prepare=prepare, axis=axis)


def measure(axis: str | None) -> Algorithm:
    model = dense_network("linknet", (8, 8), 1, axis=axis, patch=2)
    prepare = depth_views(2.0, data.image.symmetric)
    return fit(model, optax.sgd(0.1, 0.9), loss=scale_invariant_error(), prepare=prepare, axis=axis)


def case(loss, view=None, model=SHALLOW, **more) -> Case:
    return Case(functools.partial(segment, loss=loss, view=view, model=model), masks, "loss", **more)


ELASTIC = views_of("elastic", 6, {"degrees": 10.0, "shift": 1.0}, 1.0)
CASES = {
    "fit, pixels by weighted surprise": case(pixel_surprise(np.array([1.0, 2.0, 4.0])), model=DEEP),
    "fit, pixels by dice": case(dice_loss()),
    "fit, pixels by focal loss, moved": case(focal_loss(), ELASTIC, is_deterministic=False),
    "fit, depth": Case(measure, depths, "loss"),
}
