"""Exact Bayes: one posterior however the data come, and it is that of scikit-learn, SciPy and the closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from adl.core import BadInput, data_mesh, jitted, over_devices, sharded
from adl.linear.bayes import (
    bayesian_regression,
    inverse_gamma_noise,
    known_noise,
    log_prob,
    predict,
    sample_weights,
    weights,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D, PENALTY = 96, 5, 0.7
X = RNG.normal(size=(N, D)).astype("f") @ (np.eye(D, dtype="f") + 0.5)  # correlated
Y = (X @ RNG.normal(size=D) + 0.4 * RNG.normal(size=N)).astype("f")
NEW, OUTCOME = RNG.normal(size=(20, D)).astype("f"), RNG.normal(size=20).astype("f")
NOISES = {"known": known_noise(0.4), "unknown": inverse_gamma_noise(2.0, 0.5)}


def learned(batches, noise=NOISES["unknown"], lift=jitted, axis=None):
    """The posterior after batches of rows."""
    alg = lift(bayesian_regression(noise, prior_precision=PENALTY, axis=axis))
    posterior, losses = alg.init(KEY, {"x": X, "y": Y}), []
    for rows in batches:
        posterior, metrics = alg.step(KEY, posterior, {"x": X[rows], "y": Y[rows]})
        losses.append(float(metrics["loss"].value))
    return posterior, losses


def closed_form(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean, inverse precision, shape and rate in float64, by another way: the joint Gaussian of weights and data."""
    x, y = x.astype(float), y.astype(float)
    gain = x.T @ np.linalg.inv(PENALTY * np.eye(len(y)) + x @ x.T)
    scale = (np.eye(D) - gain @ x) / PENALTY
    surprise = y @ np.linalg.solve(np.eye(len(y)) + x @ x.T / PENALTY, y)
    return gain @ y, scale, 2.0 + len(y) / 2, 0.5 + surprise / 2


SHUFFLED = RNG.permutation(N)
WAYS = {
    "one batch": [np.arange(N)],
    "one by one": list(np.arange(N)[:, None]),
    "one by one, backwards": list(np.arange(N)[::-1, None]),
    "uneven": np.split(SHUFFLED, [1, 4, 50, 51]),
    "eights": np.split(SHUFFLED, N // 8),
}


@pytest.mark.parametrize("way", [*WAYS, "eight devices", "a mesh"])
def test_the_posterior_does_not_depend_on_how_the_data_come(way):
    match way:
        case "eight devices":
            posterior, _ = learned(np.split(SHUFFLED, 4), lift=over_devices, axis="data")
        case "a mesh":
            posterior, _ = learned(np.split(SHUFFLED, 4), lift=lambda alg: sharded(alg, data_mesh()))
        case _:
            posterior, _ = learned(WAYS[way])
    mean, scale, shape, rate = closed_form(X, Y)
    got_mean, got_scale = weights(posterior, NOISES["unknown"])
    dof, variance = NOISES["unknown"](posterior)
    np.testing.assert_allclose(got_mean, mean, atol=1e-5)
    np.testing.assert_allclose(got_scale, scale * rate / shape, atol=1e-5)
    np.testing.assert_allclose(dof, 2 * shape, rtol=1e-6)
    np.testing.assert_allclose(variance, rate / shape, atol=1e-5)
    np.testing.assert_allclose(weights(posterior, NOISES["known"])[1], scale * 0.4**2, atol=1e-5)


def test_is_scikit_learns_with_its_precisions():
    ridge = BayesianRidge(fit_intercept=False).fit(X.astype(float), Y.astype(float))
    noise = known_noise(ridge.alpha_**-0.5)
    alg = bayesian_regression(noise, prior_precision=ridge.lambda_ / ridge.alpha_)
    batch = {"x": X, "y": Y}
    posterior, _ = alg.step(KEY, alg.init(KEY, batch), batch)
    mean, covariance = weights(posterior, noise)
    np.testing.assert_allclose(mean, ridge.coef_, atol=1e-5)
    np.testing.assert_allclose(covariance, ridge.sigma_, atol=1e-5)
    want_mean, want_std = ridge.predict(NEW, return_std=True)
    got = predict(posterior, NEW, noise)
    np.testing.assert_allclose(got.mean, want_mean, atol=1e-5)
    np.testing.assert_allclose(got.scale, want_std, rtol=1e-5)
    np.testing.assert_allclose(
        log_prob(posterior, NEW, OUTCOME, noise), stats.norm(want_mean, want_std).logpdf(OUTCOME), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("n", [0, 1, 3, N])
def test_predictions_with_unknown_noise_are_scipys(n):
    """Also before any data, and with fewer examples than weights."""
    posterior, _ = learned([np.arange(n)] if n else [])
    mean, scale, shape, rate = closed_form(X[:n], Y[:n])
    spread = np.sqrt(rate / shape * (1 + np.einsum("bd,de,be->b", NEW, scale, NEW)))
    want = stats.t(2 * shape, NEW @ mean, spread)
    got = predict(posterior, NEW, NOISES["unknown"])
    np.testing.assert_allclose(got.mean, NEW @ mean, atol=1e-4)
    np.testing.assert_allclose(got.scale, spread, rtol=1e-4)
    np.testing.assert_allclose(log_prob(posterior, NEW, OUTCOME, NOISES["unknown"]), want.logpdf(OUTCOME), atol=1e-3)


@pytest.mark.parametrize("name", NOISES)
def test_losses_one_by_one_sum_to_the_evidence(name):
    """p(y) = prod p(y_i | y_1 ... y_i-1), which SciPy's joint density knows at once."""
    _, losses = learned(WAYS["one by one"], NOISES[name])
    covariance = np.eye(N) + X.astype(float) @ X.T.astype(float) / PENALTY
    if name == "known":
        want = stats.multivariate_normal(cov=0.4**2 * covariance).logpdf(Y)
    else:
        want = stats.multivariate_t(shape=0.5 / 2.0 * covariance, df=4.0).logpdf(Y)
    np.testing.assert_allclose(-np.sum(losses), want, rtol=1e-4)


@pytest.mark.parametrize("name", NOISES)
def test_samples_have_the_posteriors_distribution(name):
    posterior, _ = learned([np.arange(6)])
    draws = np.asarray(sample_weights(KEY, posterior, NOISES[name], 20000), float)
    mean, scale = (np.asarray(part, float) for part in weights(posterior, NOISES[name]))
    dof = float(NOISES[name](posterior)[0])
    direction = np.ones(D)
    along = (draws - mean) @ direction / np.sqrt(direction @ scale @ direction)
    assert stats.kstest(along, stats.t(dof).cdf if np.isfinite(dof) else "norm").pvalue > 1e-3
    whitened = np.linalg.solve(np.linalg.cholesky(scale), (draws - mean).T)
    squares = (whitened**2).sum(0)
    law = stats.f(D, dof) if np.isfinite(dof) else stats.chi2(D, scale=1 / D)
    assert stats.kstest(squares / D, law.cdf).pvalue > 1e-3


def test_masked_examples_do_not_count():
    alg = bayesian_regression(NOISES["unknown"], prior_precision=PENALTY)
    batch = {"x": X, "y": Y, "mask": (jnp.arange(N) < 40).astype("f")}
    posterior, metrics = alg.step(KEY, alg.init(KEY, batch), batch)
    want, losses = learned([np.arange(40)])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), posterior, want)
    np.testing.assert_allclose(metrics["loss"].value, losses[0], rtol=1e-5)


def test_quoted_references_are_scikit_learns():
    from experiments.linear import bayes as experiment

    train, test = experiment.load(experiment.Config())
    ridge = BayesianRidge().fit(train.x.astype(float), train.y.astype(float))
    mean, std = ridge.predict(test.x.astype(float), return_std=True)
    loss = -(stats.norm(mean, std).logpdf(test.y) - np.log(test.unit)).mean()
    rmse = test.unit * np.sqrt(((mean - test.y) ** 2).mean())
    assert f"{loss:.4f}" in experiment.CLAIMS[0].reference and experiment.CLAIMS[0].at_most <= loss + 1e-4
    assert f"{rmse:.2f}" in experiment.CLAIMS[1].reference and experiment.CLAIMS[1].at_most <= rmse + 1e-2


def test_the_prior_is_that_of_the_highest_evidence():
    from experiments.linear import bayes as experiment

    config = experiment.Config()
    train, _ = experiment.load(config)
    x, guess = experiment.with_one(train.x).astype(float), config.noise_rate / config.noise_shape

    def evidence(prior_precision):
        shape = guess * (np.eye(len(x)) + x @ x.T / prior_precision)
        return stats.multivariate_t(shape=shape, df=2 * config.noise_shape).logpdf(train.y)

    assert max((0.1, 1.0, 10.0, 100.0), key=evidence) == config.prior_precision


def test_examples_are_not_counted_twice():
    from experiments.linear import bayes as experiment

    config = experiment.Config(num_steps=45, batch_size=16)
    with pytest.raises(BadInput, match="must not exceed the 352 examples"):
        experiment.build(config, experiment.load(config), None)
