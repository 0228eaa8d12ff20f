"""Figures of robots: limbs where they are, and a film with as many frames as it lasts."""

import io

import numpy as np
from PIL import Image

from adl import show
from adl.run.experiment import Outcome

TIME = np.arange(100)
PATH = np.stack([0.1 * np.sin(TIME), np.full(100, 2.0)], -1)  # height, and m/s
LOOK = {
    "seconds": 0.008,
    "moving": lambda obs: [np.array([[0.0, 1.0 + obs[0]], [0.0, 1.4]]), np.array([[0.0, 0.1], [0.2, 0.1]])],
    "way": lambda obs: 0.008 * 2.0 * np.arange(len(obs)),
}


def outcome(*lengths: int) -> Outcome:
    found = {"obs": PATH, "returns": np.array([3.0, 4.0])}
    every = {f"{probe}/{name}": array for probe in ("a", "b") for name, array in found.items()}
    return Outcome([], every | {f"{probe}/lengths": np.array([n, 9]) for probe, n in zip("ab", lengths, strict=True)})


def test_limbs_are_drawn_where_the_robot_is():
    figure = show.figures(x=show.gait_instants({"falls": "a", "walks": "b"}, **LOOK))["x"](outcome(21, 61))
    assert [len(ax.lines) // 2 for ax in figure.axes] == [2, 4]  # instants, of two limbs each
    torso, foot = (line.get_xydata() for line in figure.axes[1].lines[-2:])
    x = 0.016 * 60
    np.testing.assert_allclose(torso, [[x, 1 + PATH[60, 0]], [x, 1.4]])
    np.testing.assert_allclose(foot, [[x, 0.1], [x + 0.2, 0.1]])
    assert [ax.get_title().partition(",")[0] for ax in figure.axes] == [
        "falls: 0.2 s of 0.2 s",
        "walks: 0.5 s of 0.5 s",
    ]
    assert {ax.get_ylabel() for ax in figure.axes} == {"height (m)"} and figure.axes[1].get_xlabel()[:7] == "way (m)"


def test_a_film_lasts_as_long_as_what_it_shows():
    film = show.figures(x=show.gait_film("robot", "b", **LOOK))["x"](outcome(1, 51))
    file = io.BytesIO()
    film.savefig(file, dpi=144, format="gif")
    with Image.open(file) as shown:
        assert shown.format == "GIF" and shown.n_frames == film.num_frames == 11
        assert shown.info["duration"] == 40 and shown.info["loop"] == 0
    (ax,) = film.axes
    assert ax.get_title() == "robot, 0.40 s" and ax.lines[0].get_xdata()[0] == 0.016 * 50
    assert len(ax.lines) == 2 and film.formats == ("gif",)


def test_a_film_of_one_step_is_one_frame():
    film, file = show.gait_film("robot", "a", **LOOK)(outcome(1, 2)), io.BytesIO()
    film.savefig(file)
    with Image.open(file) as shown:
        assert shown.n_frames == 1
