"""Rosenblatt's perceptron: every mistake is added to the weights.

    w <- w + sum over mistakes of t x,   t = +1 or -1,   a mistake: t w . x <= 0

Example by example it makes at most (R / gamma)^2 mistakes, in however many passes, if some unit vector u separates the
classes by t u . x >= gamma, with R the length of the longest x.
Sources: Rosenblatt 1958, Psychological Review 65(6); Novikoff 1962, Symposium on the Mathematical Theory of Automata.
"""

import jax.numpy as jnp

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.product import matmul
from adl.prob.special import safe_ratio


@border.columns(x="float [B, D]", label="int [B]", mask="[B]?")
def perceptron(*, axis: str | None = None) -> Algorithm:
    """Learning by mistakes; the state is the weights `[D]`, which start from zero.

    A batch is `{"x": [B, D], "label": [B] of 0 and 1}`, with an optional "mask" `[B]`, >= 0, that weighs the examples;
    a constant belongs into x where the border need not pass the origin. Batches of one example are Rosenblatt's rule.
    Reports the `loss`, the share of mistakes before the step, whose total is their number.

    Args:
      axis: as in `core.accumulate`.
    """

    def measure(key, weights, batch):
        t = 2.0 * batch["label"] - 1
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), t.shape)
        is_mistake = (t * (batch["x"] @ weights) <= 0).astype(weights.dtype)
        return (weight * is_mistake * t) @ batch["x"], {"loss": Mean.of(is_mistake, weight)}

    return Algorithm(lambda key, batch: jnp.zeros(batch["x"].shape[-1]), accumulate(measure, jnp.add, axis))


def mistake_bound(x: Array, label: Array, separator: Array) -> Array:
    """(R / gamma)^2 `[]`: mistakes that the perceptron makes at most on `x [N, D]` with labels `[N]` 0 and 1.

    Args:
      x: with its constant, if it has one.
      label: of the rows.
      separator: `[D]`, of any length, that separates the classes; the bound is infinite if it does not. That of the
        widest margin gives the least bound.
    """
    unit = safe_ratio(separator, jnp.linalg.norm(separator))
    margin = ((2.0 * label - 1) * matmul(x, unit)).min()
    return jnp.where(margin <= 0, jnp.inf, jnp.square(jnp.linalg.norm(x, axis=1).max() / margin))
