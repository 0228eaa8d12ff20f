"""Folders of .wav files: 16-bit samples, decoded as they are taken."""

import io
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from adl.core import BadInput, first_line
from adl.data.files.found import About, Asked, ClassNames, Found, counted_classes
from adl.data.files.layout import arranged, twins
from adl.data.files.listing import File, Files, endings
from adl.data.split import StoredSplit


def sound_folder(listing: Files, reading: Asked) -> Found:
    """A folder of sounds: "audio" int16 `[T]`, "rate" in samples a second, and in class folders "label".

    Raises:
      BadInput: naming the file that is no sound of one channel of 16 bits, or of another rate than the first.
    """
    sounds = listing.only([file for file in listing.files if file.ending == ".wav"])
    parts = arranged(sounds, reading.test_share, "sounds")
    lengths = {file.name: _head(sounds, file) for file in sounds.files}
    rates = {rate: name for name, (_, rate) in reversed(lengths.items())}
    if len(rates) > 1:
        told = ", ".join(f"{name} {rate}" for rate, name in [*rates.items()][:2])
        raise BadInput(f"{listing.where}: sounds are of {len(rates)} rates (samples a second: {told}); make them one")
    features = {"label": ClassNames(parts.classes)} if parts.classes else {}
    about = About(listing.where, features, tuple(parts.files), {"rate": next(iter(rates))})
    found = {
        split: StoredSplit(StoredSounds(sounds, of, parts.labels[split], sum(lengths[f.name][0] for f in of)), about)
        for split, of in parts.files.items()
    }
    sizes = ", ".join(f"{len(of)} to {split}" for split, of in parts.files.items())
    classes = (
        f"{len(parts.classes)} classes ({counted_classes(parts.classes)})" if parts.classes else "no class folders"
    )
    seconds = sum(length for length, _ in lengths.values()) / next(iter(rates))
    told = [f"{listing.where}: sounds, {seconds:.1f} s at {next(iter(rates))} a second; {sizes}; {classes}"]
    if double := twins(sounds, parts.files):
        told.append(f"{listing.where}: {double}")
    if others := [file for file in listing.files if file.ending != ".wav"]:
        told.append(f"{listing.where}: {len(others)} other files are left out ({endings(others)})")
    return Found(found, about, tuple(told), parts.is_hashed)


def sound_of(listing: Files, file: File) -> tuple[np.ndarray, int]:
    """(int16 `[T]` samples, how many a second) of one file.

    Raises:
      BadInput: as `sound_folder`.
    """
    rate = _head(listing, file)[1]
    return StoredSounds(listing, [file], [], 0).__getitems__([0])[0]["audio"], rate


def _head(listing: Files, file: File) -> tuple[int, int]:
    """Samples and rate of a sound."""
    try:
        with wave.open(str(listing.path(file)), "rb") as sound:
            kind = (sound.getnchannels(), sound.getsampwidth())
            length, rate = sound.getnframes(), sound.getframerate()
    except OSError as error:
        raise BadInput(f"{listing.where}: {file.name} cannot be read ({error.strerror or error})") from None
    except Exception as error:  # wave's, of damaged files whatever comes
        told = first_line(error) if str(error) else "it is cut short, or damaged"
        raise BadInput(f"{listing.where}: {file.name} is no sound that is read ({told})") from None
    if kind != (1, 2):
        told = f"{kind[0]} channels of {8 * kind[1]} bits, and 1 of 16 is wanted"
        raise BadInput(f"{listing.where}: {file.name} has {told}; save it so")
    if not length or 2 * length > file.size:
        told = "no samples" if not length else f"{length} samples by its header, and fewer in it"
        raise BadInput(f"{listing.where}: {file.name} has {told}")
    return length, rate


class StoredSounds:
    """A source of sounds `{"audio": int16 [T], "rate": int, "label": int}`."""

    def __init__(self, listing: Files, files: Sequence[File], labels: Sequence[int], num_samples: int):
        self.listing, self.files, self.labels, self.num_bytes = listing, files, labels, 2 * num_samples

    def __len__(self) -> int:
        return len(self.files)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        labels = [{"label": self.labels[row]} if self.labels else {} for row in rows]
        return [{**self._read(self.files[row]), **label} for row, label in zip(rows, labels, strict=True)]

    def column(self, name: str) -> np.ndarray | None:
        """A whole column, where it is known without decoding."""
        return np.asarray(self.labels, np.int32) if name == "label" else None

    def _read(self, file: File) -> dict[str, Any]:
        with wave.open(io.BytesIO(self.listing.read(file)), "rb") as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.int16)
            return {"audio": samples, "rate": sound.getframerate()}
