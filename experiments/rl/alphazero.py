"""AlphaZero: a network and a search that teach each other a game, from nothing but its rules.

Silver et al. 2018, Science 362 (arXiv:1712.01815), by the search of Danihelka et al. 2022 (ICLR), or by its own. Games
are played within the compiled step. Solvers judge the moves, and a search by random games (UCT) is the opponent.

    python -m experiments.rl.alphazero
    >>> chances = run.load("runs/rl/alphazero").act([[0.0] * 18])
    python -m experiments play runs/rl/alphazero

Expected: after 205k moves of self-play, two minutes, tic-tac-toe without a fault, in every game from every opening.
After 819k of connect four, by the second claim's flags, 10 minutes, a score of 0.62 in 400 games (0.57 at least, by
95 %) against ten times the simulations.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from adl import run, show
from adl.core import BadInput, optimizer
from adl.rl.alphazero import alphazero, judged_by
from adl.rl.board import BoardNetwork
from adl.rl.environment.games import named_game
from adl.rl.exam import Exam, examined, named_exam, search_exam
from adl.rl.match import match_against, rated
from adl.rl.mcts import instant_player, rollout, searching_player, uct
from adl.rl.planning import led_search


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default learns tic-tac-toe."""

    game: Literal["tictactoe", "connect_four", "connect_four_4x5", "go_9x9", "chess"] = "tictactoe"  # that is learned
    search: Literal["puct", "gumbel"] = "puct"  # gumbel: by mctx
    num_simulations: run.Count = 32  # of a move
    num_steps: run.Count = 100  # of num_games * horizon moves
    num_games: run.Split = 128  # side by side, over all devices
    horizon: run.Count = 16  # moves of each game a step
    capacity: Annotated[run.Count, run.multiple_of("num_games")] = 32768  # moves that are remembered
    num_updates: run.Count = 32  # of the network a step
    batch_size: run.Split = 256  # remembered moves that an update learns from
    stray: run.Fraction = 0.75  # share of moves that are drawn at random, so that games differ
    learning_rate: run.Positive = 3e-3  # of Adam at the start, before a straight line to 0
    weight_decay: run.NonNegative = 1e-4  # of AdamW, times the learning rate
    kind: Literal["dense", "convolutional"] = "dense"  # layers of the network; dense is for small boards
    width: run.Count = 128  # units or channels of a layer
    num_blocks: run.Count = 2  # of two layers each
    stages: run.Several = 5  # of the player that are kept, each after twice the steps of the one before
    num_openings: run.Several = 50  # of two moves at random, each played with both colours
    stronger: run.Count = 10  # times as many simulations has the opponent of the match
    log_every: run.Count = 10
    eval_every: run.Count = 20
    checkpoint_every: run.Count = 50

    @property
    def kept(self) -> list[int]:
        """Steps after which a stage is kept."""
        return [-(-self.num_steps // 2**i) for i in reversed(range(self.stages))]

    @property
    def sizes(self) -> dict[str, Any]:
        """Fields, as `alphazero` takes them."""
        names = ("num_games", "horizon", "capacity", "num_updates", "stray", "kept")
        return {"num_examples": self.batch_size, **{name: getattr(self, name) for name in names}}


FOUR = {"game": "connect_four", "num_steps": 400, "capacity": 131072, "stray": 0.25, "width": 256, "num_updates": 16}
FOUR |= {"learning_rate": 2e-3, "num_openings": 200, "stages": 6, "eval_every": 40, "log_every": 40}
CLAIMS = (
    run.Claim(
        metric="search/faults",
        at_most=0,
        protocol="tic-tac-toe, 32 simulations without noise: positions that it comes to from any opening of up to two "
        "moves, on either side, against all replies, perfect ones too, and in which its move gives something away",
        reference="minimax, which never does",
    ),
    run.Claim(
        metric="match/lower",
        at_least=0.5,
        overrides=FOUR,
        protocol="connect four, searches of 32 simulations against UCT by random games with 320: 400 games from 200 "
        "openings of two moves at random, each with both colours; lower end of the 95 % interval of the mean score",
        reference="1/2: as strong",
        long=True,
    ),
)
SMOKE = {"num_steps": 4, "num_games": 4, "horizon": 4, "capacity": 64, "num_updates": 2, "batch_size": 8}
SMOKE |= {"num_simulations": 2, "width": 4, "num_blocks": 1, "stages": 2, "num_openings": 2, "stronger": 1}
SMOKE |= {"eval_every": 4}


def load(cfg: Config) -> Exam | None:
    """Positions with their best moves, where a solver knows them."""
    if len({*cfg.kept}) < cfg.stages:
        raise BadInput(f"--stages {cfg.stages} of --num_steps {cfg.num_steps}: each is after twice as many; take fewer")
    return named_exam(cfg.game)


def build(cfg: Config, exam: Exam | None, axis: str | None) -> run.Experiment:
    """Self-play; exams by a solver, a match against a search by random games, and matches among its stages."""
    game, moves = named_game(cfg.game), cfg.num_games * cfg.horizon
    model = BoardNetwork(game.num_actions, cfg.width, cfg.num_blocks, cfg.kind, dtype=jnp.dtype(cfg.precision))
    noisy, best = (led_search(cfg.search, game, cfg.num_simulations, noise=noise) for noise in (1.0, 0.0))
    shape = jax.eval_shape(lambda: game.obs(game.init())).shape

    def judge(params):
        return judged_by(model, {"params": params}, game)

    def player(params):
        return searching_player(best, judge(params))

    def odds(key, state, obs):
        return model.apply(state.learner.variables, obs.reshape(-1, *shape))[0]

    final = {"elo": rated(game, player, lambda state: state.stages, num_openings=-(-cfg.num_openings // 4))}
    probes, figures = {}, {"elo": show.elo_curve(cfg.kept, moves)}
    if exam:  # on larger boards a match against a search by random games takes days
        probes["network"] = examined(exam, lambda state: instant_player(game, judge(state.learner.params)))
        probes["search"] = search_exam(exam, best, lambda state: judge(state.learner.params), num_shown=8)
        figures |= {"boards": show.visited_boards(), "best_moves": show.best_moves(moves)}
        weaker, many = searching_player(uct(game, cfg.stronger * cfg.num_simulations), rollout(game)), cfg.num_openings
        final["match"] = match_against(game, lambda state: player(state.learner.params), weaker, num_openings=many)
    tx = optimizer.adam(**cfg.adam, shape=optimizer.linear(cfg.num_steps * cfg.num_updates))
    return run.Experiment(
        alphazero(model, tx, game=game, search=noisy, **cfg.sizes, axis=axis),
        probes=probes,
        final=final,
        offers={
            "model": model,
            "act": run.Offer(odds, run.Cells([f"{i}" for i in range(math.prod(shape))]), run.Choice()),
            "opponent": run.Opponent(game, lambda key, state, board: player(state.learner.params)(key, board)),
        },
        figures=show.figures(**figures),
    )


if __name__ == "__main__":
    run.main(__name__)
