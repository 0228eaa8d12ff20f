"""Synthesised sounds are what their labels say, and sounds of any set become arrays of one length."""

import wave

import numpy as np
import pytest

from adl.core import BadInput
from adl.data.sounds import sounds_of, styles, syllables, synthesis


def test_a_wave_has_the_harmonics_that_it_is_made_of():
    """And none above half the rate."""
    found = synthesis.harmonics(np.full(8000, 1000.0), np.array([[1.0], [0.0], [0.5], [9.0]]))
    spectrum = 2 * np.abs(np.fft.rfft(found)) / 8000
    np.testing.assert_allclose(spectrum[[1000, 2000, 3000]], [1, 0, 0.5], atol=1e-6)
    assert spectrum[3001:].max() < 1e-6


def test_resonances_are_klatt_s():
    """At a formant F of bandwidth B one resonator lets through F / B of what it does at 0 Hz."""
    far = np.array([500.0, 1e6, 2e6])
    np.testing.assert_allclose(synthesis.resonance(np.array([0.0, 500.0]), far), [1, 500 / 80], rtol=1e-3)


@pytest.mark.parametrize("label", range(10))
def test_tones_rise_and_fall(label):
    """The pitch of a voice, by the autocorrelation of its first and its last third."""
    who = syllables.Speaker(0.9, 140.0, 0.5, 1.0, 1.2)
    sound = syllables.utterance(np.random.default_rng(label), who, label).astype(float)
    sound = sound[np.abs(sound).cumsum() > 0.35 * np.abs(sound).sum()]  # the vowel

    def pitch(part):
        found = np.correlate(part, part, "full")[len(part) - 1 :]
        return 8000 / (30 + found[30:100].argmax())

    first, last = pitch(sound[:500]), pitch(sound[-900:-400])
    assert (first < last) == ("rising" in syllables.NAMES[label])


def test_styles_differ_by_their_rules():
    assert len({styles.played(np.random.default_rng(0), label).tobytes() for label in range(7)}) == 7
    assert styles.played(np.random.default_rng(0), 0).shape == (32000,)


def test_sounds_are_cut_and_padded():
    """Of the bundled sample, with speakers of its own in the third split."""
    found = sounds_of("sounds/syllables_sample", of=("train", "test"), seconds=0.4)
    assert found.rate == 8000 and found.train.class_names == list(syllables.NAMES) and len(found.others) == 20
    audio, length = (found.train.arrays[name] for name in ("audio", "length"))
    assert audio.shape == (40, 3200) and audio.dtype == np.int16 and length.max() == 3200
    row = length.argmin()
    assert not audio[row, length[row] :].any()


def test_folders_of_sounds_and_what_is_none(tmp_path):
    for name in ("rock", "jazz"):
        (tmp_path / name).mkdir()
        for i in range(8):
            with wave.open(str(tmp_path / name / f"{i}.wav"), "wb") as sound:
                sound.setparams((1, 2, 4000, 0, "NONE", ""))
                sound.writeframes(np.arange(1, 2000 + i, dtype="<i2").tobytes())
    found = sounds_of(str(tmp_path), of=("train", "test"), seconds=0.25)
    assert found.rate == 4000 and found.train.class_names == ["jazz", "rock"] and found.others is None
    assert found.train.arrays["audio"].shape[1] == 1000
    np.savez(tmp_path / "x.npz", audio=np.ones((9, 50), np.float32), label=np.arange(9) % 2)
    with pytest.raises(BadInput, match=r"audio of row 0 is float32 \[50\], and int16 \[T\] is wanted"):
        sounds_of(str(tmp_path / "x.npz"), of=("train", "test"), seconds=1.0)
