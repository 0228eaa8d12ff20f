"""Synthesised data sets, as TFDS builders: their seeds are fixed, so that a number on one of them means something.

`sounds/syllables`: audio int16 [T] of 8,000 samples a second, label (which syllable, in which tone), speaker. Its test
split has other takes of the same speakers, its third, "held_out", speakers whom the others do not have.
`sounds/styles`: audio int16 [32000], label. Its test split has other pieces.
Of each there is a small one for a first look: `sounds/NAME_sample`.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled
from adl.data.sounds import styles, syllables
from adl.data.sounds.synthesis import RATE


class Takes(NamedTuple):
    """A split: so many examples of each class, of each of several speakers."""

    num: int
    seed: int
    speakers: range = range(1)


class _Synthesised(Bundled, skip_registration=True):
    """Examples `{"audio": int16 [T], "label": int, ...}` made one by one."""

    description: str
    labels: tuple[str, ...]
    parts: Mapping[str, Takes]

    def _audio(self, generator: np.random.Generator, speaker: int, label: int) -> np.ndarray:
        """`[T]` of one example."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        columns = {
            "audio": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
            "label": tfds.features.ClassLabel(names=list(self.labels)),
            "speaker": np.int32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.description,
            features=tfds.features.FeaturesDict(columns),
            metadata=tfds.core.MetadataDict(sample_rate=RATE),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        num = sum(part.num * len(part.speakers) for part in self.parts.values()) * len(self.labels)
        if num > 500:
            print(f"sounds: synthesising {num:,}, once; about a minute", file=sys.stderr, flush=True)
        return {name: self._generate_examples(part) for name, part in self.parts.items()}

    def _generate_examples(self, part: Takes) -> Iterator[tuple[int, dict[str, Any]]]:
        generator, at = np.random.default_rng(part.seed), 0
        for speaker in part.speakers:
            for label in list(range(len(self.labels))) * part.num:
                yield at, {"audio": self._audio(generator, speaker, label), "label": label, "speaker": speaker}
                at += 1


class Syllables(_Synthesised, skip_registration=True):
    """Five syllables, each in two tones, by speakers of all sizes."""

    name = "sounds"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="syllables")]
    description = "Synthesised syllables in a rising or a falling tone, 8 kHz, with noise at 10 to 30 dB below them."
    labels = syllables.NAMES
    parts = {
        "train": Takes(20, 1, range(8)),
        "test": Takes(5, 2, range(8)),
        "held_out": Takes(5, 3, range(8, 16)),
    }

    def _audio(self, generator: np.random.Generator, speaker: int, label: int) -> np.ndarray:
        return syllables.utterance(generator, syllables.speaker(np.random.default_rng([7, speaker])), label)


class SyllablesSample(Syllables, skip_registration=True):
    """A few."""

    name = "sounds"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="syllables_sample")]
    parts = {"train": Takes(2, 1, range(2)), "test": Takes(1, 2, range(2)), "held_out": Takes(1, 3, range(2, 4))}


class Styles(_Synthesised, skip_registration=True):
    """Four seconds of music in one of seven styles."""

    name = "sounds"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="styles")]
    description = "Synthesised pieces of music, 8 kHz, in styles that differ in rhythm, harmony and instruments."
    labels = styles.NAMES
    parts = {"train": Takes(120, 4), "test": Takes(40, 5)}

    def _audio(self, generator: np.random.Generator, speaker: int, label: int) -> np.ndarray:
        return styles.played(generator, label)


class StylesSample(Styles, skip_registration=True):
    """A few."""

    name = "sounds"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="styles_sample")]
    parts = {"train": Takes(4, 4), "test": Takes(2, 5)}


SETS = {
    builder.BUILDER_CONFIGS[0].name: builder for builder in (Syllables, SyllablesSample, Styles, StylesSample)
}  # by name, after "sounds/"
