"""What agents that learn from a replay share: the moves that they keep, twin critics, and how these are taught."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from adl.core import Algorithm, Key, Learner, Mean, Metrics, buffer, descend, forward, repeated
from adl.core.buffer import Buffer
from adl.core.types import Array
from adl.nn.mlp import MLP
from adl.rl.environment.world import Environment, bounds_of
from adl.rl.on_policy import explained_variance
from adl.rl.rollout import Act, Copies, collect, start

State = TypeVar("State")  # with fields `copies` and `replay`


class Experience(NamedTuple):
    """What a replay keeps of a move: all that critics are taught by, whatever the policy has become."""

    obs: Array
    action: Array  # [..., D] in [-1, 1]
    reward: Array
    next_obs: Array  # the episode's own
    terminated: Array  # nothing follows; after an episode that was cut, something would have


class ActorAndCritics(NamedTuple):
    """Networks of an algorithm whose policy climbs its own critics."""

    actor: nn.Module  # obs [B, ...] -> numbers [B, P] of the action
    critics: nn.Module  # (obs [B, ...], action [B, D]) -> values [2, B]


class TwinCritics(nn.Module):
    """Two perceptrons that value actions; the lower of the two is believed.

    Attributes:
      hidden: widths of the hidden layers of each.
      dtype: of the computation.

    Source: Fujimoto et al. 2018, arXiv:1802.09477, section 4.2.
    """

    hidden: Sequence[int] = (256, 256)
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, obs: Array, action: Array) -> Array:
        """Values `[2, B]` of actions `[B, D]` in what observations `[B, O]` show."""
        alone = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        twins = nn.vmap(MLP, in_axes=None, out_axes=0, axis_size=2, **alone)
        x = jnp.concatenate([obs, action.astype(obs.dtype)], -1)
        return twins((*self.hidden, 1), dtype=self.dtype, name="twins")(x)[..., 0].astype(jnp.float32)


def networks(env: Environment, numbers: int, hidden: Sequence[int], dtype: jnp.dtype = jnp.float32) -> ActorAndCritics:
    """Perceptrons for an environment of vectors `[D]`.

    Args:
      env: with observations `[O]`.
      numbers: of the actor for each of the D.
      hidden: widths of the hidden layers of each network.
      dtype: of the computation.
    Raises:
      BadInput: if its actions are choices.
    """
    (size,) = bounds_of(env, "an actor that climbs its critics").low.shape
    return ActorAndCritics(MLP((*hidden, numbers * size), dtype=dtype), TwinCritics(hidden, dtype))


def first_moves(key: Key, env: Environment, *, num_envs: int, warmup: int, capacity: int) -> tuple[Copies, Buffer]:
    """Copies after moves that are uniform in [-1, 1], and the replay that has these.

    Args:
      key: consumed.
      env: of `policy.in_unit_box`.
      num_envs: E >= 1.
      warmup: >= 1, moves of each copy.
      capacity: moves that the replay holds, of all copies together; a multiple of E.
    Raises:
      BadInput: as `buffer.create`.
    """
    start_key, play_key = jax.random.split(key)
    copies = start(start_key, env, num_envs)
    shape = (num_envs, *env.actions.low.shape)

    def act(key, obs):
        return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0), ()

    _, seen, _ = jax.eval_shape(lambda key, copies: collect(key, env, act, copies, 1), play_key, copies)
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), kept(seen))
    copies, replay, _ = _played_on(play_key, env, act, copies, buffer.create(like, capacity), warmup)
    return copies, replay


def replaying(
    env: Environment,
    act: Callable[[State], Act],
    update: Callable[[Key, State, Callable[[Key], Experience]], tuple[State, Metrics]],
    *,
    batch_size: int,
    horizon: int,
    num_updates: int,
    axis: str | None,
) -> Callable[[Key, State, tuple], tuple[State, Metrics]]:
    """Step of an agent with `copies` and a `replay`: T moves of each copy, then updates by what is drawn from it.

    Args:
      env: the environment.
      act: of the agent.
      update: `update(key, agent, draw) -> (agent, metrics)`, of which `draw(key)` gives experience `[B]`; the agent has
        neither copies nor replay then.
      batch_size: B of all devices together.
      horizon: T >= 1.
      num_updates: >= 1.
      axis: as in `descend`.
    """

    def step(key, agent, batch=()):
        play_key, update_key = jax.random.split(key)
        copies, replay, played = _played_on(play_key, env, act(agent), agent.copies, agent.replay, horizon)

        def one(key, lean, batch):
            return update(key, lean, lambda key: buffer.sample(key, replay, batch_size, axis))

        lean = agent._replace(copies=(), replay=())
        lean, metrics = repeated(Algorithm(None, one), num_updates).step(update_key, lean, ())
        return lean._replace(copies=copies, replay=replay), {**metrics, **played}

    return step


def kept(seen: Experience) -> Experience:
    """What a replay keeps of transitions."""
    return Experience(seen.obs, seen.action, seen.reward, seen.next_obs, seen.terminated)


def teaching(
    critics: nn.Module, tx: optax.GradientTransformation, axis: str | None
) -> Callable[..., tuple[Learner, Metrics]]:
    """Update of both critics towards one target y: `update(key, learner, obs, action, y [B]) -> (learner, metrics)`.

    loss = sum_i E (Q_i(s, a) - y)^2 / 2

    It reports "loss", "value", the mean of both, and the targets' "explained_variance" by it.

    Args:
      critics: as in `ActorAndCritics`.
      tx: optax transformation.
      axis: as in `descend`.
    """

    def loss(key, params, extras, obs, action, y):
        values, extras = forward(critics, key, params, extras, obs, action)
        metrics = {
            "loss": Mean.of((jnp.square(values - y[None]) / 2).sum(0)),
            "value": Mean.of(values),
            "explained_variance": explained_variance(y, values.mean(0), axis),
        }
        return metrics, extras

    return descend(loss, tx, axis)


def target_value(reward: Array, terminated: Array, next_value: Array, discount: Array | float) -> Array:
    """y = r + g V(s') `[B]` where the episode goes on, r where it terminated.

    Args:
      reward: `[B]`.
      terminated: `[B]` boolean.
      next_value: `[B]`.
      discount: g in [0, 1].
    """
    return reward + discount * (~terminated) * next_value


def _played_on(
    key: Key, env: Environment, act: Act, copies: Copies, replay: Buffer, num_steps: int
) -> tuple[Copies, Buffer, Metrics]:
    """`num_steps` moves of each copy, which the replay then has, and what `collect` reports of them."""
    copies, seen, metrics = collect(key, env, act, copies, num_steps)
    replay = buffer.extend(replay, kept(seen))
    return copies, replay, metrics
