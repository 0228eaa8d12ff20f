"""Stirling's series in the form that densities need: what is left of large logarithms after they have cancelled.

In float32 log Gamma(1e6) = 1.3e7 is known to a whole nat. Probabilities are ratios of such numbers, and are exact here
because the large parts are taken out by hand. Source: Loader 2000, Fast and Accurate Computation of Binomial
Probabilities.
"""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from adl.core.types import Array

LARGE = 10.0  # from here on the series are exact in float32
HALF_LOG_2PI = 0.9189385332046727


def stirling_error(a: Array) -> Array:
    """log Gamma(a + 1) - log(sqrt(2 pi a) (a / e)^a), elementwise `[...]`; a > 0.  1 / (12 a) for large a."""
    few, many = _parted(a)
    exact = gammaln(few + 1) - (few + 0.5) * jnp.log(few) + few - HALF_LOG_2PI
    r = 1 / many
    r2 = jnp.square(r)
    return jnp.where(a < LARGE, exact, r * (1 / 12 - r2 * (1 / 360 - r2 / 1260)))


def digamma_error(a: Array) -> Array:
    """psi(a) - log a < 0, elementwise `[...]`; a > 0.  -1 / (2 a) for large a."""
    few, many = _parted(a)
    r = 1 / many
    r2 = jnp.square(r)
    series = -r / 2 - r2 * (1 / 12 - r2 * (1 / 120 - r2 / 252))
    return jnp.where(a < LARGE, digamma(few) - jnp.log(few), series)


def _parted(a):
    """`a` where it is below `LARGE`, and where not, and what does no harm elsewhere; a tie halves no gradient."""
    is_few = a < LARGE
    return jnp.where(is_few, jnp.where(a == 0, jnp.finfo(jnp.float32).tiny, a), 1), jnp.where(is_few, LARGE, a)


def deviance(x: Array, mean: Array) -> Array:
    """x log(x / mean) + mean - x >= 0, elementwise `[...]`: exact also where x and mean nearly agree.

    Half the deviance of a Poisson variable.

    Args:
      x: >= 0; at 0 the value is `mean`.
      mean: > 0.
    """
    positive = jnp.where(x > 0, x, 1)
    log_ratio = jnp.where(x > 0, jnp.log(positive) - jnp.log(mean), 0)
    return deviance_of(x, mean, x - mean, log_ratio)


def deviance_of(x: Array, mean: Array, difference: Array, log_ratio: Array) -> Array:
    """`deviance` where x - mean and log(x / mean) are known better than from the two rounded numbers."""
    v = difference / (x + mean)
    is_near = jnp.abs(v) < 0.1
    v = jnp.where(is_near, v, 0)
    v2 = jnp.square(v)
    series = difference * v + 2 * x * v * v2 * (1 / 3 + v2 * (1 / 5 + v2 * (1 / 7 + v2 / 9)))
    return jnp.where(is_near, series, x * log_ratio - difference)


def log_poisson(x: Array, mean: Array) -> Array:
    """log(mean^x e^-mean / Gamma(x + 1)), elementwise `[...]`, for real x >= 0 and mean >= 0."""
    some = x > 0
    positive = jnp.where(some, x, 1)
    apart = deviance(positive, jnp.where(some, mean, 1))
    return jnp.where(some, -stirling_error(positive) - apart - 0.5 * jnp.log(positive) - HALF_LOG_2PI, -mean)


def log_multinomial(x: Array, mean: Array, log_mean: Array | None = None) -> Array:
    """log(Gamma(n + 1) prod_k (mean_k / n)^x_k / Gamma(x_k + 1)) `[...]`, with n = sum x = sum mean.

    It is the Poisson probability of each x_k given their sum; x is real.

    Args:
      x: `[..., K]` > 0.
      mean: `[..., K]` >= 0, of the same sum.
      log_mean: `[..., K]`, where it is known better than as the logarithm of a mean that may be 0.
    """
    n = x.sum(-1)
    log_ratio = jnp.log(x) - (jnp.log(mean) if log_mean is None else log_mean)
    each = -stirling_error(x) - deviance_of(x, mean, x - mean, log_ratio) - 0.5 * jnp.log(x) - HALF_LOG_2PI
    return each.sum(-1) + stirling_error(n) + 0.5 * jnp.log(n) + HALF_LOG_2PI


def gauss_legendre(num: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes `[num]` in (0, 1) and weights `[num]` of sum 1."""
    nodes, weights = np.polynomial.legendre.leggauss(num)
    return jnp.asarray((nodes + 1) / 2, jnp.float32), jnp.asarray(weights / 2, jnp.float32)


def nodes_to(end: Array, num: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes `[..., num]` in 0 ... `end` `[...]`, and weights `[num]` of sum 1."""
    nodes, weights = gauss_legendre(num)
    return end[..., None] * nodes.reshape((1,) * jnp.ndim(end) + (-1,)), weights


def safe_norm(x: Array) -> Array:
    """`[]` Euclidean norm of `x`, whose gradient at 0 is 0."""
    square = jnp.square(x).sum()
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def safe_log(x: Array) -> Array:
    """log x, elementwise `[...]`, x >= 0; at 0 it is -inf, and its gradient 0."""
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)), -jnp.inf)


def safe_ratio(a: Array, b: Array) -> Array:
    """a / b, elementwise `[...]`, b >= 0; where b is 0 it is 0, and so are its gradients."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)


def safe_product(a: Array, b: Array) -> Array:
    """a b, elementwise `[...]`; 0 where either is 0 and the other infinite, as 0 log 0 is, and so is that gradient."""
    none = ((a == 0) & jnp.isinf(b)) | ((b == 0) & jnp.isinf(a))
    return jnp.where(none, 0, a) * jnp.where(none, 0, b)
