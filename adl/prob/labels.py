"""Labels under log-odds: how surprising one is, and whether the likeliest is right."""

import chex
import jax.numpy as jnp
from jax import Array, lax

from adl.prob.special import safe_product


def cross_entropy(logits: Array, label: Array, *, label_smoothing: Array | float | None = None) -> Array:
    """Surprise at the right class, in nats, with some of the target's weight spread over all classes.

    -sum_k q_k log softmax(logits)_k,   q_k = (1 - s) [k = label] + s / K

    Args:
      logits: `[..., K]` log-odds, finite or -inf, a class that cannot be; of +inf there is no loss: nan.
      label: `[...]` integers in 0 ... K - 1.
      label_smoothing: s in [0, 1); None or 0 is the negative log-likelihood.

    Returns:
      `[...]` losses >= 0, in nats.

    Raises:
      AssertionError: at trace time, if the shapes do not fit, or labels are no integers.

    Source: label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    chex.assert_shape(logits, (*label.shape, None))
    chex.assert_type(label, int)
    # Relative to the largest, so that great logits cost no digits; each by itself, so that no [..., K] is kept.
    top = lax.stop_gradient(logits.max(-1))
    log_z = jnp.log(jnp.exp(logits - top[..., None]).sum(-1))
    losses = log_z + (top - jnp.take_along_axis(logits, label[..., None], -1)[..., 0])
    if label_smoothing is None:
        return losses
    return (1 - label_smoothing) * losses + safe_product(label_smoothing, log_z + (top - logits.mean(-1)))


def is_correct(logits: Array, label: Array) -> Array:
    """`[...]` 1.0 where the largest of `logits` `[..., K]` is that of `label` `[...]`, else 0.0; nan of nan."""
    chex.assert_shape(logits, (*label.shape, None))
    return jnp.where(jnp.isnan(logits).any(-1), jnp.nan, logits.argmax(-1) == label).astype(jnp.float32)
