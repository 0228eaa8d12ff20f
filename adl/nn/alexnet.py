"""AlexNet: five convolutions and three fully connected layers, which won ImageNet."""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout
from adl.nn.mlp import flat
from adl.nn.pooling import adaptive_mean, max_pool

HE = nn.initializers.he_normal()  # keeps the size of a signal through layers that are rectified


class AlexNet(nn.Module):
    """AlexNet on one device: 61,100,840 parameters for 1,000 classes, as torchvision's.

    Dropout acts before the two hidden layers when a `dropout` key is given to `apply`, and only then.

    Source: Krizhevsky 2014, arXiv:1404.5997, footnote 1; Krizhevsky et al. 2012, NIPS 25, section 3.5, in two halves.
    """

    num_classes: int  # K, size of the output
    channels: Sequence[int] = (64, 192, 384, 256, 256)  # of the convolutions
    hidden: int = 4096  # units of each of the two hidden layers
    pooled: int = 6  # sides of what the hidden layers see, whatever the picture's size
    dropout: float = 0.5  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits from pictures `x` `[B, H, W, C]` of 63 pixels or more along each side; 224 in the source."""
        chex.assert_rank(x, 4)
        if min(x.shape[1:3]) < 63:
            raise BadInput(f"pictures of {x.shape[1]} x {x.shape[2]} pixels: AlexNet wants 63 or more along each side")
        h, (first, second, *others) = x, self.channels
        h = self._conv(first, 11, stride=4, padding=2)(h)
        h = self._conv(second, 5, padding=2)(max_pool(nn.relu(h), 3, 2))
        h = max_pool(nn.relu(h), 3, 2)
        for width in others:
            h = nn.relu(self._conv(width, 3, padding=1)(h))
        h = flat(adaptive_mean(max_pool(h, 3, 2), (self.pooled, self.pooled)))
        for _ in range(2):
            h = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, kernel_init=HE)(Dropout(self.dropout)(h)))
        return nn.Dense(self.num_classes, dtype=jnp.float32)(h)

    def _conv(self, channels: int, window: int, *, stride: int = 1, padding: int) -> Conv:
        pad = [(padding, padding)] * 2
        return Conv(channels, (window, window), stride, pad, dtype=self.dtype, kernel_init=HE)
