"""Pictures of a body with its joints: read together, brought to one size together, mirrored together.

Joints are (x, y) in pixels, of which the first goes from 0 to 1, in the order of LSP (Johnson & Everingham 2010), which
is that of `scenes.JOINTS`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data.files.found import About
from adl.data.fitting import as_colour
from adl.data.scenes import JOINTS
from adl.data.source import load
from adl.data.split import Split

_SIDES = {"right": "left", "left": "right"}
MIRRORED = tuple(JOINTS.index(" ".join(_SIDES.get(word, word) for word in name.split())) for name in JOINTS)
BEYOND = 0.1  # of a picture's side: so far outside it a joint that is called visible may lie


def with_joints(name: str, *, of: Sequence[str], side: int, is_exact: bool, **how: Any) -> tuple[Split, ...]:
    """Splits of pictures with joints, all of one size: shrunk or grown as a whole, and padded with zeros.

    Args:
      name: as in `data.load`; its columns are "image", perhaps of several sizes, "joints" `[N, 14, 2]` and "visible"
        `[N, 14]`.
      of: the splits, in TFDS's words.
      side: height and width that pictures are brought to, in pixels.
      is_exact: whether places of joints that are not visible mean something too.
      **how: as in `data.load`.
    Returns:
      "image" `[N, side, side, 3]` uint8; "joints" `[N, 14, 2]` float32 in its pixels; "visible" `[N, 14]` bool; "known"
      `[N, 14]` bool, where a joint's place means something.
    Raises:
      BadInput: as `data.load`; or for other shapes, pictures that are none, or joints that are no numbers where they
        are visible.
    """
    wanted = ("image", "joints", "visible")
    splits = []
    for words in of:
        found = load(name, words, wanted=wanted, **how)
        found = Split({**found.require("joints", "visible").arrays, "image": _pictures(found)}, found.info)
        splits.append(_checked(found, side, is_exact, f"data set {name}, split {words}"))
    return tuple(splits)


def letterboxed(image: np.ndarray, joints: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture at `[side, side, C]`, all of it in its proportions in the middle of zeros, and its joints there.

    Args:
      image: `[H, W, C]` uint8.
      joints: `[J, 2]` (x, y) in its pixels.
      side: in pixels.
    """
    import cv2

    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(round(height * scale), 1), max(round(width * scale), 1))
    top, left = ((side - part) // 2 for part in size)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=way).reshape(*size, -1)
    canvas = np.zeros((side, side, small.shape[-1]), np.uint8)
    canvas[top : top + size[0], left : left + size[1]] = small
    grown = np.array([size[1] / width, size[0] / height])
    return canvas, (joints * grown + np.array([left, top])).astype(np.float32)


def _pictures(split: Split) -> np.ndarray:
    """The column "image", also of several sizes; `require` says what is wrong where it is none."""
    image = split.require("image", "joints", "visible").arrays["image"] if "image" not in split.names else None
    image = split.column("image") if image is None else image
    if not len(image) or any(
        not isinstance(one, np.ndarray) or one.dtype != np.uint8 or one.ndim != 3 or one.shape[-1] not in (1, 3)
        for one in image
    ):
        split.require("image")  # of other types and ranks it says what they are
        raise BadInput(f"pictures have {image[0].shape[-1]} channels: they must be grey, or RGB")
    return image


def _checked(split: Split, side: int, is_exact: bool, where: str) -> Split:
    joints, visible = (split.arrays[name] for name in ("joints", "visible"))
    for name, array, shape in (("joints", joints, (len(JOINTS), 2)), ("visible", visible, (len(JOINTS),))):
        if array.shape[1:] != shape:
            wanted = ", ".join(map(str, shape))
            told = f"{name} is {array.dtype} {list(array.shape)}"
            raise BadInput(f"{where}: {told}; it must be [N, {wanted}], the joints of LSP, {JOINTS[0]} first")
    visible, is_number = visible > 0, np.isfinite(joints).all(-1)
    if lost := np.argwhere(visible & ~is_number).tolist():
        row, joint = lost[0]
        raise BadInput(f"{where}: {JOINTS[joint]} of example {row} is visible, and its place is no finite number")
    sides = np.array([image.shape[1::-1] for image in split.arrays["image"]], np.float32)[:, None]
    _require_pixels(joints, visible, sides, where)
    is_within = ((joints >= 0) & (joints <= sides)).all(-1)
    known = is_number & is_within if is_exact else visible
    boxed = [
        letterboxed(as_colour(image, "rgb"), np.where(here[:, None], place, 0), side)
        for image, place, here in zip(split.arrays["image"], joints, known, strict=True)
    ]
    columns = {"image": np.stack([image for image, _ in boxed]), "joints": np.stack([place for _, place in boxed])}
    return Split({**columns, "visible": visible & known, "known": known}, About(where))


def _require_pixels(joints: np.ndarray, visible: np.ndarray, sides: np.ndarray, where: str) -> None:
    """Refuses joints in another unit than pixels, and those far beyond their pictures."""
    if visible.any() and np.abs(joints[visible]).max() <= 1:
        raise BadInput(f"{where}: joints lie within 0 ... 1; they must be in pixels: multiply by width and height")
    is_far = (np.abs(joints - sides / 2) > (0.5 + BEYOND) * sides).any(-1)
    if far := np.argwhere(visible & is_far).tolist():
        row, joint = far[0]
        place = " x ".join(f"{value:g}" for value in sides[row, 0])
        told = f"{JOINTS[joint]} of example {row} is visible at {joints[row, joint].round(1).tolist()} (x, y)"
        raise BadInput(f"{where}: {told}, outside its picture, which is {place} pixels (width x height)")
