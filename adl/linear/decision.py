"""Decisions: what to say when it is known how probable each class is, and how good a score is at telling two apart.

Source: Bishop 2006, Pattern Recognition and Machine Learning, section 1.5.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from adl.core.types import Array

REJECT = -1  # the decision to leave it to somebody else


class Curve(NamedTuple):
    """What follows from calling positive whatever scores at least a threshold, which falls along the curve.

    Examples of equal score change sides together: their points coincide.
    """

    threshold: Array  # [N + 1] the first infinite: nothing is called positive
    false_positive_rate: Array  # [N + 1] share of the negatives that are called positive
    true_positive_rate: Array  # [N + 1] share of the positives that are called positive: recall
    precision: Array  # [N + 1] share of those called positive that are; 1 where none is


def expected_loss(probability: Array, loss: Array) -> Array:
    """`[..., A]` expected losses of A actions, sum_k p_k loss_ka.

    Args:
      probability: `[..., K]` of the classes.
      loss: `[K, A]` of an action where the class is k, in any unit.
    """
    return probability @ loss


def decide(probability: Array, loss: Array) -> Array:
    """`[...]` the action of least expected loss; arguments as in `expected_loss`. Source: Bishop 2006, eq. 1.81."""
    return expected_loss(probability, loss).argmin(-1)


def decide_or_reject(probability: Array, threshold: Array | float) -> Array:
    """`[...]` the likeliest class, or `REJECT` where its probability is less than `threshold`, in [0, 1].

    With errors that cost 1 and rejections that cost c this is the decision of least loss for the threshold 1 - c.

    Args:
      probability: `[..., K]` of the classes.
      threshold: at most 1 / K: nothing is rejected; above 1: everything.
    """
    return jnp.where(probability.max(-1) < threshold, REJECT, probability.argmax(-1))


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
