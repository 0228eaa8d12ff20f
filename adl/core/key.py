"""Keys: luck, consumed by whoever receives it, and found again from a root and the number of a step."""

import functools

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key


def fold_in(key: Key, data: Array | int) -> Key:
    """`jax.random.fold_in` for keys `[...]` of any shape: the same `data` into each."""
    return jnp.vectorize(jax.random.fold_in, excluded={1})(key, data) if key.ndim else jax.random.fold_in(key, data)


@functools.partial(jax.jit, static_argnames="n")
def step_keys(root: Key, start: Array | int, n: int | None = None) -> Key:
    """Key `[...]` of step `start`, or with n keys `[n, ...]` from there on: step t has `fold_in(root, t)`, always."""
    if n is None:
        return fold_in(root, start)
    return jax.vmap(lambda step: fold_in(root, step))(start + jnp.arange(n, dtype=jnp.uint32))


def split_once(key: Key, n: int) -> Key:
    """`[n, ...]` keys: those that came, or one key split."""
    return key if key.ndim else jax.random.split(key, n)
