"""Figures of answers count them by length, and colour what is wrong."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

NAMES = {"a": "first", "b": "second"}


def test_shares_are_means_of_each_length():
    length, right = np.array([1, 1, 3, 3, 3]), np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    arrays = {f"test/{name}_{what}": right * (what == "right") for name in NAMES for what in ("right", "tokens")}
    of = {"length": length, "longest": 2, "x_label": "digits", "title": "T"}
    figure = show.right_by_length(NAMES, probe="test", **of)(Outcome([], arrays))
    whole, tokens = figure.axes
    np.testing.assert_allclose(whole.lines[0].get_xydata(), [(1, 1 / 2), (3, 2 / 3)])
    np.testing.assert_allclose(tokens.lines[1].get_ydata(), [0, 0])
    ground = whole.patches[0].get_extents().transformed(whole.transData.inverted())
    np.testing.assert_allclose((ground.x0, ground.x1), (0.5, 2.5))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["first", "second"]


def test_wrong_tokens_are_in_colour():
    columns = {
        "token": np.array([[1, 2, 5, 2, 1, 6], [3, 5, 3, 6, 6, 6]]),
        "mask": np.array([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]]),
        "length": np.array([2, 1]),
    }
    arrays = {"said/a": np.array([[1, 2, 5, 2, 2, 6], [3, 5, 3, 6, 0, 0]]), "said/b": columns["token"]}
    draw = show.answers(NAMES, probe="said", columns=columns, longest=2, alphabet="01234=.")
    texts = draw(Outcome([], arrays)).axes[0].texts
    first = [text for text in texts[3:] if text.get_position()[1] == 0]
    assert "".join(text.get_text() for text in first) == "12=" + "21." + "22." + "21."
    wrong = [text.get_color() == show.COLORS[1] for text in first]
    assert wrong == [False] * 7 + [True] + [False] * 4
    assert not any(text.get_color() == show.COLORS[1] for text in texts[3:] if text.get_position()[1] == 1)
