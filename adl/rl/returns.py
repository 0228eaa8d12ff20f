"""What moves are worth by the rewards that followed them, and by what was left where these end."""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array


class Ahead(NamedTuple):
    """A return of some steps, and what it goes on with."""

    reward: Array  # [] discounted sum
    discount: Array  # [] of the value that follows; 0 where the episode terminated
    last: Array  # [] int32 in 0 ... n - 1: the step whose next observation that is the value of


def n_step(r_t: Array, terminated_t: Array, truncated_t: Array, discount: Array | float) -> Ahead:
    """The return of a window of n steps, which ends with its episode.

    G = r_0 + discount r_1 + ... + discount^{m-1} r_{m-1} + discount^m v(s_m),   m <= n steps to the episode's end

    Where the episode terminated nothing is worth anything; where it was truncated its own last observation is.

    Args:
      r_t: `[n]` rewards.
      terminated_t: `[n]` boolean.
      truncated_t: `[n]` boolean.
      discount: in [0, 1], of a reward one step later.
    Source: Sutton & Barto 2018, Reinforcement Learning, eq. 7.1.
    """
    chex.assert_rank([r_t, terminated_t, truncated_t], 1)
    chex.assert_equal_shape([r_t, terminated_t, truncated_t])
    ended = terminated_t | truncated_t
    counts = jnp.cumsum(ended) - ended == 0  # up to the first end, and with it
    steps = counts.sum()
    total = (jnp.where(counts, r_t, 0) * discount ** jnp.arange(len(r_t))).sum()
    return Ahead(total, discount**steps * ~terminated_t[steps - 1], steps - 1)


def lambda_returns(r_t: Array, discount_t: Array, v_t: Array, *, lam: Array | float) -> Array:
    """Returns along a trajectory, or along several side by side, that trust values and rewards alike.

    G_t = r_t + discount_t ((1 - lam_t) v_t + lam_t G_{t+1}),   G_T = v_{T-1}

    Ends are told as in `advantage.gae`: discount_t = 0 where the episode terminated, lam_t = 0 where it was truncated.

    Args:
      r_t: `[T, ...]` reward received on leaving step t.
      discount_t: `[T, ...]` in [0, 1].
      v_t: `[T, ...]` value of the observation that followed; the last of its episode where that ended.
      lam: `[]` or `[T, ...]` in [0, 1]; 0 is one-step TD, 1 is Monte Carlo.
    Source: Sutton & Barto 2018, Reinforcement Learning, eq. 12.18.
    """
    chex.assert_equal_shape([r_t, discount_t, v_t])

    def back(following, inputs):
        r, discount, v, lam = inputs
        value = r + discount * ((1 - lam) * v + lam * following)
        return value, value

    lam = jnp.broadcast_to(lam, r_t.shape)
    return lax.scan(back, v_t[-1], (r_t, discount_t, v_t, lam), reverse=True)[1]
