"""Answers that are pictures, as the files that a person gets: one for each, in a folder.

Pictures and classes at each pixel are PNG; the latter with a palette, so that a viewer shows colours and
`np.asarray(PIL.Image.open(...))` has the numbers of the classes. Numbers at each pixel are .npy, in their unit.
"""

import io

import numpy as np

from adl.run.offer import Images, Maps

HUE = 0.381966  # of a turn, from one class to the next: no two of a few are alike


def ending(gives: Images | Maps) -> str:
    """Of the files' names."""
    return ".npy" if isinstance(gives, Maps) and not gives.names else ".png"


def content(gives: Images | Maps, one: np.ndarray) -> bytes:
    """The bytes of one answer's file."""
    file = io.BytesIO()
    if isinstance(gives, Images):
        import cv2

        pixels = np.round(255 * np.clip(one, 0, 1)).astype(np.uint8)[..., ::-1]
        return cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
    if not gives.names:
        np.save(file, one)
        return file.getvalue()
    from PIL import Image

    picture = Image.fromarray(one.argmax(-1).astype(np.uint8))
    picture.putpalette(palette(len(gives.names)).reshape(-1).tolist())
    picture.save(file, "PNG")
    return file.getvalue()


def palette(num: int) -> np.ndarray:
    """`[num, 3]` uint8 colours of classes; the first is black."""
    k = np.arange(num)[:, None]
    value, turn = np.where(k % 3 == 2, 0.65, 0.95), (np.array([5, 3, 1]) + 6 * HUE * k) % 6
    rgb = value * (1 - 0.75 * np.clip(np.minimum(turn, 4 - turn), 0, 1))
    return np.where(k == 0, 0, np.round(255 * rgb)).astype(np.uint8)
