"""The mixture of Gaussians, p(x) = sum_k pi_k N(x | mu_k, Sigma_k), by expectation maximisation.

    E:  r_bk = p(k | x_b),  the responsibility of component k for point b
    M:  N_k = sum_b r_bk,   pi_k = N_k / N,   mu_k = sum_b r_bk x_b / N_k,   Sigma_k = scatter about mu_k / N_k

A step is both, and never lowers the likelihood of the points that it sees. Points are summed about the means that the
step came with, and squared about the new ones: wherever components lie, however far they move, nothing cancels.
Sources: Dempster, Laird & Rubin 1977, JRSS B 39(1); Bishop 2006, Pattern Recognition and Machine Learning, section 9.2.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Mean, Probe, PyTree, accumulate, border, trace, tree
from adl.core.types import Array
from adl.latent.kmeans import kmeans, weighted
from adl.prob.clusters import nearest
from adl.prob.product import matmul

EPSILON = float(jnp.finfo(jnp.float32).eps)
TINY = 10 * EPSILON  # points that a component counts besides its own: nothing is divided by 0, no weight is 0

Covariance = Literal["full", "tied", "diag", "spherical"]


class GaussianMixture(NamedTuple):
    """K Gaussians in D dimensions, and how much of the points each accounts for."""

    weights: Array  # [K] > 0, of sum 1
    means: Array  # [K, D]
    covariances: Array  # full [K, D, D], tied [D, D], diag [K, D], spherical [K]


class GaussianSums(NamedTuple):
    """What an E-step counts."""

    count: Array  # [K] sum of r
    mean: Array  # [K, D] of the points; of a component without points where it was
    scatter: Array  # sum of r (x - mean)^2: full and tied [K, D, D], diag and spherical [K, D]


@border.columns(x="float [B, D]", mask="[B]?")
def gaussian_mixture(
    num_components: int,
    *,
    covariance: Covariance = "full",
    reg_covar: float = 1e-6,
    start: Callable[[Key, PyTree], Array] | None = None,
    axis: str | None = None,
) -> Algorithm:
    """Maximum likelihood by EM; the state is a `GaussianMixture`.

    A batch is `{"x": [B, D]}`, by default the same at every step: all points. An optional "mask" `[B]`, >= 0, weighs
    them. Reports the `loss`, -log p(x) before the step, in nats a point. A component that no point belongs to keeps
    its place and shape, and can be found again. In float32 a covariance is resolved to a condition number of about
    1e6: scale the data, or raise `reg_covar`.

    Args:
      num_components: K >= 1.
      covariance: "full", "diag" and "spherical" have one for each component, "tied" is a full one for all.
      reg_covar: >= 0, added to each variance, in squared units of x.
      start: `start(key, batch) -> centres [K, D]`, k-means++ by default; the first mixture is estimated from the
        points nearest to each.
      axis: as in `core.accumulate`.
    """
    start = start or kmeans(num_components).init
    family = FAMILIES[covariance]

    def estimate(mixture, sums):
        count = sums.count + TINY
        new = family.estimate(sums.scatter, count, reg_covar)
        seen = family.points(sums.count) > TINY
        return GaussianMixture(count / count.sum(), sums.mean, tree.where(seen, new, mixture.covariances))

    def init(key, batch):
        x, weight = weighted(batch)
        centres = start(key, batch)
        alike = jnp.full((len(x), num_components), 1 / num_components) * weight[:, None]
        member = jax.nn.one_hot(nearest(x, centres)[0], num_components) * weight[:, None]
        all_points = component_sums(family, centres, x, alike)
        pooled = family.estimate(all_points.scatter, all_points.count + TINY, reg_covar)
        empty = GaussianMixture(all_points.count, centres, pooled)
        return estimate(empty, component_sums(family, centres, x, member))

    def step(key, mixture, batch):
        x, weight = weighted(batch)
        joint = log_joint(mixture, x, covariance=covariance)
        log_p = jax.nn.logsumexp(joint, -1, keepdims=True)
        sums = component_sums(family, mixture.means, x, jnp.exp(joint - log_p) * weight[:, None], axis)
        return estimate(mixture, sums), {"loss": Mean.of(-log_p[:, 0], weight)}

    return Algorithm(init, step)


def log_prob(mixture: GaussianMixture, x: Array, *, covariance: Covariance = "full") -> Array:
    """log p(x) `[B]` of points `x [B, D]`, in nats."""
    return jax.nn.logsumexp(log_joint(mixture, x, covariance=covariance), -1)


def responsibilities(mixture: GaussianMixture, x: Array, *, covariance: Covariance = "full") -> Array:
    """p(k | x) `[B, K]` of points `x [B, D]`: probabilities, of sum 1 over the components."""
    return jax.nn.softmax(log_joint(mixture, x, covariance=covariance), -1)


def log_joint(mixture: GaussianMixture, x: Array, *, covariance: Covariance = "full") -> Array:
    """log p(x, k) `[B, K]` of points `x [B, D]` and components, in nats."""
    distances, log_det = FAMILIES[covariance].distances(x, mixture.means, mixture.covariances)
    log_det = jnp.broadcast_to(log_det, mixture.weights.shape)
    constant = jnp.log(mixture.weights) - 0.5 * (log_det + x.shape[-1] * jnp.log(2 * jnp.pi))
    return constant[None] - 0.5 * distances


def matrices(mixture: GaussianMixture, *, covariance: Covariance = "full") -> Array:
    """Covariances `[K, D, D]` of the components, whatever they are stored as."""
    stored, shape = mixture.covariances, (*mixture.means.shape, mixture.means.shape[1])
    if covariance in ("diag", "spherical"):
        stored = jnp.broadcast_to(stored.reshape(shape[0], -1), shape[:2])[:, None] * jnp.eye(shape[1])[None]
    return jnp.broadcast_to(stored, shape)


class Fit(NamedTuple):
    """A way to fit a mixture of Gaussians, and what its states say: of one mixture, or of beliefs about it."""

    algorithm: Callable[..., Algorithm]  # (start=, axis=) -> its steps; see `gaussian_mixture`
    read: Callable[[PyTree], GaussianMixture]  # expected weights, means and full covariances [K, D, D]
    log_joint: Callable[[PyTree, Array], Array]  # up to a constant of x, log p(x, k) [B, K], of points x [B, D]
    log_prob: Callable[[PyTree, Array], Array]  # log p(x) [B], in nats
    objective: Callable[[PyTree, Array], Array]  # [] of all points, over their number: what no step on them lowers

    def seen(self, state: PyTree, x: Array) -> dict[str, Array]:
        """For figures: the mixture's arrays, the `responsibility` `[N, K]` for points `x [N, D]`, the `objective`."""
        told = {"responsibility": jax.nn.softmax(self.log_joint(state, x), -1), "objective": self.objective(state, x)}
        return {**self.read(state)._asdict(), **told}

    def drawn(self, x: Array, *, centres: Array, num_steps: int, points: Array) -> dict[str, Probe]:
        """Probes for figures: the "path" from centres of one's own, and the "density" of the run.

        Args:
          x: `[N, D]` the points that the run fits.
          centres: `[K, D]`.
          num_steps: T of the path.
          points: `[M, D]` where the density is asked for.
        Returns:
          "path": `seen` of the first mixture and after each step on all points, `[T + 1, ...]`; "density": `seen` of
          the state, and `log_prob` `[M]`.
        """

        def path(carried, key, state):
            x, centres = carried
            alg, batch = self.algorithm(start=lambda key, batch: centres), {"x": x}
            first = alg.init(key, batch)
            _, rest = trace(alg, num_steps, lambda state: self.seen(state, x))(key, first, batch)
            return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), self.seen(first, x), rest)

        def density(carried, key, state):
            x, points = carried
            return {**self.seen(state, x), "log_prob": self.log_prob(state, points)}

        return {"path": Partial(path, (x, centres)), "density": Partial(density, (x, points))}


def by_likelihood(num_components: int, *, covariance: Covariance = "full", reg_covar: float = 1e-6) -> Fit:
    """`gaussian_mixture`, and what it says; arguments as there."""
    of = {"covariance": covariance}
    return Fit(
        partial(gaussian_mixture, num_components, **of, reg_covar=reg_covar),
        lambda mixture: mixture._replace(covariances=matrices(mixture, **of)),
        partial(log_joint, **of),
        partial(log_prob, **of),
        lambda mixture, x: log_prob(mixture, x, **of).mean(),
    )


class CovarianceKind(NamedTuple):
    """A kind of covariance: how points are measured by it, and how it is estimated from their sums."""

    # (x [B, D], means, covariances) -> squared Mahalanobis distances [B, K], log determinants [K] or []
    distances: Callable[[Array, Array, Array], tuple[Array, Array]]
    scatter: Callable[[Array, Array, Array], Array]  # (r [B, K], x, means) -> as in `GaussianSums`
    estimate: Callable[[Array, Array, float], Array]  # (scatter, counts [K], reg_covar) -> covariances
    points: Callable[[Array], Array] = lambda count: count  # counts [K] -> points behind each covariance


def _full_distances(x, means, covariances):
    whiten, log_det = _whitened(covariances)
    # One component after the other: their differences stay in the cache, and are never [B, K, D].
    return lax.map(lambda c: jnp.square(matmul(x - c[0], c[1])).sum(-1), (means[:, None], whiten)).T, log_det


def _tied_distances(x, means, covariance):
    whiten, log_det = _whitened(covariance)
    return lax.map(lambda mean: jnp.square(matmul(x - mean, whiten)).sum(-1), means[:, None]).T, log_det


def _diag_distances(x, means, variances):
    return _scaled_distances(x, means, lax.rsqrt(variances)), jnp.log(variances).sum(-1)


def _spherical_distances(x, means, variances):
    return _scaled_distances(x, means, lax.rsqrt(variances)[:, None]), x.shape[-1] * jnp.log(variances)


def _scaled_distances(x, means, scale):
    return jnp.square((x[:, None] - means[None]) * scale[None]).sum(-1)


def _whitened(covariances):
    """W `[..., D, D]` with W W^T the inverse covariance, and log determinants `[...]` of the covariances."""
    root = jnp.linalg.cholesky(covariances)
    identity = jnp.broadcast_to(jnp.eye(root.shape[-1], dtype=root.dtype), root.shape)
    log_det = 2 * jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    return jnp.swapaxes(solve_triangular(root, identity, lower=True), -1, -2), log_det


def component_sums(kind: CovarianceKind, means: Array, x: Array, r: Array, axis: str | None = None) -> GaussianSums:
    """Counts, means and scatters of points `x [B, D]` by responsibilities `r [B, K]`, over all devices.

    Args:
      kind: of `FAMILIES`.
      means: `[K, D]` near the points, about which they are summed first.
      x: this device's points.
      r: >= 0, times the points' weights.
      axis: as in `core.accumulate`.
    """

    def shifts(key, means):
        # Not x - means: that would be the whole of [B, K, D].
        return (r.sum(0), lax.map(lambda c: matmul(c[0], x - c[1]), (r.T, means[:, None]))), {}

    def moved(means, sums):
        count, shift = sums
        return count, means + shift / jnp.maximum(count, TINY)[:, None]

    def scatters(key, seen):
        return kind.scatter(r, x, seen[1]), {}

    seen, _ = accumulate(shifts, moved, axis)(None, means)
    return accumulate(scatters, lambda seen, scatter: GaussianSums(*seen, scatter), axis)(None, seen)[0]


def _full_scatter(r, x, means):
    def one(component):
        weight, mean = component
        return matmul(((x - mean) * weight).T, x - mean)

    return lax.map(one, (r.T[..., None], means[:, None]))


def _diag_scatter(r, x, means):
    return lax.map(lambda c: matmul(c[0], jnp.square(x - c[1])), (r.T, means[:, None]))


def _full_estimate(scatter, count, reg_covar):
    return _ridged(scatter / count[:, None, None], reg_covar)


def _tied_estimate(scatter, count, reg_covar):
    return _ridged(scatter.sum(0) / count.sum(), reg_covar)


def _diag_estimate(scatter, count, reg_covar):
    return scatter / count[:, None] + reg_covar


def _spherical_estimate(*sums):
    return _diag_estimate(*sums).mean(-1)


def _ridged(covariances, reg_covar):
    """Regularised, and by rounding: where columns are the same it keeps a Cholesky root."""
    ridge = reg_covar + 4 * EPSILON * jnp.diagonal(covariances, axis1=-2, axis2=-1)
    symmetric = (covariances + jnp.swapaxes(covariances, -1, -2)) / 2
    return symmetric + jnp.vectorize(jnp.diag, signature="(d)->(d,d)")(ridge)


FAMILIES: dict[str, CovarianceKind] = {
    "full": CovarianceKind(_full_distances, _full_scatter, _full_estimate),
    "tied": CovarianceKind(_tied_distances, _full_scatter, _tied_estimate, points=jnp.sum),
    "diag": CovarianceKind(_diag_distances, _diag_scatter, _diag_estimate),
    "spherical": CovarianceKind(_spherical_distances, _diag_scatter, _spherical_estimate),
}
