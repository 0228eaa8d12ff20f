"""Photographs one at a time: scikit-learn's two, by their names, or files of one's own; and patches of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adl.core import BadInput, did_you_mean, local_path
from adl.data.fitting import as_colour, fitted
from adl.data.picture import decoded
from adl.data.split import Split

NAMES = ("china", "flower")  # scikit-learn's `load_sample_images`, 427 x 640


def photograph(word: str, size: Sequence[int], *, flag: str) -> np.ndarray:
    """uint8 `[H, W, 3]`: the middle of a picture, of the wanted proportions and at the wanted size.

    Args:
      word: "china" or "flower", or the path of a picture, which has a "/" or a "." in it.
      size: H, W.
      flag: that the word was given with, for what is said where there is no such picture.
    Raises:
      BadInput: if there is none, or it cannot be read.
    """
    if word in NAMES:
        from sklearn.datasets import load_sample_image

        return fitted(load_sample_image(f"{word}.jpg"), size, "crop")
    if not word or not set(word) & {"/", "."}:
        wanted = f"it must be {' or '.join(NAMES)}, or the path of a picture"
        raise BadInput(f"{flag} {word or repr(word)}: {wanted}{did_you_mean(word, NAMES)}")
    path = local_path(word, flag)
    if not path.is_file():
        raise BadInput(f"{flag} {word}: there is no such file")
    try:
        return fitted(as_colour(decoded(Path(path).read_bytes()), "rgb"), size, "crop")
    except (ValueError, OSError) as error:
        raise BadInput(f"{flag} {word} {error}") from error


def patches(images: np.ndarray, num: int, *, side: int, rows: int, columns: int, seed: int = 0) -> Split:
    """So many squares of pictures, each with the region that its middle lies in: "image" `[N, side, side, C]`, "label".

    What tells regions apart are textures and colours: a task to learn features of a few pictures from.

    Args:
      images: `[M, H, W, C]` uint8.
      num: N.
      side: of a square, at most H and W.
      rows: of the regions of a picture.
      columns: of these; there are M rows columns classes.
      seed: of the places.
    """
    rng = np.random.default_rng(seed)
    height, width = images.shape[1:3]
    which, top, left = (rng.integers(0, most, num) for most in (len(images), height - side + 1, width - side + 1))
    at = np.arange(side)
    image = images[which[:, None, None], (top[:, None] + at)[:, :, None], (left[:, None] + at)[:, None]]
    row, column = (
        (start + side // 2) * count // size for start, count, size in ((top, rows, height), (left, columns, width))
    )
    return Split({"image": image, "label": ((which * rows + row) * columns + column).astype(np.int32)})
