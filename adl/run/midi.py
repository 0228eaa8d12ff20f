"""Music as a Standard MIDI File, which every player and notation program reads."""

import numpy as np

TICKS = 480  # of a quarter note


def midi_file(voices: np.ndarray, *, steps: int = 4, tempo: float = 90.0) -> bytes:
    """The bytes of a file of format 1, with a track for each voice; a note that goes on is held.

    Args:
      voices: `[T, V]` integers, the MIDI note of each voice at each step; what is below 0 is silence.
      steps: of a quarter note, 1 ... 480.
      tempo: quarter notes a minute.
    Source: The MIDI Association 1996, Standard MIDI Files 1.0, RP-001.
    """
    quarter = round(6e7 / tempo).to_bytes(3, "big")  # microseconds
    tracks = [b"\0\xff\x51\3" + quarter]
    for channel, notes in enumerate(np.asarray(voices).T):
        tracks.append(_events(notes, channel, TICKS // steps))
    header = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), TICKS))
    return _chunk(b"MThd", header) + b"".join(_chunk(b"MTrk", track + b"\0\xff\x2f\0") for track in tracks)


def _events(notes: np.ndarray, channel: int, ticks: int) -> bytes:
    """Notes on and off, each after the ticks since the event before it."""
    events, waited, sounding = b"", 0, -1
    for note in [*map(int, notes), -1]:
        if note != sounding:
            for kind, one in ((0x80, sounding), (0x90, note)):
                if one >= 0:
                    events += _variable(waited) + bytes([kind | channel, one, 80])
                    waited = 0
            sounding = note
        waited += ticks
    return events


def _variable(number: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last begin with 1."""
    found = [number & 127]
    while number := number >> 7:
        found.append(number & 127 | 128)
    return bytes(found[::-1])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "big") + content
