"""Principal components: orthonormal directions u_i along which points vary most, and how much.

    S u_i = lambda_i u_i,   z = U^T (x - mean),   x ~ mean + U z,   mean |x - mean - U z|^2 = sum of the other lambda

Exactly, from accumulated moments; `latent.randomised` and `latent.online` never form S.
Sources: Pearson 1901, Philosophical Magazine 2(11); Bishop 2006, Pattern Recognition and Machine Learning, section
12.1; Minka 2000, Automatic Choice of Dimensionality for PCA, NIPS 13.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from adl import data
from adl.core import Algorithm, BadInput, Mean, accumulate, border
from adl.core.types import Array, PyTree
from adl.latent.kmeans import weighted
from adl.prob import moments as m
from adl.prob.moments import Moments
from adl.prob.product import matmul

EPSILON = float(jnp.finfo(jnp.float32).eps)


class Components(NamedTuple):
    """Z directions, the one of most variance first."""

    mean: Array  # [D]
    basis: Array  # [D, Z] orthonormal columns
    variance: Array  # [Z] along each, without bias, in squared units of x
    total: Array  # [] variance of all D directions together


@border.columns(x="float [B, D]", mask="[B]?")
def pca(num_components: int, *, axis: str | None = None) -> Algorithm:
    """Exact principal components, batch by batch; the state is the `Moments` of all points so far.

    A batch is `{"x": [B, D]}` with an optional "mask" `[B]`, >= 0, that weighs the points; each batch counts once.
    Read the state by `components`. Reports the `loss`: the mean squared distance of the batch's points to the plane
    of the components before the step, in squared units of x.

    Args:
      num_components: Z in [1, D] of the plane of the reported loss.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        return m.nothing(*weighted(batch))

    def measure(key, moments, batch):
        x, weight = weighted(batch)
        left = errors(components(moments, num_components), x)
        return m.sums(x, weight, moments.mean), {"loss": Mean.of(left, weight)}

    return Algorithm(init, accumulate(measure, m.merged, axis))


def components(moments: Moments, num_components: int) -> Components:
    """The first of the eigenvectors of the covariance; variances below about 1e-7 of the largest are rounding's.

    Args:
      moments: of at least two points; of fewer the variances are nan, and the directions any.
      num_components: Z in [1, D].
    """
    covariance = moments.covariance(correction=1.0)
    # Before there are points S is 0 / -1, and any directions will do.
    variance, basis = jnp.linalg.eigh(jnp.where(moments.count > 1, covariance, 0))
    leading = jnp.where(moments.count > 1, jnp.maximum(variance[::-1][:num_components], 0), jnp.nan)
    total = jnp.where(moments.count > 1, jnp.trace(covariance), jnp.nan)
    return Components(moments.mean, basis[:, ::-1][:, :num_components], leading, total)


def found(x: Array, num_components: int) -> Components:
    """The first principal components of points `x [N, D]`, N > 1, all at once; of large pictures without their S.

    Raises:
      BadInput: for more than D.
    """
    if num_components > x.shape[1]:
        raise BadInput(f"{num_components} principal components of {x.shape[1]} numbers: there are at most as many")
    if num_components < len(x) < x.shape[1]:
        centred = x - x[:1]
        mean = centred.mean(0)
        _, deviations, directions = jnp.linalg.svd((centred - mean[None]) / jnp.sqrt(len(x) - 1), full_matrices=False)
        variance = jnp.square(deviations)
        return Components(x[0] + mean, directions[:num_components].T, variance[:num_components], variance.sum())
    return components(m.of(x, jnp.ones(len(x))), num_components)


def encode(components: Components, x: Array) -> Array:
    """Coordinates `[B, Z]` of points `x [B, D]` in the plane of the components."""
    return matmul(x - components.mean[None], components.basis)


def whiten(components: Components, x: Array) -> Array:
    """Coordinates `[B, Z]` of points `x [B, D]`, each of unit variance; 0 along directions that have none."""
    return encode(components, x) * inverse_scale(components)[None]


def inverse_scale(components: Components) -> Array:
    """`[Z]` 1 over the standard deviations; 0 of directions along which only rounding varies."""
    variance = components.variance
    # Not "is greater": nan stays nan.
    is_rounding = variance <= len(components.basis) * EPSILON * variance[0]
    return jnp.where(is_rounding, 0, lax.rsqrt(jnp.where(is_rounding, 1, variance)))


def decode(components: Components, z: Array) -> Array:
    """Points `[B, D]` at coordinates `z [B, Z]`."""
    return components.mean[None] + matmul(z, components.basis.T)


def errors(components: Components, x: Array) -> Array:
    """Squared distances `[B]` of points `x [B, D]` to the plane of the components, in squared units of x."""
    away = x - components.mean[None]
    return jnp.square(away - matmul(matmul(away, components.basis), components.basis.T)).sum(1)


class ByNumber(NamedTuple):
    """What each number of components explains."""

    variance: Array  # [D] along each component
    error: Array  # [D] mean squared distance of held-out points to the plane of 0 ... D - 1 components
    fitted: Array  # [D - 1] mean log p(x) of fitted points under probabilistic PCA of 1 ... D - 1 components, in nats
    held_out: Array  # [D - 1] the same of held-out points
    evidence: Array  # [D - 1] log p(fitted points | number of components) over their number, in nats


def by_number(moments: Moments, fitted: Array, held_out: Array) -> ByNumber:
    """Every number of components at once.

    Args:
      moments: of the fitted points.
      fitted: `[N, D]`, N > D.
      held_out: `[M, D]`.
    """
    every = components(moments, fitted.shape[1])
    likely, unseen = log_probs(every, fitted).mean(0), log_probs(every, held_out).mean(0)
    evidence = log_evidence(every.variance, jnp.float32(len(fitted))) / len(fitted)
    square = jnp.square(encode(every, held_out)).mean(0)
    return ByNumber(every.variance, jnp.cumsum(square[::-1])[::-1], likely, unseen, evidence)


def log_probs(components: Components, x: Array) -> Array:
    """log p(x) `[B, D - 1]` in nats under probabilistic PCA of 1 ... D - 1 components, at once.

    Args:
      components: all D, the last of some variance; the likelihood of each number is largest at `factors.ppca`.
      x: `[B, D]` points.
    """
    dim = len(components.variance)
    left_out = dim - jnp.arange(1, dim)

    def beyond(values):
        """Sums over what is left out, from the end: a difference would lose the smallest."""
        return jnp.cumsum(values[..., ::-1], -1)[..., ::-1][..., 1:]

    square, variance = jnp.square(encode(components, x)), components.variance
    noise = beyond(variance) / left_out
    inside = jnp.cumsum(square / variance[None] + jnp.log(variance)[None], -1)[:, :-1]
    outside = beyond(square) / noise[None] + (left_out * jnp.log(noise))[None]
    return -0.5 * (inside + outside + dim * jnp.log(2 * jnp.pi))


def coder_of(read: Callable[[PyTree], Components], levels: int) -> Callable[..., Array]:
    """`(key, state, pictures [B, H, W, C] uint8) -> [B, Z]`, their codes, grey levels spread over their width.

    Args:
      read: from a state to its components.
      levels: of grey, as in `data.image.dequantised`.
    """

    def embed(key, state, image):
        return encode(read(state), data.image.dequantised(key, image, levels=levels).reshape(len(image), -1))

    return embed


def log_evidence(spectrum: Array, count: Array) -> Array:
    """Log-evidence of each number of components in 1 ... D - 1, `[D - 1]` nats: Laplace's approximation.

    p(X | Z) ~ p(U) prod_{i <= Z} l_i^{-N/2} v^{-N (D - Z) / 2} (2 pi)^{(m + Z) / 2} |A|^{-1/2} N^{-Z/2},
    v the mean of the eigenvalues left out, m = D Z - Z (Z + 1) / 2,
    |A| = prod_{i <= Z} prod_{j > i} (1 / l'_j - 1 / l'_i) (l_i - l_j) N,   l'_j = v for j > Z

    Args:
      spectrum: `[D]` eigenvalues of the covariance, > 0, falling strictly.
      count: N > D points.
    Source: Minka 2000, eq. 77 and 78 of the technical report (30 and 31 of the paper).
    """
    dim = len(spectrum)
    rank = jnp.arange(1, dim)
    index = jnp.arange(dim)
    rest = jnp.cumsum(spectrum[::-1])[::-1][1:] / (dim - rank)
    half = (dim - index[:-1]) / 2
    prior = -rank * jnp.log(2.0) + jnp.cumsum(gammaln(half) - half * jnp.log(jnp.pi))
    fit = -count / 2 * (jnp.cumsum(jnp.log(spectrum))[:-1] + jnp.log(rest) * (dim - rank))
    free = dim * rank - rank * (rank + 1) / 2
    kept = index[None] < rank[:, None]  # [D - 1, D]
    filled = jnp.where(kept, spectrum[None], rest[:, None])
    pairs = kept[:, :, None] & (index[None, :, None] < index[None, None])
    gap = jnp.where(pairs, spectrum[None, :, None] - spectrum[None, None], 1)
    curve = jnp.where(pairs, 1 / filled[:, None] - 1 / filled[:, :, None], 1)
    log_det = (jnp.log(gap) + jnp.log(curve)).sum((1, 2)) + free * jnp.log(count)
    return prior + fit + (free + rank) / 2 * jnp.log(2 * jnp.pi) - log_det / 2 - rank / 2 * jnp.log(count)
