"""Pictures with boxes: lists of objects become slots, views move boxes with pictures, and what is no box is told."""

import jax
import numpy as np
import pytest

from adl import data
from adl.core import BadInput, sources
from adl.data.boxed_views import BoxedPictures, random_flips, random_zooms
from adl.data.boxes import boxed, slotted

BOX = [0.1, 0.2, 0.5, 0.6]


def of_lists(*lists) -> data.Split:
    """Pictures of 8x8 with `[(box, label), ...]` each, as TFDS's objects are."""
    objects = np.empty(len(lists), object)
    objects[:] = [{"bbox": [box for box, _ in of], "label": [label for _, label in of]} for of in lists]
    return data.Split({"image": np.zeros((len(lists), 8, 8, 3), np.uint8), "objects": objects})


def saved(path, **columns) -> str:
    np.savez(path, **columns)
    return str(path)


def columns(num=6, **other):
    """Own arrays: two slots, of which the second is empty."""
    box = np.tile(np.float32([[BOX, [0] * 4]]), (num, 1, 1))
    label, present = np.tile([[1, 0]], (num, 1)), np.tile(np.float32([[1, 0]]), (num, 1))
    return {"image": np.zeros((num, 8, 8, 3), np.uint8), "box": box, "label": label, "present": present, **other}


def test_lists_become_slots():
    found = slotted(of_lists([(BOX, 1), ([0, 0, 1, 1], 0)], [], [(BOX, 2)]), "here").arrays
    np.testing.assert_array_equal(found["present"], [[1, 1], [0, 0], [1, 0]])
    np.testing.assert_array_equal(found["label"], [[1, 0], [0, 0], [2, 0]])
    np.testing.assert_allclose(found["box"][0], [BOX, [0, 0, 1, 1]])
    assert not found["box"][1].any() and found["box"].dtype == np.float32


def test_a_box_without_area_is_left_out_and_told():
    with sources.noting() as read:
        found = slotted(of_lists([([0.2, 0.3, 0.2, 0.3], 0), (BOX, 1)]), "set x").arrays
    np.testing.assert_array_equal(found["label"], [[1]])
    assert read[0].remarks == ("set x: a box of no area is left out: object 0 of example 0",)


@pytest.mark.parametrize(
    "box, told",
    [
        ([10, 20, 50, 60], "must be in .*divide pixels"),
        ([-0.2, 0, 0.5, 0.5], "not within its picture"),
        ([0, 0, np.nan, 1], "not within"),
        ([0.5, 0.5, 1.2, 1.0], "not within"),
    ],
)
def test_boxes_outside_of_their_picture_are_refused(box, told):
    with pytest.raises(BadInput, match=f"set x: example 1, object 1.*{told}") as error:
        slotted(of_lists([(BOX, 0)], [(BOX, 0), (box, 1)]), "set x")
    assert "\n" not in str(error.value)


def test_rounding_is_cut_and_order_is_kept():
    found = slotted(of_lists([([-1e-7, 0, 1 + 1e-7, 1], 0)]), "here").arrays["box"]
    np.testing.assert_array_equal(found, [[[0, 0, 1, 1]]])


def test_own_arrays_are_read_by_their_path(tmp_path):
    train, test = boxed(saved(tmp_path / "a.npz", **columns(20)), num_slots=3)
    assert train.arrays["box"].shape[1:] == (3, 4) and len(train) + len(test) == 20
    assert train.class_names == ["0", "1"] and train.arrays["present"].sum() == len(train)
    np.testing.assert_array_equal(train.arrays["seen"], train.arrays["present"])


def test_what_cannot_be_learned_from_is_one_line(tmp_path):
    label = columns(40)["label"]
    rare = label.copy()
    rare[-1] = 5
    full = np.ones((40, 2), np.float32)
    for name, change, how, told in (
        ("many", {"present": full, "box": np.tile(np.float32(BOX), (40, 2, 1))}, {"num_slots": 1}, "--num_slots 1.*2"),
        ("none", {"present": 0 * full}, {}, "no objects in any of its"),
        ("rare", {"label": rare}, {"of": ("train[:4]", "train[4:]+test")}, "objects of 5, of which there are none in"),
        ("shape", {"box": np.zeros((40, 3, 4), np.float32)}, {}, "they must be box"),
        ("half", {"present": 0.5 * full}, {}, "present must be 1 of an object"),
        ("class", {"label": -1 + 0 * label}, {}, "of class -1"),
        ("float", {"label": label + 0.5}, {}, "label must be integers"),
        ("words", {"box": np.full((40, 2, 4), "a")}, {}, "box is <U1"),
        ("lacks", {"boxes": full}, {}, "has no"),
    ):
        given = columns(40, **change)
        if name == "lacks":
            del given["box"]
        with pytest.raises(BadInput, match=told) as error:
            boxed(saved(tmp_path / f"{name}.npz", **given), **{"of": ("train", "train"), **how})
        assert "\n" not in str(error.value), name
    with pytest.raises(BadInput, match="--picture_fit crop"):
        boxed(saved(tmp_path / "crop.npz", **columns(40)), picture_size="4x4", picture_fit="crop")


def drawn(box, size=32):
    """A picture that is 1 within a box and 0 without."""
    at = np.round(np.asarray(box) * size).astype(int)
    image = np.zeros((size, size, 1), np.float32)
    image[at[0] : at[2], at[1] : at[3]] = 1
    return image


def test_views_move_boxes_with_pictures():
    box = np.float32([[0.25, 0.125, 0.5, 0.75]])
    pictures = BoxedPictures(np.stack([drawn(box[0])] * 40), np.stack([box] * 40), np.ones((40, 1), np.float32))
    for view in (
        lambda key, of: random_flips(key, of, across=0.5, down=0.5),
        lambda key, of: random_zooms(key, of, scale=0.4, shift=0.2),
    ):
        seen = jax.jit(view)(jax.random.key(0), pictures)
        ends = []
        for image, box in zip(np.asarray(seen.image)[..., 0], np.asarray(seen.box)[:, 0], strict=True):
            rows, across = np.flatnonzero(image.max(1) > 0.5), np.flatnonzero(image.max(0) > 0.5)
            near = [rows[0] / 32, across[0] / 32, (rows[-1] + 1) / 32, (across[-1] + 1) / 32]
            np.testing.assert_allclose(box, near, atol=1.1 / 32)
            ends.append(tuple(box[:2]))
        assert len(set(ends)) > 2


def test_what_leaves_the_picture_is_no_object():
    box = np.float32([[[0, 0, 0.1, 0.1], [0.4, 0.4, 0.6, 0.6]]])
    pictures = BoxedPictures(np.zeros((1, 16, 16, 1), np.float32), box, np.ones((1, 2), np.float32))
    seen = [random_zooms(jax.random.key(i), pictures, scale=1.0, shift=0.0) for i in range(20)]
    present = np.array([np.asarray(of.present)[0] for of in seen])
    assert present[:, 1].all() and 0 < present[:, 0].mean() < 1
    assert all(not np.asarray(of.box)[0, 0].any() for of in seen if not of.present[0, 0])
