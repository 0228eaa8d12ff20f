"""Covariance functions: how much alike a Gaussian process takes the values at two places to be.

A kernel maps rows `[N, D]` and `[M, D]` to the matrix `[N, M]`; a factory holds its hyper-parameters, which may be
traced. Sums and products of kernels are kernels. All here have the variance 1, but `linear`, `constant` and those of
networks: `scaled` gives another.
Sources: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, chapter 4; of networks Williams 1997,
NeurIPS 9, and Cho & Saul 2009, NeurIPS 22.
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Literal

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.prob.product import matmul
from adl.prob.special import safe_ratio

Kernel = Callable[[Array, Array], Array]  # (x [N, D], y [M, D]) -> [N, M]
NEAR = 1e-4  # lengths within which two places are one to the derivative of `matern` of order 1/2
FAR = 200.0  # lengths from which on exp(-r) is 0 in float32, whatever it is multiplied by


def squared_exponential(length: Array | float) -> Kernel:
    """exp(-|x - y|^2 / (2 length^2)): functions with all derivatives.

    Args:
      length: `[]` or `[D]` > 0, over which functions change, in units of x; one for each column tells which matter.
    """
    return lambda x, y: jnp.exp(-0.5 * squared_differences(x, y, length))


def matern(length: Array | float, order: Literal["1/2", "3/2", "5/2"]) -> Kernel:
    """Rougher than `squared_exponential`: functions with 0, 1 or 2 derivatives.

    exp(-r),   (1 + s) exp(-s),   (1 + t + t^2 / 3) exp(-t),   r = |x - y| / length, s = sqrt(3) r, t = sqrt(5) r

    Args:
      length: as of `squared_exponential`.
      order: nu.
    """
    scale, polynomial, slope = {
        # The roughest has an infinite slope at 0, that no derivative of a distance reaches.
        "1/2": (1.0, lambda r: jnp.ones_like(r), lambda r: jnp.where(r > NEAR, 0.5 / jnp.maximum(r, NEAR), 0)),
        "3/2": (math.sqrt(3), lambda r: 1 + r, lambda r: jnp.full_like(r, 1.5)),
        "5/2": (math.sqrt(5), lambda r: 1 + r + jnp.square(r) / 3, lambda r: (1 + r) * (5 / 6)),
    }[order]

    @jax.custom_jvp
    def of_square(square):
        r = jnp.minimum(scale * _root(square), FAR)
        return polynomial(r) * jnp.exp(-r)

    @of_square.defjvp
    def of_square_jvp(primals, tangents):
        # By the square, not by the distance, which would divide by it what rounding leaves.
        (square,), (change,) = primals, tangents
        r = jnp.minimum(scale * _root(square), FAR)
        return of_square(square), -slope(r) * jnp.exp(-r) * change

    return lambda x, y: of_square(squared_differences(x, y, length))


def rational_quadratic(length: Array | float, mixture: Array | float) -> Kernel:
    """(1 + |x - y|^2 / (2 mixture length^2))^-mixture: `squared_exponential`s of many lengths at once.

    Args:
      length: as of `squared_exponential`.
      mixture: > 0; the larger, the less the lengths differ.
    """
    return lambda x, y: jnp.exp(-mixture * jnp.log1p(squared_differences(x, y, length) / (2 * mixture)))


def periodic(length: Array | float, period: Array | float) -> Kernel:
    """exp(-2 sum_d sin^2(pi (x_d - y_d) / period) / length^2): functions that repeat, along each column.

    Args:
      length: > 0, without a unit: a period is a circle of radius 1.
      period: > 0, in units of x.
    """

    def part(difference):
        # What is left of whole periods is exact; the angle of a large number is not.
        return jnp.square(jnp.sin(jnp.pi / period * lax.rem(difference, jnp.asarray(period, difference.dtype))))

    return lambda x, y: jnp.exp(-2 / jnp.square(length) * _over_columns(part, x, y))


def linear(variance: Array | float = 1.0) -> Kernel:
    """sum_d variance_d x_d y_d: of Bayesian linear regression, whose weights have this variance, `[]` or `[D]`."""
    return lambda x, y: matmul(x * _row(variance, x), y.T)


def constant(variance: Array | float = 1.0) -> Kernel:
    """One number for all places: an offset of this variance."""
    return lambda x, y: jnp.full((len(x), len(y)), variance, x.dtype)


def relu_network(weight_variance: Array | float, bias_variance: Array | float) -> Kernel:
    """E[relu(u) relu(v)], the kernel of infinitely many hidden units relu(w . x + b) with weights of variance 1 after.

    |x| |y| (sin a + (pi - a) cos a) / (2 pi),   a the angle of x and y, both in the metric of the weights

    Args:
      weight_variance: `[]` or `[D]` > 0, of each of w.
      bias_variance: >= 0, of b.
    Source: Cho & Saul 2009, eq. 3 and 6, of order 1.
    """

    def kernel(x, y):
        across, at_x, at_y = _preactivations(x, y, weight_variance, bias_variance)
        return _arc_cosine(across, at_x[:, None], at_y[None])

    return kernel


@jax.custom_jvp
def _arc_cosine(across: Array, at_x: Array, at_y: Array) -> Array:
    size, _, sine, angle = _angle(across, at_x, at_y)
    return (size * sine + (jnp.pi - angle) * across) / (2 * jnp.pi)


@_arc_cosine.defjvp
def _arc_cosine_jvp(primals, tangents):
    """By the angle itself, which is no function of its cosine where two rows point one way."""
    _, ratio, sine, angle = _angle(*primals)
    across, at_x, at_y = tangents
    # At a row of zeros, where there is no derivative, the mean of those of both sides.
    sides = safe_ratio(sine, ratio) * at_x + sine * ratio * at_y
    return _arc_cosine(*primals), ((jnp.pi - angle) * across + 0.5 * sides) / (2 * jnp.pi)


def erf_network(weight_variance: Array | float, bias_variance: Array | float) -> Kernel:
    """E[erf(u) erf(v)], of infinitely many hidden units erf(w . x + b); arguments as of `relu_network`.

    2 / pi arcsin(2 s_xy / sqrt((1 + 2 s_xx) (1 + 2 s_yy))),   s_xy = bias_variance + sum_d weight_variance_d x_d y_d

    Source: Williams 1997, eq. 11.
    """

    def kernel(x, y):
        across, at_x, at_y = _preactivations(x, y, weight_variance, bias_variance)
        apart = squared_differences(x, y, lax.rsqrt(jnp.asarray(weight_variance, x.dtype)))
        # The arcsine by its tangent: near 1 its argument is rounded. s_xx s_yy - s_xy^2 by the rows' difference.
        at_x, at_y = at_x[:, None], at_y[None]
        long, wide = jnp.sqrt(1 + 2 * at_x), jnp.sqrt(1 + 2 * at_y)
        plane = at_x / long / long * (apart / wide / wide) - jnp.square((across - at_x) / long / wide)
        square = 1 / jnp.square(wide) + 2 * at_y / wide / wide / long / long + 4 * jnp.maximum(plane, 0)
        return 2 / jnp.pi * jnp.arctan2(2 * across / long / wide, jnp.sqrt(square))

    return kernel


def scaled(kernel: Kernel, variance: Array | float) -> Kernel:
    """`variance` > 0 times the kernel."""
    return lambda x, y: variance * kernel(x, y)


def added(*kernels: Kernel) -> Kernel:
    """Of a sum of independent functions."""
    return lambda x, y: functools.reduce(operator.add, [kernel(x, y) for kernel in kernels])


def multiplied(*kernels: Kernel) -> Kernel:
    """Alike where all are: of the product of two independent functions, which is no longer Gaussian."""
    return lambda x, y: functools.reduce(operator.mul, [kernel(x, y) for kernel in kernels])


def warped(kernel: Kernel, transform: Callable[[Array], Array]) -> Kernel:
    """Of functions of transform(x), `[N, D] -> [N, E]`."""
    return lambda x, y: kernel(transform(x), transform(y))


def variances(kernel: Kernel, x: Array) -> Array:
    """k(x, x) `[N]` of rows `[N, D]`, without the matrix."""
    chex.assert_rank(x, 2)
    return jax.vmap(lambda row: kernel(row[None], row[None])[0, 0])(x)


def squared_differences(x: Array, y: Array, length: Array | float = 1.0) -> Array:
    """sum_d ((x_nd - y_md) / length_d)^2 `[N, M]` of rows `[N, D]` and `[M, D]`; `length` `[]` or `[D]`.

    From their differences, and so are its derivatives: wherever the rows lie it is accurate near 0, and at 0 exact.
    """
    return _over_columns(lambda difference, length: jnp.square(difference / length), x, y, _row(length, x)[0])


def _over_columns(part: Callable[..., Array], x: Array, y: Array, *others: Array) -> Array:
    """sum_d part(x_nd - y_md, others_d) `[N, M]`, a column at a time."""
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)

    @functools.partial(jax.checkpoint, prevent_cse=False)  # its derivative takes differences again, and keeps none
    def add(total, columns):
        a, b, *others = columns
        return total + part(a[:, None] - b[None], *others), None

    return lax.scan(add, jnp.zeros((len(x), len(y)), x.dtype), (x.T, y.T, *others), unroll=8)[0]


def _row(values: Array | float, x: Array) -> Array:
    return jnp.broadcast_to(jnp.asarray(values, x.dtype), x.shape[1:])[None]


def _root(square: Array) -> Array:
    """Its derivative is taken for 0 at 0, where those of the distance are."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _preactivations(x, y, weight_variance, bias_variance):
    kernel = linear(weight_variance)
    own = (jnp.square(z) * _row(weight_variance, z) for z in (x, y))
    return kernel(x, y) + bias_variance, *(squares.sum(1) + bias_variance for squares in own)


def _angle(across, at_x, at_y):
    """Of two rows: the product and the ratio of their lengths, the sine of their angle, and the angle."""
    long, wide = _root(at_x), _root(at_y)
    cosine = jnp.clip(safe_ratio(safe_ratio(across, long), wide), -1, 1)
    sine = jnp.sqrt((1 - cosine) * (1 + cosine))
    return long * wide, safe_ratio(long, wide), sine, jnp.arctan2(sine, cosine)
