"""Questions about told scenes, each with one word as its answer.

    colour: "what colour is the disc?", of the only disc; "what colour is the thing top left?"
    shape:  "what shape is the red thing?", of the only red one; "what shape is the thing top left?"
    number: "how many things are there?", "how many red things are there?", "how many discs are there?"
    left:   "is the red disc left of the cyan star?", of two things in different columns

Half of the answers about what is left are yes. Where a scene has a pair of a colour and a noun that is held out, its
questions are about that thing: its colour or its shape, and whether it is left of another.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from adl.data.scenes.told import HELD_OUT, HUES, NOUNS, PLACES

KINDS = {"colour": "its colour", "shape": "its shape", "number": "how many", "left": "which is left"}
COUNTS = ("zero", "one", "two", "three", "four")


class AskedAbout(NamedTuple):
    """A question about a scene."""

    scene: int  # its row
    kind: int  # of `KINDS`
    text: str  # "what colour is the disc?"
    answer: str  # "red"


class Mentioned(NamedTuple):
    """A thing of a told scene, in words."""

    hue: str
    noun: str
    place: int
    is_new: bool  # whether its pair of colour and noun is held out


def questions_about(colour: np.ndarray, noun: np.ndarray, *, seed: int) -> list[AskedAbout]:
    """A question of each kind about each scene, where it can be asked: of one thing nobody asks what is left of it.

    Args:
      colour: `[N, 4]`, as in `told.Captioned`.
      noun: `[N, 4]`, as in `told.Captioned`.
      seed: >= 0, of which thing is asked for, and how.
    """
    asked = []
    for scene, (hues, nouns) in enumerate(zip(colour, noun, strict=True)):
        luck = np.random.Generator(np.random.Philox(key=[seed, scene]))
        things = [
            Mentioned(HUES[h - 1], NOUNS[n - 1], place, (h - 1, n - 1) in HELD_OUT)
            for place, (h, n) in enumerate(zip(hues.tolist(), nouns.tolist(), strict=True))
            if n
        ]
        for kind, name in enumerate(KINDS):
            asked += [AskedAbout(scene, kind, *said) for said in _ASK[name](luck, things)]
    return asked


def _colour(luck: np.random.Generator, things: list[Mentioned]) -> Iterator[tuple[str, str]]:
    thing = _subject(luck, things)
    is_only = sum(other.noun == thing.noun for other in things) == 1
    name = thing.noun if is_only and luck.random() < 0.5 else f"thing {PLACES[thing.place]}"
    yield f"what colour is the {name}?", thing.hue


def _shape(luck: np.random.Generator, things: list[Mentioned]) -> Iterator[tuple[str, str]]:
    thing = _subject(luck, things)
    is_only = sum(other.hue == thing.hue for other in things) == 1
    name = f"{thing.hue} thing" if is_only and luck.random() < 0.5 else f"thing {PLACES[thing.place]}"
    yield f"what shape is the {name}?", thing.noun


def _number(luck: np.random.Generator, things: list[Mentioned]) -> Iterator[tuple[str, str]]:
    how = luck.integers(3)
    if how == 0:
        yield "how many things are there?", COUNTS[len(things)]
    elif how == 1:
        hue = _subject(luck, things).hue if luck.random() < 0.7 else HUES[luck.integers(len(HUES))]
        yield f"how many {hue} things are there?", COUNTS[sum(thing.hue == hue for thing in things)]
    else:
        noun = _subject(luck, things).noun if luck.random() < 0.7 else NOUNS[luck.integers(len(NOUNS))]
        yield (
            f"how many {noun}{'es' if noun[-1] == 's' else 's'} are there?",
            COUNTS[sum(thing.noun == noun for thing in things)],
        )


def _left(luck: np.random.Generator, things: list[Mentioned]) -> Iterator[tuple[str, str]]:
    names = [(thing.hue, thing.noun) for thing in things]
    pairs = [
        (a, b)
        for a in things
        for b in things
        if a.place % 2 < b.place % 2 and names.count(a[:2]) == names.count(b[:2]) == 1
    ]
    if any(thing.is_new for thing in things):
        pairs = [pair for pair in pairs if any(thing.is_new for thing in pair)]
    if pairs:
        a, b = pairs[luck.integers(len(pairs))]
        is_left = luck.random() < 0.5
        a, b = (a, b) if is_left else (b, a)
        yield f"is the {a.hue} {a.noun} left of the {b.hue} {b.noun}?", "yes" if is_left else "no"


def _subject(luck: np.random.Generator, things: list[Mentioned]) -> Mentioned:
    """Which thing is asked for: one of a pair that is held out, where there is one."""
    among = [thing for thing in things if thing.is_new] or things
    return among[luck.integers(len(among))]


_ASK = {"colour": _colour, "shape": _shape, "number": _number, "left": _left}
