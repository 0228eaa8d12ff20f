"""Confusions are scikit-learn's, and mistakes come surest first."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.metrics import confusion_matrix

from adl import show

RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 4, 60)
PROBABILITY = RNG.dirichlet(np.ones(4), 60)
IMAGE = RNG.integers(0, 256, (60, 5, 5, 1), dtype=np.uint8)


def test_confusion_has_the_count_of_each_pair():
    ax = show.confusion(PROBABILITY, label=LABEL).axes[0]
    counts = np.zeros((4, 4), int)
    for text in ax.texts:
        column, row = text.get_position()
        counts[row, column] = int(text.get_text())
    want = confusion_matrix(LABEL, PROBABILITY.argmax(-1))
    np.testing.assert_array_equal(counts, want)
    assert ax.get_title() == f"{want.sum() - np.trace(want)} mistakes on 60 pictures"


@pytest.mark.parametrize("classes", [2, 4])
def test_a_title_stays_within_a_narrow_figure(classes):
    label = np.arange(4000) % classes
    figure = show.confusion(np.eye(classes)[(label + 1) % classes], label=label, names=["person"] * classes)
    assert figure.axes[0].get_title() == "4000 mistakes on 4,000 pictures"
    figure.draw_without_rendering()
    box = figure.axes[0].title.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    width, height = figure.dpi * figure.get_size_inches()
    assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height


def test_mistakes_are_the_surest_ones():
    figure = show.mistakes(PROBABILITY, image=IMAGE, label=LABEL, rows=2, cols=4)
    predicted = PROBABILITY.argmax(-1)
    wrong = np.flatnonzero(predicted != LABEL)
    surest = wrong[np.argsort(-PROBABILITY.max(-1)[wrong])][:8]
    for ax, index in zip(figure.axes, surest, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), IMAGE[index, ..., 0])
        assert ax.get_title().startswith(f"{LABEL[index]}, taken for {predicted[index]}\n")
    assert (
        show.mistakes(np.eye(4)[LABEL], image=IMAGE, label=LABEL).get_suptitle().startswith("The most confident of 0")
    )


def test_many_classes_are_a_figure_of_bounded_size():
    label = RNG.integers(0, 136, 500)
    names = [f"writer {k}" for k in range(136)]
    figure = show.confusion(RNG.random((500, 136)), label=label, names=names)
    assert max(figure.get_size_inches()) < 8 and not figure.axes[0].texts
    assert figure.axes[0].images[0].get_array().shape == (136, 136, 3)
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks[0] == "writer 0" and ticks[-1] == "writer 135" and len(ticks) == 28


def test_classes_are_called_by_their_names():
    names = ["cat", "dog", "emu", "fox"]
    ax = show.confusion(PROBABILITY, label=LABEL, names=names).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == names
    figure = show.mistakes(PROBABILITY, image=IMAGE, label=LABEL, names=names, rows=1, cols=1)
    assert figure.axes[0].get_title().split(", taken for")[0] in names
