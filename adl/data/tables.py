"""Tables: rows of measurements with a target or a label, standardised, and what their columns are.

Any TFDS set of named columns is one. What is to be told is the column `target`; what is given are the measurements of
its column "x" or "features" `[N, D]`, or where it has none all other columns of numbers. A measurement that does not
vary is 0 everywhere, and named so: it says nothing.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.core.types import Array
from adl.data.files import is_path
from adl.data.source import load
from adl.data.split import Split

PROTOCOLS = {  # of the splits below
    "diabetes": "diabetes: the first 352 of 442 patients to learn, the last 90 to test",
    "breast_cancer": "breast_cancer: two of three rows to learn, 189 of 569 to test",
    "wine": "wine: two of three rows to learn, 59 of 178 to test",
    "iris": "iris: two of three rows to learn, 50 of 150 to test",
}
GIVEN = ("x", "features")  # columns of measurements, where others are not asked
STILL = " (does not vary)"


class Given(NamedTuple):
    """Measurements as a table has them, and how they become "x"."""

    columns: list[str]  # [D]
    scaled: Callable[[np.ndarray], np.ndarray]  # [N, D] in the table's unit to float32 [N, D]


class Targets(NamedTuple):
    """Rows with a number each, both standardised by the means and deviations of the rows to learn from."""

    x: np.ndarray  # [N, D] float32
    y: np.ndarray  # [N] float32
    unit: float  # of y, in that of the table
    columns: list[str]  # [D]
    target: str  # what y is
    rows: str  # what the rows are: "patients"
    given: Given
    mean: float  # of what y is, in the unit of the table

    def told(self, y: Array) -> Array:
        """Standardised `y` in the unit of the table."""
        return self.mean + self.unit * y


class Labels(NamedTuple):
    """Rows with a class each, standardised by the means and deviations of the rows to learn from."""

    x: np.ndarray  # [N, D] float32
    label: np.ndarray  # [N] int32
    columns: list[str]  # [D]
    classes: list[str]  # [K]
    given: Given


def targets(
    name: str, *, target: str = "", splits: Sequence[str] = ("train", ""), data_dir: str = "", **how: Any
) -> tuple[Targets, Targets]:
    """Rows to learn from and to test of a table of numbers.

    Args:
      name: TFDS name.
      target: column of numbers that are to be told; empty: "y" or "target".
      splits: of the rows to learn from and to test, in TFDS's words; no second: "test", or where there is none every
        third of the former.
      data_dir: as in `data.load`.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`; and naming columns that are not there, not one number a row, or not finite.
    """
    learned, tested = _rows(name, target, ("y", "target"), splits, data_dir, how)
    for rows in (learned, tested):
        if rows.is_class:
            how = f"; --columns y={rows.target} takes its values as numbers" if is_path(name) else ""
            raise BadInput(f"{rows.where}: {rows.target} is of classes, and numbers are wanted{how}")
        if not _is_number(rows.told):
            raise BadInput(f"{rows.where}: {rows.target} must be numbers, not {_kind(rows.told)}")
        if not np.isfinite(rows.told).all():
            raise BadInput(f"{rows.where}: {rows.target} has values that are missing or infinite")
    if learned.told.min() == learned.told.max():
        raise BadInput(f"{learned.where}: {learned.target} is {learned.told[0]:g} in all rows: nothing can be told")
    of_y = scale(learned.told)
    x, columns, given = _standardised(learned, tested)
    noun = getattr(_bundled(name), "rows", "rows")
    rest = (float(of_y[1]), columns, learned.target, noun, given, float(of_y[0]))
    return tuple(
        Targets(rows, standard(part.told, *of_y), *rest) for rows, part in zip(x, (learned, tested), strict=True)
    )


def labels(
    name: str, *, target: str = "", splits: Sequence[str] = ("train", ""), data_dir: str = "", **how: Any
) -> tuple[Labels, Labels]:
    """Rows to learn from and to test of a table of classes.

    Args:
      name: TFDS name.
      target: column of classes: integers, or words; empty: "label".
      splits: as in `targets`.
      data_dir: as in `data.load`.
      **how: as in `data.load`.
    Raises:
      BadInput: as `targets`; or if the column holds no classes, or all rows to learn from are of one.
    """
    learned, tested = _rows(name, target, ("label",), splits, data_dir, how)
    values, classes = _classes(learned, tested)
    x, columns, given = _standardised(learned, tested)
    found = [np.searchsorted(values, part.told).astype(np.int32) for part in (learned, tested)]
    if len(np.unique(found[0])) < 2:
        raise BadInput(f"{learned.where}: {learned.target} is {classes[found[0][0]]} in all rows: nothing can be told")
    return tuple(Labels(rows, label, columns, classes, given) for rows, label in zip(x, found, strict=True))


class _Rows(NamedTuple):
    """Some rows of a table."""

    given: dict[str, np.ndarray]  # D measurements [N] by name
    told: np.ndarray  # [N]
    target: str
    is_class: bool  # whether the target is known to be of classes
    classes: list[str]  # what these are called, where that is known
    where: str  # the table, in words


def _rows(
    name: str, target: str, usual: Sequence[str], splits: Sequence[str], data_dir: str, how: Mapping[str, Any]
) -> tuple[_Rows, _Rows]:
    """Rows to learn from, and to test."""
    first, second = splits
    read = functools.partial(load, name, data_dir=data_dir, wanted=("x", usual[0]), **how)
    train = read(first)
    if not second and train.info and "test" in train.info.splits:
        second = "test"
    if second:
        return _read(name, train, target, usual), _read(name, read(second), target, usual)
    is_test = np.arange(len(train)) % 3 == 2
    parts = (train.take(np.flatnonzero(rows)) for rows in (~is_test, is_test))
    return tuple(_read(name, Split(part, train.info), target, usual) for part in parts)


def _read(name: str, split: Split, target: str, usual: Sequence[str]) -> _Rows:
    """The columns of a table, vectors taken apart, as what is given and what is to be told."""
    where, columns = f"data set {name}", {}
    given: list[str] = []
    measured = [column for column in GIVEN if column in split.names] or list(split.names)
    for column, values in split.arrays.items():
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        # Numbers of classes measure nothing.
        is_number = _is_number(values) and not hasattr(split.feature(column), "num_classes")
        if values.ndim == 2 and is_number:
            parts = dict(zip(_names(name, split, column, values.shape[1]), values.T, strict=True))
        else:
            parts = {column: values}
        columns |= parts
        given += [part for part in parts if is_number and values.ndim <= 2 and column in measured]
    wanted = [target] if target else [column for column in usual if column in split.names]
    if not wanted or (wanted[0] not in columns and wanted[0] not in split.names):
        what = f"no column {target}" if target else f"no {' or '.join(usual)}"
        raise BadInput(
            f"{where} has {what}, but {', '.join(columns)}; --target names the column that is to be told"
            f"{did_you_mean(target, list(columns))}"
        )
    told = columns.get(wanted[0], split.arrays.get(wanted[0]))
    if told.ndim != 1:
        shape = list(told.shape[1:])
        raise BadInput(f"{where}: {wanted[0]} must be one number or word a row, not {shape}; --target names another")
    given = [part for part in given if part != wanted[0]]
    if not given:
        raise BadInput(f"{where} has no columns of numbers besides {wanted[0]}")
    if lost := [part for part in given if not np.isfinite(columns[part]).all()]:
        raise BadInput(f"{where}: {', '.join(lost)} has values that are missing or infinite")
    feature = split.feature(wanted[0])
    is_class, classes = hasattr(feature, "num_classes"), getattr(feature, "names", None) or []
    return _Rows({part: columns[part] for part in given}, told, wanted[0], is_class, classes, where)


def _classes(learned: _Rows, tested: _Rows) -> tuple[np.ndarray, list[str]]:
    """Values `[K]` that stand for classes, rising, and what these are called."""
    told = np.concatenate([learned.told, tested.told])
    if told.dtype == object and all(isinstance(value, bytes | str) for value in told):
        values = np.unique(told)
        return values, [value.decode() if isinstance(value, bytes) else value for value in values]
    if not _is_number(told) or not np.isfinite(told).all() or (told != np.round(told)).any():
        raise BadInput(f"{learned.where}: {learned.target} must be classes, integers or words, not {_kind(told)}")
    values = np.arange(len(learned.classes)) if learned.classes else np.unique(told)
    names = learned.classes or [f"{value:g}" for value in values]
    return values, [f"class {name}" if name.lstrip("-").isdigit() else name for name in names]


def _standardised(learned: _Rows, tested: _Rows) -> tuple[list[np.ndarray], list[str], Given]:
    """Measurements of both `[N, D]`, by means and deviations of the former, their names, and how they are made."""
    both = [np.stack([np.asarray(column) for column in rows.given.values()], 1) for rows in (learned, tested)]
    of_x, varies = scale(both[0]), both[0].max(0) > both[0].min(0)
    columns = [name if moves else f"{name}{STILL}" for name, moves in zip(learned.given, varies, strict=True)]

    def scaled(x: np.ndarray) -> np.ndarray:
        # What is new in the test cannot be told from what never moved.
        return np.where(varies, standard(x, *of_x), np.float32(0))

    return [scaled(x) for x in both], columns, Given([*learned.given], scaled)


def scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations of the columns of `x [N, ...]` in float64; 1 of those that do not vary."""
    deviation = x.std(0, dtype=float)
    # Rounding leaves a constant that is no binary fraction a deviation.
    varies = x.max(0) > x.min(0)
    return x.mean(0, dtype=float), np.where(varies, deviation, 1.0)


def standard(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """`x [N, ...]` less the mean, in deviations, as float32."""
    return ((x.astype(float) - mean) / deviation).astype(np.float32)


def column_names(name: str, num: int) -> list[str]:
    """What the `num` features of a set are: numbers where it is not bundled."""
    columns = getattr(_bundled(name), "columns", None)
    return columns() if columns else [f"measurement {i}" for i in range(num)]


def _names(name: str, split: Split, column: str, num: int) -> list[str]:
    """Names of the entries of a column of vectors."""
    told = (split.info.metadata or {}).get("columns", ()) if split.info else ()
    if column in GIVEN:
        return [str(one) for one in told] if len(told) == num else column_names(name, num)
    return [f"{column} {i}" for i in range(num)]


def _bundled(name: str) -> type | None:
    from adl.data.bundled import BUNDLED

    return BUNDLED.get(re.split("[/:]", name)[0])


def _is_number(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.number) or values.dtype == bool


def _kind(values: np.ndarray) -> str:
    return type(values[0]).__name__ if values.dtype == object else str(values.dtype)
