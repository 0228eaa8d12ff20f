"""Pictures in folders, decoded as they are taken (`adl.data.picture`).

Headers alone are read before anything is decoded; what is refused is named.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data.files.found import About, Asked, ClassNames, Found, counted_classes
from adl.data.files.layout import arranged, twins
from adl.data.files.listing import File, Files, endings
from adl.data.fitting import as_colour, fitted, wanted_size
from adl.data.picture import Header, decoded, header
from adl.data.split import StoredSplit

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
OTHERS = (".heic", ".heif", ".avif", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".raw", ".ico", ".pgm", ".ppm")


def picture_folder(listing: Files, reading: Asked) -> Found:
    """A folder of pictures: "image", and where they lie in class folders "label".

    Raises:
      BadInput: naming the file that is no picture, or unlike the others.
    """
    files = [file for file in listing.files if file.ending in ENDINGS]
    if unread := [file for file in listing.files if file.ending in OTHERS]:
        raise BadInput(f"{listing.where}: {unread[0].name} is of a kind that is not read; save it as PNG or JPEG")
    pictures = listing.only(files)
    parts = arranged(pictures, reading.test_share, "pictures")
    shape, heads = alike(pictures, reading)
    colour = "rgb" if shape[2] == 3 else "grey"
    features: dict[str, Any] = {"label": ClassNames(parts.classes)} if parts.classes else {}
    about = About(listing.where, features, tuple(parts.files))
    splits = {
        split: StoredSplit(StoredPictures(pictures, of, parts.labels[split], shape, reading.picture_fit), about)
        for split, of in parts.files.items()
    }
    return Found(splits, about, tuple(_remarks(listing, parts, shape, colour, heads)), parts.is_hashed, is_fitted=True)


def alike(pictures: Files, reading: Asked) -> tuple[tuple[int, int, int], dict[str, Header]]:
    """The shape (H, W, C) that all pictures have, or are brought to, and what each file says of its own, by name.

    Raises:
      BadInput: naming a file that is none, or that two are of several sizes or kinds where nothing says what to do.
    """
    files, size = pictures.files, wanted_size(reading.picture_size, reading.picture_fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pictures that are large, or oddly written: judged here
        heads = {file.name: header_of(pictures, file) for file in files}
    colour = _colour(pictures, files, heads, reading.picture_colour)
    if size is None:
        _require_alike(pictures, files, heads)
        size = heads[files[0].name][:2]
    return (*size, 3 if colour == "rgb" else 1), heads


def _remarks(listing: Files, parts: Any, shape: Sequence[int], colour: str, heads: dict[str, Header]) -> list[str]:
    sizes = ", ".join(f"{len(files)} to {split}" for split, files in parts.files.items())
    of = f"{len(parts.classes)} classes ({counted_classes(parts.classes)})" if parts.classes else "no class folders"
    told = [f"{listing.where}: pictures [{', '.join(map(str, shape))}], {colour}; {sizes}; {of}"]
    if parts.is_hashed:
        told[0] += "; test drawn by a hash of the names"
    if double := twins(listing, parts.files):
        told.append(f"{listing.where}: {double}")
    others = [file for file in listing.files if file.ending not in ENDINGS]
    if others:
        told.append(f"{listing.where}: {len(others)} other files are left out ({endings(others)}), as {others[0].name}")
    for split, labels in parts.labels.items():
        if lacking := [name for index, name in enumerate(parts.classes) if index not in set(labels)]:
            told.append(f"{listing.where}: {split} has no pictures of {counted_classes(lacking)}")
    return told


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    """What a picture is instead is said with its name."""
    try:
        yield
    except ValueError as error:
        raise BadInput(f"{where} {error}; remove it, or save it anew") from None
    except OSError as error:
        raise BadInput(f"{where} cannot be read ({error.strerror or error})") from None


def header_of(listing: Files, file: File) -> Header:
    """Size and channels of a file of a folder.

    Raises:
      BadInput: naming the file, if it is no picture that is read.
    """
    where = f"{listing.where}: {file.name}"
    if not file.size:
        raise BadInput(f"{where} is empty, and no picture")
    with _named(where), listing.path(file).open("rb") as opened:
        return header(opened)


def _colour(listing: Files, files: Sequence[File], heads: dict[str, Header], asked: str) -> str:
    """What all pictures are, "grey" or "rgb"."""
    if asked != "kept":
        return asked
    kinds = {heads[file.name].channels: file.name for file in reversed(files)}
    if len(kinds) > 1:
        count = sum(head.channels == 1 for head in heads.values())
        raise BadInput(
            f"{listing.where}: {count} pictures are grey, as {kinds[1]}, and {len(files) - count} in colour, as "
            f"{kinds[3]}; say what all are to be: --picture_colour rgb or --picture_colour grey"
        )
    return "rgb" if 3 in kinds else "grey"


def _require_alike(listing: Files, files: Sequence[File], heads: dict[str, Header]) -> None:
    sizes = {heads[file.name][:2]: file.name for file in reversed(files)}
    if len(sizes) > 1:
        (one, first), (other, second) = sorted(sizes.items(), key=lambda pair: pair[1])[:2]
        raise BadInput(
            f"{listing.where}: pictures are of {len(sizes)} sizes (height x width), as {first} {one[0]}x{one[1]} and "
            f"{second} {other[0]}x{other[1]}; say what to do: --picture_size {one[0]}x{one[1]} with --picture_fit "
            "resize or crop"
        )


class StoredPictures:
    """A source of pictures `{"image": uint8 [H, W, C], "label": int}`, decoded as they are taken."""

    def __init__(self, listing: Files, files: Sequence[File], labels: Sequence[int], shape: Sequence[int], fit: str):
        self.listing, self.files, self.labels, self.shape, self.fit = listing, files, labels, tuple(shape), fit

    def __len__(self) -> int:
        return len(self.files)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        if self.labels:
            return [{"image": self._decoded(self.files[row]), "label": self.labels[row]} for row in rows]
        return [{"image": self._decoded(self.files[row])} for row in rows]

    def column(self, name: str) -> np.ndarray | None:
        """A whole column, where it is known without decoding."""
        return np.asarray(self.labels, np.int32) if name == "label" else None

    @property
    def num_bytes(self) -> int:
        """Of all pictures, decoded."""
        return len(self.files) * int(np.prod(self.shape))

    def _decoded(self, file: File) -> np.ndarray:
        return decoded_of(self.listing, file, self.shape, self.fit)


def decoded_of(listing: Files, file: File, shape: Sequence[int], fit: str) -> np.ndarray:
    """A file's picture as uint8 `[H, W, C]`, grey or colour as that shape is, and brought to it as `fit` says.

    Raises:
      BadInput: naming the file, if it is damaged, or of another size and may not be brought to this one.
    """
    where = f"{listing.where}: {file.name}"
    with _named(where):
        image = decoded(listing.read(file))
    image = as_colour(image, "rgb" if shape[2] == 3 else "grey")
    if image.shape[:2] != tuple(shape[:2]):
        if fit == "refuse":
            raise BadInput(f"{where} has changed while it is read; start anew")
        image = fitted(image, shape[:2], fit)
    return image
