"""How pictures are seen by a model of their likelihood: as real numbers whose grey levels are filled up, or as bits."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data
from adl.autoencoder.vae import Likelihood, bernoulli, gaussian
from adl.core import Key, Probe
from adl.measure import levels
from adl.prob.distributions import normal_log_prob


class Pixels(NamedTuple):
    """A way to see pictures `[B, H, W, C]` uint8 as rows of D numbers, and to say how likely these are."""

    observe: Callable[[Key, Array], Array]  # (key, pictures [B, ...]) -> x [B, D]; each key anew
    likelihood: Likelihood  # (x [..., D], decoder's output [..., P]) -> log p(x|z) [...]
    mean: Callable[[Array], Array]  # decoder's output [..., P] -> expected pictures [..., D] in [0, 1]
    num_outputs: int  # P / D, numbers that the decoder says of each pixel


def binary() -> Pixels:
    """Bits: a pixel is 1 with the probability of its grey, drawn anew each time.

    Source: Salakhutdinov & Murray 2008 (ICML), section 6.
    """

    def observe(key: Key, image: Array) -> Array:
        return jax.random.bernoulli(key, data.image.unit(image)).astype(jnp.float32).reshape(len(image), -1)

    return Pixels(observe, bernoulli, jax.nn.sigmoid, num_outputs=1)


def dequantised(num_levels: int) -> Pixels:
    """Real numbers in [-1, 1): grey levels, spread over their width by `data.image.dequantised`.

    The likelihood is a Gaussian's, of means and log deviations, as a density of levels and not of what they are scaled
    to: so it bounds the probability of the levels, in nats. The spreading has a variance of its own, that of U[0, 1)
    in levels, which no decoder can foretell: to it the decoder adds what it says. So likelihoods stay finite whatever
    the first steps on large or glaring pictures make of the deviations.

    Args:
      num_levels: L >= 2.
    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
    """

    def observe(key: Key, image: Array) -> Array:
        return 2 * data.image.dequantised(key, image, levels=num_levels).reshape(len(image), -1) - 1

    def likelihood(x: Array, output: Array) -> Array:
        mean, log_std = jnp.split(output, 2, -1)
        log_std = jnp.logaddexp(2 * log_std, jnp.log((2 / num_levels) ** 2 / 12)) / 2
        return gaussian(x, jnp.concatenate([mean, log_std], -1)) - x.shape[-1] * jnp.log(num_levels / 2)

    def mean(output: Array) -> Array:
        return (jnp.split(output, 2, -1)[0] + 1) / 2

    return Pixels(observe, likelihood, mean, num_outputs=2)


def fixed(std: float) -> Pixels:
    """Numbers in [0, 1], each with Gaussian noise of one and the same standard deviation, which weighs errors.

    Where a decoder may say the noise itself, a few moving things can be noise to it, and nothing is coded. Bounds are
    of a density of pixels, and stand beside others of the same std alone.

    Args:
      std: > 0, of a pixel in [0, 1].
    """

    def observe(key: Key, image: Array) -> Array:
        return data.image.unit(image).reshape(len(image), -1)

    def likelihood(x: Array, output: Array) -> Array:
        return normal_log_prob(x, output, jnp.log(std)).sum(-1)

    return Pixels(observe, likelihood, lambda output: output, num_outputs=1)


def of_pictures(
    train: data.Split, test: data.Split, *, asked: int, kind: Literal["dequantised", "binary"] = "dequantised"
) -> Pixels:
    """How the pictures of two splits are seen.

    Args:
      train: "image", at least two that differ.
      test: "image".
      asked: grey levels, or 0, as in `data.image.num_levels`, which looks at them even where they become bits.
      kind: `dequantised` or `binary`.
    Raises:
      BadInput: as `data.image.num_levels`; or if there is nothing that a code could tell of a training picture.
    """
    data.image.require_different(train)
    levels = data.image.num_levels(train, test, asked=asked)
    return binary() if kind == "binary" else dequantised(levels)


def plain_bounds(train: data.Split, test: data.Split, *, asked: int) -> Probe:
    """Probe of log p(x) of test pictures by what needs no network, in nats an image, of the levels of `dequantised`.

    `independent`, exact: each pixel alone, by how often it has each level. `gaussian`, a bound: one of full covariance,
    of up to `levels.WIDEST` numbers. `uniform`.

    Args:
      train: "image", to count.
      test: "image", to judge.
      asked: as in `of_pictures`.
    """
    num_levels = data.image.num_levels(train, test, asked=asked)
    seen = [np.asarray(data.image.level_of(split.column("image"), levels=num_levels)) for split in (train, test)]
    nats = -seen[1][0].size * np.log(2)
    found = levels.baseline_bits(*seen, num_levels=num_levels)
    return levels.known({name: bits * nats for name, bits in found.items()})
