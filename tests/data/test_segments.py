"""Masks: a class at each pixel, of the picture's size; all else is one line."""

import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.data.segments import IGNORED, masked_splits, segments

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
MASK = RNG.integers(0, 3, (4, 6, 5))
MASK[:, 0, :3] = 0, 1, 2


def split(mask, image=IMAGE) -> data.Split:
    return data.arrays({"image": image, "segment": mask})


def of(train, test=MASK):
    return segments((split(train), split(test)), "mine", ("train", "test"))


def test_classes_are_numbered_by_those_to_learn_from():
    assert of(MASK).names == ("0", "1", "2")
    holed = np.where(RNG.random(MASK.shape) < 0.2, IGNORED, MASK)
    found = of(holed, MASK.astype(np.uint8)[..., None])
    assert found.names == ("0", "1", "2") and not found.is_black_and_white
    np.testing.assert_array_equal(found.encode(MASK[..., None]), MASK)
    assert found.encode(holed).dtype == np.int32 and (found.encode(holed) == IGNORED).any()


@pytest.mark.parametrize("kind", [lambda x: 255 * x.astype(np.uint8), lambda x: 255 * x[..., None], lambda x: x])
def test_black_and_white_is_two_classes(kind):
    mask = kind(MASK > 0)
    found = segments((split(mask), split(mask)), "isbi2012", ("train", "validation"))
    assert found.names == ("membrane", "inside")
    np.testing.assert_array_equal(found.encode(mask), MASK > 0)


@pytest.mark.parametrize(
    "train, test, said",
    [
        (MASK[:, :5], MASK, r"split train: its masks are \[5, 5\] and its pictures \[6, 5, 3\]"),
        (np.stack([MASK] * 3, -1), MASK, r"split train: its masks are \[6, 5, 3\]"),
        (MASK, MASK + 1, "split test: its masks have class 3; the split to learn from has 0 ... 2"),
        (MASK - 1, MASK, "split train: its masks have class -1"),
        (MASK * 300, MASK, "split train: its masks have class 600"),
        (0 * MASK, MASK, "split train: all pixels of its masks are of class 0"),
        (0 * MASK + IGNORED, MASK, "split train: all pixels of its masks are 255"),
        (255 * (MASK > 0), MASK, "split test: its masks have class 1; the split to learn from has 0 and 255"),
    ],
)
def test_masks_that_are_none_are_told_in_one_line(train, test, said):
    with pytest.raises(BadInput, match=said):
        of(train, test)


def test_masks_are_found_by_their_name_and_more_is_kept_where_it_is(tmp_path):
    name, more = str(tmp_path / "own.npz"), np.arange(40)
    np.savez(name, image=np.tile(IMAGE, (10, 1, 1, 1)), mask=np.tile(MASK, (10, 1, 1)), seen=more)
    train, test, found = masked_splits(name, also=("seen",))
    assert set(train.names) == {"image", "segment", "seen"} and found.num_classes == 3
    assert len(train) + len(test) == 40
    assert set(masked_splits(name, also=("seen", "instance"))[0].names) == {"image", "segment"}
    for column, said in (
        (MASK.astype(float), r"segment must be integers \[N, H, W\], not float"),
        (None, "has no segment"),
    ):
        columns = {"image": IMAGE} if column is None else {"image": IMAGE, "segment": column}
        np.savez(name, **{key: np.concatenate([array] * 10) for key, array in columns.items()})
        with pytest.raises(BadInput, match=said):
            masked_splits(name)
