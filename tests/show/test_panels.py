"""Pages put panels where they belong, and panels draw the very numbers that a run returned."""

import io
from typing import NamedTuple

import matplotlib.image
import numpy as np
import pytest

from adl import show
from adl.run.experiment import Outcome
from adl.show import style

RNG = np.random.default_rng(0)
X = np.linspace(0, 1, 7)
ARRAYS = {
    "a/mean": np.sin(X),
    "a/scale": 0.1 + X,
    "a/samples": RNG.normal(size=(3, 7)),
    "a/number": np.float32(1.25),
    "a/points": RNG.normal(size=(2, 5)),
}
OUTCOME = Outcome([{"step": 0, "b/loss": [1.0, 3.0]}], ARRAYS)


def drawn(*rows, **options):
    figure = show.page(*rows, **options)(OUTCOME)
    figure.savefig(io.BytesIO(), format="png", dpi=style.DPI)  # all text, and what only drawing finds
    return figure


def keys(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def corners(band):
    """Lower and upper end of a band at each x."""
    points = band.get_paths()[0].vertices
    return [np.array([pick(points[points[:, 0] == x, 1]) for x in X]) for pick in (np.min, np.max)]


def test_panels_stand_in_rows_and_the_legend_has_each_key_once():
    line = show.lines(X, show.Line("a/mean", "mean"))
    figure = drawn([line, line, line], [line], x_label="x", y_label="y", title="{a/number:.1f}")
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2
    assert [ax.get_ylabel() for ax in figure.axes] == ["y", "", "", "y", "", ""]
    assert figure.axes[3].get_xlabel() == "x" and not figure.axes[0].get_xlabel()
    assert keys(figure) == ["mean"] and figure.get_suptitle() == "1.2"


def test_what_a_panel_keeps_is_not_in_the_page_s_legend():
    figure = drawn([show.lines(X, show.Line("a/mean", "mean"), legend="best"), show.lines(X, show.Line(X, "x"))])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["mean"] and keys(figure) == ["x"]


def test_texts_name_arrays_and_metrics_and_a_frame_says_the_rest():
    figure = drawn(
        [
            show.lines(
                X,
                show.Line("a/mean"),
                title="{a/number:.2f} of {b/loss:.1f}",
                title_color=style.COLORS[1],
                y_scale="log",
                y_lim=(0.1, 3),
                x_lim=(0, 2),
                x_ticks=(0.5, 1),
                verticals={"here": "a/number"},
                horizontals={"": 0.2},
            )
        ]
    )
    (ax,) = figure.axes
    assert ax.get_title() == "1.25 of 2.0" and ax.title.get_color() == style.COLORS[1] and not figure.legends
    assert ax.get_yscale() == "log" and ax.get_ylim() == (0.1, 3) and ax.get_xlim() == (0, 2)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "1"]
    assert [line.get_xdata()[0] for line in ax.lines[1:2]] == [1.25] and ax.lines[2].get_ydata()[0] == 0.2
    assert [text.get_text().strip() for text in ax.texts] == ["here", ""]


def test_a_source_that_was_not_returned_is_an_error():
    with pytest.raises(KeyError, match="a/median"):
        drawn([show.lines(X, show.Line("a/median"))])


def test_lines_have_their_own_places_styles_and_errors():
    rows = RNG.normal(size=(9, 7))
    figure = drawn(
        [
            show.lines(
                X,
                show.Line("a/mean", "mean", "o-", "black", x=X + 1, error="a/scale"),
                show.Line(rows, [f"row {k}" for k in range(9)]),
                show.Line(rows[:3], ("a", "b", "c"), color="viridis"),
                show.Line(rows[:3], color=style.COLORS[1]),
            )
        ]
    )
    (ax,) = figure.axes
    mean, *many = [line for line in ax.lines if len(line.get_xdata()) == 7 and line.get_linestyle() != "None"]
    np.testing.assert_allclose(mean.get_xdata(), X + 1)
    np.testing.assert_allclose([line.get_ydata() for line in many], np.concatenate([rows, rows[:3], rows[:3]]))
    (bars,) = ax.collections
    np.testing.assert_allclose(np.ptp([part[:, 1] for part in bars.get_segments()], axis=1), 4 * ARRAYS["a/scale"])
    assert [line.get_linestyle() for line in many[:9]] == ["-"] * 7 + ["--"] * 2
    assert many[0].get_color() == many[7].get_color() == style.COLORS[0]
    assert len({tuple(line.get_color()) for line in many[9:12]}) == 3 and many[12].get_color() == style.COLORS[1]
    assert keys(figure) == ["mean", *(f"row {k}" for k in range(9)), "a", "b", "c"]


def test_a_process_is_its_mean_within_two_deviations():
    points = tuple(ARRAYS["a/points"])
    truth = np.where(X < 0.5, X, np.nan)
    figure = drawn([show.process(X, "a/mean", "a/scale", "a/samples", points=points, truth=truth)])
    (ax,) = figure.axes
    low, high = corners(ax.collections[0])
    np.testing.assert_allclose(low, ARRAYS["a/mean"] - 2 * ARRAYS["a/scale"])
    np.testing.assert_allclose(high, ARRAYS["a/mean"] + 2 * ARRAYS["a/scale"])
    want = [*ARRAYS["a/samples"], ARRAYS["a/mean"], truth, points[1]]
    for line, values in zip(ax.lines, want, strict=True):
        np.testing.assert_allclose(line.get_ydata(), values)
    assert keys(figure) == ["mean", "draws of the posterior", "next point, ± 2 sd", "truth", "points"]
    assert keys(drawn([show.process(X, "a/mean", "a/scale")])) == ["mean", "next point, ± 2 sd"]


def test_forecasts_are_sorted_and_counted():
    mean, scale, came = np.array([2.0, 0.0, 1.0, 3.0]), np.full(4, 0.5), np.array([2.5, 3.0, 1.0, 3.0])
    (ax,) = drawn([show.forecasts(mean, scale, came)]).axes
    np.testing.assert_allclose([line.get_ydata() for line in ax.lines], [[0, 1, 2, 3], [3.0, 1.0, 2.5, 3.0]])
    assert ax.get_title() == "75% within two deviations"


def test_names_stand_from_the_top():
    values = {"ours": [1.0, 2.0], "theirs": [1.5, np.nan]}
    figure = drawn([show.bars(["a", "b"], [3.0, -1.0]), show.dots(["a", "b"], values, error=[0.5, 0.25])])
    bars, dots = figure.axes
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], [3, -1])
    for ax in figure.axes:
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()
    ours, theirs = [line for line in dots.lines if line.get_marker() in "ox"]
    np.testing.assert_allclose(ours.get_xdata(), [1, 2])
    np.testing.assert_allclose(theirs.get_xdata(), [1.5, np.nan])
    np.testing.assert_allclose([np.ptp(part[:, 0]) for part in dots.collections[0].get_segments()], [2, 1])
    assert keys(figure) == ["ours", "theirs"]


def test_regions_are_the_colour_of_the_winner_and_paler_where_it_is_unsure():
    sides = np.linspace(0, 1, 4), np.linspace(0, 1, 3)
    p = np.stack([np.full((3, 4), 0.9), np.full((3, 4), 0.1)], -1)
    p[:, 2:] = [0.4, 0.6]
    x, label = RNG.uniform(size=(6, 2)), np.array([0, 0, 1, 1, 1, 0])
    figure = drawn([show.regions(sides, p, x, label, ["a", "b"])])
    (ax,) = figure.axes
    shade = np.asarray(ax.images[0].get_array())
    first, second = (np.array(matplotlib.colors.to_rgb(color)) for color in style.COLORS[:2])
    np.testing.assert_allclose(np.cross(1 - shade[0, 0], 1 - first), 0, atol=1e-9)
    np.testing.assert_allclose(np.cross(1 - shade[0, 3], 1 - second), 0, atol=1e-9)
    assert np.linalg.norm(1 - shade[0, 0]) / np.linalg.norm(1 - first) > 1.5 * np.linalg.norm(
        1 - shade[0, 3]
    ) / np.linalg.norm(1 - second)
    np.testing.assert_allclose(ax.lines[1].get_xydata(), x[label == 1])
    assert keys(figure) == ["a", "b"]


def test_probability_is_drawn_where_it_is():
    sides = np.linspace(0, 2, 5), np.linspace(0, 1, 3)
    p = np.linspace(0, 1, 15).reshape(3, 5)
    x, label = RNG.uniform(size=(6, 2)), np.array([0, 0, 1, 1, 1, 0])
    ax, bar = drawn([show.probability(sides, p, x, label, bar_label="p")]).axes
    np.testing.assert_allclose(ax.images[0].get_array(), p)
    assert ax.images[0].get_extent() == [0, 2, 0, 1] and ax.images[0].origin == "lower"
    np.testing.assert_allclose(ax.lines[0].get_xydata(), x[label == 0])
    assert bar.get_ylabel() == "p"


def test_ways_lead_from_a_dot_to_a_star():
    sides = np.linspace(1, 2, 5), np.linspace(1, 2, 6)
    height = -np.add.outer((sides[1] - 1.5) ** 2, (sides[0] - 1.5) ** 2) * 10
    way = (np.array([1.0, 1.2, 1.5]), np.array([1.9, 1.6, 1.5]))
    ax, bar = drawn([show.landscape(sides, height, [way], below=(4, 2, 1, 0), bar_label="nats")]).axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.stack(way, -1))
    np.testing.assert_allclose([ax.lines[1].get_xydata()[0], ax.lines[2].get_xydata()[0]], [[1.0, 1.9], [1.5, 1.5]])
    assert ax.lines[2].get_marker() == "*" and bar.get_ylabel() == "nats"
    np.testing.assert_allclose(ax.collections[0].levels, height.max() - np.array([4, 2, 1, 0]))


def test_histograms_are_numpys_densities():
    samples = {"normal": RNG.normal(size=100), "wide": 3 * RNG.normal(size=100)}
    edges = np.linspace(-2, 2, 9)
    figure = drawn([show.histograms(edges, samples, ("limit", np.exp(-(edges**2))))])
    for outline, values in zip(figure.axes[0].patches, samples.values(), strict=True):
        np.testing.assert_allclose(outline.get_data().values, np.histogram(values, edges, density=True)[0])
    assert keys(figure) == ["normal", "wide", "limit"]


def test_an_estimate_lies_over_the_truth_and_the_points():
    truth, density, points = np.exp(-X), np.exp(-2 * X), RNG.uniform(size=20)
    (ax,) = drawn([show.estimate(X, density, truth=truth, points=points, steps="steps-mid")]).axes
    np.testing.assert_allclose(corners(ax.collections[0])[1], truth)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), density)
    np.testing.assert_allclose(ax.lines[1].get_xdata(), points)
    assert ax.lines[0].get_drawstyle() == "steps-mid"


class One(NamedTuple):
    """As `measure.classification.OneClass`."""

    false_positive_rate: object
    recall: object
    precision: object
    area: object
    average_precision: object
    said: object
    came: object
    ece: object


def one(shift):
    rate = np.linspace(0, 1, 7)
    return One(rate, rate**shift, 1 - rate / 2, shift, shift / 2, [0.1, np.nan, 0.9], [0.0, np.nan, 1.0], 0.05)


def test_curves_of_both_lie_over_each_other():
    figure = show.threshold_curves({"a": one(0.5), "b": one(0.3)}, {"a": one(0.4)}, title="T")(OUTCOME)
    left, right = figure.axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), one(0.5).recall)
    np.testing.assert_allclose(left.lines[1].get_ydata(), one(0.4).recall)
    np.testing.assert_allclose(right.lines[0].get_xydata(), np.stack([one(0.5).recall, one(0.5).precision], -1))
    assert left.lines[1].get_linestyle() == ":" and len(left.lines) == 3
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a: 0.5000", "b: 0.3000"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a: 0.2500", "b: 0.1500"]


def test_reliability_leaves_empty_bins_out():
    figure = show.reliability({"a": one(0.5), "b": one(0.3)}, {"a": one(0.4)}, event="rain", words=("us", "them"))(
        OUTCOME
    )
    first, second = figure.axes
    assert [len(ax.lines) for ax in figure.axes] == [3, 2] and first.get_title() == "a\nECE 0.050"
    np.testing.assert_allclose(first.lines[1].get_xydata(), [[0.1, 0], [0.9, 1]])
    assert second.get_xlabel() == "said p(rain)" and keys(figure) == ["us", "them"]
