"""Random features: layers whose weights are drawn and never trained, and so linear models that kernels are limits of.

    phi(x) . phi(y) / H -> k(x, y) as H grows,   with an error of order 1 / sqrt(H)

A linear model of these features with weights of variance 1 is a network of one hidden layer; with H it becomes the
Gaussian process of the kernel, in its prior and in its posterior by `bayes`.
Sources: Rahimi & Recht 2007, NeurIPS 20; Neal 1996, Bayesian Learning for Neural Networks, chapter 2.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key
from adl.prob.product import einsum, matmul

Features = Callable[[Array], Array]  # rows [N, D] -> [N, H], already divided by sqrt(H)


def random_fourier(
    key: Key, x_dim: int, num_waves: int, *, length: Array | float = 1.0, dof: float = jnp.inf
) -> Features:
    """Cosine and sine of `num_waves` random frequencies in turn, H = 2 `num_waves`; phi(x) . phi(x) = 1 exactly.

    The frequencies are drawn from the kernel's spectrum: normal for `covariance.squared_exponential`, Student's t with
    2 nu degrees of freedom for `covariance.matern` of order nu.

    Args:
      key: consumed.
      x_dim: D.
      num_waves: >= 1.
      length: `[]` or `[D]` > 0, as of the kernel.
      dof: 2 nu > 0; infinite for the squared exponential.
    Source: Rahimi & Recht 2007, algorithm 1; of Matern's, Rasmussen & Williams 2006, eq. 4.15.
    """
    wave_key, scale_key = jax.random.split(key)
    frequency = jax.random.normal(wave_key, (x_dim, num_waves)) / jnp.broadcast_to(length, (x_dim,))[:, None]
    if dof < jnp.inf:
        frequency = frequency * lax.rsqrt(jax.random.gamma(scale_key, dof / 2, (1, num_waves)) * 2 / dof)

    def features(x):
        angle = matmul(x, frequency)
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1).reshape(len(x), -1) / jnp.sqrt(num_waves)

    return features


def hidden_layer(
    key: Key,
    x_dim: int,
    num_units: int,
    activation: Callable[[Array], Array],
    *,
    weight_variance: Array | float = 1.0,
    bias_variance: Array | float = 1.0,
) -> Features:
    """H = `num_units` hidden units activation(w . x + b) of a network with normal weights.

    Of `jax.nn.relu` and `jax.scipy.special.erf` the kernels are `covariance.relu_network` and `erf_network`.

    Args:
      key: consumed.
      x_dim: D.
      num_units: >= 1.
      activation: elementwise.
      weight_variance: `[]` or `[D]` > 0, of each of w.
      bias_variance: >= 0, of b.
    """
    weight_key, bias_key = jax.random.split(key)
    std = jnp.sqrt(jnp.broadcast_to(weight_variance, (x_dim,)))[:, None]
    weights = std * jax.random.normal(weight_key, (x_dim, num_units))
    bias = jnp.sqrt(bias_variance) * jax.random.normal(bias_key, (1, num_units))

    def features(x):
        return activation(matmul(x, weights) + bias) / jnp.sqrt(num_units)

    return features


def kernel_errors(units: Array, kernel: Array, *, width: int, num_doublings: int) -> Array:
    """`[1 + num_doublings]` rms distances of networks' kernels from their limit, over pairs of places and networks.

    Args:
      units: `[N, U]` of random features at N places, each by itself (times sqrt(H), where features are divided by it).
      kernel: `[N, N]` the limit.
      width: H >= 1 of the narrowest networks that the units are cut into.
      num_doublings: how often two networks become one of twice the width; `width` 2^`num_doublings` divides U.
    """
    cut = units.reshape(len(units), -1, width)
    grams, errors = einsum("inw,jnw->nij", cut, cut) / width, []
    for _ in range(num_doublings + 1):
        errors.append(jnp.sqrt(jnp.square(grams - kernel[None]).mean()))
        grams = 0.5 * (grams[0::2] + grams[1::2]) if len(errors) <= num_doublings else grams
    return jnp.stack(errors)
