"""What plain models hold for unlike the pictures that they were fitted to, a score each: higher is stranger.

By reconstruction: the distance to the plane of the first principal components. By likelihood: -log p(x) of a Gaussian,
of probabilistic PCA, of a mixture. By a likelihood ratio, -log p(x) / p_0(x), with a background p_0 of pixels that know
nothing of each other, some of them of any level: what makes any picture likely cancels, such as being near the mean. By
the nearest picture that is known. And by brightness alone, which is no model: what it tells, no model is needed for.
Source: Ren et al. 2019, arXiv:1906.02845, eq. 4 for the ratio, section 3 for the changed pixels of the background.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from adl.core.types import Key
from adl.latent import baselines, principal
from adl.prob import moments, neighbours
from adl.prob.distributions import normal_log_prob

CHANGED = 0.2  # share of the background's pixels that are of any level
NAMES = ("brightness", "ink", "reconstruction", "gaussian", "ppca", "mixture", "ratio", "neighbour")


class Judges(NamedTuple):
    """Everything that is fitted, to pictures `[N, D]` of which some count."""

    densities: dict[str, baselines.Density]
    plane: principal.Components  # of the first components
    mean: Array  # [D] of the background
    variance: Array  # [D] > 0
    known: Array  # [N, D] pictures, of which those of weight 0 are not known
    weight: Array  # [N]


def judges(
    key: Key, x: Array, weight: Array, *, levels: int, num_factors: int, num_components: int, ridge: float = 16.0
) -> Judges:
    """Fits; arguments as of `baselines.weighted_densities`. The first `num_factors` components make the plane."""
    size = {"levels": levels, "num_factors": num_factors, "num_components": num_components}
    densities = baselines.weighted_densities(key, x, weight, ridge=ridge, **size)
    of = moments.of(x, weight)
    variance = jnp.diagonal(densities["gaussian"].covariance)
    return Judges(densities, principal.components(of, num_factors), of.mean, variance, x, weight)


def novelty(fitted: Judges, x: Array) -> dict[str, Array]:
    """Scores `[M]` of pictures `x [M, D]` in [0, 1]^D, by `NAMES` in their order, higher for what is stranger.

    Of brightness the difference from what is usual, either way; "ink" is brightness itself.

    Args:
      fitted: of `judges`.
      x: the middles of grey levels, as those that were learned.
    """
    nll = {name: -jax.lax.map(density.log_prob, x, batch_size=256) for name, density in fitted.densities.items()}
    away = neighbours.squared_distances(x, fitted.known)
    brightness = x.mean(1) - fitted.mean.mean()
    return {
        "brightness": jnp.abs(brightness),
        "ink": brightness,
        "reconstruction": principal.errors(fitted.plane, x),
        **nll,
        "ratio": nll["mixture"] + background_log_prob(fitted, x),
        "neighbour": jnp.where(fitted.weight[None] > 0, away, jnp.inf).min(1),
    }


def background_log_prob(fitted: Judges, x: Array) -> Array:
    """`[M]` log p_0(x) in nats, of the background: the other half of a likelihood ratio, whatever the model.

    Args:
      fitted: of `judges`.
      x: `[M, D]` as in `novelty`.
    """
    alone = normal_log_prob(x, fitted.mean[None], 0.5 * jnp.log(fitted.variance)[None])
    return jnp.logaddexp(jnp.log1p(-CHANGED) + alone, jnp.log(CHANGED)).sum(1)
