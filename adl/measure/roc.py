"""Scores of two classes: both rates and the precision at every threshold, and the areas under them.

Source: Bishop 2006, Pattern Recognition and Machine Learning, section 1.5.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from adl.core.types import Array


class Curve(NamedTuple):
    """What follows from calling positive whatever scores at least a threshold, which falls along the curve.

    Examples of equal score change sides together: their points coincide.
    """

    threshold: Array  # [N + 1] the first infinite: nothing is called positive
    false_positive_rate: Array  # [N + 1] share of the negatives that are called positive
    true_positive_rate: Array  # [N + 1] share of the positives that are called positive: recall
    precision: Array  # [N + 1] share of those called positive that are; 1 where none is


def threshold_curve(score: Array, label: Array) -> Curve:
    """Both rates and the precision at every threshold: the ROC and the precision-recall curve.

    Args:
      score: `[N]`, higher for what is more likely positive.
      label: `[N]` of 0 and 1, not all equal.
    """
    chex.assert_rank([score, label], 1)
    chex.assert_equal_shape([score, label])
    order = jnp.argsort(-score)
    score, positive = score[order], label[order].astype(jnp.float32)
    # A tie ends where the next smaller score begins.
    last = jnp.searchsorted(-score, -score, side="right") - 1
    hits, called = jnp.cumsum(positive)[last], last + 1.0
    rates = [(called - hits) / (1 - positive).sum(), hits / positive.sum(), hits / called]
    starts = [jnp.inf, 0.0, 0.0, 1.0]
    return Curve(*(jnp.concatenate([jnp.full(1, start), x]) for start, x in zip(starts, [score, *rates], strict=True)))


def area_under_roc(curve: Curve) -> Array:
    """`[]` in [0, 1]: how often a random positive scores above a random negative, ties counted by half."""
    return jnp.trapezoid(curve.true_positive_rate, curve.false_positive_rate)


def average_precision(curve: Curve) -> Array:
    """`[]` in [0, 1]: precision, averaged over the recall that each threshold adds."""
    return (jnp.diff(curve.true_positive_rate) * curve.precision[1:]).sum()
