"""Accuracy under attack, by tables of trials that do what the attacks themselves do; and answers far from the data."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from adl import data
from adl.nn.mlp import MLP, flat
from adl.vision import extrapolation, robustness
from adl.vision.adversarial import L2, LINF, fast_gradient, margin, projected_gradient, square_attack
from adl.vision.extrapolation import Alteration
from adl.vision.robustness import Trial
from tests.case import IMAGES

KEY = jax.random.key(0)
MODEL = nn.Sequential([flat, MLP((16, 3))])
IMAGE, LABEL = IMAGES[0], (np.arange(16) % 3).astype("i4")
SPLIT = data.Split({"image": IMAGE, "label": LABEL})
X = IMAGE.astype("f") / 255
STATE = jax.vmap(lambda key: MODEL.init(key, X))(jax.random.split(KEY, 3))


def tell(k, x):
    return MODEL.apply(jax.tree.map(lambda leaf: leaf[k], STATE), x)


def loss_of(k, by_margin=False):
    def loss(x, label):
        logits = tell(k, x)
        return margin(logits, label) if by_margin else -jax.nn.log_softmax(logits)[jnp.arange(len(label)), label]

    return loss


def test_trials_are_the_attacks():
    """Each of the table, by the attack itself, with the key that the pass over the split gives."""
    trials = {
        "nothing": Trial.pgd(0, 0.0),
        "fgsm": Trial.fgsm(1, 0.2),
        "margin": Trial.pgd(1, 0.2, 5, by_margin=True),
        "transfer": Trial.pgd(0, 0.2, 5, surrogate=2),
    }
    spheres = {"l2": Trial.pgd(1, 0.8, 5, norm=1)}
    of = MODEL, lambda state: state
    seen = robustness.under_attack(*of, trials | spheres, norms=[LINF, L2], split=SPLIT)(KEY, STATE)
    key = jax.random.split(KEY, 1)[0]
    pgd = functools.partial(projected_gradient, key, epsilon=0.2, norm=LINF, num_steps=5)
    found = {
        "nothing": (0, X),
        "fgsm": (1, fast_gradient(key, loss_of(1), X, LABEL, epsilon=0.2, norm=LINF)),
        "margin": (1, pgd(loss_of(1, True), X, LABEL)),
        "transfer": (0, pgd(loss_of(2), X, LABEL)),
    }
    in_sphere = {"l2": (1, pgd(loss_of(1), X, LABEL, epsilon=0.8, norm=L2))}
    for name, (k, worst) in (found | in_sphere).items():
        np.testing.assert_array_equal(seen[name], np.asarray(tell(k, worst)).argmax(-1) == LABEL, err_msg=name)
    assert len({tuple(np.asarray(values)) for values in seen.values()}) > 2
    images = robustness.attacked_pictures(*of, trials, norm=LINF, pictures=SPLIT.arrays)(key, STATE)
    for name, (k, worst) in found.items():
        np.testing.assert_allclose(images[f"image {name}"], worst, atol=1e-6)
        np.testing.assert_allclose(images[f"said {name}"], jax.nn.softmax(tell(k, worst)), atol=1e-5)


def test_squares_ask_for_the_margin():
    probe = robustness.under_squares(MODEL, lambda s: s, network=1, epsilon=0.3, num_queries=20, split=SPLIT)
    key = jax.random.split(KEY, 1)[0]
    worst = square_attack(key, loss_of(1, True), X, LABEL, epsilon=0.3, num_queries=20)
    np.testing.assert_array_equal(probe(KEY, STATE)["right"], np.asarray(tell(1, worst)).argmax(-1) == LABEL)


def test_accuracies_by_radius_fall_and_their_errors_are_the_binomials():
    names, epsilons = ("plain", "robust"), np.array([0, 0.1, 0.5])
    trials = robustness.by_radius(names, epsilons, 5)
    seen = robustness.under_attack(MODEL, lambda state: state, trials, norms=[LINF], split=SPLIT)(KEY, STATE)
    found = robustness.accuracies(seen, names, len(epsilons))
    for name in names:
        start, *_, end = found[f"{name} pgd"]
        assert start == (np.asarray(tell(names.index(name), X)).argmax(-1) == LABEL).mean() and end < start
    p = np.asarray(found["plain fgsm"])
    np.testing.assert_allclose(found["plain fgsm_error"], np.sqrt(p * (1 - p) / 16), atol=1e-6)


def test_masking_counts_what_others_find():
    usual = jnp.array([1.0, 1, 0, 1])
    found = robustness.compared_with(usual, {"steps": jnp.array([1.0, 0, 0, 1]), "score": jnp.array([0.0, 1, 1, 1])})
    values = {name: float(mean.value) for name, mean in found.items()}
    assert values["steps_gain"] == -0.25 and values["score_gain"] == 0 and values["worst_gain"] == -0.5
    assert values["steps_gain_error"] == pytest.approx(np.std([0, -1, 0, 0]) / 2)
    assert values["score_gain_error"] == pytest.approx(np.std([-1, 0, 1, 0]) / 2)


def test_the_doubled_accuracy_is_what_attacks_leave():
    probe = robustness.attacked(MODEL, lambda s: s, {"linf": 0.1, "l2": 0.5}, 3, 5, split=SPLIT)
    seen = probe(KEY, STATE)
    value = {name: float(mean.value) for name, mean in seen.items() if isinstance(mean, tuple)}
    assert value["doubled"] == pytest.approx(value["robust"] - 2 * value["plain"])
    assert value["worst_doubled"] == pytest.approx(value["robust"] + value["worst_gain"] - 2 * value["plain"])
    assert seen["linf robust pgd"][robustness.AT] == pytest.approx(value["robust"])
    np.testing.assert_allclose(seen["l2 radius"], 0.5 * robustness.RADII)
    kinds = [
        f"{norm} {name} {kind}" for norm in ("linf", "l2") for name in ("plain", "robust") for kind in ("fgsm", "pgd")
    ]
    curves = {name for name, value in seen.items() if not isinstance(value, tuple)}
    assert curves == {*kinds, *(f"{kind}_error" for kind in kinds), "linf radius", "l2 radius"}


def test_changes_are_turns_and_negatives():
    np.testing.assert_allclose(Alteration().of(X), X, atol=1e-6)
    np.testing.assert_allclose(Alteration(degrees=90.0).of(X), np.rot90(X, 1, (1, 2)), atol=1e-5)
    np.testing.assert_allclose(Alteration(degrees=180.0).of(X), X[:, ::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(Alteration(contrast=-1.0).of(X), 1 - X, atol=1e-6)
    dot = np.zeros((1, 9, 9, 1), "f")
    dot[0, 4, 4] = 1
    large = np.asarray(Alteration(factor=3.0).of(dot))[0, ..., 0]
    assert (
        large[4, 4] == pytest.approx(1)
        and large[4, 5] == pytest.approx(2 / 3)
        and large[4, 7] == pytest.approx(0, abs=1e-5)
    )


def test_answers_to_changed_pictures_are_those_to_each():
    changes = {"turned": Alteration(degrees=np.array([0.0, 90.0])), "inverted": Alteration(contrast=np.array([-1.0]))}
    probe = extrapolation.changed(lambda state, x: tell(0, x), changes, SPLIT, 2)
    seen = probe(KEY, ())
    for name, k, x in (("turned", 0, X), ("turned", 1, np.rot90(X, 1, (1, 2))), ("inverted", 0, 1 - X)):
        p = np.asarray(jax.nn.softmax(tell(0, x)))
        assert seen[f"{name} right"][k] == (p.argmax(-1) == LABEL).mean()
        assert seen[f"{name} confident"][k] == pytest.approx(p.max(-1).mean(), abs=1e-5)
        assert seen[f"{name} entropy"][k] == pytest.approx(-(p * np.log(p)).sum(-1).mean() / np.log(3), abs=1e-4)
        np.testing.assert_allclose(seen[f"{name} said"][k], p[:2], atol=1e-5)
    assert seen["turned_confidence"].value == seen["turned confident"][1]


def test_foreign_pictures_are_told_by_the_largest_probability_as_scikit_learn_counts_it():
    others = extrapolation.without_sense(IMAGE)
    for flat_one, flat_other in zip(IMAGE.reshape(16, -1), others["shuffled"].reshape(16, -1), strict=True):
        np.testing.assert_array_equal(np.sort(flat_one), np.sort(flat_other))
        assert (flat_one != flat_other).any()
    seen = extrapolation.foreign(lambda state, x: tell(0, x), IMAGE, others, 3)(KEY, ())
    known, noise = (np.asarray(jax.nn.softmax(tell(0, x))).max(-1) for x in (X, others["noise"].astype("f") / 255))
    want = sklearn.metrics.roc_auc_score(np.repeat([1, 0], 16), np.concatenate([known, noise]))
    assert seen["noise_area"].value == pytest.approx(want, abs=1e-5)
    assert seen["noise_sure"].value == (noise >= 0.9).mean()
    np.testing.assert_allclose(seen["noise said"].max(-1), np.sort(noise)[::-1][:3], rtol=1e-5)
