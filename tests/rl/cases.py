"""Agents in CartPole, in a world of one move, whose worlds are tables, and one that plays against itself."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from adl.core import Algorithm
from adl.core.teacher import every
from adl.rl.a2c import a2c
from adl.rl.alphazero import alphazero
from adl.rl.bandit import bandit, thompson
from adl.rl.board import BoardNetwork
from adl.rl.dqn import double, dqn, dqn_outside
from adl.rl.dynamic_programming import policy_iteration, value_iteration
from adl.rl.environment.cartpole import cartpole
from adl.rl.environment.grid import MAPS, grid_outcomes, grid_world, walk_map
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.mcts import Searched
from adl.rl.mdp import mdp_of
from adl.rl.networks import QNetwork
from adl.rl.off_policy import networks
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo, ppo_outside
from adl.rl.pqn import pqn
from adl.rl.reinforce import reinforce
from adl.rl.replay import prioritised_memory
from adl.rl.rollout import Happened, Transition
from adl.rl.sac import sac
from adl.rl.tabular import monte_carlo, sarsa, td_control, td_lambda
from adl.rl.td3 import td3
from tests.case import Case, nothing
from tests.rl.toys import aim

LAKE = mdp_of(grid_outcomes(MAPS["lake"]))
WALK, RIGHT = grid_world(walk_map(3)), jnp.tile(jnp.array([0.1, 0.9]), (5, 1))


def balance(axis: str | None) -> Algorithm:
    return ppo(ActorCritic(2, (16,)), optax.adam(0.01), env=cartpole(), num_envs=16, horizon=32, axis=axis)


def at_once(axis: str | None) -> Algorithm:
    return a2c(ActorCritic(2, (16,)), optax.adam(0.03), env=cartpole(), num_envs=16, horizon=32, axis=axis)


def by_episodes(axis: str | None) -> Algorithm:
    model = ActorCritic(2, (16,))
    return reinforce(model, optax.adam(0.03), env=cartpole(), num_envs=16, horizon=64, discount=0.98, axis=axis)


REPLAYED = {"num_envs": 16, "capacity": 1024, "batch_size": 64, "warmup": 4}


def softly(axis: str | None) -> Algorithm:
    return sac(networks(aim(), 2, (16,)), optax.adam(0.01), env=aim(), **REPLAYED, axis=axis)


def with_delay(axis: str | None) -> Algorithm:
    return td3(networks(aim(), 1, (16,)), optax.adam(0.01), env=aim(), **REPLAYED, axis=axis)


def remembering(axis: str | None) -> Algorithm:
    """DQN with what touches its memory: priorities of windows of moves."""
    replay = {"num_updates": 8, "batch_size": 32, "capacity": 2048, "warmup": 512, "memory": prioritised_memory(2)}
    play = {"env": cartpole(), "num_envs": 16, "horizon": 8, "epsilon": 0.1, "discount": 0.9, "target": 0.7}
    return dqn(QNetwork(2, (32,)), optax.adam(1e-2), **play, **replay, choose=double, axis=axis)


def without_memory(axis: str | None) -> Algorithm:
    model = QNetwork(2, (32,), norm=nn.LayerNorm)
    play = {"env": cartpole(), "num_envs": 16, "horizon": 32, "epsilon": 0.1}
    return pqn(model, optax.adam(3e-3), **play, num_epochs=4, num_minibatches=4, lam=0.9, axis=axis)


def walk(axis: str | None) -> Algorithm:
    return td_control(WALK, num_states=5, backup=sarsa, step_size=0.2, epsilon=0.5, num_envs=16, axis=axis)


def pull(axis: str | None) -> Algorithm:
    return bandit((0.9, 0.1, 0.2), rule=thompson(), num_copies=16)


def luck(make):
    """Options of a case with luck in it."""
    return {"make": make, "batch": nothing, "falls": "loss", "is_deterministic": False}


def self_taught(axis: str | None) -> Algorithm:
    game = tictactoe()
    sizes = {"num_games": 16, "horizon": 4, "capacity": 256, "num_updates": 2, "num_examples": 32}

    def search(key, judge, state):
        """Any legal move, by no search at all: the laws are those of what learns from one."""
        weights = game.legal(state) / game.legal(state).sum()
        return Searched(jax.random.categorical(key, jnp.log(weights)), weights, judge(key, state)[1], weights)

    return alphazero(BoardNetwork(9, 16, 1, "dense"), optax.adam(0.01), game=game, search=search, axis=axis, **sizes)


def of_others(step: int) -> Happened:
    """Moves in a world of vectors whose reward is for the action that the first number asks for."""
    rng = np.random.default_rng(step % 4)
    obs, next_obs = rng.normal(size=(2, 16, 32, 4)).astype("f")
    action, (terminated, over) = rng.integers(2, size=(16, 32)).astype("i"), rng.random((2, 16, 32)) < 0.2
    reward = (action == (obs[..., 0] > 0)).astype("f")
    moves = Transition(obs, action, reward, next_obs, terminated, np.zeros_like(over), ())
    return Happened(moves, reward, np.ones_like(action), over)


def by_watching(axis: str | None) -> Algorithm:
    return ppo_outside(ActorCritic(2, (16,)), optax.adam(0.01), discount=0.5, axis=axis)


def recalling(axis: str | None) -> Algorithm:
    sizes = {"num_updates": 4, "batch_size": 32, "capacity": 2048, "warmup": 1024, "target": every(8)}
    return dqn_outside(QNetwork(2, (32,)), optax.adam(1e-2), discount=0.5, **sizes, axis=axis)


CASES = {
    "ppo": Case(balance, nothing, "return", is_deterministic=False, rises=True),
    "a2c": Case(at_once, nothing, "return", is_deterministic=False, rises=True),
    "reinforce": Case(by_episodes, nothing, "return", is_deterministic=False, rises=True),
    "sac": Case(softly, nothing, "loss", is_deterministic=False),
    "td3": Case(with_delay, nothing, "loss", is_deterministic=False),
    "dqn": Case(remembering, nothing, "return", is_deterministic=False, rises=True),
    "ppo_outside": Case(by_watching, of_others, "value_loss", is_deterministic=False),
    "dqn_outside": Case(recalling, of_others, "loss", is_deterministic=False),
    "pqn": Case(without_memory, nothing, "return", is_deterministic=False, rises=True),
    "td_control": Case(**luck(walk), steps=80),
    "td_lambda": Case(
        **luck(lambda axis: td_lambda(WALK, policy=RIGHT, step_size=0.2, lam=0.5, num_envs=16, axis=axis)), steps=80
    ),
    "monte_carlo": Case(**luck(lambda axis: monte_carlo(WALK, policy=RIGHT, num_envs=16, axis=axis)), steps=80),
    "bandit": Case(**luck(pull), reduces=False),
    "value_iteration": Case(lambda axis: value_iteration(LAKE, discount=0.9), nothing, "change", reduces=False),
    "policy_iteration": Case(lambda axis: policy_iteration(LAKE, discount=0.9), nothing, "change", reduces=False),
    "alphazero": Case(self_taught, nothing, "loss", is_deterministic=False),
}
