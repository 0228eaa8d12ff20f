"""Figures that every experiment draws: curves over steps, grids of images, and empty panels in the house style.

All are plain `matplotlib.figure.Figure`s, which `savefig` renders by Agg: no screen, no global state of pyplot.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adl.run.experiment import Outcome

# Distinct under the common colour-vision deficiencies. Source: Okabe & Ito 2008, "Color Universal Design".
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")  # of the metrics, where colours are the settings of a sweep
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLORS),
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "image.interpolation": "nearest",
    "image.cmap": "gray",
}
DPI = 144  # an image grid is exact at this resolution: a pixel of the image is a square of whole dots
COMPONENTS = ("first principal component", "second")
CELL = 84  # dots an image of a grid takes, about


def panel(rows: int = 1, cols: int = 1, *, size: tuple[float, float] = (3.2, 2.6)) -> tuple[Figure, np.ndarray]:
    """An empty figure, and its axes as an array `[rows, cols]`, also where there is only one.

    Args:
      rows: of axes, >= 1.
      cols: of axes, >= 1.
      size: width and height of one of the axes, in inches.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(cols * size[0], rows * size[1]), dpi=DPI, layout="constrained")
        return figure, figure.subplots(rows, cols, squeeze=False)


def curves(
    outcome: Outcome,
    metrics: Mapping[str, str],
    *,
    y_label: str,
    title: str,
    y_scale: Literal["linear", "log"] = "linear",
    references: Mapping[str, float] = {},
) -> Figure:
    """Metrics over steps: one line each; of several seeds their mean, in a band of one standard error.

    Runs that are not finite at a step are left out of its mean. In a sweep a colour is a setting, from dark to light
    in the sweep's order, and a line style is a metric.

    Args:
      outcome: of the run.
      metrics: `{label: name}`, the names as in `metrics.jsonl`.
      y_label: quantity and unit of the vertical axis.
      title: of the figure.
      y_scale: of the vertical axis.
      references: values to compare with, by name: a dotted line each.
    Raises:
      KeyError: if a metric was never written.
    """
    figure, axes = panel(size=(6.2 if outcome.settings else 4.4, 3.1))
    ax = axes[0, 0]
    shades = [tuple(shade) for shade in matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(outcome.settings)))]
    for name, color, line in zip(metrics.values(), COLORS * len(metrics), LINES * len(metrics), strict=False):
        steps, values = outcome.curve(name)
        if not steps.size:
            raise KeyError(f"no row of this run has {name!r}")
        if outcome.settings:
            for setting, shade in enumerate(shades):
                _curve(ax, steps, values[:, setting], shade, line)
        else:
            _curve(ax, steps, values, color, "-")
    ax.set(xlabel="step", ylabel=y_label, title=title, yscale=y_scale)
    ax.margins(x=0.02)
    for name, value in references.items():
        ax.axhline(value, color="0.6", linewidth=0.8, linestyle=":")
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "bottom"}  # curves begin at the left
        ax.text(0.99, value, name, color="0.4", fontsize=7, **place)
    if outcome.settings:
        keys = [Line2D([], [], color=shade, label=label) for label, shade in zip(outcome.settings, shades, strict=True)]
        lines = zip(metrics, LINES * len(metrics), strict=False)
        keys += [Line2D([], [], color="0.4", linestyle=line, label=label) for label, line in lines]
    else:
        keys = [
            Line2D([], [], color=color, label=label)
            for label, color in zip(metrics, COLORS * len(metrics), strict=False)
        ]
    with matplotlib.rc_context(STYLE):
        if outcome.settings:
            figure.legend(handles=keys, loc="outside right upper")
        else:
            ax.legend(handles=keys)
    return figure


def _curve(ax: Axes, steps: np.ndarray, values: np.ndarray, color: Any, line: str) -> None:
    """Draws values `[T]` or `[T, seeds]` in one colour."""
    runs = np.ma.masked_invalid(values.reshape(len(steps), -1))
    mean, count = runs.mean(-1), runs.shape[1]
    ax.plot(steps, mean, color=color, linestyle=line, marker="o" if len(steps) <= 25 else None, markersize=2.5)
    if count > 1:
        error = runs.std(-1, ddof=1) / np.sqrt(runs.count(-1))
        ax.fill_between(steps, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)


def linear_probe(outcome: Outcome) -> Figure:
    """Accuracy of `linear.probe` by the step, as the probe "test", and of its references, as the final "probe"."""
    references = {name: outcome.last(f"probe/{name}") for name in ("pixels", "untrained")}
    return curves(
        outcome,
        {"representation": "test/accuracy"},
        y_label="accuracy on the test split",
        title="Linear probe",
        references={f"{name} {value:.1%}": value for name, value in references.items()},
    )


def embedding(points: np.ndarray, label: np.ndarray, *, title: str) -> Figure:
    """Features in the plane of their first two principal components, each class in its colour and under its number.

    Args:
      points: `[N, D]`, D >= 2.
      label: `[N]` integers >= 0.
      title: of the figure; below it stands the share of the variance that the plane shows.
    """
    centred = np.asarray(points, float) - np.mean(points, 0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    plane = centred @ directions[:, :-3:-1]
    share = values[-2:].sum() / max(values.sum(), 1e-12)
    return classes(plane, label, title=f"{title}\n({share:.0%} of the variance)", axes=COMPONENTS)


def classes(plane: np.ndarray, label: np.ndarray, *, title: str, axes: tuple[str, str]) -> Figure:
    """Points of a plane, each class in its colour and under its number.

    Args:
      plane: `[N, 2]`.
      label: `[N]` integers >= 0.
      title: of the figure.
      axes: what the coordinates are.
    """
    figure, panels = panel(size=(4.6, 4.4))
    ax = panels[0, 0]
    shades = matplotlib.colormaps["tab20"].colors
    for k in np.unique(label):
        own, shade = plane[label == k], shades[(2 * k + k // 10) % 20]
        ax.scatter(*own.T, s=8, color=shade, linewidths=0, alpha=0.8)
        frame = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": shade, "linewidth": 1}
        ax.text(*np.median(own, 0), str(k), ha="center", va="center", fontsize=8, bbox=frame)
    ax.set(xlabel=axes[0], ylabel=axes[1], title=title, xticks=[], yticks=[], aspect="equal")
    return figure


def heat_map(
    counts: np.ndarray,
    *,
    x_label: str,
    y_label: str,
    title: str,
    bar_label: str,
    col_labels: Sequence[object] | None = None,
) -> Figure:
    """A matrix as shades of blue, from 0 to its largest entry.

    Args:
      counts: `[R, C]`, >= 0.
      x_label: what the columns are.
      y_label: what the rows are, counted from 0.
      title: of the figure.
      bar_label: quantity and unit of the entries.
      col_labels: C labels; None counts them from 0.
    """
    rows, cols = counts.shape
    figure, axes = panel(size=(1.6 + 0.3 * min(cols, 30), 0.9 + 0.3 * rows))
    ax = axes[0, 0]
    image = ax.imshow(counts, cmap="Blues", vmin=0, aspect="auto" if cols > 30 else "equal")
    ax.set_xticks(range(cols), range(cols) if col_labels is None else col_labels)
    ax.set_yticks(range(rows))
    ax.tick_params(length=0)
    ax.set(xlabel=x_label, ylabel=y_label, title=title)
    figure.colorbar(image, ax=axes, shrink=0.8, label=bar_label).ax.tick_params(labelsize=8)
    return figure


def responsibilities(r: np.ndarray, label: np.ndarray) -> Figure:
    """How much of each class each component of a mixture answers for, components beside the class that they serve most.

    Args:
      r: `[N, K]` p(component | example).
      label: `[N]` integers >= 0.
    """
    share = np.stack([r[label == k].mean(0) for k in range(label.max() + 1)])
    order = np.lexsort((-share.max(0), share.argmax(0)))
    return heat_map(
        share[:, order],
        x_label="component",
        y_label="class",
        title="Who answers for whom",
        bar_label="mean responsibility, test",
        col_labels=order if len(order) <= 30 else [""] * len(order),
    )


def attention(weights: np.ndarray, names: Sequence[str]) -> Figure:
    """Where each head of each layer looks.

    Args:
      weights: `[layers, H, T, T]` in [0, 1], of the token in each column for the one in each row.
      names: T tokens, as text.
    """
    num_layers, num_heads, length = weights.shape[:3]
    figure, axes = panel(num_layers, num_heads, size=(2.0, 2.1))
    rotation = 0 if len(max(names, key=len)) == 1 else 90
    for (layer, head), ax in np.ndenumerate(axes):
        image = ax.imshow(weights[layer, head], cmap="Blues", vmin=0, vmax=1)
        ax.set_xticks(range(length), names, fontsize=4.5, family="monospace", rotation=rotation)
        ax.set_yticks(range(length), names, fontsize=4.5, family="monospace")
        ax.tick_params(length=0, pad=1)
        ax.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8)
    figure.supxlabel("token that is seen", fontsize=9)
    figure.supylabel("token that asks", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.5, label="weight").ax.tick_params(labelsize=8)
    return figure


def image_grid(
    images: np.ndarray,
    *,
    row_labels: Sequence[object] | None = None,
    col_labels: Sequence[object] | None = None,
    x_label: str = "",
    y_label: str = "",
    title: str = "",
) -> Figure:
    """Images in rows and columns, every pixel a square of equally many dots at 144 dots an inch.

    Args:
      images: `[R, C, H, W, 1]` grey or `[R, C, H, W, 3]` colour, in [0, 1]; values outside are clipped.
      row_labels: R labels at the left, None for none.
      col_labels: C labels on top, None for none.
      x_label: what the columns are, on top.
      y_label: what the rows are, at the left.
      title: of the figure.
    Raises:
      ValueError: if the images or the labels have another shape.
    """
    images = np.asarray(images, float)
    if images.ndim != 5 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images of shape {images.shape}: they must be [R, C, H, W, 1] or [R, C, H, W, 3]")
    rows, cols, height, width, _ = images.shape
    for what, labels, count in (("row", row_labels, rows), ("column", col_labels, cols)):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} {what} labels for {count} {what}s of images")
    scale, gap = max(1, round(CELL / max(height, width))), 4
    mosaic = _mosaic(np.clip(np.nan_to_num(images), 0, 1), scale, gap)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(mosaic.shape[1] / DPI, mosaic.shape[0] / DPI), dpi=DPI)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.imshow(mosaic, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
        ax.xaxis.tick_top()
        ax.xaxis.set_label_position("top")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xticks(np.arange(cols) * (width * scale + gap) + width * scale / 2, _texts(col_labels, cols))
        ax.set_yticks(np.arange(rows) * (height * scale + gap) + height * scale / 2, _texts(row_labels, rows))
        ax.set(xlabel=x_label, ylabel=y_label)
        ax.set_title(title)
    _fit(figure, ax, mosaic.shape)
    return figure


def samples(outcome: Outcome) -> Figure:
    """What `prob.fidelity.two_sample_test`, as the probe "samples", drew: samples by class."""
    grid = outcome.arrays["samples/grid"]
    return image_grid(grid, row_labels=range(len(grid)), y_label="class asked for", title="Samples")


def nearest(outcome: Outcome) -> Figure:
    """The same probe's samples beside the training images most like them: alike, not copies."""
    pair = [outcome.arrays[f"samples/{name}"][:, :3].swapaxes(0, 1) for name in ("grid", "nearest")]
    images = np.stack(pair, 1).reshape(-1, *pair[0].shape[1:])
    return image_grid(
        images,
        row_labels=["sample", "nearest"] * len(pair[0]),
        col_labels=range(images.shape[1]),
        x_label="class asked for",
        title="Samples, and the training image nearest to each",
    )


def _mosaic(images: np.ndarray, scale: int, gap: int) -> np.ndarray:
    """One picture `[Y, X, 3]` of images `[R, C, H, W, 1 or 3]`: `scale` dots a pixel, `gap` white dots between."""
    rows, cols, height, width, _ = images.shape
    dots = np.ones((rows, cols, height * scale + gap, width * scale + gap, 3))
    dots[:, :, : height * scale, : width * scale] = images.repeat(scale, 2).repeat(scale, 3)
    picture = dots.transpose(0, 2, 1, 3, 4).reshape(rows * (height * scale + gap), cols * (width * scale + gap), 3)
    return picture[:-gap, :-gap]


def _texts(labels: Sequence[object] | None, count: int) -> list[str]:
    return [""] * count if labels is None else [str(label) for label in labels]


def _fit(figure: Figure, ax: Axes, shape: tuple[int, ...]) -> None:
    """Grows the figure around the axes, whose picture keeps its size in dots, until all text is within."""
    margin = 10
    box = ax.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    left, bottom = np.ceil(margin - min(box.x0, 0)), np.ceil(margin - min(box.y0, 0))
    width = left + np.ceil(max(box.x1, shape[1])) + margin
    height = bottom + np.ceil(max(box.y1, shape[0])) + margin
    figure.set_size_inches(width / DPI, height / DPI)
    ax.set_position((left / width, bottom / height, shape[1] / width, shape[0] / height))
