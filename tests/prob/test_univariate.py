"""Every distribution of one number against SciPy: density, moments, samples, gradients, extremes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.special import expit, softmax

from adl.prob.continuous import Beta, Gamma, Laplace, Normal, StudentT
from adl.prob.directional import VonMises
from adl.prob.discrete import Bernoulli, Binomial, Categorical, NegativeBinomial, Poisson

LEVELS = np.array([1e-5, 1e-3, 0.03, 0.2, 0.45, 0.7, 0.9, 0.99, 0.9999])


class Case(NamedTuple):
    """One distribution with parameters of float32, and SciPy's of the same parameters."""

    ours: type
    params: tuple[Any, ...]
    theirs: Callable[..., Any]
    is_discrete: bool = False
    is_differentiable: bool = True  # samples in the parameters


def classes(logits):
    return stats.rv_discrete(values=(np.arange(len(logits)), softmax(logits)))


def count(make):
    return lambda *params: Case(*params, make, True, False)


CASES = {
    "normal": Case(Normal, (0.7, 0.3), stats.norm),
    "laplace": Case(Laplace, (-1.0, 2.0), stats.laplace),
    "student t": Case(StudentT, (0.5, 2.0, 5.0), lambda m, s, v: stats.t(v, m, s)),
    "student t, heavy": Case(StudentT, (0.0, 1.0, 2.5), lambda m, s, v: stats.t(v, m, s)),
    "student t, light": Case(StudentT, (0.0, 1.0, 3e3), lambda m, s, v: stats.t(v, m, s)),
    "gamma": Case(Gamma, (3.0, 0.5), lambda a, b: stats.gamma(a, scale=1 / b)),
    "gamma, peaked at 0": Case(Gamma, (0.4, 2.0), lambda a, b: stats.gamma(a, scale=1 / b)),
    "beta": Case(Beta, (2.0, 5.0), stats.beta),
    "beta, two peaks": Case(Beta, (0.5, 0.7), stats.beta),
    "von mises": Case(VonMises, (0.4, 2.0), lambda m, k: stats.vonmises(k, m)),
    "von mises, sharp": Case(VonMises, (1.0, 300.0), lambda m, k: stats.vonmises(k, m)),
    "bernoulli": count(lambda z: stats.bernoulli(expit(z)))(Bernoulli, (1.3,)),
    "categorical": count(classes)(Categorical, ((0.3, -1.0, 2.0, 0.0),)),
    "binomial": count(lambda n, z: stats.binom(n, expit(z)))(Binomial, (20.0, -0.4)),
    "binomial, many": count(lambda n, z: stats.binom(n, expit(z)))(Binomial, (3000.0, 0.2)),
    "poisson": count(stats.poisson)(Poisson, (3.5,)),
    "poisson, many": count(stats.poisson)(Poisson, (900.0,)),
    "negative binomial": count(lambda a, b: stats.nbinom(a, b / (1 + b)))(NegativeBinomial, (2.5, 0.4)),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return CASES[request.param]


def build(case):
    return case.ours(*(jnp.asarray(p, "float32") for p in case.params)), case.theirs(*map(np.asarray, case.params))


def places(theirs):
    """Quantiles from far left to far right, as float32 knows them; always as many, to share what is compiled."""
    return theirs.ppf(LEVELS).astype("float32")


@jax.jit
def everything(d, x, beyond, key):
    """All that the tests below ask of a distribution, as one program for all of its type."""
    moments = d.mean(), d.variance(), None if isinstance(d, NegativeBinomial) else d.entropy()
    slope = jax.grad(lambda d: d.log_prob(x).sum())(d)
    outside = None if isinstance(d, Categorical) else jax.vmap(lambda x: (d.log_prob(x), d.cdf(x)))(beyond)
    return (d.log_prob(x), d.cdf(x)), outside, moments, slope, d.sample(key, (40, 100))


class Seen(NamedTuple):
    inside: Any
    outside: Any
    moments: Any
    slope: Any
    samples: Any


@pytest.fixture(scope="module")
def seen(case):
    ours, theirs = build(case)
    x = jnp.asarray(places(theirs), "int32" if case.is_discrete else "f")
    beyond = jnp.asarray([theirs.support()[0] - 1, theirs.support()[1] + 1], "f")
    return Seen(*everything(ours, x, beyond, jax.random.key(3)))


def logs(case):
    """The log-probability of SciPy's; a frozen one has both methods."""
    return (lambda d: d.logpmf) if case.is_discrete else (lambda d: d.logpdf)


def test_log_prob_and_cdf(case, seen):
    _, theirs = build(case)
    x = places(theirs).astype(float)
    # A density may move by more than rounding within float32's resolution of x.
    np.testing.assert_allclose(seen.inside[0], logs(case)(theirs)(x), rtol=3e-5, atol=3e-5)
    np.testing.assert_allclose(seen.inside[1], theirs.cdf(x), rtol=1e-3, atol=1e-3 if case.ours is Binomial else 2e-6)


def test_outside_the_support(case, seen):
    if case.ours in (VonMises, Bernoulli, Categorical):
        return
    _, theirs = build(case)
    for i, end in enumerate(theirs.support()):
        if np.isfinite(end):
            assert seen.outside[0][i] == -np.inf
            assert seen.outside[1][i] == i


def test_moments(case, seen):
    _, theirs = build(case)
    if case.ours is VonMises:
        loc, k = case.params
        want = loc, 1 - special.i1e(k) / special.i0e(k)
    elif case.ours is Categorical:
        p = softmax(case.params[0])
        want = p, p * (1 - p)
    else:
        want = theirs.stats("mv")
    mean, variance, entropy = seen.moments
    np.testing.assert_allclose(mean, want[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, want[1], rtol=2e-5)
    if entropy is not None:  # of the negative binomial, whose entropy nobody asks for
        np.testing.assert_allclose(entropy, theirs.entropy(), rtol=2e-5, atol=1e-5)


def test_samples(case, seen):
    """By Kolmogorov and Smirnov; numbers that are counted, by chi-squared of cells of about a twentieth."""
    _, theirs = build(case)
    x = np.asarray(seen.samples)
    assert x.shape == (40, 100)
    x = x.ravel()
    if case.is_discrete:
        edges = np.unique(theirs.ppf(np.linspace(0.04, 0.96, 24)))
        expected = np.diff(np.concatenate([[0], theirs.cdf(edges), [1]])) * len(x)
        observed = np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1)
        keep = expected > 1e-9
        assert (observed[~keep] == 0).all()
        assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-3
    elif case.ours is VonMises:  # SciPy's circle may be cut elsewhere
        assert stats.kstest(x - case.params[0], stats.vonmises(case.params[1]).cdf).pvalue > 1e-3
    else:
        assert stats.kstest(x, theirs.cdf).pvalue > 1e-3


def test_gradient_of_log_prob_is_scipys_slope(case, seen):
    if case.ours is Categorical:
        return
    x = places(build(case)[1]).astype(float)
    integers = case.ours is Binomial  # whose number of trials does not vary
    for i, value in enumerate(case.params):
        if integers and i == 0:
            continue
        h = 1e-5 * max(abs(value), 1)
        ends = [logs(case)(case.theirs(*(p + s * h * (j == i) for j, p in enumerate(case.params))))(x) for s in (1, -1)]
        want = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(seen.slope[i], want.sum(), rtol=2e-3, atol=2e-4 * np.abs(want).sum())


@pytest.mark.full  # the law of edges asks every method under vmap
def test_vmap_is_a_loop(case):
    ours, theirs = build(case)
    other = jax.tree.map(lambda p: 0.9 * p if case.ours is not Binomial else p, ours)
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), ours, other)
    x = jnp.asarray(places(theirs)[:3])
    x = x.astype(jnp.int32) if case.is_discrete else x
    names = ["entropy"] if hasattr(ours, "entropy") else []
    mapped = jax.vmap(lambda d: (d.log_prob(x), d.cdf(x), *(getattr(d, name)() for name in names)))(both)
    for i, d in enumerate((ours, other)):
        single = (d.log_prob(x), d.cdf(x), *(getattr(d, name)() for name in names))
        for a, b in zip(mapped, single, strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-6)
    mapped = jax.vmap(lambda d, key: d.sample(key, (5,)))(both, jax.random.split(jax.random.key(0)))
    assert mapped.shape == (2, 5) and np.isfinite(np.asarray(mapped, float)).all()


DIFFERENTIABLE = [name for name, case in CASES.items() if case.is_differentiable]


@jax.jit
def moving(d, keys):
    """Samples [N] and their slopes in each parameter, as one program for all distributions of its type."""
    return jax.vmap(jax.value_and_grad(lambda d, key: d.sample(key)), (None, 0))(d, keys)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_samples_move_with_the_parameters(name):
    """d E[sin x] / d parameter, from the gradients of samples, is the finite difference of SciPy's integral."""
    case = CASES[name]
    samples, grads = moving(build(case)[0], jax.random.split(jax.random.key(1), 8000))
    draws = [np.cos(np.asarray(samples, float)) * np.asarray(grad, float) for grad in grads]
    if case.ours is Beta:
        span = (0.0, 1.0)
    elif case.ours is VonMises:
        span = (case.params[0] - np.pi, case.params[0] + np.pi)
    else:
        span = tuple(case.theirs(*case.params).ppf([1e-9, 1 - 1e-9]))

    def expected(*params):
        """By the cumulative distribution function: E sin x = sin(end) - integral of F cos."""
        x = np.linspace(*span, 200_001)
        cdf = case.theirs(*params).cdf(x)
        return np.sin(x[-1]) * cdf[-1] - np.sin(x[0]) * cdf[0] - np.trapezoid(cdf * np.cos(x), x)

    for i, value in enumerate(case.params):
        h = 1e-4 * max(abs(value), 1)
        ends = [expected(*(p + s * h * (j == i) for j, p in enumerate(case.params))) for s in (1, -1)]
        want, got = (ends[0] - ends[1]) / (2 * h), draws[i]
        error = got.std() / np.sqrt(len(got))
        assert abs(got.mean() - want) < 4 * error + 1e-3 * abs(want) + 1e-5, (i, got.mean(), want, error)


@pytest.mark.parametrize("name", ["normal", "laplace", "gamma", "gamma, peaked at 0", "von mises"])
def test_each_sample_keeps_its_quantile(name):
    """A sample's derivative is the finite difference of SciPy's quantile function at the sample's own level."""
    case = CASES[name]
    x, grads = moving(build(case)[0], jax.random.split(jax.random.key(2), 8000))
    x, grads = np.asarray(x, float)[:50], [grad[:50] for grad in grads]
    level = case.theirs(*case.params).cdf(x)
    for i, value in enumerate(case.params):
        h = 1e-4 * max(abs(value), 1)
        ends = [case.theirs(*(p + s * h * (j == i) for j, p in enumerate(case.params))).ppf(level) for s in (1, -1)]
        np.testing.assert_allclose(grads[i], (ends[0] - ends[1]) / (2 * h), rtol=5e-3, atol=2e-3)


EXTREMES = {
    "poisson": (Poisson(1e6), stats.poisson(1e6), [0.0, 997000.0, 1e6, 1003000.0]),
    "binomial": (Binomial(1e6, 0.0), stats.binom(1e6, 0.5), [0.0, 498000.0, 5e5, 1e6]),
    "binomial, sure": (Binomial(10.0, 80.0), stats.binom(10, 1.0), [10.0]),
    "gamma": (Gamma(1e6, 1e6), stats.gamma(1e6, scale=1e-6), [0.5, 0.998, 1.0, 1.002]),
    "gamma, small": (Gamma(1e-3, 1.0), stats.gamma(1e-3), [1e-30, 1e-3, 1.0, 50.0]),
    "beta": (Beta(1e5, 1e5), stats.beta(1e5, 1e5), [1e-3, 0.495, 0.5, 0.505]),
    "student t": (StudentT(0.0, 1.0, 1e8), stats.t(1e8), [-30.0, 0.0, 5.0, 1e10]),
    "von mises": (VonMises(0.0, 1e6), stats.norm(0, 1e-3), [-3e-3, 0.0, 1e-3]),
    "normal": (Normal(0.0, 1e-8), stats.norm(0, 1e-8), [-1e-7, 0.0, 1e-9]),
    "laplace": (Laplace(0.0, 1e-8), stats.laplace(0, 1e-8), [-1e-6, 0.0, 1e-7]),
}


@jax.jit
def far(d, x, key):
    draws = d.sample(key, (100,))
    grads = jax.grad(lambda d: d.log_prob(x).sum())(d)
    return d.log_prob(x), grads, d.cdf(x), d.entropy(), d.variance(), draws, d.log_prob(draws)


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_are_finite_and_right(name):
    ours, theirs, x = EXTREMES[name]
    ours = jax.tree.map(jnp.float32, ours)
    x = np.resize(x, 4).astype("f")  # always as many, to share what is compiled
    want = theirs.logpmf(x) if isinstance(theirs.dist, stats.rv_discrete) else theirs.logpdf(x)
    log_prob, grads, cdf, ours_entropy, variance, draws, of_draws = far(ours, jnp.asarray(x), jax.random.key(0))
    np.testing.assert_allclose(log_prob, want, rtol=1e-4, atol=5e-3)
    assert np.isfinite(jax.tree.leaves(grads)).all()
    assert np.isfinite(cdf).all()
    if name != "binomial, sure":
        # SciPy's sum over a million counts does not converge; so many are normal.
        many = name in ("poisson", "binomial")
        entropy = stats.norm(0, theirs.std()).entropy() if many else theirs.entropy()
        np.testing.assert_allclose(ours_entropy, entropy, rtol=1e-4, atol=1e-4)
        variance = 2 * variance if name == "von mises" else variance  # 1 - E cos x
        np.testing.assert_allclose(variance, theirs.var(), rtol=1e-4)
    assert np.isfinite(draws).all() and np.isfinite(of_draws).all()


def test_uniform_angles_have_a_slope_in_the_concentration():
    """At 0 the von Mises entropy is flat, and log p(x) rises by cos x."""
    flat = VonMises(jnp.float32(0), jnp.float32(0))
    x = jnp.full(4, 0.7)
    entropy = jax.jit(jax.grad(lambda d: d.entropy()))(flat).concentration
    (
        _,
        slope,
        *_,
    ) = far(flat, x, jax.random.key(0))
    np.testing.assert_allclose((entropy, slope.concentration), (0, 4 * np.cos(0.7)), atol=1e-6)
    angles = jax.jit(lambda d, key: d.sample(key, (1000,)))(flat, jax.random.key(0))
    assert stats.kstest(np.asarray(angles), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
