"""Reinforcement learning of a language model: what it says is rewarded, at a price for leaving what it said before.

    R(prompt, answer) = r(prompt, answer) - beta log p(answer | prompt) / p_reference(answer | prompt)          (eq. 2)

A step draws an answer to each prompt, and descends on PPO's loss in shuffled minibatches of them. A token is an action;
the price is paid at each, the reward comes with the last, and nothing is discounted. Source: Ziegler et al. 2019,
arXiv:1909.08593, with the loss of Schulman et al. 2017, arXiv:1707.06347.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, PyTree, border, descend, forward, standardise, tree
from adl.core.epochs import epochs
from adl.nn.transformer import GPT
from adl.prob.surrogate import clipped_surrogate
from adl.sequence.preference import Answered, responding, token_log_probs


class Rewarded(NamedTuple):
    """A language model that is rewarded, what it was before, and who rewards it."""

    learner: Learner
    reference: PyTree  # variables of the model before
    judge: PyTree  # whatever the reward takes


class Said(NamedTuple):
    """What the loss wants to know of B answers in T tokens, prompts and all."""

    texts: Answered
    log_prob: Array  # [B, T] of each token, when it was drawn
    advantage: Array  # [B, T]
    target: Array  # [B, T] of the value


@border.columns(prompt="int [B, P]")
def rlhf(
    model: GPT,
    tx: optax.GradientTransformation,
    *,
    reward: Callable[[PyTree, Answered], Array],
    num_tokens: int,
    end: int,
    beta: Array | float,
    judge: PyTree = (),
    start: PyTree = None,
    num_epochs: int = 2,
    num_minibatches: int = 2,
    clip: float = 0.2,
    value_weight: float = 0.1,
    axis: str | None = None,
) -> Algorithm:
    """PPO for language with a price of the divergence from the reference; state is `Rewarded`.

    A batch has "prompt" `[B, P]`. A step reports the `loss` in its parts `policy_loss` and `value_loss`, means over the
    answers' tokens in all minibatches, the `reward` r of an answer, its `divergence` from the reference, in nats, and
    its `length`.

    Args:
      model: `GPT(..., num_values=1)`, the value of a text so far.
      tx: optax transformation; its schedules count updates.
      reward: `reward(judge, texts) -> [B]`.
      num_tokens: A >= 1, the most tokens of an answer.
      end: the token that ends an answer.
      beta: >= 0, price in units of reward of a nat.
      judge: what `reward` takes, arrays; () where it needs nothing.
      start: parameters of the reference, from which the model is tuned; None: they are drawn as the model says.
      num_epochs: >= 1, passes over the answers.
      num_minibatches: >= 1, of each pass.
      clip: c > 0, as in `clipped_surrogate`.
      value_weight: >= 0.
      axis: name of the mapped axis, or None.
    Raises:
      BadInput: at trace time, as `core.epochs`.
    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 2; Ouyang et al. 2022, arXiv:2203.02155, eq. 2 without its gamma.
    """
    speaker = model.clone(num_values=0)
    respond = responding(speaker, num_tokens, end=end)

    def init(key: Key, batch) -> Rewarded:
        variables = {"params": tree.copy(start)} if start else model.init(key, batch["prompt"])
        return Rewarded(Learner.create(variables, tx), tree.copy(variables), tree.copy(judge))

    def told(output: Array, token: Array) -> tuple[Array, Array]:
        return token_log_probs(output[..., :-1], token), output[..., -1]

    def loss(key: Key, params, extras, said: Said):
        token, mask = said.texts
        output, extras = forward(model, key, params, extras, token[:, :-1])
        log_prob, value = told(output, token)
        gain = clipped_surrogate(log_prob - said.log_prob, said.advantage, clip=clip)
        error = jnp.square(value - said.target) / 2
        parts = {"loss": value_weight * error - gain, "policy_loss": -gain, "value_loss": error}
        return {name: Mean.of(part, mask) for name, part in parts.items()}, extras

    passes = epochs(descend(loss, tx, axis), num_epochs, num_minibatches)

    def step(key: Key, state: Rewarded, batch):
        play_key, update_key = jax.random.split(key)
        texts = respond(play_key, state.learner.variables, batch["prompt"])
        token, mask = texts
        log_prob, value = told(model.apply(state.learner.variables, token[:, :-1]), token)
        before = token_log_probs(speaker.apply(state.reference, token[:, :-1]), token)
        price = (log_prob - before) * mask
        won = reward(state.judge, texts)
        target = won[:, None] - beta * jnp.cumsum(price[:, ::-1], 1)[:, ::-1]  # all that is still to come
        advantage = standardise(target - value, axis, weights=mask)
        learner, metrics = passes(update_key, state.learner, Said(texts, log_prob, advantage, target))
        seen = {"reward": won, "divergence": price.sum(1), "length": mask.sum(1)}
        return state._replace(learner=learner), {**metrics, **{name: Mean.of(x) for name, x in seen.items()}}

    return Algorithm(init, step)


def best_of(won: Array, what: Array, num: int) -> Array:
    """`[B]` of the first n answers to each prompt what there is of the one that is rewarded most.

    It is at most log n - (n - 1) / n nats from what answers: `best_of_divergence`.

    Args:
      won: `[B, N]` rewards.
      what: `[B, N]`, such as scores by somebody else.
      num: n, 1 to N.
    Source: Stiennon et al. 2020, arXiv:2009.01325, section 4.3, there rejection sampling.
    """
    return jnp.take_along_axis(what, won[:, :num].argmax(1)[:, None], 1)[:, 0]


def best_of_divergence(num: Array) -> Array:
    """`[...]` KL(best of n || one), in nats, of answers that are all different: log n - (n - 1) / n.

    Source: Stiennon et al. 2020, arXiv:2009.01325, appendix G.3.
    """
    num = jnp.asarray(num, jnp.float32)
    return jnp.log(num) - (num - 1) / num
