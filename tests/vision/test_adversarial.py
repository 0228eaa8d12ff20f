"""Attacks: within their ball and [0, 1], equal to closed forms where there are any, and none stronger than allowed."""

import functools

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
import scipy.optimize

from adl.vision.adversarial import (
    L2,
    LINF,
    NORMS,
    adversarial_classifier,
    fast_gradient,
    margin,
    projected_gradient,
    square_attack,
)

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
X = RNG.uniform(size=(12, 4, 4, 1)).astype("f")
X[0], X[1] = 0, 1
LABEL = (np.arange(12) % 3).astype("i4")
W = RNG.normal(size=(16, 3)).astype("f")


def logits(x):
    return x.reshape(len(x), -1) @ W


def gap(x, label):
    """Of an affine network with labels 0: the second logit less the first."""
    return logits(x)[:, 1] - logits(x)[:, 0]


ATTACKS = {
    "fgsm": lambda norm, epsilon: functools.partial(fast_gradient, norm=norm, epsilon=epsilon),
    "pgd": lambda norm, epsilon: functools.partial(projected_gradient, norm=norm, epsilon=epsilon, num_steps=7),
    "square": lambda norm, epsilon: functools.partial(square_attack, epsilon=epsilon, num_queries=30),
}


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 3.0])
@pytest.mark.parametrize(
    "attack, norm", [("fgsm", "linf"), ("fgsm", "l2"), ("pgd", "linf"), ("pgd", "l2"), ("square", "linf")]
)
def test_attacks_stay_in_the_ball_and_in_the_picture(attack, norm, epsilon):
    found = np.asarray(ATTACKS[attack](NORMS[norm], epsilon)(KEY, gap, X, LABEL))
    assert found.min() >= 0 and found.max() <= 1
    assert (NORMS[norm].length(found - X) <= epsilon + 1e-6).all()
    if epsilon:
        assert (gap(found, LABEL) > gap(X, LABEL)).all()


def test_of_an_affine_network_the_worst_is_known():
    """In l-infinity each pixel goes its own way to its end, which one step finds, and many do not leave."""
    slope = (W[:, 1] - W[:, 0]).reshape(4, 4, 1)
    worst = np.clip(X + 0.1 * np.sign(slope), 0, 1)
    for attack in ("fgsm", "pgd"):
        np.testing.assert_allclose(ATTACKS[attack](LINF, 0.1)(KEY, gap, X, LABEL), worst, atol=1e-6)
    many = square_attack(KEY, gap, X, LABEL, epsilon=0.1, num_queries=2000)
    np.testing.assert_allclose(gap(many, LABEL), gap(worst, LABEL), atol=0.02)


def test_in_l2_the_worst_is_a_convex_programs():
    """max <g, d> for ||d|| <= epsilon and x + d in [0, 1], by SciPy."""
    slope = np.float64(W[:, 1] - W[:, 0])
    found = projected_gradient(KEY, gap, X, LABEL, epsilon=1.0, norm=L2, num_steps=200, pace=20.0)
    for x, got in zip(np.float64(X.reshape(12, -1)), np.asarray(found).reshape(12, -1), strict=True):
        ball = {"type": "ineq", "fun": lambda d: 1 - d @ d, "jac": lambda d: -2 * d}
        best = scipy.optimize.minimize(
            lambda d: -slope @ d,
            np.zeros(16),
            jac=lambda d: -slope,
            bounds=list(zip(-x, 1 - x, strict=True)),
            constraints=ball,
        )
        assert slope @ (got - x) == pytest.approx(-best.fun, rel=1e-3)


@pytest.mark.parametrize("norm", NORMS)
def test_projections_are_the_nearest_points(norm):
    """SciPy's minimum of the distance over ball and box; what is within stays, to the last bit."""
    d = RNG.normal(0, 0.5, size=X.shape).astype("f")
    found = np.asarray(NORMS[norm].nearest(d, X, 0.6)).reshape(12, -1)
    for x, wish, got in zip(np.float64(X.reshape(12, -1)), np.float64(d.reshape(12, -1)), found, strict=True):
        if norm == "linf":
            np.testing.assert_allclose(got, np.clip(wish, np.maximum(-x, -0.6), np.minimum(1 - x, 0.6)), atol=1e-6)
            continue
        ball = {"type": "ineq", "fun": lambda d: 0.36 - d @ d, "jac": lambda d: -2 * d}
        best = scipy.optimize.minimize(
            lambda d, wish=wish: ((d - wish) ** 2).sum(),
            0 * x,
            bounds=list(zip(-x, 1 - x, strict=True)),
            constraints=ball,
        )
        np.testing.assert_allclose(got, best.x, atol=2e-3)
    np.testing.assert_array_equal(NORMS[norm].nearest(found.reshape(X.shape), X, 0.6), found.reshape(X.shape))


def test_starts_are_uniform_in_their_balls():
    x = np.zeros((4000, 2, 1, 1), "f")
    for norm, share in ((L2, np.pi * 0.25 / np.pi), (LINF, 0.25)):
        inside = np.asarray(norm.length(norm.drawn(KEY, x)) <= 0.5)
        assert inside.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))
        assert np.asarray(norm.length(norm.drawn(KEY, x))).max() <= 1 + 1e-6


def test_no_gradient_no_step():
    for norm in NORMS.values():
        still = projected_gradient(
            KEY, lambda x, label: 0 * x.sum((1, 2, 3)), X, LABEL, epsilon=0.1, norm=norm, num_steps=3, start=0.0
        )
        np.testing.assert_array_equal(still, X)
        tiny = norm.steepest(np.full((2, 3), 1e-30, "f"))
        np.testing.assert_allclose(norm.length(tiny), 1, rtol=1e-6)


def test_the_margin_is_positive_exactly_where_the_network_errs():
    wrong = np.asarray(logits(X)).argmax(-1) != LABEL
    assert 0 < wrong.sum() < 12
    np.testing.assert_array_equal(np.asarray(margin(logits(X), LABEL)) > 0, wrong)


def test_the_gradient_is_that_at_the_worst_picture():
    """One step of SGD under FGSM, by hand; through the attack itself nothing flows."""
    model = nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(3)])
    attack = ATTACKS["fgsm"](LINF, 0.1)
    alg = adversarial_classifier(model, optax.sgd(0.5), attack=attack)
    batch = {"image": X, "label": LABEL}
    learner = alg.init(KEY, batch)

    def surprise(params, x):
        return optax.softmax_cross_entropy_with_integer_labels(model.apply({"params": params}, x), LABEL)

    worst = attack(KEY, lambda x, label: surprise(learner.params, x), X, LABEL)
    slope = jax.grad(lambda params: surprise(params, worst).mean())(learner.params)
    after, metrics = alg.step(KEY, learner, batch)
    want = jax.tree.map(lambda p, g: p - 0.5 * g, learner.params, slope)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.params, want)
    assert metrics["loss"].value == pytest.approx(float(surprise(learner.params, worst).mean()), rel=1e-5)
