"""Emulated games are Gymnasium's frame for frame, begin anew with segments, and are judged as they are played."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, data_mesh, jitted, probe
from adl.rl.dqn import dqn_outside
from adl.rl.environment.atari import Console, Emulators, atari, num_actions, scores
from adl.rl.environment.cartpole import cartpole
from adl.rl.networks import NATURE, PictureActorCritic, QNetwork
from adl.rl.on_policy import actor, beginning
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo, ppo_outside
from adl.rl.replay import alike, of_stacks, with_moves
from adl.rl.rollout import Happened, Transition, collect
from tests.rl.cases import of_others

KEY = jax.random.key(0)
QUICK = Console("breakout", size=21, noops=8, limit=160)


@pytest.fixture
def ale():
    return pytest.importorskip("ale_py", reason="extra atari")


def at_will(num: int):
    """Any action, each as likely; it needs no view."""
    return lambda view: lambda key, obs: (jax.random.randint(key, (len(obs),), 0, num), ())


def world(segment: int = 2, seed: int = 0, console: Console = QUICK):
    return atari(console, at_will(4), lambda state: state, num_envs=3, horizon=5, segment=segment, seed=seed)


def after(games, *steps: int) -> list[Happened]:
    return [games.after(step, ()) for step in steps]


def same(got, want) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True))


def test_unknown_games_are_refused(ale):
    with pytest.raises(BadInput, match="Atari has no brakeout among its 1.. games, .*; did you mean breakout?"):
        num_actions("brakeout")
    with pytest.raises(BadInput, match="did you mean space_invaders?"):
        atari(Console("SpaceInvaders"), at_will(2), lambda s: s, num_envs=1, horizon=1, segment=1)


def test_without_the_emulator_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(BadInput, match=r"ale-py: pip install 'adl\[atari\]'"):
        num_actions("pong")


@pytest.mark.parametrize(("game", "title", "num_steps"), [("pong", "Pong", 120), ("breakout", "Breakout", 300)])
def test_frames_and_scores_are_gymnasiums(ale, game, title, num_steps):
    """Over ends and beginnings; both press FIRE first, and newest frames are compared."""
    gymnasium = pytest.importorskip("gymnasium", reason="extra atari")
    gymnasium.register_envs(ale)
    theirs = gymnasium.make(f"ALE/{title}-v5", frameskip=1, repeat_action_probability=0.0)
    theirs = gymnasium.wrappers.AtariPreprocessing(theirs, noop_max=0, frame_skip=4, screen_size=84)
    ours, rng = Emulators(Console(game, noops=0), 1, np.random.default_rng(0)), np.random.default_rng(1)
    assert num_actions(game) == theirs.action_space.n

    def begin():
        theirs.reset(seed=0)
        theirs.unwrapped.ale.act(1)
        return 0.0

    total, ends, lit = begin(), 0, 0
    for _ in range(num_steps):
        action = int(rng.integers(theirs.action_space.n))
        got, (frame, score, terminated, _, _) = ours.step(np.array([action])), theirs.step(action)
        total += score
        np.testing.assert_array_equal(got.moves.next_obs[0, ..., -1], frame)
        assert (got.moves.terminated[0], got.over[0], got.total[0]) == (terminated, terminated, total)
        assert got.moves.reward[0] == np.sign(score)
        ends, lit = ends + terminated, lit + abs(score)
        total = begin() if terminated else total
    assert lit > 0 and ends == (0 if game == "pong" else 1)


def test_a_game_is_followed_by_the_next_within_a_move(ale):
    """A move's next observation is its own, and a life that is lost ends nothing but what the learner is told."""
    plain, told = (Emulators(QUICK._replace(lives=lives), 4, np.random.default_rng(0)) for lives in (False, True))
    rng, lost, over = np.random.default_rng(1), 0, 0
    for _ in range(150):
        action = rng.integers(4, size=4)
        one, other = plain.step(action), told.step(action)
        moves, following = other.moves, told.obs
        assert same((one.total, one.length, one.over), (other.total, other.length, other.over))
        assert same((one.moves.obs, one.moves.next_obs), (moves.obs, moves.next_obs))
        np.testing.assert_array_equal(moves.next_obs[..., :-1], moves.obs[..., 1:])
        np.testing.assert_array_equal(moves.next_obs[~other.over], following[~other.over])
        assert not following[other.over][..., :-1].any() and (told.total[other.over] == 0).all()
        assert not (moves.terminated & moves.truncated).any()
        lost, over = lost + (moves.terminated & ~other.over).sum(), over + other.over.sum()
    assert lost > 3 and over > 3


def test_a_segment_is_the_same_whatever_came_before(ale):
    straight = after(world(), 0, 1, 2, 3)
    assert same(straight[2:], after(world(), 2, 3)) and not same(straight[:2], straight[2:])
    assert same(straight, after(world(), 0, 1, 2, 3)) and not same(straight[:1], after(world(seed=1), 0))
    example = world()[0]
    for got, like in zip(jax.tree.leaves(straight[0]), jax.tree.leaves(example), strict=True):
        assert (got.shape, got.dtype) == (like.shape, like.dtype)


def test_sticky_actions_are_luck(ale):
    plain, sticky = after(world(), 0), after(world(console=QUICK._replace(sticky=0.25)), 0)
    assert same(sticky, after(world(console=QUICK._replace(sticky=0.25)), 0)) and not same(sticky, plain)


def test_games_are_judged_as_they_are_played(ale):
    """By an actor without luck, and the same on two devices."""
    console, turn = QUICK._replace(noops=0), lambda state: lambda key, obs: (obs.sum((1, 2, 3)) % 4, ())
    games, total, length = Emulators(console, 2, np.random.default_rng(0)), np.full(2, np.nan), np.zeros(2)
    while np.isnan(total).any():
        seen = games.step(games.obs.astype(int).sum((1, 2, 3)) % 4)
        first = seen.over & np.isnan(total)
        total, length = np.where(first, seen.total, total), np.where(first, seen.length, length)
    looks = scores(console, turn, num_episodes=2)
    for mesh in (None, data_mesh(jax.devices()[:2])):
        told = probe.jitted(looks, mesh)(KEY, jnp.zeros(()))
        np.testing.assert_array_equal(told["returns"], total)
        np.testing.assert_array_equal(told["lengths"], length)
        assert told["return"].value == total.mean() and told["frames"].shape == (7, 21, 21)
        assert told["moves"][0] == 0 and told["moves"][-1] == length[0] - 1 and np.asarray(told["frames"]).any()


def test_ppo_learns_from_what_happened_as_from_its_own_moves():
    model, tx, env = ActorCritic(2, (8,)), optax.adam(0.01), cartpole()
    alone = ppo(model, tx, env=env, num_envs=4, horizon=8)
    agent = beginning(KEY, model, tx, env, 4)
    play_key, update_key = jax.random.split(KEY)
    _, seen, _ = collect(play_key, env, actor(model, agent.learner.variables), agent.copies, 8)
    moves = jax.tree.map(lambda x: x.swapaxes(0, 1), seen._replace(said=()))
    there = jnp.zeros((4, 8))
    batch = Happened(moves, there, there.astype(int), there > 0)
    want, _ = jitted(alone).step(KEY, agent, ())
    got, _ = jitted(ppo_outside(model, tx)).step(update_key, beginning(KEY, model, tx, env, 4).learner, batch)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want.learner), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_dqn_waits_until_it_remembers_enough():
    sizes = {"num_updates": 2, "batch_size": 8, "capacity": 1024, "warmup": 1024, "target": 0.5}
    alg = jitted(dqn_outside(QNetwork(2, (8,)), optax.adam(0.01), **sizes))
    first = jax.device_get(alg.init(KEY, of_others(0)))
    state, metrics = alg.step(KEY, jax.device_put(first), of_others(0))
    assert state.num_moves == 512 and metrics["loss"].count == 0
    assert same(state.learner, first.learner) and metrics["return"].count > 0
    state, metrics = alg.step(KEY, state, of_others(1))
    assert metrics["loss"].count == 16 and not same(state.learner.params, first.learner.params)


def test_stacks_are_remembered_by_their_frames():
    frames = np.random.default_rng(0).integers(256, size=(6, 2, 3, 3, 5)).astype(np.uint8)  # [T, E, H, W, K + 1]
    number = np.arange(12.0, dtype="f").reshape(6, 2)
    moves = Transition(frames[..., :4], number.astype("i"), number, frames[..., 1:], number > 5, number > 7, ())
    memory = of_stacks(alike)
    state = with_moves(memory, memory.create(jax.tree.map(lambda x: x[0], moves), 12), moves)
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(state.items.obs)) == frames.nbytes and state.items.next_obs == ()
    window = memory.draw(KEY, state, 64, None).window
    assert len(np.unique(window.action)) > 8
    flat = jax.tree.map(lambda x: x.reshape(12, *x.shape[2:]), moves)
    assert same(jax.tree.map(lambda x: x[:, 0], window), jax.tree.map(lambda x: x[window.action[:, 0]], flat))


def test_natures_network_has_its_size():
    """Mnih et al. 2015: 84 x 84 x 4 to 3,136 features to 512 to 4 actions: 1,686,180 numbers."""
    obs = jnp.zeros((1, 84, 84, 4), jnp.uint8)
    for network in (QNetwork(4, (512,), (32, 64, 64), windows=NATURE), PictureActorCritic(4, (512,), (32, 64, 64))):
        shapes = jax.eval_shape(network.init, KEY, obs)
        count = sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
        assert (count == 1_686_180) == bool(network.windows)
    bright = QNetwork(4, (8,), (4,), windows=NATURE[:1])
    variables = bright.init(KEY, obs)
    white = jnp.full_like(obs, 255)
    np.testing.assert_allclose(bright.apply(variables, white), bright.apply(variables, jnp.ones(obs.shape)), rtol=1e-5)
