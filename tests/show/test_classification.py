"""Confusions are scikit-learn's, and mistakes come surest first."""

import numpy as np
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
