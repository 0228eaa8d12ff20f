"""Classification: what is said of classifiers, by their log-probabilities or by scores that stand for them."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array, Mean
from adl.measure import calibration, roc


def scores(outputs: Array, label: Array, *, num_bins: int = 15) -> dict[str, Mean]:
    """What is usually said of classification, over N examples.

    Args:
      outputs: `[N, K]` log-probabilities up to a constant of the row, or scores, of which only `accuracy` and `auc`
        mean anything.
      label: `[N]` integers in 0 ... K - 1, each at least once.
      num_bins: of the calibration error.
    Returns:
      As `calibration.scores`, and `auc` in [0, 1], the area under the ROC of each class against the rest, their mean.
    """
    chex.assert_rank([outputs, label], [2, 1])
    chex.assert_equal_shape_prefix([outputs, label], 1)
    log_prob = jax.nn.log_softmax(outputs)
    return {**calibration.scores(log_prob, label, num_bins=num_bins), "auc": Mean.of(roc.mean_area(log_prob, label))}


class OneClass(NamedTuple):
    """One class against the rest: what is found at which price, and how often it comes when it is said how surely."""

    false_positive_rate: Array  # [N + 1] as in `roc.Curve`
    recall: Array  # [N + 1]
    precision: Array  # [N + 1]
    area: Array  # [] under the ROC
    average_precision: Array  # []
    said: Array  # [B] mean probability of the class in each bin, nan of an empty one
    came: Array  # [B] share of the class in each bin
    ece: Array  # [] expected calibration error, of all classes

    @classmethod
    def of(cls, outputs: Array, label: Array, k: int = 0, *, num_bins: int = 5) -> "OneClass":
        """Of class k.

        Args:
          outputs: as in `scores`.
          label: as in `scores`.
          k: in 0 ... K - 1.
          num_bins: B >= 1, of what was said; the calibration error has 10.
        """
        log_prob, is_it = jax.nn.log_softmax(outputs), label == k
        curve = roc.threshold_curve(roc.log_odds(log_prob, k), is_it)
        bins = calibration.binned(jnp.exp(log_prob[:, k]), is_it, num_bins=num_bins)
        error = calibration.expected_calibration_error(calibration.reliability(jnp.exp(log_prob), label, num_bins=10))
        of_curve = (*curve[1:], roc.area_under_roc(curve), roc.average_precision(curve))
        return cls(*of_curve, bins.confidence / bins.count, bins.correct / bins.count, error)
