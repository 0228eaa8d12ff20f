"""Assignment: who does which task, so that the sum of the costs is least; in the graph, with fixed shapes."""

from typing import NamedTuple

import chex
import jax.numpy as jnp
from jax import Array, lax


def assigned(cost: Array, mask: Array | None = None) -> Array:
    """The column of each row, no column twice, of the least sum of costs.

    Rows come one after the other; each takes the cheapest alternating path, of Dijkstra's algorithm on the costs less
    the rows' and the columns' prices, to a column that is free. Each row is answered: of fewer columns than rows some
    rows have none.

    Args:
      cost: `[N, M]` of row n at column m; infinity forbids the pair.
      mask: `[N]`: 1 is a row, 0 padding, which takes no column; None: all are rows.
    Returns:
      `[N]` int32 in 0 ... M - 1, and -1 of rows that have none: of padding; where there are fewer columns, or nothing
      is left that is allowed; of all, where a cost that counts is nan or minus infinity. Batch with `jax.vmap`. No
      gradient flows: the assignment is a choice.
    Source: the shortest augmenting paths of Jonker & Volgenant 1987, Computing 38, as in Crouse 2016, IEEE TAES 52(4),
      algorithm 1.
    """
    chex.assert_rank(cost, 2)
    num_rows, num_columns = cost.shape
    cost = lax.stop_gradient(cost).astype(jnp.promote_types(cost.dtype, jnp.float32))
    is_row = jnp.ones(num_rows, bool) if mask is None else mask > 0
    cost = jnp.where(is_row[:, None], cost, jnp.inf)
    is_known = ~(jnp.isnan(cost) | jnp.isneginf(cost)).any()
    cost = jnp.where(is_known, cost, 0)
    column_of = _matched(cost).column_of if mask is not None or num_rows <= num_columns else None
    if num_rows > num_columns:  # where there are more than columns these choose, and it is read the other way
        row_of = _matched(cost.T).column_of
        rows = jnp.where(row_of < 0, num_rows, row_of)
        chosen = jnp.full(num_rows, -1, jnp.int32).at[rows].set(jnp.arange(num_columns), mode="drop")
        column_of = chosen if column_of is None else jnp.where(is_row.sum() > num_columns, chosen, column_of)
    return jnp.where(is_known & is_row, column_of, -1)


class _Prices(NamedTuple):
    """A matching of the rows so far, and the prices that prove it cheapest: cost >= row + column, = where matched."""

    row: Array  # [N]
    column: Array  # [M], <= 0, and 0 of a free column
    column_of: Array  # [N] int32, -1: none
    row_of: Array  # [M] int32, -1: none


class _Path(NamedTuple):
    """Dijkstra's search from one row."""

    reach: Array  # [M] cost of the cheapest alternating path to each column, so far
    before: Array  # [M] int32, the row from which it comes there
    is_done: Array  # [M] bool, whether that is final
    row: Array  # [] int32, the row that is looked at
    far: Array  # [] cost of the path to it
    sink: Array  # [] int32, the free column at which it ends; -1: none yet, M: there is none


def _matched(cost: Array) -> _Prices:
    num_rows, num_columns = cost.shape
    # A row's costs less the least of them ask for the same columns, and lose nothing to a large common part.
    least = cost.min(1, keepdims=True, initial=jnp.inf)
    cost = cost - jnp.where(jnp.isfinite(least), least, 0)
    start = _Prices(
        jnp.zeros(num_rows, cost.dtype),
        jnp.zeros(num_columns, cost.dtype),
        jnp.full(num_rows, -1, jnp.int32),
        jnp.full(num_columns, -1, jnp.int32),
    )
    return lax.fori_loop(0, num_rows, lambda row, known: _with_row(cost, known, row), start)


def _with_row(cost: Array, known: _Prices, row: Array) -> _Prices:
    """The matching with one row more, if it finds a path."""
    num_columns = cost.shape[1]

    def look(path: _Path) -> _Path:
        reach = path.far + cost[path.row] - known.row[path.row] - known.column
        is_nearer = ~path.is_done & (reach < path.reach)
        reach, before = jnp.where(is_nearer, reach, path.reach), jnp.where(is_nearer, path.row, path.before)
        open_reach = jnp.where(path.is_done, jnp.inf, reach)
        far = open_reach.min()
        # Of columns equally near a free one, which ends the search.
        at = jnp.argmax(jnp.where(open_reach == far, 1 + (known.row_of < 0), 0)).astype(jnp.int32)
        sink = jnp.where(jnp.isinf(far), num_columns, jnp.where(known.row_of[at] < 0, at, -1))
        return _Path(reach, before, path.is_done.at[at].set(True), known.row_of[at], far, sink)

    first = _Path(
        jnp.full(num_columns, jnp.inf, cost.dtype),
        jnp.full(num_columns, -1, jnp.int32),
        jnp.zeros(num_columns, bool),
        jnp.asarray(row, jnp.int32),
        jnp.zeros((), cost.dtype),
        jnp.int32(-1),
    )
    path = lax.while_loop(lambda path: path.sink < 0, look, first)
    is_found = path.sink < num_columns

    # Prices of what the search went through, so that the path costs nothing.
    gain = jnp.where(path.is_done, path.far - path.reach, 0)
    gain = jnp.where(is_found, gain, 0)
    column = known.column - gain
    through = jnp.where(path.is_done & (known.row_of >= 0), known.row_of, cost.shape[0])
    rows = known.row.at[through].add(gain, mode="drop").at[row].add(jnp.where(is_found, path.far, 0))

    def back(state):
        """Each row on the way takes the column after it."""
        at, column_of, row_of = state
        owner = path.before[at]
        after = column_of[owner]
        return jnp.where(owner == row, -1, after), column_of.at[owner].set(at), row_of.at[at].set(owner)

    state = jnp.where(is_found, path.sink, -1), known.column_of, known.row_of
    _, column_of, row_of = lax.while_loop(lambda state: state[0] >= 0, back, state)
    return _Prices(rows, column, column_of, row_of)
