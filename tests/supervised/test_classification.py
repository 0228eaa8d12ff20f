"""Classification: the loss is scikit-learn's and SciPy's, and the classifier learns what can be learned."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import sklearn.linear_model
import sklearn.metrics

from adl.core import full_pass, jitted, over_devices
from adl.nn.mlp import MLP
from adl.nn.resnet import BatchNorm
from adl.prob.labels import cross_entropy, is_correct
from adl.supervised.classification import classifier, evaluation, views

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
LOGITS = RNG.normal(0, 3, size=(40, 5)).astype("f")
LABEL = RNG.integers(0, 5, 40).astype("i4")
IMAGE = RNG.integers(0, 256, size=(16, 6, 6, 1), dtype=np.uint8)


def unit(image):
    return image.astype(jnp.float32) / 255


def test_cross_entropy_is_the_log_loss():
    want = sklearn.metrics.log_loss(LABEL, scipy.special.softmax(np.float64(LOGITS), -1), labels=range(5))
    np.testing.assert_allclose(cross_entropy(LOGITS, LABEL).mean(), want, rtol=1e-5)
    assert is_correct(LOGITS, LABEL).mean() == pytest.approx(sklearn.metrics.accuracy_score(LABEL, LOGITS.argmax(-1)))


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_label_smoothing_is_the_cross_entropy_to_softened_targets(smoothing):
    target = (1 - smoothing) * np.eye(5)[LABEL] + smoothing / 5
    prob = scipy.special.softmax(np.float64(LOGITS), -1)
    want = scipy.special.entr(target).sum(-1) + scipy.special.rel_entr(target, prob).sum(-1)
    np.testing.assert_allclose(cross_entropy(LOGITS, LABEL, label_smoothing=smoothing), want, rtol=1e-5)


def test_cross_entropy_survives_great_certainty():
    logits = jnp.array([[1e4, 0.0], [0.0, 1e4]])
    np.testing.assert_allclose(cross_entropy(logits, jnp.array([0, 0])), [0, 1e4])
    assert np.isfinite(jax.grad(lambda x: cross_entropy(x, jnp.array([0, 0])).sum())(logits)).all()


def test_padded_evaluation_is_scikit_learns_on_the_bare_split():
    """Seven pictures in two batches of four; the padding is nan."""
    image = RNG.normal(size=(7, 3)).astype("f")
    label = RNG.integers(0, 5, 7).astype("i4")
    weight = RNG.normal(size=(3, 5)).astype("f")
    padded = {
        "image": np.full((8, 3), np.nan, "f"),
        "label": np.zeros(8, "i4"),
        "mask": np.arange(8) < 7,
    }
    padded["image"][:7], padded["label"][:7] = image, label
    batches = {name: leaf.reshape(2, 4, *leaf.shape[1:]) for name, leaf in padded.items()}
    probe = full_pass(evaluation(lambda learner, image: image @ learner), batches, 7)
    seen = probe(KEY, weight)
    prob = scipy.special.softmax(np.float64(image @ weight), -1)
    np.testing.assert_allclose(seen["probability"], prob, atol=1e-5)
    np.testing.assert_allclose(seen["loss"].value, sklearn.metrics.log_loss(label, prob, labels=range(5)), rtol=1e-4)
    np.testing.assert_allclose(seen["accuracy"].value, sklearn.metrics.accuracy_score(label, prob.argmax(-1)))


def test_a_linear_model_finds_the_optimum_that_scikit_learn_finds():
    x = RNG.normal(size=(200, 3)).astype("f")
    label = (x + RNG.normal(size=x.shape)).argmax(-1)
    alg = jitted(classifier(nn.Dense(3), optax.adam(0.05)))
    batch = {"image": x, "label": label.astype("i4")}
    learner = alg.init(KEY, batch)
    for _ in range(300):
        learner, metrics = alg.step(KEY, learner, batch)
    oracle = sklearn.linear_model.LogisticRegression(C=1e6).fit(x, label)
    want = sklearn.metrics.log_loss(label, oracle.predict_proba(x))
    np.testing.assert_allclose(metrics["loss"].value, want, rtol=1e-4)
    np.testing.assert_allclose(metrics["accuracy"].value, oracle.score(x, label), atol=0.011)


def flat_linear():
    return nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(2)])


def step_loss(augment, key=KEY):
    """Loss of a fresh linear model, whose biases are 0, at its first step."""
    alg = classifier(flat_linear(), optax.sgd(0.1), prepare=views(unit, augment))
    batch = {"image": IMAGE, "label": np.zeros(16, "i4")}
    return float(alg.step(key, alg.init(KEY, batch), batch)[1]["loss"].value)


def test_training_sees_the_view_with_luck_of_its_own_each_step():
    def noisy(key, image):
        return image + jax.random.normal(key, image.shape)

    assert step_loss(lambda key, image: jnp.zeros_like(image)) == pytest.approx(np.log(2))  # a black picture: even odds
    assert step_loss(None) == step_loss(None, jax.random.key(1))
    assert step_loss(noisy) != step_loss(noisy, jax.random.key(1))


def test_dropout_acts_in_training_only():
    model = MLP((64, 2), dropout=0.5)
    alg = classifier(model, optax.sgd(0.0))
    batch = {"image": RNG.normal(size=(8, 3)).astype("f"), "label": np.zeros(8, "i4")}
    learner = alg.init(KEY, batch)
    losses = [float(alg.step(jax.random.key(i), learner, batch)[1]["loss"].value) for i in range(2)]
    assert losses[0] != losses[1]
    measure = evaluation(lambda learner, image: model.apply(learner.variables, image))
    seen = [measure(jax.random.key(i), learner, {**batch, "mask": np.ones(8)})["loss"].value for i in range(2)]
    assert seen[0] == seen[1]


def test_batch_statistics_are_those_of_the_global_batch_under_pmap():
    def make(axis):
        return classifier(nn.Sequential([nn.Dense(4), BatchNorm(axis=axis), nn.Dense(3)]), optax.sgd(0.1), axis=axis)

    batch = {"image": RNG.normal(size=(16, 3)).astype("f"), "label": (np.arange(16) % 3).astype("i4")}
    one, many = jitted(make(None)), over_devices(make("data"))
    want, want_metrics = one.step(KEY, one.init(KEY, batch), batch)
    got, got_metrics = many.step(KEY, many.init(KEY, batch), batch)
    start = jax.tree.leaves(one.init(KEY, batch).extras)
    assert all(not np.allclose(a, b) for a, b in zip(start, jax.tree.leaves(want.extras), strict=True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)
    np.testing.assert_allclose(got_metrics["loss"].value, want_metrics["loss"].value, rtol=1e-5)
