"""Ragged rows: sequences of many lengths as arrays of few shapes, since each shape is a program of its own.

Columns `[N]` of sequences `[T_n, ...]` (a `Split` keeps them as objects) become arrays in one of three ways.
`rectangular`: all as long as the longest. `bucketed`: batches of rows of like length, each as long as its bucket.
`packed`: several rows one after the other in one, told apart by their segment (`nn.attention.together`). What is no
row's is zero, also in "mask".
"""

import functools
from collections.abc import Sequence

import numpy as np

from adl.core import BadInput, SharedBatches
from adl.data.batches import checked, counted
from adl.data.split import Split


def pad(rows: Sequence[np.ndarray], length: int = 0, *, value: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows side by side, and where they are.

    Args:
      rows: N of them, `[T_n, ...]`, of one dtype.
      length: T, at least the longest row's; 0: that.
      value: what follows a row.
    Returns:
      `[N, T, ...]`, and the mask `[N, T]` float32: 1 where a row is, 0 behind it.
    Raises:
      BadInput: if a row is longer than that, or there is none.
    """
    lengths = _lengths(rows)
    length = length or lengths.max()
    if lengths.max() > length:
        raise BadInput(f"row {lengths.argmax()} has a length of {lengths.max()}, above {length}: cut it, or make room")
    first = np.asarray(rows[0])
    padded = np.full((len(rows), length, *first.shape[1:]), value, first.dtype)
    mask = (np.arange(length) < lengths[:, None]).astype(np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded, mask


def rectangular(split: Split, *names: str, length: int = 0, mask: str = "mask") -> Split:
    """A split whose ragged columns are arrays.

    Args:
      split: N examples.
      names: of columns whose sequences are of one length in each example: tokens, and what is known of each.
      length: as in `pad`.
      mask: name of the column that says where they are; sources and targets have one each.
    Returns:
      The columns, `[N, T, ...]` where they were ragged, and the mask `[N, T]`.
    Raises:
      BadInput: as `pad`; or if the sequences of an example differ in length.
    """
    arrays = _alike(split, names)
    for name in names:
        arrays[name], arrays[mask] = pad(arrays[name], length)
    return Split(arrays, split.info)


def packed(split: Split, *names: str, length: int) -> Split:
    """Rows of T places that hold the sequences of a split, each whole, with as little room left as is easily had.

    Args:
      split: N examples; columns of no name are dropped.
      names: as in `rectangular`.
      length: T, at least the longest sequence's.
    Returns:
      The columns `[M, T, ...]`; "segment" `[M, T]` int32, of which sequence of its row a place is, from 1 on, 0: none;
      "position" `[M, T]` int32, its place there, from 0 on; "mask" `[M, T]` float32.
    Raises:
      BadInput: as `rectangular`.
    Source: best fit decreasing: Johnson 1974, SIAM Journal on Computing 3(4).
    """
    arrays = _alike(split, names)
    lengths = _lengths(arrays[names[0]])
    rows = _fitted(lengths, length)
    arrays = {name: arrays[name] for name in names}
    arrays["segment"] = [np.full(size, 1, np.int32) for size in lengths]
    arrays["position"] = [np.arange(size, dtype=np.int32) for size in lengths]

    def joined(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return pad([np.concatenate([sequences[i] for i in row]) for row in rows], length)

    columns = {name: joined(sequences)[0] for name, sequences in arrays.items()}
    begins = (columns["position"] == 0) & (columns["segment"] > 0)
    columns["segment"] *= begins.cumsum(1, dtype=np.int32)
    return Split({**columns, "mask": (columns["segment"] > 0).astype(np.float32)}, split.info)


class BucketedBatches(SharedBatches):
    """`batches[step]`: rows of like length, whatever was asked for before; one shape for each bucket."""

    is_alike = False  # from step to step, as what is stacked for one scan must be

    def __init__(
        self,
        split: Split,
        names: tuple[str, ...],
        batch_size: int,
        lengths: tuple[int, ...],
        seed: int,
        process: tuple[int, int] = (0, 1),
    ):
        self.split, self.names, self.batch_size, self.lengths = split, names, batch_size, lengths
        self.seed, self.process = seed, process
        of = _lengths(_alike(split, names)[names[0]])
        if of.max() > lengths[-1]:
            raise BadInput(
                f"row {of.argmax()} has a length of {of.max()}, above {lengths[-1]}, that of the last bucket"
            )
        bucket = np.searchsorted(lengths, of)
        self._rows = [np.flatnonzero(bucket == i) for i in range(len(lengths))]
        self._plan = functools.lru_cache(maxsize=2)(self._planned)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which each example is seen once."""
        return sum(-(-len(rows) // self.batch_size) for rows in self._rows)

    def share(self, index: int, count: int) -> "BucketedBatches":
        """The same batches, of which this process gathers B / count rows: the index-th share of each.

        Raises:
          BadInput: if the batch does not divide by `count`.
        """
        if self.batch_size % count:
            raise BadInput(f"--batch_size {self.batch_size}: it must be a multiple of {count}, the number of shares")
        return BucketedBatches(self.split, self.names, self.batch_size, self.lengths, self.seed, (index, count))

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        """The columns, `[B, T, ...]` where they were ragged, and "mask" `[B, T]`: 0 behind a row, and where none is."""
        epoch, place = divmod(counted(step), self.steps_per_epoch)
        length, rows = self._plan(epoch)[place]
        index, count = self.process
        part = slice(index * self.batch_size // count, (index + 1) * self.batch_size // count)
        is_there = (np.arange(self.batch_size) < len(rows))[part]
        columns = self.split.take(np.resize(rows, self.batch_size)[part])
        for name in self.names:
            columns[name], columns["mask"] = pad(columns[name], length)
        for column in columns.values():
            column[~is_there] = 0
        return columns

    def _planned(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """Length, and rows `[<= B]`, of each step of an epoch."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
        steps = []
        for length, rows in zip(self.lengths, self._rows, strict=True):
            order = generator.permutation(rows)
            steps += [(length, order[i : i + self.batch_size]) for i in range(0, len(order), self.batch_size)]
        return [steps[i] for i in generator.permutation(len(steps))]


def bucketed(split: Split, *names: str, batch_size: int, lengths: Sequence[int], seed: int = 0) -> BucketedBatches:
    """Training batches whose rows are of like length, shuffled each epoch, without end.

    In an epoch each example is seen once; the last batch of a bucket may have fewer rows that count. Steps of several
    lengths are several programs, and no part of one scan.

    Args:
      split: N examples.
      names: as in `rectangular`.
      batch_size: rows of each batch B, >= 1.
      lengths: of the buckets, ascending; a row is in the first that it fits into.
      seed: >= 0, of the order alone.
    Raises:
      BadInput: if a row fits nowhere, the lengths do not ascend, or the batch size is not positive.
    """
    if list(lengths) != sorted({*lengths}) or not lengths or lengths[0] < 1:
        raise BadInput(f"buckets of lengths {', '.join(map(str, lengths))}: they must ascend from 1 or more")
    batch_size, seed = checked(batch_size, seed)
    return BucketedBatches(split, names, batch_size, tuple(lengths), seed)


def _lengths(rows: Sequence[np.ndarray]) -> np.ndarray:
    """`[N]` of rows, of which there is one at least."""
    if not len(rows):
        raise BadInput("there are no rows")
    return np.array([len(row) for row in rows])


def _alike(split: Split, names: Sequence[str]) -> dict[str, np.ndarray]:
    """All columns of a split, once it is known that the named ones go side by side."""
    arrays = dict(split.arrays)
    lengths = {name: _lengths(split.require(*names).arrays[name]) for name in names}
    for name, of in lengths.items():
        if (of != lengths[names[0]]).any():
            row = np.flatnonzero(of != lengths[names[0]])[0]
            raise BadInput(f"row {row}: {names[0]} has a length of {lengths[names[0]][row]}, {name} of {of[row]}")
    return arrays


def _fitted(lengths: np.ndarray, room: int) -> list[list[int]]:
    """Which sequences share a row: the longest first, each where it leaves the least room."""
    if lengths.max() > room:
        raise BadInput(f"row {lengths.argmax()} has a length of {lengths.max()}, above {room}: cut it, or make room")
    rows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(room + 1)]  # rows that have so much left
    for i in np.argsort(-lengths, kind="stable"):
        size = lengths[i]
        left = next((left for left in range(size, room + 1) if by_room[left]), room)
        if left == room:
            by_room[room].append(len(rows))
            rows.append([])
        row = by_room[left].pop()
        rows[row].append(int(i))
        by_room[left - size].append(row)
    return rows
