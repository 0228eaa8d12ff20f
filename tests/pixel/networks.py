"""The networks of the family, small, with weights that no symmetry and no zero keeps quiet."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl.pixel.gated_pixelcnn import GatedPixelCNN
from adl.pixel.image_transformer import ImageTransformer
from adl.pixel.made import MADE
from adl.pixel.pixelcnn import PixelCNN

NETWORKS = {
    "made": functools.partial(MADE, hidden=(96, 64), activation=nn.silu),
    "pixelcnn": functools.partial(PixelCNN, width=12, num_layers=1),
    "gated": functools.partial(GatedPixelCNN, width=12, num_layers=2),
    "transformer": functools.partial(ImageTransformer, width=8, num_layers=1, num_heads=2),
}


def drawn(name: str, shape: tuple[int, ...], num_levels: int, num_classes: int = 0) -> tuple[nn.Module, dict, tuple]:
    """The network, its variables, and the label of two pictures, if it sees one."""
    model = NETWORKS[name](shape=shape, num_levels=num_levels, num_outputs=num_levels, num_classes=num_classes)
    given = (jnp.arange(2) % num_classes,) if num_classes else ()
    variables = model.init(jax.random.key(0), jnp.zeros((2, *shape), jnp.int32), *given)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + 0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return model, jax.tree.unflatten(tree, moved), given
