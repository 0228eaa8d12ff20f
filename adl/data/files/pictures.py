"""Pictures in folders, decoded as they are taken.

A picture is as a viewer shows it: turned as its EXIF orientation says, grey `[H, W, 1]` or RGB `[H, W, 3]`. What would
lose something on its way to uint8 is refused by name: 16 bits, transparency, several frames, more pixels than
`MOST_PIXELS`. Headers alone are read before anything is decoded.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.files.found import About, Asked, ClassNames, Found, counted_classes
from adl.data.files.layout import arranged, twins
from adl.data.files.listing import File, Files, endings
from adl.data.fitting import as_colour, fitted, wanted_size
from adl.data.split import StoredSplit

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
OTHERS = (".heic", ".heif", ".avif", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".raw", ".ico", ".pgm", ".ppm")
MOST_PIXELS = 2**26  # of one picture: 200 MB as RGB


class Header(NamedTuple):
    """What a file says of its picture."""

    height: int
    width: int
    channels: int


def picture_folder(listing: Files, reading: Asked) -> Found:
    """A folder of pictures: "image", and where they lie in class folders "label".

    Raises:
      BadInput: naming the file that is no picture, or unlike the others.
    """
    files = [file for file in listing.files if file.ending in ENDINGS]
    if unread := [file for file in listing.files if file.ending in OTHERS]:
        raise BadInput(f"{listing.where}: {unread[0].name} is of a kind that is not read; save it as PNG or JPEG")
    pictures, size = listing.only(files), wanted_size(reading.picture_size, reading.picture_fit)
    parts = arranged(pictures, reading.test_share, "pictures")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pictures that are large, or oddly written: judged here
        heads = {file.name: header(pictures, file) for file in files}
    colour = _colour(pictures, files, heads, reading.picture_colour)
    if size is None:
        _require_alike(pictures, files, heads)
        size = heads[files[0].name][:2]
    shape = (*size, 3 if colour == "rgb" else 1)
    features: dict[str, Any] = {"label": ClassNames(parts.classes)} if parts.classes else {}
    about = About(listing.where, features, tuple(parts.files))
    splits = {
        split: StoredSplit(StoredPictures(pictures, of, parts.labels[split], shape, reading.picture_fit), about)
        for split, of in parts.files.items()
    }
    return Found(splits, about, tuple(_remarks(listing, parts, shape, colour, heads)), parts.is_hashed, is_fitted=True)


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


def header(listing: Files, file: File) -> Header:
    """Size and channels of a picture, of which nothing is decoded.

    Raises:
      BadInput: if it is no picture, or one that cannot be read without a loss.
    """
    if not file.size:
        raise BadInput(f"{listing.where}: {file.name} is empty, and no picture")
    try:
        with listing.path(file).open("rb") as opened:
            return _header(opened, f"{listing.where}: {file.name}")
    except OSError as error:
        raise BadInput(f"{listing.where}: {file.name} cannot be read ({error.strerror or error})") from None


def _header(opened: Any, where: str) -> Header:
    picture = _opened(opened, where)
    width, height = picture.size
    if _turn(picture) >= 5:  # by a quarter
        width, height = height, width
    return Header(height, width, 1 if picture.mode in ("1", "L", "LA") else 3)


def _turn(picture: Any) -> int:
    """EXIF's orientation of a picture that is not decoded: 1 ... 8, as a viewer turns it."""
    if picture.format == "PNG" and "exif" not in picture.info:  # Pillow would decode it to look behind its pixels
        return 1
    return picture.getexif().get(0x0112, 1)


def _opened(opened: Any, where: str) -> Any:
    """Pillow's picture, undecoded."""
    from PIL import Image

    try:
        picture = Image.open(opened, formats=FORMATS)
        width, height = picture.size
        frames = getattr(picture, "n_frames", 1)
    except Image.DecompressionBombError:
        width = height = MOST_PIXELS
    except Exception as error:  # Pillow raises what it likes for bytes that are no picture
        told = "is no picture" if isinstance(error, Image.UnidentifiedImageError) else f"is damaged ({_first(error)})"
        raise BadInput(f"{where} {told}; remove it, or put it back as it was") from None
    if width * height > MOST_PIXELS:
        size = f"{width} x {height} pixels" if width < MOST_PIXELS else "too many pixels"
        raise BadInput(f"{where} says that it has {size}, and at most {MOST_PIXELS} are read; make it smaller")
    if frames > 1 and picture.format not in ("JPEG", "MPO"):  # a telephone's second picture is a copy of the first
        raise BadInput(f"{where} has {frames} frames, and one is wanted; save one of them")
    if picture.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA") or ";16" in str(picture.tile):
        kind = "16 bits a channel" if ";16" in f"{picture.mode}{picture.tile}" else f"mode {picture.mode}"
        raise BadInput(f"{where} has {kind}, and 8 bits of grey or RGB are wanted; save it so")
    return picture


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
        where = f"{self.listing.where}: {file.name}"
        image = as_colour(decoded(self.listing.read(file), where), "rgb" if self.shape[2] == 3 else "grey")
        if image.shape[:2] != self.shape[:2]:
            if self.fit == "refuse":
                raise BadInput(f"{where} has changed while it is read; start anew")
            image = fitted(image, self.shape[:2], self.fit)
        return image


def decoded(content: bytes, where: str) -> np.ndarray:
    """uint8 `[H, W, 1]` or `[H, W, 3]` of the bytes of a picture.

    Raises:
      BadInput: if they are damaged, or would lose something.
    """
    from PIL import ImageOps

    picture = _opened(io.BytesIO(content), where)
    try:
        is_turned = _turn(picture) != 1
        picture.load()
        picture = ImageOps.exif_transpose(picture) if is_turned else picture
        is_seen_through = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        if is_seen_through and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
            raise BadInput(f"{where} is transparent in places; put it on a background")
        grey = picture.mode in ("1", "L", "LA")
        image = np.array(picture.convert("L" if grey else "RGB"))
    except BadInput:
        raise
    except Exception as error:  # Pillow's decoders, each its own
        raise BadInput(f"{where} is damaged ({_first(error)}); remove it, or put it back as it was") from None
    return image[..., None] if image.ndim == 2 else image


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
