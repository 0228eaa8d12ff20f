"""Answers: what language models say to questions that have one right answer, rows as of `data.algorithmic`.

The models learn beside each other (`core.beside`), so that states, and what is told of them, are by their names.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Mean, Probe, PyTree, full_pass
from adl.sequence.decode import generate, reading
from adl.sequence.language import exact_match, surprise

AT_ONCE = 100  # questions


def judged(models: Mapping[str, nn.Module], questions: data.Split, *, longest: int) -> Probe:
    """Probe: how often whole answers are right, up to the longest in training and beyond.

    Args:
      models: by name, `[B, T] -> [B, T, V]`.
      questions: "token" `[N, T + 1]`, "mask" `[N, T]` and "length" `[N]`.
      longest: length in training.
    Returns:
      `probe(key, state)`, for each model: `NAME_exact` and `NAME_longer`, shares of questions up to the longest and
      beyond whose answer is wholly right, as by greedy decoding; `NAME_loss` in nats a token; and arrays `[N]`
      `NAME_right`, 1 where the answer is, and `NAME_tokens`, the share of its tokens that are, after a right beginning.
    """

    def measure(key, state, batch):
        seen, following, mask = batch["token"][:, :-1], batch["token"][:, 1:], batch["mask"]
        real, told = mask.max(-1), {}
        for name, model in models.items():
            logits = model.apply(state[name].variables, seen)
            is_right = exact_match(logits, following, mask).astype(jnp.float32)
            is_token = (logits.argmax(-1) == following) * mask
            told |= {
                f"{name}_exact": Mean.of(is_right, real * (batch["length"] <= longest)),
                f"{name}_longer": Mean.of(is_right, real * (batch["length"] > longest)),
                f"{name}_loss": surprise(logits, following, mask)["loss"],
                f"{name}_right": is_right,
                f"{name}_tokens": is_token.sum(-1) / jnp.maximum(mask.sum(-1), 1),
            }
        return told

    return full_pass(measure, data.padded(questions, AT_ONCE), len(questions))


def known(models: Mapping[str, nn.Module], questions: data.Split, *, longest: int) -> Probe:
    """Probe: the `NAME_exact` and `NAME_loss` of `judged` alone, for questions no longer than in training."""

    def probe(judge, key, state):
        told = judge(key, state)
        return {name: told[name] for name in told if name.endswith(("_exact", "_loss"))}

    return Partial(probe, judged(models, questions, longest=longest))


def reply(model: nn.Module, name: str, num_tokens: int) -> Callable[..., Array]:
    """`(key, state, question [1, T], num_tokens=) -> [1, N]`, what the named model says greedily.

    Args:
      model: called with `mask` and `cache`.
      name: under which its state is.
      num_tokens: N >= 1, where no other is asked for.
    """

    def say(key, state, question, num_tokens=num_tokens):
        cache = model.empty_cache(len(question), question.shape[1] + num_tokens - 1)
        return generate(key, reading(model, state[name].variables), cache, question, num_tokens).token

    return say


def said(models: Mapping[str, nn.Module], questions: data.Split) -> Probe:
    """Probe: what each model answers by itself, token by token, `[N, T + 1]` by its name.

    Args:
      models: by name, called with `mask` and `cache`.
      questions: "token" `[N, T + 1]` and "mask" `[N, T]`, 1 where an answer's token follows.
    Returns:
      `probe(key, state)`: "token" with what the model says greedily in place of the answer, after what it said before.
    """
    is_answer = questions.arrays["mask"] > 0
    is_asked = np.arange(is_answer.shape[1])[None] <= is_answer.argmax(1)[:, None]  # up to "="
    length, count = int(is_asked.sum(1).max()), int(is_answer.sum(1).max())
    place = np.maximum(np.cumsum(is_answer, 1) - 1, 0).clip(max=count - 1)

    def answered(model: nn.Module, variables: PyTree, carried: tuple[Array, ...]) -> Array:
        token, is_asked, is_answer, place = carried
        cache = model.empty_cache(len(token), length + count - 1)
        prompt, mask = token[:, :length], is_asked[:, :length]
        new = generate(jax.random.key(0), reading(model, variables), cache, prompt, count, mask=mask).token
        return token.at[:, 1:].set(jnp.where(is_answer, jnp.take_along_axis(new, place, 1), token[:, 1:]))

    def probe(carried, key, state):
        carried = tuple(map(jnp.asarray, carried))
        return {name: answered(model, state[name].variables, carried) for name, model in models.items()}

    return Partial(probe, (questions.arrays["token"], is_asked, is_answer, place))
