"""AlphaZero's lessons by hand, its network's symmetries of size, and that it learns to win and to block."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adl.core import jitted, over_devices
from adl.rl.alphazero import Turn, alphazero, judged_by, lessons
from adl.rl.board import BoardNetwork
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.exam import every_position, examined
from adl.rl.mcts import instant_player, prior_first, uct
from adl.rl.solver import TICTACTOE

KEY = jax.random.key(0)


def agent(axis=None, model=None, **options):
    game = tictactoe()
    more = {"num_games": 32, "horizon": 8, "capacity": 4096, "num_updates": 8, "num_examples": 64, **options}
    return alphazero(
        model or BoardNetwork(9, 32, 1, "dense"),
        optax.adam(3e-3),
        game=game,
        search=uct(game, 16, prior_first()),
        axis=axis,
        **more,
    )


def test_lessons_are_outcomes_seen_from_each_side():
    """A game of three moves that the last wins; one that goes on; one with a move at random."""
    value = jnp.array([0.1, 0.2, 0.3, 0.4])[:, None].repeat(3, 1)
    strayed = jnp.zeros((4, 3), bool).at[1, 2].set(True)
    ended, outcome = jnp.zeros((4, 3), bool).at[2, 0].set(True), jnp.zeros((4, 3)).at[2, 0].set(1.0)
    seen = Turn(jnp.zeros((4, 3, 1)), jnp.zeros((4, 3, 2)), value, strayed, ended, outcome)
    boards = jnp.array([0.5, 0.6, 0.7])
    found = lessons(seen, lambda key, board: (jnp.zeros(2), board), boards, None).value
    want = [[1.0, -1.0, 1.0, -0.5], [0.6, -0.6, 0.6, -0.6], [-0.2, 0.2, 0.7, -0.7]]
    np.testing.assert_allclose(found.T, want, rtol=1e-6)


def test_stages_are_kept_when_they_are_due():
    alg = jitted(agent(kept=(1, 3)))
    state = alg.init(KEY, ())
    seen = []
    for step in range(3):
        state, _ = alg.step(jax.random.fold_in(KEY, step), state, ())
        seen.append(jax.device_get((state.stages, state.learner.params)))
    for (kept, _), (_, now), which in ((seen[2], seen[0], 0), (seen[2], seen[2], 1), (seen[1], seen[0], 0)):
        jax.tree.map(lambda a, b, which=which: np.testing.assert_array_equal(a[which], b), kept, now)


def test_learns_from_its_own_games():
    """Of all positions the network alone finds a best move more often than by chance, and than at first."""
    game, exam = tictactoe(), every_position(TICTACTOE, 9)
    player = lambda s: instant_player(game, judged_by(model, s.learner.variables, game))  # noqa: E731
    look = jax.jit(lambda key, state: examined(exam, player)(key, state))
    model = BoardNetwork(9, 128, 2, "dense")
    sizes = {"num_games": 128, "horizon": 16, "capacity": 32768, "num_updates": 32, "num_examples": 256}
    alg = jitted(agent(model=model, **sizes))
    state = alg.init(KEY, ())
    before = float(look(KEY, state)["optimal"].value)
    for step in range(5):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, ())
    after = float(look(KEY, state)["optimal"].value)
    assert after > 0.8 > before + 0.1, (before, after)
    assert 0.1 < float(metrics["ends"].value) < 0.2, "games of five to nine moves"


def test_devices_play_games_of_their_own():
    alg = over_devices(agent("data"))
    state, _ = alg.step(KEY, alg.init(KEY, ()), ())
    rows = np.asarray(state.boards.stones).reshape(8, -1)
    assert len({row.tobytes() for row in rows}) > 4
