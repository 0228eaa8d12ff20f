"""The networks of this family by name, and which of a person's options each of them looks at."""

from typing import Literal

from flax import linen as nn

from adl.pixel.gated_pixelcnn import GatedPixelCNN
from adl.pixel.image_transformer import ImageTransformer
from adl.pixel.made import MADE
from adl.pixel.pixelcnn import PixelCNN

Kind = Literal["made", "pixelcnn", "gated", "transformer"]
NETWORKS: dict[Kind, type[nn.Module]] = {
    "made": MADE,
    "pixelcnn": PixelCNN,
    "gated": GatedPixelCNN,
    "transformer": ImageTransformer,
}
OPTIONS: dict[Kind, tuple[str, ...]] = {  # all take shape, num_levels, num_outputs, num_classes and dtype
    "made": ("hidden",),
    "pixelcnn": ("width", "num_layers", "dropout"),
    "gated": ("width", "num_layers", "dropout"),
    "transformer": ("width", "num_layers", "num_heads", "dropout"),
}
