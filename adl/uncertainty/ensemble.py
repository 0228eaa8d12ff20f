"""Deep ensembles: several networks that differ by luck alone, asked for one answer and for how far they agree.

    p(y|x) = 1/M sum_m p(y|x, w_m)

Nothing here trains: `core.ensemble` makes of any algorithm the M members that learn side by side. Where members
disagree, the data have not settled what the answer is: that part of the uncertainty is epistemic, more data would
lessen it; what the members themselves are unsure of is aleatoric. Logits are `[M, ..., K]`, everything in nats.

Sources: Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4; Houlsby et al. 2011, arXiv:1112.5745, eq. 2.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

from adl.prob.distributions import categorical_entropy, log_shares


class Uncertainty(NamedTuple):
    """Entropy of an ensemble's prediction, `total = aleatoric + epistemic`, each >= 0."""

    total: Array  # [...] entropy of the mixture, at most log K
    aleatoric: Array  # [...] mean entropy of the members
    epistemic: Array  # [...] what the class would tell of the member: mutual information, at most log M


def mixture_log_prob(logits: Array) -> Array:
    """Log-probabilities `[..., K]` of the equal mixture of the members' predictions.

    log 1/M sum_m softmax(logits_m)

    By Jensen's inequality its likelihood and its Brier score are no worse than the members' on average; its accuracy
    and its calibration may be.

    Args:
      logits: `[M, ..., K]` of the members, each up to a constant.
    """
    log_prob = log_shares(logits)
    none = (log_prob == -jnp.inf).all(0)  # a class that all rule out must not reach a gradient
    mixed = jax.nn.logsumexp(jnp.where(none[None], 0, log_prob), 0) - jnp.log(len(logits))
    return jnp.where(none, -jnp.inf, mixed)


def uncertainty(logits: Array) -> Uncertainty:
    """Entropy of the mixture in its parts.

    H[1/M sum_m p_m] = 1/M sum_m H[p_m] + I,   I = 1/M sum_m KL(p_m || 1/M sum_n p_n)

    Args:
      logits: `[M, ..., K]` of the members.
    """
    total, aleatoric = categorical_entropy(mixture_log_prob(logits)), categorical_entropy(logits).mean(0)
    return Uncertainty(total, aleatoric, jnp.maximum(total - aleatoric, 0))


def disagreement(logits: Array) -> Array:
    """`[...]` share of the pairs of members that name different classes, in [0, 1].

    Args:
      logits: `[M, ..., K]` of M >= 2 members.
    Source: Fort et al. 2019, arXiv:1912.02757, section 4.
    """
    chex.assert_axis_dimension_gteq(logits, 0, 2)
    size, classes = len(logits), logits.shape[-1]
    votes = jax.nn.one_hot(logits.argmax(-1), classes).sum(0)
    votes = jnp.where(jnp.isnan(logits).any((0, -1))[..., None], jnp.nan, votes)
    return 1 - (votes * (votes - 1)).sum(-1) / (size * (size - 1))
