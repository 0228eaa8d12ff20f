"""A network that sees its inputs in units of what it has seen: less their running mean, over their deviation.

The moments are extras of the learner, as batch statistics are: they move with every update by what that update looked
at, and stand still in play and evaluation.
"""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from adl.core.types import Array


class RunningMoments(NamedTuple):
    """Mean and variance of what was seen, as a monoid: `a + b` is of both, and a count of 0 is neutral."""

    count: Array  # [] > 0
    mean: Array  # [D]
    variance: Array  # [D], over `count`

    @classmethod
    def of(cls, x: Array, axis: str | None = None) -> "RunningMoments":
        """Moments of rows.

        Args:
          x: `[..., D]`, this device's share; every device's is of the same size.
          axis: name of the mapped axis, or None.
        """

        def mean(values):
            values = values.mean(range(x.ndim - 1))
            return values if axis is None else lax.pmean(values, axis)

        count = jnp.asarray(x.size // x.shape[-1], jnp.float32)
        centre = mean(x)
        variance = mean(jnp.square(x - jnp.broadcast_to(centre, x.shape)))
        return cls(count if axis is None else lax.psum(count, axis), centre, variance)

    def __add__(self, other: "RunningMoments") -> "RunningMoments":
        """Source: Chan, Golub & LeVeque 1979, Stanford STAN-CS-79-773, eq. 2.1."""
        count = self.count + other.count
        share, apart = other.count / count, other.mean - self.mean
        variance = (1 - share) * self.variance + share * other.variance + share * (1 - share) * jnp.square(apart)
        return RunningMoments(count, self.mean + share * apart, variance)


class InSeenUnits(nn.Module):
    """The model with observations less their running mean, over their running deviation, clipped to [-c, c].

    What an update sees counts after it, so that a policy's first update finds it as it acted.

    Attributes:
      model: of observations `[..., D]`.
      axis: name of the mapped axis that updates run under, or None.
      clip: c > 0, in standard deviations.

    Source: Huang et al. 2022, "The 37 implementation details of proximal policy optimization" (ICLR blog track), of
    continuous control the fourth and fifth; the first moments, 0 and 1, count as 1e-4 of an observation, as there.
    """

    model: nn.Module
    axis: str | None = None
    clip: float = 10.0

    @nn.compact
    def __call__(self, obs: Array, *more: Array):
        """What the model makes of it, and of whatever else it takes."""
        width = obs.shape[-1]
        seen = self.variable(
            "moments", "obs", lambda: RunningMoments(jnp.full((), 1e-4, jnp.float32), jnp.zeros(width), jnp.ones(width))
        )
        before = seen.value
        if self.is_mutable_collection("moments") and not self.is_initializing():
            seen.value = before + RunningMoments.of(obs.astype(jnp.float32), self.axis)
        mean, scale = (jnp.broadcast_to(x, obs.shape) for x in (before.mean, lax.rsqrt(before.variance + 1e-8)))
        return self.model(jnp.clip((obs - mean) * scale, -self.clip, self.clip), *more)
