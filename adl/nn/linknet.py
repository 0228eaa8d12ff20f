"""A U-Net whose way up adds: as sharp as one that concatenates, at half of its cost."""

import functools
from collections.abc import Callable, Sequence

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.convolution import Conv
from adl.nn.resnet import BatchNorm, ResidualBlock
from adl.nn.unet import depth_to_space, space_to_depth, whole_patches


class LinkNet(nn.Module):
    """Residual network down and up again: what comes from below is doubled in size and added to what was there.

    Squares of pixels are folded into channels; a convolution; levels of residual blocks, each after the first at half
    the height and width (rounded up). On the way up an affine map to the channels of the level above, the sum, and one
    block. Where edges must be exact a last block is at full resolution and sees the picture itself. The last map starts
    at zero.

    Source: Chaurasia & Culurciello 2017, arXiv:1707.03718, figure 1; with the blocks of He et al. 2016,
    arXiv:1603.05027, and with nearest neighbours in place of transposed convolutions.
    """

    channels: Sequence[int]  # of each level, from the highest to the lowest resolution
    features: int  # channels of the output, such as the classes of a segmentation
    num_blocks: int = 1  # residual blocks of each level on the way down but the first, which has only its convolution
    patch: int = 1  # pixels a side that are folded into channels
    fine: int = 0  # channels of a last block at full resolution; 0: none
    norm: Callable[..., nn.Module] = BatchNorm  # `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and the output are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, features]` output picture from pictures `x` `[B, H, W, C]`, of about unit variance."""
        chex.assert_rank(x, 4)
        tall, wide = x.shape[1:3]
        conv = functools.partial(Conv, use_bias=False, dtype=self.dtype)
        x = whole_patches(x, self.patch)
        h = conv(self.channels[0], (3, 3))(space_to_depth(x, self.patch))
        levels = [h]
        for width in self.channels[1:]:
            for block in range(self.num_blocks):
                h = ResidualBlock(width, 1 if block else 2, self.norm, self.dtype)(h)
            levels.append(h)
        for link in levels[-2::-1]:
            h = conv(link.shape[-1], (1, 1))(nn.relu(self.norm(dtype=self.dtype)(h)))
            h = link + h.repeat(2, 1).repeat(2, 2)[:, : link.shape[1], : link.shape[2]]
            h = ResidualBlock(link.shape[-1], 1, self.norm, self.dtype)(h)
        h, patch = nn.relu(self.norm(dtype=self.dtype)(h)), self.patch
        if self.fine:
            h, patch = depth_to_space(conv(self.fine * patch**2, (1, 1))(h), patch) + conv(self.fine, (3, 3))(x), 1
            h = nn.relu(self.norm(dtype=self.dtype)(ResidualBlock(self.fine, 1, self.norm, self.dtype)(h)))
        h = Conv(self.features * patch**2, (1, 1), kernel_init=nn.initializers.zeros)(h.astype(jnp.float32))
        return depth_to_space(h, patch)[:, :tall, :wide]
