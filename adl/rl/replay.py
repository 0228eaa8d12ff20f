"""What an agent remembers of its moves, and which of them it thinks of again.

A memory is the ring of `core.buffer` with a way to draw from it: windows of moves that followed each other, all alike,
or those more often that were surprising when they were last drawn. A window of n moves is what an n-step return is of.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import BadInput, buffer, priority
from adl.core.buffer import Buffer
from adl.core.types import Array, Key, PyTree


class Recalled(NamedTuple):
    """Windows that were drawn; n of them on all devices together."""

    window: PyTree  # [n, length, ...]
    weight: Array  # [n] in (0, 1], of each in the loss
    row: Array  # [n] where it lies
    place: Array  # [n]


class Replay(NamedTuple):
    """A way to remember; its state is made by `create` and split over devices by `axes`."""

    create: Callable[[PyTree, int], PyTree]  # (like a move of each row [B, ...], capacity of all rows) -> state
    add: Callable[[PyTree, PyTree], PyTree]  # (state, a move of each row [B, ...]) -> state
    draw: Callable[[Key, PyTree, int, str | None], Recalled]  # (key, state, n of all devices, axis) -> windows
    judge: Callable[[PyTree, Recalled, Array, str | None], PyTree]  # (state, drawn, surprise [n], axis) -> state
    axes: PyTree
    length: int  # moves of a window


def with_moves(memory: Replay, state: PyTree, moves: PyTree) -> PyTree:
    """The state after moves `[T, B, ...]`, one after the other."""
    return lax.scan(lambda state, move: (memory.add(state, move), None), state, moves)[0]


def uniform_memory(length: int = 1) -> Replay:
    """Every window of `length` >= 1 moves is as likely as any other.

    Source: Lin 1992, Machine Learning 8; Mnih et al. 2015, Nature 518.
    """

    def draw(key, ring, n, axis):
        window = buffer.sample_windows(key, ring, n, length, axis)
        one = jnp.ones(buffer.part(n, axis))
        return Recalled(window, one, one.astype(int), one.astype(int))

    def create(batch, capacity):
        return _roomy(buffer.create(batch, capacity), length)

    return Replay(create, buffer.add, draw, lambda ring, *_: ring, buffer.AXES, length)


alike = uniform_memory()  # of single moves


def of_stacks(memory: Replay) -> Replay:
    """A memory of moves whose observations `[..., K]` are the last K frames: each has K + 1 of them, not two times K.

    Args:
      memory: that keeps them; its moves are `rollout.Transition`s.
    """

    def frames(move):
        return move._replace(obs=jnp.concatenate([move.obs, move.next_obs[..., -1:]], -1), next_obs=())

    def draw(key, state, n, axis):
        drawn = memory.draw(key, state, n, axis)
        seen = drawn.window.obs
        return drawn._replace(window=drawn.window._replace(obs=seen[..., :-1], next_obs=seen[..., 1:]))

    return memory._replace(
        create=lambda batch, capacity: memory.create(frames(batch), capacity),
        add=lambda state, batch: memory.add(state, frames(batch)),
        draw=draw,
    )


class Ranked(NamedTuple):
    """A ring with a weight for each window, where it begins."""

    ring: Buffer
    trees: Array  # [B, 2 W] of priorities p_i, as in `core.priority`
    most: Array  # [] the highest priority so far, which new windows have


def prioritised_memory(length: int = 1, *, alpha: float = 0.6, beta: float = 0.4, epsilon: float = 1e-6) -> Replay:
    """Windows of `length` moves are drawn in proportion to how surprising they were, and weighed to make up for it.

    P(i) = p_i / sum_k p_k,   p_i = (surprise_i + epsilon)^alpha,   w_i = (N P(i))^-beta / max_j w_j

    over the windows j that are drawn. A new window has the highest priority so far. On several devices each draws an
    equal share by the priorities of its own rows.

    Args:
      length: >= 1.
      alpha: >= 0; 0 draws all alike.
      beta: in [0, 1]; 1 makes up for all of it. The paper raises it to 1 along a run; here it stays.
      epsilon: > 0, so that nothing is forgotten.
    Source: Schaul et al. 2016, arXiv:1511.05952, eq. 1, section 3.4 and algorithm 1.
    """

    def create(batch, capacity):
        ring = _roomy(buffer.create(batch, capacity), length)
        rows = jax.tree.leaves(batch)[0].shape[0]
        return Ranked(ring, priority.sum_trees(rows, buffer.size(ring)), jnp.ones(()))

    def add(state, batch):
        ring, row = buffer.add(state.ring, batch), jnp.arange(len(state.trees))
        newest = jnp.broadcast_to(state.ring.position, row.shape)
        # What began at the place that is overwritten is gone; the window that the newest move completes is there.
        trees = priority.weigh(state.trees, row, newest, jnp.zeros(row.shape))
        first = (newest - length + 1) % buffer.size(ring)
        most = jnp.where(ring.count >= length, state.most, 0.0)
        return Ranked(ring, priority.weigh(trees, row, first, jnp.broadcast_to(most, row.shape)), state.most)

    def draw(key, state, n, axis):
        n, total = buffer.part(n, axis), priority.totals(state.trees).sum()
        point = (jnp.arange(n) + jax.random.uniform(key, (n,))) / n * total  # one from each of n equal parts
        row, place = priority.find(state.trees, point)
        windows = len(state.trees) * jnp.maximum(state.ring.count - length + 1, 1)
        weight = (windows * priority.weight_of(state.trees, row, place) / total) ** -beta
        most = weight.max() if axis is None else lax.pmax(weight.max(), axis)
        return Recalled(buffer.windows_at(state.ring, row, place, length), weight / most, row, place)

    def judge(state, drawn, surprise, axis):
        value = (surprise + epsilon) ** alpha
        most = value.max() if axis is None else lax.pmax(value.max(), axis)
        trees = priority.weigh(state.trees, drawn.row, drawn.place, value)
        return Ranked(state.ring, trees, jnp.maximum(state.most, most))

    return Replay(create, add, draw, judge, Ranked(buffer.AXES, 0, None), length)


def _roomy(ring: Buffer, length: int) -> Buffer:
    """The ring, if it has room for a window."""
    if buffer.size(ring) < length:
        raise BadInput(f"a memory of {buffer.size(ring)} moves of each copy has no window of {length}; more capacity")
    return ring
