"""DenseNets: every layer sees what all layers before it in its block have found, and adds a little."""

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.convolution import Conv
from adl.nn.pooling import max_pool, mean_pool
from adl.nn.resnet import BatchNorm

IMAGENET = {  # layers of the blocks, growth, channels of the stem, by depth. Source: table 1, and section 4.1
    121: ((6, 12, 24, 16), 32, 64),
    161: ((6, 12, 36, 24), 48, 96),
    169: ((6, 12, 32, 32), 32, 64),
    201: ((6, 12, 48, 32), 32, 64),
}
HE = nn.initializers.he_normal()  # keeps the size of a signal through layers that are rectified


class DenseNet(nn.Module):
    """Dense blocks, with a narrowing and halving transition between two.

    Layer l of a block sees concat(x_0, ..., x_{l-1}) and adds `growth` channels x_l: normalised, rectified, a 1x1
    convolution to `bottleneck * growth` channels, again, and a 3x3 convolution.

    Source: Huang et al. 2017, arXiv:1608.06993, section 3.
    """

    num_classes: int | None  # K, size of the output; None: the features themselves, without the affine map
    layers: Sequence[int]  # of each block
    growth: int  # k, channels that a layer adds
    stem: int  # channels of the first convolution
    is_large: bool = False  # whether pictures are: then a 7x7 convolution and a pooling, of stride 2 each, come first
    bottleneck: int | None = 4  # channels of the 1x1 convolutions over `growth`; None: none of them (not DenseNet-B)
    compression: float = 0.5  # in (0, 1], channels that a transition keeps; 1: all (not DenseNet-C)
    norm: Callable[..., nn.Module] = BatchNorm  # `norm(dtype=...)`
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters, logits and features are float32

    @classmethod
    def imagenet(cls, depth: int, num_classes: int | None = 1000, **fields: Any) -> "DenseNet":
        """DenseNet-121, 161, 169 or 201, as torchvision has them; 121 has 7,978,856 parameters."""
        if depth not in IMAGENET:
            raise BadInput(f"no DenseNet-{depth}: there are {', '.join(map(str, IMAGENET))}")
        return cls(num_classes, *IMAGENET[depth], is_large=True, **fields)

    @classmethod
    def cifar(cls, depth: int, growth: int, num_classes: int | None = 10, **fields: Any) -> "DenseNet":
        """DenseNet-BC of three blocks for small pictures, of depth 6 n + 4; (100, 12) has 0.8 M parameters."""
        if depth < 10 or (depth - 4) % 6:
            raise BadInput(f"depth {depth}: three blocks of n layers of two convolutions are 6 n + 4 deep: 40, 100")
        return cls(num_classes, [(depth - 4) // 6] * 3, growth, 2 * growth, **fields)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits, or features, from pictures `x` `[B, H, W, C]`."""
        chex.assert_rank(x, 4)
        if self.is_large:
            h = self._rectified(self._conv(self.stem, 7, 2)(x))
            h = max_pool(h, 3, 2, padding=1)
        else:
            h = self._conv(self.stem, 3)(x)
        for block, count in enumerate(self.layers):
            if block > 0:
                h = mean_pool(self._conv(int(h.shape[-1] * self.compression), 1)(self._rectified(h)), 2)
            for _ in range(count):
                new = self._rectified(h)
                if self.bottleneck is not None:
                    new = self._rectified(self._conv(self.bottleneck * self.growth, 1)(new))
                h = jnp.concatenate([h, self._conv(self.growth, 3)(new)], -1)
        h = self._rectified(h).mean((1, 2))
        return h.astype(jnp.float32) if self.num_classes is None else nn.Dense(self.num_classes, dtype=jnp.float32)(h)

    def _rectified(self, h: Array) -> Array:
        return nn.relu(self.norm(dtype=self.dtype)(h))

    def _conv(self, channels: int, window: int, stride: int = 1) -> Conv:
        how = {"use_bias": False, "dtype": self.dtype, "kernel_init": HE}
        return Conv(channels, (window, window), stride, [(window // 2, window // 2)] * 2, **how)
