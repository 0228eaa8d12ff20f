"""Masks: a class at each pixel, as an integer; how those of a data set are understood, and what is wrong with them.

A mask is `[H, W]` or `[H, W, 1]`, of the size of its picture, of classes 0 ... K - 1, at most 255 of them; `IGNORED`
marks pixels that count nowhere. Where the values are 0 and 255 alone they are two classes, 0 and 1, as black and white
masks are meant.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core.errors import BadInput
from adl.data import source
from adl.data.scenes.shapes import CLASSES
from adl.data.split import Split

IGNORED = 255
NAMES = {  # of the classes, by the first word of a data set's name
    "isbi2012": ("membrane", "inside"),
    "scenes": ("background", *CLASSES),
}


class Segments(NamedTuple):
    """The classes of a data set's masks."""

    names: tuple[str, ...]  # [K]
    is_black_and_white: bool = False  # whether 255 stands for class 1

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.names)

    def encode(self, segment: Any) -> Any:
        """`[B, H, W]` int32 in 0 ... K - 1 or `IGNORED`, of masks `[B, H, W]` or `[B, H, W, 1]`; NumPy's or JAX's.

        Raises:
          BadInput: for masks that are no integers.
        """
        if segment.dtype.kind not in "iub":
            raise BadInput(f"segment is {segment.dtype} {list(segment.shape)}: classes are integers")
        segment = segment[..., 0] if segment.ndim == 4 else segment
        return (segment == 255).astype(np.int32) if self.is_black_and_white else segment.astype(np.int32)


def masked_splits(
    name: str, *, of: Sequence[str] = ("train", "test"), also: Sequence[str] = (), **how: Any
) -> tuple[Split, Split, Segments]:
    """Splits of pictures with masks, to learn from and to test, and the classes of the masks.

    Args:
      name: as in `data.load`.
      of: the two splits, in TFDS's words.
      also: columns that are kept beside "image" and "segment", where all of them are there.
      **how: as in `data.splits`.
    Raises:
      BadInput: as `data.splits` and `segments`.
    """
    found = source.splits(name, "image", "segment", of=of, **how)
    named = segments(found, name, of)
    kept = []
    for split, part in zip(found, of, strict=True):
        whole = source.load(name, part, **how)
        kept.append(whole.require("image", "segment", *also) if {*also} <= {*whole.names} else split)
    return *kept, named


def segments(splits: Sequence[Split], dataset: str, parts: Sequence[str]) -> Segments:
    """The classes of the masks of splits, the first of which is learned from; all their masks are looked at.

    Args:
      splits: with the columns "image" and "segment".
      dataset: its name or path.
      parts: what the splits are called.
    Raises:
      BadInput: if masks are not of their pictures' size, not one class a pixel, below 0, beyond the classes to learn
        from, or of one class alone.
    """
    where = [f"data set {dataset}, split {part}" for part in parts]
    values = [_values(split, told) for split, told in zip(splits, where, strict=True)]
    is_black_and_white = {0, IGNORED} in ({*values[0]}, {*np.concatenate(values)})
    known = values[0] // IGNORED if is_black_and_white else values[0][values[0] != IGNORED]
    if not len(known):
        raise BadInput(f"{where[0]}: all pixels of its masks are {IGNORED}, which counts nowhere: nothing is known")
    if len(known) < 2:
        raise BadInput(f"{where[0]}: all pixels of its masks are of class {known[0]}: nothing can be told apart")
    if known[-1] > IGNORED:
        raise BadInput(
            f"{where[0]}: its masks have class {known[-1]}; they must be in 0 ... 254, or {IGNORED}: ignored"
        )
    names = NAMES.get(re.split("[/:]", dataset)[0], ())
    names = names if len(names) > known[-1] else tuple(map(str, range(known[-1] + 1)))
    there = [0, IGNORED] if is_black_and_white else [*range(len(names)), IGNORED]
    for found, told in zip(values, where, strict=True):
        if (beyond := found[~np.isin(found, there)]).size:
            kinds = "0 and 255" if is_black_and_white else f"0 ... {len(names) - 1}, and {IGNORED}: ignored"
            raise BadInput(f"{told}: its masks have class {beyond[0]}; the split to learn from has {kinds}")
    return Segments(names, is_black_and_white)


def _values(split: Split, where: str) -> np.ndarray:
    """The values that occur in the masks of a split, rising.

    Raises:
      BadInput: if a mask is not one class a pixel, of the size of its picture.
    """
    height, width = split.example_shape[:2]
    column = split.column("segment")
    if column.dtype == object:
        raise BadInput(f"{where}: its masks are of several sizes; each must be of its picture's, [{height}, {width}]")
    shape = list(column.shape[1:])
    if shape not in ([height, width], [height, width, 1]):
        told = f"its masks are {shape} and its pictures {list(split.example_shape)}"
        raise BadInput(f"{where}: {told}; a mask has one class a pixel, [{height}, {width}]")
    values = np.unique(column).astype(int)
    if values[0] < 0:
        raise BadInput(f"{where}: its masks have class {values[0]}; classes are 0 ... 254, and {IGNORED} is ignored")
    return values
