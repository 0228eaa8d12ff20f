"""Agents in CartPole."""

import optax

from adl.core import Algorithm
from adl.rl.environment.cartpole import cartpole
from adl.rl.policy import ActorCritic
from adl.rl.ppo import ppo
from tests.case import Case, nothing


def balance(axis: str | None) -> Algorithm:
    return ppo(ActorCritic(2, (16,)), optax.adam(0.01), env=cartpole(), num_envs=16, horizon=32, axis=axis)


CASES = {"ppo": Case(balance, nothing, "return", is_deterministic=False, rises=True)}
