"""Language models of layers that carry a state: what they know of a text has one size, however long it is."""

from typing import Any

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.dropout import Dropout

PyTree = Any


class TokenModel(nn.Module):
    """Log-odds of each next token: an embedding, layers that carry a state, an affine map.

    It is called as `GPT` is, with a mask and a cache. The cache is the layers' state; the first axis of every leaf is
    the row. Dropout acts on embeddings and on what the layers put out when a `dropout` key is given to `apply`.

    Source: with an LSTM: Zaremba et al. 2014, arXiv:1409.2329, section 3.
    """

    vocab_size: int  # V
    width: int  # D, of the embedding
    layers: nn.Module  # `(x [B, T, D], state, length=[B]) -> ([B, T, E], state)`: `Recurrents`, `Layers`, `TCN`
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of embedding and head; parameters and logits are float32

    @nn.compact
    def __call__(
        self, token: Array, *, mask: Array | None = None, cache: PyTree | None = None
    ) -> Array | tuple[Array, PyTree]:
        """`[B, T, V]` logits of the token after each of `token`; with a cache also the cache.

        Args:
          token: `[B, T]` integers in 0 ... V - 1; those that follow what the cache knows, one or many.
          mask: `[B, T]` boolean, False at padding, left or right, which moves no state; None: there is none. Logits at
            padding mean nothing.
          cache: of `empty_cache`, or of the last call.
        """
        chex.assert_rank(token, 2)
        drop = Dropout(self.dropout)
        length = order = None
        if mask is not None:  # layers want what is real first
            length, order = mask.sum(-1), jnp.argsort(~mask, axis=-1, stable=True)
            token = jnp.take_along_axis(token, order, 1)
        h = drop(nn.Embed(self.vocab_size, self.width, dtype=self.dtype, name="tokens")(token))
        h, state = self.layers(h, cache, length=length)
        head = nn.Dense(self.vocab_size, dtype=self.dtype, name="head")
        logits = head(drop(h).reshape(-1, h.shape[-1])).astype(jnp.float32).reshape(*token.shape, -1)
        if mask is not None:
            logits = jnp.take_along_axis(logits, jnp.argsort(order, -1)[..., None], 1)
        return logits if cache is None else (logits, state)

    def empty_cache(self, size: int, length: int | None = None) -> PyTree:
        """The cache of B = `size` rows without a token, for texts of any length."""
        del length
        return self.layers.empty(size, self.width)
