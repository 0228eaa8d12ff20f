"""The gated PixelCNN: two stacks of convolutions, one of the rows above and one of the row itself.

Source: van den Oord et al. 2016, arXiv:1606.05328.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput
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


class Gated(NamedTuple):
    """What the gated network remembers."""

    above: tuple[Array, ...]  # [L] maps of the vertical stack, padded
    beside: tuple[Array, ...]  # [L - 1] of the horizontal stack, but for the pixels themselves
    links: tuple[Array, ...]  # [L] of [B, 1, W, 2 width], what this row is told of the rows above


class GatedPixelCNN(nn.Module):
    """Two stacks: a vertical one, which sees all rows above, and a horizontal one, which sees what is to the left.

    Both gate: tanh(a) * sigmoid(b), where a and b are convolutions, with a part for the class where one is given. The
    vertical stack tells the horizontal one, never the other way: nothing above is out of sight.

    Source: van den Oord et al. 2016, arXiv:1606.05328, eq. 2 and 4, figure 2.
    """

    shape: Sequence[int]  # (H, W, C)
    num_levels: int  # K
    num_outputs: int  # P, numbers that are said of each pixel
    width: int = 32  # features of each stack, a multiple of C
    num_layers: int = 5  # L, >= 1
    num_classes: int = 0  # of the class that is given; 0: none is
    dropout: float = 0.0  # in [0, 1), of what gates let through, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    def setup(self):
        """Its layers."""
        channels, width = self.shape[-1], self.width
        require_groups(width, channels)
        if self.num_layers < 1:
            raise BadInput(f"a gated PixelCNN of {self.num_layers} layers: there must be 1 or more")
        more = {"num_groups": channels, "dtype": self.dtype}
        ins, reaches = [channels] + [width] * (self.num_layers - 1), self._reaches()
        self.above = [CausalConv(n, 2 * width, (k, k), **more) for n, k in zip(ins, reaches, strict=True)]
        self.links = [CausalConv(2 * width, 2 * width, (0, 0), **more) for _ in ins]
        self.beside = [
            CausalConv(n, 2 * width, (0, k), "B" if layer else "A", **more)
            for layer, (n, k) in enumerate(zip(ins, reaches, strict=True))
        ]
        self.out = [CausalConv(width, width, (0, 0), "B", **more) for _ in ins]
        self.drop = Dropout(self.dropout)
        self.told = Told(width, channels, self.num_outputs, self.dtype)
        self.of_class = [class_bias(self, 2 * width) for _ in range(2 * self.num_layers)] if self.num_classes else []

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C, P]` from levels `[B, H, W, C]`, and where there are classes these `[B]`."""
        x = symmetric_levels(x, self.num_levels)
        links, _ = self._above(_rows_above(x), label)
        return self._beside(x, links, label)[0]

    def empty_cache(self, size: int) -> Gated:
        """The maps of B = `size` pictures without a pixel."""
        height, width, channels = self.shape
        ins = zip([channels] + [self.width] * (self.num_layers - 1), self._reaches(), strict=True)
        pairs = [[empty_map((size, height, width, n), (rows, k), self.dtype) for rows in (k, 0)] for n, k in ins]
        links = jnp.zeros((self.num_layers, size, 1, width, 2 * self.width), self.dtype)
        above, beside = map(tuple, zip(*pairs, strict=True))
        return Gated(above, beside[1:], tuple(links))

    def read(self, x: Array, place: Array, cache: Gated, label: Array | None = None) -> tuple[Array, Gated]:
        """`[B, P]` of the pixel at `place`, read in turn from 0; right are only the levels of `x` before it.

        The vertical stack is moved on by a row where a row begins, the horizontal one by a place.
        """
        row, column, channel = jnp.unravel_index(place, self.shape)
        x = symmetric_levels(x, self.num_levels).astype(self.dtype)

        def next_row(network: GatedPixelCNN, cache: Gated) -> Gated:
            line = lax.dynamic_slice_in_dim(_rows_above(x), row, 1, 1)
            links, above = network._above(line, label, cache.above, (row, 0))
            return cache._replace(above=above, links=links)

        begins = (column == 0) & (channel == 0)
        cache = nn.cond(begins, next_row, lambda network, cache: cache, self, cache)
        links = [lax.dynamic_slice_in_dim(link, column, 1, 2) for link in cache.links]
        known = (padded_map(x, (0, self._reaches()[0])), *cache.beside)
        out, kept = self._beside(at_place(x, row, column), links, label, known, (row, column))
        return out[:, 0, 0, channel], cache._replace(beside=kept[1:])

    def _reaches(self) -> list[int]:
        return [3] + [1] * (self.num_layers - 1)  # kernels of 7 x 7, then of 3 x 3

    def _above(self, v: Array, label: Array | None, cache: Sequence[Array] | None = None, at: Any = None):
        """What each layer of the vertical stack tells the horizontal one, and the stack's maps."""
        cache = [None] * self.num_layers if cache is None else cache
        label, kept, links = class_of(label, self.num_classes), [], []
        for layer in range(self.num_layers):
            v = keeping(self.above[layer](v, cache[layer], at), kept)
            links.append(self.links[layer](v))
            v = self._gate(v, label, 2 * layer)
        return tuple(links), tuple(kept)

    def _beside(
        self,
        h: Array,
        links: Sequence[Array],
        label: Array | None,
        cache: Sequence[Array] | None = None,
        at: Any = None,
    ):
        """What is told of each pixel, and the maps of the horizontal stack."""
        cache = [None] * self.num_layers if cache is None else cache
        label, kept = class_of(label, self.num_classes), []
        for layer in range(self.num_layers):
            near = keeping(self.beside[layer](h, cache[layer], at), kept)
            new = self.out[layer](self._gate(near + links[layer], label, 2 * layer + 1))
            h = h + new if layer else new  # pixels themselves would tell of what is to be told
        return self.told(h), tuple(kept)

    def _gate(self, h: Array, label: Array | None, index: int) -> Array:
        if label is not None:
            h = h + self.of_class[index](label)[:, None, None]
        value, gate = jnp.split(h, 2, -1)
        return self.drop(jnp.tanh(value) * jax.nn.sigmoid(gate))


def _rows_above(x: Array) -> Array:
    """`[B, H, W, C]` each row in place of the one below it; the first is zeros."""
    return jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
