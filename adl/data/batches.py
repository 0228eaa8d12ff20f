"""Batches as a pure function of the step: no iterator, hence nothing to save, skip or replay."""

import functools
import operator
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from adl.core import BadInput, SharedBatches
from adl.data.own import as_split
from adl.data.split import Split, StoredSplit, read_only

Examples = Split | Mapping[str, np.ndarray]  # a plain dict of columns [N, ...] will do
AHEAD = 16  # batches read ahead, at most; each has a thread
SHARES = 64  # devices among which a batch of all examples divides


class SplitBatches(SharedBatches):
    """`batches[step]`: the rows of one step, whatever was asked for before.

    The split is permuted anew each epoch, or with no seed in its own order, and read on across its end, so that nothing
    is dropped: after e epochs each example was seen exactly e times. Every process knows the global batch, and gathers
    what it is asked for: all of it, or its own `share`.
    """

    def __init__(self, split: Split, batch_size: int, seed: int | None, process: tuple[int, int] = (0, 1)):
        self.split, self.batch_size, self.seed, self.process = split, batch_size, seed, process
        self._permutation = functools.lru_cache(maxsize=2)(self._permuted)

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which each example is seen once, on average."""
        return len(self.split) / self.batch_size

    def share(self, index: int, count: int) -> "SplitBatches":
        """The same batches, of which this process gathers B / count examples: the index-th share of each.

        Raises:
          BadInput: if the batch does not divide by `count`.
        """
        if self.batch_size % count:
            raise BadInput(f"--batch_size {self.batch_size}: it must be a multiple of {count}, the number of shares")
        return type(self)(self.split, self.batch_size, self.seed, (index, count))

    def indices(self, step: int) -> np.ndarray:
        """`[B]` rows of the split in the global batch of a step.

        Raises:
          IndexError: if the step is negative.
        """
        step = counted(step)
        epoch, place = divmod(step * self.batch_size, len(self.split))
        if place + self.batch_size <= len(self.split):
            return self._permutation(epoch)[place : place + self.batch_size]
        num_epochs = -(-(place + self.batch_size) // len(self.split))
        rows = np.concatenate([self._permutation(epoch + i) for i in range(num_epochs)])
        return rows[place : place + self.batch_size]

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        index, count = self.process
        share = self.batch_size // count
        return self.split.take(self.indices(step)[index * share : (index + 1) * share])

    def _permuted(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(len(self.split))
        # A counter-based generator: epoch 1000 costs what epoch 0 does.
        rows = np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(len(self.split))
        return read_only(rows)


class StreamedBatches(SplitBatches):
    """The same batches, read ahead by grain's threads while they are asked for in order."""

    def __init__(self, split: Split, batch_size: int, seed: int | None, process: tuple[int, int] = (0, 1)):
        super().__init__(split, batch_size, seed, process)
        self._step, self._batch, self._ahead = -2, {}, None

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        step = counted(step)
        if step == self._step:
            return self._batch
        ahead, self._ahead = self._ahead, None  # an error leaves no iterator behind that is out of step
        if step == self._step + 1:
            ahead = ahead or self._from(step)
            batch = next(ahead)
            self._ahead = ahead
        else:
            batch = super().__getitem__(step)
        self._step, self._batch = step, {name: read_only(array) for name, array in batch.items()}
        return self._batch

    def _from(self, step: int) -> Any:
        import grain

        threads = min(os.cpu_count() or 1, AHEAD)
        options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
        steps = grain.MapDataset.range(step, 2**62)
        return iter(steps.map(super().__getitem__).to_iter_dataset(options))


def shuffled(split: Examples, batch_size: int, *, seed: int = 0) -> SplitBatches:
    """Training batches of a split, shuffled each epoch, without end.

    A split in memory is gathered, a stored one (`load` decides by size) is `streamed`: the same rows either way.

    Args:
      split: N examples.
      batch_size: examples of the global batch B, >= 1; it may exceed N.
      seed: >= 0, of the order alone.

    Raises:
      BadInput: if the batch size is not positive.
    """
    split = as_split(split)
    return _kind(split)(split, *checked(batch_size, seed))


def ordered(split: Examples, batch_size: int) -> SplitBatches:
    """Batches of a split in its own order, round and round: any N / B of them, one after the other, see each example.

    Args:
      split: N examples.
      batch_size: as in `shuffled`.

    Raises:
      BadInput: if the batch size is not positive.
    """
    split = as_split(split)
    return _kind(split)(split, checked(batch_size, 0)[0], None)


def streamed(split: Examples, batch_size: int, *, seed: int = 0) -> StreamedBatches:
    """The batches of `shuffled`, read ahead by threads while steps are asked for in order.

    For sources that are slow to read or decode; any other order of steps gives the same batches, without the lead.

    Args:
      split: N examples.
      batch_size: as in `shuffled`.
      seed: as in `shuffled`.

    Raises:
      BadInput: if the batch size is not positive.
    """
    return StreamedBatches(as_split(split), *checked(batch_size, seed))


class WholeBatches(SharedBatches):
    """`batches[step]`: all examples, the same at every step."""

    def __init__(self, batch: Mapping[str, np.ndarray]):
        self.batch = {name: read_only(array) for name, array in batch.items()}

    def share(self, index: int, count: int) -> "WholeBatches":
        """The same batch, of which this process holds the index-th of `count` parts.

        Raises:
          BadInput: if it does not divide by `count`.
        """
        size = len(next(iter(self.batch.values())))
        if size % count:
            raise BadInput(f"a batch of all {size} examples does not divide by {count}, the number of shares")
        part = slice(index * size // count, (index + 1) * size // count)
        return WholeBatches({name: array[part] for name, array in self.batch.items()})

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        counted(step)
        return dict(self.batch)


def whole(split: Examples, multiple: int = SHARES, *, seed: int = 0) -> WholeBatches:
    """All examples as one batch, the same at every step: for exact EM, normal equations, Newton's steps.

    They are shuffled once, so that each device's share is like any other's.

    Args:
      split: N examples; a stored one is read into memory.
      multiple: as in `filled`.
      seed: >= 0, of the order alone.

    Returns:
      Batches of the columns and "mask", as in `filled`.
    """
    full = filled(split, multiple)
    return WholeBatches(shuffled(full, len(full), seed=seed)[0])


def portions(split: Examples, batch_size: int) -> SplitBatches | WholeBatches:
    """Batches of so many examples, or of all: for algorithms that count, exact where they see the whole.

    Args:
      split: N examples; a stored one is read into memory.
      batch_size: examples a batch, shuffled each epoch; 0: all, as `whole`.

    Returns:
      Batches of the columns and "mask", as in `filled`.
    """
    return shuffled(filled(split), batch_size) if batch_size else whole(split)


def once(split: Examples, batch_size: int, num_steps: int, *, seed: int = 0) -> SplitBatches:
    """The batches of `shuffled` for what adds up what it sees: at most one pass.

    Args:
      split: N examples.
      batch_size: as in `shuffled`; 0: all examples are dealt evenly among the steps.
      num_steps: batches that will be asked for.
      seed: as in `shuffled`.

    Returns:
      Batches of the columns; where all are dealt also "mask", as in `filled`.

    Raises:
      BadInput: if the batch size is negative, or the steps need more than N examples.
    """
    split = as_split(split)
    if not batch_size:
        split = filled(split, num_steps)
        batch_size = len(split) // num_steps
    if num_steps * batch_size > len(split):
        raise BadInput(
            f"--num_steps {num_steps} of --batch_size {batch_size}: they must not exceed the {len(split)} examples, "
            "for what is seen twice counts twice"
        )
    return shuffled(split, batch_size, seed=seed)


def padded(split: Examples, batch_size: int) -> dict[str, np.ndarray]:
    """A whole split as equal batches, for `core.full_pass`.

    Args:
      split: N examples; a stored one is read into memory.
      batch_size: examples a batch B, >= 1; a smaller split is one batch of its own size.

    Returns:
      Leaves `[ceil(N / B), B, ...]`, zeros beyond the split; "mask" `[ceil(N / B), B]` float32 is 1 for examples, 0
      for padding; one that the split has goes on with zeros.

    Raises:
      BadInput: if the batch size is not positive.
    """
    if batch_size < 1:
        raise BadInput(f"a batch size of {batch_size}: it must be >= 1")
    split = as_split(split)
    size = min(batch_size, len(split))
    return {name: array.reshape(-1, size, *array.shape[1:]) for name, array in filled(split, size).arrays.items()}


def filled(split: Examples, multiple: int = SHARES) -> Split:
    """A split with zeros beyond its end, so that as one batch it divides among devices.

    Args:
      split: N examples; a stored one is read into memory.
      multiple: of which the length becomes the next one, >= 1: among so many devices, or a divisor of it, it divides.

    Returns:
      The columns of the split, and "mask" float32: 1 for examples, 0 for padding; one that it has goes on with zeros.
    """
    split = as_split(split)
    beyond = -len(split) % multiple

    def fill(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((beyond, *array.shape[1:]), array.dtype)])

    columns = {"mask": np.ones(len(split), np.float32), **split.arrays}
    return Split({name: fill(array) for name, array in columns.items()}, split.info)


def _kind(split: Split) -> type[SplitBatches]:
    return StreamedBatches if isinstance(split, StoredSplit) else SplitBatches


def counted(step: int) -> int:
    """A step, once it is known to be one.

    Raises:
      IndexError: if it is negative.
      TypeError: if it is no integer.
    """
    step = operator.index(step)
    if step < 0:
        raise IndexError(f"there is no step {step}: steps count from 0")
    return step


def checked(batch_size: int, seed: int) -> tuple[int, int]:
    """A batch size and the seed of an order, once they are known to be in their ranges.

    Raises:
      BadInput: if one is not.
    """
    if batch_size < 1:
        raise BadInput(f"--batch_size {batch_size}: it must be >= 1")
    if seed < 0:
        raise BadInput(f"a seed of {seed} for the order of the data: it must be >= 0")
    return batch_size, seed
