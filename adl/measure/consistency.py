"""Consistency of Gaussian beliefs: whether their errors are as large as they say.

Source: Bar-Shalom, Li & Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, section 5.4.
"""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.prob.gaussian import MultivariateNormal

NEES = "mean over 1,024 tracks and 4 dimensions of the squared error of a state in units of its posterior covariance"


def normalised_error(x: Array, belief: MultivariateNormal) -> Array:
    """`[T]` mean over B and D of the squared error in units of the covariance; 1 in expectation if the belief is right.

    (x - m)' S^-1 (x - m) / D;   B D times its mean over B is chi-squared of B D degrees.

    Args:
      x: `[B, T, D]` the truth.
      belief: mean `[B, T, D]` and covariance `[B, T, D, D]`.
    """
    chex.assert_equal_shape([x, belief.loc])
    error = x - belief.loc
    scaled = jnp.linalg.solve(belief.covariance, error[..., None])[..., 0]
    return (error * scaled).sum(-1).mean(0) / x.shape[-1]


def root_mean_square(x: Array, belief: MultivariateNormal, dims: Sequence[int]) -> Array:
    """`[2, T]` error of these dimensions over B: as it is, and as the belief expects it.

    Args:
      x: `[B, T, D]` the truth.
      belief: mean `[B, T, D]` and covariance `[B, T, D, D]`.
      dims: of the D.
    """
    chex.assert_equal_shape([x, belief.loc])
    dims = np.asarray(dims)
    error = jnp.square(x - belief.loc)[..., dims].mean((0, 2))
    variance = jnp.diagonal(belief.covariance, axis1=-2, axis2=-1)[..., dims].mean((0, 2))
    return jnp.sqrt(jnp.stack([error, variance]))
