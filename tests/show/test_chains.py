"""Figures of chains draw the very draws, limits and references that they were given."""

import io

import numpy as np
import pytest

from adl import show
from adl.run.experiment import Outcome
from adl.show import style

RNG = np.random.default_rng(0)
DRAWS = RNG.normal(size=(3, 40, 5))
RHAT = np.array([1.0, 1.2, 1.02, 1.5, 1.005])
NAMES = ["a", "b", "c", "d", "e"]
ARRAYS = {"draws/position": DRAWS, "draws/rhats": RHAT, "draws/sizes": 100 - np.arange(5.0)}
ARRAYS |= {f"draws/{name}": RNG.normal(size=(3, 40, 2)) for name in ("hmc_bent", "hmc_flat", "ula_bent", "ula_flat")}
METRICS = {"z": (1.0, 2.0, 30.0, np.nan), "rhat": (1.01, 1.1, np.inf, 2.0)}
ROW = {
    f"draws/{name}_{what}": value
    for what, values in METRICS.items()
    for name, value in zip(("hmc_bent", "hmc_flat", "ula_bent", "ula_flat"), values, strict=True)
}
OUTCOME = Outcome([{"step": 0, **ROW}], ARRAYS)
METHODS = {"hmc": "HMC", "ula": "unadjusted\nLangevin"}
SIDES = np.linspace(-3, 3, 31), np.linspace(-2, 2, 21)
BOWL = (*SIDES, -(SIDES[0][None] ** 2 + SIDES[1][:, None] ** 2))


def drawn(draw):
    figure = draw(OUTCOME)
    figure.savefig(io.BytesIO(), format="png", dpi=style.DPI)
    return figure


def test_traces_are_of_the_coordinates_that_agree_least():
    figure = drawn(show.traces("draws/position", "draws/rhats", NAMES, num=2))
    assert [ax.get_ylabel() for ax in figure.axes] == ["d", "b"]
    assert [ax.get_title() for ax in figure.axes] == ["R-hat 1.500", "R-hat 1.200"]
    np.testing.assert_allclose([line.get_ydata() for line in figure.axes[0].lines], DRAWS[..., 3])


def test_marginals_have_their_references():
    mean, std = np.arange(5.0), np.full(5, 0.5)
    figure = drawn(show.marginals("draws/position", NAMES, mean=mean, std=std, num=3, columns=2))
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["a", "c", "e"]
    for ax, i in zip(shown, (0, 2, 4), strict=True):
        np.testing.assert_allclose([line.get_xdata()[0] for line in ax.lines], [mean[i], DRAWS[..., i].mean()])
        heights = np.array([(bar.get_height(), bar.get_width()) for bar in ax.patches[:40]])
        assert np.isclose(heights.prod(1).sum(), 1)
        np.testing.assert_allclose(ax.get_xlim(), np.quantile(DRAWS[..., i], [0.002, 0.998]))
    assert len(figure.legends[0].get_texts()) == 3
    assert len(drawn(show.marginals("draws/position", NAMES)).legends[0].get_texts()) == 1


def test_first_two_lie_over_their_density_however_far_draws_went():
    reach = np.array([[-9.0, -1.0], [1.0, 7.0]])
    (ax,) = drawn(show.first_two("draws/position", NAMES, lambda x: -(x**2).sum(-1), reach=reach)).axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), DRAWS.reshape(-1, 5)[:, [1, 0]])
    low, high = np.quantile(DRAWS[..., :2], [0.002, 0.998], axis=(0, 1))
    np.testing.assert_allclose(ax.get_ylim(), [-9, max(1, high[0])], rtol=1e-5)
    np.testing.assert_allclose(ax.get_xlim(), [min(-1, low[1]), 7], rtol=1e-5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("b", "a")
    np.testing.assert_allclose(ax.collections[0].levels, [-8, -6, -4.5, -3, -2, -1, -0.3], atol=0.01)


def test_the_most_correlated_are_found():
    draws = DRAWS.copy()
    draws[..., 4] = -2 * draws[..., 2] + 0.1 * draws[..., 4]
    (ax,) = drawn(show.most_correlated(draws, NAMES)).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("e", "c")
    np.testing.assert_allclose(ax.lines[0].get_xydata(), draws.reshape(-1, 5)[:, [4, 2]])


def test_agreement_has_another_colour_where_there_is_none():
    figure = drawn(show.agreement("draws/rhats", "draws/sizes", NAMES, num_draws=120))
    left, right = figure.axes
    (dots,) = left.collections
    np.testing.assert_allclose(dots.get_offsets(), np.stack([RHAT, np.arange(5)], 1))
    colors = [tuple(color) for color in dots.get_facecolor()]
    assert colors[0] == colors[4] != colors[1] == colors[2] == colors[3]
    np.testing.assert_allclose([bar.get_width() for bar in right.patches], ARRAYS["draws/sizes"])
    assert right.lines[0].get_xdata()[0] == 120 and right.get_title() == "dotted: 120 draws"
    assert left.get_ylim() == right.get_ylim()


@pytest.mark.parametrize("never", [np.nan, np.inf])
def test_chains_that_never_moved_are_drawn_at_the_end(never):
    (left, _) = drawn(show.agreement([1.0, never], [1.0, 1.0], NAMES[:2], num_draws=10)).axes
    np.testing.assert_allclose(left.collections[0].get_offsets()[:, 0], [1, 2])


def test_clouds_are_methods_by_densities():
    figure = drawn(show.clouds(METHODS, {"bent": BOWL, "flat": BOWL}, num=60))
    names = ("hmc_bent", "ula_bent", "hmc_flat", "ula_flat")
    for ax, name in zip(figure.axes, names, strict=True):
        np.testing.assert_allclose(ax.lines[0].get_xydata(), ARRAYS[f"draws/{name}"].reshape(-1, 2)[::2])
        assert ax.get_xlim() == (-3, 3) and ax.get_ylim() == (-2, 2)
        np.testing.assert_allclose(ax.collections[0].levels, [-9, -6, -4, -2, -0.7])
    assert [ax.get_title() for ax in figure.axes] == ["HMC", "unadjusted\nLangevin", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes] == ["bent\n$x_1$", "", "flat\n$x_1$", ""]


def test_first_coordinates_say_how_chains_agree():
    limits = {"bent": (-4, 4), "flat": (-5, 5)}
    figure = drawn(show.first_coordinates(METHODS, limits, num_chains=2, num_draws=10))
    for ax, name in zip(figure.axes, ("hmc_bent", "hmc_flat", "ula_bent", "ula_flat"), strict=True):
        rows = [line.get_ydata() for line in ax.lines]
        np.testing.assert_allclose(rows, ARRAYS[f"draws/{name}"][:2, :10, 0])
        assert ax.get_ylim() == limits[name.partition("_")[2]]
        assert ax.texts[0].get_text() == f"R-hat {ROW[f'draws/{name}_rhat']:.3f}"
    assert [ax.get_title() for ax in figure.axes] == ["bent", "flat", "", ""]


def test_moments_stand_by_name_and_density():
    figure = drawn(show.moments(METHODS, ["bent", "flat"]))
    error, apart = figure.axes
    np.testing.assert_allclose([line.get_xdata() for line in error.lines[:2]], [[1, 30], [2, 1000]])
    np.testing.assert_allclose([line.get_xdata() for line in apart.lines[:2]], [[0.01, 1000], [0.1, 1]])
    assert [tick.get_text() for tick in error.get_yticklabels()] == ["HMC", "unadjusted Langevin"]
    assert error.lines[2].get_xdata()[0] == 4 and np.isclose(apart.lines[2].get_xdata()[0], 0.01)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bent", "flat"]
    places = [line.get_ydata() for line in error.lines[:2]]
    assert (places[0] < places[1]).all() and (np.round(places) == [0, 1]).all()
