"""Simulation-based calibration: a sampler of posteriors is right if the truth's rank among its draws is uniform.

    theta ~ p(theta),   y ~ p(y | theta),   theta_1 ... theta_L ~ p(theta | y)   =>   #{theta_l < theta} ~ U{0 ... L}

Ranks that pile up in the middle tell of posteriors that are too wide, at both ends too narrow, at one end biased.
Source: Talts et al. 2018, arXiv:1804.06788, theorem 1 and algorithm 2.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key, PyTree


def calibration_ranks(
    key: Key,
    prior: Callable[[Key], Array],
    simulate: Callable[[Key, Array], PyTree],
    posterior: Callable[[Key, PyTree], Array],
    *,
    num_simulations: int,
) -> Array:
    """Ranks `[S, D]` in 0 ... L of true parameters among draws of their posteriors; -1 where one is not a number.

    Args:
      key: consumed.
      prior: `prior(key) -> [D]` true parameters.
      simulate: `simulate(key, parameters) -> y` data.
      posterior: `posterior(key, y) -> [L, D]` draws by the sampler that is judged; they must be about independent:
        of a chain, thinned.
      num_simulations: S >= 1.
    """

    def one(key):
        prior_key, data_key, posterior_key = jax.random.split(key, 3)
        truth = prior(prior_key)
        draws = posterior(posterior_key, simulate(data_key, truth))
        is_known = ~(jnp.isnan(draws).any(0) | jnp.isnan(truth))
        return jnp.where(is_known, (draws < truth[None]).sum(0), -1)

    return jax.vmap(one)(jax.random.split(key, num_simulations))
