"""How much better an action was than expected, from rewards and values along a trajectory."""

import chex
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array


def gae(r_t: Array, discount_t: Array, v_tm1: Array, v_t: Array, *, lam: Array | float) -> Array:
    """Generalised advantage estimates along a trajectory, or along several side by side.

    A_t = delta_t + discount_t * lam_t * A_{t+1},   delta_t = r_t + discount_t * v_t - v_tm1

    Where an episode is terminated, discount_t = 0: neither its last value nor the next episode counts. Where it is
    truncated, lam_t = 0: the value of its last observation counts, the next episode does not.

    Args:
      r_t: `[T, ...]` reward received on leaving step t.
      discount_t: `[T, ...]` in [0, 1]; 0 where the episode terminated.
      v_tm1: `[T, ...]` value of the observation that was acted on, in units of reward.
      v_t: `[T, ...]` value of the observation that followed; the last of its episode where that ended.
      lam: `[]` or `[T, ...]` in [0, 1]; 0 is one-step TD, 1 is Monte Carlo; 0 where the episode was truncated.

    Returns:
      `[T, ...]` advantages, in units of reward; beyond the trajectory's end nothing is added to its last delta.

    Raises:
      AssertionError: at trace time, if the arrays differ in shape.

    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    chex.assert_equal_shape([r_t, discount_t, v_tm1, v_t])
    delta = r_t + discount_t * v_t - v_tm1

    def back(following, inputs):
        delta, decay = inputs
        advantage = delta + decay * following
        return advantage, advantage

    _, advantages = lax.scan(back, jnp.zeros_like(delta[0]), (delta, discount_t * lam), reverse=True)
    return advantages
