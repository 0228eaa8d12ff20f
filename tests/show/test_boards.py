"""Stones stand where they are, visits at their moves in the colour of what is best, ratings at their moves."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from adl import show
from adl.run.experiment import Outcome

STONES = np.array([[[0, 0, 0], [0, -1, 0], [1, -1, 0]]] * 2)


@pytest.mark.parametrize(
    ("visits", "places"), [((3, 0, 1), {"3": 0.5, "1": 2.5}), ((0, 5, 0, 0, 0, 0, 0, 0, 2), {"5": 1.5, "2": 2.5})]
)
def test_visits_stand_at_their_moves(visits, places):
    """Above columns, or in squares; the first of them is best."""
    optimal = np.arange(len(visits)) == np.argmax(visits)
    arrays = {"stones": STONES, "visits": np.array([visits] * 2), "optimal_moves": np.array([optimal] * 2)}
    arrays["value"] = np.array([0.25, -1.0])
    figure = show.visited_boards()(Outcome([], {f"search/{name}": array for name, array in arrays.items()}))
    ax = figure.axes[0]
    stones = {tuple(patch.center) for patch in ax.patches if isinstance(patch, Circle)}
    assert stones == {(1.5, 1.5), (0.5, 2.5), (1.5, 2.5)}
    assert {text.get_text(): text.get_position()[0] for text in ax.texts} == places
    green = {text.get_text() for text in ax.texts if to_hex(text.get_color()) == to_hex(show.COLORS[2])}
    assert green == {str(max(visits))}
    assert [ax.get_title() for ax in figure.axes[:2]] == ["value +0.25", "value -1.00"]


def test_ratings_stand_at_the_moves_of_their_stages():
    figure = show.elo_curve([10, 20, 40], 100)(Outcome([], {"elo/rating": np.array([0.0, 50.0, 120.0])}))
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), [[1000, 0], [2000, 50], [4000, 120]])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1k", "2k", "4k"]


def test_best_moves_are_counted_over_moves():
    rows = [{"step": step, "search/optimal": 0.5 + step / 10, "network/optimal": 0.4} for step in (0, 2)]
    ax = show.best_moves(50_000)(Outcome(rows, {})).axes[0]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 0.5], [100, 0.7]])
