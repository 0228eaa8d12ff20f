"""Models on one page: of several runs their means with bars, and nothing where a model has no number."""

import numpy as np

from adl.run.experiment import Outcome
from adl.show import compared_numbers
from adl.show.compared import DISTANCES, SHARES

WHATS = [*DISTANCES, *SHARES]


def drawn(runs):
    """Of two models, the second of which names no class; by panel, places of the dots, and half the bars."""
    row = {
        f"compare/{name}_{what}": [i + 0.1 * s for s in range(runs)] for i, name in enumerate("ab") for what in WHATS
    }
    row = {name: value if runs > 1 else value[0] for name, value in row.items() if name != "compare/b_class_accuracy"}
    known = {"bits": np.array([np.nan, 2.0]), "none": np.full(2, np.nan)}
    figure = compared_numbers("ab", known, titles=("A", "B"))(Outcome([{"step": 4, **row}], {}))
    return {ax.get_xlabel(): ax for ax in figure.axes if ax.get_xlabel()}


def test_a_panel_a_number_a_row_a_model():
    panels = drawn(1)
    assert [*panels] == ["bits", *DISTANCES.values(), *SHARES.values()]
    ax = panels[DISTANCES["frechet"]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["A", "B"]
    (container,) = ax.containers
    np.testing.assert_allclose(container.lines[0].get_xdata(), [0, 1])
    assert not container.lines[2]
    np.testing.assert_array_equal(panels[SHARES["class_accuracy"]].containers[0].lines[0].get_xdata(), [0, np.nan])


def test_bars_are_two_standard_errors_over_runs():
    (container,) = drawn(3)[DISTANCES["kernel"]].containers
    np.testing.assert_allclose(container.lines[0].get_xdata(), [0.1, 1.1])
    (bars,) = container.lines[2]
    lengths = [np.ptp(segment[:, 0]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 4 * 0.1 / np.sqrt(3), rtol=1e-6)
