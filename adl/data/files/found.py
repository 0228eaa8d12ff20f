"""What is known of a data set of one's own: its parts, its classes, and what a person should be told."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.selection import Selected
from adl.data.split import Split, StoredSplit

TEST_SHARE = 0.2  # of data that no test part comes with
WHOLE = 2**64


class ClassNames(NamedTuple):
    """A column of classes, as TFDS's `ClassLabel` has them."""

    names: tuple[str, ...]  # [K]

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.names)


class About(NamedTuple):
    """What is known of a data set, by the names that TFDS's `DatasetInfo` has for it."""

    name: str
    features: Mapping[str, Any] = {}  # of columns, where there is more to know than their arrays
    splits: Any = ()  # their names, or what is known by them
    metadata: Mapping[str, Any] = {}


class Asked(NamedTuple):
    """How a data set is read."""

    columns: str = ""  # "image=pixels,label=y": what an experiment wants = what the data set calls it
    test_share: float = TEST_SHARE  # of data that no test part comes with
    picture_size: str = ""  # HxW of pictures that are of other sizes
    picture_fit: str = "refuse"  # what brings them there: "resize" or "crop"
    picture_colour: str = "kept"  # "grey" or "rgb", where pictures are of both kinds


class Found(NamedTuple):
    """A data set of one's own, of which nothing but what it is has been read."""

    parts: Mapping[str, Split]  # "train", "test", "validation"
    about: About
    remarks: tuple[str, ...] = ()  # what a person should know of it, a line each
    is_drawn: bool = False  # whether it came without a test part
    is_fitted: bool = False  # whether its pictures are of the size and colour that was asked for


def as_compared(name: str) -> str:
    """A name as it is compared and hashed: file systems spell an accent in one character, or in two."""
    return unicodedata.normalize("NFC", name)


def selected(found: Found, spec: str) -> Split:
    """The examples that a split in TFDS's words has: "train", "train[:80%]", "train+test".

    "validation+test" is all that is held out, also where it is one of them.

    Raises:
      BadInput: if it is none, or has none.
    """
    where, splits, rows = found.about.name, [], []
    asked = spec.split("+")
    if {"validation", "test"} <= {*asked} and len(held := {"validation", "test"} & {*found.parts}) == 1:
        asked = [part for part in asked if part not in {"validation", "test"} - held]
    for part in asked:
        match = re.fullmatch(r"\s*(\w+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?\s*", part)
        if not match:
            raise BadInput(f"{where}: {spec!r} is no split; one is train, train[:80%], train[100:] or train+test")
        if match[1] not in found.parts:
            known = ", ".join(found.parts)
            raise BadInput(
                f"{where} has no split {match[1]}; it has {known}{did_you_mean(match[1], [*found.parts])}; "
                "--train_split and --test_split name those that are read"
            )
        split = found.parts[match[1]]
        first, last = (_place(word, len(split), end) for word, end in ((match[2], 0), (match[3], len(split))))
        rows.append(np.arange(first, max(first, last)) + sum(map(len, splits)))
        splits.append(split)
    chosen = np.concatenate(rows)
    if not len(chosen):
        raise BadInput(f"{where}: {spec} has no examples")
    if len(splits) == 1 and len(chosen) == len(splits[0]):
        return splits[0]
    if all(not isinstance(split, StoredSplit) for split in splits):
        columns = {name: np.concatenate([split.arrays[name] for split in splits]) for name in splits[0].names}
        return Split({name: array[chosen] for name, array in columns.items()}, found.about)
    return StoredSplit(Selected([split.source for split in splits], chosen), found.about)


def _place(word: str | None, length: int, default: int) -> int:
    """An end of a slice, as an index within a length."""
    if word is None:
        return default
    at = round(int(word[:-1]) * length / 100) if word.endswith("%") else int(word)
    return min(max(at + length if at < 0 else at, 0), length)


def counted_classes(values: Sequence[Any], most: int = 6) -> str:
    """Some values in words: "cat, dog", "a, b, c ... z"."""
    shown = [str(value) for value in values]
    return ", ".join(shown) if len(shown) <= most else f"{', '.join(shown[:3])} ... {shown[-1]}"
