"""Pictures in files: known by their headers before anything is unpacked, and read as a viewer shows them.

Turned as EXIF says, grey `[H, W, 1]` or RGB `[H, W, 3]`. What would lose something on its way to uint8 is refused: 16
bits, transparency, several frames, more pixels than `MOST_PIXELS`. What is refused is a ValueError that says why in
words that follow a name: "is no picture".
"""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adl.core import first_line

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
MOST_PIXELS = 2**26  # of one picture: 200 MB as RGB


class Header(NamedTuple):
    """What a file says of its picture."""

    height: int
    width: int
    channels: int


def undecoded(file: Any, formats: Sequence[str] = FORMATS) -> Any:
    """Pillow's picture of a file that is open, not yet unpacked.

    Args:
      file: with `read` and `seek`.
      formats: that are understood.
    Raises:
      ValueError: if it is no picture, damaged, or of more than `MOST_PIXELS`.
    """
    from PIL import Image

    try:
        picture = Image.open(file, formats=formats)
        width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"says that it has too many pixels, far more than {MOST_PIXELS}") from None
    except Exception as error:  # Pillow raises what it likes for bytes that are no picture
        is_none = isinstance(error, Image.UnidentifiedImageError)
        of = f" {' or '.join(formats)}" if len(formats) < len(FORMATS) else ""
        raise ValueError(f"is no{of} picture" if is_none else f"is damaged ({first_line(error)})") from error
    if width * height > MOST_PIXELS:
        raise ValueError(f"says that it has {width} x {height} pixels, more than {MOST_PIXELS}")
    return picture


def header(file: Any) -> Header:
    """Size and channels of the picture in a file that is open, of which nothing is unpacked.

    Raises:
      ValueError: if it is no picture, or one that cannot be read without a loss.
    """
    picture = _whole(file)
    try:
        is_turned = _turn(picture) >= 5  # by a quarter
    except Exception as error:  # of damaged EXIF
        raise ValueError(f"is damaged ({first_line(error)})") from error
    width, height = picture.size[::-1] if is_turned else picture.size
    return Header(height, width, 1 if picture.mode in ("1", "L", "LA") else 3)


def decoded(content: bytes) -> np.ndarray:
    """uint8 `[H, W, 1]` or `[H, W, 3]` of the bytes of a picture.

    Raises:
      ValueError: if they are no picture, damaged, or would lose something.
    """
    from PIL import ImageOps

    picture = _whole(io.BytesIO(content))
    try:
        is_turned = _turn(picture) != 1
        picture.load()
        picture = ImageOps.exif_transpose(picture) if is_turned else picture
        is_seen_through = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        alpha = np.asarray(picture.convert("RGBA"))[..., 3] if is_seen_through else None
        grey = picture.mode in ("1", "L", "LA")
        image = np.array(picture.convert("L" if grey else "RGB"))
    except Exception as error:  # Pillow's decoders, each its own
        raise ValueError(f"is damaged ({first_line(error)})") from error
    if alpha is not None and alpha.min() < 255:
        raise ValueError("is transparent in places, and a background is wanted")
    return image[..., None] if image.ndim == 2 else image


def _whole(file: Any) -> Any:
    """A picture, undecoded, all of which is 8 bits of grey or RGB."""
    picture = undecoded(file)
    try:
        frames = getattr(picture, "n_frames", 1)
    except Exception as error:  # it looks through the file
        raise ValueError(f"is damaged ({first_line(error)})") from error
    if frames > 1 and picture.format not in ("JPEG", "MPO"):  # a telephone's second picture is a copy of the first
        raise ValueError(f"has {frames} frames, and one is wanted")
    if picture.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA") or ";16" in str(picture.tile):
        kind = "16 bits a channel" if ";16" in f"{picture.mode}{picture.tile}" else f"mode {picture.mode}"
        raise ValueError(f"has {kind}, and 8 bits of grey or RGB are wanted")
    return picture


def _turn(picture: Any) -> int:
    """EXIF's orientation of a picture that is not decoded: 1 ... 8, as a viewer turns it; 1 where it is no such."""
    if picture.format == "PNG" and "exif" not in picture.info:  # Pillow would decode it to look behind its pixels
        return 1
    found = picture.getexif().get(0x0112, 1)
    return found if found in range(1, 9) else 1
