"""Classes as clouds: p(x, k) = p(k) N(x | mu_k, Sigma_k), fitted by counting; and Fisher's directions between them.

One state serves all: counts, means and scatters of the classes. What is believed of the covariances is how it is read:

    full    Sigma_k = S_k / N_k                    quadratic borders
    tied    Sigma = sum_k S_k / N                  linear borders, p(k | x) = softmax of linear functions
    diag    the diagonal of S_k / N_k              naive Bayes: coordinates independent within a class

Sums have no order: any split of the data into batches leads to the same state, and each batch counts once. A batch is
summed about its own classes' means, so that nothing cancels wherever they lie. A class that no example has shown has
the probability 0.
Source: Bishop 2006, Pattern Recognition and Machine Learning, sections 4.1.4 to 4.2.3.
"""

from typing import Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from adl.core import Algorithm, Mean, accumulate, border
from adl.core.types import Array
from adl.prob import moments
from adl.prob.labels import is_correct
from adl.prob.product import einsum, matmul

EPSILON = float(jnp.finfo(jnp.float32).eps)
SOME = 1e-6  # examples at least: nothing is divided by 0

Covariance = Literal["full", "tied", "diag"]


class Classes(NamedTuple):
    """K classes in D dimensions."""

    count: Array  # [K] examples seen
    mean: Array  # [K, D]; 0 of a class without examples
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
        return Classes(jnp.zeros(num_classes), jnp.zeros((num_classes, dim)), jnp.zeros((num_classes, dim, dim)))

    def belongs(batch):
        weight = jnp.broadcast_to(batch.get("mask", jnp.float32(1)), batch["label"].shape)
        return jax.nn.one_hot(batch["label"], num_classes) * weight[:, None], weight

    def find(key, classes, batch):
        x, label, (member, weight) = batch["x"], batch["label"], belongs(batch)
        log_prob = jax.nn.log_softmax(log_joint(classes, x, covariance=covariance, reg_covar=reg_covar))
        surprise = -jnp.take_along_axis(log_prob, label[:, None], 1)[:, 0]
        metrics = {"loss": Mean.of(surprise, weight), "accuracy": Mean.of(is_correct(log_prob, label), weight)}
        return (member.sum(0), matmul(member.T, x)), metrics

    def middles(classes, sums):
        count, total = sums
        return total / jnp.where(count > 0, count, 1)[:, None]

    def count(key, middle, batch):
        return jax.vmap(moments.sums, (None, 1, 0))(batch["x"], belongs(batch)[0], middle), {}

    def batch_moments(middle, sums):
        nothing = moments.Moments(jnp.zeros_like(sums.count), middle, jnp.zeros_like(sums.scatter))
        return jax.vmap(moments.merged)(nothing, sums)

    def step(key, classes, batch):
        middle, metrics = accumulate(find, middles, axis)(key, classes, batch)
        more, _ = accumulate(count, batch_moments, axis)(key, middle, batch)
        return Classes(*jax.vmap(moments.joined)(moments.Moments(*classes), more)), metrics

    return Algorithm(init, step)


def covariances(classes: Classes, *, covariance: Covariance = "full", reg_covar: float = 1e-6) -> Array:
    """Covariance matrices `[K, D, D]` of the classes: maximum likelihood, plus `reg_covar` on the diagonal."""
    if covariance == "tied":
        pooled = classes.scatter.sum(0) / jnp.maximum(classes.count.sum(), SOME)
        matrices = jnp.broadcast_to(pooled, classes.scatter.shape)
    else:
        matrices = classes.scatter / jnp.maximum(classes.count, SOME)[:, None, None]
    eye = jnp.eye(matrices.shape[-1])[None]
    return (matrices * eye if covariance == "diag" else matrices) + reg_covar * eye


def log_joint(classes: Classes, x: Array, *, covariance: Covariance = "full", reg_covar: float = 1e-6) -> Array:
    """log p(x, k) `[B, K]` of points `x [B, D]` and classes, in nats; softmax over k makes it p(k | x).

    -inf of a class without examples; before any, all classes are alike.
    """
    chex.assert_shape(x, (None, classes.mean.shape[-1]))
    roots = jnp.linalg.cholesky(covariances(classes, covariance=covariance, reg_covar=reg_covar))

    def log_density(mean, root):
        z = solve_triangular(root, (x - mean[None]).T, lower=True)
        log_det = 2 * jnp.log(jnp.diag(root)).sum()
        return -0.5 * (jnp.square(z).sum(0) + log_det + len(mean) * jnp.log(2 * jnp.pi))

    is_seen, total = classes.count > 0, classes.count.sum()
    log_share = jnp.log(jnp.where(is_seen, classes.count, 1) / jnp.where(total > 0, total, 1))
    joint = log_share[None] + jax.vmap(log_density)(classes.mean, roots).T
    return jnp.where(is_seen[None], joint, jnp.where(total > 0, -jnp.inf, -jnp.log(len(is_seen))))


def fisher_directions(classes: Classes) -> Array:
    """Directions `[D, K - 1]` along which the classes lie furthest apart for their width, the best first.

    maximise  (w^T S_B w) / (w^T S_W w),   S_W = sum_k S_k,   S_B = sum_k N_k (mu_k - mu) (mu_k - mu)^T

    Scaled so that the pooled covariance S_W / N is the identity along them; of two classes it is the direction
    S_W^-1 (mu_2 - mu_1), up to sign. A coordinate that is one constant says nothing; nan if one varies between
    classes and not within. Of coordinates that tell the same each has a part.

    Source: Fisher 1936, Annals of Eugenics 7(2); Bishop 2006, eq. 4.26 and section 4.1.6.
    """
    share = classes.count / classes.count.sum()
    # By the means' differences: of the means less their own mean little is left far from the origin.
    apart = einsum("j,kjd->kd", share, classes.mean[:, None] - classes.mean[None]) * jnp.sqrt(share)[:, None]
    pooled = classes.scatter.sum(0) / classes.count.sum()
    scale = jnp.sqrt(jnp.diag(pooled))
    varies = (scale > 0) | (apart != 0).any(0)
    scale = jnp.where(varies, scale, 1)
    unit = pooled / scale[:, None] / scale[None] + jnp.diag(2 * len(scale) * EPSILON + ~varies)
    root = jnp.linalg.cholesky(unit)
    # S_B = apart^T apart: the singular vectors of its whitened root, without squaring.
    white = solve_triangular(root, (apart / scale[None]).T, lower=True).T
    _, _, directions = jnp.linalg.svd(white, full_matrices=False)
    return solve_triangular(root, directions[: len(apart) - 1].T, lower=True, trans=1) / scale[:, None]
