"""Formats of published files, read from bytes; what is not of the format is a ValueError that says why."""

import csv
import io
import json
import math
import warnings
import wave
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adl.data.picture import MOST_PIXELS, undecoded


def idx(data: bytes) -> np.ndarray:
    """`[...]` uint8 of an IDX file: two zero bytes, type 8, the number of sizes, the sizes (big-endian), the values.

    Source: LeCun, Cortes & Burges, the MNIST database, "File formats".
    """
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"it begins with {data[:4].hex()}, as no IDX file of bytes does")
    start = 4 + 4 * data[3]
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    if len(data) != start + math.prod(shape):
        raise ValueError(f"it has {len(data)} bytes, and should have {start + math.prod(shape)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def mat(data: bytes, *names: str) -> list[np.ndarray]:
    """Named variables of a MATLAB file of version 5; cells are arrays of objects."""
    from scipy.io import loadmat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a variable that is there twice, or cut short
            found = loadmat(io.BytesIO(data))
    except NotImplementedError:
        raise ValueError("it is a MATLAB file of version 7.3; save it with -v7") from None
    except Exception as error:  # SciPy's, of damaged files whatever comes
        raise ValueError(f"it is no MATLAB file: {error}") from error
    if lost := [name for name in names if name not in found]:
        there = ", ".join(name for name in found if not name.startswith("__")) or "nothing"
        raise ValueError(f"it has no variable {lost[0]}, but {there}")
    return [found[name] for name in names]


def pcm(data: bytes, sample_rate: int) -> np.ndarray:
    """`[T]` int16 of a WAV file with one channel of 16 bits at a sample rate in Hz."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            told = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames, wanted = file.readframes(file.getnframes()), file.getnframes()
    except (wave.Error, EOFError) as error:
        raise ValueError(f"it is no WAV file: {error}") from error
    if told != (1, 16, sample_rate):
        channels, bits, rate = told
        raise ValueError(f"it has {channels} channels of {bits} bits at {rate} Hz, not 1 of 16 at {sample_rate}")
    if len(frames) != 2 * wanted:
        raise ValueError(f"it is cut short: {len(frames) // 2} samples of {wanted}")
    return np.frombuffer(frames, "<i2").astype(np.int16)


def matrix_text(data: bytes) -> np.ndarray:
    """`[N, D]` float64 of numbers between blanks, a row a line; all finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an empty file
        try:
            found = np.loadtxt(io.StringIO(data.decode()), ndmin=2)
        except UserWarning as error:
            raise ValueError(str(error)) from None
    if not np.isfinite(found).all():
        raise ValueError("it has values that are missing or infinite")
    return found


def indices_text(data: bytes) -> np.ndarray:
    """`[N]` int64 of whole numbers, one a line, in whatever notation."""
    found = matrix_text(data).ravel()
    if (found != np.round(found)).any() or (found < 0).any():
        raise ValueError("it must hold indices, whole numbers from 0 on")
    return found.astype(np.int64)


def csv_rows(data: bytes) -> list[dict[str, str]]:
    """Rows of a table with a header, by column; each with as many cells as the header."""
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    if len({*header}) != len(header):
        raise ValueError("its header names a column twice")
    for at, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"its row {at} has {len(row)} cells, and the header {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in rows]


def text_lines(encoding: str) -> Callable[[bytes], list[str]]:
    """A parser of lines of text that end in a line feed alone, without the blanks around them.

    Args:
      encoding: of the file.
    """

    def parse(data: bytes) -> list[str]:
        return [line.strip() for line in data.decode(encoding).removesuffix("\n").split("\n")]

    return parse


def bitmap(data: bytes, channels: int) -> np.ndarray:
    """`[H, W, C]` uint8 of a PNG or JPEG file with as many channels, grey or red, green, blue."""
    import cv2

    picture_file(data, "PNG", "JPEG").close()
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise ValueError("it is no picture")
    found = found[..., None] if found.ndim == 2 else found[..., ::-1]
    if found.dtype != np.uint8 or found.shape[2] != channels:
        raise ValueError(f"its pixels are {found.dtype} in {found.shape[2]} channels, not uint8 in {channels}")
    return found


def jpeg(height: int | None = None, width: int | None = None) -> Callable[[bytes], bytes]:
    """A parser of colour JPEG files that keeps their bytes, of such a size where one is given."""

    def parse(data: bytes) -> bytes:
        sizes = bitmap(data, 3).shape[:2]
        if not data.startswith(b"\xff\xd8") or (height and sizes != (height, width)):
            raise ValueError(f"it is no JPEG picture of {width or 'W'}x{height or 'H'} pixels")
        return data

    return parse


def grey_stack(data: bytes) -> Iterator[np.ndarray]:
    """Pages `[H, W, 1]` uint8 of a grey TIFF file."""
    with picture_file(data, "TIFF") as file:
        for page in range(file.n_frames):
            file.seek(page)
            if file.mode != "L" or file.width * file.height > MOST_PIXELS:
                raise ValueError(f"its page {page} is no grey picture of bytes, but {file.mode} {file.size}")
            yield np.array(file)[..., None]


def picture_file(data: bytes, *formats: str) -> Any:
    """Pillow's picture of a file, not yet unpacked, of no more pixels than any here has.

    Args:
      data: the file.
      formats: that are understood: "PNG", "JPEG", "TIFF".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of many pixels, which are counted
        try:
            return undecoded(io.BytesIO(data), formats)
        except ValueError as error:
            raise ValueError(f"it {error}") from error


def voices(data: bytes) -> dict[str, list[np.ndarray]]:
    """`[T, 4]` int16 MIDI notes of each piece, by split, of a JSON file; -1, null and NaN are silence."""
    found = json.loads(data)
    if not isinstance(found, dict) or not all(isinstance(pieces, list) for pieces in found.values()):
        raise ValueError("it is no object of lists")
    read = {split: [np.array(piece, float) for piece in pieces] for split, pieces in found.items()}
    for one in (one for pieces in read.values() for one in pieces):
        if one.ndim != 2 or one.shape[1] != 4:
            raise ValueError(f"it has a piece of shape {list(one.shape)}, not [T, 4]")
        one[np.isnan(one)] = -1
        if ((one != np.round(one)) | (one < -1) | (one > 127)).any():
            raise ValueError("its notes must be -1 ... 127")
    return {split: [one.astype(np.int16) for one in pieces] for split, pieces in read.items()}
