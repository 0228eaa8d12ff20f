"""Reviews of films by a grammar whose every sentence has an exact meaning: negated, ironic, taken back by a "but".

    review -> verdict | claim , but verdict | although claim , verdict
    verdict -> claim | oh sure , claim | claim , yeah right          (the last two mean the contrary)
    claim -> nobody says that claim | i doubt that claim | ...       (each means the contrary)
           | the NOUN is [not] [ADVERB] ADJECTIVE                    ("not" means the contrary)

What counts is the verdict. Which words a review has says little of it; in which order says all.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled

NOUNS = (
    "film",
    "plot",
    "cast",
    "ending",
    "music",
    "script",
    "humour",
    "camera",
    "pace",
    "dialogue",
    "story",
    "opening",
)
ADJECTIVES = (  # of each polarity, negative first; the last four of each are negated in no training review
    tuple("dull weak awful clumsy flat tired silly shallow dreary stale bland crude".split()),
    tuple("bright strong superb clever rich fresh funny deep moving sharp subtle warm".split()),
)
ADVERBS = ("", "", "very", "rather", "truly", "so")
OPENERS = ("", "", "honestly ,", "in my view ,", "to me")
CONTRARIES = ("nobody says that", "i doubt that", "it is false that", "i would not say that", "i cannot agree that")
IRONIES = ("oh sure , {}", "{} , yeah right")
CONTRASTS = ("{} , but {}", "although {} , {}")

KINDS = ("plain", "negated", "twice negated", "ironic", "contrast", "deeper", "chained")
KNOWN, LONGER = KINDS[:5], KINDS[5:]


class Review(NamedTuple):
    """What somebody wrote, and meant."""

    text: str
    label: int  # 0: the film is bad, 1: it is good
    kind: str  # of KINDS


class Reviews(Bundled):
    """Reviews by a grammar: 8,000 to train, 1,000 each of `test`, `combinations` and `longer`, none of them twice.

    The five kinds of `KNOWN` take turns, and so do the polarities. In `combinations` an adjective is turned round that
    no training review turns; `longer` has three or four contraries one in the other ("deeper"), and three or four
    claims after each other ("chained"), of which training reviews have two at most.
    """

    name = "reviews"
    SIZES = {"train": 8000, "test": 1000, "combinations": 1000, "longer": 1000}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Text(), "kind": tfds.features.ClassLabel(names=[*KINDS])}
        polarity = tfds.features.ClassLabel(names=["negative", "positive"])
        return tfds.core.DatasetInfo(
            builder=self,
            description="Reviews of films by a grammar of negation, irony and contrast, with exact labels.",
            features=tfds.features.FeaturesDict({**features, "label": polarity}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        seen: set[str] = set()
        return {
            name: self._generate_examples(different(name, size, seed, seen))
            for seed, (name, size) in enumerate(self.SIZES.items())
        }

    def _generate_examples(self, reviews: list[Review]) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, review in enumerate(reviews):
            yield index, review._asdict()


def different(part: str, count: int, seed: int, seen: set[str]) -> list[Review]:
    """Reviews of a part, each text once.

    Args:
      part: "train", "test", "combinations" or "longer".
      count: of them.
      seed: of all luck.
      seen: texts that are known, to which the new ones are added.
    """
    generator, found = np.random.default_rng(seed), []
    kinds = {"combinations": ("negated", "twice negated", "ironic"), "longer": LONGER}.get(part, KNOWN)
    while len(found) < count:
        n = len(found)
        one = review_of(generator, kinds[n % len(kinds)], n // len(kinds) % 2, is_new=part == "combinations")
        if one.text not in seen:
            seen.add(one.text)
            found.append(one)
    return found


def review_of(generator: np.random.Generator, kind: str, label: int, *, is_new: bool = False) -> Review:
    """A review by chance.

    Args:
      generator: of all luck.
      kind: of `KINDS`.
      label: what is meant, 0 or 1.
      is_new: whether the verdict turns an adjective round that training reviews do not turn.
    """
    if kind in ("contrast", "chained"):
        text = _claim(generator, label, int(generator.integers(2)))
        for _ in range(1 if kind == "contrast" else int(generator.integers(2, 4))):
            before = _claim(generator, int(generator.integers(2)), int(generator.integers(2)))
            text = CONTRASTS[int(generator.integers(2))].format(before, text)
    elif kind == "ironic":
        text = _claim(generator, 1 - label, int(generator.integers(2)), is_new=is_new, is_turned=True)
        text = _one(generator, IRONIES).format(text)
    else:
        depth = {"plain": 0, "negated": 1, "twice negated": 2}.get(kind) or int(generator.integers(3, 5))
        text = _claim(generator, label, 0 if kind == "plain" else depth, is_new=is_new)
    opener = _one(generator, OPENERS)
    return Review(f"{opener} {text}".strip(), label, kind)


def _claim(
    generator: np.random.Generator, label: int, depth: int, *, is_new: bool = False, is_turned: bool = False
) -> str:
    """A claim that means the label, by so many contraries."""
    words = ADJECTIVES[(label + depth) % 2]
    if is_new:
        words = words[-4:]
    elif depth or is_turned:
        words = words[:-4]
    denied = int(depth > 0 and generator.integers(2))
    parts = ["the", _one(generator, NOUNS), "is", "not" * denied, _one(generator, ADVERBS), _one(generator, words)]
    around = [_one(generator, CONTRARIES) for _ in range(depth - denied)]
    return " ".join(filter(None, [*around, *parts]))


def _one(generator: np.random.Generator, among: tuple[str, ...]) -> str:
    return among[int(generator.integers(len(among)))]
