"""Pictures and joints are moved together; what a network is told of them is what they say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.core.optimizer import adam
from adl.data.joints import MIRRORED, letterboxed, with_joints
from adl.data.scenes import JOINTS
from adl.data.views import random_maps
from adl.supervised.regression import fit
from adl.vision.heatmaps import bumps
from adl.vision.pose import PoseNet, Posture, heat_surprise, mirror, posed_views
from adl.vision.pose_evaluation import judged_poses, mean_pose

RNG = np.random.default_rng(0)


def dots(places, side: int = 48) -> np.ndarray:
    """A picture `[side, side, 3]` of a soft dot at each place (x, y)."""
    dot = np.asarray(bumps(np.asarray(places, "f"), (side, side), std=1.5)).max(-1)
    return np.repeat(np.round(255 * dot)[..., None], 3, -1).astype(np.uint8)


def centre_of(image) -> np.ndarray:
    """(x, y) of the mean of what is bright, in pixels."""
    weight = np.asarray(image, float)[..., 0]
    rows, columns = np.indices(weight.shape) + 0.5
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_left_and_right_are_each_others_mirror():
    for joint, other in enumerate(MIRRORED):
        assert MIRRORED[other] == joint
        words = {JOINTS[joint].partition(" ")[::2], JOINTS[other].partition(" ")[::2]}
        assert words == {(JOINTS[joint].partition(" ")[::2])} or {side for side, _ in words} == {"left", "right"}
        assert len({part for _, part in words}) == 1
    assert [JOINTS[j] for j, other in enumerate(MIRRORED) if j == other] == ["neck", "head top"]


def test_a_mirror_turns_the_picture_and_swaps_left_and_right():
    joints = RNG.uniform(5, 43, (1, 14, 2)).astype("f")
    visible = RNG.random((1, 14)) < 0.5
    x = dots(joints[0, [0]])[None] / np.float32(255)  # the right ankle alone
    turned, y = mirror(x, {"joints": joints, "visible": visible, "known": visible}, MIRRORED)
    left = JOINTS.index("left ankle")
    np.testing.assert_allclose(y["joints"][0, left], centre_of(turned[0]), atol=0.05)
    assert y["visible"][0, left] == visible[0, 0]
    again, z = mirror(turned, y, MIRRORED)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_allclose(z["joints"], joints, atol=1e-5)
    np.testing.assert_array_equal(z["visible"], visible)


def test_joints_go_where_affine_views_take_their_pixels():
    joints = np.tile(RNG.uniform(16, 32, (32, 1, 2)).astype("f"), (1, 14, 1))
    batch = {"image": np.stack([dots(one[:1]) for one in joints]), "joints": joints}
    batch |= {"visible": np.ones((32, 14), bool), "known": np.ones((32, 14), bool)}
    view = posed_views((), functools.partial(random_maps, degrees=60, scale=0.2, shift=4.0, shear=0.2))
    x, y = view(jax.random.key(0), batch)
    places = np.stack([centre_of(np.clip(image, 0, 1)) for image in x])
    np.testing.assert_allclose(y["joints"][:, 0], places, atol=0.1)
    assert np.abs(y["joints"][:, 0] - joints[:, 0]).max() > 5
    far = posed_views((), lambda key, num: (jnp.tile(jnp.eye(2), (num, 1, 1)), jnp.full((num, 2), 40.0)))
    _, away = far(jax.random.key(0), batch)
    assert not away["known"].any() and not away["visible"].any()


def test_half_of_the_pictures_are_mirrored():
    joints = np.zeros((256, 14, 2), "f") + 10
    batch = {"image": np.zeros((256, 16, 48, 3), np.uint8), "joints": joints}
    batch |= {"visible": np.ones((256, 14), bool), "known": np.ones((256, 14), bool)}
    _, y = posed_views(MIRRORED)(jax.random.key(0), batch)
    assert {*np.asarray(y["joints"][..., 0]).ravel()} == {10.0, 38.0}
    assert 96 < (y["joints"][:, 0, 0] == 10).sum() < 160


def test_the_surprise_is_least_at_the_bump_and_only_of_known_joints():
    joints = RNG.uniform(8, 24, (2, 14, 2)).astype("f")
    known = RNG.random((2, 14)) < 0.5
    bump = jax.vmap(lambda one: bumps(one, (16, 16), stride=2, std=1.0))(joints)
    right = Posture(jnp.log(bump), jnp.where(known, 20.0, -20.0))
    y = {"joints": joints, "visible": known, "known": known}
    loss = heat_surprise(stride=2, std=1.0, seen_weight=1.0)
    assert abs(loss(right, y)["loss"].value) < 1e-5
    noise = np.where(known, 0, RNG.normal(size=(16, 16, 2, 14))).transpose(2, 0, 1, 3)  # on maps of unknown joints
    assert abs(loss(Posture(right.log_heat + noise, right.seen), y)["loss"].value) < 1e-5
    wrong = loss(Posture(jnp.zeros_like(bump), -right.seen), y)
    p = np.asarray(bump / bump.sum((1, 2), keepdims=True), float)
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum((1, 2))
    np.testing.assert_allclose(wrong["heat"].value, (np.log(256) - entropy)[known].mean(), rtol=1e-4)
    np.testing.assert_allclose(wrong["seen"].value, 20.0, rtol=1e-4)


def test_a_network_learns_where_a_dot_is_and_what_it_says_is_judged():
    """All joints are one dot: a small network finds it to less than a pixel, finer than its cells of two."""
    places = RNG.uniform(3, 13, (128, 1, 2)).astype("f") * np.float32([1, 1])
    image = np.stack([dots(one, 16) for one in places])
    joints = np.tile(places, (1, 14, 1)) + np.where(np.arange(14) == 9, 1.0, 0)[None, :, None].astype("f")
    visible = np.ones((128, 14), bool)
    visible[:, 5] = False
    split = data.arrays({"image": image, "joints": joints, "visible": visible, "known": np.ones((128, 14), bool)})
    model = PoseNet(14, (8, 8))
    algorithm = fit(model, adam(0.01, average=0.9), loss=heat_surprise(), prepare=posed_views())
    batches, step = data.shuffled(split, 32), jax.jit(algorithm.step)
    state = algorithm.init(jax.random.key(0), batches[0])
    for i in range(120):
        state, _ = step(jax.random.key(i), state, batches[i])
    probe = judged_poses(
        lambda learner, x: model.apply(learner.averaged, x / 127.5 - 1.0), split, split, stride=2, std=1.0
    )
    said = jax.jit(probe)(jax.random.key(0), state)
    assert said["error"].value < 0.6 < said["error_argmax"].value
    assert said["seen"].value > 0.95 and said["left_out"].value == 0
    assert said["joint_pck"].shape == (14,) and np.isnan(said["joint_pck"][5]) and said["hidden_curve"].shape == (26,)
    np.testing.assert_allclose(mean_pose(split)[0], places.mean((0, 1)), rtol=1e-5)


def test_pictures_of_several_sizes_come_to_one_with_their_joints():
    for shape in ((30, 60), (90, 40), (48, 48)):
        place = np.array([[0.3 * shape[1], 0.6 * shape[0]]], "f")
        dot = np.repeat(np.asarray(bumps(place, shape, std=2.0)) * 255, 3, -1).astype(np.uint8)
        image, joints = letterboxed(dot, place, 48)
        assert image.shape == (48, 48, 3)
        np.testing.assert_allclose(joints[0], centre_of(image), atol=0.25)


def test_joints_that_are_none_are_one_line(tmp_path):
    columns = {"image": RNG.integers(0, 256, (20, 20, 30, 3)).astype(np.uint8)}
    columns |= {"joints": RNG.uniform(1, 19, (20, 14, 2)).astype("f"), "visible": RNG.random((20, 14)) < 0.8}
    columns["visible"][7, 11] = True

    def read(**changed):
        np.savez(tmp_path / "own.npz", **{**columns, **changed})
        how = {"of": ("train", "test"), "side": 16, "is_exact": False}
        return with_joints(str(tmp_path / "own.npz"), **how)

    def at(place):
        joints = columns["joints"].copy()
        joints[7, 11] = place
        return joints

    train, test = read()
    assert len(train) + len(test) == 20 and train.arrays["image"].shape[1:] == (16, 16, 3)
    assert (train.arrays["known"] == train.arrays["visible"]).all()
    grey, _ = read(image=columns["image"][..., 0])
    assert grey.arrays["image"].shape[1:] == (16, 16, 3)
    for changed, told in (
        ({"joints": at([np.nan, 3])}, "left wrist of example"),
        ({"joints": at([500, 3])}, "outside its picture, which is 30 x 20 pixels"),
        ({"joints": columns["joints"] / 20}, "must be in pixels"),
        ({"joints": columns["joints"][:, :9]}, "it must be [N, 14, 2]"),
        ({"joints": columns["joints"][..., 0]}, "must be numbers [N, J, 2]"),
        ({"visible": columns["visible"][:, :9]}, "it must be [N, 14]"),
        ({"image": columns["image"] / 255.0}, "image must be uint8"),
        ({"image": columns["image"][..., :2]}, "2 channels"),
    ):
        with pytest.raises(BadInput) as caught:
            read(**changed)
        assert told in str(caught.value) and "\n" not in str(caught.value), caught.value
    hidden = columns["visible"].copy()
    hidden[7, 11] = False
    read(joints=at([np.nan, 3]), visible=hidden)  # means nothing there
