"""The image transformer: pixels as words, each told by attention to those before it in the order of reading.

Sources: Parmar et al. 2018, arXiv:1802.05751; Chen et al. 2020, "Generative Pretraining from Pixels" (ICML).
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput
from adl.nn.attention import KeyValue, Places
from adl.nn.dropout import Dropout
from adl.nn.transformer import Block, Cache, layer_norm
from adl.pixel.raster import class_of


class ImageTransformer(nn.Module):
    """A causal transformer over the D = H W C levels of a picture, of which each says what it knows of the next.

    The first stands behind a start, which is the class where one is given. Where a level is, its row, column and
    channel say, each by an embedding of its own.
    """

    shape: Sequence[int]  # (H, W, C)
    num_levels: int  # K
    num_outputs: int  # P, numbers that are said of each pixel
    num_layers: int = 4
    num_heads: int = 4
    width: int = 64  # a multiple of the number of heads
    num_classes: int = 0  # of the class that is given; 0: none is
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    window: int | None = None  # >= 1, levels that one sees, itself the last; None: all before it
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    def setup(self):
        """Its layers."""
        if self.width % self.num_heads:
            raise BadInput(f"a width of {self.width} does not divide among {self.num_heads} heads")
        std = 0.02 / (2 * self.num_layers) ** 0.5  # the stream's variance grows with every sum
        self.tokens = self._table(self.num_levels + max(1, self.num_classes))
        self.places = [self._table(size) for size in self.shape]
        self.blocks = [Block(self.num_heads, self.dropout, self.dtype, std) for _ in range(self.num_layers)]
        self.norm, self.drop = layer_norm(dtype=self.dtype), Dropout(self.dropout)
        self.head = nn.Dense(self.num_outputs, dtype=self.dtype)

    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B, H, W, C, P]` from levels `[B, H, W, C]`, and where there are classes these `[B]`."""
        x = x.astype(jnp.int32)  # the token of a start is a number beyond the levels
        before = jnp.concatenate([self._start(x, label), x.reshape(len(x), -1)[:, :-1]], 1)
        at = Places.of(before.shape[1], None, None, self.window)
        return self._told(before, at)[0].reshape(*x.shape, self.num_outputs)

    def empty_cache(self, size: int) -> Cache:
        """The cache of B = `size` pictures without a pixel, with room for all."""
        of = (size, self.num_heads, math.prod(self.shape), self.width // self.num_heads, self.dtype)
        return Cache(tuple((KeyValue.empty(*of),) for _ in range(self.num_layers)), jnp.zeros(size, jnp.int32))

    def read(self, x: Array, place: Array, cache: Cache, label: Array | None = None) -> tuple[Array, Cache]:
        """`[B, P]` of the pixel at `place`, read in turn from 0; right are only the levels of `x` before it."""
        x = x.astype(jnp.int32)
        before = jnp.take(x.reshape(len(x), -1), jnp.maximum(place - 1, 0)[None], axis=1)
        before = jnp.where(place == 0, self._start(x, label), before)
        out, cache = self._told(before, Places.of(1, None, cache, self.window), cache)
        return out[:, 0], cache

    def _start(self, x: Array, label: Array | None) -> Array:
        label = class_of(label, self.num_classes)
        return self.num_levels + (jnp.zeros(len(x), x.dtype) if label is None else label.astype(x.dtype))[:, None]

    def _told(self, before: Array, at: Places, cache: Cache | None = None) -> tuple[Array, Cache | None]:
        """`[B, T, P]` of the levels that stand behind `before` `[B, T]`, and what the cache then knows."""
        h = self.tokens(before)
        for table, index in zip(self.places, jnp.unravel_index(at.query, self.shape), strict=True):
            h = h + table(index)
        h, kept = self.drop(h), []
        for layer, block in enumerate(self.blocks):
            known = None if cache is None else cache.layers[layer]
            h = block(h, mask=at.seen, cache=known, slot=at.slot)
            if cache is not None:
                h, known = h
                kept.append(known)
        out = self.head(self.norm(h))
        return out, None if cache is None else Cache(tuple(kept), at.length)

    def _table(self, size: int) -> nn.Embed:
        return nn.Embed(size, self.width, dtype=self.dtype, embedding_init=nn.initializers.normal(0.02))
