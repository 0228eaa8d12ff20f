"""The transformer: attention between positions and a perceptron at each, around a stream that both add to."""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn import embed
from adl.nn.attention import KeyValue, MultiHeadAttention, Places
from adl.nn.dropout import Dropout
from adl.nn.mlp import MLP, GatedMLP

gelu = functools.partial(nn.gelu, approximate=True)  # as in GPT-2
layer_norm = functools.partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False)
rms_norm = functools.partial(nn.RMSNorm, epsilon=1e-6)


def gelu_mlp(dim: int, hidden: int | None = None, activation: Callable = gelu, **options) -> nn.Module:
    """What GPT-2 has at each position: one hidden layer, of 4 D; `options` as of `MLP`."""
    return MLP((hidden or 4 * dim, dim), activation, **options)


def swiglu(dim: int, hidden: int | None = None, activation: Callable = nn.silu, **options) -> nn.Module:
    """What LLaMA has at each position: SwiGLU of 8/3 D hidden units, as many parameters as `gelu_mlp`."""
    return GatedMLP(hidden or 8 * dim // 3, dim, activation, **options)


class Block(nn.Module):
    """h = x + attention(norm(x)); h + perceptron(norm(h)), the perceptron four times as wide.

    With a memory h = h + attention(norm(h), memory) comes between the two. In the order "post" norms act on the sums
    instead: h = norm(x + attention(x)); norm(h + perceptron(h)). Dropout acts on what is added when a `dropout` key is
    given to `apply`, and only then.

    Source: pre-normalisation: Xiong et al. 2020, arXiv:2002.04745, figure 1(b); post: Vaswani et al. 2017,
    arXiv:1706.03762, section 3.1.
    """

    num_heads: int
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32
    output_std: float = 0.02  # standard deviation of the weights that add to the stream, at the start
    attention: Callable[..., nn.Module] = MultiHeadAttention  # `attention(num_heads, dtype, output_init)`
    feedforward: Callable[..., nn.Module] = gelu_mlp  # `feedforward(D, dtype=..., output_init=...)`
    norm: Callable[..., nn.Module] = layer_norm  # `norm(dtype=...)`
    order: Literal["pre", "post"] = "pre"

    @nn.compact
    def __call__(
        self,
        x: Array,
        memory: Array | None = None,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        rotate: Callable[[Array], Array] | None = None,
        memory_mask: Array | None = None,
        cache: tuple[KeyValue, ...] | None = None,
        slot: Array | None = None,
        memory_slot: Array | None = None,
    ) -> Array | tuple[Array, tuple[KeyValue, ...]]:
        """`[B, T, D]` from `x` `[B, T, D]` and perhaps a memory `[B, U, E]`; with a cache also the cache.

        `mask`, `bias`, `rotate`, `cache` and `slot` as in `MultiHeadAttention`, `memory_mask` and `memory_slot` of the
        memory; the cache holds slots for each attention, those of the memory second.
        """
        output_init, kept = nn.initializers.normal(self.output_std), []
        drop = Dropout(self.dropout)

        def add(x: Array, change: Callable[[Array], Array]) -> Array:
            if self.order == "pre":
                return x + drop(change(self.norm(dtype=self.dtype)(x)))
            return self.norm(dtype=self.dtype)(x + drop(change(x)))

        def attend(h: Array, y: Array | None, **given) -> Array:
            known = None if cache is None else cache[len(kept)]
            out = self.attention(self.num_heads, self.dtype, output_init)(h, y, cache=known, **given)
            if cache is None:
                return out
            kept.append(out[1])
            return out[0]

        x = add(x, lambda h: attend(h, None, mask=mask, bias=bias, rotate=rotate, slot=slot))
        if memory is not None:
            x = add(x, lambda h: attend(h, memory, mask=memory_mask, slot=memory_slot))
        x = add(x, self.feedforward(x.shape[-1], dtype=self.dtype, output_init=output_init))
        return x if cache is None else (x, tuple(kept))


class Blocks(nn.Module):
    """`Block`s around a stream, called as layers that carry a state are; theirs is empty: they see all at once.

    The default sees what is before each place, and knows how far before by rotations.
    """

    num_layers: int
    num_heads: int
    sight: Literal["before", "all"] = "before"  # what each place sees, itself in any case
    position: Literal["rotary", "sinusoidal", "none"] = "rotary"  # how a place is known
    dropout: float = 0.0  # in [0, 1), of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    feedforward: Callable[..., nn.Module] = gelu_mlp  # as in `Block`
    norm: Callable[..., nn.Module] = layer_norm  # as in `Block`

    @nn.compact
    def __call__(self, x: Array, state: tuple[()] | None = None, *, length: Array | None = None) -> tuple[Array, tuple]:
        """(`[B, T, D]`, an empty state) of `x` `[B, T, D]`; beyond `length` `[B]` nothing is seen, or meant."""
        if state:
            raise AssertionError("blocks see a sequence at once, and go on from no state")
        time = x.shape[1]
        mask = None if length is None else jnp.arange(time)[None] < length[:, None]
        at = Places.of(time, mask)
        seen = at.seen if self.sight == "before" else None if mask is None else mask[:, None, None, :]
        rotate = functools.partial(embed.rotary, position=at.query[:, None]) if self.position == "rotary" else None
        h = x.astype(self.dtype)
        if self.position == "sinusoidal":
            h = h + embed.sinusoidal(at.query, x.shape[-1]).astype(self.dtype)
        for _ in range(self.num_layers):
            std = 0.02 / (2 * self.num_layers) ** 0.5
            block = Block(self.num_heads, self.dropout, self.dtype, std, feedforward=self.feedforward, norm=self.norm)
            h = block(h, mask=seen, rotate=rotate)
        return self.norm(dtype=self.dtype)(h), ()

    def empty(self, size: int, dim: int) -> tuple[()]:
        """The empty state, whatever B = `size` and D = `dim`."""
        del size, dim
        return ()


class Cache(NamedTuple):
    """What the blocks of a decoder know of the tokens so far. The first axis of every leaf is the row.

    Rows that change places, as in a beam search, take every leaf along; a smaller length takes tokens back.
    """

    layers: tuple[tuple[KeyValue, ...], ...]  # [layers][1] slots of [B, H_kv, S, d]; slot s holds token s
    length: Array  # [B] integers, tokens so far

    @property
    def slots(self) -> int:
        """S, the most tokens that a row has room for."""
        return self.layers[0][0].key.shape[2]


class GPT(nn.Module):
    """Decoder-only transformer: log-odds of each next token, given those up to it.

    Token and position embeddings, `Block`s, and a last normalisation (in the order "post" none); the embedding's
    transpose is the head. The default is GPT-2's smallest: 124M parameters. LLaMA's kind has rotary positions,
    `rms_norm`, `GatedMLP`, no biases and mostly a head of its own.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """

    vocab_size: int = 50257  # V
    max_length: int = 1024  # longest T
    num_layers: int = 12
    num_heads: int = 12
    width: int = 768  # D, a multiple of the number of heads
    dropout: float = 0.0  # in [0, 1), of embeddings and of what blocks add, when a `dropout` key is given
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32
    position: Literal["learned", "sinusoidal", "rotary", "alibi", "none"] = "learned"  # how a token knows its place
    num_kv_heads: int | None = None  # H_kv, as in `MultiHeadAttention`
    window: int | None = None  # >= 1, tokens that a token sees, itself the last; None: all before it
    use_bias: bool = True  # of attention's projections
    feedforward: Callable[..., nn.Module] = gelu_mlp  # as in `Block`
    norm: Callable[..., nn.Module] = layer_norm  # as in `Block`
    order: Literal["pre", "post"] = "pre"  # as in `Block`
    head_dim: int | None = None  # d, as in `MultiHeadAttention`
    frequency: tuple[float, ...] | None = None  # of rotary positions, as in `embed.rotary`
    head: Literal["tied", "own"] = "tied"  # what gives the logits: the embedding's transpose, or a matrix of its own
    num_values: int = 0  # numbers beside the logits, of a head of their own, such as what a text so far is worth

    @nn.compact
    def __call__(
        self,
        token: Array,
        *,
        before: Array | None = None,
        mask: Array | None = None,
        cache: Cache | None = None,
    ) -> Array | tuple[Array, Cache]:
        """`[B, T, V]` logits of the token after each of `token`; with a cache also the cache.

        Where there are `num_values`, these are behind the logits: `[B, T, V + num_values]`.

        Args:
          token: `[B, T]` integers in 0 ... V - 1; those that follow what the cache holds, one or many.
          before: `[B, U, D]` vectors in front of the tokens, as if they were the embeddings of U tokens: they have
            places and slots as these have; None: there are none.
          mask: `[B, T]` boolean, False at padding, left or right, which nothing sees and which the cache does not keep;
            None: there is none. Logits at padding mean nothing.
          cache: of `empty_cache`, or of the last call. A row's tokens beyond its slots are lost, and their logits nan.
        Raises:
          AssertionError: at trace time, if U + T, or the cache's length, exceeds the longest, or U + T the former.
        """
        chex.assert_rank(token, 2)
        longest = self.max_length
        if cache is not None:
            self._require_short(cache.slots)
            longest = cache.slots
        num_before = 0 if before is None else before.shape[1]
        chex.assert_axis_dimension_lteq(token, 1, longest - num_before)
        if num_before and mask is not None:
            mask = jnp.pad(mask, ((0, 0), (num_before, 0)), constant_values=True)
        at = Places.of(num_before + token.shape[1], mask, cache, self.window)
        bias = embed.alibi(at.query, at.key, self.num_heads) if self.position == "alibi" else None
        turn = functools.partial(embed.rotary, position=at.query[:, None], frequency=self.frequency)
        rotate = turn if self.position == "rotary" else None

        tokens = nn.Embed(
            self.vocab_size, self.width, dtype=self.dtype, embedding_init=nn.initializers.normal(0.02), name="tokens"
        )
        h = tokens(token)
        h = h if before is None else jnp.concatenate([before.astype(h.dtype), h], 1)
        h = self._placed(h, at.query, mask is None and cache is None)
        h = Dropout(self.dropout)(h)
        kept = []
        for layer in range(self.num_layers):
            known = None if cache is None else cache.layers[layer]
            h = self._block()(h, mask=at.seen, bias=bias, rotate=rotate, cache=known, slot=at.slot)
            if cache is not None:
                h, known = h
                kept.append(known)
        if self.order == "pre":
            h = self.norm(dtype=self.dtype)(h)
        h, at = h[:, num_before:], at._replace(query=at.query[:, num_before:])
        if self.head == "own":
            own = nn.Dense(self.vocab_size, use_bias=False, dtype=self.dtype, name="head")
            logits = own(h.reshape(-1, self.width)).reshape(*token.shape, -1).astype(jnp.float32)
        else:
            logits = tokens.attend(h).astype(jnp.float32)
        if self.num_values:
            values = nn.Dense(self.num_values, dtype=self.dtype, name="values")(h)
            logits = jnp.concatenate([logits, values.astype(jnp.float32)], -1)
        return logits if cache is None else (at.known(logits), Cache(tuple(kept), at.length))

    def empty_cache(self, size: int, length: int | None = None) -> Cache:
        """The cache of B = `size` rows without a token, with room for S = `length` each (the longest, if None)."""
        length = self.max_length if length is None else length
        self._require_short(length)
        dim = self.head_dim or self.width // self.num_heads
        of = (size, self.num_kv_heads or self.num_heads, length, dim, self.dtype)
        layers = tuple((KeyValue.empty(*of),) for _ in range(self.num_layers))
        return Cache(layers, jnp.zeros(size, jnp.int32))

    def _require_short(self, length: int) -> None:
        if length > self.max_length:
            raise AssertionError(f"a cache of {length} tokens, where the longest text has {self.max_length}")

    def _placed(self, h: Array, place: Array, is_plain: bool) -> Array:
        """Embeddings `[B, T, D]` that say where they are, at the border or in the blocks."""
        if self.position == "learned":
            table = self.param("positions", nn.initializers.normal(0.02), (self.max_length, self.width))
            # A slice where it will do: its gradient is no scatter.
            places = table[: h.shape[1]][None] if is_plain else table.take(place, 0, mode="clip")
            return h + places.astype(self.dtype)
        if self.position == "sinusoidal":
            return h * self.width**0.5 + embed.sinusoidal(place, self.width).astype(self.dtype)
        return h

    def _block(self) -> nn.Module:
        # The variance of the stream grows with every sum: weights that add to it start smaller.
        std = 0.02 / (2 * self.num_layers) ** 0.5
        heads = {"num_kv_heads": self.num_kv_heads, "head_dim": self.head_dim, "use_bias": self.use_bias}
        of = (functools.partial(MultiHeadAttention, **heads), self.feedforward, self.norm, self.order)
        return Block(self.num_heads, self.dropout, self.dtype, std, *of)
