"""Whether a latent stands for a factor that pictures were made of, and for it alone.

    MIG = 1/F sum_k (I(z_1; v_k) - I(z_2; v_k)) / H(v_k),   of the two latents that say most of the factor v_k

I(z_j; v_k) = E log q(z_j|v_k) - E log q(z_j), where q(z_j) is the mixture of what the encoder says of all examples, and
q(z_j|v_k) that of the examples that have the value: both are exact sums, of which the mean is taken over draws. It lies
in [0, 1] but for its noise: 1 where each factor has a latent of its own that says it without error.

Source: Chen et al. 2018, arXiv:1802.04942, section 4.1, eq. 6 and appendix C.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial

from adl.core.types import Key, Mean, Probe, State
from adl.prob.distributions import normal_log_prob

ROWS = 50  # draws at a time whose densities under all examples are held


class InformationGap(NamedTuple):
    """What latents say of factors, in nats."""

    information: Array  # [Z, F] mutual information of each latent and factor
    entropy: Array  # [F] of each factor, among the examples
    gap: Array  # [F] in [0, 1]: the most over the second most, over the entropy; nan of a factor of one value
    score: Array  # [] mean gap over the factors that vary: the MIG


def information_gap(key: Key, mean: Array, log_std: Array, factors: Array, *, num_samples: int = 1) -> InformationGap:
    """How far each factor is said by one latent alone.

    Args:
      key: consumed.
      mean: `[N, Z]` of what the encoder says of each example, Z >= 2; of one latent there is no second.
      log_std: `[N, Z]` its log deviations. A code without noise has infinite information on its example: give it some.
      factors: `[N, F]` integers, the values from which each example was made; a continuous one in bins.
      num_samples: draws an example.
    Raises:
      AssertionError: at trace time, if shapes do not fit, or there is one latent.
    """
    chex.assert_equal_shape([mean, log_std])
    chex.assert_rank([mean, factors], 2)
    chex.assert_equal_shape_prefix([mean, factors], 1)
    chex.assert_axis_dimension_gteq(mean, 1, 2)
    chex.assert_type(factors, int)
    num = len(mean)
    size = lax.map(
        lambda value: (factors == value[None]).sum(0), factors, batch_size=ROWS
    )  # [N, F] with the same value

    def of_draw(row):
        z, value, size = row
        log_q = normal_log_prob(z[None], mean, log_std)  # [N, Z]
        within = jnp.where((factors == value[None])[:, None], log_q[:, :, None], -jnp.inf)
        given = jax.nn.logsumexp(within, 0) - jnp.log(size)[None]
        return given - (jax.nn.logsumexp(log_q, 0) - jnp.log(num))[:, None]  # [Z, F]

    def of_draws(key):
        z = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)
        return lax.map(of_draw, (z, factors, size), batch_size=ROWS).mean(0)

    information = lax.map(of_draws, jax.random.split(key, num_samples)).mean(0)
    entropy = -jnp.log(size / num).mean(0)
    most = lax.top_k(information.T, 2)[0]
    varies = size.min(0) < num
    gap = jnp.where(varies, (most[:, 0] - most[:, 1]) / jnp.where(varies, entropy, 1), jnp.nan)
    return InformationGap(information, entropy, gap, jnp.nanmean(gap))


def gaps(posterior: Callable[[State, Array], tuple[Array, Array]], x: Array, factors: Mapping[str, Array]) -> Probe:
    """Probe of `information_gap`.

    Args:
      posterior: `(state, x) -> means and log deviations, [N, Z] each`.
      x: `[N, ...]` examples.
      factors: `[N]` integers each, by name.
    Returns:
      `probe(key, state)`: `mig`, the score; `gap_NAME` of each factor; and `share` `[Z, F]`, the information over the
      factor's entropy.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Mean | Array]:
        x, values = columns
        found = information_gap(key, *posterior(state, x), values)
        each = {f"gap_{name}": Mean.of(found.gap[k]) for k, name in enumerate(factors)}
        return {"mig": Mean.of(found.score), **each, "share": found.information / found.entropy[None]}

    return Partial(probe, (x, jnp.stack(list(factors.values()), 1)))
