"""Arrays out of a pickle, of which nothing is run.

A pickle is a program: it names functions and has them called. Some old sets are published as nothing else, so this
reader knows the few names by which NumPy and SciPy write arrays, and puts plain containers of its own in their place;
any other name is refused before it is looked up. The numbers are then taken from the bytes that are left.
"""

import io
import math
import pickle
import re
from typing import Any

import numpy as np


def unpickled(data: bytes) -> Any:
    """An array, or a list of arrays, or a dictionary of lists of integers, out of a pickle of Python 2 or 3.

    Args:
      data: the pickle. A sparse matrix of compressed rows comes back dense; of a list what is no array is None.
    Raises:
      ValueError: if it holds or names anything else.
    """
    try:
        found = _Reader(io.BytesIO(data), encoding="latin1").load()
        if isinstance(found, dict):
            return {_integer(node): [_integer(other) for other in others] for node, others in found.items()}
        if isinstance(found, list | tuple):
            return [one.numbers() if isinstance(one, _Array | _Rows) else None for one in found]
        if isinstance(found, _Array | _Rows):
            return found.numbers()
    except ValueError:
        raise
    except Exception as error:  # a program that is no such pickle fails wherever it likes
        raise ValueError(f"it is no pickle of arrays: {error}") from error
    raise ValueError(f"it holds {type(found).__name__.strip('_')}, no array")


class _Array:
    """What NumPy writes of an array."""

    def __init__(self, *_: Any):
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def numbers(self) -> np.ndarray:
        _, shape, kind, is_fortran, data = self.state
        if not isinstance(kind, _Kind) or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError("its array has no type or shape")
        content, dtype = _bytes(data), kind.dtype()
        if len(content) != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"its array of shape {tuple(shape)} has {len(content)} bytes")
        return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")


class _Kind:
    """What NumPy writes of the type of an array."""

    def __init__(self, code: str, *_: Any):
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype:
        if not re.fullmatch(r"[biuf][1248]", self.code) or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"its array is of type {self.code!r}, not of numbers")
        return np.dtype(self.order + self.code)


class _Rows:
    """What SciPy writes of a matrix of compressed rows."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def numbers(self) -> np.ndarray:
        data, column, start = (self.state[name].numbers() for name in ("data", "indices", "indptr"))
        height, width = (int(size) for size in self.state["_shape" if "_shape" in self.state else "shape"])
        ends = len(start) == height + 1 and start[0] == 0 and start[-1] == len(data) == len(column)
        if not ends or (np.diff(start) < 0).any() or height * width > 2**28:
            raise ValueError("its sparse matrix is damaged")
        if len(column) and not 0 <= column.min() <= column.max() < width:
            raise ValueError("its sparse matrix has columns beyond its width")
        dense = np.zeros((height, width), data.dtype)
        np.add.at(dense, (np.repeat(np.arange(height), np.diff(start)), column), data)
        return dense


class _Graph(dict):
    """What Python writes of a dictionary with a default."""

    def __init__(self, *_: Any):
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        raise ValueError("its dictionary has a state")


class _Text:
    """What Python 3 writes of bytes for Python 2."""

    def __new__(cls, text: str, *_: Any) -> bytes:
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        raise ValueError("its bytes have a state")


class _Empty:
    """What Python 2 writes of an object without arguments."""

    def __new__(cls, kind: type, *_: Any) -> Any:
        if kind is not _Rows:
            raise ValueError("it makes an object that is no matrix")
        return _Rows()

    def __setstate__(self, state: Any) -> None:
        raise ValueError("its object has a state")


_KNOWN = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("scipy.sparse.csr", "csr_matrix"): _Rows,
    ("scipy.sparse._csr", "csr_matrix"): _Rows,
    ("collections", "defaultdict"): _Graph,
    ("_codecs", "encode"): _Text,
    ("copy_reg", "_reconstructor"): _Empty,
    ("copyreg", "_reconstructor"): _Empty,
    **{
        (builtins, name): kind
        for builtins in ("__builtin__", "builtins")
        for name, kind in (("list", list), ("object", object))
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"it names {module}.{name}, and only arrays are read from a pickle")
        return _KNOWN[module, name]


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):  # of Python 2
        return data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise ValueError("its array holds objects, not numbers")
    return bytes(data)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"its dictionary holds {type(value).__name__}, not integers")
    return value
