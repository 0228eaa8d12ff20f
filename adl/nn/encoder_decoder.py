"""An encoder reads one text, a decoder writes another that looks back at it."""

import functools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn import embed
from adl.nn.attention import KeyValue, MultiHeadAttention, Places
from adl.nn.dropout import Dropout
from adl.nn.transformer import Block, gelu_mlp, layer_norm


class RelativeBias(nn.Module):
    """Learned biases of attention by the distance of positions, in buckets that widen with it.

    Half of the buckets hold one distance each, the rest grow geometrically up to the largest; in both directions, each
    has half of the buckets.

    Source: Raffel et al. 2020, arXiv:1910.10683, section 2.1, and its code.
    """

    num_heads: int  # H
    num_buckets: int = 32  # >= 4
    max_distance: int = 128  # from here on all share one bucket; more than half of the number of buckets
    direction: Literal["back", "both"] = "back"  # "back": what is after counts as distance 0

    @nn.compact
    def __call__(self, query: Array, key: Array) -> Array:
        """`[..., H, T, S]` biases of positions `query` `[..., T]` that ask and `key` `[..., S]` that answer."""
        table = nn.Embed(self.num_buckets, self.num_heads, embedding_init=nn.initializers.normal(0.02), name="buckets")
        return jnp.moveaxis(table(self.bucket(query[..., :, None] - key[..., None, :])), -1, -3)

    def bucket(self, behind: Array) -> Array:
        """Bucket of each distance: integers, how far the key is behind the query."""
        number, first = self.num_buckets, jnp.zeros_like(behind)
        if self.direction == "both":
            number //= 2
            first, behind = jnp.where(behind < 0, number, 0), jnp.abs(behind)
        behind = jnp.maximum(behind, 0)
        exact = number // 2
        # Found here and not by logarithms of the distances: rounding in float32 would move some across a border.
        octaves = math.log(self.max_distance / exact)
        borders = []
        for far in range(1, number - exact):
            border = max(math.floor(exact * math.exp(octaves * far / (number - exact))) - 1, exact)
            while math.log(border / exact) / octaves * (number - exact) < far:
                border += 1
            borders.append(border)
        far = jnp.searchsorted(jnp.asarray(borders, behind.dtype), behind, side="right", method="compare_all")
        return first + jnp.where(behind < exact, behind, exact + far.astype(behind.dtype))


class DecoderCache(NamedTuple):
    """What a decoder knows of its tokens so far and of the memory. The first axis of every leaf is the row."""

    layers: tuple[tuple[KeyValue, KeyValue], ...]  # [layers] slots of the tokens, and of the memory
    length: Array  # [B] integers, tokens so far
    memory_mask: Array  # [B, U] boolean, what of the memory is real

    @property
    def slots(self) -> int:
        """S, the most tokens that a row has room for."""
        return self.layers[0][0].key.shape[2]


class EncoderDecoder(nn.Module):
    """Transformer from text to text: log-odds of each next token of the target, given those up to it and the source.

    Its methods are `encode`, `decode` and both, `__call__`. Embeddings are shared between encoder, decoder and, unless
    told otherwise, the head. The default is the original transformer's base, with norms before instead of after; T5 has
    relative positions, RMS norms, no biases and scores that are not scaled.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3; Raffel et al. 2020, arXiv:1910.10683, section 2.1.
    """

    vocab_size: int  # V
    num_layers: int = 6  # of the encoder, and of the decoder
    num_heads: int = 8
    width: int = 512  # D
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32
    position: Literal["sinusoidal", "relative"] = "sinusoidal"
    attention: Callable[..., nn.Module] = MultiHeadAttention  # as in `Block`; heads of D / H
    feedforward: Callable[..., nn.Module] = gelu_mlp  # as in `Block`
    norm: Callable[..., nn.Module] = layer_norm  # as in `Block`
    order: Literal["pre", "post"] = "pre"  # as in `Block`
    embedding_scale: float | None = None  # of embeddings; None: sqrt(D)
    head: Literal["tied", "own"] = "tied"  # the embedding's transpose, or a matrix of its own
    head_scale: float = 1.0  # of what the head sees
    num_decoder_layers: int | None = None  # None: as many as the encoder's
    num_buckets: int = 32  # of relative positions
    max_distance: int = 128  # of relative positions

    def setup(self):
        """Parts."""
        normal = nn.initializers.normal(0.02)
        self.tokens = nn.Embed(self.vocab_size, self.width, dtype=self.dtype, embedding_init=normal)
        depth = self.num_layers + self._decoder_layers()
        of = {"attention": self.attention, "feedforward": self.feedforward, "norm": self.norm, "order": self.order}
        block = functools.partial(Block, self.num_heads, self.dropout, self.dtype, 0.02 / (2 * depth) ** 0.5, **of)
        self.encoder = [block() for _ in range(self.num_layers)]
        self.decoder = [block() for _ in range(self._decoder_layers())]
        if self.order == "pre":
            self.encoder_norm, self.decoder_norm = self.norm(dtype=self.dtype), self.norm(dtype=self.dtype)
        if self.position == "relative":
            bias = functools.partial(RelativeBias, self.num_heads, self.num_buckets, self.max_distance)
            self.encoder_bias, self.decoder_bias = bias("both"), bias("back")
        if self.head == "own":
            self.last = nn.Dense(self.vocab_size, use_bias=False, dtype=self.dtype, kernel_init=normal)
        self.drop = Dropout(self.dropout)

    def __call__(
        self, source: Array, target: Array, *, source_mask: Array | None = None, mask: Array | None = None
    ) -> Array:
        """`[B, T, V]` logits of the token after each of `target` `[B, T]`; the arguments as of the two methods."""
        memory = self.encode(source, mask=source_mask)
        return self.decode(target, memory, memory_mask=source_mask, mask=mask)

    def encode(self, source: Array, *, mask: Array | None = None) -> Array:
        """`[B, U, D]` memory of a text.

        Args:
          source: `[B, U]` integers in 0 ... V - 1.
          mask: `[B, U]` boolean, False at padding, which nothing sees; None: there is none.
        """
        place = jnp.arange(source.shape[1])[None]
        bias = self.encoder_bias(place, place) if self.position == "relative" else None
        h = self._embedded(source, place)
        for block in self.encoder:
            h = block(h, mask=None if mask is None else mask[:, None, None, :], bias=bias)
        return self.encoder_norm(h) if self.order == "pre" else h

    def decode(
        self,
        token: Array,
        memory: Array | None = None,
        *,
        memory_mask: Array | None = None,
        mask: Array | None = None,
        cache: DecoderCache | None = None,
    ) -> Array | tuple[Array, DecoderCache]:
        """`[B, T, V]` logits of the token after each of `token`; with a cache also the cache.

        Args:
          token: `[B, T]` integers in 0 ... V - 1; those that follow what the cache holds, one or many.
          memory: `[B, U, D]` from `encode`; None: what the cache holds of it since an earlier call.
          memory_mask: `[B, U]` boolean, with the memory: False at padding; None: there is none.
          mask: `[B, T]` boolean, False at padding, left or right, of the tokens, as in `GPT`.
          cache: of `empty_cache`, or of the last call. A row's tokens beyond its slots are lost, and their logits nan.
        Raises:
          AssertionError: at trace time, if T, or the memory, is longer than the cache has room for.
        """
        if cache is not None:
            chex.assert_axis_dimension_lteq(token, 1, cache.slots)
            if memory is not None:
                chex.assert_axis_dimension(memory, 1, cache.memory_mask.shape[1])
        at = Places.of(token.shape[1], mask, cache)
        bias = self.decoder_bias(at.query, at.key) if self.position == "relative" else None
        given = {"mask": at.seen, "bias": bias, "slot": at.slot}
        if cache is not None:
            if memory is None:
                memory, memory_mask = jnp.zeros((len(token), 0, self.width), self.dtype), cache.memory_mask
            elif memory_mask is None:
                memory_mask = jnp.ones(memory.shape[:2], bool)
            given["memory_slot"] = jnp.broadcast_to(jnp.arange(memory.shape[1])[None], memory.shape[:2])
        given["memory_mask"] = None if memory_mask is None else memory_mask[:, None, None, :]

        h, kept = self._embedded(token, at.query), []
        for layer, block in enumerate(self.decoder):
            if cache is None:
                h = block(h, memory, **given)
            else:
                h, known = block(h, memory, **given, cache=cache.layers[layer])
                kept.append(known)
        logits = self._logits(self.decoder_norm(h) if self.order == "pre" else h)
        return logits if cache is None else (at.known(logits), DecoderCache(tuple(kept), at.length, memory_mask))

    def empty_cache(self, size: int, length: int, memory_length: int) -> DecoderCache:
        """The cache of B = `size` rows without a token, with room for S = `length` and a memory of `memory_length`."""
        layer = self.attention(self.num_heads, parent=None)
        of = (layer.num_kv_heads or self.num_heads, layer.head_dim or self.width // self.num_heads)
        layers = tuple(
            tuple(KeyValue.empty(size, of[0], slots, of[1], self.dtype) for slots in (length, memory_length))
            for _ in range(self._decoder_layers())
        )
        return DecoderCache(layers, jnp.zeros(size, jnp.int32), jnp.zeros((size, memory_length), bool))

    def _decoder_layers(self) -> int:
        return self.num_layers if self.num_decoder_layers is None else self.num_decoder_layers

    def _embedded(self, token: Array, place: Array) -> Array:
        h = self.tokens(token) * (self.width**0.5 if self.embedding_scale is None else self.embedding_scale)
        if self.position == "sinusoidal":
            h = h + embed.sinusoidal(place, self.width).astype(self.dtype)
        return self.drop(h)

    def _logits(self, h: Array) -> Array:
        h = h * self.head_scale
        return (self.tokens.attend(h) if self.head == "tied" else self.last(h)).astype(jnp.float32)
