"""Log-probabilities and divergences of the distributions that models put on data, latents and actions."""

import chex
import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from adl.core.types import Array
from adl.prob.special import safe_product


def bernoulli_log_prob(x: Array, logits: Array) -> Array:
    """Log-probability of binary `x`; finite at any finite logit, and right at infinite ones.

    log p(x) = x logits - softplus(logits)

    Args:
      x: `[...]` in {0, 1}, or in [0, 1] for the cross-entropy.
      logits: `[...]` log-odds of 1.
    """
    # softplus by hand: on CPU jax.nn.softplus takes eight times as long, and more than the decoder.
    # Both parts change sign at one place, so that the slope at 0 is x - 1/2, that of their sum.
    is_likely = logits >= 0
    log_other = jnp.log1p(jnp.exp(jnp.where(is_likely, -logits, logits)))
    return safe_product(x - jnp.where(is_likely, 1.0, 0.0), logits) - log_other


def normal_log_prob(x: Array, mean: Array, log_std: Array) -> Array:
    """Log-density of N(mean, exp(log_std)^2) at `x`, elementwise `[...]`."""
    return -0.5 * jnp.square((x - mean) * jnp.exp(-log_std)) - log_std - 0.5 * jnp.log(2 * jnp.pi)


def normal_kl(mean: Array, log_std: Array, other: Array | float = 0.0, log_other_std: Array | float = 0.0) -> Array:
    """KL(N(mean, exp(log_std)^2) || N(other, exp(log_other_std)^2)) >= 0 in nats, elementwise `[...]`.

    ((mean - other)^2 / other_std^2 + r^2 - 1) / 2 - log r,   r = std / other_std
    """
    log_ratio = log_std - log_other_std
    return 0.5 * (jnp.square((mean - other) * jnp.exp(-log_other_std)) + jnp.expm1(2 * log_ratio)) - log_ratio


def student_t_log_prob(x: Array, mean: Array, log_scale: Array, dof: Array) -> Array:
    """Log-density of Student's t with location and scale at `x`, elementwise `[...]`.

    log p(x) = log Gamma((v + 1) / 2) - log Gamma(v / 2) - log(v pi) / 2 - log scale - (v + 1) / 2 log(1 + z^2 / v)

    with z = (x - mean) / scale; accurate for large v too, and the normal density at v = inf.

    Args:
      x: `[...]`.
      mean: the location; the mean where v > 1.
      log_scale: of the scale, which is not the standard deviation.
      dof: v > 0, degrees of freedom.
    """
    z2 = jnp.square((x - mean) * jnp.exp(-log_scale))
    ratio = z2 / dof
    # log1p(ratio) / ratio, which is 1 at 0: the product with infinite dof is finite.
    shrink = jnp.where(ratio > 0, jnp.log1p(ratio) / jnp.where(ratio > 0, ratio, 1), 1)
    few = jnp.where(dof < 8, dof, 1.0)
    exact = gammaln((few + 1) / 2) - gammaln(few / 2) - 0.5 * jnp.log(few * jnp.pi)
    # Stirling's series of the two: in float32 their difference would be lost.
    r = 1 / jnp.where(dof < 8, 8.0, dof)
    series = -0.5 * jnp.log(2 * jnp.pi) - r / 4 + r**3 / 24
    return jnp.where(dof < 8, exact, series) - log_scale - 0.5 * (1 + 1 / dof) * z2 * shrink


def log_shares(logits: Array) -> Array:
    """Log-probabilities `[..., K]` of the classes: the logits less log sum_k exp(logits_k).

    Args:
      logits: `[..., K]`, up to a constant; -inf is a class that cannot be, and infinite ones share all. nan where none
        can be.
    """
    sure = logits == jnp.inf
    logits = jnp.where(sure.any(-1, keepdims=True), jnp.where(sure, 0, -jnp.inf), logits)
    return jax.nn.log_softmax(logits)


def categorical_log_prob(x: Array, logits: Array) -> Array:
    """Log-probability `[...]` in nats of the class `x`.

    log p(x) = logits_x - log sum_k exp(logits_k)

    Args:
      x: `[...]` integer in [0, K).
      logits: `[..., K]`, as of `log_shares`.
    """
    chex.assert_type(x, int)
    chex.assert_equal_rank([x[..., None], logits])
    return jnp.take_along_axis(log_shares(logits), x[..., None], -1)[..., 0]


def categorical_entropy(logits: Array) -> Array:
    """Entropy `[...]` in nats, in [0, log K], of the distribution over K classes with logits `[..., K]`.

    -sum_k p_k log p_k, where 0 log 0 = 0: classes with a logit of -inf do not count.
    """
    log_prob = log_shares(logits)
    return -safe_product(jnp.exp(log_prob), log_prob).sum(-1)
