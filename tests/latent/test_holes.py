"""Without holes it is EM of a mixture; with holes what is filled is scikit-learn's, and the closed form's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.impute import KNNImputer, SimpleImputer

from adl.core import jitted, until_still
from adl.latent import holes, mixture
from adl.latent.filling import by_descent, by_em, hidden_and_filled
from adl.prob.gaussian import MultivariateNormal

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(4, 4)) / 2 + np.eye(4)
X = (RNG.normal(size=(400, 4)) @ MIX + np.array([1, -2, 0, 3])).astype("f")
SEEN = (RNG.uniform(size=X.shape) < 0.7).astype("f")
SEEN[:, 0] = 1
HOLED = np.where(SEEN > 0, X, np.nan)


def test_without_holes_a_step_is_that_of_the_mixture():
    ours, theirs = holes.mixture_with_holes(3, reg_covar=1e-6), mixture.gaussian_mixture(3, reg_covar=1e-6)
    state = theirs.init(jax.random.key(0), {"x": X})
    new, told = ours.step(jax.random.key(0), state, {"x": X, "seen": np.ones_like(X)})
    want, loss = theirs.step(jax.random.key(0), state, {"x": X})
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4), new, want)
    np.testing.assert_allclose(told["loss"].value, loss["loss"].value, rtol=1e-5)


def test_what_is_hidden_is_not_looked_at_and_what_is_filled_is_the_conditional():
    one = mixture.GaussianMixture(jnp.ones(1), jnp.asarray(X.mean(0)[None]), jnp.cov(X.T)[None])
    normal = MultivariateNormal(one.means[0], one.covariances[0])
    found = holes.fill_holes(one, jnp.asarray(HOLED[:20], "f"), SEEN[:20])
    hidden = holes.hidden_log_prob(one, jnp.asarray(X[:20]), SEEN[:20])
    for i in range(20):
        seen = np.flatnonzero(SEEN[i])
        if len(seen) == 4:
            np.testing.assert_array_equal(found[i], X[i])
            continue
        rest = normal.conditional(seen, X[i, seen])
        np.testing.assert_allclose(np.delete(found[i], seen), rest.mean(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(hidden[i], rest.log_prob(np.delete(X[i], seen)), rtol=1e-3, atol=1e-3)


def test_em_never_lowers_the_likelihood_and_fills_better_than_the_mean():
    alg, batch = jitted(holes.mixture_with_holes(1)), {"x": HOLED.astype("f"), "seen": SEEN}
    state, losses = alg.init(jax.random.key(0), batch), []
    for _ in range(30):
        state, told = alg.step(jax.random.key(0), state, batch)
        losses.append(float(told["loss"].value))
    assert (np.diff(losses) < 1e-3).all() and losses[-1] < losses[0] - 0.3
    np.testing.assert_allclose(state.covariances[0], np.cov(X.T), atol=0.6)

    def error(rows):
        return np.square(np.asarray(rows) - X)[SEEN == 0].mean()

    mean, near = (fill(X, SEEN, X, SEEN) for fill in (holes.mean_filled, holes.neighbours_filled))
    assert error(holes.fill_holes(state, X, SEEN)) < min(error(near), error(mean))


@pytest.mark.parametrize("kind", ["mean", "neighbours"])
def test_simple_fills_are_scikit_learn_s(kind):
    if kind == "mean":
        want = SimpleImputer().fit(HOLED[:200]).transform(HOLED[200:])
        found = holes.mean_filled(X[:200], SEEN[:200], X[200:], SEEN[200:])
    else:
        want = KNNImputer(n_neighbors=5).fit(HOLED[:200]).transform(HOLED[200:])
        found = holes.neighbours_filled(X[:200], SEEN[:200], X[200:], SEEN[200:], k=5)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4)


def test_ppca_shaped_covariances_are_of_few_factors():
    batch = {"x": X, "seen": SEEN}
    alg = holes.mixture_with_holes(1, shape=holes.ppca_shaped(1))
    state, _ = until_still(alg, max_steps=20)(jax.random.key(0), batch)
    values = np.linalg.eigvalsh(state.covariances[0])
    np.testing.assert_allclose(values[:3], values[0], rtol=1e-3)
    assert values[3] > 2 * values[0]


def test_a_page_of_what_is_filled():
    """A Gaussian's data a Gaussian fills best; of columns that know nothing of each other all is that of the mean."""
    kinds = {"gaussian": holes.mixture_with_holes(1), "diagonal": holes.mixture_with_holes(1, shape=diagonal)}
    models = {name: by_em(algorithm, max_steps=20) for name, algorithm in kinds.items()}
    models["slow"] = by_descent(
        kinds["gaussian"], lambda key, *of: holes.fill_holes(*of), num_steps=40, batch_size=len(X) // 2
    )
    probe = hidden_and_filled(models, X[:200], X[200:], shares=(0.2, 0.5), num_neighbours=5, ridge=1e-3)
    seen = jax.jit(probe)(jax.random.key(0), ())
    assert {len(values) for name, values in seen.items() if name.count("_") == 1} == {2}
    for what, close in (("rmse", {"rtol": 1e-3}), ("nats", {"atol": 0.01})):
        np.testing.assert_allclose(seen[f"diagonal_{what}"], seen[f"mean_{what}"], **close)
    assert (seen["gaussian_rmse"] < 0.95 * seen["mean_rmse"]).all() and not {"neighbours_nats", "slow_nats"} & {*seen}
    np.testing.assert_allclose(seen["slow_rmse"], seen["gaussian_rmse"], rtol=0.05)  # by rows drawn anew for each step
    assert (seen["gaussian_nats"] > seen["mean_nats"] + 0.05).all()
    np.testing.assert_allclose(seen["gaussian_rmse_0.5"].value, seen["gaussian_rmse"][1])


def diagonal(mean, covariance):
    return jnp.diag(jnp.diagonal(covariance))
