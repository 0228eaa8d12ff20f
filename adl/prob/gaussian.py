"""The multivariate Gaussian by moments and by precision, and the rules that stay within it.

    marginal, conditional, product;   x ~ N(m, S), y | x ~ N(A x + b, L)  =>  y, and x | y, in closed form

One Gaussian, one point `[D]`; `jax.vmap` makes many.
Source: Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

from adl.core.types import Array, Key
from adl.prob.continuous import Gamma, StudentT
from adl.prob.distributions import normal_log_prob
from adl.prob.product import matmul
from adl.prob.roots import condition, root_of
from adl.prob.special import HALF_LOG_2PI, deviance


class MultivariateNormal(NamedTuple):
    """N(loc, covariance) in D dimensions."""

    loc: Array  # [D]
    covariance: Array  # [D, D] symmetric, positive definite

    def log_prob(self, x: Array) -> Array:
        """`[]` log-density of `x [D]`."""
        root = jnp.linalg.cholesky(self.covariance)
        z = solve_triangular(root, x - self.loc, lower=True)
        return -0.5 * jnp.square(z).sum() - jnp.log(jnp.diagonal(root)).sum() - len(x) * HALF_LOG_2PI

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, D]` draws."""
        noise = jax.random.normal(key, (*shape, len(self.loc)))
        offset = jnp.broadcast_to(self.loc, noise.shape)
        return offset + matmul(noise, jnp.linalg.cholesky(self.covariance).T)

    def mean(self) -> Array:
        """`[D]`."""
        return self.loc

    def variance(self) -> Array:
        """`[D]` of each coordinate."""
        return jnp.diagonal(self.covariance)

    def entropy(self) -> Array:
        """`[]` nats: log det(2 pi e covariance) / 2."""
        return (0.5 + HALF_LOG_2PI) * len(self.loc) + 0.5 * _log_det(self.covariance)

    def marginal(self, index: Sequence[int]) -> "MultivariateNormal":
        """Of the coordinates in `index`, in that order."""
        index = np.asarray(index)
        return MultivariateNormal(self.loc[index], self.covariance[np.ix_(index, index)])

    def conditional(self, index: Sequence[int], value: Array) -> "MultivariateNormal":
        """Of the other coordinates, in their order, where those in `index` are `value`.

        m_a + S_ab S_bb^-1 (value - m_b),   S_aa - S_ab S_bb^-1 S_ba

        What is left is known to 1e-7 of S_aa, as the covariance is itself; where that is all, it may be nan. What was
        seen through little noise `LinearGaussian.posterior` knows better.
        """
        known = np.asarray(index)
        rest = np.setdiff1d(np.arange(len(self.loc)), known)
        root, half, covariance = _schur(self.covariance, known, rest)
        shift = solve_triangular(root, value - self.loc[known], lower=True)
        return MultivariateNormal(self.loc[rest] + matmul(half, shift), covariance)

    def to_precision(self) -> "PrecisionForm":
        """The same by its precision."""
        precision = _inverse(self.covariance)
        return PrecisionForm(matmul(precision, self.loc), precision)


class PrecisionForm(NamedTuple):
    """A Gaussian by natural parameters: independent evidence adds, conditioning is reading off."""

    potential: Array  # [D] precision times the mean
    precision: Array  # [D, D] inverse covariance; positive semi-definite where it is evidence only

    def __add__(self, other: "PrecisionForm") -> "PrecisionForm":
        return PrecisionForm(self.potential + other.potential, self.precision + other.precision)

    def to_moments(self) -> MultivariateNormal:
        """The same by its mean and covariance; the precision must be positive definite."""
        covariance = _inverse(self.precision)
        return MultivariateNormal(matmul(covariance, self.potential), covariance)

    def log_prob(self, x: Array) -> Array:
        """`[]` log-density of `x [D]`."""
        root = jnp.linalg.cholesky(self.precision)
        z = matmul(root.T, x) - solve_triangular(root, self.potential, lower=True)
        return -0.5 * jnp.square(z).sum() + jnp.log(jnp.diagonal(root)).sum() - len(x) * HALF_LOG_2PI

    def conditional(self, index: Sequence[int], value: Array) -> "PrecisionForm":
        """Of the other coordinates, where those in `index` are `value`: rows of the precision, and no inverse."""
        known = np.asarray(index)
        rest = np.setdiff1d(np.arange(len(self.potential)), known)
        potential = self.potential[rest] - matmul(self.precision[np.ix_(rest, known)], value)
        return PrecisionForm(potential, self.precision[np.ix_(rest, rest)])

    def marginal(self, index: Sequence[int]) -> "PrecisionForm":
        """Of the coordinates in `index`, in that order, by the Schur complement of the others."""
        kept = np.asarray(index)
        rest = np.setdiff1d(np.arange(len(self.potential)), kept)
        root, half, precision = _schur(self.precision, rest, kept)
        shift = solve_triangular(root, self.potential[rest], lower=True)
        return PrecisionForm(self.potential[kept] - matmul(half, shift), precision)


class LinearGaussian(NamedTuple):
    """y | x ~ N(matrix x + offset, covariance)."""

    matrix: Array  # [E, D]
    offset: Array  # [E]
    covariance: Array  # [E, E]

    def joint(self, prior: MultivariateNormal) -> MultivariateNormal:
        """Of (x, y), `[D + E]`."""
        across = matmul(self.matrix, prior.covariance)
        y = matmul(across, self.matrix.T) + self.covariance
        loc = jnp.concatenate([prior.loc, matmul(self.matrix, prior.loc) + self.offset])
        return MultivariateNormal(loc, _symmetric(jnp.block([[prior.covariance, across.T], [across, y]])))

    def marginal(self, prior: MultivariateNormal) -> MultivariateNormal:
        """Of y: N(A m + b, A S A^T + L)."""
        dim = len(prior.loc)
        return self.joint(prior).marginal(range(dim, dim + len(self.offset)))

    def reverse(self, prior: MultivariateNormal) -> "LinearGaussian":
        """x | y, of which `posterior` is the value at one y: gain S A^T (A S A^T + L)^-1."""
        gain, covariance = self._bayes(prior)
        return LinearGaussian(gain, prior.loc - matmul(gain, self._expected(prior)), covariance)

    def posterior(self, prior: MultivariateNormal, y: Array) -> MultivariateNormal:
        """Of x, by Bayes' rule, given `y [E]`; right also where the prior is 1e12 times as wide as the noise."""
        gain, covariance = self._bayes(prior)
        return MultivariateNormal(prior.loc + matmul(gain, y - self._expected(prior)), covariance)

    def _expected(self, prior: MultivariateNormal) -> Array:
        return matmul(self.matrix, prior.loc) + self.offset

    def _bayes(self, prior: MultivariateNormal) -> tuple[Array, Array]:
        """Gain `[D, E]`, and covariance `[D, D]` of x | y."""
        seen = condition(root_of(prior.covariance), self.matrix, root_of(self.covariance))
        return seen.gain, matmul(seen.root, seen.root.T)


def product(first: MultivariateNormal, second: MultivariateNormal) -> tuple[MultivariateNormal, Array]:
    """The Gaussian that a product of two densities is in proportion to, and the log `[]` of the proportion.

    N(x; a, A) N(x; b, B) = N(a; b, A + B) N(x; C (A^-1 a + B^-1 b), C),   C = (A^-1 + B^-1)^-1
    """
    seen = LinearGaussian(jnp.eye(len(first.loc)), jnp.zeros_like(first.loc), second.covariance)
    return seen.posterior(first, second.loc), seen.marginal(first).log_prob(second.loc)


def kl(p: MultivariateNormal, q: MultivariateNormal) -> Array:
    """KL(p || q) `[]` >= 0 in nats.

    (tr(S_q^-1 S_p) + |m_q - m_p|^2 in S_q^-1 - D + log det S_q / det S_p) / 2
    """
    root_p, root_q = jnp.linalg.cholesky(p.covariance), jnp.linalg.cholesky(q.covariance)
    ratio = solve_triangular(root_q, root_p, lower=True)
    shift = jnp.square(solve_triangular(root_q, q.loc - p.loc, lower=True)).sum()
    # On the diagonal r^2 - 1 - log r^2, of what nearly agrees too.
    widths = deviance(jnp.ones_like(p.loc), jnp.square(jnp.diagonal(ratio))).sum()
    return 0.5 * (jnp.square(jnp.tril(ratio, -1)).sum() + widths + shift)


def mutual_information(gaussian: MultivariateNormal, index: Sequence[int]) -> Array:
    """I(x_a; x_b) `[]` >= 0 in nats of the coordinates in `index` and the others.

    log(det S_aa det S_bb / det S) / 2;   of two with correlation r, -log(1 - r^2) / 2
    """
    rest = np.setdiff1d(np.arange(len(gaussian.loc)), np.asarray(index))
    scale = jnp.sqrt(gaussian.variance())  # of which the information knows nothing
    unit = gaussian._replace(covariance=gaussian.covariance / (scale[:, None] * scale[None]))
    parts = [_log_det(unit.marginal(part).covariance) for part in (index, rest)]
    return 0.5 * (parts[0] + parts[1] - _log_det(unit.covariance))


class NormalGamma(NamedTuple):
    """A mean and a precision that are not known: x | precision ~ N(loc, 1 / (count precision)), precision ~ Gamma.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 2.154.
    """

    loc: Array  # []
    count: Array  # [] > 0: observations that the mean is known from
    concentration: Array  # [] > 0
    rate: Array  # [] > 0, in squared units of x

    def log_prob(self, mean: Array, precision: Array) -> Array:
        """`[...]` log-density of a mean `[...]` and a precision `[...]` > 0."""
        conditional = normal_log_prob(mean, self.loc, -0.5 * jnp.log(self.count * precision))
        return conditional + self.precision().log_prob(precision)

    def precision(self) -> Gamma:
        """What is believed of the precision."""
        return Gamma(self.concentration, self.rate)

    def location(self) -> StudentT:
        """What is believed of the mean, whatever the precision."""
        return self._student(1 / self.count)

    def predictive(self) -> StudentT:
        """Of the next observation."""
        return self._student(1 + 1 / self.count)

    def _student(self, spread: Array) -> StudentT:
        return StudentT(self.loc, jnp.sqrt(self.rate / self.concentration * spread), 2 * self.concentration)


def _schur(matrix: Array, first: np.ndarray, then: np.ndarray) -> tuple[Array, Array, Array]:
    """Root L_ff, L_tf and complement M_tt - M_tf M_ff^-1 M_ft, by the triangle L of the matrix in this order."""
    order = np.concatenate([first, then])
    root = root_of(matrix[np.ix_(order, order)])
    corner = root[len(first) :, len(first) :]
    return root[: len(first), : len(first)], root[len(first) :, : len(first)], matmul(corner, corner.T)


def _symmetric(matrix: Array) -> Array:
    return (matrix + matrix.T) / 2


def _inverse(matrix: Array) -> Array:
    return _symmetric(cho_solve((jnp.linalg.cholesky(matrix), True), jnp.eye(len(matrix))))


def _log_det(matrix: Array) -> Array:
    return 2 * jnp.log(jnp.diagonal(jnp.linalg.cholesky(matrix))).sum()
