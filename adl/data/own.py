"""Data of one's own by import: arrays that are in memory, and files by their path."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data import files, source
from adl.data.files.found import Asked
from adl.data.split import Split


def arrays(columns: Mapping[str, Any]) -> Split:
    """A split of arrays, as all of `data` takes it: `arrays({"image": image, "label": label})`.

    Args:
      columns: `{name: [N, ...]}`, what NumPy takes as arrays; the names' meaning is the glossary of `adl.data`.

    Raises:
      BadInput: if there are none, one has no rows or rows of several lengths, or they are of several lengths.
    """
    if not isinstance(columns, Mapping) or not columns:
        told = type(columns).__name__ if columns is not None and not isinstance(columns, Mapping) else "none"
        raise BadInput(f"arrays: they must be named, as {{'x': [N, D]}}, and here is {told}")
    found = {}
    for name, column in columns.items():
        try:
            found[name] = np.asarray(column)
        except ValueError:
            told = "its rows are of several lengths; pad them, or give an array of objects"
            raise BadInput(f"arrays: {name} is no array: {told}") from None
    for name, array in found.items():
        if not array.ndim or not len(array):
            raise BadInput(f"arrays: {name} is {list(array.shape)}; it must have a row for each example, [N, ...]")
    if len({len(array) for array in found.values()}) > 1:
        told = ", ".join(f"{name} {len(array)}" for name, array in found.items())
        raise BadInput(f"arrays are of several lengths ({told}); one row of each is one example")
    return Split(found)


def as_split(examples: Split | Mapping[str, Any]) -> Split:
    """A split; a plain dict of columns as one."""
    return examples if isinstance(examples, Split) else arrays(examples)


def folder(path: str, **how: Any) -> dict[str, Split]:
    """The splits of data of one's own, `{"train": ..., "test": ...}`, by the path of their folder or file.

    A folder of pictures (`CLASS/*.png`, or below `train/` and `test/`) has "image" and "label", one with COCO's
    annotations.json "image" and "objects", of which `data.boxes.boxed` makes slots; .npz and .npy have their arrays;
    .csv, .tsv and .parquet the columns of their first line; texts "text"; a folder of .wav "audio" and "label". Where
    there is no test part, one is drawn by a hash of names, or of rows' places; of one text it is the end. What is
    larger than `source.MEMORY_LIMIT` stays on disk. `data.load(path, "train[:90%]")` has a part.

    Args:
      path: of a folder or a file.
      **how: the fields of `Asked`, as in `load`.

    Raises:
      BadInput: naming the file that cannot be read, or is unlike the others.
    """
    name = str(path) if files.is_path(str(path)) else f"./{path}"
    found = files.found_in(files.listing_of(name), Asked(**how)._replace(columns=""), "", source.MEMORY_LIMIT)
    return {split: source.load(name, split, **how) for split in found.parts}
