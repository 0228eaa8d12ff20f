"""Linear regression by what data add up to: least squares, ridge and lasso from the same sums; and the LMS rule.

    minimise  1/2 sum_n |y_n - W^T x_n|^2  +  penalty / 2 |W|^2   (ridge)   or   penalty |W|_1   (lasso)

Both want only sum x x^T and sum x y^T, which have no order: any split of the data into batches, on any number of
devices, leads to the same weights, and each batch counts once. One state gives the weights for every penalty.
Outcomes are numbers `[B]` or vectors `[B, M]`, each of whose entries is regressed by itself.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 3.1.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.product import matmul


class Sums(NamedTuple):
    """Of the normal equations."""

    gram: Array  # [D, D] sum of x x^T
    projection: Array  # [D] or [D, M] sum of x y^T
    count: Array  # [] examples seen


@border.columns(x="float [B, D]", y="float [B, ...]", mask="[B]?")
def ridge(penalty: Array | float, *, axis: str | None = None) -> Algorithm:
    """Least squares with a penalty, batch by batch; the state is `Sums`.

    A batch is `{"x": [B, D], "y": [B] or [B, M]}`, with an optional "mask" `[B]`, >= 0, that weighs the examples.
    Reports the `loss`, the squared error of an outcome by the weights before the batch is learned.

    Args:
      penalty: `[]` or `[D]` >= 0, as in `ridge_weights`; it only says how the state is read, and moves nothing.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, y = batch["x"], batch["y"]
        return Sums(jnp.zeros(2 * x.shape[1:]), jnp.zeros(x.shape[1:] + y.shape[1:]), jnp.zeros(()))

    def measure(key, sums, batch):
        x, y = batch["x"], batch["y"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), y.shape[:1])
        error = jnp.square(y - matmul(x, ridge_weights(sums, penalty))).reshape(len(x), -1).mean(1)
        weighted = (x * weight[:, None]).T
        return Sums(matmul(weighted, x), matmul(weighted, y), weight.sum()), {"loss": Mean.of(error, weight)}

    return Algorithm(init, accumulate(measure, lambda sums, more: jax.tree.map(jnp.add, sums, more), axis))


def least_squares(*, axis: str | None = None) -> Algorithm:
    """`ridge` without a penalty: of all weights with the least error, the shortest."""
    return ridge(0.0, axis=axis)


def summed(x: Array, y: Array) -> Sums:
    """The sums of all data `x [N, D]` and `y [N]` or `[N, M]` at once."""
    chex.assert_rank(x, 2)
    chex.assert_equal_shape_prefix([x, y], 1)
    alg, batch, key = least_squares(), {"x": x, "y": y}, jax.random.key(0)
    return alg.step(key, alg.init(key, batch), batch)[0]


def ridge_weights(sums: Sums, penalty: Array | float = 0.0) -> Array:
    """The weights `[D]` or `[D, M]` of least penalised error: (sum x x^T + penalty I)^+ sum x y^T.

    In float32 directions whose share of the Gram matrix is less than about 1e-5 are taken for none.

    Args:
      sums: of the data.
      penalty: `[]` or `[D]` >= 0, in squared units of x; 0 for a constant column. `alpha` of scikit-learn's `Ridge`.
    """
    decay = jnp.broadcast_to(jnp.asarray(penalty, sums.gram.dtype), sums.gram.shape[:1])
    return matmul(jnp.linalg.pinv(sums.gram + jnp.diag(decay), hermitian=True), sums.projection)


def smoother(x: Array, new: Array, penalty: Array | float) -> Array:
    """`[T, N]`: what makes fits at rows `new [T, D]` of outcomes `[N]` at rows `x [N, D]`: ridge regression is linear.

    Args:
      x: rows to learn from.
      new: rows to fit.
      penalty: as in `ridge_weights`.
    """
    chex.assert_rank([x, new], 2)
    chex.assert_equal_shape_suffix([x, new], 1)
    return matmul(new, ridge_weights(summed(x, jnp.eye(len(x), dtype=x.dtype)), penalty))


def lasso_weights(
    sums: Sums, penalty: Array | float, *, tolerance: float = 1e-6, max_sweeps: int = 10_000
) -> tuple[Array, Array]:
    """The weights `[D]` of least error with a penalty on their sizes, many of them 0; and the sweeps `[]` it took.

    w_d <- soft(r_d, penalty) / gram_dd,   r_d = projection_d - sum_{e != d} gram_de w_e,   in turn until none moves

    Args:
      sums: of the data, with `projection [D]` and no zero on the diagonal of `gram`.
      penalty: >= 0, in units of x y; N times `alpha` of scikit-learn's `Lasso`. All weights are 0 from the largest
        |projection| on.
      tolerance: > 0, of the largest move in a sweep, of the largest weight.
      max_sweeps: >= 1, after which whatever was reached is returned.
    Source: Tibshirani 1996, JRSS B 58(1); coordinate descent: Friedman, Hastie & Tibshirani 2010, Journal of
    Statistical Software 33(1), eq. 5.
    """
    chex.assert_rank(sums.projection, 1)
    gram, projection, _ = sums
    diagonal = jnp.diag(gram)

    def coordinate(d, w):
        r = projection[d] - gram[d] @ w + diagonal[d] * w[d]
        return w.at[d].set(jnp.sign(r) * jnp.maximum(jnp.abs(r) - penalty, 0) / diagonal[d])

    def sweep(carry):
        count, w, _ = carry
        new = lax.fori_loop(0, len(w), coordinate, w)
        return count + 1, new, jnp.abs(new - w).max() > tolerance * jnp.abs(new).max()

    def unfinished(carry):
        count, _, is_moving = carry
        return is_moving & (count < max_sweeps)

    count, w, _ = lax.while_loop(unfinished, sweep, (0, jnp.zeros_like(projection), True))
    return w, count


@border.columns(x="float [B, D]", y="float [B, ...]", mask="[B]?")
def lms(learning_rate: float, *, axis: str | None = None) -> Algorithm:
    """Widrow and Hoff's least-mean-squares rule; the state is the weights `[D]` or `[D, M]`, from zero.

    w <- w + learning_rate mean_b x_b (y_b - w . x_b)

    Batches as of `ridge`, example by example or more, and as often as wanted. Reports the `loss`, the squared error
    before the step. It is stable while the learning rate stays below 2 / the largest eigenvalue of E[x x^T].

    Args:
      learning_rate: > 0, in inverse squared units of x.
      axis: as in `core.accumulate`.
    Source: Widrow & Hoff 1960, IRE WESCON Convention Record 4; Bishop 2006, eq. 3.23.
    """

    def init(key, batch):
        return jnp.zeros(batch["x"].shape[1:] + batch["y"].shape[1:])

    def measure(key, w, batch):
        x, y = batch["x"], batch["y"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), y.shape[:1])
        left = y - matmul(x, w)
        error = jnp.square(left).reshape(len(x), -1).mean(1)
        return (matmul((x * weight[:, None]).T, left), weight.sum()), {"loss": Mean.of(error, weight)}

    def move(w, sums):
        correlation, count = sums
        return w + learning_rate * correlation / jnp.maximum(count, 1e-6)

    return Algorithm(init, accumulate(measure, move, axis))
