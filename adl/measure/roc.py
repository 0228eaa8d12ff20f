"""Scores of two classes: both rates and the precision at every threshold, and the areas under them.

Source: Bishop 2006, Pattern Recognition and Machine Learning, section 1.5.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array


class Curve(NamedTuple):
    """What follows from calling positive whatever scores at least a threshold, which falls along the curve.

    Examples of equal score change sides together: their points coincide. All is nan where a score is; so are shares of
    the positives, or of the negatives, where there are none.
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
    nothing = jnp.where(jnp.isnan(score).any(), jnp.nan, 0)
    score, positive = score[order], label[order].astype(jnp.float32) + nothing
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


def log_odds(log_prob: Array, k: Array | int) -> Array:
    """`[N]` of class k against the rest, which keep their order where probabilities round to 1.

    Args:
      log_prob: `[N, K]` in nats, up to a constant of the row.
      k: in 0 ... K - 1.
    """
    chex.assert_rank(log_prob, 2)
    others = jnp.where(jnp.arange(log_prob.shape[1])[None] == k, -jnp.inf, log_prob)
    return log_prob[:, k] - jax.nn.logsumexp(others, 1)


def mean_area(log_prob: Array, label: Array) -> Array:
    """`[]` mean over classes of the area under the ROC of each against the rest.

    Args:
      log_prob: `[N, K]` as in `log_odds`.
      label: `[N]` integers in 0 ... K - 1; nan where one of them is absent.
    """
    chex.assert_rank([log_prob, label], [2, 1])

    def area(k):
        return area_under_roc(threshold_curve(log_odds(log_prob, k), label == k))

    return jax.vmap(area)(jnp.arange(log_prob.shape[1])).mean()
