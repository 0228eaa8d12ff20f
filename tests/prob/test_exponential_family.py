"""Exponential families: the identities that the log-partition promises, SciPy's maximum likelihood, Bayes' rule."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from adl.prob import exponential_family as ef
from adl.prob import gaussian
from adl.prob.continuous import Beta, Dirichlet, Gamma, Laplace, Normal, StudentT
from adl.prob.directional import VonMises, VonMisesFisher
from adl.prob.discrete import Bernoulli, Binomial, Categorical, Poisson
from adl.prob.estimation import of_sets
from adl.prob.gaussian import MultivariateNormal

RNG = np.random.default_rng(0)


def floats(*values):
    return tuple(jnp.asarray(v, "float32") for v in values)


class Case(NamedTuple):
    """A family, and two of its members."""

    family: ef.Family
    p: Any
    q: Any


COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.9]])
CASES = {
    "bernoulli": Case(ef.bernoulli(), Bernoulli(*floats(1.2)), Bernoulli(*floats(-0.3))),
    "binomial": Case(ef.binomial(7), Binomial(*floats(7, 0.3)), Binomial(*floats(7, -1))),
    "categorical": Case(ef.categorical(3), Categorical(*floats([1, 0, -1])), Categorical(*floats([0, 0.5, 0]))),
    "poisson": Case(ef.poisson(), Poisson(*floats(3.5)), Poisson(*floats(1.5))),
    "normal": Case(ef.normal(), Normal(*floats(0.7, 0.5)), Normal(*floats(0, 1.5))),
    "multivariate normal": Case(
        ef.multivariate_normal(2),
        MultivariateNormal(*floats([0.3, -1], COVARIANCE)),
        MultivariateNormal(*floats([0, 0], np.eye(2))),
    ),
    "gamma": Case(ef.gamma(), Gamma(*floats(2.5, 0.7)), Gamma(*floats(0.6, 2))),
    "beta": Case(ef.beta(), Beta(*floats(2, 5)), Beta(*floats(0.8, 0.9))),
    "dirichlet": Case(ef.dirichlet(3), Dirichlet(*floats([2, 1, 4])), Dirichlet(*floats([0.7, 1.5, 1]))),
    "von mises": Case(ef.von_mises(), VonMises(*floats(0.5, 2)), VonMises(*floats(-1, 0.5))),
    "von mises-fisher": Case(
        ef.von_mises_fisher(3),
        VonMisesFisher(*floats([0.6, 0, 0.8], 4)),
        VonMisesFisher(*floats([0, 1, 0], 0.5)),
    ),
}
ALL = pytest.mark.parametrize("name", CASES)


@functools.cache
def seen(name):
    """All that the three tests below ask of a family, in one program."""
    family, p, q = CASES[name]

    def written(x, eta):
        return family.log_base(x) + eta @ family.statistics(x) - family.log_partition(eta)

    @jax.jit
    def of(p, q, key):
        eta, other = family.natural(p), family.natural(q)
        x = p.sample(key, (4000,))
        means = jax.vmap(family.mean)(jnp.stack([eta, other]))
        return {
            "densities": [jax.vmap(d)(x[:5]) for d in (p.log_prob, lambda x: family.log_prob(x, eta))],
            "written": jax.vmap(written, (0, None))(x[:5], eta),
            "again": family.distribution(eta),
            "statistics": jax.vmap(family.statistics)(x),
            "means": means,
            "fisher": family.fisher(eta),
            "fitted": jax.vmap(lambda mean: family.mean(family.fit(mean)))(means),
            "kl": jax.vmap(family.kl, (None, 0))(eta, jnp.stack([other, eta])),
            "ratio": jax.vmap(p.log_prob)(x) - jax.vmap(q.log_prob)(x),
        }

    return jax.tree.map(np.asarray, of(p, q, jax.random.key(0)))


@ALL
def test_family_is_the_distribution(name):
    """Both write the same density; there and back are the same parameters; the mean of T is grad A."""
    got = seen(name)
    want, ours = got["densities"]
    for log_prob in (ours, got["written"]):
        np.testing.assert_allclose(log_prob, want, rtol=1e-4, atol=1e-5)
    for a, b in zip(jax.tree.leaves(got["again"]), jax.tree.leaves(CASES[name].p), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    t, mean, covariance = got["statistics"], got["means"][0], got["fisher"]
    sd = np.sqrt(np.maximum(np.diag(covariance), 0))
    assert (np.abs(t.mean(0) - mean) < 4 * sd / np.sqrt(len(t)) + 1e-5).all()
    np.testing.assert_allclose(t.std(0), sd, rtol=0.12, atol=1e-4)


@ALL
def test_fit_inverts_the_mean(name):
    np.testing.assert_allclose(seen(name)["fitted"], seen(name)["means"], rtol=3e-5, atol=3e-5)


@ALL
def test_kl_is_the_mean_log_ratio(name):
    (kl, itself), ratio = seen(name)["kl"], seen(name)["ratio"]
    assert kl > 0 and abs(kl - ratio.mean()) < 4 * ratio.std() / np.sqrt(len(ratio))
    np.testing.assert_allclose(itself, 0, atol=1e-5)


def test_kl_of_gaussians_is_the_closed_form():
    family, p, q = CASES["multivariate normal"]
    np.testing.assert_allclose(family.kl(family.natural(p), family.natural(q)), gaussian.kl(p, q), rtol=1e-4)


def likeliest(family):
    """Maximum likelihood of samples, as one program."""
    return jax.jit(lambda x: family.distribution(family.fit(jax.vmap(family.statistics)(x).mean(0))))


def test_fit_of_gamma_is_scipys():
    fitted = likeliest(ef.gamma())
    for a in (0.3, 2.0, 300.0):
        x = stats.gamma(a, scale=0.5).rvs(400, random_state=1).astype("f")
        got, want = fitted(x), stats.gamma.fit(x.astype(float), floc=0)
        # Of a sharp one, float32's mean logarithm and log mean nearly agree.
        np.testing.assert_allclose((got.concentration, 1 / got.rate), (want[0], want[2]), rtol=1e-3 if a < 10 else 2e-2)


def test_fit_of_beta_and_von_mises_are_scipys():
    for family, theirs, fit in (
        (ef.beta(), stats.beta(0.6, 3.0), lambda x: stats.beta.fit(x, floc=0, fscale=1)[:2]),
        (ef.von_mises(), stats.vonmises(3.0, 0.5), lambda x: stats.vonmises.fit(x, fscale=1)[1::-1]),
    ):
        x = theirs.rvs(400, random_state=2)
        np.testing.assert_allclose(likeliest(family)(x.astype("f")), fit(x), rtol=2e-3)


@pytest.mark.parametrize("name", ["gamma", "poisson", "von mises"])
def test_fit_moves_with_the_mean(name):
    """d eta / d mu is the inverse of d mu / d eta, the Fisher information."""
    family, p, _ = CASES[name]
    eta = family.natural(p)
    slope, fisher = jax.jit(lambda eta: (jax.jacobian(family.fit)(family.mean(eta)), family.fisher(eta)))(eta)
    np.testing.assert_allclose(slope @ fisher, np.eye(len(eta)), atol=2e-3)


def test_maximum_entropy_is_what_an_optimiser_finds():
    """On eight states with a given mean and mean square; and nothing else of these means has more."""
    values = np.linspace(-1, 1, 8)
    features = np.stack([values, values**2], -1)
    moments = np.array([0.2, 0.3])
    family = ef.finite(jnp.asarray(features, "float32"))
    ours = family.distribution(family.fit(jnp.asarray(moments, "float32")))
    equal = [{"type": "eq", "fun": lambda p: features.T @ p - moments}, {"type": "eq", "fun": lambda p: p.sum() - 1}]
    found = optimize.minimize(
        lambda p: -stats.entropy(p), np.full(8, 1 / 8), bounds=[(1e-9, 1)] * 8, constraints=equal, tol=1e-12
    )
    np.testing.assert_allclose(ours.mean(), found.x, atol=1e-4)
    np.testing.assert_allclose(ours.entropy(), stats.entropy(found.x), rtol=1e-5)
    eta = family.natural(ours)
    np.testing.assert_allclose(family.mean(eta), moments, atol=1e-5)


def integrated(total, count, x):
    """Posterior expectation of p(x | eta) by sums over (mean, log precision)."""
    mean, log_precision = np.meshgrid(np.linspace(-6, 6, 1201), np.linspace(-8, 6, 1201))
    precision = np.exp(log_precision)
    log_p = total[0] * mean * precision - total[1] * precision / 2
    log_p -= count * (mean**2 * precision / 2 - log_precision / 2)
    log_p += 2 * log_precision  # d eta = precision / 2 d mean d precision, and d precision = precision d log precision
    weight = np.exp(log_p - log_p.max())
    likelihood = stats.norm(mean, 1 / np.sqrt(precision)).pdf(x)
    return (weight * likelihood).sum() / weight.sum()


def test_normal_posterior_is_bayes_rule():
    total, count = np.array([2.0, 5.0]), 4.0
    predictive = ef.normal().predictive(*floats(total, count))
    for x in (-1.0, 0.5, 3.0):
        np.testing.assert_allclose(np.exp(predictive.log_prob(x)), integrated(total, count, x), rtol=1e-3)


@pytest.mark.parametrize("name", ["bernoulli", "binomial", "poisson"])
def test_posterior_is_prior_times_likelihood(name):
    """Up to a constant, in eta: with the Jacobian of the usual parameter, which is the variance of one trial."""
    family = CASES[name].family
    total, count = floats([2.5], 4.0)
    posterior = family.posterior(total, count)
    etas = jnp.linspace(-2, 1, 7)[:, None]
    if name == "poisson":
        usual = jnp.exp(etas[:, 0])
        jacobian = etas[:, 0]
    else:
        usual = jax.nn.sigmoid(etas[:, 0])
        jacobian = jnp.log(usual * (1 - usual))
    want = jax.vmap(family.prior_log_prob, (0, None, None))(etas, total, count)
    difference = posterior.log_prob(usual) + jacobian - want
    np.testing.assert_allclose(difference - difference[0], 0, atol=1e-4)


def test_predictives_are_the_textbooks():
    total, count = floats([2.5], 4.0)
    np.testing.assert_allclose(ef.bernoulli().predictive(total, count).mean(), 2.5 / 4, rtol=1e-6)
    x = np.arange(6)
    want = stats.nbinom(2.5, 4 / 5).logpmf(x)
    np.testing.assert_allclose(ef.poisson().predictive(total, count).log_prob(jnp.asarray(x)), want, rtol=1e-4)
    shares = floats([1.0, 2.0, 5.0])[0]
    np.testing.assert_allclose(ef.categorical(3).predictive(shares, 8.0).mean(), shares / 8, rtol=1e-6)
    np.testing.assert_allclose(ef.categorical(3).posterior(shares, 8.0).mean(), shares / 8, rtol=1e-6)


def test_entropy_of_the_gaussian_is_the_largest_of_its_variance():
    others = [Laplace(*floats(0, np.sqrt(0.5))), StudentT(*floats(0, np.sqrt(0.6), 5)), Gamma(*floats(1, 1))]
    for other in others:
        np.testing.assert_allclose(other.variance(), 1, rtol=1e-5)
        assert other.entropy() < Normal(*floats(0, 1)).entropy() - 0.02


def test_what_is_certain_has_a_likelihood_and_a_divergence():
    """Maximum likelihood of classes never seen, of ones alone, of zeros alone; and its KL to what is less sure."""
    log = np.log
    cases = [
        (ef.bernoulli(), [1.0], 1, [0.5], -log(1 / (1 + np.exp(-0.5)))),
        (ef.bernoulli(), [0.0], 0, [0.5], log(1 + np.exp(0.5))),
        (ef.binomial(7), [7.0], 7, [0.5], -7 * log(1 / (1 + np.exp(-0.5)))),
        (ef.poisson(), [0.0], 0, [0.5], np.exp(0.5)),
        (ef.categorical(3), [0.0, 0.25, 0.75], 1, [0.0, 0.0, 0.0], 0.25 * log(0.75) + 0.75 * log(2.25)),
    ]
    for family, mean, x, other, kl in cases:

        @jax.jit
        def found(mean, x, other, family=family):
            eta = family.fit(mean)
            pairs = (eta, other), (eta, eta), (other, eta)
            return family.log_prob(x, eta), [family.kl(*pair) for pair in pairs]

        log_prob, divergences = found(jnp.array(mean), jnp.asarray(x), jnp.array(other))
        np.testing.assert_allclose(log_prob, log(0.25) if len(mean) == 3 else 0.0, atol=1e-6)
        np.testing.assert_allclose(divergences[0], kl, rtol=1e-4)
        np.testing.assert_allclose(divergences[1], 0, atol=1e-4)
        assert divergences[2] == np.inf


def test_fits_far_from_the_origin():
    """About a place near the data all is as at 0; about 0 there is no answer, and none is given."""
    for offset in (1e3, 1e4):
        x = jnp.asarray(RNG.normal(size=200) + offset, jnp.float32)
        wide = np.asarray(x, float)

        def seen(family, x=x):
            mean = jax.vmap(family.statistics)(x).mean(0)
            return family.distribution(family.fit(mean)), family.posterior(200 * mean, jnp.float32(200))

        fitted, belief = seen(ef.normal(about=offset))
        np.testing.assert_allclose(fitted, (wide.mean(), wide.std()), rtol=1e-5)
        np.testing.assert_allclose((belief.loc, belief.rate), (wide.mean(), 100 * wide.var()), rtol=1e-5)
        fitted, belief = seen(ef.normal())
        assert np.isnan(fitted.scale) and np.isnan(belief.rate)
    x = RNG.multivariate_normal([1e3, 1e4], COVARIANCE, 200)
    x = jnp.asarray(x, jnp.float32)
    family = ef.multivariate_normal(2, about=jnp.array([1e3, 1e4]))
    fitted = family.distribution(family.fit(jax.vmap(family.statistics)(x).mean(0)))
    np.testing.assert_allclose(fitted.covariance, np.cov(np.asarray(x, float).T, bias=True), rtol=1e-4)
    np.testing.assert_allclose(fitted.loc, np.asarray(x, float).mean(0), rtol=1e-6)
    plain = ef.multivariate_normal(2)
    assert np.isnan(plain.fit(jax.vmap(plain.statistics)(x).mean(0))).any()
    sets = jnp.asarray(RNG.normal(size=(3, 50)) + 1e4, jnp.float32)
    found = jax.vmap(ef.normal().distribution)(of_sets(ef.normal(), sets))
    np.testing.assert_allclose(found.scale, np.asarray(sets, float).std(1), rtol=1e-4)


def test_a_mean_on_the_border_has_no_match():
    """Of Beta and von Mises there is no member whose every draw is alike."""
    assert np.isnan(ef.beta().fit(jnp.array([-0.5, jnp.log1p(-jnp.exp(-0.5))]))).all()
