"""PixelCNN: masked convolutions, each pixel's levels told by those above and to the left.

Source: van den Oord et al. 2016, arXiv:1601.06759.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.dropout import Dropout
from adl.pixel.causal_convolution import (
    CausalConv,
    Told,
    at_place,
    class_bias,
    empty_map,
    keeping,
    padded_map,
    require_groups,
)
from adl.pixel.raster import class_of, symmetric_levels


class PixelCNN(nn.Module):
    """Residual blocks of masked convolutions.

    A convolution of mask A, of 7 x 7; then L times h + W_3 relu(conv_3x3(relu(W_1 relu(h)))), of half the width within;
    two layers at each place. Something above to the right is never seen (the blind spot): it takes the gated one.

    Source: van den Oord et al. 2016, arXiv:1601.06759, table 1 and figure 5.
    """

    shape: Sequence[int]  # (H, W, C)
    num_levels: int  # K
    num_outputs: int  # P, numbers that are said of each pixel
    width: int = 64  # features, a multiple of 2 C
    num_layers: int = 5  # L
    num_classes: int = 0  # of the class that is given; 0: none is
    dropout: float = 0.0  # in [0, 1), of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    def setup(self):
        """Its layers."""
        channels, half = self.shape[-1], self.width // 2
        require_groups(self.width, 2 * channels)
        more = {"num_groups": channels, "dtype": self.dtype}
        self.first = CausalConv(channels, self.width, (3, 3), "A", **more)
        self.down = [CausalConv(self.width, half, (0, 0), "B", **more) for _ in range(self.num_layers)]
        self.convs = [CausalConv(half, half, (1, 1), "B", **more) for _ in range(self.num_layers)]
        self.up = [CausalConv(half, self.width, (0, 0), "B", **more) for _ in range(self.num_layers)]
        self.drop = Dropout(self.dropout)
        self.told = Told(self.width, channels, self.num_outputs, self.dtype)
        self.of_class = [class_bias(self, self.width) for _ in range(self.num_layers)] if self.num_classes else []

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C, P]` from levels `[B, H, W, C]`, and where there are classes these `[B]`."""
        return self._through(symmetric_levels(x, self.num_levels), label)[0]

    def empty_cache(self, size: int) -> tuple[Array, ...]:
        """The maps of B = `size` pictures without a pixel."""
        return (empty_map((size, *self.shape[:2], self.width // 2), (1, 1), self.dtype),) * self.num_layers

    def read(
        self, x: Array, place: Array, cache: tuple[Array, ...], label: Array | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """`[B, P]` of the pixel at `place`, read in turn from 0; right are only the levels of `x` before it."""
        row, column, channel = jnp.unravel_index(place, self.shape)
        x = symmetric_levels(x, self.num_levels).astype(self.dtype)
        known = (padded_map(x, (3, 3)), *cache)
        out, kept = self._through(at_place(x, row, column), label, known, (row, column))
        return out[:, 0, 0, channel], kept[1:]

    def _through(self, x: Array, label: Array | None, cache: Sequence[Array] | None = None, at: Any = None):
        cache = [None] * (self.num_layers + 1) if cache is None else cache
        label, kept = class_of(label, self.num_classes), []
        h = keeping(self.first(x, cache[0], at), kept)
        for layer in range(self.num_layers):
            if label is not None:
                h = h + self.of_class[layer](label)[:, None, None]
            near = keeping(self.convs[layer](nn.relu(self.down[layer](nn.relu(h))), cache[layer + 1], at), kept)
            h = h + self.up[layer](self.drop(nn.relu(near)))
        return self.told(h), tuple(kept)
