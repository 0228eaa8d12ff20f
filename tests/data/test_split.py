"""Splits: columns of one length, the caller's copies, and the same answers from memory as from disk."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import Split, StoredSplit
from adl.data.split import stacked

RNG = np.random.default_rng(0)
ARRAYS = {
    "image": RNG.integers(0, 256, (13, 4, 3, 1), dtype=np.uint8),
    "label": RNG.integers(0, 5, 13).astype(np.int32),
}


class Source:
    """Examples as TFDS hands them out: one dictionary each, scalars as Python numbers."""

    def __len__(self):
        return 13

    def __getitems__(self, rows):
        return [{"image": ARRAYS["image"][row], "label": int(ARRAYS["label"][row])} for row in rows]


@pytest.mark.parametrize("split", [Split(ARRAYS), StoredSplit(Source())], ids=["memory", "disk"])
def test_memory_and_disk_answer_alike(split):
    rows = np.array([5, 0, 5, 12])
    assert len(split) == 13 and split.num_classes == ARRAYS["label"].max() + 1 and split.example_shape == (4, 3, 1)
    for name, got in split.take(rows).items():
        assert got.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(got, ARRAYS[name][rows])
    for name, got in split.arrays.items():
        np.testing.assert_array_equal(got, ARRAYS[name])
    for n, there in ((3, 3), (20, 13)):
        np.testing.assert_array_equal(split.first(n).arrays["image"], ARRAYS["image"][:there])
    only = split.require("label")
    assert list(only.take(rows)) == ["label"] == list(only.arrays)
    with pytest.raises(
        BadInput,
        match=r"has no mask, but image uint8 \[N, 4, 3, 1\], label int32 \[N\]; .* mask \(",
    ):
        split.require("image", "mask")


class Examples(list):
    """Any, as a source."""

    def __getitems__(self, rows):
        return [self[row] for row in rows]


def both(**columns) -> list[Split]:
    """Columns in memory and on disk."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [Split(stacked(rows)), StoredSplit(Examples(rows))]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("label", [0.5, 1.0], r"label must be integers, not float32 \[2\]$"),
        ("label", [b"cat", b"dog"], "label must be integers, not bytes$"),
        ("image", list(np.zeros((2, 8, 8), np.uint8)), r"image must be uint8 \[N, H, W, C\], not uint8 \[2, 8, 8\]$"),
        ("image", list(np.zeros((2, 8, 8, 1), np.float32)), r"image must be uint8 .*, not float32 \[2, 8, 8, 1\]$"),
        ("image", [np.zeros((h, 8, 1), np.uint8) for h in (8, 9)], r"image must be uint8 .*, not of several sizes$"),
        ("token", [1, 2], r"token must be integers \[N, T\], not int32 \[2\]$"),
        ("token", [np.zeros(3), np.zeros(2)], r"token must be integers \[N, T\], not float64 \[2, \?\]$"),
        ("x", ["a", "b"], "x must be numbers, not str$"),
        ("features", ["a", "b"], "features must be numbers, not str$"),
        ("mask", [b"1", b"0"], "mask must be numbers, not bytes$"),
    ],
)
def test_a_column_that_is_not_what_its_name_says_is_refused(name, values, said):
    for split in both(**{name: values}):
        with pytest.raises(BadInput, match=f"data set: {said}"):
            split.require({"features": "x"}.get(name, name))


def test_columns_that_are_what_their_names_say_pass():
    ragged = [np.zeros(n, np.int32) for n in (2, 3)]
    columns = {"x": [1, 2], "y": [True, False], "label": [3, 4], "token": ragged, "mask": [1.0, 0.0], "any": ["a", "b"]}
    columns["image"] = list(np.zeros((2, 4, 4, 3), np.uint8))
    for split in both(**columns):
        assert split.require(*columns).names == tuple(columns)


def test_tables_that_call_them_otherwise_have_x_and_y_too():
    for split in both(features=list(np.array([[1.0, 2.0], [3.0, 4.0]])), target=[5.0, 6.0], y=[7.0, 8.0]):
        found = split.require("x")
        assert found.names == ("x",)
        np.testing.assert_array_equal(found.take(np.array([1]))["x"], [[3, 4]])
        np.testing.assert_array_equal(split.require("y").arrays["y"], [7, 8])  # its own name comes first
        assert split.require("target").names == ("target",)
    for split in both(target=[5.0, 6.0]):
        with pytest.raises(
            BadInput,
            match=r"has no x, but target float32 \[N\]; .* wants x .*, y .*; --columns x=NAME",
        ):
            split.require("x", "y")
        assert split.require("y").numbered().require("index", "y").names == ("index", "y")


def test_memory_is_read_only_and_batches_are_the_callers():
    mine = np.arange(3)
    split = Split({"x": mine})
    with pytest.raises(ValueError):
        split.arrays["x"][0] = 7
    split.take(np.array([0]))["x"][0] = 7
    mine[1] = 5  # nor does the split take hold of the caller's array
    assert split.arrays["x"][0] == 0


def test_columns_have_one_length():
    with pytest.raises(ValueError, match="one length"):
        Split({"x": np.zeros(3), "y": np.zeros(4)})


def test_columns_have_the_types_that_jax_holds():
    ragged, boxes = np.zeros(2), {"b": [1]}
    one = {"id": 2**40, "label": 3, "y": 0.1, "flag": True, "text": b"a\x00", "ragged": ragged, "boxes": boxes}
    two = {"id": 1, "label": 4, "y": 0.2, "flag": False, "text": b"abc", "ragged": np.zeros(3), "boxes": {"b": []}}
    got = stacked([one, two])
    types = {name: str(column.dtype) for name, column in got.items()}
    assert types == {
        "id": "int64",  # it would not fit
        "label": "int32",
        "y": "float32",
        "flag": "bool",
        "text": "object",
        "ragged": "object",
        "boxes": "object",
    }
    assert got["text"][0] == b"a\x00", "an array of bytes would lose the zero"
    assert [len(x) for x in got["ragged"]] == [2, 3] and got["boxes"][0] == {"b": [1]}


@pytest.mark.parametrize("split", [Split(ARRAYS), StoredSplit(Source())], ids=["memory", "disk"])
def test_numbered_examples_know_their_row(split):
    rows = np.array([5, 0, 5, 12])
    numbered = split.numbered()
    got = numbered.require("image", "index").take(rows)
    np.testing.assert_array_equal(got["index"], rows)
    np.testing.assert_array_equal(got["image"], ARRAYS["image"][rows])
    assert got["index"].dtype == np.int32 and len(numbered) == 13 and numbered.names == ("image", "label", "index")


class Info:
    name = "any"

    def __init__(self, **features):
        self.features = features


class Named:
    num_classes, names = 6, list("abcdef")


class Sized:
    shape = (None, None, 3)


def test_classes_have_their_names_and_some_are_chosen_of_those_that_are_here():
    label = np.array([1, 4, 4, 5, 0])
    assert Split({"label": label}, Info(label=Named())).class_names == list("abcdef")
    split = Split({"label": label})
    assert split.class_names == list("012345") and split.num_classes == 6
    assert split.some_classes(9) == [0, 1, 4, 5] and split.some_classes(3) == [0, 4, 5] and split.some_classes(1) == [0]


@pytest.mark.parametrize("kind", [Split, StoredSplit])
def test_pictures_of_several_sizes_are_known_by_their_feature(kind):
    """Though the first are of one size."""
    split = Split(ARRAYS, Info(image=Sized())) if kind is Split else StoredSplit(Source(), Info(image=Sized()))
    with pytest.raises(BadInput, match=r"image must be uint8 \[N, H, W, C\], not of several sizes"):
        split.require("image")
