"""Calibration: whether a forecaster who says 70 % is right in 70 of 100 cases, and scores that reward it if so."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array, Mean
from adl.prob.labels import is_correct


class Bins(NamedTuple):
    """Forecasts sorted by confidence, as sums over each bin: a monoid, the reliability diagram of two splits is `+`."""

    count: Array  # [..., B] forecasts
    confidence: Array  # [..., B] sum of their confidences
    correct: Array  # [..., B] how many of them were right

    def __add__(self, other: "Bins") -> "Bins":
        return Bins(*(a + b for a, b in zip(self, other, strict=True)))


def reliability(probability: Array, label: Array, *, num_bins: int = 15, weights: Array | None = None) -> Bins:
    """Forecasts in bins of equal width by their confidence, the probability of the likeliest class.

    Bin b holds confidences in (b / B, (b + 1) / B], the first also 0.

    Args:
      probability: `[N, K]`, rows in [0, 1] that sum to 1.
      label: `[N]` integers in 0 ... K - 1.
      num_bins: B >= 1.
      weights: `[N]` >= 0, None is 1 for each; a mask of 0 and 1 leaves padding out.
    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    chex.assert_rank([probability, label], [2, 1])
    confidence = probability.max(-1)
    return binned(confidence, is_correct(probability, label), num_bins=num_bins, weights=weights)


def binned(said: Array, came: Array, *, num_bins: int, weights: Array | None = None) -> Bins:
    """Forecasts of one event in bins of equal width, as in `reliability`, by the probability that was said.

    Args:
      said: `[N]` in [0, 1].
      came: `[N]` whether it came.
      num_bins: as in `reliability`.
      weights: as in `reliability`.
    """
    chex.assert_rank([said, came], 1)
    chex.assert_equal_shape([said, came])
    weights = jnp.ones_like(said) if weights is None else weights.astype(said.dtype)
    # Edges are compared with, not divided by: a probability on an edge is never rounded into the next bin.
    index = jnp.searchsorted(jnp.arange(1, num_bins) / num_bins, said, side="left")
    placed = jax.nn.one_hot(index, num_bins, dtype=said.dtype)
    columns = (jnp.ones_like(said), said, came.astype(said.dtype))
    # Padding may hold nan, and 0 * nan is nan.
    return Bins(*(jnp.where(weights > 0, weights * values, 0) @ placed for values in columns))


def expected_calibration_error(bins: Bins) -> Array:
    """`[...]` mean gap between confidence and accuracy, in [0, 1]: 0 where they agree in each bin; nan of no forecasts.

    ECE = sum_b n_b / n |accuracy_b - confidence_b|

    Of n forecasts in few bins it is positive also where they are calibrated, by chance alone.

    Args:
      bins: from `reliability`, `[..., B]`.
    Source: Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    return jnp.abs(bins.correct - bins.confidence).sum(-1) / bins.count.sum(-1)


def brier_score(probability: Array, label: Array) -> Array:
    """`[...]` squared distance of forecasts from what came, in [0, 2]: 0 for certainty of the right class.

    sum_k (p_k - [k = label])^2,   smallest in expectation for the true probabilities.

    Args:
      probability: `[..., K]`.
      label: `[...]` integers in 0 ... K - 1.
    Source: Brier 1950, Monthly Weather Review 78(1), eq. 2.
    """
    chex.assert_shape(probability, (*label.shape, None))
    return jnp.square(probability - jax.nn.one_hot(label, probability.shape[-1])).sum(-1)


def scores(log_prob: Array, label: Array, *, num_bins: int = 15) -> dict[str, Mean]:
    """What is usually said of probabilistic classification, over N examples.

    Args:
      log_prob: `[N, K]` normalised, in nats.
      label: `[N]` integers in 0 ... K - 1.
      num_bins: of the calibration error.
    Returns:
      `accuracy` in [0, 1]; `nll`, the negative log-likelihood in nats; `brier` in [0, 2]; `ece` in [0, 1].
    """
    chex.assert_rank([log_prob, label], [2, 1])
    chex.assert_equal_shape_prefix([log_prob, label], 1)
    probability = jnp.exp(log_prob)
    return {
        "accuracy": Mean.of(is_correct(log_prob, label)),
        "nll": Mean.of(-jnp.take_along_axis(log_prob, label[:, None], -1)),
        "brier": Mean.of(brier_score(probability, label)),
        "ece": Mean.of(expected_calibration_error(reliability(probability, label, num_bins=num_bins))),
    }
