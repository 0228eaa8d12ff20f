"""The evidence lower bound of discrete latent variables, and its gap.

    ELBO(q) = sum_k q(k) (log p(x, k) - log q(k)) = log p(x) - KL(q || p(k | x))

EM climbs it by turns: the E-step in q, where it then touches log p(x); the M-step in the parameters.
Sources: Neal & Hinton 1998, A View of the EM Algorithm; Bishop 2006, eq. 9.70 to 9.72.
"""

import jax.numpy as jnp

from adl.core.types import Array
from adl.prob.information import entropy


def elbo(log_joint: Array, q: Array) -> Array:
    """`[]` the bound on log p(x) in nats, at most logsumexp of `log_joint`.

    Args:
      log_joint: `[K]` log p(x, k) of one x.
      q: `[K]` probabilities; any.
    """
    return jnp.where(q > 0, q * log_joint, 0).sum() + entropy(q)
