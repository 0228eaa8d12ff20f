"""Autoregressive models of small pictures."""

import optax
from flax import linen as nn

from adl import data
from adl.core import Algorithm
from adl.pixel.gated_pixelcnn import GatedPixelCNN
from adl.pixel.likelihood import categories
from adl.pixel.made import MADE
from adl.pixel.raster import pixelwise
from tests.case import Case, images

LIKELIHOOD = categories(4)


def gated(axis: str | None) -> Algorithm:
    return learned(GatedPixelCNN, axis, width=4, num_layers=1, dropout=0.2)


def still(axis: str | None) -> Algorithm:
    return learned(MADE, axis, hidden=(16,))


def learned(network: type[nn.Module], axis: str | None, **of) -> Algorithm:
    model = network((8, 8, 1), 4, LIKELIHOOD.num_outputs, num_classes=2, **of)
    return pixelwise(model, optax.adam(0.01), likelihood=LIKELIHOOD, prepare=levels, axis=axis)


def levels(key, batch):
    return data.image.level_of(batch["image"], levels=4), batch["label"]


CASES = {
    "pixelwise": Case(gated, images, "loss", is_deterministic=False),
    "pixelwise, without noise": Case(still, images, "loss"),
}
