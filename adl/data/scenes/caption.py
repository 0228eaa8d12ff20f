"""What a scene shows, in words of a small grammar.

    caption -> thing relation thing ["; " thing relation thing]
    thing -> "a" colour noun
    noun -> class, or "zero" ... "nine" for a digit
    relation -> "left of" | "right of" | "above" | "below" | "in front of"

Things come as they are in the scene, the nearest first, two by two; one that is left over comes alone.
"""

import numpy as np

from adl.data.scenes.layout import COLOURS
from adl.data.scenes.shapes import CLASSES

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
APART = 0.15  # of the picture: middles that are nearer are neither beside nor above each other
MOST = 4  # things that are told of


def caption(label: np.ndarray, present: np.ndarray, box: np.ndarray, colour: np.ndarray, digit: np.ndarray) -> str:
    """Words about the nearest things of one scene.

    Args:
      label: `[S]` int class.
      present: `[S]` 1 where a thing is.
      box: `[S, 4]` ymin, xmin, ymax, xmax, over height and width.
      colour: `[S]` int, of `layout.COLOURS`.
      digit: `[S]` 0 ... 9, which digit it is, where it is one.
    """
    rows = np.flatnonzero(present)[:MOST]
    names = [_thing(CLASSES[label[row]], list(COLOURS)[colour[row]], NUMBERS[digit[row]]) for row in rows]
    parts = []
    for first in range(0, len(rows), 2):
        if first + 1 == len(rows):
            parts.append(names[first])
        else:
            relation = _relation(box[rows[first]], box[rows[first + 1]])
            parts.append(f"{names[first]} {relation} {names[first + 1]}")
    return "; ".join(parts)


def _thing(noun: str, colour: str, number: str) -> str:
    noun = number if noun == "digit" else noun
    article = "an" if colour[0] in "aeiou" else "a"
    return f"{article} {colour} {noun}"


def _relation(a: np.ndarray, b: np.ndarray) -> str:
    down, right = (a[:2] + a[2:] - b[:2] - b[2:]) / 2
    if max(abs(down), abs(right)) < APART:
        return "in front of"
    if abs(right) >= abs(down):
        return "left of" if right < 0 else "right of"
    return "above" if down < 0 else "below"
