"""What actions are worth: DQN and what followed it on classical control, with the world inside the compiled step.

DQN: Mnih et al. 2015, Nature 518; double, dueling, prioritised, n-step, C51 and noisy networks, and all of them as
Rainbow: Hessel et al. 2018, arXiv:1710.02298; PQN, without memory: Gallici et al. 2024, arXiv:2407.04811. The worlds
are Gymnasium's, number for number.

    python -m experiments.rl.value --world cartpole --method dqn --num_seeds 5
    >>> action = run.load("runs/rl/value").act([[0.0, 0.0, 0.1, 0.0]])
    python -m experiments.rl.value --num_seeds 5 --sweep method=dqn,double,dueling,prioritised,n_step,c51,rainbow,pqn

Expected: EXPECTED
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from adl import run, show
from adl.core import Algorithm, optimizer, teacher
from adl.rl import dqn, evaluation, pqn, replay
from adl.rl.environment import control
from adl.rl.environment.world import Environment
from adl.rl.networks import NoisyDense, QNetwork
from adl.rl.rollout import last_episodes
from adl.rl.worth import Worth, by_atoms, expected

Method = Literal["dqn", "double", "dueling", "prioritised", "n_step", "c51", "noisy", "rainbow", "pqn"]
RAINBOW = ("double", "dueling", "prioritised", "n_step", "c51", "noisy")


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of DQN on CartPole."""

    method: Method = "dqn"  # what learns: DQN, DQN with one thing more, all of these at once, or PQN
    world: str = "cartpole"  # cartpole, acrobot or mountain_car
    num_steps: run.Count = 4000  # of num_envs * horizon moves: 256,000 in all
    batch_size: run.Split = 128  # remembered moves an update, over all devices
    num_envs: run.Split = 8  # copies of the world side by side, over all devices
    horizon: run.Count = 8  # moves of each copy a step
    num_updates: run.Count = 8  # a step; of pqn in two passes over its moves
    log_every: run.Count = 50
    eval_every: run.Count = 200
    checkpoint_every: run.Count = 1000
    learning_rate: run.Positive = 1e-3  # of Adam at the start, before a straight line to 0
    capacity: run.Split = 65536  # moves that are remembered
    warmup: run.Count = 1024  # moves at random before the first step
    period: run.Count = 200  # updates after which the copy that targets are made of is renewed
    explore: run.Share = 0.2  # of the run, in which the share of random moves falls from 1 to epsilon
    epsilon: run.Fraction = 0.04  # share of random moves afterwards
    discount: run.Rate = 0.99  # of a reward one move later
    num_back: run.Count = 3  # moves of an n-step return
    num_atoms: run.Several = 51  # places of C51's distribution of returns
    lam: run.Fraction = 0.65  # of pqn's returns: 0 trusts the values, 1 the rewards
    hidden: run.Widths = (120, 84)  # widths of the hidden layers


PROTOCOL = (
    "mean undiscounted return of 100 new episodes by the best action, without noise, after training, mean of 5 seeds"
)
CLAIMS = (
    run.Claim(
        metric="best/return",
        at_least=495,
        overrides={"num_seeds": 5},
        protocol=f"CartPole-v1, DQN, 256,000 moves; {PROTOCOL}",
        reference="500 is the most there is; Gymnasium calls 475 solved",
    ),
)
SMOKE = {
    "num_steps": 4,
    "batch_size": 16,
    "num_envs": 4,
    "num_updates": 2,
    "capacity": 64,
    "warmup": 32,
    "hidden": (8,),
}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its worlds, how its last episodes went, and how it does without exploring."""
    world = control.named(cfg.world)
    env, parts = world.make(), RAINBOW if cfg.method == "rainbow" else (cfg.method,)
    worth, model = expected, network(cfg, env, parts)
    if "c51" in parts:
        reach = 1 / (1 - cfg.discount)  # of returns of rewards in [-1, 1]
        worth = by_atoms(-reach, reach, cfg.num_atoms)
    whole = {"num_episodes": 100, "limit": world.limit}

    def values(key, agent, obs):
        return worth.value(model.apply(agent.learner.variables, obs))

    return run.Experiment(
        agent(cfg, model, worth, env, parts, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "best": evaluation.episodes(env, evaluation.best(model, worth), **whole),
            "uniform": evaluation.episodes(env, evaluation.uniform(env.actions.count), **whole),
        },
        offers={"model": model, "act": run.Offer(values, run.Cells(tuple(world.observed)), run.Choice(world.moves))},
        figures=show.figures(**{"return": show.play_returns(cfg.world, cfg.num_envs * cfg.horizon)}),
    )


def network(cfg: Config, env: Environment, parts: tuple[str, ...]) -> QNetwork:
    """What each action is worth, in the form that the method wants."""
    return QNetwork(
        env.actions.count,
        cfg.hidden,
        num_atoms=cfg.num_atoms if "c51" in parts else None,
        streams="dueling" if "dueling" in parts else "one",
        dense=NoisyDense if "noisy" in parts else nn.Dense,
        norm=nn.LayerNorm if "pqn" in parts else None,
        dtype=jnp.dtype(cfg.precision),
    )


def agent(
    cfg: Config, model: QNetwork, worth: Worth, env: Environment, parts: tuple[str, ...], axis: str | None
) -> Algorithm:
    """The method, by Adam on a straight line to 0."""
    tx = optimizer.adam(cfg.learning_rate, optimizer.linear(cfg.num_steps * cfg.num_updates), clip=10.0)
    play = {"env": env, "num_envs": cfg.num_envs, "horizon": cfg.horizon, "discount": cfg.discount, "axis": axis}
    least = 0.0 if "noisy" in parts else cfg.epsilon  # what is noisy explores by itself
    play["epsilon"] = dqn.falling(least, cfg.explore * cfg.num_steps * cfg.num_envs * cfg.horizon)
    if "pqn" in parts:
        return pqn.pqn(model, tx, **play, num_epochs=2, num_minibatches=cfg.num_updates // 2, lam=cfg.lam)
    kind = replay.prioritised_memory if "prioritised" in parts else replay.uniform_memory
    return dqn.dqn(
        model,
        tx,
        **play,
        num_updates=cfg.num_updates,
        batch_size=cfg.batch_size,
        capacity=cfg.capacity,
        warmup=cfg.warmup,
        target=teacher.every(cfg.period),
        choose=dqn.double if "double" in parts else dqn.maximum,
        worth=worth,
        memory=kind(cfg.num_back if "n_step" in parts else 1),
    )


if __name__ == "__main__":
    run.main(__name__)
