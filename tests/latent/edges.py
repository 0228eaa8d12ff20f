"""Latent variables at the edges: far from the origin, of extreme units, of columns that are constant or stand twice."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from adl.latent import bernoulli, bound, factors, ica, kmeans, mixture, online, principal, randomised, variational
from adl.prob import moments
from adl.prob.gaussian import MultivariateNormal
from adl.prob.mixture import Mixture
from tests.edge import Edge

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
N = 16
MEMBER = np.arange(N) % 2
X = RNG.normal(size=(N, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 0.7]]) + 3 * MEMBER[:, None]
ONES = np.ones(N)
CENTRES = np.array([[0.0, 0, 0], [3, 3, 3]])


def without(edges, *names):
    return {name: edge for name, edge in edges.items() if name not in names}


def step_of(alg, x, weight, num=1, state=None):
    """The state after some steps on all points, and the loss before the last."""
    batch = {"x": x, "mask": weight}
    state = alg.init(KEY, batch) if state is None else state
    for _ in range(num):
        state, metrics = alg.step(KEY, state, batch)
    return state, metrics["loss"].value


# Points, and their weights.
POINTS = {
    "as they are": (X, ONES),
    "at 1e3": (X + 1e3, ONES),
    "at 1e4": (X + 1e4, ONES),
    "1e-15": (1e-15 * X, ONES),
    "1e15": (1e15 * X, ONES),
    "a constant column": (X * [1, 1, 0] + [0, 0, 5], ONES),
    "one example": (X, (np.arange(N) == 3).astype(float)),
}
TWICE = {"a column twice": (X[:, [0, 1, 0]], ONES)}
APART = {
    "groups 1e4 apart": (X + 1e4 * MEMBER[:, None], ONES),
    "a far one": (X + 1e3 * (np.arange(N) == 3)[:, None], ONES),
}
FAR = {"a far one": (X + 1e6 * (np.arange(N) == 3)[:, None], ONES)}
OF_UNITS = ("as they are", "at 1e3", "at 1e4", "a constant column")  # where reg_covar has a size


def chosen(edges, *names):
    return {name: edges[name] for name in names}


def seen(x, weight):
    return moments.of(x, weight)


def plane_in_double(x, weight, num=2):
    mean, spread = np.average(x, 0, weight), np.cov(x.T, aweights=weight)
    values, vectors = np.linalg.eigh(spread)
    return mean, values[::-1][:num], vectors[:, ::-1][:, :num]


def fitted(kind, num=2):
    """Two steps of EM from two centres, and what they say of the points."""

    def call(x, weight):
        start = lambda key, batch: batch["x"][:2]  # noqa: E731
        alg = mixture.gaussian_mixture(2, covariance=kind, reg_covar=0.1, start=start)
        state, loss = step_of(alg, x, weight, num)
        return state, loss, mixture.log_prob(state, x[:4], covariance=kind)

    return call


def em(kind):
    edges = {**chosen(POINTS, *OF_UNITS), **TWICE, **APART}
    # A covariance for all that has seen the far one is of a condition number of 10^5.
    edges = without(edges, "a far one") if kind == "tied" else edges
    return Edge(fitted(kind), edges, slopes=(), rtol=2e-3, atol=5e-3)


def given(scale=1.0):
    """A mixture of full covariances."""
    shapes = np.stack([np.eye(3) + 0.3, 2 * np.eye(3) - 0.2]) * scale**2
    return np.array([0.3, 0.7]), CENTRES * scale, shapes


MIXTURES = {
    "as it is": (*given(), X),
    "at 1e4": (given()[0], given()[1] + 1e4, given()[2], X + 1e4),
    "1e15": (*given(1e15), 1e15 * X),
    "1e-15": (*given(1e-15), 1e-15 * X),
    "a weight of 0": (np.array([0.0, 1.0]), *given()[1:], X),
    "far out": (*given(), 1e4 * X),
}


def of_mixture(fn):
    return lambda weights, means, shapes, x: fn(mixture.GaussianMixture(weights, means, shapes), x)


def joint_in_double(weights, means, shapes, x):
    parts = []
    for k in range(2):
        away = x - means[k]
        misfit = (away @ np.linalg.inv(shapes[k]) * away).sum(1)
        parts.append(np.log(weights[k]) - 0.5 * (misfit + np.linalg.slogdet(shapes[k])[1] + 3 * np.log(2 * np.pi)))
    return np.stack(parts, 1)


BITS = (X > 1).astype(float)
BINARY = {
    "as they are": (BITS, ONES),
    "all 0": (0 * BITS, ONES),
    "all 1": (0 * BITS + 1, ONES),
    "a column of 1": (np.where(np.arange(3) == 1, 1, BITS), ONES),
    "one example": (BITS, (np.arange(N) == 3).astype(float)),
}
SURE = np.array([[0.2, 0.5, 0.9], [0.7, 0.1, 0.4]])
TABLES = {
    "as it is": (np.array([0.3, 0.7]), SURE, BITS),
    "a component of 0": (np.array([0.0, 1.0]), SURE, BITS),
    "nearly sure": (np.array([0.3, 0.7]), np.where(SURE > 0.5, 1 - 1e-6, 1e-6), BITS),
    "sure": (np.array([0.3, 0.7]), np.where(np.arange(2)[:, None] == 0, 1.0, SURE), np.ones_like(BITS)),
}


def bits_in_double(weights, means, x):
    with np.errstate(all="ignore"):
        off, on = np.log1p(-means), np.log(means)
        return np.log(weights) + np.where(x[:, None] > 0, on, off).sum(-1)


LOADING = np.array([[1, 0.2], [0.5, 1], [-0.3, 0.4]])
MODELS = {
    "as it is": (np.ones(3), LOADING, np.array([0.5, 1, 0.2]), X[0]),
    "at 1e4": (np.ones(3) + 1e4, LOADING, np.array([0.5, 1, 0.2]), X[0] + 1e4),
    "1e15": (np.ones(3), 1e15 * LOADING, 1e30 * np.array([0.5, 1, 0.2]), 1e15 * X[0]),
    "1e-15": (np.ones(3), 1e-15 * LOADING, 1e-30 * np.array([0.5, 1, 0.2]), np.ones(3) + 0 * X[0]),
    "little noise": (np.ones(3), LOADING, 1e-4 * np.array([0.5, 1, 0.2]), X[0]),
    "no loading": (np.ones(3), 0 * LOADING, np.array([0.5, 1, 0.2]), X[0]),
    "a loading twice": (np.ones(3), LOADING[:, [0, 0]], np.array([0.5, 1, 0.2]), X[0]),
    "far out": (np.ones(3), LOADING, np.array([0.5, 1, 0.2]), 1e4 * X[0]),
}


def of_factors(fn, edges=MODELS, want=None, slopes=(0, 1, 2, 3), **more):
    return Edge(
        lambda loc, loading, noise, x: fn(factors.Factors(loc, loading, noise), x), edges, want, slopes=slopes, **more
    )


def factors_in_double(loc, loading, noise, x):
    shape, away = loading @ loading.T + np.diag(noise), x - loc
    return -0.5 * (away @ np.linalg.solve(shape, away) + np.linalg.slogdet(shape)[1] + 3 * np.log(2 * np.pi))


def analysed(noise, num=4):
    """Some steps from the same loadings, and the loss before the last: no step raises it."""

    def call(x, weight):
        alg = factors.factor_analysis(1, noise=noise)
        spread = jnp.std(x, 0)
        spread = jnp.where(spread > 0, spread, 1e-3)
        start = factors.Factors(moments.of(x, weight).mean, 0.7 * spread[:, None], 0.5 * jnp.square(spread))
        return step_of(alg, x, weight, num, start)[1]

    return call


def mixed_factors(loc, loading, noise, x):
    two = factors.Factors(*(jnp.stack([v, v + 0.125]) for v in (loc, loading, noise)))
    return Mixture(jnp.log(jnp.asarray([0.3, 0.7], x.dtype)), two)


def unmixed(x, weight):
    alg = ica.fast_ica(2, start=lambda key, batch: jnp.asarray([[1, 0.3], [0.2, 1]], x.dtype))
    return step_of(alg, x, weight, 8)[0]


def learned(x, weight, num=2):
    return step_of(variational.variational_mixture(2, start=lambda key, batch: batch["x"][:2]), x, weight, num)


def says(x, weight):
    state, loss = learned(x, weight)
    return variational.weights(state), loss, jax.nn.softmax(variational.expected_log_joint(state, x))


PRIOR = {"concentration": 0.5, "prior_count": 1.0}
SPECTRUM = np.array([4.0, 2.0, 1.0, 0.5])
SPECTRA = {
    "as it is": (SPECTRUM,),
    "1e15": (1e15 * SPECTRUM,),
    "1e-15": (1e-15 * SPECTRUM,),
    "a large one": (SPECTRUM * [1e4, 1, 1, 1],),
}
LOG_JOINT = np.log(np.array([0.1, 0.3, 0.2]))
Q = np.array([0.2, 0.5, 0.3])
BOUNDS = {
    "as it is": (LOG_JOINT, Q),
    "sure": (LOG_JOINT, np.array([0.0, 1, 0])),
    "impossible, and never": (np.array([-np.inf, -1, -2]), np.array([0.0, 0.4, 0.6])),
    "far below": (LOG_JOINT - 1e4, Q),
}


def elbo_in_double(log_joint, q):
    return np.where(q > 0, q * np.where(q > 0, log_joint, 0) - special.xlogy(q, q), 0).sum()


def signless(basis):
    """What a plane is, whatever its basis: its projector."""
    return basis @ basis.T


EDGES = {
    "bernoulli.log_joint": Edge(
        lambda w, m, x: jnp.exp(bernoulli.log_joint(bernoulli.BernoulliMixture(w, m), x)),
        TABLES,
        lambda w, m, x: np.exp(bits_in_double(w, m, x)),
        slopes=(),
        rtol=1e-3,
    ),
    "bernoulli.log_prob": Edge(
        lambda w, m, x: bernoulli.log_prob(bernoulli.BernoulliMixture(w, m), x),
        TABLES,
        lambda w, m, x: special.logsumexp(bits_in_double(w, m, x), axis=1),
        slopes=(),
        rtol=1e-3,
    ),
    "bernoulli.bernoulli_mixture": Edge(
        lambda x, w: step_of(
            bernoulli.bernoulli_mixture(2),
            x,
            w,
            2,
            bernoulli.BernoulliMixture(jnp.asarray([0.5, 0.5], x.dtype), jnp.asarray(SURE, x.dtype)),
        ),
        BINARY,
        slopes=(),
        rtol=1e-3,
        atol=1e-5,
    ),
    "bound.elbo": Edge(bound.elbo, BOUNDS, elbo_in_double, slopes=()),
    "factors.Factors.log_prob": of_factors(
        factors.Factors.log_prob,
        without(MODELS, "1e-15", "1e15", "a loading twice"),
        factors_in_double,
        slope_rtol=5e-3,
    ),
    "factors.Factors.log_prob, units": of_factors(
        factors.Factors.log_prob, chosen(MODELS, "1e-15", "1e15", "a loading twice"), factors_in_double, slopes=()
    ),
    "factors.Factors.posterior": of_factors(
        lambda model, x: tuple(model.posterior(x)), slopes=(3,), rtol=1e-3, atol=1e-6
    ),
    "factors.Factors.elbo": of_factors(
        lambda model, x: model.elbo(x, MultivariateNormal(x[:2] * 0 + 0.3, jnp.eye(2, dtype=x.dtype))), slopes=(0, 1)
    ),
    "factors.Factors.covariance": of_factors(lambda model, x: model.covariance(), slopes=(1, 2)),
    "factors.ppca": Edge(
        lambda x, w: factors.ppca(seen(x, w).mean, seen(x, w).covariance(), 1).covariance(),
        {**without(POINTS, "one example"), **TWICE},
        slopes=(),
        rtol=2e-3,
        atol=1e-4,
    ),
    "factors.factor_analysis": Edge(
        analysed("diagonal"), {**chosen(POINTS, "as they are", "at 1e3", "at 1e4"), **TWICE}, slopes=(), rtol=1e-3
    ),
    "factors.factor_analysis, isotropic": Edge(
        analysed("isotropic"), {**chosen(POINTS, "as they are", "at 1e3", "at 1e4"), **TWICE}, slopes=(), rtol=1e-3
    ),
    "factors.factor_mixture": Edge(
        lambda loc, loading, noise, x: step_of(
            factors.factor_mixture(2, 2), x, jnp.ones_like(x[:, 0]), 2, mixed_factors(loc, loading, noise, x)
        )[1],
        {name: (*model[:3], X + model[0].mean() - 1) for name, model in chosen(MODELS, "as it is", "at 1e4").items()},
        slopes=(),
        rtol=2e-3,
    ),
    "factors.log_joint": Edge(
        lambda loc, loading, noise, x: factors.log_joint(mixed_factors(loc, loading, noise, x), x[None]),
        without(MODELS, "1e-15", "1e15"),
        slopes=(3,),
    ),
    "factors.mixture_elbo": Edge(
        lambda loc, loading, noise, x: factors.mixture_elbo(
            mixed_factors(loc, loading, noise, x),
            x,
            jnp.asarray([0.0, 1.0], x.dtype),
            MultivariateNormal(jnp.zeros((2, 2), x.dtype), jnp.stack([jnp.eye(2, dtype=x.dtype)] * 2)),
        ),
        without(MODELS, "1e-15", "1e15"),
        slopes=(3,),
    ),
    "ica.fast_ica": Edge(
        lambda x, w: jnp.abs(ica.sources(unmixed(x, w), x)),
        without(POINTS, "one example"),
        slopes=(),
        rtol=5e-3,
        atol=1e-2,
    ),
    "ica.mixing": Edge(
        lambda x, w: (lambda m: m @ m.T)(ica.mixing(unmixed(x, w))),
        without(POINTS, "one example", "1e15", "1e-15"),
        slopes=(),
        rtol=2e-3,
        atol=1e-3,
    ),
    "ica.orthonormal": Edge(
        ica.orthonormal,
        {"as it is": (SURE[:, :2],), "1e15": (1e15 * SURE[:, :2],), "1e-15": (1e-15 * SURE[:, :2],)},
        slopes=(),
    ),
    "kmeans.kmeans": Edge(
        lambda x, w: step_of(kmeans.kmeans(2), x, w, 2, x[:2]),
        {**POINTS, **APART, **FAR},
        slopes=(),
        rtol=1e-3,
        atol=1e-30,
    ),
    "mixture.gaussian_mixture": em("full"),
    "mixture.gaussian_mixture, tied": em("tied"),
    "mixture.gaussian_mixture, diag": em("diag"),
    "mixture.gaussian_mixture, spherical": em("spherical"),
    "mixture.log_joint": Edge(
        of_mixture(lambda m, x: mixture.log_joint(m, x)[:, 1]),
        MIXTURES,
        lambda *given: joint_in_double(*given)[:, 1],
        slopes=(1,),
        rtol=1e-4,
        atol=1e-4,
    ),
    "mixture.log_prob": Edge(
        of_mixture(mixture.log_prob),
        MIXTURES,
        lambda *given: special.logsumexp(joint_in_double(*given), axis=1),
        slopes=(3,),
        atol=1e-4,
    ),
    "mixture.responsibilities": Edge(
        of_mixture(mixture.responsibilities),
        MIXTURES,
        lambda *given: special.softmax(joint_in_double(*given), 1),
        slopes=(),
        rtol=1e-3,
        atol=1e-5,
    ),
    "mixture.matrices": Edge(
        lambda variance: mixture.matrices(
            mixture.GaussianMixture(variance, jnp.zeros((2, 3), variance.dtype), variance), covariance="spherical"
        ),
        {"as it is": (np.array([1.0, 2.0]),), "1e30": (np.array([1e30, 1e-30]),)},
    ),
    "online.hebbian": Edge(
        lambda x, w: step_of(
            online.hebbian(1, lambda step: 0.05),
            x,
            w,
            2,
            online.Hebbian(
                seen(x, w).mean,
                jnp.asarray([[0.6], [0.8], [0.0]], x.dtype),
                jnp.zeros((), x.dtype),
                jnp.zeros((), jnp.int32),
            ),
        )[1],
        chosen(POINTS, "as they are", "at 1e3", "at 1e4", "a constant column"),
        slopes=(),
        rtol=1e-3,
    ),
    "principal.components": Edge(
        lambda x, w: (lambda f: (f.variance, f.total, signless(f.basis)))(principal.components(seen(x, w), 1)),
        without(POINTS, "one example"),
        lambda x, w: (lambda mean, values, vectors: (values, np.trace(np.cov(x.T)), signless(vectors)))(
            *plane_in_double(x, w, 1)
        ),
        slopes=(),
        rtol=1e-3,
        atol=1e-35,
    ),
    "principal.components, one": Edge(
        lambda x, w: principal.components(seen(x, w), 1).variance,
        chosen(POINTS, "one example"),
        lambda x, w: np.full(1, np.nan),
        slopes=(),
        blank=("one example",),
    ),
    "principal.whiten": Edge(
        lambda x, w: jnp.abs(principal.whiten(principal.components(seen(x, w), 2), x)),
        without(POINTS, "one example"),
        slopes=(),
        rtol=2e-3,
        atol=2e-3,
    ),
    "principal.whiten, all": Edge(
        lambda x, w: jnp.square(principal.whiten(principal.components(seen(x, w), 3), x)).mean(0),
        {**chosen(POINTS, "a constant column", "1e15", "1e-15"), **TWICE},
        lambda x, w: np.where(np.arange(3) < np.linalg.matrix_rank(np.cov(x.T)), 15 / 16, 0),
        slopes=(),
        rtol=1e-3,
        atol=1e-6,
    ),
    "principal.errors": Edge(
        lambda x, w: principal.errors(principal.components(seen(x, w), 1), x),
        without(POINTS, "one example"),
        lambda x, w: (lambda mean, values, vectors: np.square(x - mean - (x - mean) @ signless(vectors)).sum(1))(
            *plane_in_double(x, w, 1)
        ),
        slopes=(),
        rtol=5e-3,
        atol=1e-35,
    ),
    "principal.decode": Edge(
        lambda x, w: (lambda f: principal.decode(f, principal.encode(f, x)))(principal.components(seen(x, w), 2)),
        without(POINTS, "one example"),
        slopes=(),
        rtol=2e-3,
        atol=1e-35,
    ),
    "principal.log_probs": Edge(
        lambda x, w: principal.log_probs(principal.components(seen(x, w), 3), x),
        chosen(POINTS, "as they are", "at 1e3", "at 1e4"),
        slopes=(),
        rtol=2e-3,
        atol=1e-2,
    ),
    "principal.log_evidence": Edge(lambda s: principal.log_evidence(s, 100 + 0 * s[0]), SPECTRA),
    "principal.pca": Edge(
        lambda x, w: step_of(principal.pca(1), x, w, 2)[1],
        without(POINTS, "one example"),
        slopes=(),
        rtol=2e-3,
        atol=1e-35,
    ),
    "randomised.randomised_pca": Edge(
        lambda x, w: (lambda f: (f.variance, f.total))(
            randomised.leading(
                step_of(
                    randomised.randomised_pca(1),
                    x,
                    w,
                    4,
                    principal.Components(
                        seen(x, w).mean, jnp.eye(3, dtype=x.dtype), jnp.zeros(3, x.dtype), jnp.zeros((), x.dtype)
                    ),
                )[0],
                1,
            )
        ),
        without(POINTS, "one example"),
        lambda x, w: (plane_in_double(x, w, 1)[1], np.trace(np.cov(x.T))),
        slopes=(),
        rtol=1e-3,
        atol=1e-35,
    ),
    "variational.variational_mixture": Edge(says, chosen(POINTS, *OF_UNITS), slopes=(), rtol=5e-3, atol=5e-3),
    "variational.variational_mixture, of units": Edge(
        lambda x, w: says(x, w)[::2], chosen(POINTS, "1e15", "1e-15"), slopes=(), rtol=5e-3, atol=5e-3
    ),
    "variational.divergence": Edge(
        lambda x, w: variational.divergence(learned(x, w)[0], **PRIOR),
        chosen(POINTS, *OF_UNITS),
        slopes=(),
        rtol=1e-3,
    ),
    "variational.log_predictive": Edge(
        lambda x, w: variational.log_predictive(learned(x, w)[0], x[:4]),
        chosen(POINTS, *OF_UNITS),
        slopes=(),
        rtol=2e-3,
        atol=2e-3,
    ),
}
NONE = {
    "they build what has an edge of its own": """kmeans.settled mixture.by_likelihood variational.by_bound
        mixture.Fit.drawn mixture.Fit.seen""",
    "parts of what has one": """ica.sources kmeans.weighted mixture.component_sums factors.Factors.mean
        online.orthonormal principal.encode
        principal.found principal.inverse_scale principal.by_number randomised.leading
        variational.expected_log_joint variational.weights""",
    "drawn at random; test_bernoulli and test_factors hold their laws": "bernoulli.sample factors.Factors.sample",
    "of pictures, which are bytes: densities that have edges in tests/prob, and here": """
        baselines.picture_densities baselines.middles baselines.weighted_densities baselines.log_levels
        baselines.drawn_pictures baselines.bits_of rows.densities rows.plain_bits rows.plain_bounds rows.judged
        baselines.principal_pictures baselines.beside_principal
        baselines.Density.log_prob baselines.Density.sample novelty.judges novelty.novelty
        novelty.background_log_prob unfamiliar.unfamiliar unfamiliar.Unfamiliar.classes""",
    "rows of one size for every pattern of holes: tests/latent/test_holes.py holds them to closed forms": """
        holes.components_filled holes.fill_holes holes.mixture_with_holes holes.full holes.hidden_log_prob
        holes.mean_filled
        holes.neighbours_filled holes.ppca_shaped holes.seen_moments filling.hidden_and_filled
        filling.by_em filling.by_descent""",
    "what trained runs are asked: its parts are held here, the whole in tests/test_experiments.py": """
        principal.coder_of""",
}
