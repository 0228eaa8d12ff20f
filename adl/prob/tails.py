"""Cumulative distribution functions of the gamma and the beta family, at any size of their parameters.

Series and continued fractions, JAX's among them, take more steps the larger the parameters are, and about powers that
are out of float32's range: from some thousands on they are wrong. Here a tail is what it is, an integral of a density.
In log x (in the log-odds of x) all of these densities are log-concave, so that away from the mode they fall at least
exponentially, and Gauss and Legendre's rule takes all that lies within `DEPTH` nats. The density is Loader's
(`prob.special`), in which nothing large is left. All is differentiable, in the parameters as well.
"""

import jax.numpy as jnp
from jax import lax

from adl.core.types import Array
from adl.prob.special import HALF_LOG_2PI, deviance_of, nodes_to, stirling_error

DEPTH = 20.0  # nats: 2e-9, nothing beside 1 in float32
NODES = 48
NEWTON = 10  # steps towards the place where a tail ends


def gamma_tails(a: Array, x: Array) -> tuple[Array, Array]:
    """P(X <= x) and P(X > x), elementwise `[...]`, of X ~ Gamma(a, 1): the regularised incomplete gamma functions.

    Their error is below 1e-5 from a = 1e-15 to 1e6, and below 1e-4 up to 1e8, where two neighbours of float32 are so
    far apart; the smaller of the two is right relatively, too.

    Args:
      a: > 0.
      x: in [0, inf].
    """
    inside = (x > 0) & (x < jnp.inf)
    a, safe = jnp.broadcast_arrays(a, jnp.where(inside, x, 1.0))
    is_low = safe <= a
    c = DEPTH / lax.stop_gradient(a)
    # Bounds of where a (e^-u - 1 + u), and a (e^u - 1 - u), exceed the depth.
    length = jnp.where(is_low, -_quadratic_then_linear(c), jnp.minimum(jnp.sqrt(2 * c), jnp.log1p(c + jnp.sqrt(2 * c))))
    shift, weights = nodes_to(length, NODES)
    k, mode, log_ratio = safe[..., None], a[..., None], (jnp.log(a) - jnp.log(safe))[..., None] - shift
    fallen = deviance_of(mode, k * jnp.exp(shift), mode - k - k * jnp.expm1(shift), log_ratio)
    log_peak = 0.5 * jnp.log(a) - stirling_error(a) - HALF_LOG_2PI
    tail = jnp.abs(length) * (jnp.exp(log_peak[..., None] - fallen) @ weights)
    return _both(tail, is_low, inside, x <= 0, x > 0)


def beta_tails(a: Array, b: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """P(X <= x) and P(X > x), elementwise `[...]`, of X ~ Beta(a, b): the regularised incomplete beta functions.

    Errors as of `gamma_tails`, of the larger of a and b.

    Args:
      a: > 0.
      b: > 0.
      x: in [0, 1].
      y: 1 - x, which where x is near 1 the caller knows better.
    """
    inside = (x > 0) & (y > 0)
    a, b, safe_x, safe_y = jnp.broadcast_arrays(a, b, jnp.where(inside, x, 0.5), jnp.where(inside, y, 0.5))
    is_low = b * safe_x <= a * safe_y
    a, b = jnp.where(is_low, a, b), jnp.where(is_low, b, a)  # an upper tail is the lower one of 1 - X
    low_x, low_y = jnp.where(is_low, safe_x, safe_y), jnp.where(is_low, safe_y, safe_x)
    n = a + b
    length = _lower_end(*map(lax.stop_gradient, (a, b)))
    shift, weights = nodes_to(length, NODES)
    p, q, total = low_x[..., None], low_y[..., None], n[..., None]
    rest = q + p * jnp.exp(-shift)
    above = (a * low_y - b * low_x)[..., None] - total * p * q * jnp.expm1(-shift) / rest  # a - n x there, >= 0
    of_x, of_y = total * p * jnp.exp(-shift) / rest, total * q / rest
    log_x = (jnp.log(a / n) - jnp.log(low_x))[..., None] + shift + jnp.log(rest)
    log_y = (jnp.log(b / n) - jnp.log(low_y))[..., None] + jnp.log(rest)
    fallen = deviance_of(a[..., None], of_x, above, log_x) + deviance_of(b[..., None], of_y, -above, log_y)
    log_peak = 0.5 * (jnp.log(a) + jnp.log(b / n)) - stirling_error(a) - stirling_error(b) + stirling_error(n)
    tail = length * (jnp.exp((log_peak - HALF_LOG_2PI)[..., None] - fallen) @ weights)
    return _both(tail, is_low, inside, x <= 0, y <= 0)


def _both(tail, is_low, inside, is_before, is_beyond):
    """Lower and upper tail, of which the smaller was computed; 0 and 1 outside, and nan of nan."""
    tail = jnp.where(tail > 1, 1.0, tail)
    low, high = jnp.where(is_low, tail, 1 - tail), jnp.where(is_low, 1 - tail, tail)
    return tuple(
        jnp.where(inside, inner, jnp.where(first, 0.0, jnp.where(last, 1.0, jnp.nan)))
        for inner, first, last in ((low, is_before, is_beyond), (high, is_beyond, is_before))
    )


def _lower_end(a, b):
    """How far below the mode, in log-odds, the density of Beta(a, b) has fallen by the depth, or a bit further.

    a u + n log(1 - a/n (1 - e^-u)) is convex: from beyond the root Newton's steps come down to it.
    """
    n = a + b
    first = jnp.minimum(_quadratic_then_linear(DEPTH / a * (n / b)), (DEPTH + n * jnp.log1p(a / b)) / a)

    def step(_, u):
        w = -jnp.expm1(-u)
        rest = b / n + a / n * jnp.exp(-u)
        log_rest = jnp.where(rest < 0.5, jnp.log(rest), jnp.log1p(-jnp.minimum(a / n * w, 0.9)))
        return u - (a * u + n * log_rest - DEPTH) * rest / (a * (b / n) * w)

    return lax.fori_loop(0, NEWTON, step, first)


def _quadratic_then_linear(c):
    """u with u^2 / (2 + u) = c, which e^-u - 1 + u exceeds."""
    return c * (1 + jnp.sqrt(1 + 8 / c)) / 2
