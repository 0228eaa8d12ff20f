"""Two levels of latents: what is low is drawn about what the high level says of it, by the model and by its encoder.

    p(x, z) = p(x|z_1) p(z_1|z_2) p(z_2),   q(z|x) = q(z_2|x) q(z_1|x, z_2)

By the ladder, q(z_1|x, z_2) is what the picture says of z_1 times what the model expects of it, normalised: of two
Gaussians a Gaussian, whose precision is the sum of theirs. So both directions share the way down, and the lower level's
divergence is small where the model is right. `plain` leaves what the model expects out.

Sources: Sønderby et al. 2016, arXiv:1602.02282, eq. 7 to 10; plain: Rezende et al. 2014, arXiv:1401.4082, section 2.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.tree_util import Partial

from adl.autoencoder.latents import DiagonalNormal, standard
from adl.autoencoder.vae import Gaussian
from adl.core.types import Array, Key
from adl.nn.mlp import MLP

Pair = tuple[Array, Array]  # z_1 [..., B, Z_1], z_2 [..., B, Z_2]


class Levels(NamedTuple):
    """A distribution of z = (z_1, z_2): the high level, and what the low one is drawn about."""

    high: DiagonalNormal  # of z_2
    below: Partial  # z_2 [..., Z_2] -> DiagonalNormal of z_1

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Pair:
        """Draws, of `[*shape, B, Z_1]` and `[*shape, B, Z_2]`; of a prior that holds scalars, shape ends in Z_2."""
        return self.sample_and_log_prob(key, shape)[0]

    def log_prob(self, z: Pair) -> Array:
        """`[..., B]` of both levels together."""
        low, high = z
        return self.high.log_prob(high) + self.below(high).log_prob(low)

    def sample_and_log_prob(self, key: Key, shape: tuple[int, ...] = ()) -> tuple[Pair, Array]:
        """`sample`, and its log-density."""
        high_key, low_key = jax.random.split(key)
        high, of_high = self.high.sample_and_log_prob(high_key, shape)
        low, of_low = self.below(high).sample_and_log_prob(low_key)
        return (low, high), of_high + of_low

    def kl(self, prior: "Levels", z: Pair) -> Array:
        """`[B]` KL of the high level, and of the low one at the draw of the high one, each in closed form."""
        return self.high.kl(prior.high) + self.below(z[1]).kl(prior.below(z[1]))


class TwoLevels(nn.Module):
    """A `VAE` of two levels, for every bound and factory that takes one.

    The way down is part of what the encoder returns: it neither drops units nor normalises over a batch.
    """

    up: nn.Module  # x [B, ...] -> features [B, F]
    low: nn.Module  # features -> what the picture says of z_1, a DiagonalNormal
    high: nn.Module  # features -> q(z_2|x)
    down: nn.Module  # z_2 [..., Z_2] -> [..., 2 Z_1], p(z_1|z_2)
    decoder: nn.Module  # z_1 [N, Z_1] -> [N, P]
    inference: Literal["ladder", "plain"] = "ladder"  # what the encoder of z_1 is told of z_2

    def encode(self, x: Array) -> Levels:
        """q(z|x) for `x [B, ...]`."""
        features = self.up(x)
        seen, high = self.low(features), self.high(features)
        if self.inference == "plain":
            return Levels(high, Partial(_regardless, seen))
        return Levels(high, Partial(_weighed, seen, self._way_down()))

    def decode(self, z: Pair, num_axes: int | None = None) -> Array:
        """Parameters `[..., P]` of p(x|z), which z_1 alone decides."""
        low = z[0]
        del num_axes
        output = self.decoder(low.reshape(-1, low.shape[-1])).astype(jnp.float32)
        return output.reshape(*low.shape[:-1], output.shape[-1])

    def prior(self) -> Levels:
        """p(z): the high level is standard normal."""
        return Levels(standard(), self._way_down())

    def __call__(self, key: Key, x: Array) -> Array:
        """Parameters of p(x|z) at one draw of z; for initialisation. The key is consumed."""
        self.down(self.high(self.up(x)).mean)  # its parameters, which are read rather than called for
        return self.decode(self.encode(x).sample(key))

    def _way_down(self) -> Partial:
        """The way down as a tree: its parameters travel with the distribution that needs them."""
        module, variables = self.down.unbind()
        return Partial(_Expected(module), variables)


def two_levels(
    latent_dims: tuple[int, int],
    hidden: Sequence[int],
    output_dim: int,
    activation: Callable[[Array], Array] = nn.silu,
    inference: Literal["ladder", "plain"] = "ladder",
    dtype: jnp.dtype = jnp.float32,
) -> TwoLevels:
    """Multilayer perceptrons around two levels of latents.

    Args:
      latent_dims: Z_1 and Z_2, >= 1.
      hidden: widths of the encoder's hidden layers, at least one; the decoder mirrors them, and the ways between the
        levels have the last of them.
      output_dim: numbers that the likelihood wants for an example.
      activation: of the hidden layers.
      inference: as in `TwoLevels`.
      dtype: of the computation.
    """
    more = {"activation": activation, "dtype": dtype}
    low, high = latent_dims
    return TwoLevels(
        up=MLP(tuple(hidden), **more),
        low=Gaussian(MLP((hidden[-1], 2 * low), **more)),
        high=Gaussian(MLP((hidden[-1], 2 * high), **more)),
        down=MLP((hidden[-1], 2 * low), **more),
        decoder=MLP((*reversed(hidden), output_dim), **more),
        inference=inference,
    )


class _Expected(NamedTuple):
    """What the model expects of z_1: a function that is equal to another of the same module."""

    module: nn.Module

    def __call__(self, variables, z: Array) -> DiagonalNormal:
        return DiagonalNormal(*jnp.split(self.module.apply(variables, z).astype(jnp.float32), 2, -1))


def _regardless(seen: DiagonalNormal, high: Array) -> DiagonalNormal:
    shape = (*high.shape[:-1], seen.mean.shape[-1])
    return DiagonalNormal(*(jnp.broadcast_to(part, shape) for part in seen))


def _weighed(seen: DiagonalNormal, down: Partial, high: Array) -> DiagonalNormal:
    """Of two Gaussians their product: precisions add, and weigh the means."""
    expected = down(high)
    said = _regardless(seen, high)
    log_std = -0.5 * jnp.logaddexp(-2 * said.log_std, -2 * expected.log_std)
    share = jnp.exp(2 * (log_std - said.log_std))  # of the precision that the picture has
    return DiagonalNormal(share * said.mean + (1 - share) * expected.mean, log_std)
