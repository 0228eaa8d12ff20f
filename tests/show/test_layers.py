"""Layers: points by layer with their errors, and kernels above what they make of pictures."""

import numpy as np
import pytest

from adl.run.experiment import Outcome
from adl.show import by_layer, image_grid, kernel_responses, layers


@pytest.mark.parametrize("seeds", [1, 4])
def test_layers_have_means_over_the_runs_and_two_standard_errors(seeds):
    rng = np.random.default_rng(0)
    names = ("pixels", "a", "untrained a", "HOG")
    values = {name: rng.uniform(size=seeds) for name in names}
    row = {
        "step": 5,
        **{f"layers/{name}": value.tolist() if seeds > 1 else float(value[0]) for name, value in values.items()},
    }
    draw = by_layer({"a": 7}, by_hand=["HOG"])
    (ax,) = draw(Outcome([{"step": 1, "train/loss": 0.0}, row], {})).axes
    for bars, of in zip(ax.containers, (("pixels", "a"), ("pixels", "untrained a")), strict=True):
        np.testing.assert_allclose(bars[0].get_ydata(), [values[name].mean() for name in of])
        if seeds > 1:
            (error,) = bars[2]
            low, high = np.array(error.get_segments())[:, :, 1].T
            np.testing.assert_allclose(high - low, [4 * values[name].std(ddof=1) / 2 for name in of])
        else:
            assert not bars[2]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["pixels", "a\n7 x 7"]
    assert f"HOG, linear SVM {values['HOG'].mean():.1%}" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_kernels_stand_above_their_responses(channels, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        layers, "image_grid", lambda grid, **words: seen.update(grid=grid, **words) or image_grid(grid, **words)
    )
    rng = np.random.default_rng(0)
    kernels, maps = rng.normal(size=(2, 3, 3, channels)), rng.normal(size=(4, 2, 6, 9))
    kernels[0], maps[1, 0] = 0, 0
    kernel_responses(kernels, maps, rng.uniform(size=(4, 6, 9, channels)), names=("none", "some"))
    grid = seen["grid"]
    assert grid.shape == (5, 3, 6, 9, 3)
    assert (grid[0, 0] == 1).all() and (grid[0, 1] == 0.5).all() and (grid[2, 1] == 0.5).all()
    np.testing.assert_allclose(grid[1, 2, ..., 0], 0.5 + 0.5 * maps[0, 1] / np.abs(maps[0, 1]).max())
    np.testing.assert_allclose(grid[0, 2, ::2, ::3], layers._colours(0.5 + 0.5 * kernels[1] / np.abs(kernels[1]).max()))
    assert (np.diff(grid[0, 2, :2], axis=0) == 0).all()
    assert list(seen["col_labels"]) == ["picture", "none", "some"]
