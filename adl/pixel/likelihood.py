"""Probabilities of the K levels that a pixel can have, from the numbers that a network says of it.

Levels are integers 0 ... K - 1. A probability of levels is one of the picture itself, not a density: bits a dimension
of two models can be compared where the levels are the same, and uniform noise has log2 K.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

from adl.core import BadInput
from adl.prob.labels import cross_entropy

LOG_SCALES = (-7.0, 7.0)  # least and greatest logarithm of a logistic's scale, where levels are in [-1, 1]


class Likelihood(NamedTuple):
    """A family of distributions of a level, by P numbers."""

    num_levels: int  # K
    num_outputs: int  # P, numbers that a network says of a pixel
    surprise: Callable[[Array, Array], Array]  # (output [..., P], level [...] int) -> -log p [...], in nats
    logits: Callable[[Array], Array]  # output [..., P] -> log-odds [..., K] of all levels


def categories(num_levels: int) -> Likelihood:
    """Any distribution: one log-odds for each level.

    Args:
      num_levels: K >= 2.
    Raises:
      BadInput: of fewer.
    Source: van den Oord et al. 2016, arXiv:1601.06759, section 2.2.
    """
    _require_levels(num_levels)
    return Likelihood(num_levels, num_levels, cross_entropy, lambda output: output)


def logistic_mixture(num_levels: int, num_components: int) -> Likelihood:
    """A mixture of logistics over the width of each level, of which the first and the last go on without an end.

    p(l) = sum_m w_m (F((v_l + r - mu_m) / s_m) - F((v_l - r - mu_m) / s_m)),   v_l = 2 l / (K - 1) - 1,
    r = 1 / (K - 1),   F(a) = 1 / (1 + e^-a)

    Neighbouring levels are alike, and the numbers that a network says do not grow with K.

    Args:
      num_levels: K >= 2.
      num_components: M >= 1; P is 3 M: log-odds of w, then mu, then log s.
    Raises:
      BadInput: of fewer of either.
    Source: Salimans et al. 2017, arXiv:1701.05517, eq. 1 and 2.
    """
    _require_levels(num_levels)
    if num_components < 1:
        raise BadInput(f"a mixture of {num_components} logistics: there must be 1 or more")

    def surprise(output: Array, level: Array) -> Array:
        chex.assert_shape(output, (*level.shape, 3 * num_components))
        chex.assert_type(level, int)
        level = level.astype(jnp.int32)  # of 8 bits, 2 * 200 would be 144
        odds, mean, log_scale = jnp.split(output, 3, -1)
        log_scale = jnp.clip(log_scale, *LOG_SCALES)
        place = (2 * level[..., None] / (num_levels - 1) - 1 - mean) * jnp.exp(-log_scale)
        width = 2 / (num_levels - 1) * jnp.exp(-log_scale)
        # F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)): no two numbers near 1 are taken from each other.
        below = jnp.where(level[..., None] == num_levels - 1, 0.0, jax.nn.log_sigmoid(place + width / 2))
        above = jnp.where(level[..., None] == 0, 0.0, jax.nn.log_sigmoid(width / 2 - place))
        is_within = (level[..., None] > 0) & (level[..., None] < num_levels - 1)
        inside = jnp.where(is_within, jnp.log(-jnp.expm1(-width)), 0.0)
        return -jax.nn.logsumexp(jax.nn.log_softmax(odds) + below + above + inside, -1)

    def logits(output: Array) -> Array:
        level = jnp.broadcast_to(jnp.arange(num_levels), (*output.shape[:-1], num_levels))
        shape = (*level.shape, output.shape[-1])
        return -surprise(jnp.broadcast_to(output[..., None, :], shape), level)

    return Likelihood(num_levels, 3 * num_components, surprise, logits)


def _require_levels(num_levels: int) -> None:
    if num_levels < 2:
        raise BadInput(f"pixels of {num_levels} levels: there must be 2 or more, or there is nothing to learn")
