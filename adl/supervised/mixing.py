"""Mixing: a picture that is partly another is partly of its class."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jax import Array

from adl.core import Key, Mean, Metrics
from adl.prob.labels import cross_entropy, is_correct
from adl.supervised.regression import Prepare

LEVELS = 4097  # at which quantiles are known; between them they are linear


class Mixed(NamedTuple):
    """Two classes of each of B pictures, and how much of the first."""

    label: Array  # [B] int
    other: Array  # [B] int
    share: Array  # [B] in [0, 1], of `label`


def mixup(prepare: Prepare, *, concentration: float) -> Prepare:
    """Convex combinations of pictures: x = s x_i + (1 - s) x_j with classes of i and of j, s ~ Beta(a, a).

    j is the example before i in the batch; each pair has luck of its own.

    Args:
      prepare: `(key, batch) -> (x [B, ...], label [B] int)`.
      concentration: a > 0; near 0 one of a pair is nearly all there is, at 1 all shares are alike.

    Returns:
      `(key, batch) -> (x [B, ...], Mixed)`, for `mixed_surprise`.

    Source: Zhang et al. 2018, arXiv:1710.09412, eq. 1.
    """
    # Quantiles of the larger of s and 1 - s, the same pairs, so that `label` is the one that is seen most. Drawn by
    # `jax.random.beta` they would be rejected in a loop that all devices leave together, and with virtual devices one
    # waits in it while another waits for parameters.
    levels = np.linspace(0, 1, LEVELS)
    quantiles = scipy.special.betaincinv(concentration, concentration, (1 + levels) / 2)

    def mix(key: Key, batch):
        key_view, key_share = jax.random.split(key)
        x, label = prepare(key_view, batch)
        share = jnp.interp(jax.random.uniform(key_share, (len(x),)), levels, quantiles)
        weight = share.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)
        return weight * x + (1 - weight) * jnp.roll(x, 1, 0), Mixed(label, jnp.roll(label, 1), share)

    return mix


def mixed_surprise(label_smoothing: float = 0.0) -> Callable[[Array, Mixed], Metrics]:
    """Loss of logits `[B, K]` given `Mixed` classes: each class's `cross_entropy` by its share.

    `accuracy` is of the class of which there is more.
    """

    def loss(logits, mixed):
        chex.assert_equal_shape(mixed)
        first, second = (
            cross_entropy(logits, label, label_smoothing=label_smoothing) for label in (mixed.label, mixed.other)
        )
        losses = mixed.share * first + (1 - mixed.share) * second
        return {"loss": Mean.of(losses), "accuracy": Mean.of(is_correct(logits, mixed.label))}

    return loss
