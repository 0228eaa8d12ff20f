"""SoundSplits of a data set as arrays of one length, whatever their files are like."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from adl.core import BadInput
from adl.data.ragged import pad
from adl.data.source import load, splits
from adl.data.split import Split

RATE = 8000  # samples a second, of sets that do not say


class SoundSplits(NamedTuple):
    """Splits of sounds: "audio" `[N, T]` int16, 0 beyond each one's end, "length" `[N]` int32, "label" `[N]`."""

    train: Split
    test: Split
    others: Split | None  # "held_out", where the set has such a split: of speakers who are in no other
    rate: int  # samples a second


def sounds_of(name: str, *, of: Sequence[str], seconds: float, **how) -> SoundSplits:
    """SoundSplits and their classes.

    Args:
      name: as in `data.load`, of a set with "audio" int16 and "label": a folder of CLASS/*.wav is one.
      of: the splits to learn from and to test, in TFDS's words.
      seconds: T of all; the rest of longer ones is left out.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.splits`; or if a sound is not int16, or is empty.
    """
    found = splits(name, "audio", "label", of=of, num_classes=2, **how)
    about = found[0].info.metadata or {}
    rate = int(about.get("sample_rate", about.get("rate", RATE)))
    room = max(int(seconds * rate), 1)
    extra = None
    if "held_out" in getattr(found[0].info, "splits", ()):
        extra = _padded(load(name, "held_out", **how).require("audio", "label"), room, f"{name}, held_out")
    learned, tested = (_padded(split, room, f"{name}, {part}") for split, part in zip(found, of, strict=True))
    return SoundSplits(learned, tested, extra, rate)


def _padded(split: Split, room: int, where: str) -> Split:
    """The first `room` samples of each sound."""
    columns = split.take(np.arange(len(split)))
    sounds = columns["audio"]
    for row, sound in enumerate(sounds):
        if sound.ndim != 1 or sound.dtype != np.int16 or not len(sound):
            told = f"{sound.dtype} {list(sound.shape)}"
            raise BadInput(f"data set {where}: audio of row {row} is {told}, and int16 [T] is wanted, with a sample")
    audio, _ = pad([sound[:room] for sound in sounds], room)
    length = np.array([min(len(sound), room) for sound in sounds], np.int32)
    return Split({"audio": audio, "length": length, "label": np.asarray(columns["label"], np.int32)}, split.info)
