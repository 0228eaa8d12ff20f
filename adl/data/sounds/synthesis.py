"""Waves from what is known of them: harmonics under an envelope, resonances, noise."""

import numpy as np

RATE = 8000  # samples a second
BANDWIDTH = np.array([80.0, 100.0, 140.0])  # of three formants, Hz


def harmonics(pitch: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """`[T]` a wave of harmonics of a pitch that may move; what would lie above half the rate is silent.

    Args:
      pitch: `[T]` Hz at each sample.
      amplitude: `[K, T]` or `[K, 1]` of the harmonics 1 ... K.
    """
    k = np.arange(1, len(amplitude) + 1)[:, None]
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return np.where(k * pitch < RATE / 2, amplitude * np.sin(k * phase), 0).sum(0)


def resonance(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """`[...]` how much a vocal tract lets through at frequencies `[...]` Hz, given three formants `[..., 3]` Hz.

    |H(f)| = prod_i F_i^2 / sqrt((F_i^2 - f^2)^2 + (f B_i)^2)

    Source: Klatt 1980, Journal of the Acoustical Society of America 67(3), a cascade of resonators.
    """
    f = frequency[..., None]
    return (formants**2 / np.sqrt((formants**2 - f**2) ** 2 + (f * BANDWIDTH) ** 2)).prod(-1)


def high_noise(generator: np.random.Generator, length: int, low: float) -> np.ndarray:
    """`[length]` white noise of deviation about 1 from `low` Hz on."""
    spectrum = np.fft.rfft(generator.normal(size=length))
    spectrum[np.fft.rfftfreq(length, 1 / RATE) < low] = 0
    found = np.fft.irfft(spectrum, length)
    return found / (found.std() + 1e-9)


def decayed(length: int, seconds: float) -> np.ndarray:
    """`[length]` an envelope that begins in 5 ms and falls to 1 / e in so many seconds."""
    time = np.arange(length) / RATE
    return np.minimum(time / 0.005, 1) * np.exp(-time / seconds)


def as_pcm(wave: np.ndarray, peak: float) -> np.ndarray:
    """`[T]` int16 of a wave whose largest sample becomes `peak`, in (0, 1], of the largest number."""
    return np.round(32767 * peak * wave / (np.abs(wave).max() + 1e-9)).astype(np.int16)
