"""Linear dynamical systems by expectation maximisation: smooth, then two linear regressions on what is expected.

    e_t = y_t - A z_t,   S_zz = sum_t E[z_t z_t^T],   S_ez = sum_t E[e_t z_t^T],   S_ee = sum_t E[e_t e_t^T]
    dA = S_ez S_zz^-1,   covariance = (S_ee - dA S_ez^T - S_ez dA^T + dA S_zz dA^T) / N

with y_t = z_{t+1} for the dynamics and y_t = x_t for the emission; a 1 behind z gives the offsets. Errors are those of
the system that a step came with, z is counted from where that begins, and what is not known of a dynamics' error comes
from the smoother, so that far from the origin and under wide priors nothing cancels. What is not to be learned stays,
and the rest is the best given that: no step lowers the likelihood.
Source: Shumway & Stoffer 1982, Journal of Time Series Analysis 3(4); Bishop 2006, Pattern Recognition and Machine
Learning, section 13.3.2.
"""

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border
from adl.core.types import Array
from adl.graphical import kalman
from adl.graphical.baum_welch import observed
from adl.graphical.kalman import LDS
from adl.prob.gaussian import LinearGaussian, MultivariateNormal
from adl.prob.product import matmul

Part = Literal[
    "initial", "dynamics", "dynamics_noise", "dynamics_scale", "emission", "emission_noise", "emission_scale"
]
PARTS: tuple[Part, ...] = ("initial", "dynamics", "dynamics_noise", "emission", "emission_noise")


class _Moments(NamedTuple):
    """Expected second moments of z about a place, a 1 behind it, and the error e of y; of disjoint pairs they add."""

    count: Array  # [] N
    zz: Array  # [D + 1, D + 1]
    ez: Array  # [E, D + 1]
    ee: Array  # [E, E]


class _Counts(NamedTuple):
    """What is expected of the hidden states."""

    initial: _Moments  # of z_1 on nothing but the 1
    dynamics: _Moments
    emission: _Moments


@border.columns(x="float [B, T, E]", mask="[B, T]?")
def lds_em(
    start: Callable[[Key, PyTree], LDS], *, learn: Collection[Part] = PARTS, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of sequences; the state is an `LDS`.

    A batch is `{"x": [B, T, E]}`, by default the same at every step: all sequences. An optional "mask" `[B, T]` is 0
    where nothing was observed. Reports the `loss`, -log p(x) before the step, in nats an observation.

    Args:
      start: `start(key, batch) -> LDS`, the first system, and what stays of it.
      learn: parts that move; the states' basis is determined only where the emission or the dynamics stay. Of a noise
        the whole covariance moves, or its "scale": one factor, while the shape stays.
      axis: as in `core.accumulate`.
    """

    def measure(key, system, batch):
        x, mask = observed(batch)
        x = jnp.where(mask[..., None] > 0, x, 0)
        seen = jax.vmap(kalman.smooth, (None, 0, 0))(system, x, mask)
        counts = jax.vmap(_counts, (None, 0, 0, 0))(system, seen, x, mask)
        counts = jax.tree.map(lambda leaf: leaf.sum(0), counts)
        return counts, {"loss": Mean(-seen.filtered.log_evidence.sum(), mask.sum())}

    def moving(name):
        kinds = {name: "mean", f"{name}_noise": "noise", f"{name}_scale": "scale"}
        return {kinds[part] for part in learn if part in kinds}

    def move(system, counts):
        place = system.initial.loc
        first = _fitted(_first(system), counts.initial, place[:0], {"mean", "noise"} if "initial" in learn else ())
        return LDS(
            MultivariateNormal(first.offset, first.covariance),
            _fitted(system.dynamics, counts.dynamics, place, moving("dynamics")),
            _fitted(system.emission, counts.emission, place, moving("emission")),
        )

    return Algorithm(start, accumulate(measure, move, axis))


def _first(system: LDS) -> LinearGaussian:
    """The initial state as a regression on nothing but the 1."""
    return LinearGaussian(jnp.zeros((len(system.initial.loc), 0)), *system.initial)


def _counts(system: LDS, seen: kalman.Smoothed, x: Array, mask: Array) -> _Counts:
    """Of one sequence; what comes after the last observation is no part of the data."""
    loc, covariance = seen.smoothed
    z = loc - system.initial.loc[None]
    alive = lax.cummax(mask, reverse=True)
    one = jnp.ones((len(z), 1))

    def moments(weight, z, zz, error, ez, ee):
        """Of z, the errors of their means, and covariances zz, ez and ee, each `[T, ...]`."""
        augmented = jnp.concatenate([z, one[: len(z)]], -1)
        zz, ez, ee = ((covariance * weight[:, None, None]).sum(0) for covariance in (zz, ez, ee))
        return _Moments(
            weight.sum(),
            matmul((augmented * weight[:, None]).T, augmented) + jnp.pad(zz, ((0, 1), (0, 1))),
            matmul((error * weight[:, None]).T, augmented) + jnp.pad(ez, ((0, 0), (0, 1))),
            matmul((error * weight[:, None]).T, error) + ee,
        )

    def error(now, given, y):
        return y - matmul(given, now.matrix.T) - now.offset[None]

    seeing = matmul(system.emission.matrix, covariance)
    of_emission = error(system.emission, loc, x), -seeing, matmul(seeing, system.emission.matrix.T)
    of_dynamics = error(system.dynamics, loc[:-1], loc[1:]), seen.noise_across, seen.noise
    return _Counts(
        moments(alive[:1], z[:1, :0], covariance[:1, :0, :0], z[:1], covariance[:1, :, :0], covariance[:1]),
        moments(alive[1:], z[:-1], covariance[:-1], *of_dynamics),
        moments(mask, z, covariance, *of_emission),
    )


def _fitted(now: LinearGaussian, sums: _Moments, place: Array, moving: Collection[str]) -> LinearGaussian:
    """The regression that maximises the expected likelihood, of what is to be learned: "mean", "noise" or "scale"."""
    change = jnp.linalg.solve(sums.zz, sums.ez.T).T if "mean" in moving else jnp.zeros_like(sums.ez)
    explained = matmul(change, sums.ez.T)
    residual = sums.ee - explained - explained.T + matmul(matmul(change, sums.zz), change.T)
    # A difference, whose rounding is of the size of what it began with: with that it stays positive.
    residual += jnp.diag(jnp.finfo(residual.dtype).eps * jnp.diagonal(sums.ee))
    residual /= sums.count
    covariance = now.covariance
    if "noise" in moving:
        covariance = (residual + residual.T) / 2
    elif "scale" in moving:
        covariance *= jnp.trace(jnp.linalg.solve(covariance, residual)) / len(covariance)
    matrix = now.matrix + change[:, :-1]
    return LinearGaussian(matrix, now.offset + change[:, -1] - matmul(change[:, :-1], place), covariance)
