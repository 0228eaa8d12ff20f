"""A ring of what was seen: the newest is kept, the oldest makes room, and any of it can be drawn again.

A batch has B rows that go on side by side: environments, streams, games. Each row has a ring of its own, of L places,
so that leaves are `[B, L, ...]`. Rows split over devices as batches do, and a place means the same on one device as on
many: `axes` of a state is `AXES` where its buffer is, adding moves nothing from device to device, and a run may go on
on another number of them.

A buffer is state, and a checkpoint has it. Sources: experience replay, Lin 1992, Machine Learning 8; Mnih et al. 2015,
Nature 518, there algorithm 1.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from adl.core.errors import BadInput
from adl.core.types import Array, Key, PyTree


class Buffer(NamedTuple):
    """What was seen last, zeros where nothing was yet."""

    items: PyTree  # leaves [B, L, ...]: B rows, each a ring of L places
    position: Array  # [] int32 in 0 ... L - 1: the place of the next
    count: Array  # [] int32 in 0 ... L: places of each row that are filled


AXES = Buffer(0, None, None)  # of a state that has a buffer: each device has the rings of its rows


def create(batch: PyTree, capacity: int) -> Buffer:
    """An empty buffer.

    Args:
      batch: leaves `[B, ...]`, arrays or their shapes: like what will be added.
      capacity: items of all rows together, a multiple of B.
    Raises:
      BadInput: if each row would not have the same number of places, one at least.
    """
    leaves = jax.tree.leaves(batch)
    chex.assert_equal_shape_prefix(leaves, 1)
    rows = leaves[0].shape[0]
    if capacity < rows or capacity % rows:
        raise BadInput(f"a buffer of {capacity} for batches of {rows}: it must be a multiple of that")
    shape = (rows, capacity // rows)
    items = jax.tree.map(lambda leaf: jnp.zeros(shape + leaf.shape[1:], leaf.dtype), batch)
    return Buffer(items, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def add(buffer: Buffer, batch: PyTree) -> Buffer:
    """The buffer with one item more in each row, in the place of its oldest where the ring is full.

    Args:
      buffer: of B rows.
      batch: leaves `[B, ...]`, of the structure, shapes and dtypes that the buffer was made for.
    Raises:
      AssertionError: at trace time, if the batch is another.
    """
    wanted = jax.eval_shape(lambda items: jax.tree.map(lambda leaf: leaf[:, 0], items), buffer.items)
    chex.assert_trees_all_equal_structs(batch, wanted)
    chex.assert_trees_all_equal_shapes_and_dtypes(batch, wanted)

    def put(ring, new):
        return lax.dynamic_update_index_in_dim(ring, new, buffer.position, 1)

    length = size(buffer)
    items = jax.tree.map(put, buffer.items, batch)
    return Buffer(items, (buffer.position + 1) % length, jnp.minimum(buffer.count + 1, length))


def extend(buffer: Buffer, batches: PyTree) -> Buffer:
    """The buffer with T items more in each row, leaves `[T, B, ...]`, one after the other; raises as `add`."""
    return lax.scan(lambda buffer, batch: (add(buffer, batch), None), buffer, batches)[0]


def sample(key: Key, buffer: Buffer, n: int, axis: str | None = None) -> PyTree:
    """Items `[n, ...]`, each as likely as any other that is there, with replacement; zeros of an empty buffer.

    Args:
      key: consumed.
      buffer: of this device.
      n: >= 1, items over all devices, of which each draws its share from its own rows.
      axis: as in `descend`.
    Raises:
      BadInput: if n does not divide by the devices.
    """
    return jax.tree.map(lambda leaf: leaf[:, 0], sample_windows(key, buffer, n, 1, axis))


def sample_windows(key: Key, buffer: Buffer, n: int, length: int, axis: str | None = None) -> PyTree:
    """Items `[n, length, ...]` that followed each other in a row; each window that is there is as likely as any other.

    Args:
      key: consumed.
      buffer: of this device; it has `length` items of each row at least, else zeros are among them.
      n: >= 1, windows over all devices, of which each draws its share from its own rows.
      length: >= 1, items of a window.
      axis: as in `descend`.
    Raises:
      BadInput: if n does not divide by the devices.
    """
    row_key, place_key = jax.random.split(key)
    shape = (part(n, axis),)
    row = jax.random.randint(row_key, shape, 0, jax.tree.leaves(buffer.items)[0].shape[0])
    since = jax.random.randint(place_key, shape, 0, jnp.maximum(buffer.count - length + 1, 1))
    oldest = jnp.where(buffer.count < size(buffer), 0, buffer.position)
    return windows_at(buffer, row, oldest + since, length)


def windows_at(buffer: Buffer, row: Array, place: Array, length: int) -> PyTree:
    """Items `[n, length, ...]` of rows `[n]`, from places `[n]` on, which are counted round the ring."""
    places = (place[:, None] + jnp.arange(length)[None]) % size(buffer)
    return jax.tree.map(lambda leaf: leaf[row[:, None], places], buffer.items)


def part(n: int, axis: str | None = None) -> int:
    """A device's part of n draws.

    Raises:
      BadInput: if n does not divide by the devices.
    """
    devices = 1 if axis is None else lax.axis_size(axis)
    if n % devices:
        raise BadInput(f"{n} items of a buffer do not divide by {devices} devices")
    return n // devices


def present(buffer: Buffer) -> Array:
    """`[B, L]` boolean: where the buffer has an item."""
    rows, length = jax.tree.leaves(buffer.items)[0].shape[:2]
    return jnp.broadcast_to(jnp.arange(length) < buffer.count, (rows, length))


def size(buffer: Buffer) -> int:
    """Places L of each row."""
    return jax.tree.leaves(buffer.items)[0].shape[1]
