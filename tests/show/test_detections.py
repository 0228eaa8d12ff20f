"""Boxes are drawn where they are, in the colours of their classes, and curves say what was measured."""

import numpy as np

from adl import run, show
from adl.run.experiment import Outcome
from adl.run.offer import Boxes

NAMES = ("disc", "cat", "star")
BOX = np.float32([[0.25, 0.5, 0.75, 1.0], [0, 0, 0.5, 0.5]])


def outcome():
    precision = np.linspace(1, 0.5, 101)[:, None] * np.float32([1, 0.5, np.nan])
    arrays = {
        "box": np.stack([BOX, BOX]),
        "label": np.array([[1, 0], [0, 0]]),
        "score": np.float32([[0.9, 0.1], [0.5, 0.4]]),
        "mask": np.float32([[1, 1], [1, 0]]),
        "precision": precision,
        "by_size": np.float32([0.2, np.nan, 0.9]),
        "sizes": np.float32([0.1, 0.2, 0.4]),
        "by_seen": np.float32([0.3, 0.8]),
        "error": np.float32([0.1, 0.05]),
    }
    history = [{"step": step, "test/map50": step / 10, "test/map": step / 20} for step in (1, 5)]
    return Outcome(history, {f"test/{name}": array for name, array in arrays.items()})


def objects(channels):
    image = np.zeros((2, 8, 16, channels), np.uint8)
    return {
        "image": image,
        "box": np.stack([BOX, BOX]),
        "label": np.ones((2, 2), int),
        "present": np.float32([[1, 0]] * 2),
    }


def test_boxes_lie_where_they_are():
    figure = show.detected(objects(1), NAMES)(outcome())
    drawn = [[patch.get_bbox().extents for patch in ax.patches] for ax in figure.axes]
    np.testing.assert_allclose(drawn[0], [[7.5, 1.5, 15.5, 5.5]] * 2)  # what there is, and what was found, of 8 x 16
    assert [len(of) for of in drawn[:2]] == [2, 2]  # the unsure one and the one that is none are not drawn
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == [".9", ".5"]
    assert {text.get_text() for text in figure.legends[0].texts} == {"disc", "cat", "there"}


def test_all_figures_of_detection():
    for name, draw in show.figures(**show.detection(objects(3), NAMES)).items():
        figure = draw(outcome())
        assert figure.axes, name
    labels = [text.get_text() for text in show.precision_by_class(NAMES)(outcome()).legends[0].texts]
    assert labels == ["disc: 0.750", "cat: 0.375"]  # a class without objects has no line


def test_a_person_gets_a_row_for_each_sure_box():
    found = np.float32([[[1, 0.9, *BOX[0]], [0, 0.2, *BOX[1]]], [[2, 0.1, *BOX[1]], [0, 0, 0, 0, 0, 0]]])
    header, rows = Boxes(NAMES).rows(["a.png", "b.png"], found)
    assert header == ["picture", "class", "score", "ymin", "xmin", "ymax", "xmax"]
    assert rows == [["a.png", "cat", "0.9000", "0.2500", "0.5000", "0.7500", "1.0000"], ["b.png", "none", *[""] * 5]]
    assert run.Boxes(sure=0.15).rows(["a"], found[:1])[1][1][1] == "0"
