"""Atari in miniature: PPO and DQN on the five games of MinAtar, from pictures of 10 x 10 places.

Young & Tian 2019, arXiv:1903.03176; the games are pgx's (`pip install 'adl[games]'`), within the compiled step. PPO:
Schulman et al. 2017, arXiv:1707.06347; DQN: Mnih et al. 2015, Nature 518. In training actions stick with probability
0.1, as MinAtar has it; agents are judged without that.

    python -m experiments.rl.minatar --game breakout --method ppo --num_seeds 5
    >>> action = run.load("runs/rl/minatar").act(pictures)

Expected, of 100 episodes without sticky actions, over five seeds: PPO has 49 ± 21 in Breakout after 3,014,656 moves and
13.5 ± 1.8 after 327,680, 40.8 ± 2.2 in Freeway after 3,014,656, and after 983,040 103 ± 23 in Space Invaders, 2.2 ± 0.2
in Seaquest and 1.9 ± 0.2 in Asterix; DQN after 327,680 moves 10.1 ± 1.3, 30.2 ± 1.8, and in Space Invaders 52 ± 14, in
Asterix 0.7 ± 0.1, in Seaquest 0.6 ± 0.1. Random players have 0.4, 0.4, 4.1, 0.5 and 0.1. A move takes 17 us of a core
by PPO and 64 by DQN.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer, teacher
from adl.rl import evaluation
from adl.rl.dqn import double, dqn, falling
from adl.rl.environment import minatar
from adl.rl.environment.world import Environment
from adl.rl.networks import PictureActorCritic, QNetwork
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes
from adl.rl.worth import clipped


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of PPO on Breakout, of a third of the moves of papers' runs."""

    game: Literal["asterix", "breakout", "freeway", "seaquest", "space_invaders"] = "breakout"  # that is played
    method: Literal["ppo", "dqn"] = "ppo"  # that learns
    num_steps: run.Count = 368  # of num_envs * horizon moves: 3,014,656 in all
    num_envs: run.Split = 64  # copies of the game side by side, over all devices
    horizon: run.Count = 128  # moves of each copy a step
    log_every: run.Count = 8
    eval_every: run.Count = 8
    checkpoint_every: run.Count = 40
    learning_rate: run.Positive = 5e-3  # of Adam at the start, before a straight line to 0
    sticky: run.Fraction = 0.1  # probability that the last action is repeated, in training
    discount: run.Fraction = 0.99  # of a reward one move later
    limit: run.Count = 2500  # moves of an episode that is judged, at most
    channels: run.Widths = ()  # of convolutions; none: the layers see the whole picture
    hidden: run.Widths = (64, 64)  # widths of the layers
    num_epochs: run.Count = 4  # of ppo: passes over the moves of a step
    num_minibatches: run.Count = 8  # of ppo: of each pass, one update each
    num_updates: run.Count = 512  # of dqn, a step
    batch_size: run.Split = 128  # of dqn: remembered moves an update, over all devices
    capacity: run.Split = 131072  # of dqn: moves that are remembered
    period: run.Count = 200  # of dqn: updates after which the copy that targets are made of is renewed
    epsilon: run.Fraction = 0.05  # of dqn: share of random moves after the first fifth of the run


JUDGED = (
    "moves with sticky actions; mean return of 100 new episodes of at most 2,500 moves without them, by the best "
    "action; mean of 5 seeds"
)
METHODS = {"ppo": {}, "dqn": {"method": "dqn", "learning_rate": 1e-3}}
MEASURED = (  # game, method, steps of 8,192 moves, bound, what a random player has in the same run
    ("breakout", "ppo", 368, 12, 0.4),
    ("breakout", "ppo", 40, 9.9, 0.4),
    ("freeway", "ppo", 368, 36.5, 0.4),
    ("asterix", "ppo", 120, 1.5, 0.5),
    ("seaquest", "ppo", 120, 1.9, 0.1),
    ("space_invaders", "ppo", 120, 57, 4.1),
    ("breakout", "dqn", 40, 7.6, 0.4),
    ("asterix", "dqn", 40, 0.59, 0.5),
    ("freeway", "dqn", 40, 26.5, 0.4),
    ("space_invaders", "dqn", 40, 23.8, 4.1),
    ("seaquest", "dqn", 40, 0.52, 0.1),
)
CLAIMS = tuple(
    run.Claim(
        "best/return",
        f"{game.replace('_', ' ').title()}, {method.upper()}, {8192 * num_steps:,} {JUDGED}",
        {"game": game, **METHODS[method], "num_steps": num_steps, "num_seeds": 5},
        at_least=bound,
        reference=f"a random player, in the same run: {chance:g}",
        needs=("extra games",),
        long=(game, method, num_steps) != ("breakout", "ppo", 40),
    )
    for game, method, num_steps, bound, chance in MEASURED
)
SMALL = {"num_steps": 2, "num_envs": 4, "horizon": 4, "limit": 20}
SMOKE = {**SMALL, "num_epochs": 1, "num_minibatches": 2, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its games, how its last episodes went, and how it does without sticky actions."""
    env, plain = (minatar.minatar(cfg.game, sticky=sticky, limit=cfg.limit) for sticky in (cfg.sticky, 0.0))
    things = minatar.GAMES[cfg.game]
    network = PictureActorCritic if cfg.method == "ppo" else partial(QNetwork, rank=3)
    model = network(env.actions.count, cfg.hidden, cfg.channels, dtype=jnp.dtype(cfg.precision))
    policy = evaluation.greedy(model) if cfg.method == "ppo" else evaluation.best(model, clipped)
    whole, is_ppo = {"num_episodes": 100, "limit": cfg.limit}, cfg.method == "ppo"

    def act(key, agent, pictures):
        numbers = model.apply(agent.learner.variables, pictures > 0)
        return numbers[0] if is_ppo else numbers

    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "best": evaluation.episodes(plain, policy, **whole),
            "uniform": evaluation.episodes(plain, evaluation.uniform(env), **whole),
        },
        offers={"model": model, "act": run.Offer(act, run.Images((10, 10, len(things))), run.Choice())},
        figures=show.figures(
            **{"return": show.play_returns(cfg.game.replace("_", " "), cfg.num_envs * cfg.horizon)},
            episode=show.grid_episodes({"random": "uniform", "after training": "best"}, things),
        ),
    )


def agent(cfg: Config, model: PictureActorCritic | QNetwork, env: Environment, axis: str | None) -> Algorithm:
    """PPO or DQN by Adam on a straight line to 0."""
    updates = cfg.num_epochs * cfg.num_minibatches if cfg.method == "ppo" else cfg.num_updates
    tx = optimizer.adam(cfg.learning_rate, optimizer.linear(cfg.num_steps * updates), clip=0.5, eps=1e-5)
    play = {"env": env, "num_envs": cfg.num_envs, "horizon": cfg.horizon, "discount": cfg.discount}
    if cfg.method == "ppo":
        return ppo(model, tx, **play, num_epochs=cfg.num_epochs, num_minibatches=cfg.num_minibatches, axis=axis)
    play["epsilon"] = falling(cfg.epsilon, 0.2 * cfg.num_steps * cfg.num_envs * cfg.horizon)
    replay = {"batch_size": cfg.batch_size, "capacity": cfg.capacity, "warmup": cfg.capacity // 16}
    more = {**replay, "num_updates": cfg.num_updates, "target": teacher.every(cfg.period)}
    return dqn(model, tx, **play, **more, choose=double, worth=clipped, axis=axis)


if __name__ == "__main__":
    run.main(__name__)
