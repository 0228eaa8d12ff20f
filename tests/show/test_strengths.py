"""Points of many metrics: of one run, of seeds, of a sweep."""

import numpy as np
import pytest

from adl.run.experiment import Outcome
from adl.show import by_strength

ROWS = {name: [f"varied/{name}_{a}" for a in range(3)] for name in ("scale", "clutter")}


@pytest.mark.parametrize(
    ("shape", "settings"), [((), ()), ((4,), ()), ((2, 4), ("a=1", "a=2")), ((2,), ("a=1", "a=2"))]
)
def test_points_are_means_over_seeds(shape, settings):
    luck = np.random.default_rng(0).uniform(size=(2, 3, *shape))
    last = {
        name: value
        for row, values in zip(ROWS.values(), luck, strict=True)
        for name, value in zip(row, values, strict=True)
    }
    figure = by_strength((0, 1, 2), ROWS, x_label="x", y_label="y", title="t")(
        Outcome([{"step": 1, **last}], {}, settings)
    )
    for ax, values in zip(figure.axes, luck, strict=True):
        drawn = [container.lines[0].get_ydata() for container in ax.containers]
        want = np.reshape(values, (3, max(len(settings), 1), -1)).mean(-1).T
        np.testing.assert_allclose(drawn, want)
