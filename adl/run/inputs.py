"""Files of a person's that a trained model is asked about, read as those that are learned from: `adl.data.files`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from adl.core import BadInput, local_path
from adl.data.files import pictures, sounds
from adl.data.files.listing import File, Files, endings, listed
from adl.data.files.sheets import number_columns
from adl.run import screen


class Fitting(NamedTuple):
    """What becomes of pictures that are not as the model's."""

    size: str = "refuse"  # as --picture_fit: "refuse", "resize" or "crop"
    colour: bool = False  # whether grey is made RGB, and RGB grey


class Pictures:
    """Pictures `[B, H, W, C]` uint8 of files, decoded part by part; what their headers say is known to fit."""

    def __init__(self, words: Sequence[str], shape: Sequence[int], fit: Fitting):
        """Of files, or folders of them and the folders in them.

        Raises:
          BadInput: naming the file that is no picture, or is not as the model's and may not be made so.
        """
        self.shape, self.fit = tuple(shape), fit
        self.files = [pair for word in words for pair in _picture_files(word)]
        for listing, file in self.files:
            _require_fitting(f"{listing.where}: {file.name}", pictures.header_of(listing, file), self.shape, fit)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.stack([pictures.decoded_of(*pair, self.shape, self.fit.size) for pair in self.files[rows]])

    @property
    def names(self) -> list[str]:
        """Of the files."""
        return [str(listing.path(file)) for listing, file in self.files]


class ClipFolders:
    """Clips `[B, T, H, W, C]` uint8 of folders, whose pictures are the frames in the order of their names."""

    def __init__(self, words: Sequence[str], shape: Sequence[int], fit: Fitting):
        """Of folders, each a clip; frame 2 comes before frame 10.

        Raises:
          BadInput: as `Pictures`, or for a file, or a folder of fewer or more pictures than a clip has.
        """
        self.names, self.clips = list(words), []
        for word in words:
            clip = Pictures([word], shape[1:], fit)
            if not local_path(word, "a clip").is_dir() or len(clip) != shape[0]:
                raise BadInput(f"{word}: it has {len(clip)} pictures; a clip is a folder of {shape[0]}, its frames")
            clip.files.sort(key=lambda pair: _counted(pair[1].name))
            self.clips.append(clip)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.stack([clip[:] for clip in self.clips[rows]])


class SoundFiles:
    """Sounds `[B, T]` int16 of .wav files, 0 beyond the end of each; what is beyond T samples is left out."""

    def __init__(self, words: Sequence[str], length: int, rate: int):
        """Of files, or folders of them and the folders in them.

        Raises:
          BadInput: naming the file that is no sound of one channel of 16 bits, or of another rate than the model's.
        """
        self.files = []
        for word in words:
            listing = _there(word, "a sound")
            self.files += [(listing, file) for file in listing.files if file.ending == ".wav"]
        if not self.files:
            raise BadInput(f"{' '.join(words)}: there are no sounds (.wav)")
        self.length = length
        for listing, file in self.files:
            found = sounds.sound_of(listing, file)[1]
            if found != rate:
                told = f"{found} samples a second, and the model's sounds have {rate}"
                raise BadInput(f"{listing.where}: {file.name} has {told}; save it so")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> np.ndarray:
        samples = [sounds.sound_of(*pair)[0][: self.length] for pair in self.files[rows]]
        return np.stack([np.pad(one, (0, self.length - len(one))) for one in samples])

    @property
    def names(self) -> list[str]:
        """Of the files."""
        return [str(listing.path(file)) for listing, file in self.files]


def _there(word: str, what: str) -> Files:
    """The listing of a folder or of a file."""
    path = local_path(word, what)
    if not path.exists():
        raise BadInput(f"{word}: there is no such file or folder")
    return listed(path, word if path.is_dir() else str(path.parent))


def _counted(name: str) -> list[tuple[int, str]]:
    """A name by which files are in the order of the numbers in them."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _picture_files(word: str) -> list[tuple[Files, File]]:
    listing = _there(word, "a picture")
    if not local_path(word, "a picture").is_dir():
        return [(listing, listing.files[0])]
    found = [file for file in listing.files if file.ending in pictures.ENDINGS]
    others = [file for file in listing.files if file.ending not in pictures.ENDINGS]
    if not found:
        raise BadInput(f"{word}: it has no pictures ({', '.join(pictures.ENDINGS)})")
    if others:
        screen.say(f"{word}: {len(others)} other files are left out ({endings(others)}), as {others[0].name}")
    return [(listing, file) for file in found]


def _require_fitting(where: str, head: pictures.Header, shape: Sequence[int], fit: Fitting) -> None:
    is_sized = fit.size != "refuse" or head[:2] == shape[:2]
    if not is_sized or (head.channels != shape[2] and not fit.colour):
        raise BadInput(
            f"{where} is {' x '.join(map(str, head))} (height, width, channels), and the model's pictures are "
            f"{' x '.join(map(str, shape))}; --resize makes it so"
        )


def read_table(word: str, columns: Sequence[str]) -> np.ndarray:
    """`[B, D]` of the columns of a table; others are named and left out.

    Raises:
      BadInput: as `number_columns`, or if there is no such file.
    """
    path = local_path(word, "a table")
    if not path.is_file():
        raise BadInput(f"{word}: there is no such file")
    rows, others = number_columns(listed(path, word), columns)
    if others:
        screen.say(f"{word}: columns that are left out: {', '.join(others)}")
    return rows
