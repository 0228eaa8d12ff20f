"""Shares of what was asked for, counted by hand."""

import numpy as np
import pytest

from adl.measure.asked import SHARES, Attributes, attribute_shares, nearest_asked

ASKED = Attributes(np.array([[1, 0, 2, 0], [3, 0, 0, 0]]), np.array([[1, 0, 2, 0], [5, 0, 0, 0]]))
FOUND = {
    "all": (ASKED, {name: 1.0 for name in SHARES}),
    "nothing": (
        Attributes(np.zeros((2, 4), int), np.zeros((2, 4), int)),
        {name: 0.0 for name in SHARES},
    ),
    # Of three things asked for, one of another colour, one of another shape, and one more than asked for.
    "some": (
        Attributes(np.array([[1, 0, 4, 0], [3, 0, 0, 2]]), np.array([[1, 0, 2, 0], [4, 0, 0, 1]])),
        {"place": 1, "colour": 2 / 3, "shape": 2 / 3, "number": 1 / 2, "whole": 0, "attributes": 8 / 11},
    ),
    # The right things in other places.
    "elsewhere": (
        Attributes(np.array([[0, 1, 0, 2], [3, 0, 0, 0]]), np.array([[0, 1, 0, 2], [5, 0, 0, 0]])),
        {"place": 1 / 3, "colour": 1 / 3, "shape": 1 / 3, "number": 1, "whole": 1 / 2, "attributes": 5 / 11},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_shares_are_those_counted_by_hand(name):
    found, shares = FOUND[name]
    told = attribute_shares(ASKED, found)
    assert {*told} == {*SHARES} == {*shares}
    for share, value in shares.items():
        np.testing.assert_allclose(told[share].value, value, atol=1e-6, err_msg=share)


def test_the_nearest_has_most_of_what_is_asked_for():
    rng = np.random.default_rng(0)
    asked, known = (Attributes(*rng.integers(0, 3, (2, n, 4))) for n in (20, 50))
    for i, row in enumerate(nearest_asked(asked, known)):
        totals = [
            sum(
                int(k > 0) + int(k == a) + int(c == b and k > 0)
                for a, b, k, c in zip(asked.shape[i], asked.colour[i], shape, colour, strict=True)
                if a > 0
            )
            + int((shape > 0).sum() == (asked.shape[i] > 0).sum())
            for colour, shape in zip(*known, strict=True)
        ]
        assert totals[row] == max(totals)
