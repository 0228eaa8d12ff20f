"""Principal components of few passes: a random plane, pulled towards the leading directions by the points themselves.

    Y = X Q,   Y = P R,   P^T X = B,   B = V s U^T;   Q <- U   spans   S Q,   variance = s^2 / (N - 1)

The step after q others is the randomised singular value decomposition with q power iterations, without P ever being
formed: from G = Y^T Y and Z = X^T Y, which are sums over points, B^T = Z G^{-1/2} up to a rotation.
Source: Halko, Martinsson & Tropp 2011, SIAM Review 53(2), arXiv:0909.4061, algorithms 4.4 and 5.1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.latent.kmeans import weighted
from adl.latent.principal import EPSILON, Components, errors
from adl.prob import moments
from adl.prob.product import matmul


class Sketch(NamedTuple):
    """Sums over points, as seen from a plane `[D, L]`."""

    count: Array  # []
    energy: Array  # [] sum of |x - mean|^2
    gram: Array  # [L, L] G
    image: Array  # [D, L] Z


@border.columns(x="float [B, D]", mask="[B]?")
def randomised_pca(num_components: int, *, num_oversamples: int = 10, axis: str | None = None) -> Algorithm:
    """A pass over all points a step; the state is `Components` with L = Z + `num_oversamples` directions.

    A batch is `{"x": [B, D]}`, the same at every step: all points, with an optional "mask" `[B]`, >= 0. Take the first
    Z of the state by `leading`. Each step shrinks the error by the ratio of the variances left out to those kept.
    Reports the `loss`: the mean squared distance of points to the plane before the step, in squared units of x.

    Args:
      num_components: Z >= 1.
      num_oversamples: >= 0, directions more than are wanted; L is at most D.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, weight = weighted(batch)
        num_directions = min(num_components + num_oversamples, x.shape[1])
        plane, _ = jnp.linalg.qr(jax.random.normal(key, (x.shape[1], num_directions)))
        return Components(moments.nothing(x, weight).mean, plane, jnp.zeros(num_directions), jnp.zeros(()))

    def measure(key, found, batch):
        x, weight = weighted(batch)
        away = x - found.mean[None]
        y = matmul(away, found.basis)
        seen = y * weight[:, None]
        gram = matmul(seen.T, y)
        energy = (weight * jnp.square(away).sum(1)).sum()
        sums = Sketch(weight.sum(), energy, gram, matmul(away.T, seen))
        return sums, {"loss": Mean.of(errors(found, x), weight)}

    def move(found, sums):
        values, vectors = jnp.linalg.eigh(sums.gram)
        # Directions that no point has are left out: there rounding is all that is seen.
        is_seen = values > EPSILON * len(values) * values[-1]
        inverse_root = jnp.where(is_seen, 1 / jnp.sqrt(jnp.where(is_seen, values, 1)), 0)
        image = matmul(sums.image, vectors * inverse_root[None])
        basis, singular, _ = jnp.linalg.svd(image, full_matrices=False)
        return Components(found.mean, basis, jnp.square(singular) / (sums.count - 1), sums.energy / (sums.count - 1))

    return Algorithm(init, accumulate(measure, move, axis))


def leading(found: Components, num_components: int) -> Components:
    """The first Z = `num_components` of the directions of a state."""
    return found._replace(basis=found.basis[:, :num_components], variance=found.variance[:num_components])
