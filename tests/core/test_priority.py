"""Sum trees find what a cumulative sum finds, and weigh what they were told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import priority

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("num_rows", "length"), [(1, 1), (3, 5), (4, 8), (2, 33)])
def test_trees_are_a_naive_cumulative_sum(num_rows, length):
    """After random changes, in which places may come twice with the same weight, and zeros."""
    trees, naive = priority.sum_trees(num_rows, length), np.zeros((num_rows, length))
    weigh, find = jax.jit(priority.weigh), jax.jit(priority.find)
    for _ in range(20):
        row, place = RNG.integers(num_rows, size=6), RNG.integers(length, size=6)
        weight = RNG.integers(0, 4, size=6)  # integers: sums are exact, whatever their order
        weight = weight[[np.flatnonzero((row == r) & (place == p))[0] for r, p in zip(row, place, strict=True)]]
        naive[row, place] = weight
        trees = weigh(trees, row, place, weight.astype("f"))
        np.testing.assert_array_equal(priority.totals(trees), naive.sum(1))
        np.testing.assert_array_equal(priority.weight_of(trees, row, place), naive[row, place])
        if naive.sum():
            point = RNG.integers(int(naive.sum()), size=50) + 0.5
            want = np.searchsorted(np.cumsum(naive), point, side="right")
            rows, places = find(trees, point.astype("f"))
            np.testing.assert_array_equal(np.asarray(rows) * length + np.asarray(places), want)


def test_a_point_that_rounding_put_beyond_the_end_falls_on_the_last_weight():
    trees = priority.weigh(priority.sum_trees(3, 5), jnp.array([0, 1]), jnp.array([0, 2]), jnp.array([1.0, 2.0]))
    rows, places = priority.find(trees, jnp.array([0.0, 3.0, 3.5]))
    np.testing.assert_array_equal(rows, [0, 1, 1])
    np.testing.assert_array_equal(places, [0, 2, 2])
