"""What a representation puts together is shown together."""

import numpy as np

from adl import show
from adl.show import images, representation

RNG = np.random.default_rng(0)
IMAGE = RNG.random((30, 4, 4, 1))


def grids(monkeypatch):
    """What is drawn as a grid."""
    seen = []

    def image_grid(grid, **options):
        seen.append((grid, options))
        return images.image_grid(grid, **options)

    monkeypatch.setattr(representation, "image_grid", image_grid)
    return seen


def test_members_are_nearest_first_in_the_largest_clusters(monkeypatch):
    seen = grids(monkeypatch)
    label = np.array([0] * 5 + [1] * 12 + [2] * 10 + [-1] * 3)
    closeness = RNG.random(30)
    show.members(label, closeness, image=IMAGE, rows=2, cols=3)
    ((grid, options),) = seen
    assert options["row_labels"] == ["1: 12", "2: 10"]
    for row, cluster in zip(grid, (1, 2), strict=True):
        own = np.flatnonzero(label == cluster)
        np.testing.assert_array_equal(row, IMAGE[own[np.argsort(-closeness[own])][:3]])


def test_views_stand_below_their_pictures(monkeypatch):
    seen = grids(monkeypatch)
    pairs = RNG.random((2, 5, 4, 4, 1))
    show.views(pairs, image=IMAGE[:5])
    np.testing.assert_array_equal(seen[0][0], np.concatenate([IMAGE[None, :5], pairs]))


def test_clusters_of_a_class_stand_side_by_side():
    counts = np.array([[0, 5, 1, 9], [2, 0, 7, 0]])
    ax = show.clusters(counts).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), counts[:, [3, 1, 2, 0]])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["3", "1", "2", "0"]
