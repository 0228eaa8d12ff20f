"""Robots that hop and walk: learned with MuJoCo's simulation inside the compiled step, judged in Gymnasium's own world.

Hopper-v5 and Walker2d-v5 by MJX (`pip install 'adl[locomotion]'`), whose solver is cut short while they learn; what
they learned is judged where nothing is, in C MuJoCo. PPO: Schulman et al. 2017, arXiv:1707.06347, with observations in
units of what was seen (Huang et al. 2022, continuous control 4 and 5). SAC: Haarnoja et al. 2018, arXiv:1812.05905.

    python -m experiments.rl.walk --num_seeds 5
    >>> motors = run.load("runs/rl/walk").act(rows)
    python -m experiments.rl.walk --robot hopper --num_seeds 5

Expected, of PPO, over five seeds, in Gymnasium's world: the walker at 2,370 ± 510 and 2.6 m/s, the hopper at 1,840 ±
430 and 2.4 m/s, on its leg for 4.3 s; four of five episodes end in a fall. Each takes three quarters of an hour beside
other work on two cores. What learned with Euler's integrator, at half the price, earns half in that world (780 ± 280
after 1,228,800 moves, 1,720 where it learned): who walks on it falls on Runge and Kutta's.
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer
from adl.rl import evaluation
from adl.rl.environment import mjx
from adl.rl.environment.world import Environment
from adl.rl.normalised import InSeenUnits
from adl.rl.off_policy import ActorAndCritics, networks
from adl.rl.policy import actor_critic, gaussian, in_unit_box
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes
from adl.rl.sac import middle, sac


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of PPO on the walker."""

    robot: Literal["hopper", "walker2d"] = "walker2d"  # that learns
    method: Literal["ppo", "sac"] = "ppo"  # by which it does
    integrator: Literal["rk4", "euler"] = "rk4"  # in training; Gymnasium's is rk4, euler is faster and misleads
    num_steps: run.Count = 200  # of num_envs * horizon moves: 819,200 in all
    num_envs: run.Split = 64  # robots side by side, over all devices
    horizon: run.Count = 64  # moves of each a step, 8 ms each
    log_every: run.Count = 10
    eval_every: run.Count = 10
    checkpoint_every: run.Count = 50
    learning_rate: run.Positive = 3e-4  # of Adam; of ppo at the start, before a straight line to 0
    discount: run.Fraction = 0.99  # of a reward one move later
    limit: run.Count = 1000  # moves of an episode, at most
    hidden: run.Widths = (64, 64)  # widths of the hidden layers of each network
    lam: run.Fraction = 0.95  # of ppo's advantages: 0 trusts the values, 1 the returns
    value_unit: run.Positive = 100.0  # of ppo's values: about as large as discounted returns
    num_epochs: run.Count = 10  # of ppo: passes over the moves of a step
    num_minibatches: run.Count = 8  # of ppo: of each pass, one update each
    num_updates: run.Count = 64  # of sac, a step
    batch_size: run.Split = 128  # of sac: remembered moves an update, over all devices
    capacity: run.Split = 262144  # of sac: moves that are remembered


PROTOCOL = ", PPO, 819,200 moves in MJX; 20 new episodes in Gymnasium's own world, likeliest actions; mean of 5 seeds"
MORE = {"reference": "a random player, in the same run: uniform/...", "long": True, "needs": ("extra locomotion",)}
CLAIMS = tuple(
    run.Claim(f"best/{metric}", f"{what}{PROTOCOL}", {**robot, "num_seeds": 5}, at_least=bound, **MORE)
    for what, metric, bound, robot in (
        ("Walker2d-v5", "return", 1300, {}),
        ("Walker2d-v5, m/s forward", "speed", 2.0, {}),
        ("Hopper-v5, m/s forward", "speed", 2.3, {"robot": "hopper"}),
        ("Hopper-v5, s upright, of at most 8", "seconds", 2.3, {"robot": "hopper"}),
    )
)
SMALL = {"num_steps": 2, "num_envs": 4, "horizon": 4, "limit": 20, "hidden": (8,), "num_minibatches": 2}
SMOKE = {"robot": "hopper", "integrator": "euler", **SMALL}


def load(cfg: Config) -> tuple[Environment, Environment]:
    """The world that is learned in, and the one that judges."""
    learned = mjx.robot(cfg.robot, integrator=cfg.integrator, limit=cfg.limit)
    return learned, mjx.in_gymnasium(cfg.robot, limit=cfg.limit)


def build(cfg: Config, loaded: tuple[Environment, Environment], axis: str | None) -> run.Experiment:
    """An agent among its robots, how its last episodes went, and how it moves where it did not learn."""
    env, judge = map(in_unit_box, loaded)
    dtype = jnp.dtype(cfg.precision)
    if cfg.method == "ppo":
        model = InSeenUnits(actor_critic(env, cfg.hidden, dtype=dtype, value_unit=cfg.value_unit)[0], axis)
        policy = evaluation.greedy(model, gaussian)
    else:
        model = networks(env, 2, cfg.hidden, dtype)
        policy = evaluation.without_chance(model.actor, middle)
    drawn = {"seconds": mjx.STEP_SECONDS, "moving": mjx.outline(cfg.robot), "way": mjx.way}
    whole, title = {"num_episodes": 20, "limit": cfg.limit}, mjx.ROBOTS[cfg.robot].title

    def act(key, agent, obs):
        return jnp.clip(policy(agent)(key, obs)[0], -1, 1)

    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "best": mjx.gait(judge, policy, **whole),
            "uniform": mjx.gait(judge, evaluation.uniform(judge), **whole),
        },
        offers={"model": model, "act": run.Offer(act, *map(run.Cells, mjx.joint_names(cfg.robot)))},
        figures=show.figures(
            **{"return": show.play_returns(title, cfg.num_envs * cfg.horizon)},
            instants=show.gait_instants({"random": "uniform", "after training": "best"}, **drawn),
            gait=show.gait_film(title, "best", **drawn),
        ),
    )


def agent(cfg: Config, model: InSeenUnits | ActorAndCritics, env: Environment, axis: str | None) -> Algorithm:
    """PPO or SAC by Adam."""
    play = {"env": env, "num_envs": cfg.num_envs, "horizon": cfg.horizon, "discount": cfg.discount, "axis": axis}
    if cfg.method == "sac":
        replay = {"capacity": cfg.capacity, "batch_size": cfg.batch_size, "num_updates": cfg.num_updates}
        return sac(model, optimizer.adam(cfg.learning_rate), **play, **replay, warmup=cfg.horizon)
    often = {"num_epochs": cfg.num_epochs, "num_minibatches": cfg.num_minibatches}
    line = optimizer.linear(cfg.num_steps * cfg.num_epochs * cfg.num_minibatches)
    tx = optimizer.adam(cfg.learning_rate, line, clip=0.5, eps=1e-5)
    weights = {"value_weight": 0.5 / cfg.value_unit**2, "entropy_weight": 0.0}
    return ppo(model, tx, **play, **often, lam=cfg.lam, actions=gaussian, **weights)


if __name__ == "__main__":
    run.main(__name__)
