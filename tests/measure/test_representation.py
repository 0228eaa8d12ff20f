"""Softmax regression is scikit-learn's, and the probe is its pipeline."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from adl import data
from adl.measure.representation import linear_probe, linear_svm, log_odds, softmax_regression, two_views

KEY = jax.random.key(0)
TRAIN, TEST = (data.load("digits", split).arrays for split in ("train", "test"))


def pixels(arrays):
    return arrays["image"].reshape(len(arrays["image"]), -1).astype(np.float32) / 255


@pytest.mark.parametrize("c", [0.01, pytest.param(1.0, marks=pytest.mark.full)])
def test_weights_are_scikit_learns(c):
    scaler = StandardScaler().fit(pixels(TRAIN))
    x, y = (scaler.transform(pixels(arrays)) for arrays in (TRAIN, TEST))
    fit = jax.jit(functools.partial(softmax_regression, num_classes=10, l2=1 / (c * len(x))))
    weights = fit(jnp.asarray(x), jnp.asarray(TRAIN["label"]))
    theirs = LogisticRegression(C=c, max_iter=10000, tol=1e-8).fit(x.astype(float), TRAIN["label"])

    def loss(kernel, bias):  # in float64
        log_prob = log_softmax(x.astype(float) @ np.asarray(kernel, float) + np.asarray(bias, float), axis=1)
        return -np.take_along_axis(log_prob, TRAIN["label"][:, None], 1).mean() + np.square(kernel).sum() / (
            2 * c * len(x)
        )

    # the loss is flat along some biases: a gradient of 1e-6 leaves a few thousandths there, and 1e-9 of the loss
    assert loss(*weights) - loss(theirs.coef_.T, theirs.intercept_) < 1e-7
    np.testing.assert_allclose(weights.kernel.T, theirs.coef_, atol=5e-3)
    np.testing.assert_allclose(weights.bias, theirs.intercept_, atol=5e-3)
    np.testing.assert_array_equal(log_odds(weights, y).argmax(1), theirs.predict(y))


def test_log_odds_of_any_leading_axes():
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("f")
    weights = softmax_regression(x, (x[:, 0] > 0).astype(int), num_classes=2, l2=0.1)
    np.testing.assert_allclose(log_odds(weights, x.reshape(3, 20, 3)).reshape(60, 2), log_odds(weights, x), rtol=1e-5)
    np.testing.assert_allclose(weights.kernel.sum(1), np.zeros(3), atol=1e-5)  # of least norm among its equals


@pytest.mark.parametrize("c", [0.01, 1.0])
def test_support_vector_machine_is_scikit_learns(c):
    scaler = StandardScaler().fit(pixels(TRAIN))
    x, y = (scaler.transform(pixels(arrays)) for arrays in (TRAIN, TEST))
    fit = jax.jit(functools.partial(linear_svm, num_classes=10, l2=1 / (c * len(x))))
    weights = fit(jnp.asarray(x), jnp.asarray(TRAIN["label"]))
    # Its penalty on the bias is as good as none at this scale.
    theirs = LinearSVC(C=c, dual=False, intercept_scaling=100, tol=1e-8, max_iter=10000).fit(x, TRAIN["label"])
    np.testing.assert_allclose(weights.kernel.T, theirs.coef_, atol=5e-3)
    np.testing.assert_allclose(weights.bias, theirs.intercept_, atol=5e-3)
    assert (log_odds(weights, y).argmax(1) != theirs.predict(y)).sum() <= 1


def represent(key, state, image):
    return state * image.reshape(len(image), -1)


def blind(key, state, image):
    """Noise of one key: a column that knows the brightness, among others that know nothing."""
    return jax.random.normal(key, (4,))[None] * image.mean((1, 2, 3))[:, None]


def test_probe_is_scikit_learns_pipeline():
    splits = [data.Split(arrays) for arrays in (TRAIN, TEST)]
    probe = jax.jit(linear_probe(represent, *splits, num_classes=10, references={"brightness": blind}))
    result = probe(KEY, jnp.float32(0.01))
    theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10000)).fit(pixels(TRAIN), TRAIN["label"])
    accuracy = theirs.score(pixels(TEST), TEST["label"])
    assert abs(result["accuracy"].value - accuracy) < 1.5 / 360  # rounding may move one picture across a border
    np.testing.assert_allclose(result["features"], 2.55 * pixels(TEST), rtol=1e-5)
    mean = [a["image"].mean((1, 2, 3))[:, None] for a in (TRAIN, TEST)]
    dull = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10000, C=4)).fit(mean[0], TRAIN["label"])
    assert abs(result["brightness"].value - dull.score(mean[1], TEST["label"])) < 0.02
    margin = result["accuracy"].value - result["brightness"].value
    np.testing.assert_allclose(result["margin"].value, margin, atol=1e-6)


def test_two_views_of_each_picture_differ_by_luck_alone():
    image = jnp.arange(24.0).reshape(2, 2, 2, 3)
    pairs = two_views(lambda key, image: image + jax.random.normal(key, ()), image)(KEY, ())["pairs"]
    assert pairs.shape == (2, *image.shape) and not np.allclose(pairs[0], pairs[1])
    shift = pairs - image[None]
    np.testing.assert_allclose(shift, jnp.broadcast_to(shift[:, :1, :1, :1, :1], shift.shape), atol=1e-5)
