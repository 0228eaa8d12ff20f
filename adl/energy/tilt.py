"""Energies that any network makes: a Gaussian, tilted by the network's output.

    p(x, y) = exp(f(x)_y) N(x; 0, std^2 I) / Z,   E(x, y) = |x|^2 / (2 std^2) - f(x)_y

The Gaussian makes the density normalisable for any f that grows less than quadratically, and holds the chains.
Sources: Xie et al. 2016, arXiv:1602.03264, eq. 2; one output a class: Grathwohl et al. 2020, arXiv:1912.03263, eq. 4
and 5.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl.core.types import Array


class Tilted(nn.Module):
    """The energy of pictures or points, of a class or of all classes together."""

    network: nn.Module  # f: [B, ...] -> [B, K]
    std: float  # > 0, of the Gaussian, in units of x; about that of the data, or larger

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        """`[B]` E(x, y) in nats for labels y `[B]`; without, E(x) = -log sum_y exp(-E(x, y)).

        Args:
          x: `[B, ...]`.
          label: `[B]` integers in 0 ... K - 1.
        """
        logits = self.network(x).astype(jnp.float32)
        if label is None:
            tilt = jax.nn.logsumexp(logits, -1)
        else:
            tilt = jnp.take_along_axis(logits, label[:, None], -1)[:, 0]
        return 0.5 * jnp.square(x / self.std).reshape(len(x), -1).sum(-1) - tilt
