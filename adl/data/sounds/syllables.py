"""Syllables with a tone, said by speakers whose heads, voices and habits differ."""

from typing import NamedTuple

import numpy as np

from adl.data.sounds.synthesis import RATE, as_pcm, harmonics, high_noise, resonance

VOWELS = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240)}  # formants of men, Hz
ONSETS = {"m": (250, 1000, 2200), "l": (350, 1300, 2700), "n": (250, 1700, 2600)}  # of what is voiced before them
SYLLABLES = ("sa", "si", "mu", "la", "ni")
TONES = {"rising": 1.0, "falling": -1.0}
STEP = 16  # samples, 2 ms, for which a mouth is taken to stand still
NAMES = tuple(f"{syllable} {tone}" for syllable in SYLLABLES for tone in TONES)
"""The vowels are those of Peterson & Barney 1952, Journal of the Acoustical Society of America 24(2), table II."""


class Speaker(NamedTuple):
    """What of a speaker is in all that they say."""

    size: float  # formants are divided by it
    pitch: float  # Hz
    range: float  # logarithm of how far a tone goes
    speed: float  # of speech
    tilt: float  # of the voice: how fast its harmonics fall


def speaker(generator: np.random.Generator) -> Speaker:
    """One of men, women and children."""
    size = generator.uniform(0.75, 1.05)
    pitch = 120 * size**-2.2 * np.exp(generator.normal(0, 0.12))
    return Speaker(size, pitch, *(generator.uniform(*span) for span in ((0.2, 0.5), (0.8, 1.25), (0.9, 1.5))))


def utterance(generator: np.random.Generator, who: Speaker, label: int) -> np.ndarray:
    """`[T]` int16: a syllable, said once, with noise of a room about it.

    Args:
      generator: of how it is said.
      who: says it.
      label: of `NAMES`.
    """
    syllable, tone = NAMES[label].split()
    seconds = generator.uniform(0.06, 0.12), generator.uniform(0.22, 0.36)
    onset, length = (int(RATE * part / who.speed) for part in seconds)
    time = np.arange(onset + length)
    goes = np.clip((time - onset) / length, 0, 1)
    pitch = who.pitch * np.exp(TONES[tone] * who.range * (goes - 0.5) + generator.normal(0, 0.08))
    vowel = np.array(VOWELS[syllable[1]], float)
    start = np.array(ONSETS.get(syllable[0], vowel), float)
    turns = 1 / (1 + np.exp(-(time - onset) / (0.012 * RATE)))[:, None]
    formants = (start + (vowel - start) * turns) * np.exp(generator.normal(0, 0.04, 3)) / who.size
    k = np.arange(1, 1 + int(RATE / 2 / pitch.min()))[:, None]
    amplitude = resonance(k * pitch[::STEP], formants[None, ::STEP]) * k**-who.tilt
    wave = harmonics(pitch, amplitude.repeat(STEP, 1)[:, : len(time)])
    loud = np.minimum(1, (len(time) - time) / (0.08 * RATE)) * (0.35 + 0.65 * turns[:, 0])
    if syllable[0] == "s":
        loud = loud * turns[:, 0]
    wave *= loud / (np.abs(wave).max() + 1e-9)
    if syllable[0] == "s":
        wave += 0.12 * high_noise(generator, len(time), 2500 / who.size**0.5) * (1 - turns[:, 0])
    before, after = (int(RATE * generator.uniform(0.01, 0.08)) for _ in range(2))
    wave = np.pad(wave, (before, after))
    noise = 10 ** (-generator.uniform(10, 30) / 20) * wave.std()
    return as_pcm(wave + noise * generator.normal(size=len(wave)), generator.uniform(0.1, 0.9))
