"""Draws in proportion to weights that change: a sum tree a row, in the graph.

Row b has weights at L places. A tree over them has the sum of each pair, of each pair of pairs, and so on up to that of
the row, so that changing a weight, and finding the place that a point of the sum falls on, take log2 L steps instead of
L. Trees are `[B, 2 W]`, W the power of two from L on: node 1 is the root, nodes 2k and 2k + 1 are below k, leaves are
W ... 2W - 1. A row's tree lies where its row does, and rows split over devices. A sum is made anew of the two below it
whenever one of them changes, so that rounding does not pile up.

Source: Schaul et al. 2016, arXiv:1511.05952, appendix B.2.1.
"""

import chex
import jax.numpy as jnp
from jax import lax

from adl.core.types import Array


def sum_trees(num_rows: int, length: int) -> Array:
    """`[B, 2 W]` trees of weights that are all 0.

    Args:
      num_rows: B >= 1.
      length: L >= 1, places of a row.
    """
    return jnp.zeros((num_rows, 2 * 2 ** max(length - 1, 0).bit_length()))


def weigh(trees: Array, row: Array, place: Array, weight: Array) -> Array:
    """The trees with other weights at some places.

    Args:
      trees: `[B, 2 W]`.
      row: `[n]` integer.
      place: `[n]` integer in 0 ... L - 1.
      weight: `[n]` >= 0; where a place is named twice, one of them counts.
    """
    chex.assert_equal_shape([row, place, weight])
    width = trees.shape[1] // 2
    node = width + place
    trees = trees.at[row, node].set(weight)

    def up(_, carry):
        trees, node = carry
        node = node // 2
        return trees.at[row, node].set(trees[row, 2 * node] + trees[row, 2 * node + 1]), node

    return lax.fori_loop(0, width.bit_length() - 1, up, (trees, node))[0]


def weight_of(trees: Array, row: Array, place: Array) -> Array:
    """`[n]` weights at places `[n]` of rows `[n]`."""
    return trees[row, trees.shape[1] // 2 + place]


def totals(trees: Array) -> Array:
    """`[B]` sums of the rows."""
    return trees[:, 1]


def find(trees: Array, point: Array) -> tuple[Array, Array]:
    """Rows and places `[n]` that points fall on, where all weights lie end to end, row after row.

    Args:
      trees: `[B, 2 W]`, of which some weight is not 0.
      point: `[n]` in [0, the sum of all weights); a place of weight 0 is never found.
    """
    width, ends = trees.shape[1] // 2, jnp.cumsum(totals(trees))
    last = jnp.max(jnp.where(totals(trees) > 0, jnp.arange(len(ends)), 0))
    row = jnp.minimum(jnp.searchsorted(ends, point, side="right"), last)
    rest = point - (ends - totals(trees))[row]

    def down(_, carry):
        node, rest = carry
        left, right = trees[row, 2 * node], trees[row, 2 * node + 1]
        goes_right = ((rest >= left) & (right > 0)) | (left == 0)  # rounding may leave a point beyond the last weight
        return 2 * node + goes_right, jnp.where(goes_right, rest - left, rest)

    node, _ = lax.fori_loop(0, width.bit_length() - 1, down, (jnp.ones_like(row), rest))
    return row, node - width
