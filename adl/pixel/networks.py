"""The networks of this family by name, which of a person's options each of them looks at, and all at one size."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl.core import BadInput
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
OF_WIDTH: dict[Kind, Callable[[int], dict[str, Any]]] = {  # the options that say how wide each is
    "made": lambda width: {"hidden": (width, width)},
    **dict.fromkeys(("pixelcnn", "gated", "transformer"), lambda width: {"width": width}),
}


def of_size(kind: Kind, shape: Sequence[int], num_parameters: int, *, num_heads: int = 4, **of: Any) -> nn.Module:
    """The widest network of a kind that has at most so many parameters, as networks of one budget have.

    Args:
      kind: of `NETWORKS`.
      shape: (H, W, C) of the pictures.
      num_parameters: that it may have.
      num_heads: of attention, of whose number the width is a multiple; for a PixelCNN it is one of 2 C.
      **of: `num_levels`, `num_outputs`, and more of what the kinds take; what this one does not look at is left out.
    Raises:
      BadInput: if the narrowest has more.
    """
    more = {"shape": shape, "num_heads": num_heads, **of}
    known = {name: value for name, value in more.items() if name in NETWORKS[kind].__dataclass_fields__}
    unit = {"made": 1, "pixelcnn": 2 * shape[-1], "gated": shape[-1], "transformer": num_heads}[kind]

    def of_units(n: int) -> nn.Module:
        return NETWORKS[kind](**{**known, **OF_WIDTH[kind](n * unit)})

    # Matrices are of a width times another at most: a polynomial of degree two, known by three of its values.
    first, second, third = (num_weights(of_units(n)) for n in (1, 2, 3))
    slope, bend = second - first, third - 2 * second + first
    sizes = (first + (n - 1) * slope + (n - 1) * (n - 2) // 2 * bend for n in itertools.count(1))
    num_units = sum(1 for _ in itertools.takewhile(lambda size: size <= num_parameters, sizes))
    if not num_units:
        raise BadInput(f"the narrowest {kind} network has {first:,} parameters, more than {num_parameters:,}")
    return of_units(num_units)


def num_weights(model: nn.Module) -> int:
    """Number of a network's parameters, of which none is made."""
    given = (jnp.zeros(1, jnp.int32),) if model.num_classes else ()
    made = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *model.shape), jnp.int32), *given)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(made["params"]))
