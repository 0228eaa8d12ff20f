"""Several passes over one batch in shuffled parts: what a batch that was dear to come by is worth."""

from collections.abc import Callable

import jax

from adl.core import tree
from adl.core.errors import BadInput
from adl.core.lift import repeated
from adl.core.types import Algorithm, Key, Metrics, State


def epochs(
    update: Callable[..., tuple[State, Metrics]], num_epochs: int, num_minibatches: int
) -> Callable[..., tuple[State, Metrics]]:
    """`num_epochs * num_minibatches` updates on one batch; each pass sees every row once, in an order of its own.

    Args:
      update: `update(key, state, *batch) -> (state, metrics)`, such as `descend`; each has a key of its own.
      num_epochs: passes, >= 1.
      num_minibatches: equal parts of each pass, >= 1. Under pmap every device shuffles its own share and gives a part
        of it to each.
    Returns:
      `passes(key, state, *batch) -> (state, metrics)`, metrics summed over all updates. At trace time it raises
      `BadInput` if the batch, or a device's share of it under pmap, does not divide into minibatches.
    """

    def passes(key: Key, state: State, *batch) -> tuple[State, Metrics]:
        size = len(jax.tree.leaves(batch)[0])
        if size % num_minibatches:
            raise BadInput(f"a batch of {size}, as a device has it, does not divide into {num_minibatches} minibatches")
        keys = jax.random.split(key, num_epochs + 1)
        order = jax.vmap(lambda key: jax.random.permutation(key, size))(keys[:-1])

        def part(key, state, rows):
            return update(key, state, *tree.take(batch, rows))

        n = num_epochs * num_minibatches
        return repeated(Algorithm(None, part), n).step(keys[-1], state, order.reshape(n, -1))

    return passes
