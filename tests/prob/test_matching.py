"""The assignment costs what SciPy's does: rectangular, tied, with padding, forbidden pairs and costs of all sizes."""

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from adl.prob.matching import assigned

RNG = np.random.default_rng(0)
solved = jax.jit(jax.vmap(assigned))
KINDS = {
    "plain": lambda size: RNG.normal(size=size),
    "ties": lambda size: RNG.integers(0, 3, size).astype(float),
    "same": lambda size: np.zeros(size),
    "large": lambda size: RNG.integers(0, 1000, size) * 1e6,
    "offset rows": lambda size: RNG.integers(0, 9, size) + 2.0**23 * RNG.integers(0, 2, (*size[:2], 1)),
    "small": lambda size: 1e-12 * RNG.normal(size=size),
    "forbidden": lambda size: np.where(RNG.random(size) < 0.2, np.inf, RNG.integers(0, 50, size)),
}


def cost_of(cost, column):
    rows = np.flatnonzero(column >= 0)
    assert len({*column[rows]}) == len(rows)
    return cost[rows, column[rows]].astype(np.float64).sum(), len(rows)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (6, 6), (7, 4)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_costs_what_scipys_costs(kind, size):
    costs = KINDS[kind]((200, *size)).astype(np.float32)
    for cost, column in zip(costs, np.asarray(solved(costs)), strict=True):
        try:
            best = cost[linear_sum_assignment(cost)].astype(np.float64).sum()
        except ValueError:  # there is none for all: the most that can be matched are
            allowed = np.where(np.isinf(cost), 1.0, 0.0)
            most = min(size) - int(allowed[linear_sum_assignment(allowed)].sum())
            found = cost_of(cost, column)
            assert np.isfinite(found[0]) and found[1] == most
            continue
        found = cost_of(cost, column)
        assert found[1] == min(size)
        np.testing.assert_allclose(found[0], best, rtol=1e-6, atol=1e-6 * np.abs(cost[np.isfinite(cost)]).max())


@pytest.mark.parametrize("size", [(5, 8), (8, 5)], ids=str)
def test_padding_takes_no_column(size):
    costs = RNG.normal(size=(100, *size)).astype(np.float32)
    mask = (RNG.random((100, size[0])) < 0.5).astype(np.float32)
    found = np.asarray(jax.jit(jax.vmap(assigned))(np.where(mask[..., None] > 0, costs, np.nan), mask))
    for cost, row, column in zip(costs, mask > 0, found, strict=True):
        assert (column[~row] == -1).all()
        real = cost[row]
        best = real[linear_sum_assignment(real)].sum()
        np.testing.assert_allclose(cost_of(real, column[row])[0], best, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_costs_that_scipy_refuses_have_no_answer(bad):
    cost = RNG.normal(size=(2, 4, 5)).astype(np.float32)
    cost[0, 1, 2] = bad
    with pytest.raises(ValueError):
        linear_sum_assignment(cost[0])
    found = np.asarray(solved(cost))
    assert (found[0] == -1).all() and (found[1] >= 0).all()


def test_no_gradient_flows():
    slope = jax.grad(lambda cost: (cost[0, assigned(cost)] ** 2).sum())(np.eye(3, dtype=np.float32))
    assert np.isfinite(slope).all()
