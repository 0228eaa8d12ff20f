"""REINFORCE: whole episodes, and each action made likelier by what followed it.

    grad J = E sum_t g^t grad log pi(a_t|s_t) (G_t - b(s_t)),   G_t = sum_{k >= t} g^{k - t} r_k,   J = E G_0

for any baseline b, which does not move the mean, and takes away variance where it tells G_t. Nothing is bootstrapped:
the estimate is unbiased, and waits for the end of the episode. Source: Williams 1992, Machine Learning 8, theorem 1;
with a baseline and g^t as in Sutton & Barto 2018, section 13.4.
"""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, BadInput, Mean, descend, forward
from adl.core.types import Array
from adl.rl.advantage import gae
from adl.rl.environment.world import Environment
from adl.rl.on_policy import Agent, actor, beginning, explained_variance
from adl.rl.policy import Actions, categorical
from adl.rl.rollout import Episodes, Transition, begin_again, collect, first_episodes, in_first, with_episode


class Followed(NamedTuple):
    """B moves, and what followed them."""

    obs: Array  # [B, ...]
    action: Array  # [B, ...]
    total: Array  # [B] G_t
    weight: Array  # [B] g^t in the first episode of each copy, 0 after it


def reinforce(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    env: Environment,
    num_envs: int,
    horizon: int,
    discount: float = 1.0,
    baseline: Literal["value", "none"] = "value",
    value_weight: float = 0.5,
    entropy_weight: float = 0.0,
    actions: Actions = categorical,
    axis: str | None = None,
) -> Algorithm:
    """REINFORCE; state is an `Agent`, the batch is `()`.

    A step is an episode of each copy from its beginning, and one update. It reports the parts of the loss, an
    episode's each, "explained_variance" by the values, and "return" and "length" of these episodes, also of those that
    are cut: a copy whose episode has ended plays others, which are neither learned from nor counted, as short ones
    would be among them more often than long ones.

    Args:
      model: `model.apply(variables, obs) -> (numbers [B, P] of the actions' distribution, value [B])`.
      tx: optax transformation.
      env: the environment.
      num_envs: E >= 1, copies over all devices: episodes of an update.
      horizon: T >= 1, moves within which an episode ends; what follows them counts as nothing.
      discount: g in [0, 1].
      baseline: what is taken from returns: the model's value, or nothing. The value learns in either case.
      value_weight: >= 0, of the values' halved squared error.
      entropy_weight: >= 0, of the policy's entropy.
      actions: the distributions that the model's numbers stand for.
      axis: name of the mapped axis, or None.

    Raises:
      BadInput: for another baseline.
    """
    if baseline not in ("value", "none"):
        raise BadInput(f"no baseline {baseline!r}: there are value and none")

    def loss(key, params, extras, moves):
        (numbers, value), extras = forward(model, key, params, extras, moves.obs)
        better = moves.total - (jax.lax.stop_gradient(value) if baseline == "value" else 0.0)
        there = moves.weight > 0
        parts = {
            "policy_loss": -moves.weight * actions.log_prob(moves.action, numbers) * better,
            "value_loss": there * jnp.square(value - moves.total) / 2,
            "entropy": there * actions.entropy(numbers),
        }
        whole = parts["policy_loss"] + value_weight * parts["value_loss"] - entropy_weight * parts["entropy"]
        episodes = jnp.asarray(len(value) // horizon, jnp.float32)  # sums over an episode, means over episodes
        metrics = {name: Mean(values.sum(), episodes) for name, values in {"loss": whole, **parts}.items()}
        metrics["entropy"] = Mean.of(parts["entropy"], there)  # of a move
        return metrics, extras

    update = descend(loss, tx, axis)

    def init(key, batch=()):
        return beginning(key, model, tx, env, num_envs)

    def step(key, agent, batch=()):
        begin_key, play_key, update_key = jax.random.split(key, 3)
        act = actor(model, agent.learner.variables, actions)
        copies, seen, _ = collect(play_key, env, act, begin_again(begin_key, env, agent.copies), horizon)
        # Of the episodes that are learned from; those that begin after them are counted nowhere.
        episode = Episodes(*first_episodes(seen), copies.current.time)
        copies = copies._replace(finished=with_episode(agent.copies.finished, episode))
        metrics = {"return": Mean.of(episode.total), "length": Mean.of(episode.length.astype(jnp.float32))}
        moves = what_followed(seen, discount)
        value = seen.said[1].reshape(-1)
        explained = explained_variance(moves.total, value, axis)
        learner, losses = update(update_key, agent.learner, moves)
        return Agent(learner, copies), {**losses, **metrics, "explained_variance": explained}

    return Algorithm(init, step, Agent(None, 0))


def what_followed(seen: Transition, discount: float) -> Followed:
    """Moves `[T E]` with what followed them in their episodes, from transitions `[T, E]` from an episode's beginning.

    Args:
      seen: T moves of each of E copies.
      discount: g in [0, 1].
    """
    ended, is_first = seen.terminated | seen.truncated, in_first(seen)
    nothing = jnp.zeros_like(seen.reward)
    total = gae(seen.reward, discount * ~ended, nothing, nothing, lam=1.0)
    power = discount ** jnp.arange(len(ended), dtype=jnp.float32)
    moves = Followed(seen.obs, seen.action, total, is_first * power[:, None])
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), moves)
