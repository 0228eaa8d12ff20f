"""Atari through the real emulator: PPO and DQN from frames, in a world outside the program.

Bellemare et al. 2013, JAIR 47; PPO: Schulman et al. 2017, arXiv:1707.06347; DQN: Mnih et al. 2015, Nature 518. Games
are ale-py's (`pip install 'adl[atari]'`), any of them; a seed is a process. An action is held for 4 frames, of the last
two of which the brighter pixels are seen; rewards are signs; a game begins with up to 30 idle actions and with FIRE.

    python -m experiments.rl.atari --game pong --method ppo
    >>> action = run.load("runs/rl/atari").act(pictures)

Expected: -5.2 in Pong after 2.8M moves, one seed, where a random player has -20.2; 40 minutes on two cores that others
used too. A third of the moves pass before scores rise; between 1.8M and the end games in training score -13 to 7.

DQN in CleanRL's protocol wants a GPU, and was not measured here; CleanRL reports 20.25 +- 0.41 in Pong:
--method dqn --size 84 --channels 32 64 64 --hidden 512 --num_envs 8 --horizon 16 --num_steps 78125 --segment 15625
--num_updates 32 --warmup 80000 --capacity 1000000 --learning_rate 1e-4 --lives, and --sticky 0.25 beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer, teacher
from adl.rl.dqn import at_random, dqn_outside, exploring, falling
from adl.rl.environment.atari import Console, atari, num_actions, scores
from adl.rl.networks import NATURE, PictureActorCritic, QNetwork
from adl.rl.on_policy import actor
from adl.rl.ppo import ppo_outside
from adl.rl.replay import alike, of_stacks
from adl.rl.worth import clipped


@dataclass(frozen=True)
class Config(run.Config):
    """The default is PPO on Pong, from frames of half the usual size."""

    game: str = "pong"  # as ale-py spells it: breakout, space_invaders ...
    method: Literal["ppo", "dqn"] = "ppo"  # that learns
    num_steps: run.Count = 1350  # of num_envs * horizon moves
    segment: run.Count = 150  # steps after which all games begin anew, and a checkpoint is written
    num_envs: run.Split = 16  # games side by side, over all devices
    horizon: run.Count = 128  # moves of each game a step
    log_every: run.Count = 10
    learning_rate: run.Positive = 1e-3  # of Adam; of ppo at the start, before a straight line to 0
    size: run.Count = 42  # pixels, height and width of a frame
    sticky: run.Fraction = 0.0  # probability at each frame that the last action is held on to
    lives: bool = False  # whether to lose one of several is the end to the learner
    limit: run.Count = 108_000  # frames of a game
    num_episodes: run.Count = 30  # that are judged
    discount: run.Fraction = 0.99  # of a reward one move later
    channels: run.Widths = (16, 32)  # of the convolutions, whose windows are the first of Nature's
    hidden: run.Widths = (128,)  # widths of the layers after them
    num_epochs: run.Count = 4  # of ppo: passes over the moves of a step
    num_minibatches: run.Count = 8  # of ppo: of each pass, one update each
    num_updates: run.Count = 256  # of dqn, a step
    batch_size: run.Split = 32  # of dqn: remembered moves an update, over all devices
    capacity: run.Split = 65_536  # of dqn: moves that are remembered, a multiple of num_envs
    warmup: run.Count = 20_000  # of dqn: moves before the first update
    period: run.Count = 250  # of dqn: updates after which the copy that targets are made of is renewed
    epsilon: run.Fraction = 0.01  # of dqn: share of random moves after the first tenth of the run


CLAIMS = (
    run.Claim(
        metric="trained/return",
        at_least=-15.7,
        protocol="Pong, PPO, 2,764,800 moves of 4 frames, seen as 42 x 42 greys; no sticky actions, up to 30 idle "
        "ones at the beginning; mean score of 30 whole games by actions drawn from the policy; 1 seed",
        reference="5 above a random player's -20.7; in the same run that is -20.2. After 1.8M moves it was -15.9",
        long=True,
        needs=("extra atari",),
    ),
)
SMOKE = {"num_steps": 2, "segment": 1, "num_envs": 2, "horizon": 8, "limit": 200, "num_episodes": 2, "channels": (4,)}
SMOKE |= {"hidden": (8,), "num_epochs": 1, "num_minibatches": 2}
ENDED = {"of": {"games in training": "train/return"}, "trained": ("trained", "trained/return"), "y_label": "score"}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A learner, the games that its actor plays, and how it and a random player do in whole games."""
    console = Console(cfg.game, cfg.size, cfg.sticky, limit=cfg.limit, lives=cfg.lives)
    count, is_ppo = num_actions(cfg.game), cfg.method == "ppo"
    network = PictureActorCritic if is_ppo else QNetwork
    sees = {"channels": cfg.channels, "windows": NATURE[: len(cfg.channels)]}
    model = network(count, cfg.hidden, **sees, dtype=jnp.dtype(cfg.precision))
    algorithm, view, act = (by_ppo if is_ppo else by_dqn)(cfg, model, axis)
    sizes = {"num_envs": cfg.num_envs, "horizon": cfg.horizon, "segment": cfg.segment, "seed": cfg.seed}
    look = partial(scores, console, num_episodes=cfg.num_episodes)

    def offered(key, state, pictures):
        return model.apply(state.variables, pictures)[0] if is_ppo else model.apply(state.learner.variables, pictures)

    return run.Experiment(
        algorithm,
        atari(console, act, view, **sizes),
        final={"trained": look(lambda state: act(view(state))), "uniform": look(lambda state: at_random(count))},
        offers={"model": model, "act": run.Offer(offered, run.Images((cfg.size, cfg.size, 4)), run.Choice())},
        figures=show.figures(
            score=show.play_returns(cfg.game, cfg.num_envs * cfg.horizon, **ENDED),
            game=show.played_frames({"random": "uniform", "after training": "trained"}),
        ),
    )


def by_ppo(cfg: Config, model: PictureActorCritic, axis: str | None) -> tuple[Algorithm, Callable, Callable]:
    """PPO by Adam on a straight line to 0; what its actor sees of it, and how that acts."""
    updates = cfg.num_steps * cfg.num_epochs * cfg.num_minibatches
    tx = optimizer.adam(cfg.learning_rate, optimizer.linear(updates), clip=0.5, eps=1e-5)
    passes = {"num_epochs": cfg.num_epochs, "num_minibatches": cfg.num_minibatches}
    algorithm = ppo_outside(model, tx, discount=cfg.discount, **passes, axis=axis)
    return algorithm, lambda learner: learner.variables, partial(actor, model)


def by_dqn(cfg: Config, model: QNetwork, axis: str | None) -> tuple[Algorithm, Callable, Callable]:
    """The same of DQN, whose actor sees the network and how much to explore."""
    share = falling(cfg.epsilon, 0.1 * cfg.num_steps * cfg.num_envs * cfg.horizon)
    memory = {"capacity": cfg.capacity, "warmup": cfg.warmup, "memory": of_stacks(alike)}
    learns = {"num_updates": cfg.num_updates, "batch_size": cfg.batch_size, "target": teacher.every(cfg.period)}
    tx, told = optimizer.adam(cfg.learning_rate), {"discount": cfg.discount, "worth": clipped}
    return dqn_outside(model, tx, **told, **learns, **memory, axis=axis), *exploring(model, clipped, share)


if __name__ == "__main__":
    run.main(__name__)
