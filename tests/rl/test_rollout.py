"""What is kept of episodes, on copies of a scripted environment whose episodes are known beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.rl.environment.world import Choices, Environment, Step
from adl.rl.rollout import collect, last_episodes, play, start

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def scripted() -> Environment:
    """Terminates, or at odd times is truncated, with probability 1/4 a step; a reward is what the key says."""

    def reset(key):
        obs = jax.random.uniform(key, (2,))
        return obs, obs

    def step(key, state, action):
        ends, reward = jax.random.uniform(key, (2,))
        obs = state + 1 + action
        odd = jnp.floor(obs[0]) % 2 == 1
        return Step(obs, obs, reward, (ends < 0.25) & ~odd, (ends < 0.25) & odd)

    return Environment(reset, step, Choices(1))


ENV = scripted()


def act(key, obs):
    return jnp.zeros(len(obs)), obs.sum(-1)


def played(num_envs: int, chunks: list[int], window: int):
    """Copies after several calls of `collect`, all their moves, and the metrics of each call."""
    copies, seen, metrics = start(KEY, ENV, num_envs, window=window), [], []
    run = jax.jit(collect, static_argnums=(1, 2, 4))
    for n, key in zip(chunks, jax.random.split(KEY, len(chunks)), strict=True):
        copies, moves, means = run(key, ENV, act, copies, n)
        seen.append(moves)
        metrics.append(means)
    return copies, jax.tree.map(lambda *x: np.concatenate(x), *seen), metrics


def episodes(moves) -> list[tuple[int, int, float, int]]:
    """(end, copy, return, length) of every finished episode, the earliest first."""
    ended, found = moves.terminated | moves.truncated, []
    for copy in range(ended.shape[1]):
        begin = 0
        for t in np.flatnonzero(ended[:, copy]):
            found.append((int(t) + 1, copy, float(moves.reward[begin : t + 1, copy].sum()), int(t) + 1 - begin))
            begin = t + 1
    return sorted(found)


CHUNKS = [1, 1, 5, 13, 20, 2]


def test_what_is_acted_on_follows_within_an_episode_and_starts_anew_after():
    _, moves, _ = played(4, CHUNKS, 10)
    ended = (moves.terminated | moves.truncated)[:-1]
    follows = (moves.obs[1:] == moves.next_obs[:-1]).all(-1)
    np.testing.assert_array_equal(follows, ~ended)
    assert (moves.obs[1:][ended] < 1).all() and (moves.next_obs >= 1).all()
    assert moves.terminated.any() and moves.truncated.any()
    np.testing.assert_array_equal(moves.said, moves.obs.sum(-1))


@pytest.mark.parametrize("window", [3, 20, 1000])
def test_last_episodes_are_the_last(window):
    copies, moves, _ = played(4, CHUNKS, window)
    found = episodes(moves)
    assert len(found) > 25
    # Of episodes that end together, those of the first copies are the later.
    want = sorted(found, key=lambda episode: (episode[0], -episode[1]))[-window:]
    last = last_episodes(copies)
    assert float(last["return"].count) == len(want)
    np.testing.assert_allclose(last["return"].value, np.mean([episode[2] for episode in want]), rtol=1e-5)
    np.testing.assert_allclose(last["length"].value, np.mean([episode[3] for episode in want]), rtol=1e-5)
    lengths = [episode[3] for episode in want[::-1]]
    np.testing.assert_array_equal(last["lengths"], lengths + [0] * (window - len(lengths)))


def test_metrics_count_every_episode_once():
    _, moves, metrics = played(4, CHUNKS, 10)
    found = episodes(moves)
    merged = jax.tree.map(lambda *x: sum(x), *metrics)
    assert float(metrics[0]["return"].count) < 4, "a call in which hardly an episode ends"
    assert float(merged["return"].count) == len(found)
    np.testing.assert_allclose(merged["return"].total, sum(episode[2] for episode in found), rtol=1e-5)
    np.testing.assert_allclose(merged["length"].total, sum(episode[3] for episode in found))


def test_play_is_first_episodes_whole():
    result = play(KEY, ENV, act, 50, 100)
    start_key, key = jax.random.split(KEY)
    _, moves, _ = collect(key, ENV, act, start(start_key, ENV, 50), 100)
    first = {}
    for _, copy, total, length in episodes(jax.tree.map(np.asarray, moves)):
        first.setdefault(copy, (total, length))
    assert len(first) == 50
    np.testing.assert_allclose(result.total, [first[copy][0] for copy in range(50)], rtol=1e-5)
    np.testing.assert_array_equal(result.length, [first[copy][1] for copy in range(50)])
