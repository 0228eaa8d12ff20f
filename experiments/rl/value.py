"""What actions are worth: DQN and what followed it on classical control, with the world inside the compiled step.

DQN: Mnih et al. 2015, Nature 518; double, dueling, prioritised, n-step, C51 and noisy networks, and all of them as
Rainbow: Hessel et al. 2018, arXiv:1710.02298; PQN, without memory: Gallici et al. 2024, arXiv:2407.04811. The worlds
are Gymnasium's, number for number.

    python -m experiments.rl.value --world cartpole --method dqn --num_seeds 5
    >>> action = run.load("runs/rl/value").act([[0.0, 0.0, 0.1, 0.0]])
    python -m experiments.rl.value --num_seeds 5 --sweep method=dqn,double,n_step,rainbow,pqn

Expected: of DQN, over five seeds, 462 ± 38 on CartPole, where four return 500 and one's values stay too high, -81.5 ±
1.2 on Acrobot, -103.7 ± 2.4 on MountainCar, by the flags of the claims; 40 to 100 s a seed on two busy cores. On
CartPole 256 x 256 units at 1e-3, 51,200 remembered moves and half as many moves have 471 ± 19 over ten seeds, and twice
as many moves 403 ± 68: DQN unlearns.
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from adl import run, show
from adl.core import Algorithm, optimizer, teacher
from adl.rl import evaluation
from adl.rl.dqn import dqn, falling
from adl.rl.environment import control
from adl.rl.environment.world import Environment, num_choices
from adl.rl.networks import QNetwork
from adl.rl.pqn import pqn
from adl.rl.rainbow import Variant, variant
from adl.rl.rollout import last_episodes

Method = Literal["dqn", "double", "dueling", "prioritised", "n_step", "c51", "noisy", "rainbow", "pqn"]


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of DQN on CartPole."""

    method: Method = "dqn"  # what learns: DQN, DQN with one thing more, all of these at once, or PQN
    world: str = "cartpole"  # cartpole, acrobot or mountain_car
    num_steps: run.Count = 8000  # of num_envs * horizon moves: 320,000 in all
    batch_size: run.Split = 128  # remembered moves an update, over all devices
    num_envs: run.Split = 8  # copies of the world side by side, over all devices
    horizon: run.Count = 5  # moves of each copy a step
    num_updates: run.Count = 4  # a step
    steps_per_call: run.Count = 10
    log_every: run.Count = 100
    eval_every: run.Count = 400
    checkpoint_every: run.Count = 4000
    learning_rate: run.Positive = 3e-4  # of Adam at the start, before a straight line to 0
    capacity: run.Split = 10240  # moves that are remembered
    warmup: run.Count = 1024  # moves at random before the first step
    period: run.Count = 50  # updates after which the copy that targets are made of is renewed
    explore: run.Share = 0.5  # of the run, in which the share of random moves falls from 1 to epsilon
    epsilon: run.Fraction = 0.05  # share of random moves afterwards; what is noisy has none
    discount: run.Rate = 0.99  # of a reward one move later
    num_back: run.Count = 3  # moves of a return, of n_step and rainbow
    hidden: run.Widths = (120, 84)  # widths of the hidden layers


PROTOCOL = "mean undiscounted return of 100 new episodes by the best action, mean of 5 seeds"
CAR = {"horizon": 2, "num_updates": 8, "learning_rate": 4e-3, "period": 300, "explore": 0.2, "epsilon": 0.07}
CLAIMS = (
    run.Claim(
        metric="best/return",
        at_least=385,
        overrides={"num_seeds": 5},
        protocol=f"CartPole-v1, DQN, 320,000 moves, 38 s a seed; {PROTOCOL}",
        reference="500 is the most there is: four of the seeds reach it",
    ),
    run.Claim(
        metric="best/return",
        at_least=-85,
        overrides={"world": "acrobot", "learning_rate": 1e-3, "num_seeds": 5},
        protocol=f"Acrobot-v1, DQN, 320,000 moves, 45 s a seed; {PROTOCOL}",
        reference="Gymnasium calls -100 solved",
    ),
    run.Claim(
        metric="best/return",
        at_least=-110,
        overrides={"world": "mountain_car", "num_seeds": 5, "discount": 0.98, "hidden": (128, 128), **CAR},
        protocol=f"MountainCar-v0, DQN, 128,000 moves, 102 s a seed; {PROTOCOL}",
        reference="Gymnasium calls -110 solved",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "num_envs": 4, "num_updates": 2, "capacity": 64, "warmup": 32}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its worlds, how its last episodes went, and how it does without exploring."""
    world, plain = control.named(cfg.world), "dqn" if cfg.method == "pqn" else cfg.method
    num_back = cfg.num_back if cfg.method in ("n_step", "rainbow") else 1
    parts = variant(plain, reach=1 / (1 - cfg.discount), num_back=num_back)  # rewards are in [-1, 1]
    network = {"norm": nn.LayerNorm} if cfg.method == "pqn" else parts.network
    worth, env = parts.worth, world.make()
    model = QNetwork(num_choices(env, cfg.method), cfg.hidden, **network, dtype=jnp.dtype(cfg.precision))
    whole = {"num_episodes": 100, "limit": world.limit}

    def values(key, agent, obs):
        return worth.value(model.apply(agent.learner.variables, obs))

    return run.Experiment(
        agent(cfg, model, parts, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "best": evaluation.episodes(env, evaluation.best(model, worth), **whole),
            "uniform": evaluation.episodes(env, evaluation.uniform(env), **whole),
        },
        offers={"model": model, "act": run.Offer(values, run.Cells(tuple(world.observed)), run.Choice(world.moves))},
        figures=show.figures(**{"return": show.play_returns(cfg.world, cfg.num_envs * cfg.horizon)}),
    )


def agent(cfg: Config, model: QNetwork, parts: Variant, env: Environment, axis: str | None) -> Algorithm:
    """The method, by Adam on a straight line to 0."""
    tx = optimizer.adam(cfg.learning_rate, optimizer.linear(cfg.num_steps * cfg.num_updates), clip=10.0)
    num_moves = cfg.num_steps * cfg.num_envs * cfg.horizon
    epsilon = 0.0 if parts.is_noisy else falling(cfg.epsilon, cfg.explore * num_moves)
    play = {"env": env, "num_envs": cfg.num_envs, "horizon": cfg.horizon, "discount": cfg.discount, "epsilon": epsilon}
    if cfg.method == "pqn":
        return pqn(model, tx, **play, num_epochs=cfg.num_updates, num_minibatches=1, axis=axis)
    replay = {"batch_size": cfg.batch_size, "capacity": cfg.capacity, "warmup": cfg.warmup}
    more = {**replay, **parts.learning, "num_updates": cfg.num_updates, "target": teacher.every(cfg.period)}
    return dqn(model, tx, **play, **more, axis=axis)


if __name__ == "__main__":
    run.main(__name__)
