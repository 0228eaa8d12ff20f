"""The area is scikit-learn's, strangers are what they are called, and each score is held against each kind."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import roc_auc_score

from adl.measure.outliers import left_out_areas, outlier_area, strangers, told_apart

RNG = np.random.default_rng(0)


def test_is_scikit_learn_s_area():
    x, y = np.round(RNG.normal(size=50), 1), np.round(RNG.normal(size=30) + 0.5, 1)
    score, label = np.concatenate([x, y]), np.repeat([0, 1], [50, 30])
    np.testing.assert_allclose(outlier_area(jnp.asarray(score), label > 0), roc_auc_score(label, score), rtol=1e-5)
    np.testing.assert_allclose(outlier_area(jnp.zeros(4), jnp.array([0, 1, 1, 0])), 0.5)


def test_strangers_are_made_of_the_pictures():
    image = RNG.integers(0, 256, size=(40, 4, 4, 1)).astype(np.uint8)
    made = strangers(image)
    np.testing.assert_array_equal(np.rot90(made["turned"], -1, axes=(1, 2)), image)
    np.testing.assert_array_equal(made["inverted"].astype(int) + image, 255)
    np.testing.assert_array_equal(np.sort(made["scrambled"], 0), np.sort(image, 0))
    assert (made["scrambled"] != image).mean() > 0.8
    assert made["blended"].dtype == np.uint8 and abs(made["blended"].mean() - image.mean()) < 8
    assert 0.4 < made["blended"].std(0).mean() / image.std(0).mean() < 0.6  # of four
    assert strangers(image[:, :3])["turned"].shape == (40, 3, 4, 1)


def test_each_score_is_held_against_each_kind():
    inside, outside = np.zeros((20, 2)), {"far": np.full((10, 2), 5.0), "same": np.zeros((10, 2))}

    def scores(key, state, x):
        return {"size": x.sum(1) + state, "smallness": -x.sum(1)}

    seen = jax.jit(told_apart(scores, inside, outside))(jax.random.key(0), 1.0)
    found = {name: float(mean.value) for name, mean in seen.items()}
    assert found == {"size_far": 1, "smallness_far": 0, "size_same": 0.5, "smallness_same": 0.5}


def test_a_class_is_held_against_the_others_and_strangers_against_all():
    """By what never learned it, and by what learned all: scikit-learn's areas of the same scores."""
    x, label = RNG.normal(size=(30, 2)).astype("f"), np.arange(30) % 3
    outside = {"near": RNG.normal(size=(20, 2)) + 0.5, "far": RNG.normal(size=(11, 2)) + 2}
    turns = jnp.asarray(RNG.normal(size=(3, 2)))

    def scores(turns, key, state, x):
        return {"a": turns @ x.T + state, "b": -(turns @ x.T)}  # in another order than is asked for

    probe = left_out_areas(("b", "a"), jax.tree_util.Partial(scores, turns), x, label, np.array([0, 2]), outside)
    seen = jax.jit(probe)(jax.random.key(0), 1.0)
    plain = left_out_areas(("b", "a"), functools.partial(scores, turns), x, label, np.array([0, 2]), outside)
    np.testing.assert_array_equal(jax.jit(lambda of: of(jax.random.key(0), 1.0)["far"])(plain), seen["far"])
    held = [roc_auc_score(label == k, x @ turns[i]) for i, k in enumerate((0, 2))]
    np.testing.assert_allclose(seen["left_out_a"].value, np.mean(held), rtol=1e-5)
    for kind, others in outside.items():
        both = np.concatenate([x, others]) @ turns[2]
        want = roc_auc_score(np.arange(len(both)) >= 30, both)
        np.testing.assert_allclose(seen[kind], [1 - want, want], rtol=1e-5)
