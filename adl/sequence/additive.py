"""Translation by two recurrent networks: one reads, the other writes and looks back at each word that it writes."""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.nn.attention import shares
from adl.nn.dropout import Dropout
from adl.nn.recurrent import Recurrents, lstm


class Written(NamedTuple):
    """What the writer knows: what it wrote, and what was read. The first axis of every leaf is the row."""

    output: Array  # [B, D] of the writer, after all tokens so far
    content: Array  # [B, D] its memory cell
    memory: Array  # [B, U, 2 D]
    memory_mask: Array  # [B, U] boolean


class AdditiveTranslator(nn.Module):
    """LSTMs that read both ways and write; what is read is weighed anew for each word that is written.

    e_j = v tanh(W s_{t-1} + U h_j),   c_t = sum_j softmax(e)_j h_j,   s_t = LSTM(y_{t-1}, c_t; s_{t-1})

    It is called as `EncoderDecoder` is: `encode`, `decode` and both. Apply with `mutable=["intermediates"]` for the
    `weights` `[B, T, U]`. Dropout acts on embeddings and on what the head sees when a `dropout` key is given.

    Source: Bahdanau et al. 2015, arXiv:1409.0473, section 3 and appendix A.2, there with gated units and maxout.
    """

    vocab_size: int  # V
    width: int = 256  # of embeddings, of each of the encoder's directions, and D of the writer
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of embeddings and reading; parameters, writing and logits are float32

    def setup(self):
        """Parts."""
        normal, width = nn.initializers.lecun_normal(), self.width
        self.tokens = nn.Embed(self.vocab_size, width, dtype=self.dtype)
        self.reader = Recurrents(lstm, (width,), "both", dtype=self.dtype)
        self.key, self.start = nn.Dense(width, use_bias=False), nn.Dense(width)
        self.input, self.last = nn.Dense(4 * width, bias_init=_open), nn.Dense(width)
        self.query = self.param("query", normal, (width, width))
        self.score = self.param("score", nn.initializers.normal(width**-0.5), (width,))
        self.hidden = self.param("hidden", normal, (width, 4 * width))
        self.context = self.param("context", normal, (2 * width, 4 * width))
        self.head, self.drop = nn.Dense(self.vocab_size), Dropout(self.dropout)

    def __call__(
        self, source: Array, target: Array, *, source_mask: Array | None = None, mask: Array | None = None
    ) -> Array:
        """`[B, T, V]` logits of the token after each of `target` `[B, T]`; the arguments as of the two methods."""
        memory = self.encode(source, mask=source_mask)
        return self.decode(target, memory, memory_mask=source_mask, mask=mask)

    def encode(self, source: Array, *, mask: Array | None = None) -> Array:
        """`[B, U, 2 D]` memory of a text `[B, U]`; `mask` `[B, U]` boolean, True from the start of each row."""
        length = None if mask is None else mask.sum(-1)
        return self.reader(self.drop(self.tokens(source)), length=length)[0]

    def decode(
        self,
        token: Array,
        memory: Array | None = None,
        *,
        memory_mask: Array | None = None,
        mask: Array | None = None,
        cache: Written | None = None,
    ) -> Array | tuple[Array, Written]:
        """`[B, T, V]` logits of the token after each of `token` `[B, T]`; with a cache also the cache.

        Args:
          token: integers; those that follow what the cache knows, one or many.
          memory: `[B, U, 2 D]` from `encode`; None: what the cache holds of it since an earlier call.
          memory_mask: `[B, U]` boolean, with the memory: False at padding; None: there is none.
          mask: `[B, T]` boolean, False at padding of the tokens, which moves nothing; None: there is none.
          cache: of `empty_cache`, or of the last call.
        """
        if memory is None:
            state, memory, memory_mask = tuple(cache[:2]), cache.memory, cache.memory_mask
        else:
            memory_mask = jnp.ones(memory.shape[:2], bool) if memory_mask is None else memory_mask
            first = jnp.tanh(self.start(memory[:, 0, self.width :]))
            state = (first, jnp.zeros_like(first))
        embedded, keys = self.drop(self.tokens(token)), self.key(memory)
        of_token = self.input(embedded.reshape(-1, self.width)).reshape(*token.shape, -1)
        real = jnp.ones(token.shape, bool) if mask is None else mask

        def step(state: tuple[Array, Array], now: tuple[Array, Array]):
            gates, is_real = now
            scores = jnp.tanh((state[0] @ self.query)[:, None] + keys) @ self.score
            weights = shares(scores, memory_mask)
            seen = (weights[:, None] @ memory)[:, 0]
            new = lstm.update(gates + seen @ self.context, state[0] @ self.hidden, state)
            new = tuple(jnp.where(is_real[:, None], after, before) for after, before in zip(new, state, strict=True))
            return new, (new[0], seen, weights)

        state, outputs = lax.scan(step, state, (of_token.swapaxes(0, 1), real.T))
        written, seen, weights = (part.swapaxes(0, 1) for part in outputs)
        self.sow("intermediates", "weights", weights)
        whole = jnp.concatenate([written, seen, embedded.astype(jnp.float32)], -1).reshape(
            len(token) * token.shape[1], -1
        )
        logits = self.head(self.drop(jnp.tanh(self.last(whole)))).reshape(*token.shape, -1)
        return logits if cache is None else (logits, Written(*state, memory, memory_mask))

    def empty_cache(self, size: int, length: int, memory_length: int) -> Written:
        """The cache of B = `size` rows without a token, for texts of any length and a memory of `memory_length`."""
        del length
        none = jnp.zeros((size, self.width))
        memory = jnp.zeros((size, memory_length, 2 * self.width))
        return Written(none, none, memory, jnp.zeros((size, memory_length), bool))


def _open(key: Array, shape: tuple[int], dtype: jnp.dtype = jnp.float32) -> Array:
    """Biases of the gates at the start: what is kept, is."""
    return jnp.repeat(jnp.array(lstm.bias, dtype), shape[0] // 4)
