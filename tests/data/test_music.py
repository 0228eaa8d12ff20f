"""Songs are sung as their rules say, and pieces of any set become arrays that say the same."""

import numpy as np
import pytest

from adl.core import BadInput
from adl.data import music
from adl.data.music import grammar


def test_songs_keep_to_their_rules():
    """Voices stay in their ranges, uncrossed, and end as they must."""
    generator = np.random.default_rng(0)
    for _ in range(5):
        notes = grammar.song(generator)
        assert notes.shape[1] == 4 and len(notes) % (grammar.CHORDS * grammar.STEPS) == 0
        for voice, (low, high) in zip(notes.T, grammar.RANGES.values(), strict=True):
            assert low <= voice.min() and voice.max() <= high
        assert (np.diff(notes[:: grammar.STEPS], axis=1) < 0).all()
        assert all(2 <= len({*chord}) <= 3 or len({*chord}) == 3 for chord in notes[:: grammar.STEPS] % 12)
        assert np.abs(np.diff(notes[:, :3].astype(int), axis=0)).max() <= 12


def test_both_columns_say_the_same():
    """Of the bundled set: keys of the voices are the keys that sound."""
    pieces = music.pieces_of("part_songs", of=("train[:20]", "test"))
    voices, frame = (pieces.test.arrays[name] for name in ("voices", "frame"))
    assert len(pieces.test) == 77 and not frame[:, 0].any()
    for row, time in [(0, 1), (5, 9), (70, 30)]:
        sung = {int(key) - 1 for key in voices[row, time] if key}
        assert {*np.flatnonzero(frame[row, time])} == sung
    notes = music.as_notes(voices[0], pieces.lowest)
    np.testing.assert_array_equal(np.sort(music.as_notes(frame[0], pieces.lowest)[5]), np.sort(notes[5]))
    assert notes[1].min() >= 40 and (notes[0] == -1).all()
    p = np.clip(pieces.frequency.astype(float), 1e-9, 1)
    real = np.arange(frame.shape[1])[None] <= pieces.test.arrays["length"][:, None]
    real[:, 0] = False
    played = frame[real]
    assert pieces.marginal == pytest.approx(-np.where(played > 0, np.log(p), np.log1p(-p)).sum(1).mean())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": np.zeros((20, 2))}, "neither piano_roll nor notes"),
        ({"notes": np.full((20, 5, 3), 60)}, r"notes of piece . is \[5, 3\], and \[T, 4\] is wanted"),
        ({"notes": np.full((20, 5, 4), 10)}, "notes of piece . must be -1 or 21 ... 108"),
        ({"notes": np.arange(30, 90, 3)[:, None, None].repeat(4, 2)}, "keys below .* or above .* sound, and none near"),
    ],
)
def test_what_is_no_piece_is_one_line(tmp_path, columns, said):
    np.savez(tmp_path / "pieces.npz", **columns)
    with pytest.raises(BadInput, match=said):
        music.pieces_of(str(tmp_path / "pieces.npz"), of=("train[:1]", "test"))
