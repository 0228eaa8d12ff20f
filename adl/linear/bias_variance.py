"""Bias and variance, computed: one fit for each of many data sets, and what their predictions have in common.

    E_D (f_D(x) - t)^2  =  (E_D f_D(x) - h(x))^2  +  Var_D f_D(x)  +  Var(t | x)
                           bias^2                    variance         noise

Sums over data sets have no order, so that they come in batches and on any number of devices; each batch's squares are
about its own mean, so that a small variance is not lost beside a large bias.
Source: Geman, Bienenstock & Doursat 1992, Neural Computation 4(1); Bishop 2006, eq. 3.40 to 3.44.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Mean, PyTree, accumulate, border, tree
from adl.core.types import Array
from adl.prob.product import matmul


class ErrorMoments(NamedTuple):
    """Of the predictions' errors f_D(x) - h(x)."""

    count: Array  # [] data sets seen
    mean: Array  # [..., T]
    scatter: Array  # [..., T] sum of squares about the mean


class ErrorParts(NamedTuple):
    """Of the expected squared error, at each of T points."""

    bias2: Array  # [..., T]
    variance: Array  # [..., T] >= 0


@border.rows
def decomposition(fit: Callable[[PyTree], Array], truth: Array, *, axis: str | None = None) -> Algorithm:
    """Fits of data set after data set; the state is `ErrorMoments`.

    A batch is B data sets: any pytree of leaves `[B, ...]`. Reports the `loss`: the mean squared distance of the fits
    from the truth, bias^2 + variance on average over everything.

    Args:
      fit: one data set -> predictions `[..., T]`, with any leading axes: settings to compare.
      truth: h `[T]`, what the predictions would best be.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        shape = jax.eval_shape(fit, tree.take(batch, 0)).shape
        return ErrorMoments(jnp.zeros(()), jnp.zeros(shape), jnp.zeros(shape))

    def errors(batch):
        predictions = jax.vmap(fit)(batch)
        return predictions - truth.reshape((1,) * (predictions.ndim - 1) + (-1,))

    def step(key, moments, batch):
        error = errors(batch)
        # Two looks at one batch: the mean of all devices' errors, and squares about it.
        total = accumulate(lambda key, _: ((jnp.float32(len(error)), error.sum(0)), {}), lambda _, sums: sums, axis)
        (count, total), _ = total(key, ())
        mean = total / count

        def measure(key, _):
            away = error - mean[None]
            return (away.sum(0), jnp.square(away).sum(0)), {"loss": Mean.of(jnp.square(error))}

        def move(moments, sums):
            rest, square = sums
            more = ErrorMoments(count, mean + rest / count, square - jnp.square(rest) / count)
            return _joined(moments, more)

        return accumulate(measure, move, axis)(key, moments)

    return Algorithm(init, step)


def parts(moments: ErrorMoments) -> ErrorParts:
    """Bias^2 and variance `[..., T]` by at least two data sets, both without bias of their own; 0 by none, nan by one.

    From L data sets the square of the mean error is too large by variance / L, which is taken off: bias2 may be
    slightly below 0 where it is nearly 0.
    """
    count = jnp.maximum(moments.count, 1)
    variance = jnp.where(moments.count == 1, jnp.nan, moments.scatter / jnp.maximum(moments.count - 1, 1))
    return ErrorParts(jnp.square(moments.mean) - variance / count, variance)


def _joined(moments: ErrorMoments, more: ErrorMoments) -> ErrorMoments:
    """As `prob.moments.joined`, each number by itself."""
    count = moments.count + more.count
    share, away = more.count / count, more.mean - moments.mean
    scatter = moments.scatter + more.scatter + moments.count * share * jnp.square(away)
    return ErrorMoments(count, moments.mean + share * away, scatter)


def of_linear_fits(rows: Array, signal: Array, truth: Array, noise_std: Array | float) -> ErrorParts:
    """Bias^2 and variance `[..., T]` of fits that are linear in the outcomes, in closed form.

    Args:
      rows: `[..., T, N]`: fits are rows @ outcomes, as of `regression.smoother`.
      signal: `[N]` means of the outcomes.
      truth: `[T]` what fits would best be.
      noise_std: >= 0, of each outcome about its mean, independently.
    """
    error = matmul(rows, signal) - truth.reshape((1,) * (rows.ndim - 2) + (-1,))
    return ErrorParts(jnp.square(error), noise_std**2 * jnp.square(rows).sum(-1))


def mean_fit(grid: Array, target: Array) -> Callable[..., Array]:
    """`(key, moments, x [B, 1]) -> [B, R]`, the mean of all fits between the places of a grid.

    Args:
      grid: `[T]` rising, where the fits are.
      target: `[T]` of which the moments are deviations.
    """

    def mean(key, moments, x):
        return jax.vmap(lambda fit: jnp.interp(x[:, 0], grid, fit), out_axes=1)(moments.mean + target[None])

    return mean


def compared(counted: ErrorParts, exact: ErrorParts) -> dict[str, Array]:
    """How far counted parts are from the exact ones, over settings.

    Args:
      counted: `[V, T]`, of V settings.
      exact: `[V, T]`.
    Returns:
      `best`, the index of the setting of least exact error; `bias2`, `variance` and `loss`, their sum, as counted
      there; `gap`, the largest distance of either part's mean over T from the exact one, of the sum of both; `excess`,
      the exact error of the setting that was counted best, of that of the best.
    """
    found, want = (jnp.stack([part.mean(-1) for part in parts]) for parts in (counted, exact))
    total, least = found.sum(0), want.sum(0)
    best, gap = least.argmin(), jnp.abs(found - want).max(0) / least
    there = {"bias2": found[0, best], "variance": found[1, best], "loss": total[best]}
    return {"best": best, **there, "gap": gap.max(), "excess": least[total.argmin()] / least.min()}
