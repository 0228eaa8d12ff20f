"""Songs in four voices by rule: chords follow a grammar of phrases, and each voice goes on to a note that is near.

A phrase has eight chords and ends in a cadence. The bass has the root, or at times the third; the three voices above
complete the chord within their ranges, uncrossed, and move as little as they may, up to luck.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.builder import Bundled

RANGES = {"soprano": (60, 79), "alto": (55, 72), "tenor": (48, 67), "bass": (40, 60)}  # MIDI notes
VOICES = tuple(RANGES)
KEYS = 88  # of a piano; key k is the MIDI note LOWEST + k
LOWEST = 21
FOLLOWS = {  # degrees of the scale, and those that may come after them
    0: (3, 4, 5, 1, 0), 1: (4, 4, 6), 2: (5, 3), 3: (4, 0, 1, 4), 4: (0, 0, 5, 3), 5: (1, 3, 4), 6: (0,),
}  # fmt: skip
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 11)}
CHORDS = 8  # of a phrase
STEPS = 2  # of time, for which each chord lasts
_ABOVE = np.stack(
    np.meshgrid(*(np.arange(low, high + 1) for low, high in [*RANGES.values()][:3]), indexing="ij"), -1
).reshape(-1, 3)  # [M, 3] all that soprano, alto and tenor can sing at once
_UNCROSSED = _ABOVE[(np.diff(_ABOVE, axis=1) < 0).all(1)]


def song(generator: np.random.Generator) -> np.ndarray:
    """`[T, 4]` int16 MIDI notes of soprano, alto, tenor and bass: two to four phrases.

    Args:
      generator: of key, chords, and what the voices choose.
    """
    tonic, scale = generator.integers(12), [*SCALES.values()][generator.integers(2)]
    notes, before = [], np.array([70.0, 63.0, 57.0, 50.0])
    for _ in range(generator.integers(2, 5)):
        for degree in _phrase(generator):
            chord = np.array([(tonic + scale[(degree + third) % 7]) % 12 for third in (0, 2, 4)])
            before = _voiced(generator, chord, before)
            notes += [before] * STEPS
            passing = before.copy()  # at times the highest voice goes by a step before the next chord
            passing[0] += generator.choice([-2, -1, 1, 2])
            in_key = (passing[0] - tonic) % 12 in scale
            if generator.random() < 0.2 and in_key and RANGES["soprano"][0] <= passing[0] <= RANGES["soprano"][1]:
                notes[-1] = passing
    return np.array(notes, np.int16)


def _phrase(generator: np.random.Generator) -> list[int]:
    """Degrees of its chords, the last two a cadence."""
    degrees = [0]
    while len(degrees) < CHORDS - 2:
        degrees.append(int(generator.choice(FOLLOWS[degrees[-1]])))
    return [*degrees, *((4, 0) if generator.random() < 0.8 else (3, 4))]


def _voiced(generator: np.random.Generator, chord: np.ndarray, before: np.ndarray) -> np.ndarray:
    """`[4]` the notes of a chord `[3]` of pitch classes, near those before."""
    low, high = RANGES["bass"]
    pitch = chord[0] if generator.random() < 0.8 else chord[1]
    bass = min((note for note in range(low, high + 1) if note % 12 == pitch), key=lambda note: abs(note - before[3]))
    above = _UNCROSSED[np.isin(_UNCROSSED % 12, chord).all(1) & (_UNCROSSED[:, 2] > bass)]
    whole = [np.any(np.c_[above, np.full(len(above), bass)] % 12 == tone, 1) for tone in chord]
    above = above[np.all(whole, 0)]
    moves = np.abs(above - before[:3]).sum(1) + generator.gumbel(size=len(above))
    return np.array([*above[moves.argmin()], bass], float)


def roll(notes: np.ndarray) -> np.ndarray:
    """`[T, 88]` uint8: 1 where a key sounds, of MIDI notes `[T, 4]`; -1 is silence."""
    found = np.zeros((len(notes), KEYS), np.uint8)
    time, voice = np.nonzero(notes >= LOWEST)
    found[time, notes[time, voice] - LOWEST] = 1
    return found


class PartSongs(Bundled):
    """Songs in four voices, made by rule; the columns are those of `jsb_chorales` and of `jsb_chorales_satb`."""

    name = "part_songs"
    parts = {"train": (229, 1), "validation": (76, 2), "test": (77, 3)}  # songs and seed

    def _info(self) -> tfds.core.DatasetInfo:
        raw = {"encoding": "bytes"}
        columns = {
            "notes": tfds.features.Tensor(shape=(None, 4), dtype=np.int16, **raw),
            "piano_roll": tfds.features.Tensor(shape=(None, KEYS), dtype=np.uint8, **raw),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Songs in four voices by a grammar of chords, two steps a chord; MIDI notes, and keys.",
            features=tfds.features.FeaturesDict(columns),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {name: self._generate_examples(*part) for name, part in self.parts.items()}

    def _generate_examples(self, num: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
        generator = np.random.default_rng(seed)
        for index in range(num):
            notes = song(generator)
            yield index, {"notes": notes, "piano_roll": roll(notes)}
