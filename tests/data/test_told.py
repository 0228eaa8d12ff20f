"""Scenes that are told in full: what a caption says is where it says, and pairs that are held out are."""

import re

import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.data import scenes
from adl.data.scenes import drawn, layout, told
from adl.data.text import Captions

THING = rf"a ({'|'.join(told.HUES)}) ({'|'.join(told.NOUNS)}) ({'|'.join(told.PLACES)})"


@pytest.fixture(scope="module")
def sample():
    return {name: data.load("scenes/told_sample", name) for name in ("train", "test", "held_out")}


def pairs(split):
    """(colour, noun) of each thing that is there."""
    colour, noun = split.column("colour"), split.column("noun")
    return {*zip((colour[noun > 0] - 1).tolist(), (noun[noun > 0] - 1).tolist(), strict=True)}


def test_captions_say_what_is_where(sample):
    for split in sample.values():
        for text, colour, noun in zip(*map(split.column, ("caption", "colour", "noun")), strict=True):
            found = re.findall(THING, text.decode())
            assert ", ".join(f"a {hue} {kind} {place}" for hue, kind, place in found) == text.decode()
            assert 1 <= len(found) <= told.MOST and len({place for *_, place in found}) == len(found)
            assert len(found) == (noun > 0).sum() == (colour > 0).sum()
            for hue, kind, place in found:
                at = told.PLACES.index(place)
                assert (told.HUES[colour[at] - 1], told.NOUNS[noun[at] - 1]) == (hue, kind)


def test_pairs_that_are_held_out_are_in_their_split_alone(sample):
    held_out = {*told.HELD_OUT}
    assert not held_out & (pairs(sample["train"]) | pairs(sample["test"]))
    columns = [sample["held_out"].column(name) for name in ("colour", "noun")]
    for colour, noun in zip(*columns, strict=True):
        assert held_out & {*zip((colour - 1).tolist(), (noun - 1).tolist(), strict=True)}
    assert len(told.SEEN) + len(held_out) == len(told.HUES) * len(told.NOUNS)


def test_things_are_in_their_quarters_and_of_their_colours(sample):
    """A quarter where something is differs from the room; its colour is, of all, nearest to the one that is told."""
    split = sample["train"]
    quarters = np.asarray(told.quarters(split.column("image") / np.float32(255)))
    middle = quarters[:, :, 6:10, 6:10].mean((2, 3))
    table = np.array([layout.COLOURS[name] for name in told.HUES])
    there = split.column("colour") > 0
    # Hue, not brightness: light and haze move the latter.
    away = middle[there] - middle[there].mean(1, keepdims=True)
    known = table - table.mean(1, keepdims=True)
    cosine = away @ known.T / np.linalg.norm(away, axis=1, keepdims=True) / np.linalg.norm(known, axis=1)
    assert (cosine.argmax(1) == split.column("colour")[there] - 1).mean() > 0.85
    empty = middle[~there] - middle[~there].mean(1, keepdims=True)
    assert np.linalg.norm(away, axis=1).mean() > 2 * np.linalg.norm(empty, axis=1).mean()


def test_quarters_are_those_of_the_picture():
    x = np.arange(2 * 4 * 6).reshape(2, 4, 6, 1)
    parts = told.quarters(x)
    for at, (rows, columns) in enumerate(
        [(slice(0, 2), slice(0, 3)), (slice(0, 2), slice(3, 6)), (slice(2, 4), slice(0, 3)), (slice(2, 4), slice(3, 6))]
    ):
        np.testing.assert_array_equal(parts[:, at], x[:, rows, columns])


def test_a_kind_may_be_asked_for():
    kind = scenes.CLASSES.index("cat")
    found = scenes.rendered(CAT, 3, 4)
    assert (found.label[:, 0] == kind).all() and (found.segment == 1 + kind).any((1, 2)).all()
    assert (data.load("scenes/cats_sample", "train").column("label") == kind).all()


def CAT(key, bank):
    return drawn.single(key, bank, size=16, kind=scenes.CLASSES.index("cat"))


def test_captions_are_read_as_rows_of_one_length():
    captions = Captions.of(["a red disc", "a blue star, a red disc"])
    rows = captions.rows(["a star", "", "a blue star, a red disc"])
    assert rows.shape == (3, 8) and rows.dtype == np.int32
    assert (rows[:, 0] == captions.tokens.start).all()
    np.testing.assert_array_equal((rows == captions.padding).sum(1), [5, 7, 0])
    assert captions.tokens.decode(rows[0, 1:3]) == "a star"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red dics", "no caption that was learned has the word 'dics'; did you mean disc"),
        ("a red disc, a red disc, a red disc", "11 words, where the longest learned has 7"),
    ],
)
def test_captions_that_cannot_be_read_are_refused(text, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        Captions.of(["a red disc", "a blue star, a red disc"]).read(text)


def test_no_captions_are_refused():
    with pytest.raises(BadInput, match="no captions: at least one"):
        Captions.of([])
