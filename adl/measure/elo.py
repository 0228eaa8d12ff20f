"""Ratings of players by their results against each other."""

import chex
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array


def elo(points: Array, *, drawn: float = 1.0, iterations: int = 2000) -> Array:
    """Elo ratings `[K]`, the first 0: the likeliest strengths, where a difference of 400 is odds of 10 to 1.

    P(i beats j) = s_i / (s_i + s_j),   rating = 400 log10 s;   a draw is half a win and half a loss.

    Found by s_i <- W_i / sum_j n_ij / (s_i + s_j), each step of which is likelier.

    Args:
      points: `[K, K]` of each player (row) against each other: 1 a win, 1/2 a draw.
      drawn: >= 0, draws that are added to each pair that has met, so that who lost all has a rating too.
      iterations: of the search.

    Sources: Zermelo 1929, Mathematische Zeitschrift 29; Bradley & Terry 1952, Biometrika 39; the iteration: Hunter
    2004, Annals of Statistics 32, eq. 3.
    """
    chex.assert_rank(points, 2)
    games = points + points.T
    met = (games > 0) & ~jnp.eye(len(points), dtype=bool)
    games, wins = jnp.where(met, games + drawn, 0.0), jnp.where(met, points + drawn / 2, 0.0).sum(1)

    def better(_, strength):
        strength = wins / (games / (strength[:, None] + strength[None])).sum(1)
        return strength / strength[0]

    strength = lax.fori_loop(0, iterations, better, jnp.ones(len(points)))
    return 400 * jnp.log10(strength)
