"""Transfer: what is handed over, what learns and what does not, and which examples there are."""

import dataclasses
import functools
import importlib

import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from adl import data
from adl.core import BadInput, jitted
from adl.data.classes import chosen_classes, named_class
from adl.nn.resnet import BatchNorm, ResNet
from adl.supervised.classification import classifier, views
from adl.vision.transfer import body_of, gains, students, told_by, transfer
from tests.case import images

BODY = ResNet(None, (8,), norm=BatchNorm)
LEARNS = functools.partial(classifier, prepare=views(data.image.unit))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.fixture(scope="module")
def path():
    """States after 0, 1, 2 and 3 steps, of which one is on the plentiful classes; batch statistics move."""
    of = {"learns": LEARNS, "num_classes": (2, 2), "periods": (1, 2), "tuned": optax.sgd(0.0)}
    algorithm = jitted(transfer(BODY, optax.adam(0.01), **of))
    states = [algorithm.init(jax.random.key(0), images(0))]
    for step in range(3):
        state = jax.tree.map(np.copy, states[-1])
        states.append(algorithm.step(jax.random.key(step), jax.tree.map(jax.numpy.asarray, state), images(step))[0])
    return [jax.tree.map(np.asarray, phases.state) for phases in states]


def test_students_begin_with_what_the_source_knows(path):
    """Of the tuned, whose rate is 0 here, the parameters stay; its statistics go on. The frozen keeps both."""
    begun, after, _, end = path
    assert not same(body_of(begun.source), body_of(after.source)) and same(after.source, end.source)
    assert same(after.heir, begun.heir)
    known = body_of(after.source)
    assert same(end.heir["tuned"].params["body"], known["params"])
    assert not same(end.heir["tuned"].extras["batch_stats"]["body"], known["batch_stats"])
    assert same(end.heir["frozen"].extras["frozen"]["known"], known)
    assert not same(end.heir["frozen"].params["head"], begun.heir["frozen"].params["head"])
    assert not same(end.heir["scratch"].params["body"], begun.heir["scratch"].params["body"])


def test_a_frozen_student_is_a_linear_map_of_features_at_rest(path):
    end = path[-1]
    x, body = data.image.unit(images(0)["image"]), body_of(end.source)
    h = np.asarray(BODY.apply(body, x))
    head = end.heir["frozen"].params["head"]
    want = h @ head["kernel"] + head["bias"]
    np.testing.assert_allclose(told_by(BODY, 2, "frozen", end.heir["frozen"], x), want, rtol=1e-5, atol=1e-5)


def test_gains_are_differences_of_what_is_right(path):
    end, split = path[-1], data.Split(images(1))
    found = gains(BODY, 2, split, data.image.unit)(jax.random.key(0), end.heir)
    right = {}
    for name, learner in end.heir.items():
        logits = told_by(BODY, 2, name, learner, data.image.unit(split.arrays["image"]))
        right[name] = (np.argmax(logits, -1) == split.arrays["label"]).mean()
        np.testing.assert_allclose(found[name].value, right[name], rtol=1e-6)
    np.testing.assert_allclose(found["gain_tuned"].value, right["tuned"] - right["scratch"], atol=1e-6)
    np.testing.assert_allclose(found["gain_frozen"].value, right["frozen"] - right["scratch"], atol=1e-6)


def test_too_few_steps_are_refused():
    for periods in ((0, 2), (1, 1)):
        line = f"{periods[0]} steps of the pretraining, {periods[1]} on the others: at least 1 and 2"
        with pytest.raises(BadInput, match=line):
            transfer(BODY, optax.adam(0.01), learns=LEARNS, num_classes=(2, 2), periods=periods)


def test_students_of_a_start_begin_with_it():
    start = jax.tree.map(lambda x: x + 1, BODY.init(jax.random.key(1), data.image.unit(images(0)["image"])))
    state = students(BODY, optax.adam(0.01), learns=LEARNS, num_classes=3, start=start).init(
        jax.random.key(0), images(0)
    )
    assert same(body_of(state["tuned"]), start) and same(state["frozen"].extras["frozen"]["known"], start)
    assert not same(body_of(state["scratch"]), start)


def test_what_needs_no_labels_comes_first():
    """The experiment's students begin with a network that tells turns apart, of all classes' pictures; and a published
    network is not trained again.
    """
    module = importlib.import_module("experiments.vision.finetune")
    cfg = module.Config(**module.SMOKE, pretraining="rotations")
    loaded = module.load(cfg)
    assert loaded.first.num_classes == 10 and len(loaded.first) == 1437 and len(loaded.names) == 5
    experiment = module.build(cfg, loaded, None)
    state = jax.eval_shape(experiment.algorithm.init, jax.random.key(0), experiment.batches[0]).state
    heads = {name: of.params["head"]["bias"].shape for name, of in state.heir.items()}
    assert state.source.params["head"]["bias"].shape == (4,) and {*heads.values()} == {(5,)}
    with pytest.raises(BadInput, match="--pretraining rotations: ./net is trained already"):
        module.load(dataclasses.replace(cfg, published="./net"))


def test_few_examples_of_some_classes():
    """As many of each as are asked for, none twice, by their new numbers; the same for a seed."""
    found = load_digits()
    pictures = found.images.astype(np.uint8)[..., None]
    split = data.Split({"image": pictures, "label": found.target.astype(np.int32)})
    few = chosen_classes(split, (7, 3), each=5)
    assert np.bincount(few.arrays["label"]).tolist() == [5, 5]
    for image, label in zip(few.arrays["image"], few.arrays["label"], strict=True):
        rows = np.flatnonzero((pictures == image).all((1, 2, 3)))
        assert found.target[rows].tolist() == [(7, 3)[label]]
    np.testing.assert_array_equal(chosen_classes(split, (7, 3), each=5).arrays["image"], few.arrays["image"])
    assert not np.array_equal(chosen_classes(split, (7, 3), each=5, seed=1).arrays["image"], few.arrays["image"])
    assert len(chosen_classes(split, (7, 3))) == (found.target == 7).sum() + (found.target == 3).sum()
    with pytest.raises(BadInput, match="class 7 has 179, fewer than 200 of the 1797 examples"):
        chosen_classes(split, (7,), each=200)
    with pytest.raises(BadInput, match="class 3 has none of the 3 examples"):
        chosen_classes(split.first(3), (3,))
    seven = named_class(split, "7")
    assert seven.names == ("image",)
    np.testing.assert_array_equal(seven.column("image"), pictures[found.target == 7])
    with pytest.raises(BadInput, match="no class 'cat'; there are 0, 1, 2, "):
        named_class(split, "cat")
