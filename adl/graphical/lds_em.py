"""Linear dynamical systems by expectation maximisation: smooth, then two linear regressions on what is expected.

    S_zz = sum_t E[z_t z_t^T],   S_yz = sum_t E[y_t z_t^T],   S_yy = sum_t E[y_t y_t^T]
    A = S_yz S_zz^-1,   covariance = (S_yy - A S_yz^T - S_yz A^T + A S_zz A^T) / N

with y_t = z_{t+1} for the dynamics and y_t = x_t for the emission; a 1 behind z gives the offsets. What is not to be
learned stays, and the rest is the best given that: no step lowers the likelihood.
Source: Shumway & Stoffer 1982, Journal of Time Series Analysis 3(4); Bishop 2006, Pattern Recognition and Machine
Learning, section 13.3.2.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Key, Mean, PyTree, accumulate
from adl.core.types import Array
from adl.graphical import kalman
from adl.graphical.baum_welch import observed
from adl.graphical.kalman import LDS
from adl.prob.gaussian import LinearGaussian, MultivariateNormal

Part = Literal["initial", "dynamics", "dynamics_noise", "emission", "emission_noise"]
PARTS: tuple[Part, ...] = ("initial", "dynamics", "dynamics_noise", "emission", "emission_noise")
_matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


class Moments(NamedTuple):
    """Expected second moments of a regression of y on z, behind which is a 1; of disjoint pairs they add."""

    count: Array  # [] N
    zz: Array  # [D + 1, D + 1]
    yz: Array  # [E, D + 1]
    yy: Array  # [E, E]


class Counts(NamedTuple):
    """What is expected of the hidden states."""

    initial: Moments  # of z_1 on nothing but the 1
    dynamics: Moments
    emission: Moments


def lds_em(
    start: Callable[[Key, PyTree], LDS], *, learn: Collection[Part] = PARTS, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of sequences; the state is an `LDS`.

    A batch is `{"x": [B, T, E]}`, by default the same at every step: all sequences. An optional "mask" `[B, T]` is 0
    where nothing was observed. Reports the `loss`, -log p(x) before the step, in nats an observation.

    Args:
      start: `start(key, batch) -> LDS`, the first system, and what stays of it.
      learn: parts that move; the states' basis is determined only where the emission or the dynamics stay.
      axis: as in `core.accumulate`.
    """

    def measure(key, system, batch):
        x, mask = observed(batch)
        x = jnp.where(mask[..., None] > 0, x, 0)
        seen = jax.vmap(kalman.smooth, (None, 0, 0))(system, x, mask)
        counts = jax.tree.map(lambda leaf: leaf.sum(0), jax.vmap(_counts)(seen, x, mask))
        return counts, {"loss": Mean(-seen.filtered.log_evidence.sum(), mask.sum())}

    def move(system, counts):
        first = LinearGaussian(jnp.zeros((len(system.initial.loc), 0)), *system.initial)
        first = _fitted(first, counts.initial, learn, "initial", "initial")
        return LDS(
            MultivariateNormal(first.offset, first.covariance),
            _fitted(system.dynamics, counts.dynamics, learn, "dynamics", "dynamics_noise"),
            _fitted(system.emission, counts.emission, learn, "emission", "emission_noise"),
        )

    return Algorithm(start, accumulate(measure, move, axis))


def _counts(seen: kalman.Smoothed, x: Array, mask: Array) -> Counts:
    """Of one sequence; what comes after the last observation is no part of the data."""
    z, covariance = seen.smoothed
    alive = lax.cummax(mask, reverse=True)
    one = jnp.ones((len(z), 1))
    nothing = jnp.zeros((len(z), 0, 0))

    def moments(weight, z, zz, y, yz, yy):
        augmented = jnp.concatenate([z, one[: len(z)]], -1)
        weighted = augmented * weight[:, None]
        zz, yz, yy = ((covariance * weight[:, None, None]).sum(0) for covariance in (zz, yz, yy))
        return Moments(
            weight.sum(),
            _matmul(weighted.T, augmented) + jnp.pad(zz, ((0, 1), (0, 1))),
            _matmul(y.T, weighted) + jnp.pad(yz, ((0, 0), (0, 1))),
            _matmul((y * weight[:, None]).T, y) + yy,
        )

    none = jnp.zeros((len(x), x.shape[-1], z.shape[-1])), jnp.zeros((len(x), x.shape[-1], x.shape[-1]))
    first = z[:1], jnp.zeros((1, z.shape[-1], 0)), covariance[:1]
    return Counts(
        moments(alive[:1], z[:1, :0], nothing[:1], *first),
        moments(alive[1:], z[:-1], covariance[:-1], z[1:], seen.across, covariance[1:]),
        moments(mask, z, covariance, x, *none),
    )


def _fitted(now: LinearGaussian, sums: Moments, learn: Collection[Part], mean: Part, noise: Part) -> LinearGaussian:
    """The regression that maximises the expected likelihood, of what is to be learned."""
    weights = jnp.concatenate([now.matrix, now.offset[:, None]], -1)
    if mean in learn:
        weights = jnp.linalg.solve(sums.zz, sums.yz.T).T
    covariance = now.covariance
    if noise in learn:
        explained = _matmul(weights, sums.yz.T)
        covariance = (sums.yy - explained - explained.T + _matmul(_matmul(weights, sums.zz), weights.T)) / sums.count
    return LinearGaussian(weights[:, :-1], weights[:, -1], (covariance + covariance.T) / 2)
