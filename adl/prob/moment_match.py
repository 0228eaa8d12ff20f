"""Moment matching: the natural parameters whose mean parameters are given."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array

NEWTON = 100  # steps of Newton's method, at most


def moment_match(log_partition: Callable[[Array], Array], mean: Array, start: Array) -> Array:
    """eta `[P]` where grad A(eta) = mean, by damped Newton's method; differentiable in `mean`.

    Steps are shortened by 1 / (1 + decrement) while they are long, which keeps self-concordant functions within their
    domain. Source: Boyd & Vandenberghe 2004, Convex Optimization, section 9.6.4.

    nan where that has no answer, or none within `NEWTON` steps: a mean on the border of what is possible.

    Args:
      log_partition: A, convex, with a regular Hessian.
      mean: `[P]`.
      start: `[P]` within the domain of A.
    """
    chex.assert_equal_shape([mean, start])

    def newton(eta, target):
        slope = target - jax.grad(log_partition)(eta)
        step = jnp.linalg.solve(jax.hessian(log_partition)(eta), slope)
        return step, jnp.sqrt(jnp.maximum(slope @ step, 0))

    def move(carry):
        eta, _, count = carry
        step, decrement = newton(eta, fixed)
        tried = eta + jnp.where(decrement > 0.25, 1 / (1 + decrement), 1) * step
        tried, _ = lax.while_loop(
            lambda c: ~jnp.isfinite(log_partition(c[0])) & (c[1] < 60),
            lambda c: ((c[0] + eta) / 2, c[1] + 1),
            (tried, 0),
        )
        return tried, decrement, count + 1

    fixed = lax.stop_gradient(mean)
    first = (jnp.asarray(start, jnp.float32), jnp.float32(jnp.inf), 0)
    eta, decrement, _ = lax.while_loop(lambda c: (c[1] > 1e-4) & (c[2] < NEWTON), move, first)
    eta = lax.stop_gradient(jnp.where(decrement < 0.25, eta, jnp.nan))
    # One more step, of which only the slope depends on the mean: its derivative is that of the solution.
    return eta + jnp.linalg.solve(jax.hessian(log_partition)(eta), mean - jax.grad(log_partition)(eta))
