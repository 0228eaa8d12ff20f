"""Decoding: which texts a language model makes up, one path at a time; many side by side are in `beam`.

A text in the making is what the model remembers of it, and its last token, which the model has not read: `read` takes
the token and gives logits of the next, `choose` picks one. All but the last token of a prompt are read in one call,
whose logits nobody needs, so that a compiler leaves the head of the model out.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import BadInput, Key, PyTree
from adl.sequence.language import Read

Adjust = Callable[[Array], Array]  # logits [..., V] -> logits [..., V], -inf where a token is ruled out
Choose = Callable[[Key, Array], Array]  # (key, logits [..., V]) -> token [...]


def temperature(value: float) -> Adjust:
    """Logits, less the largest, over `value` > 0: 1 is the model itself, less is surer.

    Raises:
      BadInput: 0 or less; what 0 would be is `greedy`.
    """
    if not value > 0:
        raise BadInput(f"a temperature of {value}: it must be above 0; greedy is what 0 would be")

    def adjust(logits: Array) -> Array:
        top = logits.max(-1, keepdims=True)
        return (logits - jnp.where(jnp.isfinite(top), top, 0)) / max(value, jnp.finfo(jnp.float32).tiny)

    return adjust


def top_k(k: int) -> Adjust:
    """Only the k >= 1 likeliest tokens, and those that are as likely as the last of these; all, where V <= k.

    Raises:
      BadInput: k is less than 1.
    Source: Fan et al. 2018, arXiv:1805.04833, section 5.4.
    """
    if k < 1:
        raise BadInput(f"the {k} likeliest tokens: there must be 1 or more")

    def adjust(logits: Array) -> Array:
        least = lax.top_k(logits, min(k, logits.shape[-1]))[0][..., -1:]
        return jnp.where(logits < least, -jnp.inf, logits)

    return adjust


def nucleus(p: float) -> Adjust:
    """Only the likeliest tokens, as few as have a probability of p together; never none.

    Args:
      p: in [0, 1]; 0: the likeliest alone, 1: all.
    Raises:
      BadInput: p is not in [0, 1].
    Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
    """
    if not 0 <= p <= 1:
        raise BadInput(f"a nucleus of probability {p}: it must be in [0, 1]")
    if p == 1:  # those of probability 0 in float32, too
        return in_turn()

    def adjust(logits: Array) -> Array:
        rising = jnp.sort(logits, axis=-1)
        is_in = jnp.cumsum(jax.nn.softmax(rising.astype(jnp.float32)), -1) > 1 - p
        least = jnp.where(is_in.at[..., -1].set(True), rising, jnp.inf).min(-1, keepdims=True)
        return jnp.where(logits < least, -jnp.inf, logits)

    return adjust


def in_turn(*adjusts: Adjust) -> Adjust:
    """One change of logits after the other; the logits themselves where there is none."""

    def adjust(logits: Array) -> Array:
        for change in adjusts:
            logits = change(logits)
        return logits

    return adjust


def greedy(key: Key, logits: Array) -> Array:
    """The likeliest token; of equals the first. The key is for a common signature."""
    del key
    return logits.argmax(-1)


def drawn(*adjusts: Adjust) -> Choose:
    """A token by chance, from the softmax of logits that were adjusted in turn."""
    adjust = in_turn(*adjusts)
    return lambda key, logits: jax.random.categorical(key, adjust(logits))


class Completions(NamedTuple):
    """What a model made up."""

    token: Array  # [B, N] integers; behind a text's end the padding
    length: Array  # [B] tokens of each text, with the one that stopped it


def generate(
    key: Key,
    read: Read,
    carry: PyTree,
    prompt: Array,
    num_tokens: int,
    *,
    mask: Array | None = None,
    choose: Choose = greedy,
    stop: Sequence[int] = (),
    pad: int = 0,
) -> Completions:
    """Texts that go on from prompts, token by token, until all have stopped.

    Args:
      key: consumed.
      read: of many tokens and of one; with a mask also of `mask=`, as `reading` gives.
      carry: of B rows that know nothing of the prompts, with room for P + N - 1 tokens each.
      prompt: `[B, P]` integers that come before.
      num_tokens: N >= 1, the most tokens of a text.
      mask: `[B, P]` boolean, False at padding, left or right; every row has a token. None: there is no padding.
      choose: picks each next token.
      stop: tokens that end a text.
      pad: what stands behind a text's end.
    Raises:
      BadInput: at trace time, if N is less than 1, or a cache of the carry has not the room.
    """
    prompt = jnp.asarray(prompt)
    require_room(carry, prompt, num_tokens)
    last, carry = prefill(read, carry, prompt, mask)

    def is_on(state):
        return (state[0] < num_tokens) & ~state[-1].all()

    def body(state):
        t, token, carry, texts, is_done = state
        logits, carry = read(token[:, None], carry)
        token = choose(jax.random.fold_in(key, t), logits[:, 0]).astype(token.dtype)
        tokens = lax.dynamic_update_index_in_dim(texts.token, jnp.where(is_done, pad, token), t, 1)
        texts = Completions(tokens, texts.length + ~is_done)
        return t + 1, token, carry, texts, is_done | is_any(token, stop)

    size = len(prompt)
    none = Completions(jnp.full((size, num_tokens), pad, last.dtype), jnp.zeros(size, jnp.int32))
    return lax.while_loop(is_on, body, (0, last, carry, none, jnp.zeros(size, bool)))[3]


def reading(model: nn.Module, variables: PyTree) -> Read:
    """`read` of a model that is called with `mask` and `cache`, as `GPT` and `TokenModel` are."""
    return lambda token, cache, **given: model.apply(variables, token, cache=cache, **given)


def require_room(carry: PyTree, prompt: Array, num_tokens: int) -> None:
    """Nothing, where caches that know nothing yet have slots for a prompt `[B, P]` and what follows.

    The last of N = `num_tokens` new tokens is not read, so that P + N - 1 are needed.

    Raises:
      BadInput: there are fewer, P or N is less than 1, or a cache has other rows than the prompt.
    """
    size, length = prompt.shape
    if length < 1 or num_tokens < 1:
        raise BadInput(f"prompts of {length} tokens and {num_tokens} new ones: there must be 1 or more of both")
    for cache in jax.tree.leaves(carry, is_leaf=lambda node: hasattr(node, "slots")):
        if hasattr(cache, "slots") and cache.slots < length + num_tokens - 1:
            told = f"a prompt of {length} and {num_tokens} new tokens need {length + num_tokens - 1}"
            raise BadInput(f"a cache with room for {cache.slots} tokens, where {told}")
        if hasattr(cache, "slots") and len(cache.length) != size:
            raise BadInput(f"a cache of {len(cache.length)} rows for {size} prompts")


def prefill(read: Read, carry: PyTree, prompt: Array, mask: Array | None = None) -> tuple[Array, PyTree]:
    """The last token of each prompt `[B]`, and a carry that has read what is before it; arguments as of `generate`."""
    if mask is None:
        return prompt[:, -1], read(prompt[:, :-1], carry)[1] if prompt.shape[1] > 1 else carry
    last = prompt.shape[1] - 1 - jnp.argmax(mask[:, ::-1], 1)[:, None]
    before = mask & (jnp.arange(prompt.shape[1])[None] < last)
    return jnp.take_along_axis(prompt, last, 1)[:, 0], read(prompt, carry, mask=before)[1]


def is_any(token: Array, among: Sequence[int]) -> Array:
    """`[...]` whether each of `token` is one of a few."""
    return jnp.isin(token, jnp.asarray(among, token.dtype))
