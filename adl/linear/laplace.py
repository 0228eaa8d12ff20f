"""Laplace's approximation: a posterior is taken for the normal distribution of its mode and its curvature there.

    p(w | data) ~ N(w_map, A^-1),   A = -d^2 log p(data, w) / dw^2 at w_map
    log p(data) ~ log p(data, w_map) + D / 2 log 2 pi - 1/2 log |A|

Source: Bishop 2006, Pattern Recognition and Machine Learning, sections 4.4 and 4.5.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from adl.core.types import Array


class NormalApproximation(NamedTuple):
    """A normal approximation."""

    mean: Array  # [D] the mode
    root: Array  # [D, D] lower Cholesky factor of the precision A
    log_evidence: Array  # [] in nats


def laplace(log_joint: Callable[[Array], Array], mode: Array) -> NormalApproximation:
    """The approximation about a mode.

    Args:
      log_joint: log p(data, w) `[]` of w `[D]`, in nats, with all its constants if the evidence is wanted.
      mode: `[D]`, where its gradient is zero and its Hessian negative definite.
    """
    chex.assert_rank(mode, 1)
    root = jnp.linalg.cholesky(-jax.hessian(log_joint)(mode))
    log_det = 2 * jnp.log(jnp.diag(root)).sum()
    return NormalApproximation(mode, root, log_joint(mode) + len(mode) / 2 * jnp.log(2 * jnp.pi) - log_det / 2)


def logistic_probability(approximation: NormalApproximation, x: Array) -> Array:
    """p(y = 1 | x, data) `[B]` of logistic regression at `x [B, D]`, the weights integrated out.

    sigmoid(m / sqrt(1 + pi v / 8)),   m and v the mean and variance of the log-odds: nearer to 1/2 than at the mode.

    Source: MacKay 1992, Neural Computation 4(5); Bishop 2006, eq. 4.155; within 0.02 of the integral.
    """
    chex.assert_shape(x, (None, len(approximation.mean)))
    variance = jnp.square(solve_triangular(approximation.root, x.T, lower=True)).sum(0)
    return jax.nn.sigmoid(x @ approximation.mean / jnp.sqrt(1 + jnp.pi * variance / 8))
