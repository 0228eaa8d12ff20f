"""One run for each class that is left out: what learns from all but one, beside what learns from all."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import tree
from adl.core.key import split_once
from adl.core.statistics import gathered
from adl.core.types import Algorithm


def leaving_out(alg: Algorithm, column: str, values: Sequence[int], *, axis: str | None = None) -> Algorithm:
    """One run for each value of a column, which sees no example that has it: the state gains a leading axis `[V]`.

    In its batches the others take the places of these, in their order, over again until the batch is full: a batch of
    [a, b, a, c] is [b, c, b, c] to the run without a. Where there are no others the state stays as it is. Metrics are
    merged over the runs, each of which has keys of its own.

    Args:
      alg: any, of batches that are a mapping of columns, with a state that is whole on every device.
      column: `[B]` integers, such as classes.
      values: V of them; one that no example has leaves nothing out.
      axis: as in `core.descend`, and as `alg` was built with; devices deal the whole batch out among them.
    """
    values = jnp.asarray(values)

    def others(batch, value):
        """Rows of the whole batch that stay, as many as it has, and whether there are any."""
        is_out = batch[column] == value
        count = (~is_out).sum()
        first = jnp.argsort(is_out, stable=True)  # those that stay, in their order
        return first[jnp.arange(len(is_out)) % jnp.maximum(count, 1)], count > 0

    def init(key, batch):
        def one(key, value):
            return alg.init(key, jax.tree.map(lambda x: x[others(batch, value)[0]], batch))

        return jax.vmap(one)(split_once(key, len(values)), values)

    def step(key, state, batch):
        whole, share = gathered(batch, axis), len(batch[column])
        start = 0 if axis is None else share * lax.axis_index(axis)

        def one(key, state, value):
            rows, is_there = others(whole, value)
            mine = lax.dynamic_slice_in_dim(rows, start, share)
            new, metrics = alg.step(key, state, jax.tree.map(lambda x: x[mine], whole))
            return tree.where(is_there, new, state), jax.tree.map(lambda x: jnp.where(is_there, x, 0), metrics)

        state, metrics = jax.vmap(one)(split_once(key, len(values)), state, values)
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step)
