"""Figures of agents: returns within their range, a policy where its plane is, and episodes from beginning to end."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

ROWS = [{"step": step, "a/return": [-90.0 + step, -80.0 + step], "b/return": [-100.0, -99.0]} for step in (10, 20, 30)]
PATH = np.stack([np.linspace(0, 1, 9), np.linspace(2, 0, 9)], -1)


def test_returns_lie_in_their_range():
    draw = show.returns(4, solved=-70, most=0, least=-200, kinds={"one": "a/return", "other": "b/return"})
    (ax,) = draw(Outcome(ROWS, {})).axes
    assert ax.get_ylim() == (-200, 6) and ax.get_xlabel() == "environment steps"
    means = {line.get_label(): line for line in ax.lines if len(line.get_xdata()) == 3 and line.get_alpha() is None}
    found = [line.get_xydata() for line in means.values()]
    np.testing.assert_allclose(found, [[[40, -75], [80, -65], [120, -55]], [[40, -99.5], [80, -99.5], [120, -99.5]]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]
    draw = show.returns(4, solved=-70, most=0, least=-200, kinds={"one": "a/return"})
    assert draw(Outcome(ROWS, {})).axes[0].get_title() == "-70 by each of 2 seeds within 0k steps"


def arrays() -> dict[str, np.ndarray]:
    action = np.arange(12.0).reshape(3, 4) / 12  # [X, Y]
    played = {"greedy/obs": PATH, "greedy/lengths": np.array([5, 9]), "greedy/returns": np.array([7.0, 8.0])}
    return {"policy/action": action, "policy/value": action**2, **played}


def test_a_policy_is_drawn_where_it_is():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0, 3.0])
    look = {"labels": ("way (m)", "speed (m/s)"), "place": lambda obs: (obs[:, 1], obs[:, 0])}
    ax, bar = show.policy_map(x=x, y=y, **look, action=("push", 0.0, 1.0))(Outcome([], arrays())).axes
    image = ax.collections[0]
    np.testing.assert_allclose(image.get_array().reshape(4, 3), arrays()["policy/action"].T)
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), PATH[:5, ::-1])
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("way (m)", "speed (m/s)", "push")
    assert bar.get_ylim() == (0, 1)


def test_strips_go_from_beginning_to_end():
    options = {
        "reach": ((-1, 3), (-1, 1)),
        "ground": [np.zeros((2, 2))],
        "moving": lambda obs: [np.stack([obs, 2 * obs])],
    }
    figure = show.episode_strip({"best": "greedy"}, seconds=0.5, **options)(Outcome([], arrays()))
    first, *_, last = figure.axes
    np.testing.assert_allclose(first.lines[1].get_xydata()[0], PATH[0])
    np.testing.assert_allclose(last.lines[1].get_xydata()[0], PATH[4])
    assert last.get_title() == "2.00 s" and first.get_ylabel() == "best\n5 moves\nreturn 7"
    figure = show.episode_strip({"best": "greedy"}, seconds=0, **options)(Outcome([], arrays()))
    assert figure.axes[-1].get_title() == "move 4"
