"""What latents hold, seen through what is made of them: no numbers, pictures."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from adl.core import Key, Probe, State

Generate = Callable[[State, Array, Array], Array]  # (state, latents [B, Z], labels [B]) -> examples [B, ...]


def arc(generate: Generate, latent_dim: int, num_classes: int, *, num: int = 11) -> Probe:
    """Probe: examples of each class along a quarter of a circle from one standard normal latent to another.

        z(t) = cos(t) z_0 + sin(t) z_1,   0 <= t <= pi / 2

    which, unlike the straight line, is standard normal at every t.

    Args:
      generate: from latents and labels.
      latent_dim: Z >= 1.
      num_classes: K >= 1, each with latents of its own.
      num: examples of each class, >= 2.
    Returns:
      `probe(key, state)`: `grid` `[K, num, ...]` and `degrees` `[num]`, t from 0 to 90.
    Source: White 2016, arXiv:1609.04468, section 2.1, for latents at a right angle.
    """
    angle = jnp.linspace(0, jnp.pi / 2, num)

    def probe(key: Key, state: State) -> dict[str, Array]:
        start, end = jax.random.normal(key, (2, 1, num_classes, latent_dim))
        z = jnp.cos(angle)[:, None, None] * start + jnp.sin(angle)[:, None, None] * end
        examples = generate(state, z.reshape(-1, latent_dim), jnp.tile(jnp.arange(num_classes), num))
        return {
            "grid": examples.reshape(num, num_classes, *examples.shape[1:]).swapaxes(0, 1),
            "degrees": jnp.rad2deg(angle),
        }

    return probe
