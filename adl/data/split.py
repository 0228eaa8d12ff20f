"""Splits: the examples of one part of a data set, as named columns with random access."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adl.core import BadInput


class Split:
    """Examples `[N]` in memory, read-only.

    Args:
      arrays: columns `{name: [N, ...]}`.
      info: the `tfds.core.DatasetInfo`, where there is one.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], info: Any = None):
        self.arrays = {name: read_only(array) for name, array in arrays.items()}
        self.names, self.info = tuple(self.arrays), info
        lengths = {name: len(array) for name, array in self.arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns of one length wanted, not {lengths}")

    def __len__(self) -> int:
        return len(self.arrays[self.names[0]])

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns `[B, ...]` of the rows `[B]`, the caller's own."""
        return {name: array.take(rows, axis=0) for name, array in self.arrays.items()}

    def first(self, n: int) -> "Split":
        """The first n examples, in memory; all, where there are no more."""
        return Split(self.take(np.arange(min(n, len(self)))), self.info)

    def require(self, *names: str) -> "Split":
        """The same examples with the named columns only.

        Raises:
          BadInput: if one is missing.
        """
        if missing := [name for name in names if name not in self.names]:
            of = f" {self.info.name}" if self.info else ""
            raise BadInput(
                f"data set{of} has no {' and no '.join(missing)}, but {', '.join(self.names)}; "
                f"this experiment wants {', '.join(names)}"
            )
        return self._with(names)

    def _with(self, names: Sequence[str]) -> "Split":
        return Split({name: self.arrays[name] for name in names}, self.info)

    def numbered(self) -> "Split":
        """The same examples with a column "index" more, int32: 0 ... N - 1, by which a state can remember them."""
        return Split({**self.arrays, "index": np.arange(len(self), dtype=np.int32)}, self.info)

    @property
    def num_classes(self) -> int:
        """Number K of classes of the column "label"."""
        feature = self.info.features["label"] if self.info and "label" in self.info.features else None
        return getattr(feature, "num_classes", None) or int(self.require("label").arrays["label"].max()) + 1

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one entry of the column "image"."""
        return self.require("image").take(np.zeros(1, int))["image"].shape[1:]


class StoredSplit(Split):
    """Examples `[N]` too large for memory: they are read and decoded as they are taken.

    Args:
      source: random access to examples, `source.__getitems__([row, ...]) -> [{name: value}, ...]`, as TFDS's.
      info: the `tfds.core.DatasetInfo`, where there is one.
      names: of the columns; all by default.
    """

    def __init__(self, source: Any, info: Any = None, names: Sequence[str] = ()):
        self.source, self.info = source, info
        self.names = tuple(names) or tuple(source.__getitems__([0])[0])

    def __len__(self) -> int:
        return len(self.source)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All examples, read into memory now."""
        return self.take(np.arange(len(self)))

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns `[B, ...]` of the rows `[B]`, read now."""
        return stacked(self.source.__getitems__([int(row) for row in rows]), self.names)

    def numbered(self) -> "StoredSplit":
        """As in `Split`."""
        return StoredSplit(_Numbered(self.source), self.info, (*self.names, "index"))

    def _with(self, names: Sequence[str]) -> "StoredSplit":
        return StoredSplit(self.source, self.info, names)


class _Numbered:
    """A source whose examples carry their row."""

    def __init__(self, source: Any):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [{**example, "index": row} for row, example in zip(rows, self.source.__getitems__(rows), strict=True)]


def stacked(examples: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Columns of examples, of the types that JAX holds: integers as int32 where they fit, floats as float32.

    Args:
      examples: N >= 1 of them.
      names: of the columns; all by default.

    Returns:
      `[N, ...]` where the shapes agree; else, and for text (bytes) and nested features, `[N]` of objects.
    """
    return {name: _column([example[name] for example in examples]) for name in names or examples[0]}


def _column(values: list[Any]) -> np.ndarray:
    is_numeric = isinstance(values[0], np.ndarray | np.generic | int | float)
    if is_numeric and len({np.shape(value) for value in values}) == 1:
        array = np.stack(values) if np.ndim(values[0]) else np.array(values)
        if array.dtype == np.int64 and array.size and -(2**31) <= array.min() and array.max() < 2**31:
            return array.astype(np.int32)
        return array.astype(np.float32) if array.dtype == np.float64 else array
    column = np.empty(len(values), object)
    column[:] = values
    return column


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written; the array itself stays as it was."""
    view = np.asarray(array).view()
    view.setflags(write=False)
    return view
