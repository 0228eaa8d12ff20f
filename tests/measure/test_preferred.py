"""Win rates: by hand, and an interval as SciPy has it."""

import numpy as np
import pytest

from adl.measure.preferred import win_rate


def test_ties_are_split_and_the_interval_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    ours, theirs = generator.integers(4, size=(2, 300)).astype("f")
    found = {name: float(mean.value) for name, mean in win_rate(ours, theirs).items()}
    points = np.where(ours > theirs, 1, np.where(ours == theirs, 0.5, 0))
    low, high = stats.norm.interval(0.95, points.mean(), stats.sem(points))
    np.testing.assert_allclose(
        [found[name] for name in ("win", "win_low", "win_high")], [points.mean(), low, high], atol=1e-4
    )
