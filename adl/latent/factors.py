"""Linear-Gaussian latent variables: probabilistic principal components, factor analysis, and mixtures of them.

    z ~ N(0, I),   x | z ~ N(W z + mean, noise)   =>   x ~ N(mean, W W^T + noise)
    M = I + W^T noise^-1 W,   z | x ~ N(M^-1 W^T noise^-1 (x - mean), M^-1)

Noise is diagonal. Of one variance for all coordinates it is probabilistic PCA, whose likelihood is largest in closed
form; of one for each it is factor analysis. EM here is joint in W and the mean: x is regressed on (z, 1).

    E:  a = E[(z, 1)],  C = E[(z, 1) (z, 1)^T] = a a^T + S     given each x
    M:  V = (W, shift) = sum r (x - mean) a^T (sum r C)^-1,   noise = mean of (x - mean - V a)^2 + diag(V S V^T)

The noise wants a second look at the points, but it is a sum of squares: a difference of two would lose a small one.

Sources: Tipping & Bishop 1999, JRSS B 61(3); Tipping & Bishop 1999, Neural Computation 11(2), appendix C; Ghahramani &
Hinton 1996, The EM Algorithm for Mixtures of Factor Analyzers; Bishop 2006, section 12.2.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular

from adl.core import Algorithm, Key, Mean, PyTree, accumulate, border, tree
from adl.core.types import Array
from adl.latent.bound import elbo as discrete_elbo
from adl.latent.kmeans import kmeans, weighted
from adl.latent.mixture import FAMILIES, TINY
from adl.prob.clusters import nearest
from adl.prob.distributions import normal_log_prob
from adl.prob.gaussian import MultivariateNormal, kl
from adl.prob.mixture import Mixture
from adl.prob.moments import nothing
from adl.prob.product import matmul
from adl.prob.special import HALF_LOG_2PI

EPSILON = float(jnp.finfo(jnp.float32).eps)
LEAST = 1e-6  # noise, of a coordinate's variance

Noise = Literal["isotropic", "diagonal"]


class Factors(NamedTuple):
    """One such model of D coordinates by Z latent ones."""

    loc: Array  # [D] the mean
    loading: Array  # [D, Z] W
    noise: Array  # [D] > 0, variances

    def log_prob(self, x: Array) -> Array:
        """`[]` log p(x) of `x [D]`: only a matrix `[Z, Z]` is inverted."""
        z, root = self._explained(x)
        misfit = (jnp.square(x - self.loc - matmul(self.loading, z)) / self.noise).sum() + jnp.square(z).sum()
        log_det = jnp.log(self.noise).sum() + 2 * jnp.log(jnp.abs(jnp.diagonal(root))).sum()
        return -0.5 * (misfit + log_det) - len(x) * HALF_LOG_2PI

    def posterior(self, x: Array) -> MultivariateNormal:
        """p(z | x) of `x [D]`, in Z dimensions."""
        z, root = self._explained(x)
        return MultivariateNormal(z, cho_solve((root, True), jnp.eye(len(z))))

    def elbo(self, x: Array, q: MultivariateNormal) -> Array:
        """`[]` E_q[log p(x | z)] - KL(q || p(z)) in nats: log p(x) less KL(q || p(z | x)), whatever q is.

        Args:
          x: `[D]`.
          q: of z, in Z dimensions.
        """
        fit = normal_log_prob(x - self.loc, matmul(self.loading, q.loc), 0.5 * jnp.log(self.noise)).sum()
        spread = (matmul(self.loading, q.covariance) * self.loading / self.noise[:, None]).sum()
        prior = MultivariateNormal(jnp.zeros_like(q.loc), jnp.eye(len(q.loc)))
        return fit - 0.5 * spread - kl(q, prior)

    def mean(self) -> Array:
        """`[D]`."""
        return self.loc

    def covariance(self) -> Array:
        """`[D, D]` W W^T + noise."""
        return matmul(self.loading, self.loading.T) + jnp.diag(self.noise)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, D]` draws."""
        latent_key, key = jax.random.split(key)
        z = jax.random.normal(latent_key, (*shape, self.loading.shape[1]))
        noise = jax.random.normal(key, (*shape, len(self.loc)))
        scale, loc = (jnp.broadcast_to(v, noise.shape) for v in (jnp.sqrt(self.noise), self.loc))
        return loc + matmul(z, self.loading.T) + scale * noise

    def _explained(self, x):
        root, read = _rotated(self)
        return matmul(read, x - self.loc), root


def _rotated(factors: Factors) -> tuple[Array, Array]:
    """A lower root `[Z, Z]` of M, and what reads z `[Z, D]` off x - mean: by rotations of (I, noise^-1/2 W).

    M itself, of large entries where noise is small, would lose the I.
    """
    scale = jax.lax.rsqrt(factors.noise)
    num_factors = factors.loading.shape[1]
    rotation, upper = jnp.linalg.qr(jnp.concatenate([jnp.eye(num_factors), factors.loading * scale[:, None]]))
    return upper.T, solve_triangular(upper, rotation[num_factors:].T) * scale[None]


class _Sums(NamedTuple):
    """What an E-step counts, about the mean that it came with."""

    count: Array  # [] sum of r
    cross: Array  # [D, Z + 1] sum of r (x - mean) a^T
    second: Array  # [Z + 1, Z + 1] sum of r C


class _Misfit(NamedTuple):
    """What a second look counts, of the regression that the first led to."""

    count: Array  # [] sum of r
    left: Array  # [D] sum of r E[(x - mean - V (z, 1))^2]
    square: Array  # [D] sum of r (x - mean)^2


def ppca(mean: Array, covariance: Array, num_factors: int) -> Factors:
    """Probabilistic principal components of most likelihood, in closed form.

    noise = mean of the eigenvalues left out,   W = U (L - noise I)^{1/2}

    Args:
      mean: `[D]` of the points.
      covariance: `[D, D]` of the points, `Moments.covariance()`.
      num_factors: Z in [1, D - 1].
    Source: Tipping & Bishop 1999, JRSS B 61(3), eq. 7 and 8.
    """
    values, vectors = jnp.linalg.eigh(covariance)
    noise = jnp.maximum(values[:-num_factors].mean(), EPSILON * values[-1])
    scale = jnp.sqrt(jnp.maximum(values[::-1][:num_factors] - noise, 0))
    return Factors(mean, vectors[:, ::-1][:, :num_factors] * scale[None], jnp.full_like(mean, noise))


@border.columns(x="float [B, D]", mask="[B]?")
def factor_analysis(num_factors: int, *, noise: Noise = "diagonal", axis: str | None = None) -> Algorithm:
    """Maximum likelihood by EM; the state is `Factors`. With isotropic noise it is probabilistic PCA.

    A batch is `{"x": [B, D]}`, all points at every step, with an optional "mask" `[B]`, >= 0, that weighs them.
    Reports the `loss`, -log p(x) before the step, in nats a point, which no step raises. The noise of a coordinate that
    the factors explain wholly is 1e-6 of its variance.

    Args:
      num_factors: Z >= 1.
      noise: "diagonal", or "isotropic": of one variance.
      axis: as in `core.accumulate`.
    """

    def init(key, batch):
        x, weight = weighted(batch)
        return tree.take(_started(key, x, weight[:, None], nothing(x, weight).mean[None], num_factors, noise), 0)

    def measure(key, factors, batch):
        x, weight = weighted(batch)
        log_p = jax.vmap(factors.log_prob)(x)
        return _sums(factors, x, weight), {"loss": Mean.of(-log_p, weight)}

    def again(key, looked, batch):
        return _misfit(*looked, *weighted(batch)), {}

    def step(key, factors, batch):
        fitted, metrics = accumulate(measure, lambda factors, sums: _fitted(sums), axis)(key, factors, batch)
        move = accumulate(again, lambda looked, misfit: _moved(*looked, misfit, noise), axis)
        return move(key, (factors, fitted), batch)[0], metrics

    return Algorithm(init, step)


@border.columns(x="float [B, D]", mask="[B]?")
def factor_mixture(
    num_components: int,
    num_factors: int,
    *,
    noise: Noise = "isotropic",
    start: Callable[[Key, PyTree], Array] | None = None,
    axis: str | None = None,
) -> Algorithm:
    """A mixture of probabilistic PCA or factor analysers by EM; the state is a `prob.mixture.Mixture` of `Factors`.

    A batch is as in `factor_analysis`, and so is the reported `loss`. A component that no point belongs to stays.

    Args:
      num_components: K >= 1.
      num_factors: Z >= 1 of each.
      noise: as in `factor_analysis`; each component has its own.
      start: `start(key, batch) -> centres [K, D]`, k-means++ by default.
      axis: as in `core.accumulate`.
    Source: Tipping & Bishop 1999, Neural Computation 11(2), eq. C.8 to C.15.
    """
    start = start or kmeans(num_components).init

    def init(key, batch):
        start_key, key = jax.random.split(key)
        x, weight = weighted(batch)
        centres = start(start_key, batch)
        member = jax.nn.one_hot(nearest(x, centres)[0], num_components) * weight[:, None]
        logits = jnp.log(member.sum(0) + TINY)
        return Mixture(logits - jax.nn.logsumexp(logits), _started(key, x, member, centres, num_factors, noise))

    def belonging(mixture, batch):
        x, weight = weighted(batch)
        joint = log_joint(mixture, x)
        log_p = jax.nn.logsumexp(joint, -1, keepdims=True)
        return x, jnp.exp(joint - log_p) * weight[:, None], Mean.of(-log_p[:, 0], weight)

    def measure(key, mixture, batch):
        x, r, loss = belonging(mixture, batch)
        return jax.vmap(_sums, (0, None, 1))(mixture.components, x, r), {"loss": loss}

    def again(key, looked, batch):
        mixture, fitted = looked
        x, r, _ = belonging(mixture, batch)
        return jax.vmap(_misfit, (0, 0, None, 1))(mixture.components, fitted, x, r), {}

    def move(looked, misfit):
        mixture, fitted = looked
        new = jax.vmap(lambda f, v, s: _moved(f, v, s, noise))(mixture.components, fitted, misfit)
        count = misfit.count + TINY
        components = tree.where(misfit.count > TINY, new, mixture.components)
        return Mixture(jnp.log(count / count.sum()), components)

    def step(key, mixture, batch):
        regress = accumulate(measure, lambda mixture, sums: jax.vmap(_fitted)(sums), axis)
        fitted, metrics = regress(key, mixture, batch)
        return accumulate(again, move, axis)(key, (mixture, fitted), batch)[0], metrics

    return Algorithm(init, step)


def log_joint(mixture: Mixture, x: Array) -> Array:
    """log p(x, k) `[B, K]` of points `x [B, D]` and components `Factors`, in nats."""
    log_p = jax.vmap(lambda f: jax.vmap(f.log_prob)(x), out_axes=1)(mixture.components)
    return log_p + jax.nn.log_softmax(mixture.logits)[None]


def mixture_elbo(mixture: Mixture, x: Array, q_component: Array, q_factors: MultivariateNormal) -> Array:
    """`[]` nats: log p(x) less KL(q(k) || p(k | x)) + sum_k q(k) KL(q(z | k) || p(z | x, k)), whatever q is.

    Args:
      mixture: of K `Factors`.
      x: `[D]`.
      q_component: `[K]` probabilities.
      q_factors: K Gaussians of z, stacked: loc `[K, Z]`, covariance `[K, Z, Z]`.
    """
    bounds = jax.vmap(lambda f, q: f.elbo(x, q))(mixture.components, q_factors)
    return discrete_elbo(bounds + jax.nn.log_softmax(mixture.logits), q_component)


def _started(key, x, member, centres, num_factors, noise) -> Factors:
    """Random loadings that explain about half of the variance of each component's points; `[K]` of them."""
    square = FAMILIES["diag"].scatter(member, x, centres)
    pooled = square.sum(0, keepdims=True) / member.sum()
    # The variance of all is worth one point: a component of few points has a variance in all directions.
    variance = (square + pooled) / (member.sum(0)[:, None] + 1)
    variance = jnp.where(variance > 0, variance, 4 * LEAST * jnp.maximum(variance.max(1, keepdims=True), TINY))
    if noise == "isotropic":
        variance = jnp.broadcast_to(variance.mean(1, keepdims=True), variance.shape)
    scale = jnp.sqrt(variance / (2 * num_factors))[..., None]
    return Factors(centres, scale * jax.random.normal(key, (*centres.shape, num_factors)), variance / 2)


def _expected(factors: Factors, x) -> tuple[Array, Array, Array]:
    """x - mean `[B, D]`, a `[B, Z + 1]` and a root of S `[Z + 1, Z]`."""
    away = x - factors.loc[None]
    root, read = _rotated(factors)
    spread = jnp.pad(solve_triangular(root, jnp.eye(len(root)), lower=True).T, ((0, 1), (0, 0)))
    return away, jnp.concatenate([matmul(away, read.T), jnp.ones((len(x), 1), x.dtype)], 1), spread


def _sums(factors: Factors, x, r) -> _Sums:
    away, known, spread = _expected(factors, x)
    heavy, count = known * r[:, None], r.sum()
    return _Sums(count, matmul(away.T, heavy), matmul(known.T, heavy) + count * matmul(spread, spread.T))


def _fitted(sums: _Sums) -> Array:
    return cho_solve(cho_factor(sums.second + TINY * jnp.eye(len(sums.second))), sums.cross.T).T  # V [D, Z + 1]


def _misfit(factors: Factors, fitted: Array, x, r) -> _Misfit:
    away, known, spread = _expected(factors, x)
    count = r.sum()
    left = matmul(r, jnp.square(away - matmul(known, fitted.T))) + count * jnp.square(matmul(fitted, spread)).sum(1)
    return _Misfit(count, left, matmul(r, jnp.square(away)))


def _moved(factors: Factors, fitted: Array, misfit: _Misfit, noise: Noise) -> Factors:
    count = misfit.count + TINY
    variance, square = misfit.left / count, misfit.square / count
    # A coordinate that the others explain wholly keeps what float32 can tell from none; a constant, what it can of any.
    floor = LEAST * jnp.where(square > 0, square, square.max())
    if noise == "isotropic":
        variance, floor = (jnp.full_like(v, v.mean()) for v in (variance, floor))
    return Factors(factors.loc + fitted[:, -1], fitted[:, :-1], jnp.maximum(variance, floor))
