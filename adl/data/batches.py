"""Batches as a pure function of the step: no iterator, hence nothing to save, skip or replay."""

import functools
import operator
from collections.abc import Mapping

import numpy as np

from adl.core import BadInput
from adl.data.source import Split


class Batches:
    """`batches[step]`: the rows of one step, whatever ran before.

    The split is permuted anew each epoch and read on across its end, so that nothing is dropped: after e epochs each
    example was seen exactly e times. Every process computes the same global batch and gathers its own share of it.
    """

    def __init__(self, split: Split, batch_size: int, seed: int, process: tuple[int, int]):
        self.split, self.batch_size, self.seed, self.process = split, batch_size, seed, process
        self._permutation = functools.lru_cache(maxsize=2)(self._permuted)

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which every example is seen once on average."""
        return len(self.split) / self.batch_size

    def indices(self, step: int) -> np.ndarray:
        """`[B]` rows of the split in the global batch of a step."""
        step = operator.index(step)
        if step < 0:
            raise IndexError(f"there is no step {step}: steps count from 0")
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, places = np.divmod(positions, len(self.split))
        first, last = epochs[0], epochs[-1]
        if first == last:
            return self._permutation(int(first))[places]
        return np.concatenate([self._permutation(int(e))[places[epochs == e]] for e in range(first, last + 1)])

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        index, count = self.process
        share = self.batch_size // count
        return self.split.take(self.indices(step)[index * share : (index + 1) * share])

    def _permuted(self, epoch: int) -> np.ndarray:
        return np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(len(self.split))


def shuffled(split: Split, batch_size: int, *, seed: int = 0, process: tuple[int, int] | None = None) -> Batches:
    """Training batches of a split, shuffled each epoch, without end.

    Args:
      split: in memory, or read from disk as asked for.
      batch_size: examples of the global batch, >= 1; it may exceed the split.
      seed: of the order alone.
      process: (index, count) of this process; JAX's own by default.

    Raises:
      BadInput: if the batch does not divide among the processes.
    """
    if process is None:
        import jax

        process = jax.process_index(), jax.process_count()
    if batch_size < 1 or batch_size % process[1]:
        raise BadInput(f"--batch_size {batch_size}: it must be a positive multiple of {process[1]} processes")
    return Batches(split, batch_size, seed, process)


def padded(split: Split, batch_size: int) -> Mapping[str, np.ndarray]:
    """A whole split as equal batches, for `core.full_pass`.

    Args:
      split: N examples.
      batch_size: examples a batch B, >= 1; a smaller split is one batch of its own size.

    Returns:
      Leaves `[ceil(N / B), B, ...]`, zeros beyond the split; "mask" `[ceil(N / B), B]` is 1 for examples, 0 for padding.
    """
    size = min(batch_size, len(split))
    num_batches = -(-len(split) // size)
    rows = {**split.take(np.arange(len(split))), "mask": np.ones(len(split), np.float32)}

    def cut(values):
        values = np.pad(values, [(0, num_batches * size - len(split))] + [(0, 0)] * (values.ndim - 1))
        return values.reshape(num_batches, size, *values.shape[1:])

    return {name: cut(values) for name, values in rows.items()}
