"""AlphaZero: a network and a search that teach each other, from nothing but the rules.

Silver et al. 2018, Science 362 (arXiv:1712.01815), with the search of Danihelka et al. 2022 (ICLR) or its own. Games
are played in the compiled step, and judged by exact solvers: `adl.rl.solver`.

    python -m experiments.rl.alphazero
    >>> chances = run.load("runs/rl/alphazero").act([[0.0] * 18])
    python -m experiments play runs/rl/alphazero

Expected: to be measured.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from adl import run, show
from adl.core import Mean, optimizer
from adl.measure.elo import elo
from adl.rl.alphazero import alphazero, judged_by
from adl.rl.board import BoardNetwork
from adl.rl.environment.games import named_game
from adl.rl.exam import Exam, examined, named_exam, visited
from adl.rl.match import match, match_result, openings, round_robin
from adl.rl.mcts import instant_player, rollout, searching_player, uct
from adl.rl.planning import gumbel_search, puct_search


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default learns tic-tac-toe."""

    game: Literal["tictactoe", "connect_four", "connect_four_4x5", "go_9x9", "chess", "othello", "hex"] = "tictactoe"
    search: Literal["gumbel", "puct"] = "gumbel"
    num_simulations: run.Count = 32  # of a move
    num_steps: run.Count = 100  # of num_games * horizon moves
    num_games: run.Split = 128  # side by side, over all devices
    horizon: run.Count = 16  # moves of each game a step
    capacity: Annotated[run.Count, run.multiple_of("num_games")] = 32768  # moves that are remembered
    num_updates: run.Count = 16  # of the network a step
    batch_size: run.Split = 256  # remembered moves that an update learns from
    stray: run.Fraction = 0.25  # share of moves that are drawn at random, so that games differ
    learning_rate: run.Positive = 3e-3  # of Adam at the start, before a straight line to 0
    channels: run.Count = 32  # of the network
    num_blocks: run.Count = 2  # of the network, of two convolutions each
    stages: run.Several = 5  # of the player that are kept, each after twice the steps of the one before
    num_openings: run.Several = 50  # of two moves at random, from which matches are played with both colours
    stronger: run.Count = 10  # times the simulations that the search by random games has in the match
    log_every: run.Count = 10
    eval_every: run.Count = 20
    checkpoint_every: run.Count = 50

    @property
    def kept(self) -> tuple[int, ...]:
        """Steps after which a stage is kept."""
        return tuple(-(-self.num_steps // 2**i) for i in reversed(range(self.stages)))


CLAIMS = (
    run.Claim(
        metric="exam/search",
        at_least=1,
        protocol="tic-tac-toe: share of all 4,520 positions that are not over in which the move of the search (32 "
        "simulations, no noise) keeps what the position is worth; 1: it loses to nobody, from any opening, either side",
        reference="minimax: a draw",
    ),
)
SMOKE = {"num_steps": 4, "num_games": 4, "horizon": 4, "capacity": 64, "num_updates": 2, "batch_size": 8}
SMOKE |= {"num_simulations": 2, "channels": 4, "num_blocks": 1, "stages": 2, "num_openings": 2, "stronger": 2}


def load(cfg: Config) -> Exam | None:
    """Positions with their best moves, where a solver knows them."""
    return named_exam(cfg.game)


def build(cfg: Config, exam: Exam | None, axis: str | None) -> run.Experiment:
    """Self-play; exams by a solver, matches against a search by random games, and among its own stages."""
    game = named_game(cfg.game)
    model = BoardNetwork(game.num_actions, cfg.channels, cfg.num_blocks, dtype=jnp.dtype(cfg.precision))
    calm = {"gumbel": {"noise": 0.0}, "puct": {"fraction": 0.0, "temperature": 0.0}}[cfg.search]
    make = {"gumbel": gumbel_search, "puct": puct_search}[cfg.search]
    best, shape = make(game, cfg.num_simulations, **calm), jax.eval_shape(lambda: game.obs(game.init())).shape

    def strength(params):
        return searching_player(best, judged_by(model, {"params": params}, game))

    def odds(key, state, obs):
        return model.apply(state.learner.variables, obs.reshape(-1, *shape))[0]

    def against_rollouts(key, state):
        weaker = searching_player(uct(game, cfg.stronger * cfg.num_simulations), rollout(game))
        boards = openings(key, game, cfg.num_openings, 2)
        return match_result(match(key, game, strength(state.learner.params), weaker, boards))

    def among_stages(key, state):
        rating = elo(round_robin(key, game, strength, state.stages, openings(key, game, cfg.num_openings // 2, 2)))
        return {"rating": rating, "gain": Mean.of(rating[-1])}

    players = {
        "network": lambda state: instant_player(game, judged_by(model, state.learner.variables, game)),
        "search": lambda state: strength(state.learner.params),
    }
    looks = {"boards": visited(exam, lambda s: lambda k, b: best(k, judged_by(model, s.learner.variables, game), b), 8)}
    figures = {
        "optimal": show.curves(
            {"with search": "exam/search", "network alone": "exam/network"},
            y_label="share of positions with a best move",
            title="Best moves, by the solver",
            x_label="moves of self-play",
            x_unit=cfg.num_games * cfg.horizon,
        ),
        "boards": show.visited_boards(),
    }
    tx = optimizer.adam(**cfg.adam, shape=optimizer.linear(cfg.num_steps * cfg.num_updates))
    return run.Experiment(
        alphazero(
            model,
            tx,
            game=game,
            search=make(game, cfg.num_simulations),
            num_games=cfg.num_games,
            horizon=cfg.horizon,
            capacity=cfg.capacity,
            num_updates=cfg.num_updates,
            num_examples=cfg.batch_size,
            stray=cfg.stray,
            kept=cfg.kept,
            axis=axis,
        ),
        probes={"exam": examined(exam, **players)} if exam else {},
        final={"match": against_rollouts, "elo": among_stages, **(looks if exam else {})},
        offers={
            "model": model,
            "act": run.Offer(odds, run.Cells([f"{i}" for i in range(math.prod(shape))]), run.Choice()),
            "opponent": run.Opponent(game, lambda key, state, board: strength(state.learner.params)(key, board)),
        },
        figures=show.figures(elo=show.elo_curve(cfg.kept, cfg.num_games * cfg.horizon), **(figures if exam else {})),
    )


if __name__ == "__main__":
    run.main(__name__)
