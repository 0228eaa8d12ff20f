"""Independent components: x = A s + mean, with sources s that are independent and not Gaussian.

Points are whitened first, so that what is left to find is a rotation W. FastICA is Newton's method for extremes of
E[log cosh(w^T z)], all rows at once:

    W <- E[tanh(W z) z^T] - diag(E[1 - tanh^2(W z)]) W,   W <- (W W^T)^{-1/2} W

Source: Hyvarinen 1999, IEEE Transactions on Neural Networks 10(3), eq. 20 and 45; Hyvarinen & Oja 2000, Neural
Networks 13, section 6.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border
from adl.core.types import Array
from adl.latent.kmeans import weighted
from adl.latent.principal import components, inverse_scale
from adl.prob import moments
from adl.prob.product import matmul


class Unmixing(NamedTuple):
    """From D mixtures to Z sources of unit variance."""

    mean: Array  # [D]
    whiten: Array  # [D, Z] principal directions over their standard deviations
    rotation: Array  # [Z, Z] orthogonal, a source in each row


class _Sums(NamedTuple):
    """Of the whitened points."""

    count: Array  # []
    pull: Array  # [Z, Z] sum of tanh(W z) z^T
    slope: Array  # [Z] sum of 1 - tanh^2(W z)


@border.columns(x="float [B, D]", mask="[B]?")
def fast_ica(
    num_sources: int, *, start: Callable[[Key, PyTree], Array] | None = None, axis: str | None = None
) -> Algorithm:
    """FastICA, symmetric, with log cosh; the state is `Unmixing`.

    A batch is `{"x": [B, D]}`, all points at every step, with an optional "mask" `[B]`, >= 0, that weighs them.
    Reports the `loss` before the step: the mean over points of sum_i log cosh(s_i), which is -log p(x) up to a
    constant where sources are as heavy-tailed as 1 / cosh. It falls for heavy tails and rises for light ones.

    Args:
      num_sources: Z in [1, D]; if the points vary along fewer directions, the last sources are 0.
      start: `start(key, batch) -> [Z, Z]`, by default Gaussian; its rows are made orthonormal.
      axis: as in `core.accumulate`.
    """
    start = start or (lambda key, batch: jax.random.normal(key, (num_sources, num_sources)))

    def init(key, batch):
        x, weight = weighted(batch)
        seen = moments.of(x, weight)
        found = components(seen, num_sources)
        scale = inverse_scale(found) * jnp.sqrt(seen.count / (seen.count - 1))
        whiten = found.basis * scale[None]
        return Unmixing(found.mean, whiten, orthonormal(apart(whiten, start(key, batch))))

    def measure(key, state, batch):
        x, weight = weighted(batch)
        z = matmul(x - state.mean[None], state.whiten)
        s = matmul(z, state.rotation.T)
        g = jnp.tanh(s)
        sums = _Sums(weight.sum(), matmul((g * weight[:, None]).T, z), matmul(weight, 1 - jnp.square(g)))
        log_cosh = jnp.logaddexp(s, -s) - jnp.log(2.0)
        return sums, {"loss": Mean.of(log_cosh.sum(1), weight)}

    def move(state, sums):
        step = (sums.pull - sums.slope[:, None] * state.rotation) / sums.count
        return state._replace(rotation=orthonormal(apart(state.whiten, step)))

    def apart(whiten, matrix):
        """Directions along which nothing varies are sources by themselves, and always 0."""
        varies = (whiten != 0).any(0)
        return jnp.where(varies[:, None] & varies[None], matrix, jnp.diag(1.0 * ~varies))

    return Algorithm(init, accumulate(measure, move, axis))


def sources(unmixing: Unmixing, x: Array) -> Array:
    """Sources `[B, Z]` of points `x [B, D]`, of unit variance, in no order and of either sign."""
    return matmul(matmul(x - unmixing.mean[None], unmixing.whiten), unmixing.rotation.T)


def mixing(unmixing: Unmixing) -> Array:
    """A `[D, Z]`: what one unit of each source adds to x."""
    return jnp.linalg.pinv(matmul(unmixing.rotation, unmixing.whiten.T))


def orthonormal(matrix: Array) -> Array:
    """(W W^T)^{-1/2} W `[Z, Z]`: the orthogonal matrix nearest to W."""
    left, _, right = jnp.linalg.svd(matrix)
    return matmul(left, right)
