"""Figures of ensembles have the numbers of their probes, and ends that are missing are no choices."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

RNG = np.random.default_rng(0)


def test_subsets_have_their_choices_and_mean():
    found = {name: RNG.random((3, 3)) for name in ("accuracy", "nll", "brier", "ece")}
    for values in found.values():
        values[2, 1:] = np.nan
    figure = show.subsets("T")(Outcome([], {f"members/{name}": values for name, values in found.items()}))
    for ax, values in zip(figure.axes, found.values(), strict=True):
        *choices, mean = ax.lines
        np.testing.assert_array_equal(np.stack([line.get_ydata() for line in choices], 1), values)
        np.testing.assert_allclose(mean.get_ydata(), [values[0].mean(), values[1].mean(), values[2, 0]])


def test_reliability_has_a_dot_for_each_bin_that_holds_some():
    bins = np.array([[[4, 0, 6], [0, 5, 5]], [[0.8, 0, 5], [0, 2.5, 4]], [[1, 0, 6], [0, 2, 4]]])
    arrays = {"test/bins": bins, "test/error": np.array([0.02, 0.5])}
    figure = show.reliability_bars(test="upright")(Outcome([], arrays))
    member, ensemble = figure.axes
    np.testing.assert_allclose(member.lines[1].get_xydata(), [[0.2, 0.25], [5 / 6, 1]])
    np.testing.assert_allclose(ensemble.lines[1].get_xydata(), [[0.5, 0.4], [0.8, 0.8]])
    np.testing.assert_allclose([bar.get_height() for bar in member.patches], [0.4, 0, 0.6])
    assert ensemble.get_title() == "the ensemble, upright: ECE 0.500"


def test_rotation_shows_answers_below_their_pictures():
    angles, images = np.array([0, 30, 60]), RNG.random((3, 2, 4, 4, 1))
    said = RNG.dirichlet(np.ones(5), (3, 2))
    names = {"confident": RNG.random((2, 3)), "right": RNG.random((2, 3)), "said": said}
    names |= {"aleatoric": RNG.random(3), "epistemic": RNG.random(3)}
    figure = show.rotation(angles, images, title="T")(Outcome([], {f"rotated/{k}": v for k, v in names.items()}))
    top, middle, bottom = figure.axes
    np.testing.assert_array_equal([line.get_ydata() for line in top.lines[::2]], names["confident"])
    np.testing.assert_array_equal([line.get_ydata() for line in top.lines[1::2]], names["right"])
    assert len(middle.collections) == 2 and len(bottom.images) == 6
    assert [text.get_text() for text in bottom.texts] == [
        f"{answer.argmax()} {answer.max():.0%}" for answer in said.reshape(6, 5)
    ]
