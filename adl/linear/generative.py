"""Classes as clouds: p(x, k) = p(k) N(x | mu_k, Sigma_k), fitted by counting; and Fisher's directions between them.

One state serves all: counts, means and scatters of the classes. What is believed of the covariances is how it is read:

    full    Sigma_k = S_k / N_k                    quadratic borders
    tied    Sigma = sum_k S_k / N                  linear borders, p(k | x) = softmax of linear functions
    diag    the diagonal of S_k / N_k              naive Bayes: coordinates independent within a class

Sums have no order: any split of the data into batches leads to the same state, and each batch counts once.
Source: Bishop 2006, Pattern Recognition and Machine Learning, sections 4.1.4 to 4.2.3.
"""

from typing import Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob.labels import is_correct
from adl.prob.product import matmul

TINY = 1e-6  # examples that a class counts besides its own: nothing is divided by 0

Covariance = Literal["full", "tied", "diag"]


class Classes(NamedTuple):
    """K classes in D dimensions."""

    count: Array  # [K] examples seen
    mean: Array  # [K, D]
    scatter: Array  # [K, D, D] sum of (x - mean) (x - mean)^T


@border.columns(x="float [B, D]", label="int [B]", mask="[B]?")
def gaussian_classes(
    num_classes: int, *, covariance: Covariance = "full", reg_covar: float = 1e-6, axis: str | None = None
) -> Algorithm:
    """Maximum likelihood of a Gaussian for each class, batch by batch; the state is `Classes`.

    A batch is `{"x": [B, D], "label": [B] int}`, with an optional "mask" `[B]`, >= 0, that weighs the examples.
    Reports the `loss`, -log p(label | x) in nats an example, and the `accuracy`, both before the batch is learned.

    Args:
      num_classes: K >= 1.
      covariance: how the state is read, for what is reported.
      reg_covar: >= 0, added to each variance, in squared units of the data.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        dim = batch["x"].shape[-1]
        mean = jnp.tile(batch["x"].mean(0), (num_classes, 1))  # to count from: near the data, nothing cancels
        return Classes(jnp.zeros(num_classes), mean, jnp.zeros((num_classes, dim, dim)))

    def measure(key, classes, batch):
        x, label = batch["x"], batch["label"]
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), label.shape)
        belongs = jax.nn.one_hot(label, num_classes) * weight[:, None]
        away = x[None] - classes.mean[:, None]
        weighted = belongs.T[..., None] * away
        sums = Classes(belongs.sum(0), weighted.sum(1), matmul(weighted.swapaxes(1, 2), away))
        log_prob = jax.nn.log_softmax(log_joint(classes, x, covariance=covariance, reg_covar=reg_covar))
        surprise = -jnp.take_along_axis(log_prob, label[:, None], 1)[:, 0]
        return sums, {"loss": Mean.of(surprise, weight), "accuracy": Mean.of(is_correct(log_prob, label), weight)}

    def move(classes, sums):
        """Merges the batch, whose sums are about the means so far."""
        count = classes.count + sums.count
        shift = sums.mean / jnp.maximum(count, TINY)[:, None]
        scatter = classes.scatter + sums.scatter - sums.mean[:, :, None] * shift[:, None]
        return Classes(count, classes.mean + shift, scatter)

    return Algorithm(init, accumulate(measure, move, axis))


def covariances(classes: Classes, *, covariance: Covariance = "full", reg_covar: float = 1e-6) -> Array:
    """Covariance matrices `[K, D, D]` of the classes: maximum likelihood, plus `reg_covar` on the diagonal."""
    if covariance == "tied":
        pooled = classes.scatter.sum(0) / jnp.maximum(classes.count.sum(), TINY)
        matrices = jnp.broadcast_to(pooled, classes.scatter.shape)
    else:
        matrices = classes.scatter / jnp.maximum(classes.count, TINY)[:, None, None]
    eye = jnp.eye(matrices.shape[-1])[None]
    return (matrices * eye if covariance == "diag" else matrices) + reg_covar * eye


def log_joint(classes: Classes, x: Array, *, covariance: Covariance = "full", reg_covar: float = 1e-6) -> Array:
    """log p(x, k) `[B, K]` of points `x [B, D]` and classes, in nats; softmax over k makes it p(k | x)."""
    chex.assert_shape(x, (None, classes.mean.shape[-1]))
    roots = jnp.linalg.cholesky(covariances(classes, covariance=covariance, reg_covar=reg_covar))

    def log_density(mean, root):
        z = solve_triangular(root, (x - mean[None]).T, lower=True)
        log_det = 2 * jnp.log(jnp.diag(root)).sum()
        return -0.5 * (jnp.square(z).sum(0) + log_det + len(mean) * jnp.log(2 * jnp.pi))

    share = (classes.count + TINY) / (classes.count + TINY).sum()
    return (jnp.log(share)[:, None] + jax.vmap(log_density)(classes.mean, roots)).T


def fisher_directions(classes: Classes) -> Array:
    """Directions `[D, K - 1]` along which the classes lie furthest apart for their width, the best first.

    maximise  (w^T S_B w) / (w^T S_W w),   S_W = sum_k S_k,   S_B = sum_k N_k (mu_k - mu) (mu_k - mu)^T

    Scaled so that the pooled covariance S_W / N is the identity along them; of two classes it is the direction
    S_W^-1 (mu_2 - mu_1), up to sign.

    Source: Fisher 1936, Annals of Eugenics 7(2); Bishop 2006, eq. 4.26 and section 4.1.6.
    """
    total = classes.count.sum()
    middle = classes.count @ classes.mean / total
    apart = jnp.sqrt(classes.count / total)[:, None] * (classes.mean - middle[None])
    root = jnp.linalg.cholesky(classes.scatter.sum(0) / total)
    # S_B = apart^T apart: the singular vectors of its whitened root, without squaring.
    _, _, directions = jnp.linalg.svd(solve_triangular(root, apart.T, lower=True).T, full_matrices=False)
    return solve_triangular(root, directions[: len(apart) - 1].T, lower=True, trans=1)
