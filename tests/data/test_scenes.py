"""Rendered scenes: every label is what one would find by looking at each thing alone."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.data import scenes
from adl.data.scenes import caption, drawn, figure, layout, render

NUM, SIZE, SLOTS = 12, 48, 8
FROZEN = {  # of the first scenes of the sample's test split
    "counts": [5, 4, 5, 5, 5, 5, 5, 5, 4, 3, 7, 4],
    "labels": [[3, 6, 0, 4, 7, 0, 0, 0], [2, 0, 7, 0, 0, 0, 0, 0], [2, 0, 3, 7, 1, 0, 0, 0]],
    "heads": [[35.03, 5.86], [20.8, 11.37], [36.92, 10.2]],
    "areas": [[2209, 755, 0, 0, 299, 236, 0, 338, 259], [2561, 765, 0, 412, 0, 0, 0, 0, 358]],
}
PERSON = scenes.CLASSES.index("person")


@pytest.fixture(scope="module")
def made():
    """(arrangements, scenes) `[NUM, ...]`, without noise."""

    def make(key, bank):
        found = drawn.arrangement(key, bank, size=SIZE, slots=SLOTS, fewest=3, variation=scenes.STANDARD)
        return found, render.render(key, *found, slots=SLOTS, noise=0.0)

    return scenes.rendered(make, 3, NUM)


def each(made):
    """Of each scene, what is there: (scene, [(row of the thing, is_on [H, W])], nearest first)."""
    for row in range(NUM):
        found, whole = jax.tree.map(lambda leaf, row=row: leaf[row], made)
        there = sorted(np.flatnonzero(found.is_there), key=lambda i, z=found.things.z: z[i])
        yield found, whole, there


def test_masks_depth_and_boxes_are_those_of_things_painted_one_at_a_time(made):
    for found, whole, there in each(made):
        instance, depth = np.zeros((SIZE, SIZE), int), np.full((SIZE, SIZE), np.nan)
        for slot in range(len(there) - 1, -1, -1):  # the farthest first: the nearer are painted over it
            instance[found.at.is_on[there[slot]]] = slot + 1
            depth[found.at.is_on[there[slot]]] = found.things.z[there[slot]]
        np.testing.assert_array_equal(whole.instance, instance)
        np.testing.assert_array_equal(whole.depth[instance > 0], depth[instance > 0])
        kinds = np.append(0, 1 + found.things.kind[there])
        np.testing.assert_array_equal(whole.segment, kinds[instance])
        np.testing.assert_array_equal(whole.label[: len(there)], kinds[1:] - 1)
        np.testing.assert_array_equal(whole.present, np.arange(SLOTS) < len(there))
        for slot, thing in enumerate(there):
            rows, columns = np.nonzero(instance == slot + 1)
            box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            np.testing.assert_allclose(whole.box[slot], np.array(box) / SIZE, atol=1e-6)
            share = (instance == slot + 1).sum() / found.at.is_on[thing].sum()
            np.testing.assert_allclose(whole.seen[slot], share, rtol=1e-5)
        assert not whole.box[len(there) :].any() and not whole.seen[len(there) :].any()


def test_what_is_placed_stays_to_be_seen(made):
    for found, whole, there in each(made):
        assert 3 <= len(there) <= SLOTS and (found.things.kind[there] == PERSON).sum() == 1
        is_person = whole.label == PERSON
        assert (whole.seen[(whole.present > 0) & ~is_person] >= 0.6).all()  # 1 - 0.8 of the occlusion of STANDARD
        assert whole.seen[(whole.present > 0) & is_person] >= 0.59


def test_depth_of_the_room_is_that_of_a_ray(made):
    for found, whole, _ in each(made):
        centre = (np.arange(SIZE) + 0.5) / SIZE
        below = np.maximum(centre - found.around.horizon, 1e-9)
        ray = np.minimum(layout.FOCAL * found.around.eye / below, found.around.wall)
        is_room = whole.instance == 0
        np.testing.assert_allclose(
            whole.depth[is_room], np.broadcast_to(ray[:, None], (SIZE, SIZE))[is_room], rtol=2e-4
        )


def test_joints_are_where_their_bones_lead(made):
    for found, whole, there in each(made):
        (row,) = (i for i in there if found.things.kind[i] == PERSON)
        thing = jax.tree.map(lambda leaf, row=row: leaf[row], found.things)
        place = bones(thing.limbs, 1 + 0.12 * thing.form[0])
        scale = layout.FOCAL * thing.size / thing.z * SIZE
        v = place[:, 1]
        u = (place[:, 0] - thing.bend * (v * v - 0.5)) * np.cos(thing.yaw) * np.exp(thing.stretch)
        cos, sin = np.cos(thing.turn), np.sin(thing.turn)
        middle = found.around.horizon + layout.FOCAL * (found.around.eye - thing.size) / thing.z
        x = SIZE / 2 + layout.FOCAL * thing.x / thing.z * SIZE + scale * (cos * u - sin * v)
        y = middle * SIZE - scale * (cos * v + sin * u)
        np.testing.assert_allclose(whole.joints, np.stack([x, y], 1), atol=2e-3)
        slot = 1 + there.index(row)
        for (column, line), visible in zip(np.floor(whole.joints).astype(int), whole.visible, strict=True):
            is_inside = 0 <= column < SIZE and 0 <= line < SIZE
            assert visible == (is_inside and whole.instance[line, column] == slot)


def bones(limbs, broad):
    """Joints of a figure, one after the other."""
    place = np.zeros((14, 2))
    place[12], place[13] = (0, 0.56), (0, 0.98)
    for side, angles, (ankle, knee, hip, wrist, elbow, shoulder) in (
        (-1, limbs[:4], (0, 1, 2, 6, 7, 8)),
        (1, limbs[4:], (5, 4, 3, 11, 10, 9)),
    ):
        place[hip], place[shoulder] = (side * 0.15 * broad, -0.06), (side * 0.25 * broad, 0.5)
        for end, start, length, angle in (
            (knee, hip, 0.45, angles[2]),
            (ankle, knee, 0.45, angles[2] + angles[3]),
            (elbow, shoulder, 0.36, angles[0]),
            (wrist, elbow, 0.33, angles[0] + angles[1]),
        ):
            place[end] = place[start] + length * np.array([side * np.sin(angle), -np.cos(angle)])
    return place


def test_places_and_points_of_the_picture_are_inverse(made):
    thing, around = (jax.tree.map(lambda leaf: leaf[0], part) for part in (made[0].things, made[0].around))
    x, y = render.centres(SIZE)
    for row in range(3):
        one = jax.tree.map(lambda leaf, row=row: leaf[row], thing)
        u, v = render.on_thing(one, around, x, y)
        is_near = np.abs(v) < 1.5
        back = render.in_picture(one, around, u, v)
        np.testing.assert_allclose(np.asarray(back)[is_near], np.stack([x, y], -1)[is_near], atol=1e-5)


def test_captions_say_what_is_there(made):
    noun = "|".join([*(name for name in scenes.CLASSES if name != "digit"), *caption.NUMBERS])
    thing = rf"an? ({'|'.join(layout.COLOURS)}) ({noun})"
    relation = "left of|right of|above|below|in front of"
    digits = drawn.digits()
    for _, whole, there in each(made):
        words = caption.caption(whole.label, whole.present, whole.box, whole.colour, digits[whole.digit])
        assert re.fullmatch(rf"{thing}( ({relation}) {thing})?(; {thing}( ({relation}) {thing})?)?", words), words
        told = re.findall(thing, words)
        assert len(told) == min(len(there), caption.MOST)
        for slot, (colour, name) in enumerate(told):
            assert colour == list(layout.COLOURS)[whole.colour[slot]]
            kind = scenes.CLASSES[whole.label[slot]]
            assert name == (caption.NUMBERS[digits[whole.digit[slot]]] if kind == "digit" else kind)


def test_relations_are_seen_from_us():
    def told(a, b):
        boxes = np.array([a, b], np.float32)
        return caption.caption(np.array([0, 6]), np.ones(2), boxes, np.array([0, 5]), np.zeros(2, int))

    assert told([0.4, 0.1, 0.6, 0.3], [0.4, 0.7, 0.6, 0.9]) == "a red disc left of a blue cat"
    assert told([0.0, 0.4, 0.2, 0.6], [0.7, 0.3, 0.9, 0.5]) == "a red disc above a blue cat"
    assert told([0.4, 0.4, 0.6, 0.6], [0.35, 0.4, 0.6, 0.65]) == "a red disc in front of a blue cat"


def test_the_samples_are_frozen():
    train, test = (data.load("scenes/sample", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (64, 32) and train.class_names == list(scenes.CLASSES)
    counts = test.arrays["present"].sum(1).astype(int)
    assert counts[:12].tolist() == FROZEN["counts"]
    assert test.arrays["label"][:3].tolist() == FROZEN["labels"]
    np.testing.assert_allclose(test.arrays["joints"][:3, 13], FROZEN["heads"], atol=0.05)
    areas = [np.bincount(segment.ravel(), minlength=9).tolist() for segment in test.arrays["segment"][:2]]
    np.testing.assert_allclose(areas, FROZEN["areas"], atol=8)  # a pixel at an edge may fall to either side
    hidden = train.arrays["seen"][train.arrays["present"] > 0] < 0.99
    assert hidden.mean() > 0.3


@pytest.mark.full
def test_the_standard_split_is_as_it_is_said_to_be():
    test = data.load("scenes/standard", "test").arrays
    counts = test["present"].sum(1)
    assert len(counts) == 1000 and counts.min() >= 3 and counts.max() <= 8
    assert (test["seen"][test["present"] > 0] < 0.95).mean() > 0.3
    depth = test["depth"]
    assert min((np.abs(depth - guess) / depth).mean() for guess in np.linspace(1.5, 7, 56)) > 0.25
    train = data.load("scenes/standard", "train").arrays
    assert (np.abs(np.median(train["depth"], 0) - depth) / depth).mean() > 0.25
    joints, torso = test["joints"], np.linalg.norm(test["joints"][:, 9] - test["joints"][:, 2], axis=-1)
    far = np.linalg.norm(joints - train["joints"].mean(0), axis=-1) > 0.2 * torso[:, None]
    assert 1 - far[test["visible"]].mean() < 0.3


def test_digits_of_a_test_split_are_by_other_writers():
    bank = drawn.writers("test")
    luck = jax.random.split(jax.random.key(0), 400)
    kind = jnp.full(1, scenes.CLASSES.index("digit"))
    drawn_digits = jax.vmap(lambda key: layout.things(key, kind, scenes.STANDARD, bank).digit)(luck)
    assert drawn_digits.min() >= 1437 and drawn_digits.max() <= 1796 and len(np.unique(drawn_digits)) > 200
    bank = drawn.writers("train")
    drawn_digits = jax.vmap(lambda key: layout.things(key, kind, scenes.STANDARD, bank).digit)(luck)
    assert drawn_digits.max() <= 1436


def test_frames_differ_where_the_thing_has_moved():
    clips = data.load("scenes/clips_sample", "train").arrays
    clip, label, ways = clips["clip"].astype(int), clips["label"], clips["ways"]
    assert clip.shape == (64, 8, 32, 32, 3) and set(label) == {0, 1, 2, 3}
    assert not ways[:, 0].any() and set(ways[ways > 0] - 1) <= set(label)
    assert all(set(row) == {0, 1 + one} for row, one in zip(ways, label, strict=True))
    change = np.abs(np.diff(clip, axis=1)).mean((2, 3, 4))
    has_moved = ways[:, 1:] > 0
    assert (change[has_moved] > change[~has_moved].max()).mean() > 0.9  # noise alone is less than motion


def test_the_middle_frame_is_the_same_whichever_way():
    def every_way(key, bank):
        ways = jnp.arange(4)
        return jax.vmap(lambda way: drawn.clip(key, bank, size=16, length=5, noise=0.0, way=way)[0])(ways)

    frames = scenes.rendered(every_way, 7, 6).astype(int)  # [6, 4, 5, 16, 16, 3]
    assert not (frames[:, :, 2] - frames[:, :1, 2]).any()
    ends = np.abs(frames[:, :, -1] - frames[:, :, 0]).max((2, 3, 4))
    assert (ends > 30).all()


def test_each_variation_is_one_argument():
    still = scenes.Variation(*[0.0] * 7)
    three = [still, still._replace(occlusion=1.0), still._replace(illumination=1.0)]
    strengths = jax.tree.map(lambda *leaves: jnp.stack(leaves), *three)

    def each_strength(key, bank):
        return jax.vmap(lambda strength: drawn.single(key, bank, variation=strength, noise=0.0))(strengths)

    found = scenes.rendered(each_strength, 5, 32)
    plain, hidden, lit = (jax.tree.map(lambda leaf, i=i: leaf[:, i], found) for i in range(3))
    np.testing.assert_array_equal(plain.seen, 1.0)
    assert hidden.seen.min() >= 0.2 - 1e-6 and (hidden.seen < 0.9).mean() > 0.2
    np.testing.assert_array_equal(plain.label, hidden.label)
    np.testing.assert_array_equal(plain.segment, lit.segment)
    assert np.abs(plain.image.astype(int) - lit.image).mean() > 5


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scenes/standrad", "did you mean scenes/standard"),
        ("scenes", "no data set scenes"),
        ("scenes/standard:2.0.0", "scenes/standard is bundled, as scenes/standard:1.0.0 alone"),
    ],
)
def test_a_name_that_is_none_is_told(name, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        data.load(name, "train")


def test_no_scenes_are_refused():
    with pytest.raises(BadInput, match="at least one is wanted"):
        scenes.rendered(drawn.scene, 0, 0)


def test_angles_of_limbs_are_in_their_ranges():
    assert (figure.LEAST < figure.MOST).all() and len(figure.JOINTS) == 14
