"""Linear models at the edges: far from the origin, of extreme units, of columns that are constant or stand twice."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from adl.core import until_still
from adl.linear import (
    basis,
    bayes,
    bias_variance,
    covariance,
    decision,
    evidence,
    gaussian_process,
    generative,
    glm,
    laplace,
    latent_process,
    perceptron,
    random_features,
    regression,
    step_length,
)
from tests.edge import Edge

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
N = 12
X = RNG.normal(size=(N, 2))
ONE = np.ones((N, 1))
Y = X @ np.array([1.0, -2.0]) + 0.3 * RNG.normal(size=N)
LABEL = np.r_[np.zeros(5, int), np.ones(4, int), np.full(3, 2)]
SIDE = (X[:, 0] + 0.7 * RNG.normal(size=N) > 0).astype(float)
NEW = RNG.normal(size=(3, 2))
INF = np.inf


def with_constant(x):
    return np.concatenate([x, np.ones((len(x), 1))], 1)


def step_of(alg, batch, num=1):
    """The state after some steps on one batch, from its own start."""
    state = alg.init(KEY, batch)
    for _ in range(num):
        state, metrics = alg.step(KEY, state, batch)
    return state, metrics["loss"].value


def lstsq(x, y):
    """By columns' own units, which float64 wants too where they are 1e15 apart."""
    unit = np.sqrt(np.square(x).sum(0))
    unit = np.where(unit > 0, unit, 1)
    return np.linalg.lstsq(x / unit, y, rcond=1e-9)[0] / unit


# Kernels: rows, lengths.
PLACES = {
    "as they are": (X, NEW, 1.5),
    "at 1e3": (X + 1e3, NEW + 1e3, 1.5),
    "at 1e4": (X + 1e4, NEW + 1e4, 1.5),
    "1e-15": (1e-15 * X, 1e-15 * NEW, 1.5e-15),
    "1e15": (1e15 * X, 1e15 * NEW, 1.5e15),
    "a constant column": (X * [1, 0] + [0, 7], NEW * [1, 0] + [0, 7], 1.5),
    "twice": (np.tile(X[:1], (N, 1)), np.tile(X[:1], (3, 1)), 1.5),
    "a far one": (np.where(np.arange(N)[:, None] == 5, 1e6, X), NEW, 1.5),
    "far apart": (X, NEW + 1e9, 1.5),
}
EXACT = {"rtol": 1e-4, "atol": 1e-30, "slope_rtol": 1e-3}


def without(edges, *names):
    return {name: edge for name, edge in edges.items() if name not in names}


def kernel(make, inputs=PLACES, slopes=(0, 1, 2), **more):
    return Edge(lambda x, y, length: make(length)(x, y), inputs, slopes=slopes, **{**EXACT, **more})


NEAR_PLACES = {name: PLACES[name] for name in ("as they are", "at 1e3", "at 1e4", "a constant column")}
# Without derivatives where rows are the same: the kernel is not differentiable there.
APART = {name: place for name, place in PLACES.items() if name != "twice"}
NETWORK = {
    "as they are": (X, NEW, 0.3),
    "no bias": (X, NEW, 0.0),
    "rows of zeros": (0 * X, NEW, 0.0),
    "zeros": (0 * X, 0 * NEW, 0.0),
    "1e-15": (1e-15 * X, 1e-15 * NEW, 0.0),
    "1e15": (1e15 * X, 1e15 * NEW, 1.0),
    "twice": (np.tile(X[:1], (N, 1)), np.tile(X[:1], (3, 1)), 0.1),
    "at 1e3": (X + 1e3, NEW + 1e3, 1.0),
    "opposite": (np.tile(X[:1], (N, 1)), np.tile(-X[:1], (3, 1)), 0.0),
}


def arc_cosine(x, y, bias):
    """Cho & Saul's kernel by the angle of normalised rows, in double."""
    x, y = (np.concatenate([z, np.full((len(z), 1), np.sqrt(bias))], 1) for z in (x, y))
    long, wide = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    a, b = (z / np.where(n > 0, n, 1)[:, None] for z, n in ((x, long), (y, wide)))
    # Of unit vectors, twice the arctangent of the ratio of difference and sum: right at every angle.
    angle = 2 * np.arctan2(np.linalg.norm(a[:, None] - b[None], axis=-1), np.linalg.norm(a[:, None] + b[None], axis=-1))
    return long[:, None] * wide[None] * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


# Regression: rows, outcomes, weights of the examples.
ROWS = {
    "as they are": (with_constant(X), Y, np.ones(N)),
    "at 1e3": (with_constant(X + 1e3), Y, np.ones(N)),
    "y at 1e4": (with_constant(X), Y + 1e4, np.ones(N)),
    "1e-15": (with_constant(X) * [1e-15, 1, 1], Y, np.ones(N)),
    "1e15": (with_constant(X) * [1, 1e15, 1], Y, np.ones(N)),
    "times a thousand": (with_constant(X) * [1000, 1, 1], Y, np.ones(N)),
    "a column of zeros": (with_constant(X) * [1, 0, 1], Y, np.ones(N)),
    "y constant": (with_constant(X), 0 * Y + 3, np.ones(N)),
    "two examples": (with_constant(X), Y, np.r_[1.0, 1.0, np.zeros(N - 2)]),
}
FAR = {"at 1e4": (with_constant(X + 1e4), Y, np.ones(N))}
TWICE = {"a column twice": (with_constant(X[:, :1])[:, [0, 0, 1]], Y, np.ones(N))}
CENTRED = {name: ROWS[name] for name in ("as they are", "y at 1e4", "times a thousand", "y constant")}


def sums(x, y, weight):
    return step_of(regression.least_squares(), {"x": x, "y": y, "mask": weight})[0]


def fitted(x, weights):
    """What weights say of rows: where these lie far off, weights themselves are ill-conditioned."""
    return x @ weights


def posterior_of(noise, prior=0.1):
    return lambda x, y, w: step_of(
        bayes.bayesian_regression(noise, prior_precision=prior), {"x": x, "y": y, "mask": w}
    )[0]


UNKNOWN = bayes.inverse_gamma_noise(1.0, 0.5)
SMALL = {name: row for name, row in {**ROWS, **FAR}.items() if name not in ("1e-15", "1e15")}


def seen_by_bayes(x, y, weight):
    posterior = posterior_of(UNKNOWN)(x, y, weight)
    return bayes.predict(posterior, x[:3] + 0.1, UNKNOWN), bayes.log_prob(posterior, x[:3], y[:3], UNKNOWN)


def bayes_in_double(x, y, weight):
    """Another way: the joint Gaussian of all outcomes, by the Gram matrix of rows."""
    x, y, weight = (z[weight > 0] for z in (x, y, weight))

    def predicted(new):
        gram = np.eye(len(x)) + x @ x.T / 0.1
        across = new @ x.T / 0.1
        shape, rate = 1 + len(x) / 2, 0.5 + y @ np.linalg.solve(gram, y) / 2
        spread = 1 + (new @ new.T).diagonal() / 0.1 - (across * np.linalg.solve(gram, across.T).T).sum(1)
        return across @ np.linalg.solve(gram, y), np.sqrt(rate / shape * spread), 2 * shape

    mean, scale, dof = predicted(x[:3] + 0.1)
    at = predicted(x[:3])
    return (mean, scale, dof), stats.t(at[2]).logpdf((y[:3] - at[0]) / at[1]) - np.log(at[1])


def evident(x, y, weight):
    posterior = posterior_of(bayes.known_noise(1.0))(x, y, weight)
    return evidence.evidence(posterior, 0.5, 2.0, prior_precision=0.1).log_evidence


def evident_in_double(x, y, weight):
    gram = np.eye(N) / 2 + x @ x.T / 0.5
    return -0.5 * (y @ np.linalg.solve(gram, y) + np.linalg.slogdet(2 * np.pi * gram)[1])


# Classes: rows, and examples' weights.
CLOUDS = {
    "as they are": (X + 3 * LABEL[:, None], np.ones(N)),
    "at 1e4": (X + 3 * LABEL[:, None] + 1e4, np.ones(N)),
    "classes 1e4 apart": (X + 1e4 * LABEL[:, None], np.ones(N)),
    "a class not seen": (X + 3 * LABEL[:, None], (LABEL != 1).astype(float)),
    "1e4": (1e4 * (X + 3 * LABEL[:, None]), np.ones(N)),
    "a constant column": ((X + 3 * LABEL[:, None]) * [1, 0] + [0, 7], np.ones(N)),
    "a column twice": ((X + 3 * LABEL[:, None])[:, [0, 0]], np.ones(N)),
    "one example": (X + 3 * LABEL[:, None], (np.arange(N) == 0).astype(float)),
}


def clouds(x, weight):
    return step_of(generative.gaussian_classes(3), {"x": x, "label": jnp.asarray(LABEL), "mask": weight})[0]


def clouds_in_double(x, weight):
    count, mean, scatter = np.zeros(3), np.zeros((3, 2)), np.zeros((3, 2, 2))
    for k in range(3):
        mine = x[(LABEL == k) & (weight > 0)]
        if len(mine):
            away = mine - mine.mean(0)
            count[k], mean[k], scatter[k] = len(mine), mine.mean(0), away.T @ away
    return count, mean, scatter


def cloud_densities(kind):
    def ours(x, weight):
        joint = generative.log_joint(clouds(x, weight), x[::4], covariance=kind, reg_covar=0.1)
        return jnp.exp(jax.nn.log_softmax(joint))

    def theirs(x, weight):
        count, mean, scatter = clouds_in_double(x, weight)
        shapes = scatter / np.maximum(count, 1)[:, None, None]
        if kind == "tied":
            shapes = np.broadcast_to(scatter.sum(0) / count.sum(), shapes.shape)
        shapes = (shapes * np.eye(2) if kind == "diag" else shapes) + 0.1 * np.eye(2)
        joint = np.full((3, 3), -np.inf)
        for k in np.flatnonzero(count):
            joint[:, k] = stats.multivariate_normal(mean[k], shapes[k]).logpdf(x[::4]) + np.log(count[k])
        return special.softmax(joint, 1)

    return Edge(ours, CLOUDS, theirs, slopes=(), rtol=1e-3, atol=1e-4)


# Generalised linear models: rows, outcomes.
def irls(link, penalty=1e-2):
    def call(x, y):
        found, _ = until_still(glm.irls(link, penalty=penalty), max_steps=30)(KEY, {"x": x, "y": y})
        return glm.predict(link, found, x)

    return call


SIDES = {
    "as they are": (with_constant(X), SIDE),
    "separable": (with_constant(X), (X[:, 0] > 0).astype(float)),
    "one class": (with_constant(X), np.ones(N)),
    "far out": (with_constant(100 * X), SIDE),
    "a column of zeros": (with_constant(X) * [1, 0, 1], SIDE),
    "a column twice": (with_constant(X)[:, [0, 0, 2]], SIDE),
    "at 1e3": (with_constant(X + [1e3, 0]), SIDE),
}
COUNTS = {
    "as they are": (with_constant(X), np.round(np.exp(X[:, 0]))),
    **{f"one of {n:g}": (with_constant(X), np.where(np.arange(N) == 3, n, SIDE)) for n in (90, 1e3, 1e4)},
    "all of 1e4": (with_constant(X), np.full(N, 1e4)),
    "a column twice": (with_constant(X)[:, [0, 0, 2]], np.round(np.exp(X[:, 0]))),
}
ETA = {f"{eta:g}": (eta,) for eta in (-1e4, -1e3, -100.0, -30.0, -4.0, 0.0, 1.0, 4.0, 30.0)}


def log_prob(link, y):
    return lambda eta: link.log_prob(jnp.asarray(y, eta.dtype), eta[None])


def process(x, y, scale):
    """Through data of one scale: its evidence, and what it says of them and between."""
    model = covariance.scaled(covariance.squared_exponential(1.5), jnp.square(scale))
    noise = 1e-2 * jnp.square(scale)
    posterior = gaussian_process.condition(model, x, y, noise_variance=noise)
    mean, variance = gaussian_process.predict(model, posterior, x[:3] + 0.25)
    return mean / scale, variance / jnp.square(scale), posterior.log_evidence


def process_in_double(x, y, scale):
    def gram(a, b):
        return scale**2 * np.exp(-0.5 * np.square(a[:, None] - b[None]).sum(-1) / 1.5**2)

    inverse = np.linalg.inv(gram(x, x) + 1e-2 * scale**2 * np.eye(N))
    across = gram(x[:3] + 0.25, x)
    variance = scale**2 - (across @ inverse * across).sum(1)
    _, log_det = np.linalg.slogdet(inverse)
    return across @ inverse @ y / scale, variance / scale**2, 0.5 * (log_det - y @ inverse @ y - N * np.log(2 * np.pi))


SERIES = {
    "as it is": (X, Y, 1.0),
    "at 1e4": (X + 1e4, Y, 1.0),
    "1e15": (X, 1e15 * Y, 1e15),
    "1e-15": (X, 1e-15 * Y, 1e-15),
    "twice": (X[np.arange(N) // 2], Y, 1.0),
    "a constant column": (X * [1, 0], Y, 1.0),
}


def lengths(kind):
    """Evidence as a function of the length: its gradient chooses."""

    def call(x, y, length):
        return gaussian_process.log_evidence(kind(length), x, y, noise_variance=0.01)

    time, smooth = np.sort(RNG.uniform(0, 20, N))[:, None], np.sin(np.linspace(0, 20, N))
    inputs = {f"at {place:g}": (time + place, smooth, 1.5) for place in (0, 2e3, 1e4)}
    return Edge(call, inputs, slopes=(2,), rtol=1e-3, slope_rtol=2e-3)


def hidden(link):
    def call(x, y):
        model = covariance.scaled(covariance.squared_exponential(1.5), 4.0)
        weights, _ = until_still(latent_process.newton(link, model), max_steps=20)(KEY, {"x": x, "y": y})
        seen = latent_process.approximate(link, model, x, y, weights)
        return latent_process.predict(model, seen, x[:3] + 0.3), seen.log_evidence

    return call


def means(fn, *names):
    """Error moments of fits that lie far from the truth."""

    def call(error):
        state, _ = step_of(bias_variance.decomposition(lambda e: e, jnp.zeros(2, error.dtype)), error, 2)
        return bias_variance.parts(state)

    return call


def parts_in_double(error):
    both = np.concatenate([error, error])
    variance = both.var(0, ddof=1)
    return both.mean(0) ** 2 - variance / len(both), variance


NUMBERS = {"as it is": (0.3,), "0": (0.0,), "1": (1.0,), "1e-15": (1e-15,), "-1": (-1.0,)}
CENTRES = np.array([-1.0, 0.2, 1.0])
PARTS = {"as they are": (X,), "at 1e3": (X + 1e3,), "at 1e4": (X + 1e4,), "1e15": (1e15 * X,), "1e-15": (1e-15 * X,)}
P = np.array([[0.2, 0.5, 0.3], [1, 0, 0]])
LOSS = np.array([[0.0, 1], [2, 0], [1, 1]])
THRESHOLD = {"as it is": (P,), "nan": (np.full((2, 3), np.nan),), "draws": (np.full((2, 3), 0.5),)}
GAUSS = {
    "as it is": (np.eye(2) + 0.3, Y[:2]),
    "1e15": (1e30 * (np.eye(2) + 0.3), 1e15 * Y[:2]),
    "1e-15": (1e-30 * (np.eye(2) + 0.3), 1e-15 * Y[:2]),
    "nearly one": (np.array([[1, 0.999], [0.999, 1]]), Y[:2]),
}

EDGES = {
    "basis.polynomial": Edge(lambda x: basis.polynomial(x, 3), NUMBERS | {"1e10": (1e10,)}, atol=1e-37),
    "basis.gaussian": Edge(
        lambda x: basis.gaussian(x, jnp.asarray(CENTRES, x.dtype), 0.5), NUMBERS | {"far": (1e15,)}, atol=1e-30
    ),
    "basis.sigmoid": Edge(
        lambda x: basis.sigmoid(x, jnp.asarray(CENTRES, x.dtype), 0.5),
        NUMBERS | {"far": (1e15,), "far below": (-1e15,)},
        atol=1e-30,
    ),
    "basis.fourier": Edge(
        lambda x: basis.fourier(x, 3, 1.0), NUMBERS | {"at 1e3": (1e3 + 0.25,), "at 1e4": (1e4 + 0.125,)}, atol=1e-5
    ),
    "basis.spline": Edge(
        lambda x: basis.spline(x, jnp.asarray([0, 0, 0, 0.5, 1, 1, 1], x.dtype), 2),
        {"as it is": (0.3,), "on a knot": (0.5,), "beyond": (1e15,), "0": (1e-15,)},
    ),
    "basis.clamped": Edge(lambda x: basis.clamped(x, 2), {"as it is": (CENTRES,), "1e15": (1e15 * CENTRES,)}),
    "basis.with_one": Edge(basis.with_one, {"as it is": (X,), "1e15": (1e15 * X,)}),
    "bayes.predict": Edge(
        seen_by_bayes,
        {name: row for name, row in SMALL.items() if name != "two examples"},
        bayes_in_double,
        slopes=(),
        rtol=2e-3,
        atol=2e-3,
    ),
    "bayes.bayesian_regression": Edge(
        lambda x, y, w: step_of(bayes.bayesian_regression(UNKNOWN), {"x": x, "y": y, "mask": w})[1],
        SMALL,
        slopes=(1,),
    ),
    "bayes.log_prob": Edge(
        lambda x, y, w: bayes.log_prob(posterior_of(UNKNOWN)(x, y, w), x[:3], y[:3] + 100, UNKNOWN),
        SMALL,
        rtol=2e-3,
        slopes=(1,),
        slope_rtol=5e-3,
    ),
    "bayes.weights": Edge(
        lambda x, y, w: bayes.weights(posterior_of(UNKNOWN)(x, y, w), UNKNOWN),
        CENTRED,
        slopes=(1,),
        rtol=1e-3,
        atol=1e-4,
    ),
    "bias_variance.parts": Edge(means(bias_variance.parts), PARTS, parts_in_double, rtol=1e-3),
    "bias_variance.of_linear_fits": Edge(
        lambda x: bias_variance.of_linear_fits(x[:, :2], x[0], x[:, 1], 0.1), without(PARTS, "1e15"), rtol=1e-3
    ),
    "bias_variance.compared": Edge(
        lambda a, b: bias_variance.compared(bias_variance.ErrorParts(a, b), bias_variance.ErrorParts(b, a + b)),
        {"as it is": (X[:4] ** 2, NEW[:1] ** 2 + X[4:8] ** 2), "1e15": (1e15 * X[:4] ** 2, 1e15 * X[4:8] ** 2)},
        slopes=(),
    ),
    "covariance.squared_exponential": kernel(covariance.squared_exponential),
    "covariance.matern": kernel(lambda length: covariance.matern(length, "5/2")),
    "covariance.matern, 3/2": kernel(lambda length: covariance.matern(length, "3/2")),
    "covariance.matern, 1/2": kernel(lambda length: covariance.matern(length, "1/2"), APART),
    "covariance.rational_quadratic": kernel(lambda length: covariance.rational_quadratic(length, 1.5), atol=1e-24),
    "covariance.periodic": kernel(
        lambda length: covariance.periodic(0.8, length), NEAR_PLACES, rtol=1e-3, atol=1e-4, slope_rtol=2e-3
    ),
    "covariance.squared_differences": kernel(lambda length: lambda x, y: covariance.squared_differences(x, y, length)),
    "covariance.linear": kernel(
        covariance.linear,
        {name: place for name, place in NEAR_PLACES.items()} | {"1e15": (1e15 * X, 1e15 * NEW, 1.5)},
    ),
    "covariance.constant": kernel(covariance.constant, NEAR_PLACES, slopes=(2,)),
    "covariance.scaled": kernel(
        lambda length: covariance.scaled(covariance.squared_exponential(1.5), length), NEAR_PLACES
    ),
    "covariance.added": kernel(
        lambda length: covariance.added(covariance.squared_exponential(length), covariance.constant()), NEAR_PLACES
    ),
    "covariance.multiplied": kernel(
        lambda length: covariance.multiplied(covariance.squared_exponential(length), covariance.matern(1.0, "3/2")),
        NEAR_PLACES,
    ),
    "covariance.warped": kernel(
        lambda length: covariance.warped(covariance.squared_exponential(length), lambda x: 2 * x), NEAR_PLACES
    ),
    "covariance.variances": Edge(
        lambda x, length: covariance.variances(covariance.matern(length, "5/2"), x),
        {name: (place[0], place[2]) for name, place in PLACES.items()},
        slopes=(0, 1),
    ),
    "covariance.relu_network": Edge(
        lambda x, y, bias: covariance.relu_network(1.0, bias)(x, y),
        without(NETWORK, "opposite"),
        arc_cosine,
        slopes=(0, 1),
        rtol=1e-3,
        atol=1e-37,
    ),
    "covariance.relu_network, opposite": Edge(
        lambda x, y, bias: covariance.relu_network(1.0, bias)(x, y),
        {"opposite": NETWORK["opposite"]},
        arc_cosine,
        slopes=(0, 1),
        atol=1e-6,
    ),
    "covariance.erf_network": Edge(
        lambda x, y, bias: covariance.erf_network(1.0, bias)(x, y),
        NETWORK,
        slopes=(0, 1),
        atol=2e-5,
    ),
    "decision.expected_loss": Edge(
        decision.expected_loss,
        {
            "as it is": (P[0], LOSS),
            "forbidden": (P[1], np.array([[0.0, 1], [INF, 0], [INF, 1]])),
            "1e15": (P[0], 1e15 * LOSS),
        },
        slopes=(),
    ),
    "decision.decide": Edge(
        lambda p: decision.decide(p, jnp.asarray(LOSS, p.dtype)),
        THRESHOLD,
        lambda p: np.where(np.isnan(p).any(-1), -1, (p @ LOSS).argmin(-1)),
        slopes=(),
    ),
    "decision.decide_or_reject": Edge(
        lambda p: decision.decide_or_reject(p, 0.6),
        THRESHOLD,
        lambda p: np.where(p.max(-1) >= 0.6, p.argmax(-1), -1),
        slopes=(),
    ),
    "evidence.evidence": Edge(
        evident,
        {name: row for name, row in SMALL.items() if name != "two examples"},
        evident_in_double,
        slopes=(1,),
        rtol=1e-3,
        slope_rtol=2e-2,
    ),
    "evidence.maximise": Edge(
        lambda x, y, w: evidence.maximise(
            evidence.learned(x, y, prior_precision=0.1), prior_precision=0.1, max_steps=30
        )[:4],
        {name: CENTRED[name] for name in ("as they are", "times a thousand")},
        slopes=(),
        rtol=1e-3,
    ),
    "evidence.predict": Edge(
        lambda x, y, w: (
            lambda seen: evidence.predict(
                seen,
                evidence.evidence(seen, jnp.ones(()), 2 * jnp.ones(()), prior_precision=0.1),
                x[:3],
                prior_precision=0.1,
            )[:2]
        )(evidence.learned(x, y, prior_precision=0.1)),
        {name: SMALL[name] for name in ("as they are", "y at 1e4", "at 1e3", "a column of zeros")},
        slopes=(1,),
        rtol=1e-3,
        atol=1e-3,
        slope_rtol=5e-3,
    ),
    "gaussian_process.predict": Edge(process, SERIES, process_in_double, slopes=(), rtol=2e-3, atol=1e-4),
    "gaussian_process.log_evidence": lengths(covariance.squared_exponential),
    "gaussian_process.log_evidence, Matern": lengths(lambda length: covariance.matern(length, "5/2")),
    "gaussian_process.log_evidence, periodic": lengths(
        lambda length: covariance.added(covariance.periodic(length, 6.5), covariance.matern(1.0, "1/2"))
    ),
    "gaussian_process.normal_log_prob": Edge(gaussian_process.normal_log_prob, GAUSS, slopes=(0, 1)),
    "generative.gaussian_classes": Edge(clouds, CLOUDS, clouds_in_double, slopes=(), rtol=1e-3, atol=2e-3),
    "generative.log_joint": cloud_densities("full"),
    "generative.log_joint, tied": cloud_densities("tied"),
    "generative.log_joint, diag": cloud_densities("diag"),
    "generative.covariances": Edge(
        lambda x, weight: generative.covariances(clouds(x, weight), covariance="tied", reg_covar=0.1),
        CLOUDS,
        slopes=(0,),
        rtol=1e-3,
        atol=1e-5,
        slope_rtol=2e-3,
    ),
    "generative.fisher_directions": Edge(
        lambda x, weight: jnp.abs((x[:4] - x[4:5]) @ generative.fisher_directions(clouds(x, weight)))[:, 0],
        {
            name: CLOUDS[name]
            for name in (
                "as they are",
                "at 1e4",
                "classes 1e4 apart",
                "1e4",
                "a class not seen",
                "a constant column",
                "a column twice",
            )
        },
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "glm.irls": Edge(irls(glm.bernoulli), SIDES, slopes=(), rtol=2e-3, atol=1e-4),
    "glm.irls, probit": Edge(irls(glm.probit), SIDES, slopes=(), rtol=2e-3, atol=1e-4),
    "glm.irls, poisson": Edge(irls(glm.poisson), COUNTS, slopes=(), rtol=2e-3, atol=1e-4),
    "glm.irls, probit's tails": Edge(
        log_prob(glm.probit, 1.0), ETA, lambda eta: stats.norm.logcdf(eta), rtol=1e-5, atol=1e-30
    ),
    "glm.irls, log-odds": Edge(log_prob(glm.bernoulli, 1.0), ETA, lambda eta: -np.logaddexp(0, -eta)),
    "glm.irls, curvature": Edge(
        jax.grad(log_prob(glm.probit, 1.0)), {k: v for k, v in ETA.items() if v[0] < 5}, rtol=1e-4
    ),
    "glm.irls, a rate": Edge(
        lambda y: glm.poisson.log_prob(y, jnp.asarray([13.8], y.dtype)),
        {"0": (0.0,), "at the rate": (np.exp(13.8),), "a million": (1e6,)},
        lambda y: stats.poisson.logpmf(np.round(y), np.exp(np.float64(np.float32(13.8)))),
        slopes=(),
        rtol=2e-3,
    ),
    "glm.predict": Edge(
        lambda w, x: glm.predict(glm.bernoulli, w[:, None], x),
        {"as it is": (X[0], X), "far out": (1e4 * X[0], X), "0": (0 * X[0], X)},
        slopes=(0,),
        atol=1e-30,
    ),
    "glm.log_probabilities": Edge(
        lambda w, x: glm.log_probabilities(glm.bernoulli, w[:, None], x),
        {"as it is": (X[0], X), "far out": (1e4 * X[0], X), "0": (0 * X[0], X)},
        slopes=(0,),
        atol=1e-30,
    ),
    "laplace.laplace": Edge(
        lambda mode: laplace.laplace(lambda w: -0.5 * jnp.square(w).sum() - 0.3 * (w**4).sum(), mode),
        {"as it is": (X[0],), "0": (0 * X[0],), "1e-15": (1e-15 * X[0],)},
    ),
    "laplace.logistic_probability": Edge(
        lambda mean, root, x: laplace.logistic_probability(laplace.NormalApproximation(mean, root, jnp.zeros(())), x),
        {
            "as it is": (X[0], np.eye(2), X),
            "sure": (X[0], 1e15 * np.eye(2), X),
            "unsure": (X[0], 1e-6 * np.eye(2), X),
            "far out": (1e4 * X[0], np.eye(2), X),
        },
        slopes=(0,),
        atol=1e-30,
    ),
    "latent_process.predict": Edge(
        hidden(glm.bernoulli),
        {name: (X, y) for name, (_, y) in SIDES.items() if name in ("as they are", "separable", "one class")},
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "latent_process.predict, counts": Edge(
        hidden(glm.poisson),
        {name: (X, y) for name, (_, y) in COUNTS.items() if name != "a column twice"},
        slopes=(),
        rtol=2e-3,
        atol=2e-3,
    ),
    "latent_process.expected": Edge(
        lambda mean, variance: latent_process.expected(glm.bernoulli, latent_process.Marginals(mean, variance)),
        {"as it is": (Y, Y**2), "sure": (Y, 0 * Y), "far out": (1e4 * Y, Y**2), "wide": (Y, 50 + 0 * Y)},
        slopes=(0,),
        atol=1e-5,
    ),
    "perceptron.mistake_bound": Edge(
        lambda x, w: perceptron.mistake_bound(x, jnp.asarray(X[:, 0] > 0), w),
        {
            "as it is": (X, np.array([1.0, 0])),
            "1e15": (1e15 * X, np.array([1e15, 0])),
            "1e-15": (1e-15 * X, np.array([1e-15, 0])),
        },
        slopes=(),
    ),
    "perceptron.mistake_bound, none": Edge(
        lambda x, w: perceptron.mistake_bound(x, jnp.asarray(X[:, 0] > 0), w),
        {"the wrong side": (X, np.array([-1.0, 0])), "no direction": (X, np.zeros(2))},
        lambda x, w: np.inf,
        slopes=(),
        infinite=("the wrong side", "no direction"),
    ),
    "perceptron.perceptron": Edge(
        lambda x, w: step_of(perceptron.perceptron(), {"x": x, "label": jnp.asarray(LABEL > 0, int), "mask": w})[0],
        {"as it is": (X, np.ones(N)), "1e15": (1e15 * X, np.ones(N)), "nobody": (X, np.zeros(N))},
        slopes=(),
    ),
    "random_features.kernel_errors": Edge(
        lambda units: random_features.kernel_errors(units, jnp.eye(N, dtype=units.dtype), width=1, num_doublings=1),
        {"as they are": (X,), "1e15": (1e8 * X,), "zeros": (0 * X,)},
        slopes=(),
    ),
    "regression.ridge_weights": Edge(
        lambda x, y, w: fitted(x * w[:, None], regression.ridge_weights(sums(x, y, w))),
        {**ROWS, **TWICE},
        lambda x, y, w: x * w[:, None] @ lstsq(x[w > 0], y[w > 0]),
        slopes=(),
        rtol=2e-3,
        atol=2e-3,
    ),
    # Weights and constant cancel products of 1e4, whose last digit is 1e-3.
    "regression.ridge_weights, far off": Edge(
        lambda x, y, w: fitted(x * w[:, None], regression.ridge_weights(sums(x, y, w))),
        FAR,
        lambda x, y, w: x * w[:, None] @ lstsq(x[w > 0], y[w > 0]),
        slopes=(),
        atol=2e-2,
    ),
    "regression.ridge_weights, themselves": Edge(
        lambda x, y, w: regression.ridge_weights(sums(x, y, w), 0.1),
        {**CENTRED, **TWICE},
        lambda x, y, w: np.linalg.solve(x.T @ x + 0.1 * np.eye(3), x.T @ y),
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "regression.ridge": Edge(
        lambda x, y, w: step_of(regression.ridge(0.1), {"x": x, "y": y, "mask": w}, 2)[1],
        {name: row for name, row in CENTRED.items() if name != "y constant"},
        slopes=(),
        rtol=1e-3,
        atol=1e-3,
    ),
    "regression.rows": Edge(
        lambda x, y, w: (
            lambda few, told, left: jnp.square(told - few @ jnp.asarray([0.5, -1, 0.3], x.dtype)).sum() + left
        )(*regression.rows(sums(x, y, w))),
        CENTRED,
        lambda x, y, w: np.square(y - x @ [0.5, -1, 0.3]).sum(),
        slopes=(),
    ),
    "regression.Sums.projection": Edge(
        lambda x, y, w: sums(x, y, w).projection(),
        {**ROWS, **FAR},
        lambda x, y, w: (x * w[:, None]).T @ y,
        rtol=1e-3,
        atol=1e-4,
        slopes=(),
    ),
    "regression.merged_sums": Edge(
        lambda x, y, w: step_of(regression.least_squares(), {"x": x, "y": y, "mask": w}, 2)[0],
        CENTRED,
        slopes=(1,),
        rtol=1e-3,
        atol=1e-2,
        slope_rtol=5e-3,
    ),
    "regression.lasso_weights": Edge(
        lambda x, y, w: regression.lasso_weights(sums(x, y, w), 0.5, max_sweeps=100)[0],
        {
            name: {**ROWS}[name]
            for name in ("as they are", "1e-15", "times a thousand", "a column of zeros", "y constant")
        },
        slopes=(),
        rtol=1e-3,
        atol=1e-3,
    ),
    "regression.lms": Edge(
        lambda x, y, w: step_of(regression.lms(0.1), {"x": x, "y": y, "mask": w}, 2)[0],
        {**CENTRED, "nobody": (with_constant(X), Y, np.zeros(N))},
        slopes=(1,),
    ),
    "regression.smoother": Edge(
        lambda x: regression.smoother(x, x[:3], 0.1),
        {
            "as it is": (with_constant(X),),
            "at 1e3": (with_constant(X + 1e3),),
            "a column twice": (with_constant(X)[:, [0, 0, 2]],),
        },
        lambda x: x[:3] @ np.linalg.solve(x.T @ x + 0.1 * np.eye(3), x.T),
        slopes=(),
        rtol=1e-3,
        atol=2e-3,
    ),
    "step_length.halved": Edge(
        lambda rise: step_length.halved(lambda share: 1 - jnp.expm1(share * rise) / rise, rise),
        {"short": (0.1,), "far": (1e4,), "1e15": (1e15,)},
        slopes=(),
    ),
}
NONE = {
    "they build what has an edge of its own": """bayes.inverse_gamma_noise bayes.known_noise evidence.learned
        glm.of_classes glm.softmax classifiers.by_name classifiers.penalties regression.least_squares""",
    "their parts have edges: glm, generative, regression, perceptron": """classifiers.fisher classifiers.gaussian
        classifiers.least_squares classifiers.logistic classifiers.mistakes classifiers.probit""",
    "steps whose reading has an edge": """bias_variance.decomposition gaussian_process.evidence_ascent
        latent_process.newton latent_process.approximate regression.no_sums regression.sums_about regression.summed""",
    "parts of gaussian_process.predict, or its like": """gaussian_process.condition gaussian_process.joint
        gaussian_process.picture gaussian_process.way_up gaussian_process.values""",
    "drawn at random; test_bayes, test_gaussian_process and test_random_features hold their laws": """
        bayes.sample_weights gaussian_process.sample random_features.hidden_layer random_features.random_fourier""",
    "what trained runs are asked: its parts are held here, the whole in tests/test_experiments.py": """
        bias_variance.mean_fit""",
}
