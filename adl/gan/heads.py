"""Heads: what a discriminator says of the features of an example, and how the class that it is told comes in.

A head is `head(num_classes, wrap)`, a module `(h [B, D], label [B] or None) -> [B] or [B, 1 + K]`.
"""

from collections.abc import Callable

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput

Wrap = Callable[[nn.Module], nn.Module]  # of each layer that has a kernel: the layer itself, or `SpectralNorm`
Head = Callable[[int, Wrap], nn.Module]  # (num_classes, wrap) -> module


def bare(layer: nn.Module) -> nn.Module:
    """The layer itself."""
    return layer


class Projection(nn.Module):
    """Logits of features: whether they are of data, and whether of data of that class.

    a = w^T h + b + <e(label), h>

    Source: Miyato & Koyama 2018, arXiv:1802.05637, eq. 3 and figure 1(d).
    """

    num_classes: int = 0  # K; 0 where no label is given
    wrap: Wrap = bare

    @nn.compact
    def __call__(self, h: Array, label: Array | None = None) -> Array:
        """`[B]` float32 from features `h` `[B, D]` and `label` `[B]` in 0 ... K - 1."""
        h = h.astype(jnp.float32)
        logits = self.wrap(nn.Dense(1))(h)[:, 0]
        if label is None:
            return logits
        require_classes(label)
        return logits + (self.wrap(nn.Embed(self.num_classes, h.shape[-1]))(label) * h).sum(-1)


class Auxiliary(nn.Module):
    """The logit of being data, and beside it log-odds of the classes; it is told none, but says which it sees.

    Source: Odena et al. 2017, arXiv:1610.09585, section 3.
    """

    num_classes: int  # K >= 2
    wrap: Wrap = bare

    @nn.compact
    def __call__(self, h: Array, label: Array | None = None) -> Array:
        """`[B, 1 + K]` float32 from features `h` `[B, D]`; the label is not looked at."""
        if self.num_classes < 2:
            raise BadInput(f"an auxiliary classifier of {self.num_classes} classes: there must be 2 or more")
        return self.wrap(nn.Dense(1 + self.num_classes))(h.astype(jnp.float32))


def require_classes(label: Array) -> None:
    """Nothing, where the label is integers `[B]`."""
    chex.assert_rank(label, 1)
    chex.assert_type(label, int)
