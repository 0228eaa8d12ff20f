"""Fields show the numbers that they are given, on the scale that they are given, and the points."""

import numpy as np

from adl import show
from adl.run.experiment import Outcome

RNG = np.random.default_rng(0)
ARRAYS = {
    "density/true": RNG.random((4, 4)),
    "density/learned": RNG.random((4, 4)) / 2,
    "density/log_ratio": np.where(RNG.random((4, 4)) < 0.5, np.nan, 3.0),
    "density/points": RNG.normal(size=(9, 2)),
}


def test_densities_share_a_scale_and_their_ratio_has_its_own():
    figure = show.densities(limit=6.0, drawn=4.0)(Outcome([], ARRAYS))
    panels = [ax for ax in figure.axes if ax.get_xlabel() == "$x_1$"]
    for ax, name in zip(panels, ("true", "learned", "log_ratio"), strict=True):
        image = ax.images[0]
        np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), ARRAYS[f"density/{name}"])
        assert image.get_extent() == [-6, 6, -6, 6] and ax.get_xlim() == ax.get_ylim() == (-4, 4)
    true = ARRAYS["density/true"]
    assert panels[0].images[0].get_clim() == panels[1].images[0].get_clim() == (true.min(), true.max())
    assert panels[2].images[0].get_clim() == (-1, 1)
    np.testing.assert_array_equal(panels[1].collections[0].get_offsets(), ARRAYS["density/points"])
