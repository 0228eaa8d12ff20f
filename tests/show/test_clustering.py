"""Figures of mixtures draw what they are given, where it belongs."""

import numpy as np
from matplotlib.patches import Ellipse

from adl import data, show

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2))
WEIGHTS = np.array([0.6, 0.395, 0.005])
MEANS = np.array([[0.0, 0.0], [1.0, -1.0], [2.0, 2.0]])
COVARIANCES = np.array([[[4.0, 0.0], [0.0, 1.0]], np.eye(2), np.eye(2)])
R = RNG.dirichlet(np.ones(3), 20)
AXES = ("a", "b")


def ellipses(ax):
    return [patch for patch in ax.patches if isinstance(patch, Ellipse)]


def test_density_has_two_ellipses_for_each_component_of_weight():
    log_prob = -np.square(data.toys.mesh(3.0, 11)).sum(1)
    figure = show.mixture_density(WEIGHTS, MEANS, COVARIANCES, R, log_prob, x=X, limit=3.0, axes=AXES)
    ax = figure.axes[0]
    assert ax.get_title() == "Mixture of 2 Gaussians" and (ax.get_xlabel(), ax.get_ylabel()) == AXES
    first = ellipses(ax)[:2]
    assert len(ellipses(ax)) == 4
    np.testing.assert_allclose([(e.width, e.height) for e in first], [(4, 2), (8, 4)])  # one and two deviations
    assert all(abs(np.sin(np.radians(e.angle))) < 1e-9 and not np.any(e.center) for e in first)
    np.testing.assert_allclose(ax.collections[-1].get_offsets(), X)


def test_steps_are_those_asked_for():
    shift = np.arange(4.0)[:, None, None]
    arrays = [np.stack([a] * 4) for a in (WEIGHTS, MEANS, COVARIANCES, R)]
    arrays[1] = arrays[1] + shift
    figure = show.mixture_steps(*arrays, x=X, steps=(0, 1, 1, 2, 3, 3), limit=3.0, axes=AXES)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["first mixture", *(f"after {n} steps" for n in (1, 1, 2, 3, 3))]
    assert [ellipses(ax)[0].center[0] for ax in figure.axes] == [0, 1, 1, 2, 3, 3]


def test_ascent_marks_steps_and_what_was_reached():
    ax = show.ascent(np.array([0.0, 2.0, 3.0]), np.array(2.5), steps=(0, 2), y_label="nats", title="T").axes[0]
    way, marks, reached = ax.lines
    np.testing.assert_allclose(way.get_ydata(), [0, 2, 3])
    np.testing.assert_allclose(marks.get_xydata(), [(0, 0), (2, 3)])
    np.testing.assert_allclose(reached.get_ydata(), 2.5)


def test_weights_fall_from_left_to_right_and_those_that_vanish_are_grey():
    path = np.array([[0.3, 0.3, 0.4], [0.002, 0.298, 0.7]])
    way, bars = show.component_weights(path, np.array([0.1, 0.005, 0.895])).axes
    assert [line.get_ydata()[-1] for line in way.lines] == [0.7, 0.298, 0.002]
    assert [line.get_color() == "0.75" for line in way.lines] == [False, False, True]
    assert [bar.get_height() for bar in bars.patches] == [0.895, 0.1, 0.005]
    assert "2 of 3 above 1%" in bars.get_title()


def test_likeliest_are_a_components_own_the_best_first():
    image = np.linspace(0, 1, 4)[:, None, None, None] * np.ones((4, 2, 2, 1))
    means = np.zeros((2, 2, 2, 1))
    joint = np.array([[0.0, -9.0], [1.0, -9.0], [-9.0, 0.0], [5.0, 9.0]])  # the last is the second's
    figure = show.likeliest(np.array([0.3, 0.7]), means, joint, image=image, num_shown=2)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["70%", "30%"]
    picture = ax.images[0].get_array()
    size = 42 * 2 + 6
    shade = picture[10::size, 10::size, 0]
    np.testing.assert_allclose(shade, [[0, 1, 2 / 3], [0, 1 / 3, 0]], atol=1e-6)


def test_prototypes_are_the_heaviest():
    weights = np.array([0.1, 0.85, 0.05, 1e-5])
    means = np.array([0.2, 0.4, 0.6, 0.8])[:, None] * np.ones((4, 4))
    figure = show.prototypes(weights, means, shape=(2, 2, 1), least=1e-3, title="T")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["85%", "10%", "5%"]
    size = 42 * 2 + 6
    np.testing.assert_allclose(ax.images[0].get_array()[10, 10::size, 0], [0.4, 0.2, 0.6])
    assert (
        show.prototypes(weights, means, shape=(2, 2, 1), least=0, title="T", cols=2)
        .axes[0]
        .images[0]
        .get_array()
        .shape[0]
        == 2 * (84 + 2) + 4
    )


def test_rows_end_in_white():
    rows = show.in_rows(np.zeros((5, 2, 2, 3)), 3)
    assert rows.shape == (2, 3, 2, 2, 3) and rows[1, 2].min() == 1 and rows.sum() == 12
    assert show.in_rows(np.zeros((2, 2, 2, 1)), 3).shape == (1, 2, 2, 2, 1)
