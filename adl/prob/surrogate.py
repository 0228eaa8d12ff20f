"""What a change of policy is worth, as far as actions of the old one can tell."""

import chex
import jax.numpy as jnp
from jax import Array

MOST = 80.0  # log ratio, of which the exponential is still a float32


def clipped_surrogate(log_ratio: Array, advantage: Array, *, clip: float) -> Array:
    """What is gained with each action by its new probability, and no more than within the bounds.

    min(r A, clip(r, 1 - c, 1 + c) A),   r = pi(a|s) / pi_old(a|s)

    Args:
      log_ratio: `[...]` log r.
      advantage: `[...]` A.
      clip: c > 0, change of an action's probability from which on there is nothing to gain.
    Source: Schulman et al. 2017, arXiv:1707.06347, eq. 7.
    """
    chex.assert_equal_shape([log_ratio, advantage])
    # Beyond this nothing is to be gained, and infinity times the slope 0 of what the bounds hide were nan.
    ratio = jnp.exp(jnp.minimum(log_ratio, MOST))
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
