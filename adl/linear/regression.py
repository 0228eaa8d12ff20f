"""Linear regression by what data add up to: least squares, ridge and lasso from the same sums; and the LMS rule.

    minimise  1/2 sum_n |y_n - W^T x_n|^2  +  penalty / 2 |W|^2   (ridge)   or   penalty |W|_1   (lasso)

Both want only sum x x^T and sum x y^T, which have no order: any split of the data into batches, on any number of
devices, leads to the same weights, and each batch counts once. One state gives the weights for every penalty. Sums are
about the means, which are a row of their own: far from the origin nothing cancels.
Outcomes are numbers `[B]` or vectors `[B, M]`, each of whose entries is regressed by itself.
Source: Bishop 2006, Pattern Recognition and Machine Learning, section 3.1.
"""

from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.product import matmul
from adl.prob.special import safe_ratio


class Sums(NamedTuple):
    """Moments of rows and outcomes; or, before `merged_sums`, sums about a place that is not their mean."""

    count: Array  # [] examples seen
    x_mean: Array  # [D]; of sums: the sum of x - place
    y_mean: Array  # [] or [M]; the same of y
    scatter: Array  # [D, D] sum of (x - mean) (x - mean)^T
    cross: Array  # [D] or [D, M] sum of (x - mean) (y - mean)^T
    energy: Array  # [] or [M] sum of (y - mean)^2

    def projection(self) -> Array:
        """`[D]` or `[D, M]` sum of x y^T."""
        return self.cross + self.count * _outer(self.x_mean, self.y_mean)


def no_sums(batch: Mapping[str, Array]) -> Sums:
    """Moments of no examples, to count from: near those of a batch as of `ridge`, nothing cancels."""
    x, y, weight = _weighted(batch)
    total = jnp.maximum(weight.sum(), 1e-6)
    x_mean, y_mean = matmul(weight, x) / total, matmul(weight, y) / total
    cross = jnp.zeros(x.shape[1:] + y.shape[1:])
    return Sums(jnp.zeros(()), x_mean, y_mean, jnp.zeros(2 * x.shape[1:]), cross, jnp.zeros_like(y_mean))


def sums_about(sums: Sums, batch: Mapping[str, Array]) -> Sums:
    """Sums of a batch as of `ridge`, about the means so far."""
    x, y, weight = _weighted(batch)
    x, y = x - sums.x_mean[None], y - sums.y_mean[None]
    heavy = (x * weight[:, None]).T
    energy = matmul(weight, jnp.square(y))
    return Sums(weight.sum(), heavy.sum(1), matmul(weight, y), matmul(heavy, x), matmul(heavy, y), energy)


def merged_sums(sums: Sums, more: Sums) -> Sums:
    """Moments of the examples so far and of those that the sums `more` are of, about the means so far."""
    count = sums.count + more.count
    x, y = (part / jnp.where(count > 0, count, 1) for part in (more.x_mean, more.y_mean))
    return Sums(
        count,
        sums.x_mean + x,
        sums.y_mean + y,
        sums.scatter + more.scatter - more.x_mean[:, None] * x[None],
        sums.cross + more.cross - _outer(more.x_mean, y),
        sums.energy + more.energy - more.y_mean * y,
    )


@border.columns(x="float [B, D]", y="float [B, ...]", mask="[B]?")
def ridge(penalty: Array | float, *, axis: str | None = None) -> Algorithm:
    """Least squares with a penalty, batch by batch; the state is `Sums`.

    A batch is `{"x": [B, D], "y": [B] or [B, M]}`, with an optional "mask" `[B]`, >= 0, that weighs the examples.
    Reports the `loss`, the squared error of an outcome by the weights before the batch is learned.

    Args:
      penalty: `[]` or `[D]` >= 0, as in `ridge_weights`; it only says how the state is read, and moves nothing.
      axis: as in `core.accumulate`.
    """

    def measure(key, sums, batch):
        x, y, weight = _weighted(batch)
        error = jnp.square(y - matmul(x, ridge_weights(sums, penalty))).reshape(len(x), -1).mean(1)
        return sums_about(sums, batch), {"loss": Mean.of(error, weight)}

    return Algorithm(lambda key, batch: no_sums(batch), accumulate(measure, merged_sums, axis))


def least_squares(*, axis: str | None = None) -> Algorithm:
    """`ridge` without a penalty: of all weights with the least error, the shortest."""
    return ridge(0.0, axis=axis)


def summed(x: Array, y: Array) -> Sums:
    """The sums of all data `x [N, D]` and `y [N]` or `[N, M]` at once."""
    chex.assert_rank(x, 2)
    chex.assert_equal_shape_prefix([x, y], 1)
    alg, batch, key = least_squares(), {"x": x, "y": y}, jax.random.key(0)
    return alg.step(key, alg.init(key, batch), batch)[0]


def rows(sums: Sums) -> tuple[Array, Array, Array]:
    """As few rows as say the same as all, `[D + 1, D]`, their outcomes `[D + 1]` or `[D + 1, M]`, and what is left.

    |y - X w|^2 = |outcomes - rows w|^2 + left,   left `[]` or `[M]` >= 0

    The means are one row; the others are a root of the scatter, whose directions of less than rounding's share are left
    out. Where columns lie far from 0 this is what X^T X, whose condition number is the square, no longer holds.
    """
    scale = _units(jnp.diag(sums.scatter))
    values, vectors = jnp.linalg.eigh(sums.scatter / scale[:, None] / scale[None])
    is_seen = values > len(scale) * jnp.finfo(values.dtype).eps * values[-1]
    root = jnp.sqrt(jnp.where(is_seen, values, 1))
    told = matmul(vectors.T, _times(1 / scale, sums.cross))
    told = _times(jnp.where(is_seen, 1 / root, 0), told)
    middle = jnp.sqrt(sums.count)
    spread = jnp.where(is_seen, root, 0)[:, None] * vectors.T * scale[None]
    left = jnp.maximum(sums.energy - jnp.square(told).sum(0), 0)
    return (
        jnp.concatenate([spread, middle * sums.x_mean[None]]),
        jnp.concatenate([told, middle * sums.y_mean[None]]),
        left,
    )


def ridge_weights(sums: Sums, penalty: Array | float = 0.0) -> Array:
    """The weights `[D]` or `[D, M]` of least penalised error: (sum x x^T + penalty I)^+ sum x y^T.

    In float32 directions along which rows, each column in its own deviations, have less than about 1e-6 of their
    variance are taken for none: sums tell no more. A column may lie 10^4 of its deviations from 0.

    Args:
      sums: of the data.
      penalty: `[]` or `[D]` >= 0, in squared units of x; 0 for a constant column. `alpha` of scikit-learn's `Ridge`.
    """
    few, outcomes, _ = rows(sums)
    return _least(few, outcomes, penalty)


def _least(few: Array, outcomes: Array, penalty: Array | float) -> Array:
    """Of rows and outcomes themselves."""
    decay = jnp.broadcast_to(jnp.asarray(penalty, few.dtype), few.shape[1:])
    system = jnp.concatenate([few, jnp.diag(jnp.sqrt(decay))])
    scale = _units(jnp.square(system).sum(0))
    left, singular, right = jnp.linalg.svd(system / scale[None], full_matrices=False)
    is_seen = singular > len(system) * jnp.finfo(few.dtype).eps * singular[0]
    told = _times(jnp.where(is_seen, 1 / jnp.where(is_seen, singular, 1), 0), matmul(left[: len(few)].T, outcomes))
    weights = _times(1 / scale, matmul(right.T, told))
    # The shortest of all that fit as well: less what lies along directions that no row has.
    unseen = jnp.where(is_seen[None], 0, right.T) / scale[:, None]
    return weights - matmul(unseen, matmul(jnp.linalg.pinv(unseen), weights))


def smoother(x: Array, new: Array, penalty: Array | float) -> Array:
    """`[T, N]`: what makes fits at rows `new [T, D]` of outcomes `[N]` at rows `x [N, D]`: ridge regression is linear.

    By the rows themselves, whose directions of more than about 1e-5 of the longest all count: sums know their squares.

    Args:
      x: rows to learn from.
      new: rows to fit.
      penalty: as in `ridge_weights`.
    """
    chex.assert_rank([x, new], 2)
    chex.assert_equal_shape_suffix([x, new], 1)
    return matmul(new, _least(x, jnp.eye(len(x), dtype=x.dtype), penalty))


def lasso_weights(
    sums: Sums, penalty: Array | float, *, tolerance: float = 1e-6, max_sweeps: int = 10_000
) -> tuple[Array, Array]:
    """The weights `[D]` of least error with a penalty on their sizes, many of them 0; and the sweeps `[]` it took.

    w_d <- soft(r_d, penalty) / x_d . x_d,   r_d = x_d . (y - sum_{e != d} x_e w_e),   in turn until none moves

    Args:
      sums: of the data, of outcomes that are numbers; a column of zeros has the weight 0.
      penalty: >= 0, in units of x y; N times `alpha` of scikit-learn's `Lasso`. All weights are 0 from the largest
        |projection| on.
      tolerance: > 0, of the largest move in a sweep, of the largest weight.
      max_sweeps: >= 1, after which whatever was reached is returned.
    Source: Tibshirani 1996, JRSS B 58(1); coordinate descent: Friedman, Hastie & Tibshirani 2010, Journal of
    Statistical Software 33(1), eq. 5.
    """
    chex.assert_rank(sums.cross, 1)
    few, outcomes, _ = rows(sums)
    diagonal = jnp.square(few).sum(0)

    def coordinate(d, carry):
        w, left = carry
        r = few[:, d] @ left + diagonal[d] * w[d]
        new = safe_ratio(jnp.sign(r) * jnp.maximum(jnp.abs(r) - penalty, 0), diagonal[d])
        return w.at[d].set(new), left - few[:, d] * (new - w[d])

    def sweep(carry):
        count, w, _ = carry
        new, _ = lax.fori_loop(0, len(w), coordinate, (w, outcomes - matmul(few, w)))
        return count + 1, new, jnp.abs(new - w).max() > tolerance * jnp.abs(new).max()

    def unfinished(carry):
        count, _, is_moving = carry
        return is_moving & (count < max_sweeps)

    count, w, _ = lax.while_loop(unfinished, sweep, (0, jnp.zeros_like(diagonal), True))
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
        x, y, weight = _weighted(batch)
        left = y - matmul(x, w)
        error = jnp.square(left).reshape(len(x), -1).mean(1)
        return (matmul((x * weight[:, None]).T, left), weight.sum()), {"loss": Mean.of(error, weight)}

    def move(w, sums):
        correlation, count = sums
        return w + learning_rate * correlation / jnp.maximum(count, 1e-6)

    return Algorithm(init, accumulate(measure, move, axis))


def _weighted(batch: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    return batch["x"], batch["y"], jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["y"].shape[:1])


def _outer(x: Array, y: Array) -> Array:
    return _times(x, jnp.broadcast_to(y[None], (len(x), *y.shape)))


def _times(values: Array, rows: Array) -> Array:
    """Each row `[...]` times its number."""
    return values.reshape(-1, *(1,) * (rows.ndim - 1)) * rows


def _units(square: Array) -> Array:
    """Lengths of columns from their squares; 1 of a column of zeros."""
    return jnp.sqrt(jnp.where(square > 0, square, 1))
