"""Tables and pictures with holes: a mixture of Gaussians that learns from what is seen of each row, and fills the rest.

    x = (x_o, x_h), seen and hidden;   x_h | x_o, k ~ N(mu_h + S_ho S_oo^-1 (x_o - mu_o), S_hh - S_ho S_oo^-1 S_oh)

A row counts in the responsibilities by what is seen of it, p(k | x_o), and in the moments by the expectation of the
rest and its covariance: expectation maximisation, which never lowers the likelihood of what is seen. It is right where
holes do not depend on what they hide. One component is a Gaussian; `ppca_shaped` covariances make it probabilistic PCA.

Sources: Little & Rubin 2002, Statistical Analysis with Missing Data, section 11.3; mixtures: Ghahramani & Jordan 1994,
NIPS 6. Of what it is compared with: Troyanskaya et al. 2001, Bioinformatics 17(6), for nearest neighbours.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.latent.factors import ppca
from adl.latent.mixture import GaussianMixture
from adl.prob.product import matmul
from adl.prob.special import HALF_LOG_2PI

EMPTY = 1e-6  # rows that a component counts besides its own, so that nothing is divided by 0
ROUNDING = 1e-6  # of a variance, beside which a smaller one that is left after another is taken off has no digits
Shape = Callable[[Array, Array], Array]  # (mean [D], covariance [D, D]) -> covariance, of most likelihood of its kind


class Filled(NamedTuple):
    """One row, as one component sees it."""

    log_prob: Array  # [] log p(x_o), in nats
    mean: Array  # [D] x where it is seen, else its expectation
    covariance: Array  # [D, D] of what is hidden; 0 elsewhere


def full(mean: Array, covariance: Array) -> Array:
    """Any covariance."""
    return covariance


def ppca_shaped(num_factors: int) -> Shape:
    """Covariances W W^T + noise I, of so many columns of W in [1, D - 1]: those of `factors.ppca`."""
    return lambda mean, covariance: ppca(mean, covariance, num_factors).covariance()


@border.columns(x="float [B, D]", seen="float [B, D]")
def mixture_with_holes(
    num_components: int, *, shape: Shape = full, reg_covar: float = 1e-3, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of what is seen, by EM; the state is a `GaussianMixture` of full covariances.

    A batch is `{"x": [B, D], "seen": [B, D]}`, the same at every step: all rows; what x holds where nothing is seen is
    not looked at. Reports the `loss`, -log p(x_o) before the step, in nats a row.

    Args:
      num_components: K >= 1.
      shape: of the covariances, `full` or `ppca_shaped(...)`.
      reg_covar: > 0, added to each variance, in squared units of x, or `ROUNDING` of the variance, where that
        is more: of columns that are hardly seen it is what holds.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, seen = _columns(batch)
        mean, variance = seen_moments(x, seen)
        rows = jax.random.choice(key, len(x), (num_components,), replace=len(x) < num_components)
        means = jnp.where(seen[rows] > 0, x[rows], mean[None]) if num_components > 1 else mean[None]
        covariances = jnp.broadcast_to(jnp.diag(variance + reg_covar), (num_components, *variance.shape * 2))
        return GaussianMixture(jnp.ones(num_components) / num_components, means, covariances)

    def measure(key, mixture, x, seen):
        def row(one):
            found = components_filled(mixture, *one)
            log_joint = jnp.log(mixture.weights) + found.log_prob
            r = jax.nn.softmax(log_joint)
            shift = found.mean - mixture.means  # about the means so far: in the end there is none, and nothing cancels
            second = shift[:, :, None] * shift[:, None, :] + found.covariance
            return (r, r[:, None] * shift, r[:, None, None] * second), jax.nn.logsumexp(log_joint)

        def add(sums, one):
            more, log_prob = row(one)
            return jax.tree.map(jnp.add, sums, more), log_prob

        size = mixture.means.shape
        nothing = (jnp.zeros(size[:1]), jnp.zeros(size), jnp.zeros((*size, size[1])))
        sums, log_prob = lax.scan(add, nothing, (x, seen))
        return sums, {"loss": Mean.of(-log_prob)}

    def move(mixture, sums):
        count, shift, second = sums
        safe = count + EMPTY
        shift = shift / safe[:, None]
        means = mixture.means + shift
        covariances = second / safe[:, None, None] - shift[:, :, None] * shift[:, None, :]
        least = jnp.maximum(reg_covar, ROUNDING * jnp.diagonal(covariances, axis1=1, axis2=2))
        covariances = covariances + least[:, None] * jnp.eye(means.shape[1])[None]
        covariances = jax.vmap(shape)(means, covariances)
        there = (count > EMPTY)[:, None]
        means = jnp.where(there, means, mixture.means)
        covariances = jnp.where(there[..., None], covariances, mixture.covariances)
        return GaussianMixture(safe / safe.sum(), means, covariances)

    update = accumulate(measure, move, axis)

    def step(key, mixture, batch):
        return update(key, mixture, *_columns(batch))

    return Algorithm(init, step)


def components_filled(mixture: GaussianMixture, x: Array, seen: Array) -> Filled:
    """One row as each component sees it: leaves `[K, ...]`.

    Args:
      mixture: of full covariances.
      x: `[D]`; what it holds where nothing is seen is not looked at.
      seen: `[D]` of 0 and 1.
    """
    is_seen = seen > 0

    def one(mean, covariance):
        # Hidden rows and columns become those of the identity: one size for all patterns of holes.
        both = is_seen[:, None] & is_seen[None]
        root = jnp.linalg.cholesky(jnp.where(both, covariance, jnp.eye(len(x))))
        away = jnp.where(is_seen, x - mean, 0)
        explained = cho_solve((root, True), away)
        log_det = 2 * jnp.log(jnp.diagonal(root)).sum()
        log_prob = -0.5 * (matmul(away, explained) + log_det) - is_seen.sum() * HALF_LOG_2PI
        across = jnp.where(is_seen[:, None] & ~is_seen[None], covariance, 0)  # [seen, hidden]
        rest = covariance - matmul(across.T, cho_solve((root, True), across))
        filled = jnp.where(is_seen, x, mean + matmul(across.T, explained))
        return Filled(log_prob, filled, jnp.where(~is_seen[:, None] & ~is_seen[None], rest, 0))

    return jax.vmap(one)(mixture.means, mixture.covariances)


def fill_holes(mixture: GaussianMixture, x: Array, seen: Array) -> Array:
    """`[B, D]` rows with the expectation of what is hidden given what is seen.

    Args:
      mixture: of full covariances.
      x: `[B, D]`.
      seen: `[B, D]` of 0 and 1.
    """

    def row(one):
        found = components_filled(mixture, *one)
        r = jax.nn.softmax(jnp.log(mixture.weights) + found.log_prob)
        return jnp.where(one[1] > 0, one[0], matmul(r, found.mean))

    return lax.map(row, (x, seen))


def hidden_log_prob(mixture: GaussianMixture, x: Array, seen: Array) -> Array:
    """`[B]` log p(x_h | x_o) in nats of whole rows, of which some is held out: log p(x) - log p(x_o).

    Args:
      mixture: of full covariances.
      x: `[B, D]`, whole.
      seen: `[B, D]` of 0 and 1.
    """

    def row(one):
        x, seen = one
        each = [components_filled(mixture, x, part).log_prob for part in (jnp.ones_like(seen), seen)]
        whole, some = (jax.nn.logsumexp(jnp.log(mixture.weights) + log_prob) for log_prob in each)
        return whole - some

    return lax.map(row, (x, seen))


def seen_moments(x: Array, seen: Array) -> tuple[Array, Array]:
    """Means and variances `[D]` of what is seen of each column of `x [B, D]`; 0 and 1 where nothing is.

    Args:
      x: rows.
      seen: `[B, D]` of 0 and 1.
    """
    count = seen.sum(0)
    safe = jnp.maximum(count, 1)
    mean = jnp.where(seen > 0, x, 0).sum(0) / safe
    variance = jnp.where(seen > 0, jnp.square(x - mean[None]), 0).sum(0) / safe
    return mean, jnp.where(count > 1, variance, 1)


def mean_filled(known: Array, known_seen: Array, x: Array, seen: Array) -> Array:
    """`[B, D]` rows with the mean of what is seen of a column in rows that are known, where nothing is seen.

    Args:
      known: `[N, D]` rows.
      known_seen: `[N, D]` of 0 and 1.
      x: `[B, D]` rows to fill.
      seen: `[B, D]` of 0 and 1.
    """
    return jnp.where(seen > 0, x, seen_moments(known, known_seen)[0][None])


def neighbours_filled(known: Array, known_seen: Array, x: Array, seen: Array, *, k: int = 5) -> Array:
    """The same with the mean of the k nearest rows in which the column is seen.

    Distances are of the columns that both rows show, in the mean over these; of rows that share none they are infinite.
    A column that no near row shows is filled by its mean.

    Args:
      known: as in `mean_filled`.
      known_seen: as in `mean_filled`.
      x: as in `mean_filled`.
      seen: as in `mean_filled`.
      k: >= 1; as many as show the column, where there are fewer.
    Source: Troyanskaya et al. 2001, Bioinformatics 17(6), without weights.
    """
    known, known_seen = jnp.asarray(known), jnp.asarray(known_seen)
    mean = seen_moments(known, known_seen)[0]

    def row(one):
        x, seen = one
        shared = known_seen * seen[None]
        distance = (shared * jnp.square(jnp.where(shared > 0, known - x[None], 0))).sum(1) / shared.sum(1)
        distance = jnp.where(shared.sum(1) > 0, distance, jnp.inf)
        order = jnp.argsort(distance)
        shows = (known_seen[order] > 0) & jnp.isfinite(distance[order])[:, None]
        taken = shows & (jnp.cumsum(shows, 0) <= k)
        count = taken.sum(0)
        average = jnp.where(taken, known[order], 0).sum(0) / jnp.maximum(count, 1)
        return jnp.where(seen > 0, x, jnp.where(count > 0, average, mean))

    return lax.map(row, (x, seen))


def _columns(batch) -> tuple[Array, Array]:
    seen = jnp.asarray(batch["seen"], float)
    return jnp.where(seen > 0, batch["x"], 0), seen
