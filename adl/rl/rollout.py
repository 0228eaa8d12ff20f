"""Copies of an environment played side by side, what they saw, and what their episodes returned.

Every copy goes on for ever, one episode after the other, and an agent's step plays as many moves of each as it wants.
What is kept of finished episodes is kept by the copy that played them, so that copies split over devices.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Mean, Metrics, tree
from adl.core.types import Array, Key, PyTree
from adl.rl.environment.world import Environment, auto_reset

Act = Callable[[Key, Array], tuple[Array, Any]]  # (key, obs [E, ...]) -> (actions [E, ...], what else it has to say)


class Episodes(NamedTuple):
    """Episodes, by what is known of them at their end; of missing ones the time is -1."""

    total: Array  # [...] undiscounted return
    length: Array  # [...] int32, steps
    time: Array  # [...] int32, steps that this copy had played when the episode ended


class Copies(NamedTuple):
    """E copies of an environment, each in the midst of an episode. Axis 0 splits over devices."""

    state: PyTree  # [E, ...]
    obs: Array  # [E, ...] to act on next
    current: Episodes  # [E] as if they ended here
    finished: Episodes  # [E, K] the last K of each copy, the latest first


class Transition(NamedTuple):
    """Moves `[T, E, ...]`: what was seen, what was done about it, and what came of it."""

    obs: Array
    action: Array
    reward: Array
    next_obs: Array  # the episode's own: its last observation where it ended
    terminated: Array
    truncated: Array
    said: Any  # what `act` returned beside the action


class Happened(NamedTuple):
    """T moves of each of E copies of a world outside the program, as a batch: its rows are the copies."""

    moves: Transition  # [E, T, ...], of which nothing was said
    total: Array  # [E, T] undiscounted return of the episode so far, in the world's own units
    length: Array  # [E, T] int32, its moves so far
    over: Array  # [E, T] boolean: it ended with this move


def reported(batch: Happened) -> tuple[Transition, Metrics]:
    """The moves `[T, E, ...]`, and "return" and "length", the means over the episodes that ended in them."""
    chex.assert_equal_shape_prefix(jax.tree.leaves(batch), 2)
    chex.assert_rank([batch.total, batch.moves.reward], 2)
    chex.assert_type([batch.over, batch.moves.terminated, batch.moves.truncated], bool)
    moves = jax.tree.map(lambda x: x.swapaxes(0, 1), batch.moves)
    told = {"return": batch.total, "length": batch.length.astype(jnp.float32)}
    return moves, {name: Mean.of(values, batch.over) for name, values in told.items()}


def start(key: Key, env: Environment, num_envs: int, *, window: int = 100) -> Copies:
    """Copies at the beginning of their first episodes.

    Args:
      key: consumed.
      env: the environment.
      num_envs: E >= 1.
      window: K >= 1, finished episodes that `last_episodes` can look back on.
    """
    state, obs = jax.vmap(env.reset)(jax.random.split(key, num_envs))

    def episodes(*shape: int, time: int) -> Episodes:
        return Episodes(jnp.zeros(shape), jnp.zeros(shape, jnp.int32), jnp.full(shape, time, jnp.int32))

    current, finished = episodes(num_envs, time=0), episodes(num_envs, window, time=-1)
    return tree.copy(Copies(state, obs, current, finished))  # a fully observed state would be its observation's buffer


def begin_again(key: Key, env: Environment, copies: Copies) -> Copies:
    """The copies at the beginning of new episodes; those that they were in are dropped, and none is finished by it.

    Args:
      key: consumed.
      env: the environment.
      copies: E of them.
    """
    fresh = start(key, env, len(copies.current.time), window=1)
    current = fresh.current._replace(time=copies.current.time)
    return Copies(fresh.state, fresh.obs, current, copies.finished)


def collect(key: Key, env: Environment, act: Act, copies: Copies, num_steps: int) -> tuple[Copies, Transition, Metrics]:
    """T moves of each copy.

    Args:
      key: consumed.
      env: the environment.
      act: chooses the actions of all copies.
      copies: from `start`, or from the last call.
      num_steps: T >= 1.

    Returns:
      The copies, the moves `[T, E, ...]`, and "return" and "length", the means over the episodes that ended in them
      (of which there may be none).
    """
    step = auto_reset(env)

    def move(carry, key):
        state, obs, (total, length, time) = carry
        act_key, step_key = jax.random.split(key)
        action, said = act(act_key, obs)
        after, (state, next_obs) = jax.vmap(step)(jax.random.split(step_key, len(length)), state, action)
        episode = Episodes(total + after.reward, length + 1, time + 1)
        going = ~after.ended
        current = Episodes(episode.total * going, episode.length * going, episode.time)
        seen = Transition(obs, action, after.reward, after.obs, after.terminated, after.truncated, said)
        return (state, next_obs, current), (seen, episode, after.ended)

    carry = (copies.state, copies.obs, copies.current)
    (state, obs, current), (seen, episode, ended) = lax.scan(move, carry, jax.random.split(key, num_steps))
    metrics = {"return": Mean.of(episode.total, ended), "length": Mean.of(episode.length.astype(jnp.float32), ended)}
    episode = episode._replace(time=jnp.where(ended, episode.time, -1))
    rows = jax.tree.map(lambda new, old: jnp.concatenate([new.swapaxes(0, 1), old], 1), episode, copies.finished)
    finished = jax.vmap(lambda row: _latest(row, copies.finished.time.shape[1]))(rows)
    return Copies(state, obs, current, finished), seen, metrics


def last_episodes(copies: Copies) -> dict[str, Mean | Array]:
    """The last K finished episodes of all copies together; fewer where so many have not ended yet.

    Of episodes that ended at the same time, those of the first copies count as the later ones.

    Returns:
      "return" and "length", means over these episodes; "lengths", `[K]` with 0 for missing ones.
    """
    window = copies.finished.time.shape[1]
    last = _latest(jax.tree.map(jnp.ravel, copies.finished), window)
    there = last.time >= 0
    lengths = jnp.where(there, last.length, 0)
    return {
        "return": Mean.of(last.total, there),
        "length": Mean.of(lengths.astype(jnp.float32), there),
        "lengths": lengths,
    }


class Played(NamedTuple):
    """Whole episodes, from reset to end."""

    total: Array  # [N] undiscounted return
    length: Array  # [N] int32, steps
    obs: Array  # [T, N, ...] acted on; those after the end belong to other episodes


def play(key: Key, env: Environment, act: Act, num_episodes: int, limit: int) -> Played:
    """New episodes, each from its beginning to its end.

    Args:
      key: consumed.
      env: the environment.
      act: chooses the actions.
      num_episodes: N >= 1, side by side.
      limit: T, steps within which every episode ends.
    """
    start_key, key = jax.random.split(key)
    _, seen, _ = collect(key, env, act, start(start_key, env, num_episodes, window=1), limit)
    return Played(*first_episodes(seen), seen.obs)


def in_first(seen: Transition) -> Array:
    """`[T, E]` boolean: which of the moves `[T, E]` are of the episode that each copy began with."""
    ended = seen.terminated | seen.truncated
    return jnp.cumsum(ended, 0) - ended == 0


def first_episodes(seen: Transition) -> tuple[Array, Array]:
    """Undiscounted returns and lengths `[E]` of the episodes that copies began with, as far as moves `[T, E]` go."""
    is_first = in_first(seen)
    return (seen.reward * is_first).sum(0), is_first.sum(0)


def with_episode(finished: Episodes, episode: Episodes) -> Episodes:
    """The last K episodes `[E, K]` of each copy, after one more of each `[E]`."""
    rows = jax.tree.map(lambda new, old: jnp.concatenate([new[:, None], old], 1), episode, finished)
    return jax.tree.map(lambda row: row[:, :-1], rows)


def _latest(episodes: Episodes, n: int) -> Episodes:
    """The n latest of episodes `[N]`."""
    _, index = lax.top_k(episodes.time, n)
    return tree.take(episodes, index)
