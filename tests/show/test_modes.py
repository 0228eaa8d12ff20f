"""Modes are drawn where they are, and counts where their modes are."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

MODES = np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]])
ARRAYS = {"s/x": np.random.default_rng(0).normal(size=(40, 2)), "s/counts": np.array([3, 20, 0, 9])}


def test_samples_lie_among_circles_and_the_title_counts():
    panel = show.at_modes("s/x", MODES, "s/counts", radius=0.25, num_needed=9, x_lim=(-2, 2))
    ax = show.page([panel])(Outcome([], ARRAYS)).axes[0]
    np.testing.assert_array_equal([circle.center for circle in ax.patches], MODES)
    assert {circle.radius for circle in ax.patches} == {0.25} and ax.get_xlim() == (-2, 2)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), ARRAYS["s/x"])
    assert ax.get_title() == "Samples: 2 of 4 modes, 80% near one"


def test_counts_stand_at_their_modes():
    ax = show.page([show.mode_counts("s/counts", np.array([-1.0, 1.0]), fair=10)])(Outcome([], ARRAYS)).axes[0]
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (column, row): str(count) for (row, column), count in np.ndenumerate(ARRAYS["s/counts"].reshape(2, 2))
    }
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["-1", "1"] and ax.images[0].get_clim() == (0, 20)
