"""Tables in .csv, .tsv and .parquet files: columns by name, whose types are guessed from all of their cells."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.files.found import About, Asked, Found, counted_classes
from adl.data.files.listing import Files
from adl.data.files.passages import text_of
from adl.data.files.rows import hashed_rows
from adl.data.split import Split

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "inf", "-inf", "+inf", "infinity", "-infinity"}
SEPARATORS = {".csv": ",", ".tsv": "\t"}


def table_file(listing: Files, reading: Asked, limit: int) -> Found:
    """The columns of a table, divided by a hash of the rows' places.

    Numbers are int64 or float64, words are objects (str).

    Args:
      listing: of the one file.
      reading: how it is read.
      limit: bytes of a file, at most: tables are read whole.
    Raises:
      BadInput: naming the row and the column of a cell that is missing, or no number among numbers.
    """
    (file,), where = listing.files, listing.where
    if file.size > limit:
        raise BadInput(f"{where} has {file.size} bytes, and tables are read whole, at most {limit}; save it as .npz")
    if file.ending == ".parquet":
        columns = _parquet(listing)
    else:
        columns = _columns(text_of(listing, file), SEPARATORS[file.ending], where)
    is_test = hashed_rows(len(next(iter(columns.values()))), reading.test_share, where)
    about = About(where, {}, ("train", "test"))
    parts = {
        split: Split({name: column[rows] for name, column in columns.items()}, about)
        for split, rows in (("train", ~is_test), ("test", is_test))
    }
    kinds = ", ".join(f"{name}: {_kind(column)}" for name, column in columns.items())
    told = f"{where}: {kinds}; {(~is_test).sum()} rows to train, {is_test.sum()} to test, by a hash of their places"
    return Found(parts, about, (told,), True)


def _kind(column: np.ndarray) -> str:
    """What a column holds, in words."""
    if column.dtype != object:
        return "integer" if column.dtype.kind in "iu" else "number"
    values = np.unique(column)
    return f"{len(values)} classes of words ({counted_classes(values, 4)})"


def number_columns(listing: Files, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """`[N, D]` of D columns of numbers of a table, and the names of its others, of which nothing is asked.

    Args:
      listing: of the one file.
      names: of the columns.
    Raises:
      BadInput: naming what is not there, and the line and the column of a cell that is missing or no number.
    """
    (file,), where = listing.files, listing.where
    if file.ending == ".parquet":
        there, lines = _parquet(listing, names), None
    else:
        cells, lines = _cells(text_of(listing, file), SEPARATORS.get(file.ending, ","), where)
        _require_there(names, [*cells], where)
        there = {name: _typed(name, cells[name], lines, where) if name in names else None for name in cells}
    for name in names:
        if there[name].dtype == object:
            at = next(i for i, cell in enumerate(there[name]) if not NUMBER.fullmatch(cell))
            place = where if lines is None else f"{where}, line {lines[at]}"
            raise BadInput(f"{place}: {name} is {there[name][at][:40]!r}, and must be a number")
    return np.stack([there[name].astype(np.float64) for name in names], 1), [n for n in there if n not in names]


def _require_there(names: Sequence[str], there: Sequence[str], where: str) -> None:
    for name in names:
        if name not in there:
            told = f"{where}: column {name!r} is not there; it has {', '.join(there)}"
            raise BadInput(f"{told}{did_you_mean(name, list(there))}")


def _columns(text: str, separator: str, where: str) -> dict[str, np.ndarray]:
    """Columns by their names in the first row."""
    cells, lines = _cells(text, separator, where)
    return {name: _typed(name, column, lines, where) for name, column in cells.items()}


def _cells(text: str, separator: str, where: str) -> tuple[dict[str, Sequence[str]], list[int]]:
    """Cells of the columns by their names in the first row, and the lines that the rows end in."""
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadInput(f"{where} has a zero byte in line {line}: it is no table")
    csv.field_size_limit(2**24)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise BadInput(f"{where}, line {reader.line_num}: {error}") from None
    if not rows:
        raise BadInput(f"{where} is empty; its first line names the columns")
    names = [name.strip() for name in rows[0]]
    _require_names(names, rows[0], separator, where)
    if len(rows) == 1:
        raise BadInput(f"{where} has a first line, of names, and no rows")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise BadInput(f"{where}, line {line}: {len(row)} cells, and there are {len(names)} columns")
    return dict(zip(names, zip(*rows[1:], strict=True), strict=True)), lines[1:]


def _require_names(names: Sequence[str], head: Sequence[str], separator: str, where: str) -> None:
    """Refuses a first line that does not name the columns, each once."""
    for other in ";\t|,":
        if len(names) == 1 and other != separator and other in head[0]:
            raise BadInput(f"{where}: its columns are parted by {other!r}; save it with {separator!r} between them")
    if all(NUMBER.fullmatch(name) for name in names):
        raise BadInput(f"{where}: its first line is of numbers; it must name the columns")
    for index, name in enumerate(names):
        if not name:
            raise BadInput(f"{where}: column {index + 1} has no name in the first line (pandas: to_csv(index=False))")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BadInput(f"{where}: {len(names)} columns, two of them called {twice[0]}; rename one")


def _typed(name: str, cells: Sequence[str], lines: Sequence[int], where: str) -> np.ndarray:
    """A column as integers, numbers or words."""
    is_number = np.fromiter((NUMBER.fullmatch(cell) is not None for cell in cells), bool, len(cells))
    is_missing = np.fromiter((cell.strip().lower() in MISSING for cell in cells), bool, len(cells))
    numbers = is_number.sum()
    blank = np.fromiter((not cell.strip() for cell in cells), bool, len(cells))
    # Where half of what is there are numbers, a column is meant to be of numbers.
    lost = is_missing if 2 * numbers >= (~is_missing).sum() > 0 else blank
    if lost.any():
        first = int(np.flatnonzero(lost)[0])
        count = int(lost.sum())
        raise BadInput(
            f"{where}: {name} lacks {count} of {len(cells)} cells, the first in line {lines[first]} "
            f"({cells[first]!r}); fill them, or leave these rows or this column out"
        )
    if numbers == len(cells):
        if all(INTEGER.fullmatch(cell) for cell in cells):
            return np.array([int(cell) for cell in cells], np.int64)
        values = np.array([float(cell) for cell in cells])
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise BadInput(f"{where}, line {lines[at]}: {name} is {cells[at].strip()}, beyond all numbers")
        return values
    if 2 * numbers > len(cells):
        at = int(np.flatnonzero(~is_number)[0])
        raise BadInput(
            f"{where}, line {lines[at]}: {name} is {cells[at][:40]!r}, no number, and {numbers} of {len(cells)} cells "
            "of that column are; correct it, or write all of them as words"
        )
    column = np.empty(len(cells), object)
    column[:] = [cell.strip() for cell in cells]
    return column


def _parquet(listing: Files, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Columns of a .parquet file; of those that are not among the names None."""
    (file,), where = listing.files, listing.where
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise BadInput(f'{where}: .parquet wants pyarrow: pip install "adl[tables]"; or save it as .csv') from None
    try:
        table = parquet.read_table(io.BytesIO(listing.read(file)))
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{where} is damaged ({str(error).splitlines()[0][:120]})") from None
    if not table.num_rows or not table.num_columns:
        raise BadInput(f"{where} has no rows" if table.num_columns else f"{where} has no columns")
    if len({*table.column_names}) < table.num_columns:
        raise BadInput(f"{where} has two columns of one name; rename one")
    columns = dict.fromkeys(table.column_names)
    names = table.column_names if names is None else names
    _require_there(names, table.column_names, where)
    for name in names:
        column, kind = table[name], table[name].type
        if column.null_count:
            first = column.is_null().to_pylist().index(True)
            raise BadInput(
                f"{where}: {name} lacks {column.null_count} of {len(column)} cells, the first in row {first}"
            )
        if pyarrow.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
            columns[name] = np.empty(len(column), object)
            columns[name][:] = column.to_pylist()
        elif pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind):
            columns[name] = column.to_numpy()
        else:
            raise BadInput(f"{where}: {name} is of {kind}; columns must be of numbers, booleans or words")
        if columns[name].dtype.kind == "f" and not np.isfinite(columns[name]).all():
            first = int(np.flatnonzero(~np.isfinite(columns[name]))[0])
            raise BadInput(f"{where}: {name} is missing or infinite in row {first}; fill it, or leave that row out")
    return columns
