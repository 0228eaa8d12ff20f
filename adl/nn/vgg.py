"""VGG: depth of nothing but 3x3 convolutions."""

from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.mlp import MLP, flat
from adl.nn.pooling import adaptive_mean, max_pool

CONVOLUTIONS = {  # of each stage by depth: configurations A, B, D, E of the paper's table 1
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(nn.Module):
    """Stages of 3x3 convolutions, each followed by a largest of 2x2; three fully connected layers.

    `VGG(1000, CONVOLUTIONS[16])` has 138,357,544 parameters; with `norm=BatchNorm` it is torchvision's `vgg16_bn`.
    Dropout acts on the hidden layers when a `dropout` key is given to `apply`, and only then.

    Source: Simonyan & Zisserman 2015, arXiv:1409.1556, table 1; with batch normalisation, torchvision.
    """

    num_classes: int  # K, size of the output
    convolutions: Sequence[int]  # of each stage
    channels: Sequence[int] = (64, 128, 256, 512, 512)  # of each stage
    hidden: Sequence[int] = (4096, 4096)  # units of the hidden layers
    pooled: int = 7  # sides of what the hidden layers see, whatever the picture's size
    norm: Callable[..., nn.Module] | None = None  # after each convolution, `norm(dtype=...)`; None: none
    dropout: float = 0.5  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits from pictures `x` `[B, H, W, C]`, of 2^stages pixels or more along each side."""
        chex.assert_rank(x, 4)
        if min(x.shape[1:3]) < (least := 2 ** len(self.channels)):
            size = f"{x.shape[1]} x {x.shape[2]}"
            raise BadInput(
                f"pictures of {size} pixels: {len(self.channels)} stages want {least} or more along each side"
            )
        h, init = x, nn.initializers.he_normal()
        pad = [(1, 1)] * 2
        for width, count in zip(self.channels, self.convolutions, strict=True):
            for _ in range(count):
                h = Conv(width, (3, 3), padding=pad, dtype=self.dtype, kernel_init=init)(h)
                h = nn.relu(h if self.norm is None else self.norm(dtype=self.dtype)(h))
            h = max_pool(h, 2, 2)
        h = flat(adaptive_mean(h, (self.pooled, self.pooled)))
        h = MLP((*self.hidden, self.num_classes), dropout=self.dropout, dtype=self.dtype, kernel_init=init)(h)
        return h.astype(jnp.float32)
