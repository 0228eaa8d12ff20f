"""The exponential family as one type: everything follows from the statistics T and the log-partition A.

    p(x) = h(x) exp(eta . T(x) - A(eta)),      mu = E[T(x)] = grad A(eta),      Cov[T(x)] = hess A(eta)

eta `[P]` are the natural parameters, mu `[P]` the mean parameters. Maximum likelihood is moment matching, mu = the mean
of T over the data; the KL divergence is the Bregman divergence of A; the conjugate prior of eta is the family's own
dual, exp(total . eta - count A(eta)), which data update by adding their T and their number.
Sources: Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 3.4; Wainwright & Jordan 2008, Graphical
Models, Exponential Families, and Variational Inference, section 3.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from adl.core.types import Array
from adl.prob import continuous, directional, discrete, gaussian
from adl.prob.family import Family
from adl.prob.moment_match import moment_match
from adl.prob.special import HALF_LOG_2PI

NARROW = 1e-5  # of the mean square: a variance below is lost in rounding


def bernoulli() -> Family:
    """T = x; eta the log-odds; the prior of the probability is Beta(total, count - total)."""
    return Family(
        statistics=lambda x: jnp.asarray(x, jnp.float32)[None],
        log_partition=lambda eta: jnp.logaddexp(eta[0], 0),
        natural=lambda d: d.logits[None],
        distribution=lambda eta: discrete.Bernoulli(eta[0]),
        start=jnp.zeros(1),
        dual=lambda mean: _log_odds(mean, 1.0),
        posterior=lambda total, count: continuous.Beta(total[0], count - total[0]),
        predictive=lambda total, count: discrete.Bernoulli(jnp.log(total[0]) - jnp.log(count - total[0])),
    )


def binomial(num_trials: int) -> Family:
    """T = x of a known number of trials; eta the log-odds."""
    n = float(num_trials)
    return Family(
        statistics=lambda x: jnp.asarray(x, jnp.float32)[None],
        log_partition=lambda eta: n * jnp.logaddexp(eta[0], 0),
        log_base=lambda x: discrete.Binomial(n, jnp.float32(0)).log_prob(x) + n * jnp.log(2.0),
        natural=lambda d: d.logits[None],
        distribution=lambda eta: discrete.Binomial(jnp.float32(n), eta[0]),
        start=jnp.zeros(1),
        dual=lambda mean: _log_odds(mean, n),
        posterior=lambda total, count: continuous.Beta(total[0], n * count - total[0]),
    )


def categorical(num_classes: int) -> Family:
    """T the indicator of the class, eta the logits, up to a constant; the prior of the shares is Dirichlet(total)."""
    return Family(
        statistics=lambda x: jax.nn.one_hot(x, num_classes),
        log_partition=jax.nn.logsumexp,
        natural=lambda d: d.logits,
        distribution=discrete.Categorical,
        start=jnp.zeros(num_classes),
        dual=jnp.log,
        posterior=lambda total, count: continuous.Dirichlet(total),
        predictive=lambda total, count: discrete.Categorical(jnp.log(total)),
    )


def poisson() -> Family:
    """T = x, eta the log of the rate, h = 1 / x!; the prior of the rate is Gamma(total, count)."""
    return Family(
        statistics=lambda x: jnp.asarray(x, jnp.float32)[None],
        log_partition=lambda eta: jnp.exp(eta[0]),
        log_base=lambda x: -gammaln(jnp.asarray(x, jnp.float32) + 1),
        natural=lambda d: jnp.log(d.rate)[None],
        distribution=lambda eta: discrete.Poisson(jnp.exp(eta[0])),
        start=jnp.zeros(1),
        dual=jnp.log,
        posterior=lambda total, count: continuous.Gamma(total[0], count),
        predictive=lambda total, count: discrete.NegativeBinomial(total[0], count),
    )


def normal(about: Array | float = 0.0) -> Family:
    """T = (x, x^2), eta = (mean, -1/2) / variance; the prior of mean and precision is normal-gamma.

    What is nearer to its place than 1/300 of its distance from there has no fit: in float32 its variance is nan.

    Args:
      about: a place that x and the mean are taken from, within some 100 standard deviations of the data.
    """

    def distribution(eta):
        variance = -0.5 / eta[1]
        return continuous.Normal(about + eta[0] * variance, jnp.sqrt(variance))

    def natural(d):
        precision = 1 / jnp.square(d.scale)
        return jnp.stack([(d.loc - about) * precision, -0.5 * precision])

    def dual(mean):
        precision = 1 / _known(mean[1] - jnp.square(mean[0]), mean[1])
        return jnp.stack([mean[0] * precision, -0.5 * precision])

    def posterior(total, count):
        loc = total[0] / count
        rate = _known(total[1] - total[0] * loc, total[1]) / 2
        # In eta the prior is flat: it comes with the Jacobian of (mean, precision), which is worth the 3 / 2.
        return gaussian.NormalGamma(about + loc, count, (count + 3) / 2, rate)

    return Family(
        statistics=lambda x: jnp.stack([x - about, jnp.square(x - about)]),
        log_partition=lambda eta: -jnp.square(eta[0]) / (4 * eta[1]) - 0.5 * jnp.log(-2 * eta[1]),
        log_base=lambda x: jnp.float32(-HALF_LOG_2PI),
        natural=natural,
        distribution=distribution,
        start=jnp.array([0.0, -0.5]),
        dual=dual,
        posterior=posterior,
        predictive=lambda total, count: posterior(total, count).predictive(),
        about=normal,
    )


def multivariate_normal(dim: int, about: Array | float = 0.0) -> Family:
    """T = (x, x x^T) in one vector `[D + D^2]`, eta = (precision mean, -precision / 2).

    Args:
      dim: D >= 1.
      about: `[]` or `[D]` as in `normal`.
    """

    def split(v):
        return v[:dim], v[dim:].reshape(dim, dim)

    def join(vector, matrix):
        return jnp.concatenate([vector, matrix.ravel()])

    def precision_form(eta):
        potential, half = split(eta)
        return gaussian.PrecisionForm(potential, -(half + half.T))

    def natural(d):
        form = d._replace(loc=d.loc - about).to_precision()
        return join(form.potential, -form.precision / 2)

    def distribution(eta):
        d = precision_form(eta).to_moments()
        return d._replace(loc=about + d.loc)

    def log_partition(eta):
        d = precision_form(eta)
        return -d.log_prob(jnp.zeros(dim)) - dim * HALF_LOG_2PI

    def dual(mean):
        first, second = split(mean)
        covariance = second - jnp.outer(first, first)
        known = _known(jnp.diagonal(covariance), jnp.diagonal(second))
        return natural(gaussian.MultivariateNormal(about + first, covariance + jnp.diag(0 * known)))

    return Family(
        statistics=lambda x: join(x - about, jnp.outer(x - about, x - about)),
        log_partition=log_partition,
        log_base=lambda x: jnp.float32(-dim * HALF_LOG_2PI),
        natural=natural,
        distribution=distribution,
        start=join(jnp.zeros(dim), -jnp.eye(dim) / 2),
        dual=dual,
        about=partial(multivariate_normal, dim),
    )


def gamma() -> Family:
    """T = (log x, x), eta = (concentration, -rate), h = 1 / x."""
    return Family(
        statistics=lambda x: jnp.stack([jnp.log(x), x]),
        log_partition=lambda eta: gammaln(_positive(eta[0])) - eta[0] * jnp.log(-eta[1]),
        log_base=lambda x: -jnp.log(x),
        natural=lambda d: jnp.stack([d.concentration, -d.rate]),
        distribution=lambda eta: continuous.Gamma(eta[0], -eta[1]),
        start=jnp.array([1.0, -1.0]),
    )


def dirichlet(num_shares: int) -> Family:
    """T = log x, eta the concentration, h = 1 / prod x."""
    return Family(
        statistics=jnp.log,
        log_partition=lambda eta: gammaln(_positive(eta)).sum() - gammaln(eta.sum()),
        log_base=lambda x: -jnp.log(x).sum(),
        natural=lambda d: d.concentration,
        distribution=continuous.Dirichlet,
        start=jnp.ones(num_shares),
    )


def beta() -> Family:
    """T = (log x, log(1 - x)), eta = (alpha, beta), h = 1 / (x (1 - x)): the Dirichlet of two shares."""
    shares = dirichlet(2)
    return shares._replace(
        statistics=lambda x: jnp.stack([jnp.log(x), jnp.log1p(-x)]),
        log_base=lambda x: -jnp.log(x) - jnp.log1p(-x),
        natural=lambda d: jnp.stack([d.alpha, d.beta]),
        distribution=lambda eta: continuous.Beta(eta[0], eta[1]),
    )


def von_mises_fisher(dim: int) -> Family:
    """T = x of length 1, eta = concentration times the direction."""

    def log_partition(eta):
        _, length = directional.polar(eta)
        return directional.log_normaliser(length, dim) + length

    return Family(
        statistics=lambda x: x,
        log_partition=log_partition,
        natural=lambda d: d.concentration * d.direction,
        distribution=lambda eta: directional.VonMisesFisher(*directional.polar(eta)),
        start=jnp.zeros(dim),
        dual=partial(_radial, dim=dim),
    )


def von_mises() -> Family:
    """T = (cos x, sin x) of an angle, eta = concentration (cos loc, sin loc): von Mises-Fisher on the circle."""

    def distribution(eta):
        return directional.VonMises(jnp.arctan2(eta[1], eta[0]), directional.polar(eta)[1])

    return von_mises_fisher(2)._replace(
        statistics=lambda x: jnp.stack([jnp.cos(x), jnp.sin(x)]),
        natural=lambda d: d.concentration * jnp.stack([jnp.cos(d.loc), jnp.sin(d.loc)]),
        distribution=distribution,
    )


def finite(features: Array) -> Family:
    """The family on K states whose statistics `features [K, P]` are given: what is most random with their means.

    Of all distributions on the states with E[features] = mu, the one of largest entropy is this family's, and
    `fit(mu)` finds it; features and a constant must be linearly independent.
    Source: Jaynes 1957, Physical Review 106(4).
    """
    return Family(
        statistics=lambda x: features[x],
        log_partition=lambda eta: jax.nn.logsumexp(features @ eta),
        natural=lambda d: jnp.linalg.lstsq(features - features.mean(0, keepdims=True), d.logits - d.logits.mean())[0],
        distribution=lambda eta: discrete.Categorical(features @ eta),
        start=jnp.zeros(features.shape[1]),
    )


def _known(variance: Array, mean_square: Array) -> Array:
    """`variance`, and nan where it is what rounding left of the difference that it was."""
    return jnp.where(variance > NARROW * mean_square, variance, jnp.nan)


def _log_odds(mean: Array, most: float) -> Array:
    """log(mean / (most - mean)), infinite at the ends, which rounding does not pass."""
    mean = jnp.clip(mean, 0, most)
    return jnp.log(mean) - jnp.log(most - mean)


def _positive(x: Array) -> Array:
    """`x`, and nan where it is outside the domain: gammaln is finite for many negative numbers, too."""
    return jnp.where(x > 0, x, jnp.nan)


def _radial(mean: Array, *, dim: int) -> Array:
    """Concentration times direction of the von Mises-Fisher distribution of this mean vector."""
    direction, length = directional.polar(mean)
    # Banerjee et al. 2005, JMLR 6, eq. 4.4: near enough for Newton to be quick.
    guess = length * (dim - jnp.square(length)) / (1 - jnp.square(length))
    return (
        direction * moment_match(lambda k: directional.log_normaliser(k[0], dim) + k[0], length[None], guess[None])[0]
    )
