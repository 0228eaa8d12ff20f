"""Chess as a decision process whose reward is material: PPO among its legal moves, beside players who only count.

Shannon 1950, Philosophical Magazine 41; PPO: Schulman et al. 2017, arXiv:1707.06347; UCT with priors: Rosin 2011. The
game is pgx's (`pip install 'adl[games]'`), its legal moves found at once. The agent sees men, and which squares are
attacked and guarded; a move is a pair of squares.

    python -m experiments.rl.chess
    >>> logits = run.load("runs/rl/chess").act([[0.0] * 896])
    python -m experiments play runs/rl/chess
    python -m experiments.rl.chess --opponent random --sweep learning_rate=1e-3,3e-3

Expected:
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from adl import run, show
from adl.core import optimizer
from adl.rl.board import PairNetwork
from adl.rl.environment import chess
from adl.rl.environment.game import Game, Player, against_opponent, dearest, uniform_player
from adl.rl.environment.games import named_game
from adl.rl.environment.wrappers import Seen, time_limit, with_legal
from adl.rl.lookahead import careful_player, counted_judge, tried_gains
from adl.rl.match import struggles
from adl.rl.mcts import prior_first, searching_player, uct
from adl.rl.policy import many_choices
from adl.rl.ppo import ppo
from adl.rl.rollout import last_episodes

TITLES = {"learned": "PPO", "random": "random", "greedy": "greedy", "careful": "two moves", "search": "UCT"}
PAIRS = tuple((who, other) for other in ("greedy", "random") for who in TITLES if who != other)
PAIRS = (*PAIRS, ("learned", "careful"))


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default learns against a greedy opponent."""

    game: Literal["chess", "tictactoe"] = "chess"  # tictactoe: the same at no cost, by who wins
    opponent: Literal["greedy", "random"] = "greedy"  # that is learned from
    num_steps: run.Count = 40  # of num_games * horizon moves of the agent
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
    num_simulations: run.Count = 16  # of a move of UCT
    num_openings: run.Several = 50  # of four moves at random, each played with both colours
    log_every: run.Count = 5
    eval_every: run.Count = 5
    checkpoint_every: run.Count = 40


PLAYED = "mean gain of material in 100 games of 40 moves a side, from 50 openings of four moves at random, both colours"
CLAIMS = tuple(
    run.Claim(
        metric=f"games/{who}_{other}",
        at_least=bound,
        protocol=f"chess, {TITLES[who]} against a {other} player: {PLAYED}; pawns",
        reference=reference,
        needs=("extra games",),
    )
    for who, other, bound, reference in (
        ("learned", "greedy", 20.0, "as good: 0; all that there is: 39"),
        ("learned", "random", 20.0, "as good: 0; a greedy player, in the same run: about 25"),
        ("careful", "greedy", 20.0, "as good: 0"),
    )
)
SMOKE = {"game": "tictactoe", "num_steps": 2, "num_games": 4, "horizon": 4, "limit": 4, "num_epochs": 1, "width": 4}
SMOKE |= {"num_minibatches": 2, "num_simulations": 2, "num_openings": 2, "log_every": 1, "eval_every": 2}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent against its opponent, and how it and players who count do in new games."""
    game, worth, gains, moves, view = described(cfg.game)
    shape = jax.eval_shape(lambda: game.obs(game.init())).shape
    unit = 10.0 if cfg.game == "chess" else 1.0
    model = PairNetwork(moves, cfg.width, dtype=jnp.dtype(cfg.precision))
    simple = {"random": uniform_player(game), "greedy": lambda key, state: dearest(key, gains(state))}
    env = with_legal(time_limit(against_opponent(game, simple[cfg.opponent], worth), cfg.limit))
    search = searching_player(uct(game, cfg.num_simulations, prior_first()), counted_judge(gains, worth, unit=unit))
    tx = optimizer.adam(**cfg.adam, shape=optimizer.linear(cfg.num_steps * cfg.num_epochs * cfg.num_minibatches))

    def odds(key, state, obs):
        boards = obs.reshape(-1, *shape)
        return model.apply(state.learner.variables, Seen(boards, jnp.ones((len(boards), game.num_actions), bool)))[0]

    def learned(state) -> Player:
        def choose(key, board):
            return model.apply(state.learner.variables, Seen(game.obs(board), game.legal(board)))[0].argmax()

        return choose

    def players(state) -> dict[str, Player]:
        return {"learned": learned(state), **simple, "careful": careful_player(game, gains), "search": search}

    sizes = {"num_openings": cfg.num_openings, "num_moves": 2 * cfg.limit}
    names = ("horizon", "discount", "lam", "entropy_weight", "num_epochs", "num_minibatches")
    return run.Experiment(
        ppo(
            model,
            tx,
            env=env,
            num_envs=cfg.num_games,
            actions=many_choices,
            axis=axis,
            **{name: getattr(cfg, name) for name in names},
        ),
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={"games": struggles(game, players, PAIRS, worth=worth, view=view, **sizes)},
        offers={
            "model": model,
            "act": run.Offer(odds, run.Cells([f"{i}" for i in range(math.prod(shape))]), run.Choice()),
            "opponent": run.Opponent(game, lambda key, state, board: learned(state)(key, board)),
        },
        figures=show.figures(
            gains=show.struggle_gains(PAIRS, TITLES, unit="pawns" if cfg.game == "chess" else "wins"),
            moments=show.chess_moments("PPO (white) against a greedy player: white's lead in pawns"),
            material=show.curves(
                {"last 100 games": "last/return"},
                y_label="material won in a game (pawns)",
                title=f"Against a {cfg.opponent} opponent, moves drawn",
                x_label="moves of the agent",
                x_unit=cfg.num_games * cfg.horizon,
            ),
        ),
    )


def described(name: str) -> tuple[Game, Any, Any, tuple, Any]:
    """The game, what states are worth, what actions win, which squares they join, and how a state looks."""
    game = named_game(name)
    if name == "chess":
        game = game._replace(obs=chess.squares_view)
        return game, chess.material, chess.material_gains, chess.square_pairs(), chess.whites_view
    pairs = tuple((square, square, 0) for square in range(game.num_actions))
    return game, game.outcome, tried_gains(game, game.outcome), pairs, lambda state: state.stones.astype(jnp.int32)


if __name__ == "__main__":
    run.main(__name__)
