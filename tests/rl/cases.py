"""Agents in CartPole."""

import optax
from flax import linen as nn

from adl.core import Algorithm
from adl.rl.dqn import double, dqn
from adl.rl.environment.cartpole import cartpole
from adl.rl.networks import NoisyDense, QNetwork
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo
from adl.rl.pqn import pqn
from adl.rl.replay import prioritised_memory
from adl.rl.worth import by_atoms
from tests.case import Case, nothing


def balance(axis: str | None) -> Algorithm:
    return ppo(ActorCritic(2, (16,)), optax.adam(0.01), env=cartpole(), num_envs=16, horizon=32, axis=axis)


def rainbow(axis: str | None) -> Algorithm:
    """All that followed DQN at once."""
    worth, memory = by_atoms(0.0, 20.0, 11), prioritised_memory(3)
    model = QNetwork(2, (32, 32), num_atoms=11, streams="dueling", dense=NoisyDense)
    replay = {"num_updates": 8, "batch_size": 32, "capacity": 4096, "warmup": 512, "memory": memory}
    play = {"env": cartpole(), "num_envs": 16, "horizon": 8, "epsilon": 0.1, "discount": 0.95}
    return dqn(model, optax.adam(3e-3), **play, **replay, choose=double, worth=worth, axis=axis)


def without_memory(axis: str | None) -> Algorithm:
    model = QNetwork(2, (32, 32), norm=nn.LayerNorm)
    play = {"env": cartpole(), "num_envs": 16, "horizon": 32, "epsilon": 0.1}
    return pqn(model, optax.adam(3e-3), **play, num_minibatches=4, axis=axis)


CASES = {
    "ppo": Case(balance, nothing, "return", is_deterministic=False, rises=True),
    "dqn": Case(rainbow, nothing, "return", is_deterministic=False, rises=True),
    "pqn": Case(without_memory, nothing, "return", is_deterministic=False, rises=True),
}
