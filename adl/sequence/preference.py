"""What people prefer: answers in pairs, of which one is chosen; a reward that tells why, and a model that follows.

    P(a is chosen, not b) = sigmoid(r(a) - r(b))

A text is a prompt and its answer, `[B, T + 1]`; a mask `[B, T]` is 1 where a token of the answer follows. Source:
Bradley & Terry 1952, Biometrika 39(3/4).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, forward, tree
from adl.sequence.decode import Choose, drawn, generate, reading

BATCH = {
    **{f"{which}": "int [B, T+1]" for which in ("chosen", "rejected")},
    **{f"{which}_mask": "[B, T]" for which in ("chosen", "rejected")},
    "mask": "[B]?",
}
TIE = 1e-5  # margin below which only rounding says which is worth more


class Tuned(NamedTuple):
    """A language model that is tuned, and what it was before."""

    learner: Learner
    reference: PyTree  # its variables before


@border.columns(**BATCH)
def reward_model(
    model: nn.Module, tx: optax.GradientTransformation, *, start: PyTree = None, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of preferences: a number for each text, larger for what is chosen.

    The state is a `Learner`; a batch is "chosen" and "rejected" `[B, T + 1]`, "chosen_mask" and "rejected_mask"
    `[B, T]`, and perhaps "mask" `[B]` >= 0, the weight of each pair. A step reports the `loss` in nats a pair, the
    `accuracy`, the share of the pairs told right, and the `margin`, by how much the chosen are worth more.

    Args:
      model: `[B, T + 1] -> [B, T + 1, ...]`, whose last number at an answer's last token is what the text is worth;
        `GPT(..., num_values=1)`.
      tx: optax transformation.
      start: parameters that are tuned further; None: they are drawn as the model says.
      axis: as in `core.descend`.
    Source: Bradley & Terry 1952; Ouyang et al. 2022, arXiv:2203.02155, eq. 1.
    """

    def init(key: Key, batch) -> Learner:
        return Learner.create({"params": tree.copy(start)} if start else model.init(key, batch["chosen"]), tx)

    def loss(key: Key, params, extras, batch):
        output, extras = forward(model, key, params, extras, _both(batch, ""))
        better, worse = jnp.split(worth(output, _both(batch, "_mask")), 2)
        return preferring(better - worse, batch.get("mask")), extras

    return Algorithm(init, descend(loss, tx, axis))


@border.columns(**BATCH)
def dpo(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    beta: Array | float,
    start: PyTree = None,
    axis: str | None = None,
) -> Algorithm:
    """Direct preference optimisation: the model itself says what a text is worth, beside what it said before.

    r(text) = beta log p(answer | prompt) / p_reference(answer | prompt)

    which is the reward whose best policy at a price of beta per nat of KL(policy || reference) the model is. State is
    `Tuned`; batches and metrics are as of `reward_model`.

    Args:
      model: `[B, T] -> [B, T, V]` logits of the next token, causal.
      tx: optax transformation.
      beta: > 0, units of reward a nat.
      start: parameters of the reference, from which the model is tuned; None: they are drawn as the model says.
      axis: as in `core.descend`.
    Source: Rafailov et al. 2023, arXiv:2305.18290, eq. 7.
    """

    def init(key: Key, batch) -> Tuned:
        variables = {"params": tree.copy(start)} if start else model.init(key, batch["chosen"][:, :-1])
        return Tuned(Learner.create(variables, tx), tree.copy(variables))

    def loss(key: Key, params, extras, batch, reference):
        token, mask = _both(batch, ""), _both(batch, "_mask")
        logits, extras = forward(model, key, params, extras, token[:, :-1])
        before = model.apply(reference, token[:, :-1])
        gain = token_log_probs(logits, token) - jax.lax.stop_gradient(token_log_probs(before, token))
        better, worse = jnp.split(beta * (gain * mask).sum(1), 2)
        return preferring(better - worse, batch.get("mask")), extras

    update = descend(loss, tx, axis)

    def step(key: Key, state: Tuned, batch):
        learner, metrics = update(key, state.learner, batch, state.reference)
        return Tuned(learner, state.reference), metrics

    return Algorithm(init, step)


def _both(batch, name: str) -> Array:
    return jnp.concatenate([batch[f"chosen{name}"], batch[f"rejected{name}"]])


def preferring(margin: Array, weight: Array | None = None) -> dict[str, Mean]:
    """`loss`, `accuracy`, ties split, and `margin` of pairs.

    Args:
      margin: `[B]` r(chosen) - r(rejected).
      weight: `[B]` >= 0 of each; None: 1.
    """
    is_right = jnp.where(jnp.abs(margin) > TIE, margin > 0, 0.5)
    said = {"loss": -jax.nn.log_sigmoid(margin), "accuracy": is_right, "margin": margin}
    return {name: Mean.of(values, weight) for name, values in said.items()}


def worth(output: Array, mask: Array) -> Array:
    """`[B]` the last number at each answer's last token.

    Args:
      output: `[B, T + 1, ...]` at each token of texts.
      mask: `[B, T]`, 1 where a token of the answer follows.
    """
    last = mask.shape[1] - (mask[:, ::-1] > 0).argmax(1)
    return jnp.take_along_axis(output[..., -1], last[:, None], 1)[:, 0]


def token_log_probs(logits: Array, token: Array) -> Array:
    """`[B, T]` log-probability of each next token of `token` `[B, T + 1]`, given logits `[B, T, V]`."""
    return jnp.take_along_axis(jax.nn.log_softmax(logits), token[:, 1:, None], -1)[..., 0]


class Answered(NamedTuple):
    """Prompts and what was answered."""

    token: Array  # [B, P + A]
    mask: Array  # [B, P + A - 1] 1 where a token of the answer follows, its end among them

    def answers(self, num_tokens: int) -> Array:
        """`[B, A]` the last A tokens."""
        return self.token[:, -num_tokens:]


def responding(model: nn.Module, num_tokens: int, *, end: int, choose: Choose | None = None) -> Callable:
    """`respond(key, variables, prompt [B, P]) -> Answered`: answers up to an end, or of `num_tokens`.

    Args:
      model: called with `cache`, with `empty_cache`.
      num_tokens: A >= 1.
      end: the token that ends an answer, and fills what is behind it.
      choose: picks each next token; None: it is drawn from the model.
    """
    choose = choose or drawn()

    def respond(key: Key, variables: PyTree, prompt: Array) -> Answered:
        cache = model.empty_cache(len(prompt), prompt.shape[1] + num_tokens - 1)
        of = {"choose": choose, "stop": (end,), "pad": end}
        said = generate(key, reading(model, variables), cache, prompt, num_tokens, **of)
        counts = jnp.arange(num_tokens)[None] < said.length[:, None]
        mask = jnp.concatenate([jnp.zeros((len(prompt), prompt.shape[1] - 1), bool), counts], 1)
        return Answered(jnp.concatenate([prompt, said.token], 1), mask.astype(jnp.float32))

    return respond


def compared(
    key: Key, first: Answered, second: Answered, score: tuple[Array, Array], *, sureness: float
) -> dict[str, Array]:
    """A batch of pairs as a judge tells them apart, of `reward_model` and `dpo`.

    P(the first is chosen) = sigmoid(k (s_1 - s_2)); of what is equally good nothing is said: its mask is 0.

    Args:
      key: consumed.
      first: B answers.
      second: as many others to the same prompts.
      score: `[B]` of either, s.
      sureness: k > 0; the larger, the seldomer a judge errs.
    Source: Bradley & Terry 1952.
    """
    gap = score[0] - score[1]
    is_first = jax.random.bernoulli(key, jax.nn.sigmoid(sureness * gap))[:, None]
    chosen, rejected = (
        jax.tree.map(lambda a, b: jnp.where(is_first, a, b), *pair) for pair in ((first, second), (second, first))
    )
    return {
        "chosen": chosen.token,
        "chosen_mask": chosen.mask,
        "rejected": rejected.token,
        "rejected_mask": rejected.mask,
        "mask": (gap != 0).astype(jnp.float32),
    }
