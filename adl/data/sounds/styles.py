"""Pieces of music in seven styles, each of a metre, a rhythm, chords and instruments of its own; key and tempo vary."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from adl.data.sounds.synthesis import RATE, as_pcm, decayed, harmonics, high_noise

SECONDS = 4.0
MAJOR, MINOR, SEVENTH = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10)
MAJOR7, MINOR7 = (0, 4, 7, 11), (0, 3, 7, 10)
Chord = tuple[int, Sequence[int]]  # semitones of its root above the key, and of its notes above the root


class Style(NamedTuple):
    """How a bar goes."""

    beats: int  # of a bar
    tempo: tuple[float, float]  # beats a minute, the least and the most
    bass: Sequence[float]  # beats at which the root sounds
    chords: Sequence[float]  # beats at which the chord does
    drum: Sequence[float]  # beats of the deep drum
    brush: Sequence[float]  # beats of the bright one
    harmony: Sequence[Sequence[Chord]]  # progressions, a chord a bar
    instruments: Sequence[str]  # that may play the chords
    is_broken: bool = False  # whether the notes of a chord come one after the other


_HALVES = (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)
_THIRDS = (0, 0.67, 1, 1.67, 2, 2.67, 3, 3.67)
_PLAIN = [[(0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)], [(0, MAJOR), (7, MAJOR), (9, MINOR), (5, MAJOR)]]
_DARK = [[(0, MINOR), (8, MAJOR), (3, MAJOR), (10, MAJOR)], [(0, MINOR), (5, MINOR), (8, MAJOR), (7, MAJOR)]]
_BLUE = [[(0, SEVENTH), (5, SEVENTH), (0, SEVENTH), (7, SEVENTH)]]
_SOFT = [[(2, MINOR7), (7, SEVENTH), (0, MAJOR7), (9, MINOR7)], [(0, MAJOR7), (9, MINOR7), (2, MINOR7), (7, SEVENTH)]]
STYLES = {
    "waltz": Style(3, (130, 190), (0,), (1, 2), (), (1, 2), _PLAIN, ("reed", "strings", "piano")),
    "march": Style(4, (100, 130), (0, 2), (1, 3), (0, 2), (1, 3, 3.5), _PLAIN, ("reed", "organ")),
    "blues": Style(4, (90, 130), (0, 1, 2, 3), _THIRDS[1::2], (0, 2), _THIRDS, _BLUE, ("piano", "organ", "guitar")),
    "reggae": Style(4, (70, 95), (0, 1.5, 2.5), (0.5, 1.5, 2.5, 3.5), (2,), _HALVES, _PLAIN, ("guitar", "organ")),
    "techno": Style(
        4, (120, 140), _HALVES, (0, 0.75, 1.5, 2.25, 3), (0, 1, 2, 3), (0.5, 1.5, 2.5, 3.5), _DARK, ("saw", "organ")
    ),
    "bossa": Style(
        4, (110, 145), (0, 1.5, 2, 3.5), (0, 1, 2.5, 3.5), (0, 1.5, 2, 3.5), _HALVES, _SOFT, ("guitar", "piano")
    ),
    "ballad": Style(4, (60, 85), (0,), _HALVES, (), (), _PLAIN + _SOFT, ("piano", "guitar", "strings"), True),
}
INSTRUMENTS = {  # amplitudes of harmonics, and seconds in which a note falls to 1 / e
    "reed": ((1, 0.1, 0.8, 0.1, 0.6, 0.1, 0.3), 0.5),
    "strings": ((1, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1), 1.5),
    "piano": ((1, 0.5, 0.25, 0.12, 0.06), 0.4),
    "organ": ((1, 0.9, 0.1, 0.8, 0.1, 0.1, 0.1, 0.6), 2.0),
    "guitar": ((1, 0.7, 0.5, 0.35, 0.2, 0.1), 0.2),
    "saw": (tuple(1 / k for k in range(1, 12)), 0.3),
}
NAMES = tuple(STYLES)


def played(generator: np.random.Generator, label: int) -> np.ndarray:
    """`[T]` int16: four seconds out of a piece, from anywhere in its bar.

    Args:
      generator: of key, tempo, chords, instruments and the player's hand.
      label: of `NAMES`.
    """
    style = STYLES[NAMES[label]]
    beat = 60 / generator.uniform(*style.tempo)
    key, begin = generator.integers(45, 57), generator.uniform(0, style.beats * beat)
    progression = style.harmony[generator.integers(len(style.harmony))]
    instrument = INSTRUMENTS[style.instruments[generator.integers(len(style.instruments))]]
    first, sound = generator.integers(len(progression)), np.zeros(int(SECONDS * RATE))
    for bar in range(1 + int((SECONDS + begin) / (style.beats * beat))):
        root, notes = progression[(first + bar) % len(progression)]
        for at in style.bass:
            _put(
                sound, _note(key + root - 12, 1.2 * beat, INSTRUMENTS["piano"]), bar, at, style, beat, begin, generator
            )
        for turn, at in enumerate(style.chords):
            sounding = [notes[turn % len(notes)]] if style.is_broken else notes
            long = 2 * beat if style.is_broken else 0.9 * beat
            several = sum(_note(key + root + note, long, instrument) for note in sounding)
            _put(sound, 0.5 * several, bar, at, style, beat, begin, generator)
        for at in style.drum:
            _put(sound, 1.5 * _drum(), bar, at, style, beat, begin, generator)
        for at in style.brush:
            noise = 0.3 * high_noise(generator, 800, 1500) * decayed(800, 0.03)
            _put(sound, noise, bar, at, style, beat, begin, generator)
    noise = 10 ** (-generator.uniform(15, 35) / 20) * sound.std()
    return as_pcm(sound + noise * generator.normal(size=len(sound)), generator.uniform(0.3, 0.9))


def _note(midi: float, seconds: float, instrument: tuple[Sequence[float], float]) -> np.ndarray:
    length = int(seconds * RATE)
    amplitude, fades = instrument
    pitch = np.full(length, 440 * 2 ** ((midi - 69) / 12))
    released = np.minimum(1, (length - np.arange(length)) / 200)
    return harmonics(pitch, np.array(amplitude)[:, None]) * decayed(length, fades) * released


def _drum() -> np.ndarray:
    falling = 50 + 100 * np.exp(-np.arange(1600) / 200)
    return harmonics(falling, np.ones((1, 1))) * decayed(1600, 0.08)


def _put(sound: np.ndarray, what: np.ndarray, bar: int, at: float, style: Style, beat: float, begin: float, generator):
    """Adds a sound to a piece, a little early or late and loud or soft, where it is within it."""
    start = (bar * style.beats + at) * beat - begin + generator.normal(0, 0.006)
    start = round(start * RATE)
    what = what * generator.uniform(0.8, 1.2)
    low, high = max(start, 0), min(start + len(what), len(sound))
    if low < high:
        sound[low:high] += what[low - start : high - start]
