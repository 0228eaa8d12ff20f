"""Figures of poses and clips draw what was said where it was said, and say in red what was wrong."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome
from adl.show.style import COLORS

RNG = np.random.default_rng(0)
NAMES = ["left hand", "right hand", "nose"]


def test_skeletons_stand_on_their_pictures():
    said, joints = RNG.uniform(0, 8, (2, 1, 3, 2))
    columns = {"image": np.zeros((1, 8, 10, 3), np.uint8), "joints": joints}
    columns |= {"known": np.array([[True, True, False]]), "visible": np.array([[True, False, False]])}
    figure = show.skeletons(columns, [(0, 2), (1, 1)], NAMES)(Outcome([], {"test/joints": said}))
    (ax,) = figure.axes
    assert ax.get_xlim() == (0, 10) and ax.get_ylim() == (8, 0) and ax.images[0].get_extent() == [0, 10, 8, 0]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), said[0, [0, 2]])
    np.testing.assert_allclose(ax.lines[2].get_xydata(), [joints[0, 0], said[0, 0]])  # behind the two bones
    np.testing.assert_allclose([ring.get_offsets()[0] for ring in ax.collections], joints[0, :2])
    assert [ring.get_linestyle()[0][1] is None for ring in ax.collections] == [True, False]  # dotted: hidden


def test_scores_of_poses_have_the_curves_that_there_are():
    arrays = {"test/joint_pck": np.array([1.0, 0.5, np.nan]), "test/joint_error": np.array([1.0, 2.0, np.nan])}
    arrays |= {"test/curve": np.array([0.0, 0.5, 1.0]), "test/mean_pose_curve": np.zeros(3)}
    row = {"step": 1, "test/pck": [0.7, 0.8], "test/error_a": [1.0, 3.0], "test/error_b": [2.0, 2.0]}
    draw = show.pose_scores(NAMES, thresholds=np.arange(3) / 4, decoders=["a", "b"], pixels="pixels")
    curve, each, read, errors = draw(Outcome([row], arrays)).axes
    assert [text.get_text() for text in curve.get_legend().get_texts()] == ["visible joints", "mean pose"]
    np.testing.assert_allclose(curve.lines[0].get_xydata(), [(0, 0), (0.25, 0.5), (0.5, 1)])
    np.testing.assert_allclose(read.lines[0].get_xdata(), [2, 2])  # means of the two runs
    np.testing.assert_allclose(each.lines[0].get_xdata(), arrays["test/joint_pck"])
    np.testing.assert_allclose(errors.lines[0].get_xdata(), arrays["test/joint_error"])


def test_strips_say_what_is_wrong_in_red():
    clip, ways = RNG.integers(0, 256, (8, 3, 4, 5, 1)).astype(np.uint8), np.eye(2)
    label = np.array([0, 1] * 4)
    said = ways[label]
    said[5] = ways[0]
    figure = show.filmstrips(clip, label, probability="p", names=["off", "on"])(Outcome([], {"p": said}))
    first = figure.axes[0]
    assert first.images[0].get_array().shape == (4, 3 * 5 + 2 * 2)
    np.testing.assert_array_equal(first.images[0].get_array()[:, 7:12], clip[5, 1, ..., 0])
    assert [ax.yaxis.label.get_color() == COLORS[1] for ax in figure.axes] == [True] + [False] * 5
    assert "on\nsaid: off" in first.get_ylabel() and "(1 of 8)" in figure.get_suptitle()
    frames = np.stack([label, 1 - label, label], 1)
    each = ways[frames]
    each[2, 1] = ways[0]
    figure = show.filmstrips(clip, frames, probability="p", names=["off", "on"])(Outcome([], {"p": each}))
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["off", "on: off?", "off"]
    assert [text.get_color() == COLORS[1] for text in texts] == [False, True, False]
    figure = show.clip_confusion("p", label=frames, names=["off", "on"])(Outcome([], {"p": each}))
    assert figure.axes[0].get_title() == "1 mistakes on 24 frames"


def test_accuracies_are_means_of_the_runs_with_two_errors():
    row = {"step": 1, "test/a_accuracy": [0.5, 0.7], "back/a_accuracy": [0.1, 0.1]}
    draw = show.accuracy_by_change({"a": "A net"}, ["test", "back"], chance=0.25)
    (ax,) = draw(Outcome([row], {})).axes
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.6, 0.1])
    (bar,) = [line for line in ax.collections if hasattr(line, "get_segments")]
    np.testing.assert_allclose(np.ptp([*bar.get_segments()[0][:, 0]]), 4 * 0.1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["as they are", "back"]
    swept = {"step": 1, "test/a_accuracy": [[0.5, 0.7], [0.2, 0.2]]}
    figure = show.accuracy_by_change({"a": "A net"}, ["test"], chance=0.25)(Outcome([swept], {}, ["x=1", "x=2"]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A net, x=1", "A net, x=2"]
