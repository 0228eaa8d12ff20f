import io

import matplotlib.image
import numpy as np
import pytest

from adl import show
from adl.run.experiment import Outcome
from adl.show import images, style


def rendered(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=style.DPI)
    file.seek(0)
    return matplotlib.image.imread(file)[..., :3]


def outcome(*values, name="loss"):
    return Outcome([{"step": 10 * t, name: value} for t, value in enumerate(values)], {})


def test_curve_of_several_seeds_is_their_mean_with_a_band_of_one_standard_error():
    figure = show.curves({"train": "loss"}, y_label="nats", title="Loss")(outcome([1.0, 3.0], [5.0, 5.0], [2.0, 6.0]))
    (line,), (band,) = figure.axes[0].lines, figure.axes[0].collections
    np.testing.assert_allclose(line.get_xdata(), [0, 10, 20])
    np.testing.assert_allclose(line.get_ydata(), [2, 5, 4])
    corners = band.get_paths()[0].vertices
    low, high = ([f(corners[corners[:, 0] == x, 1]) for x in (0, 10, 20)] for f in (np.min, np.max))
    np.testing.assert_allclose(low, [1, 5, 2])  # of two runs, the standard error is half their difference
    np.testing.assert_allclose(high, [3, 5, 6])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_sweep_has_a_line_for_each_setting_and_metric(shape):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    history = [{"step": step, "loss": row.tolist(), "error": (-row).tolist()} for step, row in enumerate(values)]
    swept = Outcome(history, {}, ["rate=1", "rate=2", "rate=3"])
    figure = show.curves({"train": "loss", "test": "error"}, y_label="nats", title="Loss")(swept)
    means = values.reshape(2, 3, -1).mean(-1).T
    lines = figure.axes[0].lines
    np.testing.assert_allclose([line.get_ydata() for line in lines], [*means, *-means])
    assert len({line.get_color() for line in lines[:3]}) == 3 and lines[0].get_color() == lines[3].get_color()
    assert [line.get_linestyle() for line in lines] == ["-"] * 3 + ["--"] * 3
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["rate=1", "rate=2", "rate=3", "train", "test"]


def test_run_that_diverged_is_left_out_of_the_mean():
    figure = show.curves({"train": "loss"}, y_label="nats", title="Loss")(outcome([1.0, 3.0], [None, 3.0]))
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [2, 3])
    rendered(figure)


def test_curve_that_was_never_measured_is_an_error():
    with pytest.raises(KeyError, match="test/loss"):
        show.curves({"test": "test/loss"}, y_label="nats", title="Loss")(outcome(1.0))


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_of_a_grid_is_a_square_of_equal_dots(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 5, channels)) / 255
    picture = rendered(show.image_grid(pictures, row_labels="ab", col_labels=range(3), x_label="class", title="Grid"))
    scale = round(images.CELL / 7)
    expected = images._mosaic(pictures, scale, 6)
    flat = np.isclose(picture, expected[0, 0], atol=1 / 255).all(-1)
    starts = [
        (y, x)
        for y, x in np.argwhere(flat)
        if (window := picture[y : y + len(expected), x : x + expected.shape[1]]).shape == expected.shape
        and np.allclose(window, expected, atol=1.5 / 255)
    ]
    assert len(starts) == 1
    image = picture[starts[0][0] + 1 :, starts[0][1] + 1 :][: 7 * scale : scale, : 5 * scale : scale]
    np.testing.assert_allclose(image, np.broadcast_to(pictures[0, 0], (7, 5, 3)), atol=1.5 / 255)


def test_text_of_a_grid_is_within_the_figure():
    images = np.zeros((1, 1, 8, 8, 1))
    figure = show.image_grid(images, row_labels=["a long label"], y_label="rows", title="A title that is far wider")
    picture = rendered(figure)
    edge = np.concatenate([picture[:3].ravel(), picture[-3:].ravel(), picture[:, :3].ravel(), picture[:, -3:].ravel()])
    assert (edge == 1).all()


@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (1, 3, 8, 8, 2)])
def test_grid_of_another_shape_is_an_error(shape):
    with pytest.raises(ValueError, match="must be"):
        show.image_grid(np.zeros(shape))


def test_grid_with_missing_labels_is_an_error():
    with pytest.raises(ValueError, match="2 column labels for 3"):
        show.image_grid(np.zeros((1, 3, 8, 8, 1)), col_labels="ab")


def test_panel_keeps_rows_and_columns():
    figure, axes = show.panel(2, 3)
    assert axes.shape == (2, 3) and show.panel()[1].shape == (1, 1)
    np.testing.assert_allclose(figure.get_size_inches(), (3 * 3.2, 2 * 2.6))


def test_references_are_lines_with_their_names():
    draw = show.curves({"a": "loss"}, y_label="nats", title="Loss", references={"theirs": 2.0})
    figure = draw(outcome(1.0, 3.0))
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [2, 2])
    assert [text.get_text() for text in ax.texts] == ["theirs"]
    assert outcome([1.0, 3.0], [5.0, 7.0]).last("loss") == 6


def test_reference_may_be_a_metric_whose_last_value_its_name_tells():
    history = [{"step": 0, "loss": 1.0, "theirs": [4.0, 6.0]}, {"step": 1, "loss": 2.0, "theirs": [0.25, 0.75]}]
    ax = show.curves({"a": "loss"}, y_label="nats", title="Loss", references={"theirs {:.0%}": "theirs"})(
        Outcome(history, {})
    ).axes[0]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.5, 0.5])
    assert [text.get_text() for text in ax.texts] == ["theirs 50%"]


@pytest.mark.parametrize("y_scale", ["linear", "log"])
def test_axis_holds_what_comes_after_the_run_has_settled(y_scale):
    options = {"y_label": "nats", "title": "Loss", "y_scale": y_scale}
    draw = show.curves({"a": "loss"}, settled=0.25, references={"theirs": 0.5}, **options)
    low, high = draw(outcome([900.0, 900.0], [3.0, 4.0], [1.0, np.inf], [2.0, 2.0])).axes[0].get_ylim()
    assert 0.2 < low < 0.5 and 4 < high < 5
    limits = show.curves({"a": "loss"}, y_lim=(0.1, None), **options)(outcome(1.0, 3.0)).axes[0].get_ylim()
    assert limits[0] == 0.1 and limits[1] > 3


def test_horizontal_axis_may_count_examples():
    draw = show.curves({"a": "loss"}, y_label="nats", title="Loss", x_label="examples", x_unit=16)
    (ax,) = draw(outcome(1.0, 3.0)).axes
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 160])
    assert ax.get_xlabel() == "examples"


def test_embedding_is_the_plane_of_most_variance():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 5)) * [0.1, 7, 0.1, 3, 0.1] + 4
    label = rng.integers(0, 3, 200)
    ax = show.embedding(points, label, title="T").axes[0]
    plane = np.concatenate([scatter.get_offsets() for scatter in ax.collections])
    from sklearn.decomposition import PCA

    want = PCA(2).fit_transform(points)[np.argsort(label, kind="stable")]
    np.testing.assert_allclose(np.abs(plane), np.abs(want), atol=1e-6)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"] and "100% of the variance" in ax.get_title()


def test_heat_map_has_a_cell_for_each_entry():
    counts = np.array([[0, 5, 1], [2, 0, 0]])
    figure = show.heat_map(counts, x_label="x", y_label="y", title="T", bar_label="number", col_labels=[7, 8, 9])
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), counts)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["7", "8", "9"] and ax.images[0].get_clim() == (0, 5)


def test_attention_has_a_panel_for_each_head_of_each_layer():
    weights = np.random.default_rng(0).random((2, 3, 4, 4))
    figure = show.attention(weights, ["a", "b", "the", "."])
    for (layer, head), ax in zip(np.ndindex(2, 3), figure.axes, strict=False):
        np.testing.assert_array_equal(ax.images[0].get_array(), weights[layer, head])
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b", "the", "."]
        assert ax.get_xticklabels()[0].get_rotation() == 90  # a name is longer than a character


def test_text_that_is_put_into_a_panel_later_has_the_sizes_of_the_style():
    def draw(outcome):
        figure, axes = show.panel()
        axes[0, 0].plot([0, 1], label="a line")
        axes[0, 0].legend()
        axes[0, 0].set_title("Title")
        return figure

    ax = show.figures(a=draw)["a"](outcome(1.0)).axes[0]
    assert ax.get_legend().get_texts()[0].get_fontsize() == style.STYLE["legend.fontsize"]
    assert ax.title.get_fontsize() == style.STYLE["axes.titlesize"]


def test_figure_of_arrays_takes_them_by_name():
    draw = show.of(show.heat_map, "counts/seen", x_label="x", y_label="y", title="T", bar_label="number")
    ax = draw(Outcome([], {"counts/seen": np.eye(3)})).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), np.eye(3))


def test_a_white_image_ends_at_its_frame():
    picture = images._mosaic(np.ones((1, 2, 2, 2, 1)), 3, 6)
    assert picture.shape == (8, 20, 3)
    frame = np.zeros((8, 8), bool)
    frame[[0, -1]] = frame[:, [0, -1]] = True
    np.testing.assert_array_equal(picture[..., 0] == images.FRAME, np.hstack([frame, np.zeros((8, 4), bool), frame]))
    assert (picture[~np.hstack([frame, np.zeros((8, 4), bool), frame])] == 1).all()


def test_names_wider_than_their_columns_stand_upright():
    pictures = np.zeros((1, 2, 4, 4, 1))
    for names, angle in ((["cat", "dog"], 0), (["Ailurus fulgens", "Canis lupus"], 90)):
        ticks = show.image_grid(pictures, col_labels=names).axes[0].get_xticklabels()
        assert [tick.get_text() for tick in ticks] == names and {tick.get_rotation() for tick in ticks} == {angle}


@pytest.mark.parametrize("num", [2, 7, 20, 136])
def test_shades_differ(num):
    assert len({tuple(np.round(color, 4)) for color in style.shades(num)}) == num


def test_what_the_runner_saves_is_laid_out_already_and_looks_alike():
    draw = show.curves({"train": "loss"}, y_label="nats", title="Loss")
    (drawn,) = style.figures(loss=draw).values()
    figure = drawn(outcome(1.0, 3.0))
    assert figure.get_layout_engine() is None
    np.testing.assert_array_equal(rendered(figure), rendered(style.styled(draw)(outcome(1.0, 3.0))))
