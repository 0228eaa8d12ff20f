"""EM for Gaussian mixtures, held to scikit-learn's from the same start, and to SciPy's densities."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from adl import run
from adl.core import jitted
from adl.latent import mixture
from adl.latent.mixture import GaussianMixture as Mixture
from adl.latent.mixture import gaussian_mixture, log_prob, matrices, responsibilities
from adl.run.program import Program

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
K, D, STEPS = 5, 3, 30
# Overlapping, elongated, of unequal size, and far from the origin.
X = np.concatenate(
    [RNG.normal(size=(n, D)) @ RNG.normal(size=(D, D)) + 2 * RNG.normal(size=D) + 50 for n in (30, 60, 120, 240)]
).astype("f")
COVARIANCES = ("full", "tied", "diag", "spherical")


@pytest.fixture(params=COVARIANCES)
def covariance(request) -> str:
    return request.param


def em(covariance: str, x: np.ndarray = X, num_steps: int = STEPS, **batch) -> tuple[Mixture, Mixture, np.ndarray]:
    """The mixture at the start and after some steps, and the log-likelihoods before each."""
    alg, batch = jitted(gaussian_mixture(K, covariance=covariance)), {"x": x, **batch}
    state = alg.init(KEY, batch)
    start, seen = jax.tree.map(np.array, state), []
    for _ in range(num_steps):
        state, metrics = alg.step(KEY, state, batch)
        seen.append(-float(metrics["loss"].value))
    return start, state, np.array(seen)


def precisions(mixture: Mixture, covariance: str) -> np.ndarray:
    given = np.asarray(mixture.covariances, float)
    if covariance in ("diag", "spherical"):
        return 1 / given
    inverse = np.linalg.inv(given)
    return (inverse + inverse.swapaxes(-1, -2)) / 2


def test_steps_are_scikit_learns(covariance):
    start, ours, likelihoods = em(covariance)
    theirs = GaussianMixture(
        K,
        covariance_type=covariance,
        max_iter=STEPS,
        tol=0,
        weights_init=start.weights.astype(float) / start.weights.sum(dtype=float),
        means_init=start.means.astype(float),
        precisions_init=precisions(start, covariance),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X.astype(float))
    assert likelihoods[-1] - likelihoods[0] > 0.02, "the steps must lead somewhere"
    np.testing.assert_allclose(likelihoods, theirs.lower_bounds_, atol=1e-4)
    np.testing.assert_allclose(log_prob(ours, X, covariance=covariance), theirs.score_samples(X), atol=5e-3)
    np.testing.assert_allclose(responsibilities(ours, X, covariance=covariance), theirs.predict_proba(X), atol=2e-3)
    np.testing.assert_allclose(ours.weights, theirs.weights_, atol=1e-3)
    np.testing.assert_allclose(ours.means, theirs.means_, atol=1e-2)
    np.testing.assert_allclose(ours.covariances, theirs.covariances_, rtol=2e-2, atol=1e-2)


def test_likelihood_never_falls(covariance):
    _, _, likelihoods = em(covariance, num_steps=100)
    assert np.diff(likelihoods).min() > -1e-5 and likelihoods[-1] > likelihoods[0]


def test_density_is_scipys(covariance):
    _, mixture, _ = em(covariance, num_steps=2)
    parts = [
        np.log(w) + stats.multivariate_normal(m, c).logpdf(X)
        for w, m, c in zip(
            np.asarray(mixture.weights, float), mixture.means, matrices(mixture, covariance=covariance), strict=True
        )
    ]
    np.testing.assert_allclose(
        log_prob(mixture, X, covariance=covariance), special.logsumexp(parts, axis=0), rtol=1e-4, atol=1e-4
    )


def test_the_first_mixture_is_that_of_the_nearest_points(covariance):
    centres = X[[0, 100, 200, 300, 400]]
    alg = gaussian_mixture(K, covariance=covariance, start=lambda key, batch: jnp.asarray(centres))
    mixture = jax.jit(alg.init)(KEY, {"x": X})
    label = ((X[:, None] - centres) ** 2).sum(-1).argmin(1)
    np.testing.assert_allclose(mixture.weights, np.bincount(label) / len(X), rtol=1e-5)
    groups = [X[label == k].astype(float) for k in range(K)]
    np.testing.assert_allclose(mixture.means, [group.mean(0) for group in groups], rtol=1e-5)
    want = np.stack([np.cov(group.T, bias=True) for group in groups])
    if covariance == "tied":
        want = np.broadcast_to((want * np.bincount(label)[:, None, None]).sum(0) / len(X), want.shape)
    if covariance in ("diag", "spherical"):
        want = want * np.eye(D)
    if covariance == "spherical":
        want = np.trace(want, axis1=1, axis2=2)[:, None, None] / D * np.eye(D)
    np.testing.assert_allclose(matrices(mixture, covariance=covariance), want, rtol=1e-3, atol=1e-3)


def test_a_component_without_points_survives_and_is_found_again(covariance):
    alg = jitted(gaussian_mixture(K, covariance=covariance))
    _, mixture, _ = em(covariance, num_steps=3)
    lost = mixture._replace(means=mixture.means.at[2].set(500.0))
    place, shape = np.array(lost.means[2]), matrices(lost, covariance=covariance)[2]
    for _ in range(5):
        lost, metrics = alg.step(KEY, lost, {"x": X})
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(lost)) and np.isfinite(metrics["loss"].value)
    np.testing.assert_allclose(lost.means[2], place)
    if covariance != "tied":
        np.testing.assert_allclose(matrices(lost, covariance=covariance)[2], shape, rtol=1e-5)
    near = np.concatenate([X, place + RNG.normal(size=(50, D)).astype("f")])
    for _ in range(2):
        lost, _ = alg.step(KEY, lost, {"x": near})
    np.testing.assert_allclose(lost.weights[2], 50 / 500, rtol=1e-3)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_a_component_of_one_point_keeps_a_variance(name):
    """Where two sums cancel whole, rounding must not make the variance negative."""
    x = np.concatenate([X, X[:1] + 3000])
    alg = jitted(gaussian_mixture(2, covariance=name, start=lambda key, batch: jnp.asarray(x[[0, -1]])))
    state = alg.init(KEY, {"x": x})
    state = state._replace(means=state.means.at[1].add(1000.0))  # the sums are taken about a far mean
    for _ in range(3):
        state, metrics = alg.step(KEY, state, {"x": x})
        assert np.isfinite(metrics["loss"].value)


def test_masked_points_do_not_count(covariance):
    mask = np.r_[np.ones(len(X), "f"), np.zeros(37, "f")]
    padded = {"x": np.concatenate([X, np.full((37, D), 1e3, "f")]), "mask": mask}
    alg = gaussian_mixture(K, covariance=covariance, start=lambda key, batch: jnp.asarray(X[:K]))

    @jax.jit
    def two(batch):
        state, metrics = alg.step(KEY, alg.init(KEY, batch), batch)
        return *state, metrics["loss"].value

    for got, want in zip(two(padded), two({"x": X}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_what_a_fit_says_is_what_its_parts_say(covariance):
    fit = mixture.by_likelihood(K, covariance=covariance)
    alg = fit.algorithm(start=lambda key, batch: jnp.asarray(X[:K]))
    state = jax.jit(alg.init)(KEY, {"x": X})
    seen = jax.jit(fit.seen)(state, X)
    read = fit.read(state)
    parts = zip(read.weights, read.means, read.covariances, strict=True)
    joint = np.stack([w * stats.multivariate_normal(m, c).pdf(X) for w, m, c in parts], 1)
    np.testing.assert_allclose(seen["responsibility"], joint / joint.sum(1, keepdims=True), atol=1e-3)
    np.testing.assert_allclose(seen["objective"], np.log(joint.sum(1)).mean(), rtol=1e-4)
    np.testing.assert_allclose(fit.log_prob(state, X), np.log(joint.sum(1)), atol=2e-3)


def test_the_path_is_the_steps_from_centres_of_ones_own():
    fit, centres = mixture.by_likelihood(K), jnp.asarray(X[:K])
    probes = fit.drawn(X, centres=centres, num_steps=2, points=X[:3])
    found = jax.jit(lambda probe, *arguments: probe(*arguments))(probes["path"], KEY, None)
    alg = fit.algorithm(start=lambda key, batch: centres)
    state = alg.init(KEY, {"x": X})
    for step in range(3):
        np.testing.assert_allclose(found["means"][step], state.means, rtol=1e-4)
        np.testing.assert_allclose(found["objective"][step], log_prob(state, X).mean(), rtol=1e-4)
        if step < 2:
            state, _ = alg.step(KEY, state, {"x": X})
    assert np.all(np.diff(found["objective"]) > 0)
    np.testing.assert_allclose(probes["density"](KEY, state)["log_prob"], log_prob(state, X[:3]), rtol=1e-5)


def figures(experiment, num_seeds: int) -> np.ndarray:
    """scikit-learn's [same start, own start] x [loss, mutual information] on what an experiment loads: means."""
    config = experiment.Config()
    loaded = experiment.load(config)
    train, test = loaded[:2]
    seen = []
    for seed in range(num_seeds):
        program = Program(run.Definition.of(experiment.__name__), dataclasses.replace(config, seed=seed))
        start = program.algorithm().init(program.keys()[0], program.experiment.batches[0])
        same = {
            "weights_init": np.asarray(start.weights, float) / np.asarray(start.weights, float).sum(),
            "means_init": np.asarray(start.means, float),
            "precisions_init": precisions(start, "full"),
        }
        for options in (same, {"random_state": seed}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = GaussianMixture(len(start.means), max_iter=config.num_steps, tol=0, **options)
                fitted.fit(train.arrays["x"].astype(float))
            x = test.arrays["x"]
            nmi = metrics.normalized_mutual_info_score(test.arrays["label"], fitted.predict(x))
            seen.append([-fitted.score(x), nmi])
    return np.reshape(seen, (num_seeds, 2, 2)).mean(0)


@pytest.mark.full
def test_quoted_references_are_scikit_learns():
    """Likelihoods and agreements that the experiments' claims quote, from their own starts and from theirs."""
    from experiments.latent import mixture as plane
    from experiments.latent import mixture_digits as digits

    same, own = figures(plane, 1)
    (loss,) = plane.CLAIMS
    assert f"{same[0]:.4f}" == f"{own[0]:.4f}" and f"{same[0]:.4f}" in loss.reference
    assert loss.at_most <= same[0] + 1e-4
    same, own = figures(digits, 5)
    loss, nmi = digits.CLAIMS
    assert f"{same[0]:.4f} from the same" in loss.reference and f"{own[0]:.4f} from five" in loss.reference
    assert f"{same[1]:.4f} from the same" in nmi.reference and f"{own[1]:.4f} from five" in nmi.reference
    assert loss.at_most <= same[0] + 1e-4 and nmi.at_least >= max(own[1], same[1] - 1e-3)
