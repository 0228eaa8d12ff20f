"""Batches as a pure function of the step: no iterator, hence nothing to save, skip or replay."""

import functools
import operator
import os
from typing import Any

import numpy as np

from adl.core import BadInput
from adl.data.split import Split, StoredSplit, read_only

AHEAD = 16  # batches read ahead, at most; each has a thread


class Batches:
    """`batches[step]`: the rows of one step, whatever was asked for before.

    The split is permuted anew each epoch and read on across its end, so that nothing is dropped: after e epochs each
    example was seen exactly e times. Every process knows the global batch, and gathers what it is asked for: all of
    it, or its own `share`.
    """

    def __init__(self, split: Split, batch_size: int, seed: int, process: tuple[int, int] = (0, 1)):
        self.split, self.batch_size, self.seed, self.process = split, batch_size, seed, process
        self._permutation = functools.lru_cache(maxsize=2)(self._permuted)

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which each example is seen once, on average."""
        return len(self.split) / self.batch_size

    def share(self, index: int, count: int) -> "Batches":
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
        step = _counted(step)
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
        # A counter-based generator: epoch 1000 costs what epoch 0 does.
        rows = np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(len(self.split))
        return read_only(rows)


class StreamedBatches(Batches):
    """The same batches, read ahead by grain's threads while they are asked for in order."""

    def __init__(self, split: Split, batch_size: int, seed: int, process: tuple[int, int] = (0, 1)):
        super().__init__(split, batch_size, seed, process)
        self._step, self._batch, self._ahead = -2, {}, None

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        step = _counted(step)
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


def shuffled(split: Split, batch_size: int, *, seed: int = 0) -> Batches:
    """Training batches of a split, shuffled each epoch, without end.

    A split in memory is gathered, a stored one (`load` decides by size) is `streamed`: the same rows either way.

    Args:
      split: N examples.
      batch_size: examples of the global batch B, >= 1; it may exceed N.
      seed: >= 0, of the order alone.

    Raises:
      BadInput: if the batch size is not positive.
    """
    kind = StreamedBatches if isinstance(split, StoredSplit) else Batches
    return kind(split, *_checked(batch_size, seed))


def streamed(split: Split, batch_size: int, *, seed: int = 0) -> StreamedBatches:
    """The batches of `shuffled`, read ahead by threads while steps are asked for in order.

    For sources that are slow to read or decode; any other order of steps gives the same batches, without the lead.

    Args:
      split: N examples.
      batch_size: as in `shuffled`.
      seed: as in `shuffled`.

    Raises:
      BadInput: if the batch size is not positive.
    """
    return StreamedBatches(split, *_checked(batch_size, seed))


def once(split: Split, batch_size: int, num_steps: int, *, seed: int = 0) -> Batches:
    """The batches of `shuffled` for what adds up what it sees: at most one pass.

    Args:
      split: N examples.
      batch_size: as in `shuffled`.
      num_steps: batches that will be asked for.
      seed: as in `shuffled`.

    Raises:
      BadInput: if the batch size is not positive, or the steps need more than N examples.
    """
    if num_steps * batch_size > len(split):
        raise BadInput(
            f"--num_steps {num_steps} of --batch_size {batch_size}: they must not exceed the {len(split)} examples, "
            "for what is seen twice counts twice"
        )
    return shuffled(split, batch_size, seed=seed)


def padded(split: Split, batch_size: int) -> dict[str, np.ndarray]:
    """A whole split as equal batches, for `core.full_pass`.

    Args:
      split: N examples; a stored one is read into memory.
      batch_size: examples a batch B, >= 1; a smaller split is one batch of its own size.

    Returns:
      Leaves `[ceil(N / B), B, ...]`, zeros beyond the split; "mask" `[ceil(N / B), B]` float32 is 1 for examples, 0
      for padding.

    Raises:
      BadInput: if the batch size is not positive.
    """
    if batch_size < 1:
        raise BadInput(f"a batch size of {batch_size}: it must be >= 1")
    size = min(batch_size, len(split))
    return {name: array.reshape(-1, size, *array.shape[1:]) for name, array in filled(split, size).arrays.items()}


def filled(split: Split, multiple: int) -> Split:
    """A split with zeros beyond its end, so that as one batch it divides among devices.

    Args:
      split: N examples; a stored one is read into memory.
      multiple: of which the length becomes the next one, >= 1.

    Returns:
      The columns of the split, and "mask" float32: 1 for examples, 0 for padding.
    """
    beyond = -len(split) % multiple

    def fill(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((beyond, *array.shape[1:]), array.dtype)])

    columns = {**split.arrays, "mask": np.ones(len(split), np.float32)}
    return Split({name: fill(array) for name, array in columns.items()}, split.info)


def _counted(step: int) -> int:
    step = operator.index(step)
    if step < 0:
        raise IndexError(f"there is no step {step}: steps count from 0")
    return step


def _checked(batch_size: int, seed: int) -> tuple[int, int]:
    if batch_size < 1:
        raise BadInput(f"--batch_size {batch_size}: it must be >= 1")
    if seed < 0:
        raise BadInput(f"a seed of {seed} for the order of the data: it must be >= 0")
    return batch_size, seed
