"""Encoders: every position of a text looks at every other, before and after it."""

import functools
from collections.abc import Callable

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.dropout import Dropout
from adl.nn.transformer import Block, gelu_mlp

layer_norm = functools.partial(nn.LayerNorm, epsilon=1e-12, use_fast_variance=False)  # as in BERT
exact_gelu = functools.partial(nn.gelu, approximate=False)


class BERT(nn.Module):
    """Bidirectional encoder of texts, with heads for a hidden word and for the text as a whole.

    Embeddings of tokens, positions and segments, normalised; `Block`s in the order "post". Its methods are `encode`,
    `fill` (which `__call__` is) and `pool`; the default is BERT's base: 110M parameters.

    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.
    """

    vocab_size: int = 30522  # V
    max_length: int = 512  # longest T
    num_layers: int = 12
    num_heads: int = 12
    width: int = 768  # D, a multiple of the number of heads
    hidden: int = 3072  # width of the perceptrons
    num_segments: int = 2
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and outputs are float32
    activation: Callable[[Array], Array] = exact_gelu  # of the perceptrons and the head
    norm: Callable[..., nn.Module] = layer_norm  # `norm(dtype=...)`

    def setup(self):
        """Parts."""
        normal = nn.initializers.normal(0.02)
        embed = functools.partial(nn.Embed, features=self.width, dtype=self.dtype, embedding_init=normal)
        self.tokens, self.segments = embed(self.vocab_size), embed(self.num_segments)
        self.positions = self.param("positions", normal, (self.max_length, self.width))
        self.embedding_norm = self.norm(dtype=self.dtype)
        feedforward = functools.partial(gelu_mlp, hidden=self.hidden, activation=self.activation)
        of = {"feedforward": feedforward, "norm": self.norm, "order": "post"}
        self.blocks = [Block(self.num_heads, self.dropout, self.dtype, **of) for _ in range(self.num_layers)]
        self.pooler = nn.Dense(self.width, kernel_init=normal)
        self.head = WordHead(self.activation, self.norm, self.dtype)
        self.drop = Dropout(self.dropout)

    def __call__(self, token: Array, *, mask: Array | None = None, segment: Array | None = None) -> Array:
        """As `fill`."""
        if self.is_initializing():
            self.pool(self.encode(token))
        return self.fill(token, mask=mask, segment=segment)

    def encode(self, token: Array, *, mask: Array | None = None, segment: Array | None = None) -> Array:
        """`[B, T, D]` what is known of each token in its text.

        Args:
          token: `[B, T]` integers in 0 ... V - 1.
          mask: `[B, T]` boolean, False at padding, which nothing sees; None: there is none.
          segment: `[B, T]` integers, which part of the text; None: all the first.
        Raises:
          AssertionError: at trace time, if T exceeds the longest.
        """
        chex.assert_axis_dimension_lteq(token, 1, self.max_length)
        segment = jnp.zeros_like(token) if segment is None else segment
        places = self.positions[: token.shape[1]].astype(self.dtype)
        h = self.embedding_norm(self.tokens(token) + self.segments(segment) + places[None])
        h = self.drop(h)
        for block in self.blocks:
            h = block(h, mask=None if mask is None else mask[:, None, None, :])
        return h.astype(jnp.float32)

    def fill(self, token: Array, *, mask: Array | None = None, segment: Array | None = None) -> Array:
        """`[B, T, V]` logits of the token that belongs in each place; arguments as of `encode`."""
        return self.head(self.encode(token, mask=mask, segment=segment), self.tokens)

    def pool(self, h: Array) -> Array:
        """`[B, D]` in (-1, 1), of the whole text, from what `encode` gave: of its first token."""
        return jnp.tanh(self.pooler(h[:, 0]))


class WordHead(nn.Module):
    """Which word belongs in a place: an affine map, normalised, and its likeness to the words' embeddings."""

    activation: Callable[[Array], Array]
    norm: Callable[..., nn.Module]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, h: Array, tokens: nn.Embed) -> Array:
        """`[B, T, V]` logits of what is known of each place, `h` `[B, T, D]`, and the words' embeddings."""
        h = nn.Dense(h.shape[-1], kernel_init=nn.initializers.normal(0.02), dtype=self.dtype)(h)
        h = self.norm(dtype=self.dtype)(self.activation(h))
        bias = self.param("bias", nn.initializers.zeros, (tokens.num_embeddings,))
        return tokens.attend(h).astype(jnp.float32) + bias[None, None]
