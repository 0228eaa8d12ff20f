"""Agents in CartPole, and one that plays tic-tac-toe against itself."""

import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm
from adl.rl.alphazero import alphazero
from adl.rl.board import BoardNetwork
from adl.rl.environment.cartpole import cartpole
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.mcts import Searched
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo
from tests.case import Case, nothing


def balance(axis: str | None) -> Algorithm:
    return ppo(ActorCritic(2, (16,)), optax.adam(0.01), env=cartpole(), num_envs=16, horizon=32, axis=axis)


def self_taught(axis: str | None) -> Algorithm:
    game = tictactoe()
    sizes = {"num_games": 16, "horizon": 4, "capacity": 256, "num_updates": 2, "num_examples": 32}

    def search(key, judge, state):
        """Any legal move, by no search at all: the laws are those of what learns from one."""
        weights = game.legal(state) / game.legal(state).sum()
        return Searched(jax.random.categorical(key, jnp.log(weights)), weights, judge(key, state)[1], weights)

    return alphazero(BoardNetwork(9, 16, 1, "dense"), optax.adam(0.01), game=game, search=search, axis=axis, **sizes)


CASES = {
    "ppo": Case(balance, nothing, "return", is_deterministic=False, rises=True),
    "alphazero": Case(self_taught, nothing, "loss", is_deterministic=False),
}
