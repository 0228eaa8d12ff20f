"""Variational Bayes for mixtures: scikit-learn's steps, the exact evidence of one component, weights that vanish."""

import copy
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from adl.core import jitted
from adl.latent import variational
from adl.latent.variational import variational_mixture
from adl.measure.clustering import LEAST

KEY = jax.random.key(0)
RNG = np.random.default_rng(6)
K, D = 6, 2
X = np.concatenate([RNG.normal(size=(n, D)) @ RNG.normal(size=(D, D)) + c for n, c in ((120, -5), (200, 0), (80, 5))])
X = X.astype("f")


predictive = jax.jit(variational.log_predictive)


def theirs(max_iter: int, seed: int = 0, num_components: int = K) -> BayesianGaussianMixture:
    return BayesianGaussianMixture(
        n_components=num_components,
        weight_concentration_prior_type="dirichlet_distribution",
        max_iter=max_iter,
        tol=0,
        reg_covar=0,
        random_state=seed,
    )


def fit(model: BayesianGaussianMixture, x: np.ndarray = X) -> BayesianGaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x.astype(float))


def as_posterior(model: BayesianGaussianMixture) -> variational.MixturePosterior:
    parts = (
        model.weight_concentration_,
        model.mean_precision_,
        model.means_,
        model.degrees_of_freedom_,
        model.covariances_ * model.degrees_of_freedom_[:, None, None],
        model.mean_prior_,
        model.covariance_prior_,
    )
    return variational.MixturePosterior(*(jnp.asarray(part, "f") for part in parts))


@pytest.fixture(scope="module")
def alg():
    return jitted(variational_mixture(K))


def constant(model: BayesianGaussianMixture) -> float:
    """What their bound leaves out: it does not change. The constants of the prior's densities, and of Gaussians."""
    scatter, alpha, dof = model.covariance_prior_, model.weight_concentration_prior_, model.degrees_of_freedom_prior_
    wishart = (
        dof / 2 * (np.linalg.slogdet(scatter)[1] - D * np.log(2)) - special.gammaln((dof - np.arange(D)) / 2).sum()
    )
    dirichlet = special.gammaln(K * alpha) - K * special.gammaln(alpha)
    return dirichlet + K * (wishart + D / 2 * np.log(model.mean_precision_prior_)) - len(X) * D / 2 * np.log(2 * np.pi)


def test_steps_are_scikit_learns(alg):
    model = fit(theirs(1))
    state, ours = as_posterior(model), []
    further = fit(copy.deepcopy(model).set_params(warm_start=True, max_iter=60))
    want = as_posterior(further)
    for _ in range(60):
        state, metrics = alg.step(KEY, state, {"x": X})
        ours.append(-float(metrics["loss"].value))
    for name in variational.MixturePosterior._fields:
        got, wanted = getattr(state, name), np.asarray(getattr(want, name))
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max(), err_msg=name)
    # Theirs is of a step's responsibilities and the parameters after it: it lies between two of ours.
    bounds = (np.array(further.lower_bounds_) + constant(model)) / len(X)
    assert (bounds >= np.array(ours) - 1e-4).all() and (bounds[:-1] <= np.array(ours[1:]) + 1e-4).all()
    np.testing.assert_allclose(ours[-1], bounds[-1], atol=1e-4)
    assert ours[-1] - ours[0] > 0.1
    joint = further._estimate_weighted_log_prob(X.astype(float))
    np.testing.assert_allclose(jax.jit(variational.expected_log_joint)(want, X), joint, rtol=1e-4, atol=2e-3)


def test_the_bound_of_one_component_is_the_evidence():
    """log p(X) = sum of the log-predictives of Student's t, point by point, and ours once all points are seen."""
    one = jitted(variational_mixture(1))
    few = {"x": X[::8]}
    state, metrics = one.step(KEY, one.init(KEY, few), few)
    x = X[::8].astype(float)
    count, mean, dof, scatter, evidence = 1.0, x.mean(0), float(D), np.cov(x.T), 0.0
    for point in x:
        shape = scatter * (count + 1) / (count * (dof + 1 - D))
        evidence += stats.multivariate_t(mean, shape, df=dof + 1 - D).logpdf(point)
        scatter = scatter + count / (count + 1) * np.outer(point - mean, point - mean)
        mean, count, dof = (count * mean + point) / (count + 1), count + 1, dof + 1
    np.testing.assert_allclose(-metrics["loss"].value * len(x), evidence, rtol=1e-5)
    want = stats.multivariate_t(mean, scatter * (count + 1) / (count * (dof + 1 - D)), df=dof + 1 - D).logpdf(x)
    np.testing.assert_allclose(predictive(state, few["x"]), want, atol=1e-4)


def test_bound_never_falls_and_superfluous_components_lose_their_weight(alg):
    state, seen = alg.init(KEY, {"x": X}), []
    for _ in range(400):
        state, metrics = alg.step(KEY, state, {"x": X})
        seen.append(-float(metrics["loss"].value))
    assert np.diff(seen).min() > -5e-6 and seen[-1] > seen[0] + 0.05
    weights = np.sort(variational.weights(state))[::-1]
    np.testing.assert_allclose(weights[:3], [0.5, 0.3, 0.2], atol=0.02)
    assert weights[3:].max() < 1e-3
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("third", ["the first again", "constant"])
def test_a_column_that_says_nothing_new_does_no_harm(third):
    x = np.concatenate([X, X[:, :1] if third == "the first again" else np.full((len(X), 1), 5.0, "f")], 1)
    alg, seen = jitted(variational_mixture(K)), []
    rounding = 0.1 if third == "the first again" else 1e-4
    state = alg.init(KEY, {"x": x})
    for _ in range(50):
        state, metrics = alg.step(KEY, state, {"x": x})
        seen.append(-float(metrics["loss"].value))
    assert np.isfinite(seen).all() and np.diff(seen).min() > -rounding and seen[-1] > seen[0]
    assert np.isfinite(predictive(state, x)).all()


def test_predictive_is_a_mixture_of_scipys_student_t(alg):
    state = as_posterior(fit(theirs(5)))
    parts = []
    for k in range(K):
        dof = float(state.dof[k]) + 1 - D
        shape = np.asarray(state.scatter[k], float) * (1 + float(state.count[k])) / (float(state.count[k]) * dof)
        log_t = stats.multivariate_t(np.asarray(state.means[k], float), shape, df=dof).logpdf(X)
        parts.append(np.log(float(variational.weights(state)[k])) + log_t)
    want = special.logsumexp(parts, axis=0)
    np.testing.assert_allclose(predictive(state, X), want, atol=2e-4)


def test_divergence_vanishes_where_nothing_was_learned():
    q = as_posterior(fit(theirs(1)))
    prior = q._replace(
        concentration=jnp.full(K, 0.3),
        count=jnp.full(K, 2.0),
        means=jnp.tile(q.prior_mean, (K, 1)),
        dof=jnp.full(K, float(D)),
        scatter=jnp.tile(q.prior_scatter, (K, 1, 1)),
    )
    divergence = jax.jit(lambda q: variational.divergence(q, concentration=0.3, prior_count=2.0))
    np.testing.assert_allclose(divergence(prior), 0, atol=1e-4)
    assert divergence(q) > 1


def test_what_a_fit_says_is_what_its_parts_say():
    """Along a path the objective is the bound that the steps report, and never falls."""
    fit = variational.by_bound(K, concentration=1 / K)
    centres = jnp.asarray(X[:K])
    path = jax.jit(fit.drawn(X, centres=centres, num_steps=5, points=X[:3])["path"])(KEY, None)
    alg = jitted(fit.algorithm(start=lambda key, batch: centres))
    state = alg.init(KEY, {"x": X})
    for step in range(5):
        state, metrics = alg.step(KEY, state, {"x": X})
        np.testing.assert_allclose(path["objective"][step], -metrics["loss"].value, rtol=1e-5)
    assert np.all(np.diff(path["objective"]) > 0)
    seen = fit.seen(state, X)
    np.testing.assert_allclose(seen["weights"], path["weights"][-1], atol=1e-4)
    np.testing.assert_allclose(seen["weights"].sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(seen["covariances"] * state.dof[:, None, None], state.scatter, rtol=1e-5)


@pytest.mark.full
def test_quoted_references_are_scikit_learns():
    """What the experiment's claims quote, from five starts of their own."""
    from experiments.latent import mixture_vb as experiment

    train, test = (split.arrays["x"] for split in experiment.load(experiment.Config()))
    fitted = [fit(theirs(200, seed, 10), train) for seed in range(5)]
    number, loss = experiment.CLAIMS
    assert all((model.weights_ > LEAST).sum() == number.at_most == number.at_least for model in fitted)
    losses = [-predictive(as_posterior(model), test).mean() for model in fitted]
    assert f"{np.mean(losses):.4f}, read" in loss.reference and loss.at_most <= np.mean(losses) + 1.5e-4
