"""Attention: each position asks, all positions answer, and the answers that fit best weigh most."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.mlp import Initializer


def causal(length: int) -> Array:
    """`[T, T]` mask: position t (row) sees positions 0 ... t."""
    return jnp.tril(jnp.ones((length, length), bool))


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several subspaces at once.

    head_i = softmax(Q_i K_i^T / sqrt(d)) V_i,   output = [head_1 ... head_H] W,   Q = x W_q, K = y W_k, V = y W_v

    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 and section 3.2.2.
    """

    num_heads: int  # H, a divisor of D
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and softmax are float32
    output_init: Initializer = nn.initializers.lecun_normal()  # of the last projection's kernel

    @nn.compact
    def __call__(self, x: Array, y: Array | None = None, *, mask: Array | None = None) -> Array:
        """`[B, T, D]` what each position gathered.

        Args:
          x: `[B, T, D]` positions that ask.
          y: `[B, S, D]` positions that answer; None: x itself (self-attention).
          mask: boolean, broadcastable to `[B, H, T, S]`: where it is False, t does not see s; None: all see all.
        """
        size, length, dim = x.shape
        y = x if y is None else y

        def heads(name: str, inputs: Array) -> Array:
            # Rows of one matrix: on CPU the kernel's gradient is three times slower when it contracts two axes.
            h = nn.Dense(dim, dtype=self.dtype, name=name)(inputs.reshape(-1, dim))
            return h.reshape(size, -1, self.num_heads, dim // self.num_heads).swapaxes(1, 2)

        query, key, value = heads("query", x), heads("key", y), heads("value", y)
        scores = (query @ key.mT).astype(jnp.float32) / (dim // self.num_heads) ** 0.5
        if mask is not None:
            scores = jnp.where(mask, scores, jnp.finfo(jnp.float32).min)
        gathered = (jax.nn.softmax(scores).astype(self.dtype) @ value).swapaxes(1, 2).reshape(-1, dim)
        out = nn.Dense(dim, dtype=self.dtype, kernel_init=self.output_init, name="out")(gathered)
        return out.reshape(size, length, dim)
