"""Speculative decoding: a small model runs ahead, a large one reads its draft at once and takes what it would say.

The texts are distributed as those of the large model alone, whatever the small one is; that it is like the large one
makes them come in fewer passes.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import BadInput, Key, Mean, Probe, PyTree
from adl.measure.texts import beside_people
from adl.sequence.decode import Adjust, drawn, generate, in_turn, is_any, prefill, reading, require_room
from adl.sequence.language import Read, log_probs_after, surprise_after


class Speculated(NamedTuple):
    """What a model made up, and what it took."""

    token: Array  # [B, N] integers; behind a text's end the padding
    length: Array  # [B] tokens of each text, with the one that stopped it
    num_passes: Array  # [B] calls of the large model until the text ended, the prompt's aside
    num_accepted: Array  # [B] tokens of the small model that it took in them: a pass gives one more than it takes


class Drafted(NamedTuple):
    """What is settled of one draft."""

    token: Array  # [B, G + 1] integers, of which the first `num_accepted` + 1 count
    num_accepted: Array  # [B] in 0 ... G


def speculative(
    key: Key,
    read: Read,
    carry: PyTree,
    draft_read: Read,
    draft_carry: PyTree,
    prompt: Array,
    num_tokens: int,
    *,
    num_drafted: int = 4,
    adjust: Adjust = in_turn(),  # noqa: B008
    mask: Array | None = None,
    stop: Sequence[int] = (),
    pad: int = 0,
) -> Speculated:
    """Texts that are drawn from a model, in passes that each give 1 to G + 1 tokens.

    Rows take different numbers of tokens in a pass; none waits for another. With `adjust=top_k(1)` the texts are the
    greedy ones. With i.i.d. acceptance at a rate of alpha a pass gives (1 - alpha^(G + 1)) / (1 - alpha) tokens.

    Args:
      key: consumed.
      read: the large model, as in `generate`.
      carry: of B rows that know nothing of the prompts, with room for P + N - 1 tokens each. What a draft had too much
        is taken back, which needs a `length` `[B]`, of which a smaller one forgets tokens, as `nn.transformer.Cache`
        has it; or no leaves.
      draft_read: the small model, with the same tokens.
      draft_carry: its carry, of the same kind.
      prompt: `[B, P]` integers that come before.
      num_tokens: N >= 1, the most tokens of a text.
      num_drafted: G >= 1.
      adjust: changes the logits of both models.
      mask: as in `generate`.
      stop: tokens that end a text.
      pad: what stands behind a text's end.
    Raises:
      TypeError: if a carry cannot take tokens back, as the state of a recurrent network.
      BadInput: at trace time, if G is less than 1, and as of `generate`.

    Source: Leviathan et al. 2023, arXiv:2211.17192, algorithm 1 and eq. 1.
    """
    for known in (carry, draft_carry):
        _taken_back(known, known, 0)
    prompt, size = jnp.asarray(prompt), len(prompt)
    require_room((carry, draft_carry), prompt, num_tokens)
    if num_drafted < 1:
        raise BadInput(f"drafts of {num_drafted} tokens: they must have 1 or more")
    last, carry = prefill(read, carry, prompt, mask)
    _, draft_carry = prefill(draft_read, draft_carry, prompt, mask)

    def body(state):
        number, last, carry, draft_carry, texts, is_done = state
        draft_key, judge_key = jax.random.split(jax.random.fold_in(key, number))

        def run_ahead(at, key):
            token, known = at
            logits, known = draft_read(token[:, None], known)
            logits = adjust(logits[:, 0])
            token = jax.random.categorical(key, logits).astype(token.dtype)
            return (token, known), (token, jax.nn.log_softmax(logits))

        # One more than is drafted, so that the small model has read all of its draft.
        keys = jax.random.split(draft_key, num_drafted + 1)
        (_, draft_read_on), (token, log_q) = lax.scan(run_ahead, (last, draft_carry), keys)
        token, log_q = token[:-1].T, log_q[:-1].swapaxes(0, 1)
        logits, read_on = read(jnp.concatenate([last[:, None], token], 1), carry)
        drafted = judge(judge_key, token, log_q, jax.nn.log_softmax(adjust(logits)))

        place = jnp.arange(num_drafted + 1)[None]
        is_new = place <= drafted.num_accepted[:, None]
        is_stop = is_any(drafted.token, stop) & is_new
        is_new &= (jnp.cumsum(is_stop, 1) - is_stop == 0) & (texts.length[:, None] + place < num_tokens)
        is_new &= ~is_done[:, None]
        where = jnp.where(is_new, texts.length[:, None] + place, num_tokens)
        texts = Speculated(
            texts.token.at[jnp.arange(size)[:, None], where].set(drafted.token, mode="drop"),
            texts.length + is_new.sum(1, dtype=jnp.int32),
            texts.num_passes + ~is_done,
            texts.num_accepted + jnp.where(is_done, 0, drafted.num_accepted),
        )
        read_now = jnp.where(is_done, 0, drafted.num_accepted + 1)
        carry, draft_carry = _taken_back(carry, read_on, read_now), _taken_back(draft_carry, draft_read_on, read_now)
        last = jnp.take_along_axis(drafted.token, drafted.num_accepted[:, None], 1)[:, 0]
        is_done |= is_stop.any(1) | (texts.length == num_tokens)
        return number + 1, last, carry, draft_carry, texts, is_done

    zeros = jnp.zeros(size, jnp.int32)
    none = Speculated(jnp.full((size, num_tokens), pad, prompt.dtype), zeros, zeros, zeros)
    start = (0, last, carry, draft_carry, none, jnp.zeros(size, bool))
    return lax.while_loop(lambda state: ~state[-1].all(), body, start)[4]


def judge(key: Key, token: Array, log_q: Array, log_p: Array) -> Drafted:
    """How much of a draft the model would have said, and what it says instead of the rest.

    Token i is accepted with probability min(1, p_i / q_i) if all before it are; the token after the last accepted is
    drawn from max(0, p - q), normalised, or from p where all were accepted.

    Args:
      key: consumed.
      token: `[B, G]` drafted tokens.
      log_q: `[B, G, V]` log-probabilities that they were drawn from.
      log_p: `[B, G + 1, V]` log-probabilities of the model at the same places, and after the last.

    Source: Leviathan et al. 2023, arXiv:2211.17192, algorithm 1; exact by theirs, appendix A.1.
    """
    accept_key, next_key = jax.random.split(key)
    of_draft = (jnp.take_along_axis(log, token[..., None], -1)[..., 0] for log in (log_p[:, :-1], log_q))
    log_ratio = jnp.subtract(*of_draft)
    is_accepted = jnp.log(jax.random.uniform(accept_key, token.shape)) < log_ratio
    num_accepted = jnp.cumprod(is_accepted, 1, dtype=jnp.int32).sum(1)
    at = num_accepted[:, None, None]
    p = jnp.exp(jnp.take_along_axis(log_p, at, 1)[:, 0])
    q = jnp.pad(jnp.exp(log_q), ((0, 0), (0, 1), (0, 0)))  # behind the draft there is nothing to subtract
    rest = jnp.maximum(p - jnp.take_along_axis(q, at, 1)[:, 0], 0.0)
    rest = jnp.where(rest.sum(-1, keepdims=True) > 0, rest, p)  # p = q but for rounding
    following = jax.random.categorical(next_key, jnp.log(rest)).astype(token.dtype)
    tokens = jnp.concatenate([token, token[:, :1]], 1)
    is_next = jnp.arange(tokens.shape[1])[None] == num_accepted[:, None]
    return Drafted(jnp.where(is_next, following[:, None], tokens), num_accepted)


def beside_drawn(model: nn.Module, draft: nn.Module, held: data.text.Continued, *, num_drafted: int) -> Probe:
    """Probe: texts with drafts beside texts without, of models that learn beside each other as "model" and "draft".

    Args:
      model: the large one, called with `cache`, as `GPT`.
      draft: the small one.
      held: M prompts, and how people went on.
      num_drafted: G >= 1.
    Returns:
      `measure.texts.beside_people` of the texts that were `drawn`, and `drafted`; `z`, the difference of their
      surprise in standard errors; `alpha`, the mean of `acceptance` along the drawn; `expected`, as in
      `tokens_a_pass`; `a_pass`, tokens that a pass gave; and their `ratio`. Sorted `[M]`, the surprise of texts that
      were `drawn`, `drafted`, or written by `people`; and `passes` `[2]`, of what was found and expected.
    """

    def probe(held, key, state):
        num_tokens, large, small = held.text.shape[1], state["model"].variables, state["draft"].variables
        drawn_key, drafted_key = jax.random.split(key)

        def begun(network: nn.Module, variables: PyTree) -> tuple[Read, PyTree]:
            room = held.prompt.shape[1] + num_tokens
            return reading(network, variables), network.empty_cache(len(held.prompt), room)

        first, second = begun(model, large), begun(draft, small)
        one_by_one = generate(drawn_key, *first, held.prompt, num_tokens, choose=drawn())
        told = speculative(drafted_key, *first, *second, held.prompt, num_tokens, num_drafted=num_drafted)
        texts = {"text": held.text, "drawn": one_by_one.token, "drafted": told.token}
        surprise = functools.partial(surprise_after, model, large, held.prompt)
        nats = dict(zip(texts, lax.map(surprise, jnp.stack([*texts.values()])), strict=True))
        difference = nats["drafted"] - nats["drawn"]
        log_p, log_q = (
            log_probs_after(network, variables, held.prompt, texts["drawn"])
            for network, variables in ((model, large), (draft, small))
        )
        alpha, passes = acceptance(log_p, log_q).mean(), told.num_passes.sum().astype(jnp.float32)
        a_pass, expected = Mean(passes + told.num_accepted.sum(), passes), tokens_a_pass(alpha, num_drafted)
        return {
            **beside_people(texts, nats),
            "z": Mean.of(jnp.abs(difference.mean()) / (difference.std() / len(difference) ** 0.5)),
            "alpha": Mean.of(alpha),
            "expected": Mean.of(expected),
            "a_pass": a_pass,
            "ratio": Mean.of(a_pass.value / expected),
            "passes": jnp.stack([a_pass.value, expected]),
            **{("people" if name == "text" else name): jnp.sort(values) for name, values in nats.items()},
        }

    return Partial(probe, held)


def acceptance(log_p: Array, log_q: Array) -> Array:
    """`[...]` sum_x min(p(x), q(x)) in [0, 1]: the probability that a token of the small model is accepted.

    Args:
      log_p: `[..., V]` log-probabilities of the large model.
      log_q: `[..., V]` of the small one, at the same places.

    Source: Leviathan et al. 2023, arXiv:2211.17192, theorem 3.5.
    """
    return jnp.minimum(jnp.exp(log_p), jnp.exp(log_q)).sum(-1)


def tokens_a_pass(alpha: Array, num_drafted: int) -> Array:
    """(1 - alpha^(G + 1)) / (1 - alpha), what a pass of the large model gives where acceptance is i.i.d.

    Args:
      alpha: `[...]` in [0, 1], the rate of acceptance; 1: G + 1.
      num_drafted: G >= 1.

    Source: Leviathan et al. 2023, arXiv:2211.17192, eq. 1.
    """
    return sum(alpha**given for given in range(num_drafted + 1))  # the same, and at 1 as well


def _taken_back(before: PyTree, after: PyTree, count: Array | int) -> PyTree:
    """`after`, which read on from `before`, as if it had read `count` `[B]` tokens only."""
    if not jax.tree.leaves(after):
        return after
    if not hasattr(after, "length"):
        raise TypeError(
            f"speculative decoding takes tokens back: it needs a cache with a `length`, as nn.transformer.Cache, "
            f"not a {type(after).__name__}; a state that has read on cannot return"
        )
    return after._replace(length=before.length + count)
