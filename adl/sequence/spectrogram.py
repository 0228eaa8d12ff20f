"""Sounds as time and frequency: short-time Fourier transforms, and their energy in bands that are spaced as we hear.

All of it is part of the program: frames are taken, and multiplied by a basis of windowed waves, where they are wanted,
so that a sound may be shifted and disturbed before.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from adl.core import BadInput


def stft(x: Array, *, size: int, hop: int) -> Array:
    """`[B, F, size // 2 + 1]` complex64 short-time Fourier transform of sounds, at frequencies k / size a sample.

    X[f, k] = sum_n w[n] x[f hop + n] exp(-2 pi i k n / size),   w[n] = (1 - cos(2 pi n / size)) / 2

    Args:
      x: `[B, T]` float32, T >= size; F = 1 + (T - size) // hop frames lie wholly within it.
      size: samples of a frame, >= 2.
      hop: samples from one frame to the next, >= 1.
    Raises:
      BadInput: at trace time, if a sound is shorter than a frame.
    Source: Oppenheim & Schafer 2010, Discrete-Time Signal Processing, eq. 10.40; with the periodic Hann window.
    """
    if x.shape[1] < size:
        raise BadInput(f"sounds of {x.shape[1]} samples are shorter than one frame of {size}; make the frames shorter")
    count = 1 + (x.shape[1] - size) // hop
    frames = x[:, np.arange(count)[:, None] * hop + np.arange(size)]
    found = jnp.einsum("bfn,nk->bfk", frames, _waves(size), precision=lax.Precision.HIGHEST)
    return lax.complex(*jnp.split(found, 2, -1))


def mel_filters(rate: float, size: int, num: int) -> np.ndarray:
    """`[size // 2 + 1, num]` float32 triangles over the frequencies of `stft`, evenly spaced in mel from 0 to rate / 2.

    mel(f) = 2595 log10(1 + f / 700),   each rises from the centre before it to 1 at its own, and falls to the next

    Args:
      rate: samples a second.
      size: samples of a frame.
      num: triangles, >= 1.
    Source: O'Shaughnessy 1987, Speech Communication, p. 150; Davis & Mermelstein 1980, IEEE Transactions on Acoustics,
      Speech, and Signal Processing 28(4), section II.
    """
    frequency = np.arange(size // 2 + 1) * rate / size
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, num + 2) / 2595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rises = (frequency[:, None] - low) / (centre - low)
    falls = (high - frequency[:, None]) / (high - centre)
    return np.maximum(0, np.minimum(rises, falls)).astype(np.float32)


def log_mel(x: Array, length: Array, *, rate: float, size: int, hop: int, num: int) -> tuple[Array, Array]:
    """(`[B, F, num]` log energies in bands, `[B, F]` boolean: which frames are the sound's).

    Of each sound they have mean 0 and deviation 1 over its frames and bands, so that how loud it is does not matter;
    what is 80 dB below the sound's loudest band is as silent as can be. Frames that are not wholly within the sound
    are 0; one that is shorter than a frame has its first.

    Args:
      x: `[B, T]` float32 samples, 0 beyond the end.
      length: `[B]` integers, the samples of each sound.
      rate: as in `mel_filters`.
      size: as in `stft`.
      hop: as in `stft`.
      num: as in `mel_filters`.
    """
    spectrum = stft(x, size=size, hop=hop)
    energy = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    bands = jnp.einsum("bfk,km->bfm", energy, mel_filters(rate, size, num), precision=lax.Precision.HIGHEST)
    loudest = bands.max((1, 2), keepdims=True)
    h = jnp.log(jnp.maximum(bands, 1e-8 * loudest) + 1e-30)
    count = jnp.maximum(1 + (length - size) // hop, 1)
    real = jnp.arange(h.shape[1])[None] < count[:, None]
    weight = jnp.broadcast_to(real[..., None], h.shape).astype(h.dtype)
    total = weight.sum((1, 2), keepdims=True)
    centred = h - (weight * h).sum((1, 2), keepdims=True) / total
    variance = (weight * jnp.square(centred)).sum((1, 2), keepdims=True) / total
    return jnp.where(real[..., None], centred / jnp.sqrt(variance + 1e-6), 0), real


@functools.lru_cache(maxsize=8)
def _waves(size: int) -> np.ndarray:
    """`[size, 2 (size // 2 + 1)]` float32 windowed cosines, then negative sines."""
    n = np.arange(size)
    window = (1 - np.cos(2 * np.pi * n / size)) / 2
    angle = 2 * np.pi * np.outer(n, np.arange(size // 2 + 1)) / size
    return (window[:, None] * np.concatenate([np.cos(angle), -np.sin(angle)], 1)).astype(np.float32)
