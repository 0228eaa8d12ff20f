"""MinAtar moves as pgx moves it, in an episode that ends and begins anew; networks see its pictures."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.minatar import GAMES, minatar
from adl.rl.environment.world import auto_reset

KEY = jax.random.key(0)


def test_unknown_games_are_refused():
    with pytest.raises(BadInput, match="MinAtar has no brakeout: it has .*; did you mean breakout?"):
        minatar("brakeout")


def test_without_pgx_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pgx", None)
    with pytest.raises(BadInput, match=r"pip install 'adl\[games\]'"):
        minatar("breakout")


def test_moves_as_pgx_does_until_the_end_and_begins_anew():
    pgx = pytest.importorskip("pgx", reason="extra games")
    env, theirs = minatar("breakout", sticky=0.0), pgx.make("minatar-breakout")
    theirs.sticky_action_prob = 0.0
    assert env.actions.count == theirs.num_actions == 3
    keys = jax.random.split(KEY, 200)
    actions = jax.random.randint(KEY, (200,), 0, 3)

    def ours(state, inputs):
        key, action = inputs
        after, (state, obs) = auto_reset(env)(key, state, action)
        return state, (after.obs, after.reward, after.terminated, after.truncated, obs)

    def pgx_alone(state, inputs):
        key, action = inputs
        after = theirs.step(state, action, jax.random.fold_in(key, 0))
        fresh = theirs.init(jax.random.fold_in(key, 1))
        following = jax.tree.map(lambda a, b: jnp.where(after.terminated, a, b), fresh, after)
        return following, (after.observation, after.rewards[0], after.terminated, following.observation)

    seen = jax.jit(lambda: jax.lax.scan(ours, env.reset(KEY)[0], (keys, actions))[1])()
    want = jax.jit(lambda: jax.lax.scan(pgx_alone, theirs.init(KEY), (keys, actions))[1])()
    for got, wanted in zip((*seen[:3], seen[4]), want, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert seen[2].sum() > 2 and not seen[3].any() and seen[1].sum() > 0
    assert seen[0].dtype == bool and seen[0].shape == (200, 10, 10, len(GAMES["breakout"]))


def test_long_episodes_are_cut():
    pytest.importorskip("pgx", reason="extra games")
    env = minatar("breakout", limit=1)
    state, _ = env.reset(KEY)
    after = env.step(KEY, state, jnp.int32(0))
    assert after.truncated and not after.terminated


@pytest.mark.parametrize("game", GAMES)
def test_channels_are_named(game):
    pgx = pytest.importorskip("pgx", reason="extra games")
    assert pgx.make(f"minatar-{game}").observation_shape == (10, 10, len(GAMES[game]))
