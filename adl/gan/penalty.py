"""Regularisers of a discriminator by its slope: what an objective alone lets grow without bound.

A penalty is `(key, critic, real, fake) -> [B]`, to be added to the discriminator's losses; `critic` gives logits `[B]`
of examples `[B, ...]`. Each is the mean of a function of the slope |d a(x) / dx| at other points x. Examples must not
see each other in the critic (no batch normalisation), or the slope of one is not its own.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from adl.core import Key

Critic = Callable[[Array], Array]  # examples [B, ...] -> logits [B]
Penalty = Callable[[Key, Critic, Array, Array], Array]  # (key, critic, real [B, ...], fake [B, ...]) -> [B]


def gradient_penalty(weight: float = 10.0) -> Penalty:
    """weight (|grad a(x)| - 1)^2 between data and fakes: the slope of a critic that measures the Wasserstein distance.

    x = u real + (1 - u) fake,   u ~ U[0, 1] for each pair.

    Args:
      weight: >= 0, lambda of the source.
    Source: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.
    """

    def penalty(key, critic, real, fake):
        u = jax.random.uniform(key, (len(real), *[1] * (real.ndim - 1)))
        squared = squared_slopes(critic, u * real + (1 - u) * fake)
        return weight * jnp.square(jnp.sqrt(squared + 1e-12) - 1)  # the root of 0 has no gradient

    return penalty


def r1(gamma: float) -> Penalty:
    """gamma / 2 |grad a(x)|^2 on data: a discriminator that is flat where the game is won, and so lets it end.

    Args:
      gamma: >= 0, in squared units of the data.
    Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 9.
    """
    return lambda key, critic, real, fake: gamma / 2 * squared_slopes(critic, real)


def r2(gamma: float) -> Penalty:
    """gamma / 2 |grad a(x)|^2 on fakes.

    Args:
      gamma: >= 0, in squared units of the data.
    Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 10.
    """
    return lambda key, critic, real, fake: gamma / 2 * squared_slopes(critic, fake)


PENALTIES = {"none": (), "r1": (r1,), "gradient": (gradient_penalty,)}  # what a game may add, by a word


def squared_slopes(critic: Critic, x: Array) -> Array:
    """`[B]` squared Euclidean norms of the gradient of the critic at examples `x` `[B, ...]`."""
    slopes = jax.grad(lambda x: critic(x).sum())(x)
    return jnp.square(slopes).reshape(len(x), -1).sum(1)
