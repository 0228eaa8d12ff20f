"""Steps on random examples of those that are held in memory: what is learned within a larger program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import tree
from adl.core.types import Algorithm, Key, PyTree, State


def by_random_batches(alg: Algorithm, *, num_steps: int, batch_size: int) -> Callable[[Key, PyTree], State]:
    """So many steps in one scan, each on examples that are drawn anew, with replacement.

    Args:
      alg: of batches `[B, ...]` each.
      num_steps: >= 0.
      batch_size: B >= 1.
    Returns:
      `learn(key, columns) -> state` of columns `[N, ...]` each, N >= 1.
    """

    def learn(key: Key, columns: PyTree) -> State:
        columns = jax.tree.map(jnp.asarray, columns)
        size = len(jax.tree.leaves(columns)[0])

        def step(state, key):
            rows_key, key = jax.random.split(key)
            rows = jax.random.randint(rows_key, (batch_size,), 0, size)
            return alg.step(key, state, tree.take(columns, rows))[0], None

        init_key, key = jax.random.split(key)
        start = alg.init(init_key, tree.take(columns, jnp.arange(batch_size) % size))
        return lax.scan(step, start, jax.random.split(key, num_steps))[0]

    return learn
