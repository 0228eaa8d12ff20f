"""Chess as a decision process whose reward is material: PPO among its legal moves, beside players who only count.

Shannon 1950, Philosophical Magazine 41; PPO: Schulman et al. 2017, arXiv:1707.06347; UCT with priors: Rosin 2011. The
game is pgx's (`pip install 'adl[games]'`). The agent sees men, and which squares are attacked and guarded, and learns
from games with a greedy player; the others take the dearest man, look two moves ahead, or search.

    python -m experiments.rl.chess
    >>> logits = run.load("runs/rl/chess").act(pictures)
    python -m experiments play runs/rl/chess

Expected: after 40,960 moves PPO wins 27.5 pawns of 39 in a game with a greedy player and 36.6 with a random one, and
is level (-0.4 ± 2.1) with one who looks two moves ahead. From the greedy player that one wins 24.6, UCT by 16
simulations 8.3, and a random player loses 27.3. 2.6 minutes on two cores.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from adl import run, show
from adl.core import Algorithm, optimizer
from adl.rl.board import PairNetwork
from adl.rl.environment.counted import counted_game
from adl.rl.environment.game import Game, Player, against_opponent
from adl.rl.environment.world import Environment
from adl.rl.environment.wrappers import WithLegal, time_limit, with_legal
from adl.rl.lookahead import counting_players
from adl.rl.match import struggles
from adl.rl.on_policy import Agent
from adl.rl.policy import many_choices
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes

TITLES = {"learned": "PPO", "random": "random", "greedy": "greedy", "careful": "two moves", "search": "UCT"}
PAIRS = tuple((who, other) for other in ("greedy", "random") for who in TITLES if who != other)
PAIRS = (*PAIRS, ("learned", "careful"))
Rival = Literal["random", "greedy", "careful", "search"]


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default learns against a greedy opponent."""

    game: Literal["chess", "tictactoe"] = "chess"  # tictactoe: the same at no cost, by who wins
    opponent: Literal["greedy", "random"] = "greedy"  # that is learned from
    num_steps: run.Count = 20  # of num_games * horizon moves of the agent: 40,960 in all
    num_games: run.Split = 64  # side by side, over all devices
    horizon: run.Count = 32  # moves of each game a step
    limit: run.Count = 40  # moves of each side, after which a game is left
    learning_rate: run.Positive = 3e-3  # of Adam at the start, before a straight line to 0
    discount: run.Fraction = 0.8  # of what is won one move later
    lam: run.Fraction = 0.8  # of the advantages: 0 trusts the values, 1 the returns
    entropy_weight: run.NonNegative = 0.01  # of the policy's entropy in the loss
    num_epochs: run.Count = 2  # passes over the moves of a step
    num_minibatches: run.Count = 4  # of each pass
    width: run.Count = 32  # units of a layer
    rivals: tuple[Rival, ...] = ("random", "greedy", "careful", "search")  # who learns nothing, and plays in the end
    num_simulations: run.Count = 16  # of a move of UCT
    num_openings: run.Several = 20  # of four moves at random, each played with both colours
    log_every: run.Count = 5
    eval_every: run.Count = 5
    checkpoint_every: run.Count = 20


PROTOCOL = "mean gain of material, in pawns, of 40 games of 40 moves a side, from 20 openings, both colours"
CLAIMS = tuple(
    run.Claim(
        f"games/{who}_{other}",
        f"{TITLES[who]} against a {other} player: {PROTOCOL}; one seed",
        at_least=bound,
        reference="as good: 0; all that there is: 39",
        needs=("extra games",),
    )
    for who, other, bound in (("learned", "greedy", 24), ("learned", "random", 34), ("careful", "greedy", 21))
)
SMOKE = {"game": "tictactoe", "num_steps": 2, "num_games": 4, "horizon": 4, "limit": 4, "num_epochs": 1, "width": 4}
SMOKE |= {"num_minibatches": 2, "num_openings": 2, "eval_every": 2, "opponent": "random", "rivals": ("random",)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent against its opponent, and how it and players who count do in new games."""
    known = counted_game(cfg.game)
    game, simple = known.game, counting_players(known, cfg.num_simulations)
    pairs = [pair for pair in PAIRS if {*pair} <= {"learned", *cfg.rivals}]
    shape = jax.eval_shape(lambda: game.obs(game.init())).shape
    model = PairNetwork(known.pairs, cfg.width, dtype=jnp.dtype(cfg.precision))
    env = with_legal(time_limit(against_opponent(game, simple[cfg.opponent], known.worth), cfg.limit))

    def odds(key, state, pictures):
        legal = jnp.ones((len(pictures), game.num_actions), bool)
        return model.apply(state.learner.variables, WithLegal((pictures > 0).astype(jnp.float32), legal))[0]

    def players(state) -> dict[str, Player]:
        return {"learned": likeliest(model, game, state), **{name: simple[name] for name in cfg.rivals}}

    sizes = {"num_openings": cfg.num_openings, "num_moves": 2 * cfg.limit, "worth": known.worth, "view": known.view}
    return run.Experiment(
        agent(cfg, model, env, axis),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={"games": struggles(game, players, pairs, **sizes)},
        offers={
            "model": model,
            "act": run.Offer(odds, run.Images(shape), run.Choice()),
            "opponent": run.Opponent(game, lambda key, state, board: likeliest(model, game, state)(key, board)),
        },
        figures=show.figures(
            gains=show.struggle_gains(pairs, TITLES, unit=known.called),
            moments=show.chess_moments(" (white) against ".join(TITLES[name] for name in pairs[0]), unit=known.called),
            returns=show.curves(
                {"last 100 games": "last/return"},
                y_label=f"won in a game ({known.called})",
                title=f"Against a {cfg.opponent} player, moves drawn",
                x_label="moves of the agent (thousands)",
                x_unit=cfg.num_games * cfg.horizon / 1000,
            ),
        ),
    )


def likeliest(model: PairNetwork, game: Game, state: Agent) -> Player:
    """Who makes the move that the policy likes most."""
    variables = state.learner.variables
    return lambda key, board: model.apply(variables, WithLegal(game.obs(board), game.legal(board)))[0].argmax()


def agent(cfg: Config, model: PairNetwork, env: Environment, axis: str | None) -> Algorithm:
    """PPO by Adam on a straight line to 0."""
    tx = optimizer.adam(**cfg.adam, shape=optimizer.linear(cfg.num_steps * cfg.num_epochs * cfg.num_minibatches))
    names = ("horizon", "discount", "lam", "entropy_weight", "num_epochs", "num_minibatches")
    options = {"actions": many_choices, "axis": axis, **{name: getattr(cfg, name) for name in names}}
    return ppo(model, tx, env=env, num_envs=cfg.num_games, **options)


if __name__ == "__main__":
    run.main(__name__)
