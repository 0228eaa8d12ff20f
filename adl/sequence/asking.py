"""Questions about pictures: whether models answer them, by the kind of question."""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Mean, Probe, PyTree, State, full_pass
from adl.sequence.language import exact_match

AT_ONCE = 200  # questions


def said_right(
    say: Mapping[str, Callable[[State, Mapping[str, Array]], Array]],
    questions: data.Split,
    groups: Mapping[str, Sequence[int]],
) -> Probe:
    """Probe: the share of questions that models answer rightly, by groups of their kinds.

    Args:
      say: by name, `(state, batch) -> [B, T, V]` logits of the token after each of the first T.
      questions: "image" `[N, ...]`, "token" `[N, T + 1]`, "mask" `[N, T]`, 1 where an answer's token follows, and
        "kind" `[N]`.
      groups: G of them by name, and the kinds that each has.
    Returns:
      `probe(key, state)`, for each model: `GROUP_NAME`; and arrays `every_NAME` `[G]` of these, and `said_NAME` `[N]`,
      its first token of the answer.
    """

    def measure(key, state, batch):
        token, mask, told = batch["token"], batch["mask"], {}
        first = mask.argmax(-1)[:, None]
        for name, answer in say.items():
            logits = answer(state, batch)
            is_right = exact_match(logits, token[:, 1:], mask).astype(jnp.float32)
            for group, kinds in groups.items():
                told[f"{group}_{name}"] = Mean.of(is_right, mask.max(-1) * jnp.isin(batch["kind"], jnp.array(kinds)))
            told[f"said_{name}"] = jnp.take_along_axis(logits.argmax(-1), first, 1)[:, 0]
        return told

    def probe(judge, key, state):
        told = judge(key, state)
        every = {name: [told[f"{group}_{name}"].value for group in groups] for name in say}
        return told | {f"every_{name}": jnp.stack(of) for name, of in every.items()}

    return Partial(probe, full_pass(measure, data.padded(questions, min(AT_ONCE, len(questions))), len(questions)))


def first_word(model: nn.Module, variables: PyTree, x: Array, question: Array) -> Array:
    """`[B, 1]` the likeliest token after a question `[T]`, of each of the pictures `x` `[B, ...]`.

    Args:
      model: `(x, token [B, T]) -> [B, T, V]`.
      variables: of the model.
      x: what it sees of pictures.
      question: `[T]`.
    """
    token = jnp.broadcast_to(question, (len(x), len(question)))
    return model.apply(variables, x, token)[:, -1:].argmax(-1)
