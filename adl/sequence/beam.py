"""Beam search: of all texts that a model may write, likely ones, found by keeping several in the making."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import BadInput, PyTree
from adl.sequence.decode import is_any, prefill, require_room
from adl.sequence.language import Read

Penalty = Callable[[Array], Array]  # tokens of a text, its stop with them -> what its log-probability is divided by


def power(alpha: float) -> Penalty:
    """n^alpha: 0 is the likelihood itself, 1 the mean of a token's, more makes texts longer."""
    return lambda length: jnp.asarray(length, jnp.float32) ** alpha


def wu(alpha: float) -> Penalty:
    """((5 + n) / 6)^alpha. Source: Wu et al. 2016, arXiv:1609.08144, eq. 14."""
    return lambda length: ((5.0 + length) / 6.0) ** alpha


class Beams(NamedTuple):
    """The best texts of each prompt, the best first."""

    token: Array  # [B, K, N] integers; behind a text's end the padding
    length: Array  # [B, K] tokens of each text, with the one that stopped it
    score: Array  # [B, K] log-probability in nats over the penalty; -inf where fewer than K ended


class _Search(NamedTuple):
    """Texts in the making, and those that have ended."""

    t: Array  # [] tokens of those in the making
    last: Array  # [B, K] their last tokens, not read yet
    carry: PyTree  # [B K, ...]
    token: Array  # [B, K, N]
    log_prob: Array  # [B, K], falling
    ended: Beams
    is_open: Array  # [B] whether one in the making may still be better than one that ended


def beam_search(
    read: Read,
    carry: PyTree,
    prompt: Array,
    num_tokens: int,
    *,
    num_beams: int,
    mask: Array | None = None,
    stop: Sequence[int] = (),
    pad: int = 0,
    penalty: Penalty = power(1.0),  # noqa: B008
) -> Beams:
    """The K texts of highest penalised likelihood among those that the search meets.

    Each step keeps, of all continuations of K texts by one token, the K likeliest that go on; a stop among the K
    likeliest ends a text, which then waits beside those in the making. A prompt's search closes when none of them can
    become better than K that ended, even if all that follows were certain. With K = V^N it is exact.

    Args:
      read: as in `generate`, of B rows and of B K.
      carry: of B rows that know nothing of the prompts, with room for P + N - 1 tokens each. The first axis of every
        leaf is the row.
      prompt: `[B, P]` integers that come before.
      num_tokens: N >= 1; a text of as many ends.
      num_beams: K >= 1; 1 is greedy, but for where it stops.
      mask: as in `generate`.
      stop: fewer than V tokens that end a text.
      pad: what stands behind a text's end.
      penalty: positive and monotone.
    Raises:
      BadInput: at trace time, if K is less than 1, and as of `generate`.
    Source: Graves 2012, arXiv:1211.3711, section 2.3 searches so; ended texts and the penalty: Wu et al. 2016,
    arXiv:1609.08144, section 7.
    """
    prompt, size, k = jnp.asarray(prompt), len(prompt), num_beams
    require_room(carry, prompt, num_tokens)
    if k < 1:
        raise BadInput(f"{k} beams: there must be 1 or more")
    last, carry = prefill(read, carry, prompt, mask)
    first = jnp.where(jnp.arange(k)[None] > 0, -jnp.inf, jnp.zeros((size, k)))  # all are the same text: one counts
    texts = jnp.full((size, k, num_tokens), pad, prompt.dtype)
    start = _Search(
        t=jnp.zeros((), jnp.int32),
        last=jnp.repeat(last[:, None], k, 1),
        carry=jax.tree.map(lambda leaf: jnp.repeat(leaf, k, 0), carry),
        token=texts,
        log_prob=first,
        ended=Beams(texts, jnp.zeros((size, k), jnp.int32), jnp.full((size, k), -jnp.inf)),
        is_open=jnp.ones(size, bool),
    )

    def body(search: _Search) -> _Search:
        t, length = search.t, search.t + 1
        logits, carry = read(search.last.reshape(-1, 1), search.carry)
        vocab_size = logits.shape[-1]
        log_prob = search.log_prob[..., None] + jax.nn.log_softmax(logits[:, 0]).reshape(size, k, -1)
        # So many that K go on, if all of the stops are among them.
        log_prob, index = lax.top_k(log_prob.reshape(size, -1), min(k * (1 + len(stop)), k * vocab_size))
        parent, new = index // vocab_size, (index % vocab_size).astype(prompt.dtype)
        tokens = lax.dynamic_update_index_in_dim(_of(search.token, parent), new, t, 2)
        is_end = is_any(new, stop) | (length == num_tokens)

        is_kept = is_end & (jnp.arange(index.shape[1])[None] < k)
        score = jnp.where(is_kept, log_prob / penalty(length), -jnp.inf)
        both = Beams(tokens, jnp.full(index.shape, length), score)
        both = jax.tree.map(lambda *parts: jnp.concatenate(parts, 1), search.ended, both)
        _, best = lax.top_k(both.score, k)
        ended = jax.tree.map(lambda leaf: _of(leaf, best), both)
        ended = jax.tree.map(
            lambda new, old: jnp.where(search.is_open.reshape(-1, *(1,) * (new.ndim - 1)), new, old),
            ended,
            search.ended,
        )

        running, chosen = lax.top_k(jnp.where(is_end, -jnp.inf, log_prob), k)
        row = (jnp.arange(size)[:, None] * k + _of(parent, chosen)).reshape(-1)
        carry = jax.tree.map(lambda leaf: leaf[row], carry)
        most = jnp.maximum(penalty(length + 1), penalty(num_tokens))
        is_open = search.is_open & (running[:, 0] / most > ended.score[:, -1])
        return _Search(length, _of(new, chosen), carry, _of(tokens, chosen), running, ended, is_open)

    return lax.while_loop(lambda search: (search.t < num_tokens) & search.is_open.any(), body, start).ended


def _of(values: Array, index: Array) -> Array:
    """`[B, M, ...]` of `values` `[B, K, ...]`, those at `index` `[B, M]` of the second axis."""
    return jnp.take_along_axis(values, index.reshape(*index.shape, *(1,) * (values.ndim - 2)), 1)
