"""Dropout: units that are silenced at random, so that none relies on another."""

from flax import linen as nn
from jax import Array


class Dropout(nn.Dropout):
    """Dropout that needs no flag: it acts where `apply` is given a `dropout` key, as by `core.forward`, and only there.

    Source: Srivastava et al. 2014, JMLR 15.
    """

    def __call__(self, x: Array) -> Array:
        """`x` `[...]`, of which each entry is 0 with probability `rate` and else divided by `1 - rate`."""
        return super().__call__(x, deterministic=not self.has_rng(self.rng_collection))
