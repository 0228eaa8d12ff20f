"""Arithmetic on whole pytrees."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, PyTree


def ema(average: PyTree, new: PyTree, decay: Array | float) -> PyTree:
    """Exponential moving average `decay * average + (1 - decay) * new`, leaf by leaf.

    Args:
      average: the average so far.
      new: of the same structure and shapes.
      decay: `[]` in [0, 1]; 0 copies `new`, 1 never moves.
    """
    return jax.tree.map(lambda a, n: (decay * a + (1 - decay) * n).astype(a.dtype), average, new)


def where(condition: Array, true: PyTree, false: PyTree) -> PyTree:
    """`true` where `condition` holds, else `false`.

    Args:
      condition: `[]` or `[B...]` boolean; it is aligned with the leading axes of every leaf.
      true: any pytree.
      false: of the same structure and shapes.
    """

    def pick(a, b):
        return jnp.where(condition.reshape(condition.shape + (1,) * (jnp.ndim(a) - condition.ndim)), a, b)

    condition = jnp.asarray(condition)
    return jax.tree.map(pick, true, false)


def name(path: tuple[Any, ...]) -> str:
    """A leaf's path, of `jax.tree.map_with_path`, in one word: `params/MLP_0/Dense_0/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def norm(tree: PyTree) -> Array:
    """`[]` Euclidean norm of all entries of all leaves together, of any size; its gradient at 0 is 0."""
    leaves = [jnp.abs(leaf) for leaf in jax.tree.leaves(tree)]
    top = lax.stop_gradient(jnp.max(jnp.stack([leaf.max(initial=0) for leaf in leaves] or [jnp.zeros(())])))
    unit = jnp.where((top > 0) & (top < jnp.inf), top, 1)  # squares of what is over it neither overflow nor vanish
    total = sum(jnp.square(leaf / unit).sum() for leaf in leaves)
    # XLA would copy this chain of sums into each kernel that updates a leaf, and half its time would go into these;
    # a reduction it does not copy. What is added is 0, which XLA cannot know.
    total = jnp.abs(jnp.stack([total, jnp.where(top < 0, 1.0, 0.0)])).sum()
    return unit * jnp.sqrt(jnp.where(total == 0, 1, total)) * jnp.where(total == 0, 0, 1)


def count(tree: PyTree) -> int:
    """Number of scalars in all leaves together; works on shapes alone, so it costs nothing."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def take(tree: PyTree, index: int) -> PyTree:
    """Entry `index` along the first axis of every leaf: one seed of many, one batch of a stack."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def copy(tree: PyTree) -> PyTree:
    """The same values in buffers of their own: a teacher and its student cannot both be donated from one."""
    return jax.tree.map(jnp.copy, tree)


def zeros(tree: PyTree) -> PyTree:
    """Zeros in the shapes and dtypes of `tree`, which may hold `ShapeDtypeStruct`s."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), tree)


def finite(tree: PyTree) -> Array:
    """`[L]` whether each of the L leaves holds finite numbers only; integers, booleans and keys always do."""
    leaves = jax.tree.leaves(tree)
    return jnp.array([jnp.isfinite(x).all() if jnp.issubdtype(x.dtype, jnp.inexact) else True for x in leaves])
