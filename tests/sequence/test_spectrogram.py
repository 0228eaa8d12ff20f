"""Spectra are SciPy's, bands are those of Hugging Face, and neither loudness nor padding changes what is heard."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from adl.core import BadInput
from adl.sequence.spectrogram import log_mel, mel_filters, stft

WAVE = np.random.default_rng(0).normal(size=(2, 1000)).astype("f")


@pytest.mark.parametrize(("size", "hop"), [(256, 64), (100, 100), (31, 7)])
def test_the_transform_is_scipy_s(size, hop):
    """Short frames, odd ones, and ones that do not overlap."""
    _, _, want = scipy.signal.stft(
        WAVE, window="hann", nperseg=size, noverlap=size - hop, boundary=None, padded=False, scaling="spectrum"
    )
    window = scipy.signal.get_window("hann", size)
    found = stft(jnp.asarray(WAVE), size=size, hop=hop)
    np.testing.assert_allclose(found.swapaxes(1, 2), want * window.sum(), atol=2e-4)


@pytest.mark.parametrize(("rate", "size", "num"), [(8000, 256, 40), (22050, 704, 64)])
def test_bands_are_those_of_hugging_face(rate, size, num):
    """Triangles, evenly spaced on the scale of HTK."""
    audio = pytest.importorskip("transformers.audio_utils")
    of = {"num_frequency_bins": size // 2 + 1, "num_mel_filters": num, "min_frequency": 0, "max_frequency": rate / 2}
    want = audio.mel_filter_bank(**of, sampling_rate=rate, norm=None, mel_scale="htk")
    np.testing.assert_allclose(mel_filters(rate, size, num), want, atol=1e-5)


def test_loudness_and_padding_change_nothing():
    """Frames of a sound are as it is alone, and as a whisper."""
    how = {"rate": 8000, "size": 64, "hop": 32, "num": 8}
    length = jnp.array([600, 1000])
    x = jnp.asarray(WAVE) * (jnp.arange(1000)[None] < length[:, None])
    h, real = log_mel(x, length, **how)
    quiet, _ = log_mel(0.01 * x, length, **how)
    np.testing.assert_allclose(h, quiet, atol=1e-4)
    alone, _ = log_mel(x[:1, :600], length[:1], **how)
    np.testing.assert_allclose(h[0, : alone.shape[1]], alone[0], atol=1e-5)
    assert real.sum(1).tolist() == [alone.shape[1], 30] and not h[0, alone.shape[1] :].any()
    assert abs(float(h[1].mean())) < 1e-4 and abs(float(h[1].std()) - 1) < 1e-3


def test_sounds_shorter_than_a_frame_are_one_line():
    with pytest.raises(BadInput, match="shorter than one frame of 2000"):
        stft(jnp.asarray(WAVE), size=2000, hop=10)
