"""Splits: the examples of one part of a data set, as named columns with random access."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.selection import Numbered, Selected

AT_ONCE = 256  # examples of which one column is read, where the others are read beside it


class Column(NamedTuple):
    """What a column of some name holds, wherever it comes from."""

    types: tuple[type, ...]  # NumPy's
    rank: int = 0  # axes, with that of the examples; 0: any number
    wanted: str = "numbers"  # in words
    other: str = ""  # the name that tables have for it


COLUMNS = {
    "x": Column((np.number, np.bool_), other="features"),
    "y": Column((np.number, np.bool_), other="target"),
    "label": Column((np.integer,), wanted="integers"),
    "token": Column((np.integer,), 2, "integers [N, T]"),
    "image": Column((np.uint8,), 4, "uint8 [N, H, W, C]"),
    "clip": Column((np.uint8,), 5, "uint8 [N, T, H, W, C]"),
    "joints": Column((np.number,), 3, "numbers [N, J, 2]"),
    "visible": Column((np.number, np.bool_), 2, "booleans [N, J]"),
    "mask": Column((np.number, np.bool_)),
    "segment": Column((np.integer, np.bool_), wanted="integers [N, H, W]", other="mask"),
    "depth": Column((np.floating,), wanted="numbers [N, H, W]"),
}


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
        """The same examples with the named columns only, each known to hold what the glossary says of it.

        Args:
          names: of columns; "x" and "y" are also found as "features" and "target".

        Raises:
          BadInput: if one is missing, or holds something else.
        """
        sources = {name: self._found(name) for name in names}
        of = f" {self.info.name}" if self.info else ""
        if missing := [name for name, source in sources.items() if source not in self.names]:
            raise BadInput(
                f"data set{of} has no {' and no '.join(missing)}, but {', '.join(map(self._told, self.names))}; "
                f"this experiment wants {', '.join(map(_wanted, names))}; {self._how(names, missing)}"
            )
        split = self._with(sources)
        for name in filter(COLUMNS.get, names):
            sizes = getattr(self.feature(sources[name]), "shape", None) or ()
            is_ragged = COLUMNS[name].rank > 2 and None in sizes
            if found := "of several sizes" if is_ragged else _unlike(COLUMNS[name], split._sample(name)):
                raise BadInput(f"data set{of}: {sources[name]} must be {COLUMNS[name].wanted}, not {found}")
        return split

    def _told(self, name: str) -> str:
        """A column in words: "x uint8 [N, 28, 28]"."""
        sample = self._sample(name)
        if sample.dtype == object:
            kind = sample[0] if len(sample) else None
            return f"{name} of {'words' if isinstance(kind, str | bytes) else 'several sizes'}"
        return f"{name} {sample.dtype} [{', '.join(['N', *map(str, sample.shape[1:])])}]"

    def _how(self, names: Sequence[str], missing: Sequence[str]) -> str:
        """How to say which columns are meant, by what they hold."""
        free = [name for name in self.names if name not in {*names, *map(self._found, names)}]
        meant = {}
        for name in missing:
            is_known = name in COLUMNS and name != "mask"
            fits = [other for other in free if is_known and self._may_be(name, other)]
            meant[name] = fits[0] if fits else ""
            free = [other for other in free if other != meant[name]]
        if not any(meant.values()):
            return f"--columns {missing[0]}=NAME names a column that is one"
        given = ",".join(f"{name}={other}" for name, other in meant.items() if other)
        return f"--columns {given} says that these are meant"

    def _may_be(self, name: str, other: str) -> bool:
        """Whether a column could be what the glossary calls by the name: classes are no numbers."""
        is_class = hasattr(self.feature(other), "num_classes")
        return (name == "label" or not is_class) and _may_be(COLUMNS[name], self._sample(other))

    def column(self, name: str) -> np.ndarray:
        """All of one column `[N, ...]`."""
        return self.arrays[name]

    def subset(self, rows: np.ndarray) -> "Split":
        """The examples of the rows `[M]`, in their order."""
        return Split(self.take(rows), self.info)

    def _found(self, name: str) -> str:
        """The name of a column here."""
        other = COLUMNS[name].other if name in COLUMNS else ""
        return other if name not in self.names and other in self.names else name

    def _sample(self, name: str) -> np.ndarray:
        """Examples by which a column is known."""
        return self.arrays[name]

    def _with(self, sources: Mapping[str, str]) -> "Split":
        return Split({name: _held(self.arrays[source], source) for name, source in sources.items()}, self.info)

    def numbered(self) -> "Split":
        """The same examples with a column "index" more, int32: 0 ... N - 1, by which a state can remember them."""
        return Split({**self.arrays, "index": np.arange(len(self), dtype=np.int32)}, self.info)

    @property
    def num_classes(self) -> int:
        """Number K of classes of the column "label"."""
        feature = self.feature("label")
        return getattr(feature, "num_classes", None) or int(self.require("label").column("label").max()) + 1

    @property
    def class_names(self) -> list[str]:
        """What the data set calls its K classes; their numbers, where it has no names for them."""
        return list(getattr(self.feature("label"), "names", None) or map(str, range(self.num_classes)))

    def some_classes(self, most: int) -> list[int]:
        """At most so many of the classes that have examples here, evenly through all of them."""
        present = np.unique(self.require("label").column("label"))
        return present[np.linspace(0, len(present) - 1, min(most, len(present))).round().astype(int)].tolist()

    def feature(self, name: str) -> Any:
        """What TFDS knows of a column; None where it knows nothing."""
        features = getattr(self.info, "features", None) or {}
        return features[name] if name in features else None

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one entry of the column "image", or where there is none of "clip"."""
        name = "clip" if "clip" in self.names and "image" not in self.names else "image"
        return self.require(name).take(np.zeros(1, int))[name].shape[1:]


class StoredSplit(Split):
    """Examples `[N]` too large for memory: they are read and decoded as they are taken.

    Args:
      source: random access to examples, `source.__getitems__([row, ...]) -> [{name: value}, ...]`, as TFDS's.
      info: the `tfds.core.DatasetInfo`, where there is one.
      names: the columns' own, and those that they are known by; all and the same by default.
    """

    def __init__(self, source: Any, info: Any = None, names: Mapping[str, str] | None = None):
        self.source, self.info = source, info
        self._sources = dict(names or {name: name for name in source.__getitems__([0])[0]})
        self.names, self._is_wanted = tuple(self._sources), names is not None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All examples, read into memory now."""
        return self.take(np.arange(len(self)))

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns `[B, ...]` of the rows `[B]`, read now."""
        columns = stacked(self.source.__getitems__([int(row) for row in rows]), tuple(self._sources.values()))
        taken = {name: columns[source] for name, source in self._sources.items()}
        if not self._is_wanted:
            return taken
        return {name: _held(column, self._sources[name], rows) for name, column in taken.items()}

    def column(self, name: str) -> np.ndarray:
        """As in `Split`, read now: not the others beside it, and of examples a few at a time."""
        whole = getattr(self.source, "column", lambda name: None)(self._sources[name])
        if whole is not None:
            return whole
        only = self._with({name: name})
        parts = [only.take(rows)[name] for rows in np.array_split(np.arange(len(self)), -(-len(self) // AT_ONCE))]
        return np.concatenate(parts)

    def subset(self, rows: np.ndarray) -> "StoredSplit":
        """As in `Split`."""
        return StoredSplit(Selected([self.source], np.asarray(rows)), self.info, self._sources)

    def numbered(self) -> "StoredSplit":
        """As in `Split`."""
        return StoredSplit(Numbered(self.source), self.info, {**self._sources, "index": "index"})

    def _sample(self, name: str) -> np.ndarray:
        return self.take(np.arange(min(2, len(self))))[name]

    def _with(self, sources: Mapping[str, str]) -> "StoredSplit":
        return StoredSplit(self.source, self.info, {name: self._sources[source] for name, source in sources.items()})


def stacked(examples: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Columns of examples, of the types that JAX holds: integers as int32 and floats as float32, where they fit.

    Args:
      examples: N >= 1 of them.
      names: of the columns; all by default.

    Returns:
      `[N, ...]` where the shapes agree; else, and for text (bytes) and nested features, `[N]` of objects.
    """
    return {name: _column([example[name] for example in examples]) for name in names or examples[0]}


def _wanted(name: str) -> str:
    """A column that is wanted, and what it must hold."""
    return f"{name} ({COLUMNS[name].wanted})" if name in COLUMNS else name


def _may_be(column: Column, array: np.ndarray) -> bool:
    """Whether an array could be such a column; pictures and clips also without an axis for their grey."""
    if column.rank >= 4:
        is_grey = array.ndim == column.rank - 1 and (column.rank == 4 or array.shape[-1] > 4)  # no axis of colours
        return array.dtype == np.uint8 and (is_grey or array.ndim == column.rank)
    if array.dtype == object:
        return column is COLUMNS["label"] and len(array) > 0 and isinstance(array[0], str)
    return not _unlike(column, array) and (column.rank > 0 or array.ndim <= 2)


def _unlike(column: Column, array: np.ndarray) -> str:
    """What in a column is not as the glossary says; empty where nothing is. Columns of objects are ragged."""
    is_ragged = array.dtype == object
    values = array if not is_ragged else array[0] if len(array) else np.zeros(())
    if not isinstance(values, np.ndarray):
        return type(values).__name__
    shape = [len(array), *(["?"] * values.ndim if is_ragged else values.shape[1:])]
    if not any(np.issubdtype(values.dtype, kind) for kind in column.types) or column.rank not in (0, len(shape)):
        return f"{values.dtype} [{', '.join(map(str, shape))}]"
    return "of several sizes" if is_ragged and column.rank > 2 else ""


def _column(values: list[Any]) -> np.ndarray:
    if isinstance(values[0], list) and values[0] and isinstance(values[0][0], np.generic):  # a sequence of numbers
        values = [np.array(value) for value in values]
    is_numeric = isinstance(values[0], np.ndarray | np.generic | int | float)
    if is_numeric and len({np.shape(value) for value in values}) == 1:
        array = np.stack(values) if np.ndim(values[0]) else np.array(values)
        if array.dtype == np.int64 and array.size and -(2**31) <= array.min() and array.max() < 2**31:
            return array.astype(np.int32)
        if array.dtype == np.float64 and (np.abs(array) <= np.finfo(np.float32).max)[np.isfinite(array)].all():
            return array.astype(np.float32)
        return array
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _held(array: np.ndarray, name: str, rows: np.ndarray | None = None) -> np.ndarray:
    """A column in the types that JAX holds; all rows of it, or those.

    Raises:
      BadInput: if it has values that these have not.
    """
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < 8:
        return array
    kind = np.float32 if array.dtype.kind == "f" else np.int32
    with np.errstate(over="ignore"):
        found = array.astype(kind)
    lost = np.isfinite(array) & ~np.isfinite(found) if kind is np.float32 else found != array
    if lost.any():
        at = np.flatnonzero(lost.reshape(len(array), -1).any(1))[0]
        at = at if rows is None else rows[at]
        raise BadInput(f"{name} has values beyond {np.dtype(kind)}, the first in row {at}; scale them")
    return found


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written; the array itself stays as it was."""
    view = np.asarray(array).view()
    view.setflags(write=False)
    return view
