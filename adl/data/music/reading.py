"""Songs of a data set as arrays of one length: which keys sound at each step, and who of four voices sings them."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from adl.core import BadInput
from adl.core.types import Array
from adl.data.music.grammar import KEYS, LOWEST, roll
from adl.data.ragged import pad
from adl.data.source import load
from adl.data.split import Split

ROOM = 5  # semitones, above and below what sounds in training, that pieces may be moved by


class Songs(NamedTuple):
    """Splits of pieces, of T steps after one of silence: "frame" `[N, T + 1, K]` uint8, which keys sound;
    "voices" `[N, T + 1, 4]` int32, the key of each voice counted from 1, 0 is silence; "length" `[N]` int32.
    Where a set does not know the voices there is no such column.
    """

    train: Split
    test: Split
    lowest: int  # MIDI note of the first of the K keys
    marginal: float  # nats a frame of the test, were every key independent with its frequency in training

    @property
    def num_keys(self) -> int:
        """K: of those that sound in training, and `ROOM` more on either side."""
        return self.train.arrays["frame"].shape[2]

    @property
    def frequency(self) -> np.ndarray:
        """`[K]` of each key over all frames of training, smoothed by one frame."""
        frames = self.train.arrays["frame"].reshape(-1, self.num_keys)
        return ((frames.sum(0, dtype=float) + 0.5) / (self.train.arrays["length"].sum() + 1)).astype(np.float32)


def pieces_of(name: str, *, of: Sequence[str], **how) -> Songs:
    """Songs to learn from, and to test.

    Args:
      name: as in `data.load`, of a set with "piano_roll" `[T, 88]` or "notes" `[T, 4]`, MIDI with -1 for silence.
      of: the splits, in TFDS's words.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.load`; or if there is no such column, a piece is empty, or one to test has keys beyond those of
        training and `ROOM`, which no model of these could expect.
    """
    found = [_both(load(name, part, **how), f"data set {name}, split {part}") for part in of]
    learned, tested = ([part["piano_roll"] for part in one] for one in found)
    sounds = np.flatnonzero(np.concatenate(learned).any(0))
    low, high = max(sounds[0] - ROOM, 0), min(sounds[-1] + ROOM + 1, KEYS)
    beyond = np.concatenate(tested).any(0)
    if beyond[:low].any() or beyond[high:].any():
        where = f"data set {name}, split {of[1]}"
        raise BadInput(
            f"{where}: keys below {LOWEST + low} or above {LOWEST + high - 1} sound, and none near in {of[0]}"
        )
    train, test = (_arrays(one, low, high) for one in found)
    pieces = Songs(train, test, int(LOWEST + low), 0.0)
    frames, p = np.concatenate(tested)[:, low:high], pieces.frequency.astype(float)
    nats = -(frames * np.log(p) + (1 - frames) * np.log1p(-p)).sum(1).mean()
    return pieces._replace(marginal=float(nats))


def as_notes(frames: Array, lowest: int) -> Array:
    """`[..., 4]` int32 MIDI notes, -1 where a voice is silent: of frames `[..., 4]`, keys of voices counted from 1, or
    of `[..., K]`, whose four highest keys are taken for them.

    Args:
      frames: as `Songs` has them.
      lowest: MIDI note of the first key.
    """
    if frames.shape[-1] > 4:
        keys = jnp.where(frames > 0, jnp.arange(1, frames.shape[-1] + 1), 0)
        frames = jnp.sort(keys, -1)[..., ::-1][..., :4]
    return jnp.where(frames > 0, frames + lowest - 1, -1).astype(jnp.int32)


def _both(split: Split, where: str) -> list[dict[str, np.ndarray]]:
    """Keys and, where they are known, notes of each piece."""
    columns = {name: split.column(name) for name in ("piano_roll", "notes") if name in split.names}
    if not columns:
        raise BadInput(
            f"{where} has neither piano_roll nor notes, but {', '.join(split.names)}; pieces have one of them"
        )
    for name, column in columns.items():
        width = KEYS if name == "piano_roll" else 4
        for row, piece in enumerate(column):
            if np.ndim(piece) != 2 or piece.shape[1] != width or not len(piece):
                raise BadInput(f"{where}: {name} of piece {row} is {list(np.shape(piece))}, and [T, {width}] is wanted")
            if name == "notes" and ((piece != -1) & ((piece < LOWEST) | (piece >= LOWEST + KEYS))).any():
                raise BadInput(f"{where}: notes of piece {row} must be -1 or {LOWEST} ... {LOWEST + KEYS - 1}")
    if "piano_roll" not in columns:
        columns["piano_roll"] = [roll(piece) for piece in columns["notes"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrays(pieces: list[dict[str, np.ndarray]], low: int, high: int) -> Split:
    def begun(rows: list[np.ndarray]) -> np.ndarray:
        return np.pad(pad(rows)[0], ((0, 0), (1, 0), (0, 0)))

    columns = {"frame": begun([one["piano_roll"][:, low:high] for one in pieces])}
    columns["length"] = np.array([len(one["piano_roll"]) for one in pieces], np.int32)
    if "notes" in pieces[0]:
        keys = [np.where(one["notes"] < 0, 0, one["notes"] - LOWEST - low + 1) for one in pieces]
        columns["voices"] = begun(keys).astype(np.int32)
    return Split(columns)
