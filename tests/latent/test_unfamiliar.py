"""Rows are the middles of levels, strangers are there by kind, and of another shape they are refused."""

import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.latent.unfamiliar import unfamiliar

RNG = np.random.default_rng(0)


SIZE = {"num_train": 20, "num_test": 9, "num_factors": 2}


def split(num: int, size: int = 3, classes: int = 3) -> data.Split:
    image = (RNG.integers(0, 3, size=(num, size, size, 1)) * 127.5).round().astype(np.uint8)
    return data.Split({"image": image, "label": np.arange(num) % classes})


def test_strangers_are_rows_of_the_test_pictures_and_others_of_256_levels():
    train, test, other = split(20, classes=4), split(9), split(5)
    found = unfamiliar(train, test, other, **SIZE)
    np.testing.assert_allclose(np.unique(found.x), [1 / 6, 1 / 2, 5 / 6], atol=1e-6)
    np.testing.assert_allclose(found.others["inverted"], 1 - found.new, atol=1e-6)
    np.testing.assert_allclose(found.others["others"], (other.arrays["image"].reshape(5, -1) + 0.5) / 256, atol=1e-6)
    np.testing.assert_array_equal(found.classes, [0, 1, 2])
    assert [*found.others] == ["turned", "inverted", "scrambled", "blended", "others"] and found.shape == (3, 3, 1)


def test_strangers_of_another_shape_are_refused():
    with pytest.raises(BadInput, match=r"--others: its pictures are \[4, 4, 1\].*--picture_size"):
        unfamiliar(split(20), split(9), split(5, 4), **SIZE)


def test_more_factors_than_numbers_are_refused_and_no_more_is_taken_than_asked_for():
    with pytest.raises(BadInput, match="--num_factors 9: pictures of 9 numbers"):
        unfamiliar(split(20), split(9), None, **SIZE | {"num_factors": 9})
    found = unfamiliar(split(20), split(9), split(9), num_train=12, num_test=4, num_factors=1)
    assert (len(found.x), len(found.label), len(found.new), len(found.new_label)) == (12, 12, 4, 4)
    assert {len(rows) for rows in found.others.values()} == {4}


@pytest.mark.parametrize("learned, tested, said", [(1, 3, "20 pictures to learn from"), (3, 1, "9 pictures to test")])
def test_pictures_of_one_class_are_refused(learned, tested, said):
    with pytest.raises(BadInput, match=f"the {said} are of one class"):
        unfamiliar(split(20, classes=learned), split(9, classes=tested), None, **SIZE)


def test_classes_of_which_none_can_be_found_are_refused():
    other = split(9)
    other = data.Split({**other.arrays, "label": other.arrays["label"] + 3})
    with pytest.raises(BadInput, match="none can be left out and found"):
        unfamiliar(split(20), other, None, **SIZE)
