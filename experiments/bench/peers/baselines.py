"""Stable-Baselines3 with the numbers of adl's experiments.

Its DQN has Huber's loss, and renews the copy that targets are made by after so many moves, as many as ours makes
between two copies. Raffin et al. 2021, JMLR 22(268), "Stable-Baselines3".
"""

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from experiments.bench.peers.agents import WINDOW
from experiments.rl import continuous, ppo, value

Make = Callable[[Any], BaseAlgorithm]  # of a configuration


def _common(world: str, cfg: Any) -> dict[str, Any]:
    """What all of them have: a perceptron on the processor, in so many copies of a world."""
    envs = make_vec_env(world, cfg.num_envs, cfg.seed)
    net = {"net_arch": [*cfg.hidden]}
    return {"policy": "MlpPolicy", "env": envs, "policy_kwargs": net, "seed": cfg.seed, "device": "cpu"}


def as_ppo(cfg: ppo.Config) -> PPO:
    """Of `rl.ppo` on CartPole."""
    return PPO(
        **_common("CartPole-v1", cfg),
        learning_rate=lambda left: left * cfg.learning_rate,
        n_steps=cfg.batch_size // cfg.num_envs,
        batch_size=cfg.batch_size // cfg.num_minibatches,
        n_epochs=cfg.num_epochs,
        gamma=cfg.discount,
        gae_lambda=cfg.lam,
        clip_range=cfg.clip,
        ent_coef=cfg.entropy_weight,
        vf_coef=cfg.value_weight / 2,  # of squares, which are not halved
        max_grad_norm=cfg.max_grad_norm,
    )


def as_dqn(cfg: value.Config) -> DQN:
    """Of `rl.value` on CartPole."""
    return DQN(
        **_common("CartPole-v1", cfg),
        learning_rate=lambda left: left * cfg.learning_rate,
        buffer_size=cfg.capacity,
        learning_starts=cfg.warmup,
        batch_size=cfg.batch_size,
        gamma=cfg.discount,
        train_freq=cfg.horizon,
        gradient_steps=cfg.num_updates,
        target_update_interval=cfg.period * cfg.num_envs * cfg.horizon // cfg.num_updates,
        exploration_fraction=cfg.explore,
        exploration_final_eps=cfg.epsilon,
        max_grad_norm=10.0,
    )


def as_sac(cfg: continuous.Config) -> SAC:
    """Of `rl.continuous` on the pendulum."""
    return SAC(
        **_common("Pendulum-v1", cfg),
        learning_rate=cfg.learning_rate,
        buffer_size=cfg.capacity,
        learning_starts=cfg.warmup * cfg.num_envs,
        batch_size=cfg.batch_size,
        tau=1 - cfg.decay,
        gamma=cfg.discount,
        train_freq=1,
        gradient_steps=1,
    )


def theirs(make: Make, config: Any, num_steps: int, num_moves: int) -> Callable[[], float]:
    """Milliseconds a step of `num_moves` environment steps, each round where the last one left off."""
    torch.set_num_threads(1)  # for networks as small, two are no faster, and on a busy machine far slower
    model = make(config)
    model.lr_schedule = lambda left: config.learning_rate  # it stays

    def run() -> float:
        started = time.perf_counter()
        model.learn(num_steps * num_moves, reset_num_timesteps=False)
        return 1e3 * (time.perf_counter() - started) / num_steps

    return run


def theirs_until(make: Make, config: Any, goal: float, num_moves: int) -> Callable[[], float]:
    """Milliseconds from the start until the last 100 episodes return `goal`; each round is a run with a new seed."""
    torch.set_num_threads(1)
    seeds = itertools.count()

    def run() -> float:
        started, until = time.perf_counter(), Until(goal, num_moves // config.num_envs)
        make(replace(config, seed=next(seeds))).learn(config.num_steps * num_moves, until)
        return 1e3 * (time.perf_counter() - started) if until.is_reached else math.inf

    return run


class Until(BaseCallback):
    """Ends a training once its last 100 episodes return `goal`; looked at every few moves of each environment."""

    def __init__(self, goal: float, every: int):
        super().__init__()
        self.goal, self.every, self.is_reached = goal, every, False

    def _on_step(self) -> bool:
        if self.n_calls % self.every == 0:
            last = [episode["r"] for episode in self.model.ep_info_buffer]
            self.is_reached = len(last) == WINDOW and np.mean(last) >= self.goal
        return not self.is_reached
