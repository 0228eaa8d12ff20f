"""Atari in miniature: PPO and DQN on the five games of MinAtar, from pictures of 10 x 10 places.

Young & Tian 2019, arXiv:1903.03176; the games are pgx's (`pip install 'adl[games]'`), within the compiled step. PPO:
Schulman et al. 2017, arXiv:1707.06347; DQN: Mnih et al. 2015, Nature 518. In training actions stick with probability
0.1, as MinAtar has it; agents are judged without that.

    python -m experiments.rl.minatar --game breakout --method ppo --num_seeds 5
    >>> action = run.load("runs/rl/minatar").act(np.zeros((1, 10, 10, 4), np.uint8))

Expected: EXPECTED
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer, teacher
from adl.rl import dqn, evaluation, ppo
from adl.rl.environment import minatar
from adl.rl.environment.world import Environment
from adl.rl.networks import PictureActorCritic, QNetwork
from adl.rl.rollout import last_episodes
from adl.rl.worth import clipped


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of PPO on Breakout, of a tenth of the moves that the claims are about."""

    game: Literal["asterix", "breakout", "freeway", "seaquest", "space_invaders"] = "breakout"
    method: Literal["ppo", "dqn"] = "ppo"
    num_steps: run.Count = 36  # of num_envs * horizon moves: 294,912 in all
    num_envs: run.Split = 64  # copies of the game side by side, over all devices
    horizon: run.Count = 128  # moves of each copy a step; 4 of dqn
    log_every: run.Count = 6
    eval_every: run.Count = 6
    checkpoint_every: run.Count = 36
    learning_rate: run.Positive = 1e-3  # of Adam at the start, before a straight line to 0
    sticky: run.Fraction = 0.1  # probability that the last action is repeated, in training
    discount: run.Fraction = 0.99  # of a reward one move later
    channels: run.Widths = (16,)  # of the convolutions, 3 x 3
    hidden: run.Widths = (128,)  # widths of the layers after them
    num_epochs: run.Count = 4  # of ppo: passes over the moves of a step
    num_minibatches: run.Count = 8  # of ppo: of each pass, one update each
    lam: run.Fraction = 0.95  # of ppo's advantages: 0 trusts the values, 1 the returns
    entropy_weight: run.NonNegative = 0.01  # of ppo: of the policy's entropy in the loss
    num_updates: run.Count = 8  # of dqn, a step
    batch_size: run.Split = 64  # of dqn: remembered moves an update, over all devices
    capacity: run.Split = 131072  # of dqn: moves that are remembered
    period: run.Count = 500  # of dqn: updates after which the copy that targets are made of is renewed
    epsilon: run.Fraction = 0.05  # of dqn: share of random moves after the first tenth of the run


PROTOCOL = "mean return of 100 new episodes of at most 2,500 moves without sticky actions; mean of 5 seeds"
LONG = {"num_seeds": 5, "num_steps": 366, "log_every": 61, "eval_every": 61, "checkpoint_every": 366}
CLAIMS = (
    run.Claim(
        metric="best/return",
        at_least=12,
        overrides=LONG,
        protocol=f"Breakout, PPO, 2,998,272 moves; {PROTOCOL}",
        reference="gymnax-blines' PPO 28, at 10,000,000 moves",
        needs=("extra games",),
        long=True,
    ),
)
SMOKE = {
    "num_steps": 2,
    "num_envs": 4,
    "horizon": 4,
    "num_minibatches": 2,
    "num_epochs": 1,
    "channels": (4,),
    "hidden": (8,),
}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its games, how its last episodes went, and how it does without sticky actions."""
    env, plain = minatar.minatar(cfg.game, sticky=cfg.sticky), minatar.minatar(cfg.game, sticky=0.0)
    moves, size = cfg.num_envs * cfg.horizon, {"channels": cfg.channels, "hidden": cfg.hidden}
    size["dtype"] = jnp.dtype(cfg.precision)
    if cfg.method == "ppo":
        model = PictureActorCritic(env.actions.count, **size)
        policy, odds = evaluation.greedy(model), lambda out: out[0]
    else:
        model = QNetwork(env.actions.count, **size)
        policy, odds = evaluation.best(model, clipped), lambda out: out
    whole = {"num_episodes": 100, "limit": minatar.LIMIT}
    things = minatar.GAMES[cfg.game]

    def act(key, agent, obs):
        return odds(model.apply(agent.learner.variables, obs))

    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "best": evaluation.episodes(plain, policy, **whole),
            "uniform": evaluation.episodes(plain, evaluation.uniform(env.actions.count), **whole),
        },
        offers={"model": model, "act": run.Offer(act, run.Images((10, 10, len(things))), run.Choice())},
        figures=show.figures(
            **{"return": show.play_returns(cfg.game, moves)},
            episode=show.grid_episodes({"random actions": "uniform", "after training": "best"}, things),
        ),
    )


def agent(cfg: Config, model: PictureActorCritic | QNetwork, env: Environment, axis: str | None) -> Algorithm:
    """PPO or DQN by Adam on a straight line to 0."""
    play = {"env": env, "num_envs": cfg.num_envs, "horizon": cfg.horizon, "discount": cfg.discount, "axis": axis}
    updates = cfg.num_epochs * cfg.num_minibatches if cfg.method == "ppo" else cfg.num_updates
    tx = optimizer.adam(cfg.learning_rate, optimizer.linear(cfg.num_steps * updates), clip=0.5, eps=1e-5)
    if cfg.method == "ppo":
        passes = {"num_epochs": cfg.num_epochs, "num_minibatches": cfg.num_minibatches, "lam": cfg.lam}
        return ppo.ppo(model, tx, **play, **passes, entropy_weight=cfg.entropy_weight)
    return dqn.dqn(
        model,
        tx,
        **play,
        epsilon=dqn.falling(cfg.epsilon, 0.1 * cfg.num_steps * cfg.num_envs * cfg.horizon),
        num_updates=cfg.num_updates,
        batch_size=cfg.batch_size,
        capacity=cfg.capacity,
        warmup=cfg.capacity // 16,
        target=teacher.every(cfg.period),
        worth=clipped,
        choose=dqn.double,
    )


if __name__ == "__main__":
    run.main(__name__)
