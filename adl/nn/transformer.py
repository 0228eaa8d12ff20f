"""The transformer: attention between positions and a perceptron at each, around a stream that both add to."""

import functools

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.attention import MultiHeadAttention, causal
from adl.nn.mlp import MLP

gelu = functools.partial(nn.gelu, approximate=True)  # as in GPT-2


class Block(nn.Module):
    """h = x + attention(norm(x)); h + perceptron(norm(h)), the perceptron four times as wide.

    Dropout acts on what is added when a `dropout` key is given to `apply`, and only then.

    Source: pre-normalisation: Xiong et al. 2020, arXiv:2002.04745, figure 1(b).
    """

    num_heads: int
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32
    output_std: float = 0.02  # standard deviation of the weights that add to the stream, at the start

    @nn.compact
    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """`[B, T, D]` from `x` `[B, T, D]`; `mask` as in `MultiHeadAttention`."""
        dim, output_init = x.shape[-1], nn.initializers.normal(self.output_std)
        drop = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))
        h = nn.LayerNorm(epsilon=1e-5, dtype=self.dtype)(x)
        x = x + drop(MultiHeadAttention(self.num_heads, self.dtype, output_init)(h, mask=mask))
        h = nn.LayerNorm(epsilon=1e-5, dtype=self.dtype)(x)
        return x + drop(MLP((4 * dim, dim), gelu, dtype=self.dtype, output_init=output_init)(h))


class GPT(nn.Module):
    """Decoder-only transformer: log-odds of each next token, given those up to it.

    Token and learned position embeddings, `Block`s, and a last normalisation; the embedding's transpose is the head.
    The default is GPT-2's smallest: 124M parameters.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """

    vocab_size: int = 50257  # V
    max_length: int = 1024  # longest T
    num_layers: int = 12
    num_heads: int = 12
    width: int = 768  # D, a multiple of the number of heads
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    @nn.compact
    def __call__(self, token: Array) -> Array:
        """`[B, T, V]` logits of the token after each of `token` `[B, T]`, integers in 0 ... V - 1.

        Raises:
          AssertionError: at trace time, if T exceeds the longest.
        """
        chex.assert_rank(token, 2)
        chex.assert_axis_dimension_lteq(token, 1, self.max_length)
        length = token.shape[1]
        normal = nn.initializers.normal(0.02)
        tokens = nn.Embed(self.vocab_size, self.width, dtype=self.dtype, embedding_init=normal, name="tokens")
        places = self.param("positions", normal, (self.max_length, self.width))[:length].astype(self.dtype)
        h = tokens(token) + places[None]
        h = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(h)
        # The variance of the stream grows with every sum: weights that add to it start smaller.
        std = 0.02 / (2 * self.num_layers) ** 0.5
        for _ in range(self.num_layers):
            h = Block(self.num_heads, self.dropout, self.dtype, std)(h, mask=causal(length))
        h = nn.LayerNorm(epsilon=1e-5, dtype=self.dtype)(h)
        return tokens.attend(h).astype(jnp.float32)
