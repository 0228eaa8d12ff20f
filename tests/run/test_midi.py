"""MIDI files say what was sung, by their standard and to another reader."""

import io

import numpy as np
import pytest

from adl.run.midi import midi_file

VOICES = np.array([[60, 48], [60, 50], [62, -1], [-1, -1], [62, 48]])


def test_the_bytes_are_those_of_the_standard():
    """A held note is one; deltas above 127 ticks take two bytes."""
    found = midi_file(VOICES[:, :1], steps=2, tempo=120.0)
    head = b"MThd\0\0\0\6\0\1\0\2\1\xe0"
    tempo = b"MTrk\0\0\0\x0b\0\xff\x51\3\7\xa1\x20\0\xff\x2f\0"
    events = b"\0\x90\x3c\x50\x83\x60\x80\x3c\x50\0\x90\x3e\x50\x81\x70\x80\x3e\x50"
    events += b"\x81\x70\x90\x3e\x50\x81\x70\x80\x3e\x50\0\xff\x2f\0"
    assert found == head + tempo + b"MTrk" + len(events).to_bytes(4, "big") + events


def test_another_reader_finds_the_same_notes():
    mido = pytest.importorskip("mido")
    read = mido.MidiFile(file=io.BytesIO(midi_file(VOICES, steps=4)))
    assert read.ticks_per_beat == 480 and len(read.tracks) == 3
    heard = np.full_like(VOICES, -1)
    for voice, track in enumerate(read.tracks[1:]):
        now, since = 0, {}
        for event in track:
            now += event.time
            if event.type == "note_on":
                since[event.note] = now
            elif event.type == "note_off":
                heard[since.pop(event.note) // 120 : now // 120, voice] = event.note
    np.testing.assert_array_equal(heard, VOICES)
