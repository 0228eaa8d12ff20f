"""Attention: each position asks, all positions answer, and the answers that fit best weigh most."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core.errors import BadInput
from adl.nn.mlp import Initializer


class KeyValue(NamedTuple):
    """What positions answer: keys, which say to whom, and values. A slot holds the answers of one position."""

    key: Array  # [B, H_kv, S, d]
    value: Array  # [B, H_kv, S, d]

    @classmethod
    def empty(cls, size: int, num_heads: int, length: int, dim: int, dtype: jnp.dtype = jnp.float32) -> "KeyValue":
        """Slots that hold nothing: B = `size`, H_kv = `num_heads`, S = `length`, d = `dim`."""
        return cls(*(jnp.zeros((size, num_heads, length, dim), dtype) for _ in range(2)))

    def write(self, slot: Array, new: "KeyValue") -> "KeyValue":
        """These slots, those of `new` `[B, H_kv, T, d]` written over them.

        Args:
          slot: `[B, T]` integers, where each is written; S or more: it is not.
          new: answers of T positions a row.
        """
        row = jnp.arange(len(slot))[:, None]
        return KeyValue(
            *(old.at[row, :, slot].set(h.swapaxes(1, 2), mode="drop") for old, h in zip(self, new, strict=True))
        )


def causal(length: int, window: int | None = None) -> Array:
    """`[T, T]` mask: position t (row) sees positions 0 ... t, or the last `window` of these."""
    return visible(jnp.arange(length), jnp.arange(length), window)


def visible(query: Array, key: Array, window: int | None = None) -> Array:
    """`[..., T, S]` mask: a position sees itself and what is before it, or the last `window` of these.

    Args:
      query: `[..., T]` integer positions that ask.
      key: `[..., S]` integer positions that answer.
      window: >= 1, as many are seen; None: all. Beltagy et al. 2020, arXiv:2004.05150, section 3.1.
    """
    behind = query[..., :, None] - key[..., None, :]
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)


def together(segment: Array) -> Array:
    """`[B, T, T]` mask of packed rows: only places of one sequence see each other.

    Args:
      segment: `[B, T]` integers, of which sequence of its row a place is (`data.ragged.packed`); 0: of none.
    Source: Krell et al. 2021, arXiv:2107.02027, section 3.2.4.
    """
    chex.assert_rank(segment, 2)
    chex.assert_type(segment, int)
    return (segment[:, :, None] == segment[:, None]) & (segment[:, :, None] > 0)


class Places(NamedTuple):
    """Where the tokens of a call are in their texts, what of it they see, and where a cache puts them."""

    query: Array  # [B or 1, T] places of the tokens, 0 at each text's first
    key: Array  # [B or 1, S] places of those that they may see: of the tokens themselves, or of the cache's slots
    seen: Array  # [B or 1, 1, T, S] whether t sees s
    slot: Array | None  # [B, T] where the cache puts them; None: there is no cache
    length: Array | None  # [B] tokens of each text that the cache then holds

    @classmethod
    def of(cls, time: int, mask: Array | None, cache: Any = None, window: int | None = None) -> "Places":
        """Places of T = `time` tokens a row.

        Args:
          time: T.
          mask: `[B, T]` boolean, False at padding, left or right; None: there is none.
          cache: with `slots`, how many there are, and `length` `[B]`, tokens so far; None: there is none.
          window: as in `visible`.
        """
        place = jnp.arange(time)[None] if mask is None else jnp.maximum(jnp.cumsum(mask, -1) - 1, 0)
        if cache is None:
            seen = visible(place, place, window)[:, None]
            return cls(place, place, seen if mask is None else seen & mask[:, None, None, :], None, None)
        place = place + cache.length[:, None]
        slots = cache.slots
        # Slots beyond a text's length are after all of its places, so that none sees them.
        key = jnp.arange(slots)[None]
        count = time if mask is None else mask.sum(-1, dtype=cache.length.dtype)
        slot = place if mask is None else jnp.where(mask, place, slots)
        return cls(place, key, visible(place, key, window)[:, None], slot, cache.length + count)

    def known(self, logits: Array) -> Array:
        """`logits` `[B, T, V]`, nan at tokens that the cache has no slot for."""
        return jnp.where((self.query < self.key.shape[-1])[..., None], logits, jnp.nan)


def shares(scores: Array, mask: Array | None = None) -> Array:
    """`[..., S]` softmax of scores over what is seen: it sums to 1, and to 0 where nothing is seen.

    Args:
      scores: `[..., S]`; -inf where nothing is seen either.
      mask: boolean, broadcastable to them, False where a score counts for nothing, even one of nan; None: all count.
    """
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    top = lax.stop_gradient(scores.max(-1, keepdims=True, initial=-jnp.inf))
    terms = jnp.exp(scores - jnp.where(top == -jnp.inf, 0, top))
    total = terms.sum(-1, keepdims=True)
    return terms / jnp.where(total == 0, 1, total)


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several subspaces at once.

    head_i = softmax(Q_i K_j^T / sqrt(d) + bias_i) V_j,   output = [head_1 ... head_H] W,
    Q = x W_q,   K = y W_k,   V = y W_v,   j = floor(i H_kv / H)

    With fewer keys and values than heads, groups of neighbouring heads share them (H_kv = 1: multi-query attention).
    A position that sees nothing gathers 0, with gradients of 0: its output is the last projection's bias.
    Apply with `mutable=["intermediates"]` for the `weights` `[B, H, T, S]`, the softmax.

    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 and section 3.2.2; groups: Ainslie et al. 2023,
    arXiv:2305.13245, section 2.2.
    """

    num_heads: int  # H
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and softmax are float32
    output_init: Initializer = nn.initializers.lecun_normal()  # of the last projection's kernel
    num_kv_heads: int | None = None  # H_kv, a divisor of H; None: H
    head_dim: int | None = None  # d; None: D / H, where H must divide D
    use_bias: bool = True  # of the four projections
    scale: float | None = None  # of the products Q K^T; None: 1 / sqrt(d)

    @nn.compact
    def __call__(
        self,
        x: Array,
        y: Array | None = None,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        rotate: Callable[[Array], Array] | None = None,
        cache: KeyValue | None = None,
        slot: Array | None = None,
    ) -> Array | tuple[Array, KeyValue]:
        """`[B, T, D]` what each position gathered; with a cache also the cache, which then holds the answers of `y`.

        Args:
          x: `[B, T, D]` positions that ask.
          y: `[B, U, E]` positions that answer; None: x itself (self-attention).
          mask: boolean, broadcastable to `[B, H, T, S]`: where it is False, t does not see s; None: all see all. S is
            U, or with a cache the number of its slots.
          bias: added to the scores, broadcastable to `[B, H, T, S]`.
          rotate: `[B, heads, T, d] -> [B, heads, T, d]`, of queries and keys, as `embed.rotary`.
          cache: slots of earlier positions; all slots answer that the mask lets be seen.
          slot: `[B, U]` where in the cache the answers of `y` go.
        """
        size, length, dim = x.shape
        y = x if y is None else y
        if not self.head_dim and dim % self.num_heads:
            raise BadInput(f"a width of {dim} does not divide among {self.num_heads} heads")
        head_dim = self.head_dim or dim // self.num_heads
        num_kv_heads = self.num_kv_heads or self.num_heads

        def heads(name: str, inputs: Array, number: int) -> Array:
            # Rows of one matrix: on CPU the kernel's gradient is three times slower when it contracts two axes.
            dense = nn.Dense(number * head_dim, use_bias=self.use_bias, dtype=self.dtype, name=name)
            h = dense(inputs.reshape(-1, inputs.shape[-1]))
            return h.reshape(size, inputs.shape[1], number, head_dim).swapaxes(1, 2)

        query = heads("query", x, self.num_heads)
        known = KeyValue(heads("key", y, num_kv_heads), heads("value", y, num_kv_heads))
        if rotate is not None:
            query, known = rotate(query), known._replace(key=rotate(known.key))
        if cache is not None:
            known = cache.write(slot, known)

        # A group's heads ask one after the other, so that what they share is not repeated.
        grouped = (size, num_kv_heads, -1)
        scores = query.reshape(*grouped, head_dim) @ known.key.mT.astype(self.dtype)
        scores = scores.reshape(size, self.num_heads, length, -1).astype(jnp.float32)
        scores = scores * (head_dim**-0.5 if self.scale is None else self.scale)
        if bias is not None:
            scores = scores + bias
        weights = shares(scores, mask)
        self.sow("intermediates", "weights", weights)
        weights = weights.astype(self.dtype).reshape(*grouped, scores.shape[-1])
        gathered = (weights @ known.value.astype(self.dtype)).reshape(size, self.num_heads, length, head_dim)

        gathered = gathered.swapaxes(1, 2).reshape(size * length, -1)
        out = nn.Dense(dim, use_bias=self.use_bias, dtype=self.dtype, kernel_init=self.output_init, name="out")(
            gathered
        ).reshape(size, length, dim)
        return out if cache is None else (out, known)
