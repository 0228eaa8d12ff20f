"""Kernel densities: a Gaussian around each of many points."""

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.prob.neighbours import squared_distances


def gaussian_log_prob(x: Array, centers: Array, bandwidth: Array | float, *, chunk: int | None = None) -> Array:
    """`[N]` log-density at `x` of equally many Gaussians around each center.

    log p(x) = log 1/M sum_m N(x; c_m, bandwidth^2 I)

    Around data it is the kernel density estimate; around the exact places of a distribution that Gaussian noise was
    added to, it is that distribution's density.

    Args:
      x: `[N, D]`.
      centers: `[M, D]`.
      bandwidth: `[]` > 0, standard deviation in units of `x`.
      chunk: points at a time, so that memory does not grow with N; None: all at once.
    Source: Parzen 1962, Annals of Mathematical Statistics 33(3).
    """
    chex.assert_rank([x, centers], 2)
    chex.assert_equal_shape_suffix([x, centers], 1)
    if chunk is not None:
        return lax.map(lambda point: gaussian_log_prob(point[None], centers, bandwidth)[0], x, batch_size=chunk)
    exponents = -0.5 * squared_distances(x / bandwidth, centers / bandwidth)  # its square may be out of range
    normaliser = jnp.log(len(centers)) + x.shape[1] * (jnp.log(bandwidth) + 0.5 * jnp.log(2 * jnp.pi))
    return jax.nn.logsumexp(exponents, 1) - normaliser
