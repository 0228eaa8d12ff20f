"""Distributions of latents: what an encoder says of each example, q(z|x), and what is known before, p(z).

A latent is one array or a tree of them, so that codes with several levels, or of classes, are written as those of
Gaussians are: by a NamedTuple with these four methods, of arrays, that an encoder returns.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key, PyTree
from adl.prob.distributions import normal_kl, normal_log_prob


class Latents(Protocol):
    """A distribution of latents `z`, leaves `[B, ...]`, of each of B examples; or one p(z) for all.

    It is a tree of arrays; gradients reach its parameters through `sample`, where they can.
    """

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> PyTree:
        """Draws, leaves `[*shape, B, ...]`; the key is consumed."""

    def log_prob(self, z: PyTree) -> Array:
        """`[..., B]` in nats, of the latents of each example as a whole."""

    def sample_and_log_prob(self, key: Key, shape: tuple[int, ...] = ()) -> tuple[PyTree, Array]:
        """Draws, and their own log-probability `[*shape, B]`."""

    def kl(self, prior: "Latents", z: PyTree) -> Array:
        """`[B]` nats of KL(self || prior): in closed form, or where there is none as found at the draw `z`."""


class DiagonalNormal(NamedTuple):
    """N(mean, exp(log_std)^2) of independent coordinates, `[..., Z]`; scalars stand for any number of coordinates."""

    mean: Array  # [..., Z]
    log_std: Array  # [..., Z]

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, ..., Z]`, reparameterised: mean + std noise."""
        return self._moved(self._noise(key, shape))

    def log_prob(self, z: Array) -> Array:
        """`[...]` of `z` `[..., Z]`."""
        return normal_log_prob(z, *(_leading(part, z) for part in self)).sum(-1)

    def sample_and_log_prob(self, key: Key, shape: tuple[int, ...] = ()) -> tuple[Array, Array]:
        """`sample`, and its log-density by the noise itself, which costs no digits where the deviation is small."""
        noise = self._noise(key, shape)
        log_prob = normal_log_prob(noise, 0.0, 0.0).sum(-1) - _leading(self.log_std, noise).sum(-1)
        return self._moved(noise), log_prob

    def kl(self, prior: "DiagonalNormal", z: Array | None = None) -> Array:
        """`[...]` of KL(self || prior), in closed form; `z` is not asked."""
        del z
        return normal_kl(*self, *(_leading(part, self.mean) for part in prior)).sum(-1)

    def _moved(self, noise: Array) -> Array:
        return _leading(self.mean, noise) + jnp.exp(_leading(self.log_std, noise)) * noise

    def _noise(self, key: Key, shape: tuple[int, ...]) -> Array:
        return jax.random.normal(key, (*shape, *jnp.shape(self.mean)))


def standard() -> DiagonalNormal:
    """N(0, I) of any number of coordinates: `sample(key, (B, Z))`."""
    return DiagonalNormal(jnp.zeros(()), jnp.zeros(()))


def _leading(x: Array, like: Array) -> Array:
    """`[..., Z]` with as many axes as `like`."""
    return jnp.expand_dims(x, range(like.ndim - jnp.ndim(x)))
