"""Figures of principal components draw what scikit-learn finds."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from adl import show

RNG = np.random.default_rng(0)
X = RNG.random((30, 12)) * np.linspace(1, 0.1, 12)
LABEL = np.arange(30) % 3
THEIRS = PCA().fit(X)
BASIS, MEAN = THEIRS.components_.T, THEIRS.mean_


@pytest.mark.parametrize("shape", [(3, 4, 1), (2, 2, 3)])
def test_reconstructions_are_scikit_learns(shape):
    figure = show.reconstructions(BASIS[:, :4], MEAN, x=X, label=LABEL, shape=shape, numbers=(2, 4, 8))
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2", "4", "picture"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "1", "2"]
    ours = PCA(4).fit(X)
    for col, want in ((1, ours.inverse_transform(ours.transform(X[:3]))), (2, X[:3])):
        scale = round(84 / max(shape[:2]))
        picture = ax.images[0].get_array()
        for row in range(3):
            corner = row * (shape[0] * scale + 6) + 1, col * (shape[1] * scale + 6) + 1
            cell = picture[corner[0] :: scale, corner[1] :: scale][: shape[0], : shape[1], : shape[2]]
            np.testing.assert_allclose(cell, want[row].reshape(shape).clip(0, 1), atol=1e-6)


def test_eigenpictures_are_blue_where_they_add_and_full_where_they_are_strongest():
    figure = show.eigenpictures(BASIS[:, :3], MEAN, shape=(3, 4, 1))
    picture = figure.axes[0].images[0].get_array()
    cells = [picture[1:64:21, at : at + 84 : 21] for at in range(1, 4 * 90, 90)]
    np.testing.assert_allclose(cells[0], MEAN.reshape(3, 4, 1).repeat(3, -1), atol=1e-6)
    for k, cell in enumerate(cells[1:]):
        ink = BASIS[:, k].reshape(3, 4)
        is_blue = cell[..., 2] > cell[..., 0]
        np.testing.assert_array_equal(is_blue, ink > 0)
        strongest = np.unravel_index(np.abs(ink).argmax(), ink.shape)
        assert np.allclose(cell[strongest], [0, 0.447, 0.698]) or np.allclose(cell[strongest], [0.835, 0.369, 0])


def test_plane_says_its_share_of_the_variance():
    figure = show.components_plane(THEIRS.transform(X)[:, :2], label=LABEL, x=X)
    assert f"({THEIRS.explained_variance_ratio_[:2].sum():.0%} of their variance)" in figure.axes[0].get_title()


def test_best_numbers_are_marked():
    curves = [RNG.random(n) + 0.1 for n in (6, 6, 5, 5, 5)]
    _, likely, evident = show.component_numbers(*curves).axes
    assert likely.texts[0].get_text() == str(1 + curves[3].argmax())
    assert evident.texts[0].get_text() == str(1 + curves[4].argmax())
    np.testing.assert_allclose(likely.lines[0].get_xdata(), [1, 2, 3, 4, 5])
