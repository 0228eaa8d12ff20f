"""Pictures brought to one size and one kind of colour, as a flag says; never unasked."""

import re
from collections.abc import Sequence

import numpy as np

from adl.core import BadInput

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
LARGEST = 2**14  # of a side
MOST_CHANNELS = 128  # that OpenCV resizes


def wanted_size(size: str, fit: str) -> tuple[int, int] | None:
    """Height and width of --picture_size; None where nothing is asked.

    Raises:
      BadInput: if it is no size, or one of the two flags stands without the other.
    """
    if not size:
        if fit != "refuse":
            raise BadInput(f"--picture_fit {fit}: give --picture_size HxW as well, such as 64x64")
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", size, re.ASCII)
    if not match or max(map(int, match.groups())) > LARGEST:
        raise BadInput(f"--picture_size {size}: it must be HxW, height and width in pixels, such as 64x64")
    if fit == "refuse":
        raise BadInput(
            f"--picture_size {size}: say how pictures get there: --picture_fit resize (all of a picture, stretched) "
            "or --picture_fit crop (its middle)"
        )
    return int(match[1]), int(match[2])


def fitted(image: np.ndarray, size: Sequence[int], fit: str) -> np.ndarray:
    """A picture `[H, W, C]` at another size `[H', W', C]`.

    Args:
      image: uint8.
      size: H', W'.
      fit: "resize": all of it, stretched; "crop": its middle, of the wanted proportions, then resized.
    """
    import cv2

    if image.shape[2] > MOST_CHANNELS:
        raise BadInput(f"--picture_fit {fit}: pictures have {image.shape[2]} channels, more than {MOST_CHANNELS}")
    height, width = size
    if fit == "crop":
        scale = min(image.shape[0] / height, image.shape[1] / width)
        cut = [min(max(round(side * scale), 1), have) for side, have in zip(size, image.shape[:2], strict=True)]
        top, left = ((have - side) // 2 for have, side in zip(image.shape[:2], cut, strict=True))
        image = image[top : top + cut[0], left : left + cut[1]]
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    # By areas where it shrinks, so that no pixel is skipped.
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=way).reshape(height, width, -1)


def as_colour(image: np.ndarray, colour: str) -> np.ndarray:
    """A picture `[..., C]` of 1 or 3 channels as "grey" `[..., 1]` (by its luma), "rgb" `[..., 3]`, or "kept"."""
    if colour != "kept" and image.shape[-1] not in (1, 3):
        raise BadInput(f"--picture_colour {colour}: pictures have {image.shape[-1]} channels, neither grey nor RGB")
    if colour == "rgb" and image.shape[-1] == 1:
        return np.repeat(image, 3, -1)
    if colour == "grey" and image.shape[-1] == 3:
        return np.round(image.astype(np.float32) @ LUMA).astype(np.uint8)[..., None]
    return image
