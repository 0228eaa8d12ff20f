"""Decisions: what to say when it is known how probable each class is, and how good a score is at telling two apart.

Source: Bishop 2006, Pattern Recognition and Machine Learning, section 1.5.
"""

import chex
import jax.numpy as jnp

from adl.core.types import Array

REJECT = -1  # the decision to leave it to somebody else


def expected_loss(probability: Array, loss: Array) -> Array:
    """`[..., A]` expected losses of A actions, sum_k p_k loss_ka.

    Args:
      probability: `[..., K]` of the classes.
      loss: `[K, A]` of an action where the class is k, in any unit; infinite where it must not be taken.
    """
    chex.assert_shape(loss, (probability.shape[-1], None))
    probability = probability[..., None]
    # An action may be forbidden in a class: what is impossible costs nothing, however much.
    return jnp.where(probability == 0, 0, probability * loss.reshape((1,) * (probability.ndim - 2) + loss.shape)).sum(
        -2
    )


def decide(probability: Array, loss: Array) -> Array:
    """`[...]` the action of least expected loss; arguments as in `expected_loss`; `REJECT` where one is nan.

    Source: Bishop 2006, eq. 1.81.
    """
    expected = expected_loss(probability, loss)
    return jnp.where(jnp.isnan(expected).any(-1), REJECT, expected.argmin(-1))


def decide_or_reject(probability: Array, threshold: Array | float) -> Array:
    """`[...]` the likeliest class, or `REJECT` where its probability is less than `threshold`, in [0, 1], or nan.

    With errors that cost 1 and rejections that cost c this is the decision of least loss for the threshold 1 - c.

    Args:
      probability: `[..., K]` of the classes.
      threshold: at most 1 / K: nothing is rejected; above 1: everything.
    """
    return jnp.where(probability.max(-1) >= threshold, probability.argmax(-1), REJECT)
