"""Images in rows and columns, every pixel a square of whole dots."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from adl.show.style import DPI, styled

CELL = 84  # dots an image of a grid takes, about
WIDE = 11  # characters of a label that a column has room for
FRAME = 0.75  # grey of the line around each image, so that white ones end where they do


@styled
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
    scale, gap = max(1, round(CELL / max(height, width))), 6
    mosaic = _mosaic(np.clip(np.nan_to_num(images), 0, 1), scale, gap)
    figure = Figure(figsize=(mosaic.shape[1] / DPI, mosaic.shape[0] / DPI), dpi=DPI)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(mosaic, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    names = _texts(col_labels, cols)
    is_wide = max(map(len, names), default=0) * CELL > WIDE * (width * scale + gap)
    ax.set_xticks(np.arange(cols) * (width * scale + gap) + 1 + width * scale / 2, names, rotation=90 * is_wide)
    ax.set_yticks(np.arange(rows) * (height * scale + gap) + 1 + height * scale / 2, _texts(row_labels, rows))
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.set_title(title)
    _fit(figure, ax, mosaic.shape)
    return figure


def in_rows(images: np.ndarray, cols: int) -> np.ndarray:
    """Pictures `[N, H, W, C]` in rows `[R, cols, H, W, C]`, the last filled with white; N < cols are one row of N."""
    cols = min(cols, len(images))
    white = np.ones((-len(images) % cols, *images.shape[1:]))
    return np.concatenate([images, white]).reshape(-1, cols, *images.shape[1:])


def _mosaic(images: np.ndarray, scale: int, gap: int) -> np.ndarray:
    """One picture `[Y, X, 3]` of images `[R, C, H, W, 1 or 3]`: `scale` dots a pixel, `gap` dots between.

    The outer dots of a gap are the images' frames, the others white.
    """
    rows, cols, height, width, _ = images.shape
    tall, wide = height * scale, width * scale
    dots = np.ones((rows, cols, tall + gap, wide + gap, 3))
    dots[:, :, : tall + 2, : wide + 2] = FRAME
    dots[:, :, 1 : tall + 1, 1 : wide + 1] = images.repeat(scale, 2).repeat(scale, 3)
    picture = dots.transpose(0, 2, 1, 3, 4).reshape(rows * (tall + gap), cols * (wide + gap), 3)
    return picture[: 2 - gap, : 2 - gap]


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
