"""Games that are judged on the way are those of a match; draws by one number; what a network of pairs leaves out."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.rl.board import PairNetwork
from adl.rl.environment.counted import tried_gains
from adl.rl.environment.game import against_opponent, any_of, uniform_player
from adl.rl.environment.tictactoe import tictactoe
from adl.rl.environment.wrappers import WithLegal, with_legal
from adl.rl.lookahead import careful_player
from adl.rl.match import match, openings, struggle
from adl.rl.mcts import instant_player
from adl.rl.policy import drawn_in_rows

KEY = jax.random.key(0)


def liking(order):
    return instant_player(tictactoe(), lambda key, state: (jnp.asarray(order, jnp.float32), jnp.zeros(())))


def test_a_struggle_to_the_end_is_a_match():
    """Of players without luck: the same outcomes, which are what the last states are worth."""
    game, one, other = tictactoe(), liking(np.arange(9)), liking([3, 0, 3, 0, 9, 0, 3, 0, 3])
    boards = openings(KEY, game, 20, 2)

    def moves(keys, pair):
        rows = [jax.tree.map(lambda x, i=i: x[i], (keys, pair)) for i in range(2)]
        return jnp.stack([jax.vmap(player)(*row) for player, row in zip((one, other), rows, strict=True)])

    view = lambda state: state.stones  # noqa: E731
    found = jax.jit(lambda: struggle(KEY, game, moves, boards, 8, worth=game.outcome, view=view))()
    np.testing.assert_array_equal(found.score, match(KEY, game, one, other, boards))
    np.testing.assert_array_equal(found.balance[-1], found.score)
    assert {-1, 1} <= set(np.unique(found.score))
    assert (np.count_nonzero(found.shown, axis=(1, 2))[:3] == [3, 4, 5]).all(), "of one game, move by move"


def test_the_careful_win_at_once_and_block():
    """Against a player at random they win most games of tic-tac-toe in which they begin; only a fork beats them."""
    game = tictactoe()
    careful = careful_player(game, tried_gains(game, game.outcome))
    boards = openings(KEY, game, 100, 0)
    found = jax.jit(lambda: match(KEY, game, careful, uniform_player(game), boards))()
    assert (found[0] == 1).mean() > 0.8 and (found == -1).mean() < 0.1, found


def test_draws_by_one_number_are_as_likely_as_they_should_be():
    """Within four standard errors, over more than one row; and what has no share is never drawn."""
    logits = jnp.where(jnp.arange(150) % 3 == 0, -1e9, jax.random.normal(KEY, (150,)))
    count = 100_000
    drawn = np.bincount(jax.jit(lambda: drawn_in_rows(KEY, jnp.repeat(logits[None], count, 0)))(), minlength=150)
    share = np.asarray(jax.nn.softmax(logits))
    assert (np.abs(drawn / count - share) <= 4 * np.sqrt(share / count)).all()
    allowed = np.arange(150) % 7 == 3
    each = jax.jit(jax.vmap(lambda key: any_of(key, jnp.asarray(allowed))))(jax.random.split(KEY, count))
    drawn, even = np.bincount(each, minlength=150), count / allowed.sum()
    assert (drawn[~allowed] == 0).all() and (np.abs(drawn[allowed] - even) < 4.5 * even**0.5).all()


def test_a_network_of_pairs_leaves_out_what_is_not_legal():
    """Of two kinds of the same move only their bias differs; and the world with legal moves says which there are."""
    model = PairNetwork(((0, 1, 0), (0, 1, 1), (3, 2, 0)), width=4, size=2)
    seen = WithLegal(jnp.ones((5, 2, 2, 3)), jnp.array([[True, True, False]] * 5))
    logits, value = model.apply(model.init(KEY, seen), seen)
    assert logits.shape == (5, 3) and value.shape == (5,)
    np.testing.assert_array_equal(logits[:, 0], logits[:, 1])
    assert (logits[:, 2] == -1e9).all()
    game = tictactoe()
    env = with_legal(against_opponent(game, uniform_player(game)))
    state, obs = env.reset(KEY)
    after = env.step(KEY, state, jnp.argmax(obs.legal))
    np.testing.assert_array_equal(after.obs.legal, game.legal(after.state))
    np.testing.assert_array_equal(obs.legal, game.legal(state))
