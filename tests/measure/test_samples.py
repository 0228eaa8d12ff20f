"""Fidelity agrees with scikit-learn's neighbours, is extreme where it should be, and counts modes by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.tree_util import Partial
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from adl.core import BadInput
from adl.data import Split
from adl.measure.pictures import random_features
from adl.measure.samples import (
    PIXELS,
    fidelity,
    judged_samples,
    judged_ways,
    mode_coverage,
    recognised,
    rounded,
    two_sample_accuracy,
)

RNG = np.random.default_rng(0)
LABEL = np.arange(60) % 3
X = RNG.normal(size=(40, 3)).astype("f")
Y = (RNG.normal(size=(40, 3)) + 0.7).astype("f")
REFERENCE = (RNG.normal(size=(60, 2, 2, 1)) + LABEL[:, None, None, None]).astype("f")


def judged(samples):
    return fidelity(jnp.asarray(samples), jnp.asarray(REFERENCE), jnp.asarray(LABEL), num_classes=3)


def test_classes_and_neighbours_are_scikit_learn_s():
    samples = (RNG.normal(size=REFERENCE.shape) + LABEL[:, None, None, None]).astype("f")
    ours, known = judged(samples), REFERENCE.reshape(60, -1)
    theirs = KNeighborsClassifier(3).fit(known, LABEL)
    expected = theirs.score(samples.reshape(60, -1), LABEL)
    assert 0.4 < expected < 1
    np.testing.assert_allclose(ours["class_accuracy"].value, expected, rtol=1e-6)
    nearest = theirs.kneighbors(samples.reshape(60, -1), 1, return_distance=False)[:, 0]
    np.testing.assert_array_equal(ours["nearest"], REFERENCE[nearest])


def test_copies_and_strangers():
    copies, strangers = judged(REFERENCE + 1e-4), judged(REFERENCE + 100)
    assert (copies["two_sample_accuracy"].value, strangers["two_sample_accuracy"].value) == (0, 1)
    np.testing.assert_array_equal(copies["nearest"], REFERENCE)
    assert copies["frechet"].value < 0.01 < strangers["frechet"].value


def test_rounded_is_the_nearest_level():
    levels = jnp.array([0.0, 0.25, 1.0])
    x = jnp.array([-1.0, 0.1, 0.2, 0.6, 0.7, 2.0])
    np.testing.assert_array_equal(rounded(x, levels), levels[jnp.abs(x[:, None] - levels[None]).argmin(1)])
    np.testing.assert_array_equal(rounded(jnp.array([jnp.nan, 0.3, jnp.inf]), levels), [np.nan, 0.25, 1.0])


def test_the_probe_draws_for_each_image_of_its_class():
    """A sampler that copies, with noise of less than half a level: rounding takes it away, and copies are seen."""
    image = 3 * np.round(8 * (REFERENCE - REFERENCE.min())).astype("uint8")  # neighbouring levels differ by 3 / 255
    levels = image / np.float32(255)

    def draw(key, state, label):
        np.testing.assert_array_equal(label, LABEL)
        return jnp.asarray(levels) + state * jax.random.uniform(key, levels.shape, minval=-1, maxval=1)

    split = Split({"image": image, "label": LABEL})
    seen = judged_samples(draw, split, num_shown=25)(jax.random.key(0), 0.005)
    assert seen["two_sample_accuracy"].value == 0 and seen["grid"].shape == (3, 25, 2, 2, 1)
    np.testing.assert_allclose(seen["grid"], seen["nearest"], atol=1e-6)
    np.testing.assert_allclose(seen["grid"][1, :20], levels[LABEL == 1], atol=1e-6)
    np.testing.assert_allclose(seen["grid"][1, 20:], levels[LABEL == 1][:5], atol=1e-6)  # from the start again


def test_mode_coverage_by_hand():
    """Of three modes one has two samples near, one has one, one has none; two samples are near nothing."""
    modes = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    samples = jnp.array([[0.3, 0.0], [0.0, -0.4], [4.0, 0.49], [0.0, 3.4], [9.0, 9.0]])
    for needed, covered in ((1, 2), (2, 1), (3, 0)):
        seen = mode_coverage(samples, modes, radius=0.5, num_needed=needed)
        assert float(seen["modes"].value) == covered
        np.testing.assert_array_equal(seen["counts"], [2, 1, 0])
        np.testing.assert_allclose(seen["quality"].value, 3 / 5, rtol=1e-6)


def test_mode_coverage_of_the_mixture_itself():
    """Within 3 standard deviations in the plane lies 1 - exp(-9/2) of a Gaussian."""
    modes = jnp.asarray(np.stack(np.meshgrid([-2, 0, 2], [-2, 0, 2]), -1).reshape(-1, 2), jnp.float32)
    samples = jnp.repeat(modes, 1000, 0) + jnp.asarray(RNG.normal(0, 0.1, (9000, 2)), jnp.float32)
    seen = mode_coverage(samples, modes, radius=0.3, num_needed=900)
    assert float(seen["modes"].value) == 9
    np.testing.assert_allclose(seen["quality"].value, 1 - np.exp(-4.5), atol=0.004)


def test_two_sample_accuracy_is_leave_one_out():
    both, source = np.concatenate([X, Y]), np.repeat([0, 1], 40)
    expected = cross_val_score(KNeighborsClassifier(1), both, source, cv=LeaveOneOut()).mean()
    assert 0.5 < expected < 0.95
    np.testing.assert_allclose(two_sample_accuracy(jnp.asarray(X), jnp.asarray(Y)), expected, rtol=1e-6)


def test_two_sample_accuracy_at_its_extremes():
    x = jnp.asarray(X)
    assert two_sample_accuracy(x, x + 100) == 1
    assert two_sample_accuracy(x, x + 1e-3) == 0
    more = jnp.asarray(RNG.normal(size=(2, 1000, 3)).astype("f"))
    assert abs(two_sample_accuracy(*more) - 0.5) < 0.05
    np.testing.assert_allclose(recognised(*more), 0.5, atol=0.07)


def test_noise_around_pictures_is_told_apart():
    """Noise lies farther from noise than from pictures: all is called picture, and the mean alone reads as chance."""
    picture = 0.5 + 0.05 * RNG.normal(size=(40, 32 * 32 * 3))
    noise = RNG.uniform(size=picture.shape)
    halves = recognised(jnp.asarray(picture, "f"), jnp.asarray(noise, "f"))
    assert (halves.x, halves.y) == (1, 0)
    label = jnp.zeros(40, int)
    shape = (40, 32, 32, 3)
    judge = jax.jit(
        lambda x, y: fidelity(x.reshape(shape)[:, :8, :8], y.reshape(shape)[:, :8, :8], label, num_classes=1)
    )
    seen = judge(jnp.asarray(noise, "f"), jnp.asarray(picture, "f"))
    assert seen["two_sample_data"].value == 1 and seen["two_sample_samples"].value == 0


def test_of_rows_equally_near_each_counts_alike():
    """Two samples of one constant cannot be told apart, in whatever order they come."""
    np.testing.assert_allclose(recognised(jnp.ones((5, 3)), jnp.ones((5, 3))), 4 / 9, rtol=1e-6)


def test_nan_stays_nan():
    for bad in (np.nan, np.inf):
        broken = np.array(REFERENCE)
        broken[7, 0, 0] = bad
        for samples in (broken, np.full_like(REFERENCE, bad)):
            seen = judged(samples)
            for name in ("two_sample_data", "two_sample_samples", "two_sample_accuracy", "class_accuracy", "frechet"):
                assert np.isnan(seen[name].value), name
            assert np.isnan(seen["nearest"][7]).all()
        assert np.isfinite(judged(broken)["nearest"][8]).all()


def test_samples_far_from_the_origin_are_judged_alike():
    """At an offset that float32 holds exactly, whatever the number of dimensions."""
    for dim in (3, 30):
        x, y = (np.round(256 * RNG.normal(size=(2, 60, dim))) / 256).astype("f")
        assert recognised(*map(jnp.asarray, (x + 4096, y + 4096))) == recognised(*map(jnp.asarray, (x, y)))


def test_the_probe_shows_the_classes_that_there_are():
    """Of classes 1, 4 and 6 at most two rows, and large pictures are drawn in parts: each as its class says."""
    label = np.array([1, 4, 4, 6, 6])
    side = int(np.sqrt(PIXELS)) // 2 + 100  # three at a time

    def draw(key, state, label):
        assert label.shape == (PIXELS // side**2,)
        return jnp.broadcast_to((label == 6).reshape(-1, 1, 1, 1), (len(label), side, side, 1)).astype(jnp.float32)

    levels = np.zeros((5, side, side, 1), np.uint8)
    levels[0, 0, 0] = 255
    split = Split({"image": levels, "label": label})
    seen = judged_samples(draw, split, num_shown=2, num_rows=2)(jax.random.key(0), None)
    assert seen["label"].tolist() == [1, 6] and seen["grid"].shape == (2, 2, side, side, 1)
    assert (seen["grid"][0] == 0).all() and (seen["grid"][1] == 1).all()


def test_the_probe_judges_in_every_feature_and_without_classes():
    """Copies in one feature are strangers in another; of pictures without labels no class is asked for."""
    image = (255 * (REFERENCE > 0.5)).astype("uint8")
    levels = image / np.float32(255)
    features = {
        "same": lambda x: x.reshape(len(x), -1),
        "far": Partial(lambda far, x: x.reshape(len(x), -1) + far * jnp.arange(2.0).repeat(30)[:, None], 9.0),
    }
    probe = judged_samples(lambda key, state, label: levels[::-1], Split({"image": image}), features=features)
    seen = jax.jit(probe)(jax.random.key(0), None)
    assert "class_accuracy" not in seen and "label" not in seen and seen["grid"].shape == (1, 12, 2, 2, 1)
    np.testing.assert_allclose(seen["frechet_same"].value, 0, atol=1e-5)
    np.testing.assert_allclose(seen["frechet_same"].value, seen["frechet"].value, atol=1e-6)
    assert seen["precision_same"].value == seen["recall_same"].value == 1
    assert np.isfinite(seen["kernel_far"].value) and "frechet_random" not in seen


def test_two_pictures_are_too_few_to_compare_with():
    few = Split({"image": np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)})
    for judged in (lambda: judged_samples(None, few), lambda: judged_ways({"all": None}, few)):
        with pytest.raises(BadInput, match="2 pictures to compare samples with: three or more are wanted"):
            judged()


def test_random_features_are_the_same_for_one_seed_and_see_the_picture():
    x = RNG.uniform(size=(5, 6, 7, 3)).astype("f")
    of = random_features((6, 7, 3))
    found = of(x)
    assert found.shape == (5, 128) and np.linalg.matrix_rank(found) == 5
    np.testing.assert_array_equal(found, random_features((6, 7, 3))(x))
    assert np.abs(found - random_features((6, 7, 3), seed=1)(x)).max() > 0.01
    np.testing.assert_allclose(found, _by_torch(of.args[0], x), rtol=1e-4, atol=1e-5)


def _by_torch(kernels, x):
    """SAME of stride 2: of 6 rows padding is 0 before and 1 after, of 7 columns 1 and 1; then of 3 and 4."""
    x = torch.tensor(x.transpose(0, 3, 1, 2))
    for kernel, pad in zip(kernels, ((1, 1, 0, 1), (0, 1, 1, 1)), strict=True):
        weight = torch.tensor(np.array(kernel).transpose(3, 2, 0, 1))
        x = torch.relu(torch.nn.functional.conv2d(torch.nn.functional.pad(x, pad), weight, stride=2))
    return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1).numpy()


def test_several_ways_are_judged_as_each_by_itself_and_carry_their_arrays():
    """Of copies no sample is taken for a sample; noise lies wide around the data, which are all taken for data."""
    image = np.random.default_rng(0).integers(0, 17, (40, 4, 4, 1)).astype(np.uint8) * 15
    kept = np.asarray(image[::-1] / np.float32(255))
    draws = {  # in an order that is not that of their names
        "grey": lambda key, state, label: state + 0.01 * jax.random.normal(key, (len(label), 4, 4, 1)),
        "copies": Partial(lambda kept, key, state, label: kept, kept),
    }
    probe = judged_ways(draws, Split({"image": image}), num_shown=3)
    assert any(leaf is kept for leaf in jax.tree.leaves(probe)), "no constant of the program"
    seen = jax.jit(probe)(jax.random.key(0), 0.5)
    assert seen["copies_two_sample_samples"].value == seen["copies_two_sample_data"].value == 0
    np.testing.assert_allclose(seen["copies_frechet"].value, 0, atol=1e-5)
    assert seen["grey_two_sample_samples"].value == 1 and seen["grey_recall"].value < 0.1
    alone = judged_samples(draws["grey"], Split({"image": image}), features={})(
        jax.random.split(jax.random.key(0))[1], 0.5
    )
    for what in ("frechet", "kernel", "precision", "two_sample_data", "two_sample_accuracy"):
        np.testing.assert_allclose(seen[f"grey_{what}"].value, alone[what].value, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(seen["grid"][-1], image[:3] / np.float32(255))
    np.testing.assert_array_equal(seen["grid"][1], kept[:3])
