"""Models are judged beside each other as each would be alone, and copies of training pictures are told."""

import jax
import numpy as np

from adl.data import Split
from adl.measure.samples import fidelity, judged_samples
from adl.measure.side_by_side import against, judged_together, training_pictures

RNG = np.random.default_rng(0)
LABEL = np.arange(30) % 3
TRAIN, TEST = (RNG.integers(0, 256, size=(30, 4, 4, 1)).astype(np.uint8) for _ in range(2))


def test_each_is_judged_as_alone():
    noise = RNG.uniform(size=(30, 4, 4, 1)).astype("f")
    drawn = {"copies": TRAIN / np.float32(255), "noise": noise}
    of = {"flat": lambda x: x.reshape(len(x), -1)}
    test = Split({"image": TEST, "label": LABEL})
    probe = judged_together(drawn, test, Split({"image": TRAIN}), features=of, num_shown=5)
    seen = jax.jit(probe)(jax.random.key(0), ())
    alone = fidelity(drawn["copies"], TEST / np.float32(255), LABEL, num_classes=3)
    for what in ("two_sample_data", "two_sample_samples", "class_accuracy", "frechet", "kernel", "recall"):
        np.testing.assert_allclose(seen[f"copies_{what}"].value, alone[what].value, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(seen[what][0], alone[what].value, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(seen["frechet_flat"], seen["frechet"], rtol=1e-3)
    assert seen["copies_nearest"].value < 0.01 < 0.5 < seen["noise_nearest"].value
    assert seen["grid"].shape == (2, 5, 4, 4, 1)


def test_gains_are_how_much_nearer_halves_are_to_chance():
    """Copies of the reference against noise: both halves, and the kernel distance, by hand of the two."""
    noise = RNG.uniform(size=(30, 4, 4, 1)).astype("f")
    reference = Split({"image": TEST, "label": 0 * LABEL})
    of = {"flat": lambda x: x.reshape(len(x), -1)}
    plain = judged_together({"noise": noise}, reference, Split({"image": TRAIN}), features=of, num_shown=5)
    drawn = TRAIN / np.float32(255)
    judged = judged_samples(lambda key, state, label: drawn, Split({"image": TEST}), features=of, num_shown=5)
    seen = jax.jit(against(judged, plain, "noise"))(jax.random.key(0), ())
    for half in ("two_sample_data", "two_sample_samples"):
        away = np.abs(np.array(seen[f"{half}_each"]) - 0.5)
        np.testing.assert_allclose(seen[f"{half}_each"], [seen[half].value, seen[f"noise_{half}"].value], rtol=1e-6)
        np.testing.assert_allclose(seen[f"gain_{half}"].value, away[1] - away[0], atol=1e-6)
    for kernel in ("kernel", "kernel_flat"):
        gain = seen[f"noise_{kernel}"].value - seen[kernel].value
        np.testing.assert_allclose(seen[f"gain_{kernel}"].value, gain, atol=1e-6)
    assert "noise_nearest" not in seen  # of pictures that are in the reference it says nothing
    assert seen["rows"].shape == (3, 5, 4, 4, 1)
    np.testing.assert_allclose(seen["rows"][0], drawn[:5], atol=0.03)  # to the nearest level that the reference has


def test_what_a_state_draws_is_judged_below_what_was_drawn():
    """As it would be among the drawn; each draw has a key of its own, and sees the classes."""
    test, train = Split({"image": TEST, "label": LABEL}), Split({"image": TRAIN})
    of = {"features": {"flat": lambda x: x.reshape(len(x), -1)}, "num_shown": 3}
    copies = {"copies": TRAIN / np.float32(255)}

    def draw(key, state, label):
        return state * (label[:, None, None, None] + jax.random.uniform(key, TEST.shape)) / 3

    probe = judged_together(copies, test, train, draws={"a": draw, "b": draw}, **of)
    seen = jax.jit(probe)(jax.random.key(0), 1.0)
    want = {name: draw(jax.random.fold_in(jax.random.key(0), i), 1.0, LABEL) for i, name in enumerate("ab")}
    before = jax.jit(judged_together(copies | want, test, train, **of))(jax.random.key(0), ())
    assert seen.keys() == before.keys()
    for what in ("copies_frechet", "a_frechet", "b_class_accuracy", "b_nearest"):
        np.testing.assert_allclose(seen[what].value, before[what].value, rtol=1e-4)
    np.testing.assert_allclose(seen["grid"], before["grid"], atol=1e-6)
    assert not np.allclose(seen["grid"][1], seen["grid"][2])


def test_training_pictures_are_of_the_classes_asked_for():
    train = Split({"image": TRAIN, "label": LABEL})
    drawn = training_pictures(train, np.array([2, 0, 2, 7]), seed=3)
    of = [int(LABEL[(TRAIN == (255 * one).round()).all((1, 2, 3))][0]) for one in drawn]
    assert of[:3] == [2, 0, 2] and drawn.shape == (4, 4, 4, 1)
    np.testing.assert_array_equal(drawn, training_pictures(train, np.array([2, 0, 2, 7]), seed=3))
