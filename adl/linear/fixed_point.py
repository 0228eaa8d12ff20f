"""Steps until nothing moves: what an algorithm whose every step sees all data converges to."""

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, Key, PyTree, State
from adl.core.types import Array


def fixed_point(
    alg: Algorithm, key: Key, batch: PyTree, *, tolerance: float = 1e-5, max_steps: int = 100
) -> tuple[State, Array]:
    """The state that an algorithm no longer leaves, from its own start, and the number of steps `[]` to it.

    Args:
      alg: deterministic, such as Newton's method by `accumulate`.
      key: of the start; every step gets the same one.
      batch: all data, at every step.
      tolerance: > 0; no entry of a leaf moves by more than this times the leaf's largest entry, or 1 if that is less.
      max_steps: >= 1, after which whatever was reached is returned.
    """

    def differ(old, new):
        return jnp.abs(new - old).max() > tolerance * jnp.maximum(jnp.abs(new).max(), 1)

    def unfinished(carry):
        count, _, is_moving = carry
        return is_moving & (count < max_steps)

    def move(carry):
        count, state, _ = carry
        new, _ = alg.step(key, state, batch)
        moves = jax.tree.map(
            lambda a, b: jnp.abs(a - b).max() > tolerance * jnp.maximum(jnp.abs(b).max(), 1), state, new
        )
        return count + 1, new, jnp.stack(jax.tree.leaves(moves)).any()

    count, state, _ = lax.while_loop(unfinished, move, (0, alg.init(key, batch), True))
    return state, count
