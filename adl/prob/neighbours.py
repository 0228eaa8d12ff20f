"""Nearest neighbours: a classifier without parameters, and the distances that it goes by."""

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core.errors import BadInput
from adl.prob.product import matmul

FEW = 8  # dimensions, up to which differences are squared one by one: the product would not be faster
SOME = 64  # rows whose middle stands for that of all


def squared_distances(x: Array, y: Array) -> Array:
    """`[N, M]` squared Euclidean distances between the rows of `x` `[N, D]` and `y` `[M, D]`, >= 0; nan of nan.

    Up to `FEW` dimensions they are right to float32's digits. In more they are right to 1e-7 times the squares of the
    rows' distances from the middle of `y`, wherever that lies.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    if x.shape[1] <= FEW:
        squares = (jnp.square(x[:, i, None] - y[None, :, i]) for i in range(x.shape[1]))
        return sum(squares, start=jnp.zeros((len(x), len(y)), x.dtype))
    # About the middle: far from the origin nothing would be left of the difference of such squares.
    some = y[:: -(-len(y) // SOME)]
    middle = lax.stop_gradient(jnp.nanmedian(some, 0, keepdims=True))  # one far row, or of nan, moves it not
    middle = jnp.where(jnp.isfinite(middle), middle, 0)
    x, y = x - middle, y - middle
    products = matmul(x, y.T)
    return jnp.maximum((x**2).sum(1)[:, None] - 2 * products + (y**2).sum(1)[None], 0)


def classify(x: Array, reference: Array, labels: Array, *, k: int, num_classes: int) -> Array:
    """`[N]` class of each row by the votes of its k nearest references; a draw goes to the lowest class.

    Args:
      x: `[N, D]` rows to be classified; one that holds nan or infinity is of no class, -1.
      reference: `[M, D]` rows whose class is known; one that holds nan is nobody's neighbour, and where fewer than k
        are left the answer is -1, too.
      labels: `[M]` integers in 0 ... num_classes - 1.
      k: in 1 ... M.
      num_classes: K >= 1.
    Raises:
      BadInput: of fewer than k references.
    Source: Cover & Hart 1967, IEEE Transactions on Information Theory 13(1).
    """
    chex.assert_equal_shape_prefix([reference, labels], 1)
    if len(reference) < k:
        raise BadInput(
            f"{len(reference)} examples whose class is known, and {k} neighbours are asked: give {k} or more"
        )
    distances = squared_distances(x, reference)
    least, nearest = lax.top_k(-jnp.where(jnp.isnan(distances), jnp.inf, distances), k)
    votes = jax.nn.one_hot(labels[nearest], num_classes).sum(1)
    return jnp.where(jnp.isfinite(least).all(1), votes.argmax(1), -1)
