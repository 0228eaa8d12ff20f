"""Arrays in .npy and .npz files: read into memory, or row by row where they are larger. Never a pickle."""

import functools
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from adl.core import BadInput, first_line
from adl.data.files.found import About, Asked, Found
from adl.data.files.layout import SPLITS, in_test
from adl.data.files.listing import Files
from adl.data.split import Split, StoredSplit

LOCAL = struct.Struct("<4s5H3L2H")  # what stands before a member of a zip file


class Stored(NamedTuple):
    """An array in a file, of which only the header was read."""

    path: Path
    offset: int  # bytes before its first; -1: compressed
    dtype: np.dtype
    shape: tuple[int, ...]
    is_fortran: bool
    member: str = ""  # of the zip file

    @property
    def num_bytes(self) -> int:
        """Of all of it."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> np.ndarray:
        """All of it."""
        opened = zipfile.ZipFile(self.path).open(self.member) if self.member else self.path.open("rb")
        with opened as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def array_file(listing: Files, reading: Asked, limit: int) -> Found:
    """The arrays of a .npy or .npz file as columns; its splits, or those of a hash of the rows' places.

    Args:
      listing: of the one file.
      reading: how it is read.
      limit: bytes up to which it is read into memory.
    Raises:
      BadInput: if it is damaged, holds objects, or its arrays do not fit each other.
    """
    (file,) = listing.files
    where, path = listing.where, listing.path(file)
    try:
        arrays = _members(path, where) if file.ending == ".npz" else {"x": _plain_array(path, where)}
    except OSError as error:
        raise BadInput(f"{where} cannot be read ({error.strerror or error})") from None
    for name, array in arrays.items():
        _require_rows(name, array, where)
    total = sum(array.num_bytes for array in arrays.values())
    if total > limit:
        _require_random_access(arrays, where, total)
    parts, is_hashed = _divided(arrays, where), False
    if {*parts} == {"train"}:
        (columns,), is_hashed = parts.values(), True
        parts = _hashed(columns, reading.test_share, where)
    of_splits = {split: columns for split, (columns, _) in parts.items()} if is_hashed else parts
    about = About(where, {}, tuple(of_splits))
    rows = {split: part[1] if is_hashed else None for split, part in parts.items()}
    if total > limit:
        found = {split: StoredSplit(FileRows(of, where, rows[split]), about) for split, of in of_splits.items()}
    else:
        read = functools.cache(lambda array: _read(array, where))
        found = {
            split: Split({name: _taken(read(array), rows[split]) for name, array in of.items()}, about)
            for split, of in of_splits.items()
        }
    told = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in arrays.items())
    sizes = ", ".join(f"{len(split)} to {name}" for name, split in found.items())
    drawn = "; test drawn by a hash of the rows' places" if is_hashed else ""
    return Found(found, about, (f"{where}: {told}; {sizes}{drawn}",), is_hashed)


def _taken(array: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    return array if rows is None else array[rows]


def _read(array: Stored, where: str) -> np.ndarray:
    try:
        found = array.read()
    except Exception as error:  # NumPy's, zipfile's and zlib's, each its own
        raise BadInput(f"{where} is damaged ({first_line(error)})") from None
    return native(found)


def native(array: np.ndarray) -> np.ndarray:
    """An array in this machine's byte order; half floats as float32."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _plain_array(path: Path, where: str) -> Stored:
    with path.open("rb") as file:
        dtype, shape, is_fortran = _head(file, where, "")
        found = Stored(path, file.tell(), dtype, shape, is_fortran)
    have = os.path.getsize(path) - found.offset
    if have != found.num_bytes:
        raise BadInput(f"{where} is damaged: its header says {found.num_bytes} bytes, and {have} are there")
    return found


def _members(path: Path, where: str) -> dict[str, Stored]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise BadInput(f"{where} is no .npz file ({first_line(error)}); np.savez writes one") from None
    found = {}
    with archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                raise BadInput(f"{where}: {info.filename} in it is no array; np.savez writes arrays alone")
            if name in found:
                raise BadInput(f"{where} has two arrays {name}")
            if info.flag_bits & 1:
                raise BadInput(f"{where}: {name} is encrypted")
            try:
                with archive.open(info) as file:
                    dtype, shape, is_fortran = _head(file, where, name)
                    before = file.tell()
            except BadInput:
                raise
            except Exception as error:  # zipfile's and zlib's, each its own
                raise BadInput(f"{where} is damaged ({first_line(error)})") from None
            stored = info.compress_type == zipfile.ZIP_STORED
            offset = _start(path, info.header_offset) + before if stored else -1
            found[name] = Stored(path, offset, dtype, shape, is_fortran, info.filename)
            if info.file_size - before != found[name].num_bytes:
                told = f"{name} says {found[name].num_bytes} bytes, and {info.file_size - before} are there"
                raise BadInput(f"{where} is damaged: {told}")
    if not found:
        raise BadInput(f"{where} has no arrays")
    return found


def _start(path: Path, offset: int) -> int:
    """Where the bytes of a member begin."""
    with path.open("rb") as file:
        file.seek(offset)
        *_, name, extra = LOCAL.unpack(file.read(LOCAL.size))
    return offset + LOCAL.size + name + extra


def _head(file: BinaryIO, where: str, name: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    """What an array is, as its header says; no byte of it is read."""
    of = f"{where}: {name}" if name else where
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
    except OSError:
        raise
    except Exception as error:  # NumPy parses a header as Python, and raises what that does
        raise BadInput(f"{of} is no array ({first_line(error)}); np.save and np.savez write them") from None
    if dtype.hasobject:
        raise BadInput(f"{of} holds Python objects, a pickle, which can run code; save numbers or text")
    if dtype.kind not in "biufU":
        raise BadInput(f"{of} is of {dtype}; it must be of numbers, booleans or text")
    return dtype, shape, is_fortran


def _require_rows(name: str, array: Stored, where: str) -> None:
    if not array.shape:
        raise BadInput(f"{where}: {name} is a single value; an array has a row for each example, [N, ...]")
    if 0 in array.shape:
        raise BadInput(f"{where}: {name} is empty, {list(array.shape)}")


def _require_random_access(arrays: Mapping[str, Stored], where: str, total: int) -> None:
    """Refuses large arrays of which single rows cannot be read."""
    size = f"{total / 2**30:.1f} GiB are read row by row"
    for name, array in arrays.items():
        if array.offset < 0:
            raise BadInput(f"{where}: {size}, and {name} is compressed; save it by np.savez, not np.savez_compressed")
        if array.is_fortran and len(array.shape) > 1:
            raise BadInput(f"{where}: {size}, and {name} lies by columns; save np.ascontiguousarray({name})")
        if array.dtype.kind == "U":
            raise BadInput(f"{where}: {size}, and {name} is text; save classes as integers")


def _divided(arrays: Mapping[str, Stored], where: str) -> dict[str, dict[str, Stored]]:
    """Columns by split: x_train or train_x says of which; all of train where none says."""
    parts: dict[str, dict[str, Stored]] = {}
    without = []
    for name, array in arrays.items():
        split, column = _named(name)
        if not split:
            without.append(name)
        parts.setdefault(split or "train", {})[column] = array
    if without and len(without) < len(arrays):
        other = next(name for name in arrays if name not in without)
        raise BadInput(f"{where}: {other} names a split, and {', '.join(without)} names none; name all, or none")
    if "train" not in parts:
        raise BadInput(f"{where} has nothing to train on, but {', '.join(arrays)}; x_train would be")
    for split, columns in parts.items():
        if {*columns} != {*parts["train"]}:
            raise BadInput(f"{where}: train has {', '.join(parts['train'])}, and {split} has {', '.join(columns)}")
        lengths = {name: array.shape[0] for name, array in columns.items()}
        if len({*lengths.values()}) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadInput(f"{where}: arrays of {split} are of several lengths ({told}); one row is one example")
        for name, array in columns.items():
            first = parts["train"][name]
            if array.shape[1:] != first.shape[1:]:
                told = f"{list(first.shape[1:])} and {split} of {list(array.shape[1:])}"
                raise BadInput(f"{where}: {name} of train has rows of {told}; they must be alike")
    return parts


def _named(name: str) -> tuple[str, str]:
    """The split that an array's name says, and the column."""
    words = "|".join(SPLITS)
    if match := re.fullmatch(rf"(?:({words})[_/.](.+)|(.+)[_/.]({words}))", name):
        return SPLITS[match[1] or match[4]], match[2] or match[3]
    return "", name


def _hashed(
    columns: Mapping[str, Stored], share: float, where: str
) -> dict[str, tuple[Mapping[str, Stored], np.ndarray]]:
    count = next(iter(columns.values())).shape[0]
    is_test = hashed_rows(count, share, where)
    return {"train": (columns, np.flatnonzero(~is_test)), "test": (columns, np.flatnonzero(is_test))}


@functools.lru_cache(maxsize=4)
def hashed_rows(count: int, share: float, where: str) -> np.ndarray:
    """Which of N rows are of the test part `[N]`, by a hash of their places: those of a longer table are the same.

    Raises:
      BadInput: if none are, or all.
    """
    is_test = np.fromiter((in_test(str(row), share) for row in range(count)), bool, count)
    if is_test.all() or not is_test.any():
        split = "train" if is_test.all() else "test"
        raise BadInput(f"{where}: --test_share {share:g} leaves none of the {count} rows to {split}; another share")
    return is_test


class FileRows:
    """A source of rows that are read from their file as they are taken, and stay nowhere."""

    def __init__(self, arrays: Mapping[str, Stored], where: str, rows: np.ndarray | None):
        self.arrays, self.where, self.rows = arrays, where, rows
        self._length = next(iter(arrays.values())).shape[0] if rows is None else len(rows)

    def __len__(self) -> int:
        return self._length

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        places = list(rows) if self.rows is None else self.rows[list(rows)].tolist()
        read = {name: self._rows(array, places) for name, array in self.arrays.items()}
        return [{name: column[i] for name, column in read.items()} for i in range(len(places))]

    def column(self, name: str) -> np.ndarray | None:
        """A whole column, where it has one number a row."""
        array = self.arrays[name]
        if len(array.shape) > 1:
            return None
        return _taken(_read(array, self.where), self.rows)

    def _rows(self, array: Stored, places: Sequence[int]) -> np.ndarray:
        size = math.prod(array.shape[1:]) * array.dtype.itemsize
        content = bytearray(len(places) * size)
        view = memoryview(content)
        try:
            opened = os.open(array.path, os.O_RDONLY)
            try:
                # Not by mapping the file: pages that were touched once count as this process's memory.
                for i, place in enumerate(places):
                    got = os.preadv(opened, [view[i * size : (i + 1) * size]], array.offset + place * size)
                    if got != size:
                        raise BadInput(f"{self.where} has become shorter while it is read; start anew")
            finally:
                os.close(opened)
        except OSError as error:
            raise BadInput(f"{self.where} cannot be read ({error.strerror or error})") from None
        return native(np.frombuffer(content, array.dtype).reshape(len(places), *array.shape[1:]))
