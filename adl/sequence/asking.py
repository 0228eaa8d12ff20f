"""Questions about pictures: whether models answer them, by the kind of question."""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
from jax import Array

from adl import data
from adl.core import Mean, Probe, State, full_pass
from adl.sequence.language import exact_match

AT_ONCE = 200  # questions


def answered_by_kind(
    say: Mapping[str, Callable[[State, Mapping[str, Array]], Array]], questions: data.Split, kinds: Sequence[str]
) -> Probe:
    """Probe: the share of questions that models answer rightly, all of them and each kind.

    Args:
      say: by name, `(state, batch) -> [B, T, V]` logits of the token after each of the first T.
      questions: "image" `[N, ...]`, "token" `[N, T + 1]`, "mask" `[N, T]`, 1 where an answer's token follows, and
        "kind" `[N]`.
      kinds: their names.
    Returns:
      `probe(key, state)`, for each model: `NAME_exact` of all, `NAME_KIND`, and `NAME_said` `[N]`, its first token of
      the answer.
    """

    def measure(key, state, batch):
        token, mask, told = batch["token"], batch["mask"], {}
        real = mask.max(-1)
        for name, answer in say.items():
            logits = answer(state, batch)
            is_right = exact_match(logits, token[:, 1:], mask).astype(jnp.float32)
            told[f"{name}_exact"] = Mean.of(is_right, real)
            told |= {f"{name}_{kind}": Mean.of(is_right, real * (batch["kind"] == k)) for k, kind in enumerate(kinds)}
            first = mask.argmax(-1)[:, None]
            told[f"{name}_said"] = jnp.take_along_axis(logits.argmax(-1), first, 1)[:, 0]
        return told

    return full_pass(measure, data.padded(questions, min(AT_ONCE, len(questions))), len(questions))
