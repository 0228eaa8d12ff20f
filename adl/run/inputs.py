"""Files of a person's that a trained model is asked about: pictures, and tables of numbers."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.run import screen

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")  # of pictures, among files of a folder


def picture_files(path: Path) -> list[Path]:
    """A picture, or those of a folder and the folders in it."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such file or folder")
    every = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    found = [file for file in every if file.suffix.lower() in SUFFIXES]
    if not found:
        raise BadInput(f"{path}: it has no pictures ({', '.join(SUFFIXES)})")
    if len(found) < len(every):
        screen.say(f"{path}: {len(every) - len(found)} files are no pictures, and left out")
    return found


def read_picture(path: Path, shape: Sequence[int], resize: bool) -> np.ndarray:
    """`[H, W, C]` uint8 of a file, turned as it is shown, of the shape that is wanted."""
    import cv2

    try:
        content = np.fromfile(path, np.uint8)
        found = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    except (OSError, cv2.error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: it cannot be read: {reason}") from None
    if found is None:
        raise BadInput(f"{path}: it is no picture, or damaged")
    if found.dtype != np.uint8:
        raise BadInput(f"{path}: its pixels are {found.dtype}; pictures of 8 bits a channel are wanted")
    if found.ndim == 3 and found.shape[2] != 3:
        raise BadInput(f"{path}: it has {found.shape[2]} channels (transparency?); grey or colour is wanted")
    found = cv2.imdecode(content, cv2.IMREAD_ANYCOLOR)  # turned as EXIF says, as the pictures of training are
    pixels = found[..., None] if found.ndim == 2 else found[..., ::-1]  # OpenCV's are blue, green, red
    if pixels.shape == tuple(shape):
        return np.ascontiguousarray(pixels)
    height, width, channels = shape
    if not resize:
        raise BadInput(
            f"{path}: it is {' x '.join(map(str, pixels.shape))} (height, width, channels), and the model's pictures "
            f"are {' x '.join(map(str, shape))}; --resize makes it so"
        )
    if channels == 1 and pixels.shape[2] == 3:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[..., None]
    if channels == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, 2)
    resized = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_AREA)
    return resized.reshape(shape)


def read_table(path: Path, columns: Sequence[str]) -> np.ndarray:
    """`[B, D]` of the columns of a CSV file with a header; others are named and left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadInput(f"{path}: it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(rows) < 2:
        raise BadInput(f"{path}: it has no rows below a header of columns")
    head = [name.strip() for name in rows[0]]
    for name in columns:
        if head.count(name) != 1:
            what = "there twice" if name in head else f"not there; it has {', '.join(head)}{did_you_mean(name, head)}"
            raise BadInput(f"{path}: column {name!r} is {what}")
    if others := [name for name in head if name not in columns]:
        screen.say(f"{path}: columns that are left out: {', '.join(others)}")
    places, table = [head.index(name) for name in columns], np.zeros((len(rows) - 1, len(columns)))
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(head):
            raise BadInput(f"{path}: row {number} has {len(row)} cells, and the header {len(head)}")
        for column, place in enumerate(places):
            try:
                table[number - 1, column] = float(row[place])
            except ValueError:
                told = f"row {number}, column {columns[column]!r}: {row[place]!r} is no number"
                raise BadInput(f"{path}: {told}") from None
    return table
