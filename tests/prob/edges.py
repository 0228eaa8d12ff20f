"""Distributions, their families and what compares them, at the edges; SciPy and mpmath know what is right."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from scipy import special, stats

from adl.prob import (
    bijector,
    clusters,
    density,
    directional,
    distributions,
    estimation,
    exponential_family,
    gaussian,
    information,
    kernel,
    labels,
    mixture,
    moment_match,
    moments,
    neighbours,
    quadrature,
    roots,
    spline,
    surrogate,
    tails,
)
from adl.prob import special as ours
from adl.prob.continuous import Beta, Dirichlet, Gamma, Laplace, Normal, StudentT
from adl.prob.directional import VonMises, VonMisesFisher
from adl.prob.discrete import Bernoulli, Binomial, Categorical, NegativeBinomial, Poisson
from tests.edge import Edge

RNG = np.random.default_rng(0)
INF = np.inf
EDGES: dict[str, Edge] = {}


def distribution(module, ours, theirs, points, *, num, methods=("log_prob", "cdf"), logs="logpdf", of_x=True, **bounds):
    """Edges of the methods of a distribution of numbers: `points` are its `num` parameters and a place, by the edge."""
    names = {"log_prob": logs, "cdf": "cdf", "entropy": "entropy", "mean": "mean", "variance": "var"}
    for method in methods:
        has_x = method in ("log_prob", "cdf")
        size = num + has_x

        def call(*args, method=method):
            return getattr(ours(*args[:num]), method)(*args[num:])

        def want(*args, method=method):
            return getattr(theirs(*args[:num]), names[method])(*args[num:])

        slopes = tuple(range(size if of_x else num))
        inputs = {at: tuple(np.asarray(v, float) for v in values[:size]) for at, values in points.items()}
        more = {key: value for key, value in bounds.items() if not isinstance(value, dict)} | bounds.get(method, {})
        EDGES[f"{module}.{ours.__name__}.{method}"] = Edge(call, inputs, want, **{"slopes": slopes} | more)


ALL = ("log_prob", "cdf", "entropy", "mean", "variance")
distribution(
    "continuous",
    Normal,
    stats.norm,
    {
        "plain": (0.3, 2, 1.5),
        "offset": (1e3, 1, 1001),
        "tiny": (1e-15, 1e-15, 3e-15),
        "huge": (1e15, 1e15, -1e15),
        "tail": (0, 1, 9),
    },
    num=2,
    methods=ALL,
    log_prob={"atol": 1e-6},
    cdf={"atol": 1e-7},
    entropy={"atol": 1e-6},
)
distribution(
    "continuous",
    Laplace,
    stats.laplace,
    {"plain": (0.3, 2, 1.5), "offset": (1e3, 1, 1001), "tiny": (1e-15, 1e-15, 3e-15), "huge": (1e15, 1e15, -1e15)},
    num=2,
    methods=ALL,
    log_prob={"atol": 1e-6},
    cdf={"atol": 1e-7},
    entropy={"atol": 1e-6},
)
T_POINTS = {
    "plain": (0.3, 2, 5, 1.5),
    "offset": (1e3, 1, 3, 1001),
    "tiny": (1e-15, 1e-15, 4, 3e-15),
    "middle": (0, 1, 999, 0.005),
    "at the middle": (0, 1, 999, 0),
    "heavy": (0, 1, 2.5, 1e4),
    "eight": (0, 1, 8, 0.5),
    "many": (0, 1, 1e5, -3),
}
distribution(
    "continuous",
    StudentT,
    lambda m, s, v: stats.t(v, m, s),
    T_POINTS,
    num=3,
    methods=ALL,
    atol=1e-6,
    cdf={"slopes": (0, 1, 3)},
    log_prob={"slopes": (0, 1, 3)},
    entropy={"slopes": (1, 2)},
    mean={"slopes": (0,)},
)
distribution(
    "continuous",
    Gamma,
    lambda a, r: stats.gamma(a, scale=1 / r),
    {
        "plain": (3, 0.5, 4),
        "large": (1e7, 1, 1e7),
        "large, tail": (1e6, 1, 1003000),
        "ten": (10, 1, 8),
        "small": (1e-3, 1, 0.2),
        "tiny scale": (2, 1e15, 3e-15),
        "huge scale": (2, 1e-12, 3e12),
    },
    num=2,
    methods=ALL,
    cdf={"rtol": 2e-4},
    log_prob={"atol": 2e-3},
    atol=1e-4,
)
distribution(
    "continuous",
    Beta,
    stats.beta,
    {
        "plain": (2, 5, 0.3),
        "large": (1e5, 1e5, 0.5),
        "unlike": (1e6, 1e7, 0.0909),
        "five": (5, 5, 0.5),
        "two peaks": (0.5, 0.5, 1e-6),
        "small": (1e-3, 2e-3, 0.2),
        "few and many": (0.5, 1e6, 1e-6),
    },
    num=2,
    methods=("log_prob", "cdf", "mean", "variance"),
    cdf={"rtol": 2e-3, "slope_rtol": 3e-3},
    log_prob={"atol": 2e-2},
    atol=2e-4,
)
Z = special.expit
distribution(
    "discrete",
    Bernoulli,
    lambda z: stats.bernoulli(Z(z)),
    {
        "even": (0, 1),
        "even, no": (0, 0),
        "likely": (30, 1),
        "unlikely": (-30, 1),
        "beyond": (-30, 2),
        "before": (3, -1),
    },
    num=1,
    methods=("cdf", "entropy", "mean", "variance"),
    of_x=False,
    atol=1e-7,
)
COUNTS = {"log_prob": {"atol": 2e-3}, "cdf": {"rtol": 1e-3, "slope_rtol": 5e-3}}


def binomial_log_prob(n, z, x):
    count = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return count - x * np.logaddexp(0, -z) - (n - x) * np.logaddexp(0, z)


distribution(
    "discrete",
    Binomial,
    lambda n, z: stats.binom(n, Z(z)),
    {
        "plain": (20, -0.4, 7),
        "all": (20, 2, 20),
        "none": (20, -2, 0),
        "a million": (1e6, 0.1, 524000),
        "rare": (1e7, -14, 8),
        "one": (1, 0, 0),
    },
    num=2,
    methods=("cdf", "mean", "variance", "entropy"),
    of_x=False,
    slopes=(1,),
    atol=1e-5,
    entropy={"rtol": 2e-4, "slope_rtol": 5e-3},
    **COUNTS,
)


def binomial_entropy(n, z):
    """By a sum where the probability is, which SciPy's own searches for."""
    law = stats.binom(n, Z(z))
    reach = 12 * law.std() + 20
    x = np.arange(max(0, np.floor(law.mean() - reach)), min(n, law.mean() + reach) + 1)
    return special.entr(law.pmf(x)).sum()


EDGES["discrete.Binomial.entropy"] = EDGES["discrete.Binomial.entropy"]._replace(want=binomial_entropy)
EDGES["discrete.Binomial.log_prob"] = Edge(
    lambda n, z, x: Binomial(n, z).log_prob(x),
    {
        "plain": (20.0, -0.4, 7),
        "sure, and not": (10.0, -88.0, 3),
        "surer": (10.0, -1000.0, 3),
        "all": (10.0, 300.0, 10),
        "a million": (1e6, 0.1, 524000),
    },
    binomial_log_prob,
    slopes=(1,),
    atol=2e-3,
)
distribution(
    "discrete",
    Poisson,
    stats.poisson,
    {"plain": (3.5, 2), "none": (3.5, 0), "large": (1e6, 1e6), "large, tail": (1e6, 1003000), "tiny": (1e-6, 0)},
    num=1,
    methods=("log_prob", "cdf", "mean", "variance"),
    logs="logpmf",
    of_x=False,
    atol=1e-5,
    **COUNTS,
)
distribution(
    "discrete",
    NegativeBinomial,
    lambda a, b: stats.nbinom(a, b / (1 + b)),
    {"plain": (2.5, 0.4, 3), "none": (2.5, 0.4, 0), "wide": (0.5, 1e-6, 1e6), "many": (1e4, 1, 9900)},
    num=2,
    methods=("log_prob", "cdf", "mean", "variance"),
    logs="logpmf",
    of_x=False,
    atol=1e-5,
    **COUNTS,
)


def von_mises(k):
    return np.log(2 * np.pi * special.i0e(k))


distribution(
    "directional",
    VonMises,
    lambda m, k: stats.vonmises(k, m),
    {
        "plain": (0.4, 2, 1),
        "at the mean": (0.4, 2, 0.4),
        "before": (0.4, 2, -1),
        "uniform": (0, 1e-3, 2),
        "sharp": (1, 300, 1.02),
    },
    num=2,
    atol=1e-5,
)
EDGES |= {
    "directional.VonMises.variance": Edge(
        lambda k: VonMises(0.0, k).variance(),
        {"plain": (2.0,), "uniform": (1e-4,), "sharp": (1e4,), "point": (1e15,)},
        lambda k: 1 - special.i1e(k) / special.i0e(k) if k < 1e6 else 1 / (2 * k),
    ),
    "directional.VonMises.entropy": Edge(
        lambda k: VonMises(0.0, k).entropy(),
        {"plain": (2.0,), "uniform": (1e-4,), "sharp": (1e4,)},
        lambda k: von_mises(k) + k * (1 - special.i1e(k) / special.i0e(k)),
        atol=1e-5,
    ),
    "directional.log_normaliser": Edge(
        lambda k: (directional.log_normaliser(k, 2), directional.log_normaliser(k, 3)),
        {"plain": (2.0,), "uniform": (1e-4,), "sharp": (1e4,), "point": (1e15,)},
        lambda k: (von_mises(k), np.log(2 * np.pi) + np.log(-np.expm1(-2 * k) / k)),
        atol=1e-5,
    ),
    "directional.spread": Edge(
        lambda k: directional.spread(k, 3),
        {"plain": (2.0,), "sharp": (1e4,), "point": (1e15,)},
        lambda k: 1 - 1 / np.tanh(k) + 1 / k,
    ),
    "directional.angle_cdf": Edge(
        lambda t, k: directional.angle_cdf(t, k, 3),
        {"plain": (1.0, 2.0), "none": (0.0, 2.0), "all": (np.pi, 2.0), "sharp": (0.01, 1e4)},
        lambda t, k: np.expm1(k * (np.cos(t) - 1)) / np.expm1(-2 * k),
        slopes=(1,),
        atol=2e-6,
    ),
    "directional.polar": Edge(
        directional.polar,
        {"plain": (np.array([3.0, 4]),), "1e-15": (np.array([3e-15, 4e-15]),), "1e15": (np.array([3e15, 4e15]),)},
    ),
}
DIRECTION = np.array([0.6, 0, 0.8])
NEAR_IT = np.array([0.0, 0.6, 0.8])
EDGES |= {
    f"directional.VonMisesFisher.{name}": Edge(
        lambda k, name=name, more=more: getattr(VonMisesFisher(jnp.asarray(DIRECTION, k.dtype), k), name)(*more),
        {"plain": (4.0,), "even": (1e-3,), "sharp": (1e4,)},
        want,
        slopes=(),
        rtol=2e-4,
        atol=1e-4,
    )
    for name, more, want in (
        (
            "log_prob",
            (jnp.asarray(NEAR_IT),),
            lambda k: k * (0.64 - 1) - np.log(2 * np.pi) - np.log(-np.expm1(-2 * k) / k),
        ),
        ("mean", (), lambda k: DIRECTION * (1 / np.tanh(k) - 1 / k)),
        (
            "entropy",
            (),
            lambda k: np.log(2 * np.pi) + np.log(-np.expm1(-2 * k) / k) + k * (1 - 1 / np.tanh(k) + 1 / k),
        ),
    )
}


# Classes, infinite logits, shares.
def class_log_prob(logits):
    logits = np.where((logits == INF).any(), np.where(logits == INF, 0, -INF), logits)
    return special.log_softmax(logits)


def class_entropy(logits):
    return special.entr(np.exp(class_log_prob(logits))).sum()


LOGITS = {
    "plain": np.array([0.3, -1, 2]),
    "masked": np.array([0, 0, -INF]),
    "one left": np.array([-INF, 1, -INF]),
    "offset": np.array([1e3, 1e3 + 1, 1e3 - 1]),
    "far apart": np.array([-1e4, 0, 1e4]),
    "ties": np.zeros(3),
}
FINITE = {at: logits for at, logits in LOGITS.items() if np.isfinite(logits).all()}
EDGES |= {
    "distributions.categorical_entropy": Edge(
        distributions.categorical_entropy, {at: (z,) for at, z in FINITE.items()}, class_entropy, atol=1e-6
    ),
    "distributions.categorical_entropy, infinite": Edge(
        distributions.categorical_entropy,
        {at: (z,) for at, z in LOGITS.items()} | {"sure": (np.array([INF, 0, 0]),), "none": (np.full(3, -INF),)},
        class_entropy,
        slopes=(),
        atol=1e-6,
        blank=("none",),
    ),
    "distributions.categorical_entropy, masked slopes": Edge(
        lambda z: jax.grad(distributions.categorical_entropy)(jnp.concatenate([z, jnp.full(1, -jnp.inf, z.dtype)])),
        {"plain": (np.array([0.3, -1, 2]),), "ties": (np.zeros(3),)},
        lambda z: np.append(-special.softmax(z) * (special.log_softmax(z) + class_entropy(z)), 0),
        slopes=(),
        atol=1e-6,
    ),
    "distributions.log_shares": Edge(distributions.log_shares, {at: (z,) for at, z in FINITE.items()}, class_log_prob),
    "distributions.categorical_log_prob": Edge(
        lambda z, x: distributions.categorical_log_prob(x, z),
        {at: (z, np.int32(1)) for at, z in FINITE.items()},
        lambda z, x: class_log_prob(z)[x],
    ),
    "discrete.Categorical.log_prob": Edge(
        lambda z, x: Categorical(z).log_prob(x),
        {at: (z, np.int32(1)) for at, z in LOGITS.items()} | {"sure": (np.array([0, INF, 0]), np.int32(1))},
        lambda z, x: class_log_prob(z)[x],
        slopes=(),
    ),
    "discrete.Categorical.mean": Edge(
        lambda z: Categorical(z).mean(), {at: (z,) for at, z in FINITE.items()}, special.softmax, atol=1e-7
    ),
    "discrete.Categorical.variance": Edge(
        lambda z: Categorical(z).variance(),
        {at: (z,) for at, z in FINITE.items()},
        lambda z: special.softmax(z) * (1 - special.softmax(z)),
        atol=1e-6,
    ),
    "discrete.Categorical.cdf": Edge(
        lambda z, x: Categorical(z).cdf(x),
        {at: (z, 1.0) for at, z in LOGITS.items()},
        lambda z, x: np.exp(class_log_prob(z))[:2].sum(),
        slopes=(),
        atol=1e-6,
    ),
    "discrete.Categorical.entropy": Edge(
        lambda z: Categorical(z).entropy(), {at: (z,) for at, z in LOGITS.items()}, class_entropy, slopes=(), atol=1e-6
    ),
    "discrete.Bernoulli.log_prob": Edge(
        lambda z, x: Bernoulli(z).log_prob(x),
        {"yes": (INF, 1.0), "no": (-INF, 0.0), "even": (0.0, 1.0), "wrong": (-INF, 1.0), "sure": (100.0, 0.0)},
        lambda z, x: -np.logaddexp(0, -z if x else z),
        slopes=(),
        infinite=("wrong",),
    ),
    "distributions.bernoulli_log_prob": Edge(
        distributions.bernoulli_log_prob,
        {
            "even": (1.0, 0.0),
            "even, no": (0.0, 0.0),
            "soft": (0.3, 0.0),
            "sure": (1.0, 100.0),
            "wrong": (0.0, 1e15),
            "unlikely": (1.0, -1e4),
        },
        lambda x, z: -x * np.logaddexp(0, -z) - (1 - x) * np.logaddexp(0, z),
        slopes=(1,),
        atol=1e-30,
    ),
    "distributions.normal_log_prob": Edge(
        distributions.normal_log_prob,
        {
            "plain": (0.3, 1.0, -1.0),
            "offset": (1001.0, 1e3, 0.0),
            "wide": (1e15, 1e14, 34.0),
            "narrow": (0.0, 0.0, -34.0),
        },
        lambda x, m, s: stats.norm(m, np.exp(s)).logpdf(x),
        slopes=(0, 1, 2),
        atol=1e-6,
    ),
    "distributions.normal_kl": Edge(
        distributions.normal_kl,
        {
            "plain": (0.3, -1.0, 0.0, 0.5),
            "near": (1e4, 0.001, 1e4, 0.0),
            "equal": (0.0, 0.0, 0.0, 0.0),
            "narrow": (0.0, -34.0, 0.0, 0.0),
        },
        lambda m, s, o, t: 0.5 * ((m - o) ** 2 * np.exp(-2 * t) + np.expm1(2 * (s - t))) - (s - t),
        slopes=(0, 1, 2, 3),
        rtol=2e-4,
        atol=1e-9,
    ),
    "distributions.student_t_log_prob": Edge(
        distributions.student_t_log_prob,
        {"plain": (0.3, 1.0, -1.0, 5.0), "offset": (1001.0, 1e3, 0.0, 8.0), "many": (2.0, 0.0, 0.0, 1e7)},
        lambda x, m, s, v: stats.t(v, m, np.exp(s)).logpdf(x),
        slopes=(0, 1, 2),
        atol=1e-6,
    ),
    "labels.cross_entropy": Edge(
        lambda z, y: labels.cross_entropy(z, y),
        {at: (z, np.int32(1)) for at, z in FINITE.items()},
        lambda z, y: -class_log_prob(z)[y],
        atol=1e-6,
    ),
    "labels.cross_entropy, masked": Edge(
        lambda z, y: labels.cross_entropy(z, y, label_smoothing=0.0),
        {"plain": (np.array([0.3, -1, 2]), np.int32(1)), "masked": (np.array([0, 0, -INF]), np.int32(1))},
        lambda z, y: -class_log_prob(z)[y],
        slopes=(),
    ),
    "labels.is_correct": Edge(
        labels.is_correct,
        {"yes": (np.array([0.0, INF, -INF]), np.int32(1)), "nan": (np.full(3, np.nan), np.int32(0))},
        lambda z, y: float(z.argmax() == y),
        slopes=(),
        blank=("nan",),
    ),
}


def dirichlet_log_prob(a, x):
    return special.gammaln(a.sum()) - special.gammaln(a).sum() + ((a - 1) * np.log(x)).sum()


def dirichlet_entropy(a):
    n, k = a.sum(), len(a)
    log_b = special.gammaln(a).sum() - special.gammaln(n)
    return log_b + (n - k) * special.digamma(n) - ((a - 1) * special.digamma(a)).sum()


SHARES = {
    "plain": (np.array([0.5, 2, 3]), np.array([0.2, 0.3, 0.5])),
    "small": (np.full(3, 0.01), np.array([1e-30, 1e-20, 1])),
    "large": (np.array([1e4, 3e4, 2e4]), np.array([1 / 6, 0.5, 1 / 3])),
    "ten": (np.array([5.0, 2, 3]), np.array([0.2, 0.3, 0.5])),
}
EDGES |= {
    "continuous.Dirichlet.log_prob": Edge(
        lambda a, x: Dirichlet(a).log_prob(x), SHARES, dirichlet_log_prob, rtol=2e-4, atol=1e-3
    ),
    "continuous.Dirichlet.log_prob, at 0": Edge(
        lambda a, x: Dirichlet(a).log_prob(x),
        {
            "flat": (np.array([1.0, 2, 3]), np.array([0.0, 0.5, 0.5])),
            "peak": (np.array([0.5, 2, 3]), np.array([0.0, 0.5, 0.5])),
            "hole": (np.array([2.0, 2, 3]), np.array([0.0, 0.5, 0.5])),
        },
        lambda a, x: {1: dirichlet_log_prob(a, np.array([1, 0.5, 0.5])), 0.5: INF, 2: -INF}[a[0]],
        slopes=(),
        infinite=("peak", "hole"),
    ),
    "continuous.Dirichlet.mean": Edge(
        lambda a: Dirichlet(a).mean(), {at: edge[:1] for at, edge in SHARES.items()}, lambda a: a / a.sum()
    ),
    "continuous.Dirichlet.variance": Edge(
        lambda a: Dirichlet(a).variance(),
        {at: edge[:1] for at, edge in SHARES.items()},
        lambda a: a / a.sum() * (1 - a / a.sum()) / (1 + a.sum()),
    ),
    "continuous.Dirichlet.entropy": Edge(
        lambda a: Dirichlet(a).entropy(),
        {at: edge[:1] for at, edge in SHARES.items()},
        dirichlet_entropy,
        rtol=2e-4,
        slope_rtol=5e-3,
    ),
    "continuous.Beta.entropy": Edge(
        lambda a, b: Beta(a, b).entropy(),
        {
            "plain": (2.0, 5.0),
            "large": (1e5, 1e5),
            "unlike": (1e6, 1e7),
            "two peaks": (0.5, 0.5),
            "small": (1e-3, 2e-3),
        },
        lambda a, b: dirichlet_entropy(np.array([a, b])),
        slopes=(0, 1),
        slope_rtol=5e-3,
    ),
    "tails.gamma_tails": Edge(
        tails.gamma_tails,
        {
            "plain": (3.0, 2.0),
            "tiny": (1e-10, 1e-5),
            "large": (1e7, 1e7),
            "all": (2.0, INF),
            "nothing": (2.0, 0.0),
            "sqrt": (0.5, 1e-6),
        },
        lambda a, x: (special.gammainc(a, x), special.gammaincc(a, x)),
        slopes=(),
        rtol=1e-4,
        atol=2e-6,
    ),
    "tails.beta_tails": Edge(
        lambda a, b, x: tails.beta_tails(a, b, x, 1 - x),
        {
            "plain": (3.0, 2.0, 0.4),
            "tiny": (1e-10, 1.0, 1e-5),
            "large": (1e7, 1e7, 0.5),
            "all": (2.0, 3.0, 1.0),
            "nothing": (2.0, 3.0, 0.0),
            "few and many": (0.5, 1e6, 1e-6),
        },
        lambda a, b, x: (special.betainc(a, b, x), 1 - special.betainc(a, b, x)),
        slopes=(),
        rtol=1e-3,
        atol=1e-5,
    ),
}


# Gaussians, and their roots.
EYE = np.eye(2)
COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.9]])
A = np.array([[1.0, 0.5], [-0.3, 2.0], [0.7, 0.1]])
GAUSSIANS = {
    "plain": (np.array([0.3, -1]), COVARIANCE),
    "offset": (np.array([1e3, -1e4]), COVARIANCE),
    "1e-15": (np.array([3e-16, -1e-15]), 1e-30 * COVARIANCE),
    "1e15": (np.array([3e14, -1e15]), 1e30 * COVARIANCE),
    "unlike": (np.zeros(2), np.array([[1e8, 0.6], [0.6, 1e-4]])),
}
WIDE = {
    "plain": (np.array([0.3, -1]), COVARIANCE, EYE[:1] * 0 + 1),
    "wide": (np.zeros(2), 1e8 * EYE, 1e-4 * np.eye(3)),
}
BAYES = {
    "plain": (np.array([0.3, -1]), COVARIANCE, np.eye(3), np.array([1.0, 2, 3])),
    "wide prior": (np.zeros(2), 1e8 * EYE, 1e-4 * np.eye(3), A @ np.array([1.0, 2])),
    "offset": (np.array([1e4, 1e3]), COVARIANCE, np.eye(3), A @ np.array([1e4 + 1, 1e3])),
    "little prior": (np.zeros(2), 1e-8 * EYE, 1e4 * np.eye(3), A @ np.array([1.0, 2])),
    "one is known": (np.zeros(2), np.diag([0.0, 1]), np.eye(3), np.array([1.0, 2, 3])),
}


def seen(noise):
    return gaussian.LinearGaussian(jnp.asarray(A, noise.dtype), jnp.zeros(3, noise.dtype), noise)


def normal_density(m, s, x):
    return -0.5 * ((x - m) @ np.linalg.solve(s, x - m) + np.linalg.slogdet(2 * np.pi * s)[1])


def bayes(m, s, r, y):
    """With forty digits, of which a prior of 1e8 and a noise of 1e-4 need many."""
    with mpmath.workdps(40):
        a, m, s, r, y = (mpmath.matrix(np.asarray(v).tolist()) for v in (A, m, s, r, y))
        gain = s * a.T * (a * s * a.T + r) ** -1
        mean, covariance = m + gain * (y - a * m), s - gain * a * s
        return np.array(mean.tolist(), float)[:, 0], np.array(covariance.tolist(), float)


POINT = {at: (m, s, m + np.sqrt(np.diag(s)) * np.array([0.5, -1])) for at, (m, s) in GAUSSIANS.items()}
FORM = lambda m, s: gaussian.MultivariateNormal(m, s).to_precision()  # noqa: E731
LOOSE = {"rtol": 1e-3, "slope_rtol": 1e-2}
EDGES |= {
    f"gaussian.{name}": edge
    for name, edge in {
        "MultivariateNormal.log_prob": Edge(
            lambda m, s, x: gaussian.MultivariateNormal(m, s).log_prob(x), POINT, normal_density, slopes=(), atol=1e-4
        ),
        "MultivariateNormal.entropy": Edge(
            lambda m, s: gaussian.MultivariateNormal(m, s).entropy(),
            GAUSSIANS,
            lambda m, s: 0.5 * np.linalg.slogdet(2 * np.pi * np.e * s)[1],
            slopes=(),
            atol=1e-5,
        ),
        "MultivariateNormal.mean": Edge(
            lambda m, s: gaussian.MultivariateNormal(m, s).mean(), GAUSSIANS, lambda m, s: m
        ),
        "MultivariateNormal.variance": Edge(
            lambda m, s: gaussian.MultivariateNormal(m, s).variance(), GAUSSIANS, lambda m, s: np.diag(s), slopes=()
        ),
        "MultivariateNormal.marginal": Edge(
            lambda m, s: gaussian.MultivariateNormal(m, s).marginal([1]),
            GAUSSIANS,
            lambda m, s: (m[1:], s[1:, 1:]),
            slopes=(),
        ),
        "MultivariateNormal.conditional": Edge(
            lambda m, s, x: gaussian.MultivariateNormal(m, s).conditional([0], x[:1]),
            POINT,
            lambda m, s, x: (
                m[1:] + s[1:, 0] / s[0, 0] * (x[0] - m[0]),
                s[1:, 1:] - s[1:, :1] * s[:1, 1:] / s[0, 0],
            ),
            slopes=(),
            atol=1e-30,
        ),
        "MultivariateNormal.to_precision": Edge(
            lambda m, s: FORM(m, s),
            {at: edge for at, edge in GAUSSIANS.items() if at != "unlike"},
            lambda m, s: (np.linalg.solve(s, m), np.linalg.inv(s)),
            slopes=(),
            rtol=1e-3,
        ),
        "PrecisionForm.to_moments": Edge(
            lambda m, s: FORM(m, s).to_moments(),
            {"plain": GAUSSIANS["plain"], "1e-15": GAUSSIANS["1e-15"], "1e15": GAUSSIANS["1e15"]},
            lambda m, s: (m, s),
            slopes=(),
            rtol=1e-3,
            slope_rtol=1e-2,
        ),
        "PrecisionForm.log_prob": Edge(
            lambda m, s, x: FORM(m, s).log_prob(x),
            {at: POINT[at] for at in ("plain", "1e-15", "1e15")},
            normal_density,
            slopes=(),
            atol=1e-3,
        ),
        "PrecisionForm.conditional": Edge(
            lambda v, p, x: gaussian.PrecisionForm(v, p).conditional([0], x[:1]),
            {at: edge for at, edge in POINT.items() if at != "1e15"},
            lambda v, p, x: (v[1:] - p[1:, 0] * x[0], p[1:, 1:]),
            slopes=(),
            rtol=1e-3,
        ),
        "PrecisionForm.marginal": Edge(
            lambda v, p: gaussian.PrecisionForm(v, p).marginal([1]),
            GAUSSIANS,
            lambda v, p: (v[1:] - p[1:, 0] / p[0, 0] * v[0], p[1:, 1:] - p[1:, :1] * p[:1, 1:] / p[0, 0]),
            slopes=(),
            rtol=1e-3,
            slope_rtol=1e-2,
        ),
        "LinearGaussian.posterior": Edge(
            lambda m, s, r, y: seen(r).posterior(gaussian.MultivariateNormal(m, s), y),
            BAYES,
            bayes,
            slopes=(3,),
            **LOOSE,
        ),
        "LinearGaussian.reverse": Edge(
            lambda m, s, r, y: (lambda back: (back.matrix @ y + back.offset, back.covariance))(
                seen(r).reverse(gaussian.MultivariateNormal(m, s))
            ),
            {at: edge for at, edge in BAYES.items()},
            bayes,
            slopes=(3,),
            **LOOSE,
        ),
        "LinearGaussian.joint": Edge(
            lambda m, s, r, y: seen(r).joint(gaussian.MultivariateNormal(m, s)),
            BAYES,
            lambda m, s, r, y: (np.append(m, A @ m), np.block([[s, s @ A.T], [A @ s, A @ s @ A.T + r]])),
            slopes=(),
            atol=1e-6,
        ),
        "LinearGaussian.marginal": Edge(
            lambda m, s, r, y: seen(r).marginal(gaussian.MultivariateNormal(m, s)),
            BAYES,
            lambda m, s, r, y: (A @ m, A @ s @ A.T + r),
            slopes=(),
            atol=1e-6,
        ),
        "product": Edge(
            lambda a, s, b, r: gaussian.product(gaussian.MultivariateNormal(a, s), gaussian.MultivariateNormal(b, r)),
            {
                "plain": (np.array([0.3, -1]), COVARIANCE, np.array([1.0, 2]), EYE),
                "wide and narrow": (np.array([1.0, 2]), 1e8 * EYE, np.array([5.0, 3]), 1e-2 * EYE),
                "narrow and wide": (np.array([5.0, 3]), 1e-2 * EYE, np.array([1.0, 2]), 1e8 * EYE),
                "1e-15": (np.zeros(2), 1e-30 * EYE, np.array([1e-15, 2e-15]), 1e-30 * COVARIANCE),
            },
            lambda a, s, b, r: (
                (s @ np.linalg.solve(s + r, b) + r @ np.linalg.solve(s + r, a), s @ np.linalg.solve(s + r, r)),
                normal_density(a, s + r, b),
            ),
            slopes=(2,),
            atol=1e-30,
            **LOOSE,
        ),
        "kl": Edge(
            lambda a, s, b, r: gaussian.kl(gaussian.MultivariateNormal(a, s), gaussian.MultivariateNormal(b, r)),
            {
                "plain": (np.array([0.3, -1]), COVARIANCE, np.array([1.0, 2]), EYE),
                "near": (np.array([1e4, 0]), 1.001 * EYE, np.array([1e4, 0]), EYE),
                "1e-15": (np.zeros(2), 1e-30 * EYE, np.array([1e-15, 2e-15]), 2e-30 * EYE),
                "equal": (np.zeros(2), COVARIANCE, np.zeros(2), COVARIANCE),
            },
            lambda a, s, b, r: (
                0.5
                * (
                    np.trace(np.linalg.solve(r, s))
                    - 2
                    + (b - a) @ np.linalg.solve(r, b - a)
                    + np.linalg.slogdet(r)[1]
                    - np.linalg.slogdet(s)[1]
                )
            ),
            slopes=(),
            rtol=1e-3,
            atol=1e-9,
        ),
        "mutual_information": Edge(
            lambda s: gaussian.mutual_information(gaussian.MultivariateNormal(jnp.zeros(2, s.dtype), s), [0]),
            {"plain": (COVARIANCE,), "1e-15": (1e-30 * COVARIANCE,), "1e15": (1e30 * COVARIANCE,), "none": (EYE,)},
            lambda s: -0.5 * np.log1p(-s[0, 1] * s[1, 0] / s[0, 0] / s[1, 1]),
            slopes=(),
            atol=1e-6,
        ),
        "NormalGamma.log_prob": Edge(
            lambda m, n, a, b, x, t: gaussian.NormalGamma(m, n, a, b).log_prob(x, t),
            {"plain": (0.5, 2.0, 3.0, 1.5, 0.1, 2.0), "many": (1e3, 1e6, 1e6, 1e6, 1e3, 1.0)},
            lambda m, n, a, b, x, t: (
                stats.norm(m, 1 / np.sqrt(n * t)).logpdf(x) + stats.gamma(a, scale=1 / b).logpdf(t)
            ),
            slopes=(),
            atol=1e-3,
        ),
    }.items()
}
EDGES |= {
    f"roots.{name}": edge
    for name, edge in {
        "root_of": Edge(
            lambda m, s: roots.root_of(s),
            GAUSSIANS | {"singular": (np.zeros(2), np.ones((2, 2))), "flat": (np.zeros(2), np.diag([0.0, 4]))},
            lambda m, s: (
                {1.0: np.array([[1.0, 0], [1, 0]]), 0.0: np.diag([0.0, 2])}[s[0, 0]]
                if s[0, 0] == 0 or (s == 1).all()
                else np.linalg.cholesky(s)
            ),
            slopes=(),
            rtol=1e-4,
            atol=1e-3,
        ),
        "compress": Edge(
            lambda s, q: (lambda w: w @ w.T)(roots.compress(jnp.concatenate([s, q], 1))),
            {"plain": (COVARIANCE, EYE), "wide": (10 * EYE, 1e-2 * EYE), "1e-15": (1e-15 * EYE, 1e-15 * COVARIANCE)},
            lambda s, q: s @ s.T + q @ q.T,
            slopes=(0, 1),
            atol=1e-37,
        ),
        "eliminate": Edge(
            lambda s: (lambda c, w: c @ c.T + w @ w.T)(*roots.eliminate(s, 1)),
            {"plain": (COVARIANCE,), "1e15": (1e15 * COVARIANCE,), "zeros": (0 * EYE,)},
            lambda s: s @ s.T,
            slopes=(),
        ),
        "conditioned": Edge(
            lambda s, r: (lambda seen: (seen.gain, seen.root @ seen.root.T, seen.seen @ seen.seen.T))(
                roots.conditioned(s, jnp.asarray(A, s.dtype), r)
            ),
            {"plain": (EYE, np.eye(3)), "wide": (1e4 * EYE, 1e-2 * np.eye(3)), "tiny": (1e-4 * EYE, 1e4 * np.eye(3))},
            lambda s, r: (
                np.linalg.solve(A @ s @ s.T @ A.T + r @ r.T, A @ s @ s.T).T,
                bayes(np.zeros(2), s @ s.T, r @ r.T, np.zeros(3))[1],
                A @ s @ s.T @ A.T + r @ r.T,
            ),
            slopes=(),
            rtol=1e-3,
            atol=1e-7,
        ),
    }.items()
}

# What compares points.
X = RNG.normal(size=(6, 2))
FAR = np.concatenate([X[:3], X[3:] + 1e4])
POINTS = {
    "plain": X,
    "at 1e3": X + 1e3,
    "at 1e4": np.round(256 * X) / 256 + 1e4,
    "far apart": np.round(256 * FAR) / 256,
    "1e-15": 1e-15 * X,
    "1e15": 1e15 * X,
}
MANY = RNG.normal(size=(6, 12))
MANY_POINTS = {"plain": MANY, "at 1e4": np.round(256 * MANY) / 256 + 1e4, "1e-15": 1e-15 * MANY, "1e15": 1e15 * MANY}


def squared(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def others(x):
    d = squared(x, x)
    np.fill_diagonal(d, INF)
    return d


def kernel_log_prob(x, centers, width):
    exponents = -0.5 * squared(x, centers) / width**2
    return special.logsumexp(exponents, 1) - np.log(len(centers)) - x.shape[1] * np.log(width * np.sqrt(2 * np.pi))


def left_out(x, width):
    exponents = -0.5 * others(x) / width**2
    return special.logsumexp(exponents, 1) - np.log(len(x) - 1) - x.shape[1] * np.log(width * np.sqrt(2 * np.pi))


def neighbour_entropy(x, k=3):
    log_r = 0.5 * np.log(np.sort(others(x))[:, k - 1])
    return special.digamma(len(x)) - special.digamma(k) + np.log(np.pi) + 2 * log_r.mean()


WIDTHS = {"plain": 1.0, "at 1e3": 1.0, "at 1e4": 1.0, "far apart": 1.0, "1e-15": 1e-15, "1e15": 1e15}
WITH_WIDTH = {at: (x, WIDTHS[at]) for at, x in POINTS.items()}
DRIFT = {"rtol": 1e-3, "slope_rtol": 1e-2}
EDGES |= {
    "neighbours.squared_distances": Edge(
        lambda x: neighbours.squared_distances(x[:2], x), {at: (x,) for at, x in POINTS.items()}
    ),
    "neighbours.squared_distances, many dimensions": Edge(
        lambda x: neighbours.squared_distances(x[:2], x[2:]), {at: (x,) for at, x in MANY_POINTS.items()}
    ),
    "neighbours.classify": Edge(
        lambda x: neighbours.classify(x[:2], x[2:], jnp.arange(4), k=1, num_classes=4) * 1.0,
        {at: (x,) for at, x in POINTS.items()} | {"nan": (0 * X + np.nan,), "duplicates": (0 * X,)},
        lambda x: np.where(np.isnan(x).any(), -1.0, squared(x[:2], x[2:]).argmin(1)),
        slopes=(),
    ),
    "kernel.gaussian_log_prob": Edge(
        lambda x, width: kernel.gaussian_log_prob(x[:2], x[2:], width), WITH_WIDTH, slopes=(0, 1), atol=1e-5
    ),
    "density.leave_one_out": Edge(density.leave_one_out, WITH_WIDTH, left_out, slopes=(), atol=1e-5),
    "density.neighbour_log_prob": Edge(
        lambda x: density.neighbour_log_prob(x[:2], x[2:], k=2),
        {at: (x,) for at, x in POINTS.items()},
        lambda x: np.log(2 / 4 / np.pi / np.sort(squared(x[:2], x[2:]))[:, 1]),
        slopes=(),
        atol=1e-5,
    ),
    "density.silverman": Edge(
        density.silverman, {at: (x,) for at, x in POINTS.items()} | {"one": (X,)}, slopes=(), rtol=1e-3
    ),
    "density.likeliest_bandwidth": Edge(
        lambda x, w: density.likeliest_bandwidth(x, w),
        {at: (x, WIDTHS[at] * np.array([0.3, 1, 3])) for at, x in POINTS.items()}
        | {"nan": (0 * X + np.nan, np.array([0.3, 1, 3]))},
        lambda x, w: w[np.argmax([left_out(x, width).mean() for width in w])],
        slopes=(),
        blank=("nan",),
    ),
    "information.neighbour_entropy": Edge(
        information.neighbour_entropy, {at: (x,) for at, x in POINTS.items()}, neighbour_entropy, slopes=(), atol=1e-5
    ),
    "information.neighbour_mutual_information": Edge(
        lambda x: information.neighbour_mutual_information(x[:, :1], x[:, 1:]),
        {at: (x,) for at, x in POINTS.items()} | {"duplicates": (0 * X,), "nan": (0 * X + np.nan,)},
        slopes=(),
        blank=("duplicates", "nan"),
        atol=1e-5,
    ),
    "clusters.nearest": Edge(
        lambda x: clusters.nearest(x, x[::2])[1],
        {at: (x,) for at, x in POINTS.items()},
        lambda x: squared(x, x[::2]).min(1),
        slopes=(),
    ),
    "clusters.nearest, many dimensions": Edge(
        lambda x: clusters.nearest(x, x[1::2] + 0.5 * (x[:1] - x[:1].mean()))[1],
        {at: (x,) for at, x in MANY_POINTS.items()},
        slopes=(),
        rtol=1e-3,
    ),
    "clusters.moved": Edge(
        lambda x: clusters.moved(x[::3], clusters.members(x, jnp.ones(6, x.dtype), x[::3])[0]),
        {at: (x,) for at, x in POINTS.items()},
        slopes=(),
    ),
    "clusters.members": Edge(
        lambda x: tuple(clusters.members(x, jnp.ones(6, x.dtype), x[::3])[0]),
        {at: (x,) for at, x in POINTS.items()},
        slopes=(),
        atol=1e-19,
    ),
}
TABLES = {
    "plain": np.array([[0.1, 0.2], [0.3, 0.4]]),
    "zeros": np.array([[0.5, 0.0], [0.0, 0.5]]),
    "tiny": np.array([[1.0, 1e-25], [1e-25, 1e-25]]),
    "one row": np.array([[0.3, 0.7], [0.0, 0.0]]),
    "nan": np.full((2, 2), np.nan),
}
SURE = {"blank": ("nan",), "slopes": (), "atol": 1e-6}
EDGES |= {
    "information.entropy": Edge(
        information.entropy, {at: (p,) for at, p in TABLES.items()}, lambda p: special.entr(p).sum(), **SURE
    ),
    "information.kl": Edge(
        lambda p: information.kl(p, jnp.full((2, 2), 0.25, p.dtype)),
        {at: (p,) for at, p in TABLES.items()},
        lambda p: special.rel_entr(p, np.full((2, 2), 0.25)).sum(),
        **SURE,
    ),
    "information.mutual_information": Edge(
        information.mutual_information,
        {at: (p,) for at, p in TABLES.items()},
        lambda p: special.rel_entr(p, p.sum(1, keepdims=True) * p.sum(0, keepdims=True)).sum(),
        **SURE,
    ),
    "information.total_variation": Edge(
        lambda p: information.total_variation(p[0], p[1]),
        {at: (p,) for at, p in TABLES.items()},
        lambda p: 0.5 * np.abs(p[0] - p[1]).sum(),
        **SURE,
    ),
}

# Functions of numbers.
SIZES = {"plain": (2.5,), "ten": (10.0,), "small": (1e-6,), "large": (1e7,)}
EDGES |= {
    "special.stirling_error": Edge(
        ours.stirling_error,
        SIZES,
        lambda a: (
            special.gammaln(a + 1) - (a + 0.5) * np.log(a) + a - 0.5 * np.log(2 * np.pi) if a < 1e3 else 1 / 12 / a
        ),
        slope_rtol=2e-3,
        atol=1e-6,
    ),
    "special.digamma_error": Edge(
        ours.digamma_error,
        SIZES,
        lambda a: special.digamma(a) - np.log(a) if a < 1e3 else -1 / 2 / a - 1 / 12 / a**2,
        atol=1e-7,
        slope_rtol=2e-3,
    ),
    "special.deviance": Edge(
        ours.deviance,
        {"plain": (2.0, 3.0), "equal": (1e4, 1e4), "near": (1e4, 10001.0), "zero": (0.0, 2.0), "far": (1e15, 1.0)},
        lambda x, m: special.rel_entr(x, m) + m - x,
        slopes=(),
        rtol=1e-4,
        atol=1e-9,
    ),
    "special.log_poisson": Edge(
        ours.log_poisson,
        {"plain": (2.0, 3.0), "nothing": (0.0, 0.0), "large": (1e7, 1e7), "none": (0.0, 3.0)},
        lambda x, m: special.xlogy(x, m) - m - special.gammaln(x + 1),
        slopes=(),
        atol=1e-3,
    ),
    "special.log_multinomial": Edge(
        ours.log_multinomial,
        {
            "plain": (np.array([1.0, 2, 3]), np.full(3, 2.0)),
            "large": (np.array([1e6, 2e6, 3e6]), np.array([1000500.0, 1999500, 3e6])),
        },
        lambda x, m: special.gammaln(x.sum() + 1) + (x * np.log(m / m.sum()) - special.gammaln(x + 1)).sum(),
        slopes=(),
        atol=2e-3,
    ),
    "special.safe_log": Edge(ours.safe_log, {"plain": (2.0,), "tiny": (1e-30,)}, np.log),
    "special.safe_norm": Edge(
        ours.safe_norm, {"plain": (np.array([3.0, 4]),), "1e15": (np.array([3e15, 4e15]),)}, np.linalg.norm
    ),
    "special.safe_ratio": Edge(
        ours.safe_ratio, {"plain": (2.0, 3.0), "none": (2.0, 0.0)}, lambda a, b: a / b if b else 0.0 * a
    ),
    "special.safe_product": Edge(
        ours.safe_product,
        {"plain": (2.0, 3.0), "zero": (0.0, -INF), "other zero": (INF, 0.0), "zeros": (0.0, 0.0)},
        lambda a, b: 0.0 if a == 0 or b == 0 else a * b,
        slopes=(),
    ),
    "quadrature.log_integral": Edge(
        lambda f: quadrature.log_integral(f, 0.25),
        {"plain": (np.arange(4.0),), "low": (np.arange(4) - 1e4,), "high": (np.arange(4) + 1e4,)},
        lambda f: special.logsumexp(f) + np.log(0.25),
        slopes=(),
    ),
    "quadrature.normal_expectation": Edge(
        lambda m, v: quadrature.normal_expectation(jax.nn.sigmoid, m, v),
        {
            "plain": (np.zeros(1) + 0.3, np.ones(1)),
            "wide": (np.ones(1), 50 * np.ones(1)),
            "none": (np.ones(1), np.zeros(1)),
        },
        slopes=(0,),
    ),
    "density.Histogram.log_prob": Edge(
        lambda x, c: density.Histogram(jnp.zeros((), x.dtype), jnp.ones((), x.dtype), c).log_prob(x),
        {
            "plain": (0.4, np.array([1.0, 2, 3])),
            "empty": (0.4, np.array([1.0, 0, 3])),
            "outside": (1.5, np.array([1.0, 2, 3])),
            "nan": (np.nan, np.array([1.0, 2, 3])),
            "nothing": (0.4, np.zeros(3)),
        },
        lambda x, c: np.log(3 * c[1] / c.sum()) if x < 1 else -INF,
        slopes=(),
        infinite=("empty", "outside"),
        blank=("nan", "nothing"),
    ),
    "mixture.Mixture.log_prob": Edge(
        lambda z, m, x: mixture.Mixture(z, Normal(m, jnp.ones_like(m))).log_prob(x),
        {
            "plain": (np.zeros(2), np.array([0.0, 2]), 1.0),
            "one left": (np.array([0.0, -INF]), np.array([0.0, 2]), 1.0),
            "far": (np.zeros(2), np.array([0.0, 2]), 1e3),
            "sure": (np.array([0.0, INF]), np.array([0.0, 2]), 1.0),
        },
        lambda z, m, x: special.logsumexp(class_log_prob(z) + stats.norm(m, 1).logpdf(x)),
        slopes=(1, 2),
        atol=1e-6,
    ),
}
for name in ("mean", "variance"):
    EDGES[f"mixture.Mixture.{name}"] = Edge(
        lambda z, m, name=name: getattr(mixture.Mixture(z, Normal(m, jnp.ones_like(m))), name)(),
        {
            "plain": (np.zeros(2), np.array([0.0, 2])),
            "offset": (np.zeros(2), np.array([1e4, 10002])),
            "one left": (np.array([0.0, -INF]), np.array([0.0, 2])),
        },
        lambda z, m, name=name: (lambda p, mean: mean if name == "mean" else 1 + p @ (m - mean) ** 2)(
            special.softmax(z), special.softmax(z) @ m
        ),
        slopes=(1,),
        slope_rtol=1e-2,
    )
EDGES |= {
    "mixture.Mixture.posterior": Edge(
        lambda z, m, x: mixture.Mixture(z, Normal(m, jnp.ones_like(m))).posterior(x),
        {
            "plain": (np.zeros(2), np.array([0.0, 2]), 1.0),
            "far": (np.zeros(2), np.array([0.0, 2]), 100.0),
            "one left": (np.array([0.0, -INF]), np.array([0.0, 2]), 1.0),
        },
        lambda z, m, x: special.softmax(class_log_prob(z) + stats.norm(m, 1).logpdf(x)),
        slopes=(),
        atol=1e-6,
    ),
    "mixture.Mixture.cdf": Edge(
        lambda z, m, x: mixture.Mixture(z, Normal(m, jnp.ones_like(m))).cdf(x),
        {
            "plain": (np.zeros(2), np.array([0.0, 2]), 1.0),
            "far": (np.zeros(2), np.array([0.0, 2]), 100.0),
            "one left": (np.array([0.0, -INF]), np.array([0.0, 2]), 1.0),
        },
        lambda z, m, x: special.softmax(z) @ stats.norm(m, 1).cdf(x),
        slopes=(),
        atol=1e-6,
    ),
}

# Bijectors.
LINE = {
    "plain": (np.array([-1.0, 0, 2]),),
    "large": (np.array([-60.0, 1e-3, 60]),),
    "zeros": (np.zeros(3),),
}
UP = {
    "plain": (np.array([1.0, 0.5, 2]),),
    "tiny": (np.array([1e-15, 1e-3, 1]),),
    "large": (np.array([1e3, 1e4, 1e15]),),
}
SPAN = {"plain": (np.array([0.3, 0.5, 0.7]),), "ends": (np.array([1e-6, 0.5, 0.999]),)}
for name, made, forward, backward in (
    ("Affine", lambda d: bijector.Affine(jnp.full(3, 1e4, d), jnp.full(3, 2.0, d)), LINE, LINE),
    ("Exp", lambda d: bijector.Exp(), LINE, UP),
    ("Softplus", lambda d: bijector.Softplus(), LINE, UP),
    ("Sigmoid", lambda d: bijector.Sigmoid(), LINE, SPAN),
    ("Tanh", lambda d: bijector.Tanh(), LINE, SPAN),
    ("Inverse", lambda d: bijector.Inverse(bijector.Exp()), UP, LINE),
    ("Composed", lambda d: bijector.Composed((bijector.Exp(), bijector.Inverse(bijector.Softplus()))), LINE, LINE),
    ("Permute", lambda d: bijector.Permute(jnp.array([2, 0, 1])), LINE, LINE),
    ("Triangular", lambda d: bijector.Triangular(jnp.array([[1e-3, 5, 5], [1, 1, 5], [2, 3, 1e3]], d)), LINE, LINE),
):
    for way, edges in (("forward", forward), ("inverse", backward)):
        EDGES[f"bijector.{name}.{way}_and_log_det"] = Edge(
            lambda x, made=made, way=way: getattr(made(x.dtype), f"{way}_and_log_det")(x),
            edges,
            slopes=(),
            rtol=1e-3,
            atol=2e-3 if name in ("Triangular", "Affine") else 1e-30,
        )

CURVES = np.random.default_rng(5).normal(size=(3, 8)) * np.array([[0.0], [1.0], [6.0]])
for way in ("forward", "inverse"):
    EDGES[f"spline.RationalQuadratic.{way}_and_log_det"] = Edge(
        lambda raw, x, way=way: getattr(spline.rational_spline(raw, bound=3.0), f"{way}_and_log_det")(x),
        {
            "zeros": (CURVES[0], 1.3),
            "plain": (CURVES[1], -0.4),
            "steep": (CURVES[2], 0.1),
            "at an end": (CURVES[1], 3.0),
            "just inside": (CURVES[1], 2.99),
            "far out": (CURVES[1], 1e15),
        },
        slopes=(0, 1),
        atol=1e-5,
    )
EDGES["spline.rational_spline"] = Edge(
    lambda raw: tuple(spline.rational_spline(raw, bound=3.0)),
    {"zeros": (CURVES[0],), "plain": (CURVES[1],), "steep": (CURVES[2],), "far": (CURVES[1] + 1e3,)},
    atol=1e-5,
)
EDGES["bijector.Transformed.log_prob"] = Edge(
    lambda y: bijector.Transformed(Normal(0.0, 1.0), bijector.Exp()).log_prob(y),
    UP,
    lambda y: stats.lognorm(1).logpdf(y).sum(),
)

# Families, and moments.
ETAS = {
    at: (np.array([p], float), np.array([q], float))
    for at, p, q in (("plain", 0.5, -1), ("equal", 0, 0), ("sure", INF, 1), ("unsure", 0, 20))
}


def bernoulli_kl(p, q):
    p, q = special.expit(p[0]), special.expit(q[0])
    return special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)


BERNOULLI = exponential_family.bernoulli()
SETS = {
    at: (scale * np.arange(5.0)[None] + place,)
    for at, scale, place in (("plain", 1, 0), ("at 1e4", 1, 1e4), ("1e-15", 1e-15, 0), ("1e15", 1e15, 0))
}
WEIGHTED = {at: (x,) for at, x in POINTS.items() if at != "far apart"}
EVERY = lambda x: jnp.ones(len(x), x.dtype)  # noqa: E731
EDGES |= {
    "family.Family.kl": Edge(BERNOULLI.kl, ETAS, bernoulli_kl, slopes=(), atol=1e-5),
    "family.Family.mean": Edge(
        BERNOULLI.mean, {at: edge[:1] for at, edge in ETAS.items() if at != "sure"}, lambda eta: special.expit(eta)
    ),
    "family.Family.fisher": Edge(
        BERNOULLI.fisher,
        {"plain": (np.array([0.5]),), "even": (np.zeros(1),), "sure": (np.array([30.0]),)},
        lambda eta: (special.expit(eta) * special.expit(-eta))[None],
        slopes=(),
        atol=1e-7,
    ),
    "family.Family.fit": Edge(
        BERNOULLI.fit,
        {"plain": (np.array([0.3]),), "all": (np.ones(1),), "none": (np.zeros(1),)},
        special.logit,
        slopes=(),
        infinite=("all", "none"),
    ),
    "family.Family.fit, of a normal": Edge(
        lambda m: exponential_family.normal().fit(m),
        {
            "plain": (np.array([1.0, 3.0]),),
            "far from 0": (np.array([1e4, 1e8 + 8]),),
            "no width": (np.array([2.0, 4.0]),),
            "1e-15": (np.array([0.0, 1e-30]),),
        },
        lambda m: np.array([m[0], -0.5]) / (m[1] - m[0] ** 2),
        slopes=(),
        blank=("far from 0", "no width"),
    ),
    "family.Family.log_prob": Edge(
        lambda eta: exponential_family.poisson().log_prob(jnp.zeros((), jnp.int32), eta),
        {"plain": (np.array([0.5]),), "none": (np.array([-INF]),), "many": (np.array([10.0]),)},
        lambda eta: -np.exp(eta[0]),
        slopes=(),
    ),
    "family.Family.prior_log_prob": Edge(
        lambda eta: BERNOULLI.prior_log_prob(eta, jnp.ones(1, eta.dtype), 3.0),
        {"plain": (np.array([0.5]),), "large": (np.array([1e4]),), "low": (np.array([-1e4]),)},
        lambda eta: eta[0] - 3 * np.logaddexp(eta[0], 0),
    ),
    "moment_match.moment_match": Edge(
        lambda m: moment_match.moment_match(lambda eta: jnp.logaddexp(eta[0], 0), m, jnp.zeros(1)),
        {"plain": (np.array([0.3]),), "near the end": (np.array([0.999]),), "beyond": (np.array([1.5]),)},
        special.logit,
        slopes=(),
        rtol=1e-3,
        blank=("beyond",),
    ),
    "estimation.of_sets": Edge(
        lambda x: estimation.of_sets(exponential_family.normal(), x),
        {at: edge for at, edge in SETS.items() if at in ("plain", "at 1e4")},
        lambda x: np.array([[x.mean(), -0.5]]) / x.var(),
        slopes=(),
    ),
    "moments.of": Edge(lambda x: tuple(moments.of(x, EVERY(x))), WEIGHTED, slopes=(), rtol=1e-3),
    "moments.sums": Edge(lambda x: tuple(moments.sums(x, EVERY(x), x[0])), WEIGHTED, slopes=(), rtol=1e-3),
    "moments.nothing": Edge(lambda x: moments.nothing(x, EVERY(x)).mean, WEIGHTED, slopes=()),
    "moments.merged": Edge(
        lambda x: tuple(
            moments.merged(moments.of(x[:3], EVERY(x[:3])), moments.sums(x[3:], EVERY(x[3:]), x[:3].mean(0)))
        ),
        WEIGHTED,
        slopes=(),
        rtol=2e-3,
    ),
    "moments.joined": Edge(
        lambda x: tuple(moments.joined(moments.of(x[:3], EVERY(x[:3])), moments.of(x[3:], EVERY(x[3:])))),
        {at: (x,) for at, x in POINTS.items()},
        slopes=(),
        rtol=1e-3,
        atol=1e-3,
    ),
    "moments.invertible": Edge(
        lambda covariance: jnp.square(jnp.linalg.cholesky(moments.invertible(covariance))).sum(1),
        {
            "plain": (np.array([[2.0, 0.5], [0.5, 1.0]]),),
            "twice": (np.ones((2, 2)),),
            "a constant": (np.diag([2.0, 0.0]),),
            "1e30": (np.array([[2e30, 1e30], [1e30, 1e30]]),),
            "1e-30": (np.array([[2e-30, 1e-30], [1e-30, 1e-30]]),),
        },
        lambda covariance: np.where(np.diag(covariance) > 0, np.diag(covariance), 1),
        slopes=(),
    ),
    "moments.Moments.covariance": Edge(
        lambda x: moments.of(x, EVERY(x)).covariance(correction=1.0), WEIGHTED, slopes=(), rtol=1e-3
    ),
}

EDGES["surrogate.clipped_surrogate"] = Edge(
    lambda log_ratio, advantage: surrogate.clipped_surrogate(log_ratio, advantage, clip=0.2),
    {
        "as it is": (np.array([-0.5, -0.1, 0.05, 0.4]), np.array([1.0, -2.0, 0.5, -1.0])),
        "no change": (np.zeros(4), np.array([1.0, -2.0, 0.5, 0.0])),
        "hardly an action left": (np.array([-60.0, -50.0, -60.0, -50.0]), np.array([1.0, 2.0, -1.0, -2.0])),
        "an action that was hardly there": (np.array([60.0, 100.0, 1e4, 1e30]), np.array([1.0, 2.0, 0.5, 3.0])),
        "large advantages": (np.array([-0.5, -0.1, 0.05, 0.4]), 1e15 * np.array([1.0, -2.0, 0.5, -1.0])),
        "small advantages": (np.array([-0.5, -0.1, 0.05, 0.4]), 1e-15 * np.array([1.0, -2.0, 0.5, -1.0])),
    },
    slopes=(0, 1),
)

NONE = {
    "draws, tried in test_counts, test_univariate and test_multivariate": """
        bijector.Transformed.sample clusters.plus_plus continuous.Beta.sample continuous.Dirichlet.sample
        continuous.Gamma.sample continuous.Laplace.sample continuous.Normal.sample continuous.StudentT.sample
        counts.draw_binomial counts.draw_poisson directional.VonMises.sample directional.VonMisesFisher.sample
        directional.sample_angle discrete.Bernoulli.sample discrete.Binomial.sample discrete.Categorical.sample
        discrete.NegativeBinomial.sample discrete.Poisson.sample gaussian.MultivariateNormal.sample
        mixture.Mixture.sample information.monte_carlo_kl""",
    "build objects": """
        exponential_family.bernoulli exponential_family.beta exponential_family.binomial exponential_family.categorical
        exponential_family.dirichlet exponential_family.finite exponential_family.gamma
        exponential_family.multivariate_normal exponential_family.normal exponential_family.poisson
        exponential_family.von_mises exponential_family.von_mises_fisher estimation.conjugate
        estimation.maximum_likelihood estimation.robbins_monro gaussian.NormalGamma.location
        gaussian.NormalGamma.precision gaussian.NormalGamma.predictive mixture.claw""",
    "take no numbers, or give back what they take": """
        bijector.Bijector.forward_and_log_det bijector.Bijector.inverse_and_log_det density.log_ball
        directional.VonMises.mean quadrature.plane special.gauss_legendre special.nodes_to""",
    "counts, which have no scale": "density.histogram",
    "choices, tried at all scales in test_matching": "matching.assigned",
    "derivatives of what they are given, tried in test_volume": "volume.exact_trace volume.trace_along",
    "of the same derivatives and a square, tried in energy/test_score_matching": """
        score.by_trace score.by_slices score.by_noise""",
    "parts of what has edges": "special.deviance_of discrete.Poisson.entropy",
}
