"""Bias and variance, computed: one fit for each of many data sets, and what their predictions have in common.

    E_D (f_D(x) - t)^2  =  (E_D f_D(x) - h(x))^2  +  Var_D f_D(x)  +  Var(t | x)
                           bias^2                    variance         noise

Sums over data sets have no order, so that they come in batches and on any number of devices.
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
    error: Array  # [..., T] sum
    square: Array  # [..., T] sum of squares


class Parts(NamedTuple):
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

    def measure(key, moments, batch):
        predictions = jax.vmap(fit)(batch)
        error = predictions - truth.reshape((1,) * (predictions.ndim - 1) + (-1,))
        sums = ErrorMoments(jnp.float32(len(error)), error.sum(0), jnp.square(error).sum(0))
        return sums, {"loss": Mean.of(jnp.square(error))}

    return Algorithm(init, accumulate(measure, lambda moments, more: jax.tree.map(jnp.add, moments, more), axis))


def parts(moments: ErrorMoments) -> Parts:
    """Bias^2 and variance `[..., T]` by at least two data sets, both without bias of their own; 0 by none.

    From L data sets the square of the mean error is too large by variance / L, which is taken off: bias2 may be
    slightly below 0 where it is nearly 0.
    """
    count = jnp.maximum(moments.count, 1)
    mean = moments.error / count
    variance = (moments.square / count - jnp.square(mean)) * count / jnp.maximum(count - 1, 1)
    return Parts(jnp.square(mean) - variance / count, variance)


def of_linear_fits(rows: Array, signal: Array, truth: Array, noise_std: Array | float) -> Parts:
    """Bias^2 and variance `[..., T]` of fits that are linear in the outcomes, in closed form.

    Args:
      rows: `[..., T, N]`: fits are rows @ outcomes, as of `regression.smoother`.
      signal: `[N]` means of the outcomes.
      truth: `[T]` what fits would best be.
      noise_std: >= 0, of each outcome about its mean, independently.
    """
    error = matmul(rows, signal) - truth.reshape((1,) * (rows.ndim - 2) + (-1,))
    return Parts(jnp.square(error), noise_std**2 * jnp.square(rows).sum(-1))


def compared(counted: Parts, exact: Parts) -> dict[str, Array]:
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
