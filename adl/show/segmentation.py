"""Segmentation: pictures, the classes of their pixels, what was told, and where that is wrong."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from adl.run.depicted import palette
from adl.run.experiment import Outcome
from adl.show.line import Line, lines
from adl.show.names import Names, dots, evenly
from adl.show.panels import page
from adl.show.style import Draw, panel, styled

SHOWN = 8  # pictures, at most
RIGHT, WRONG = "0.93", "#D55E00"
HIDDEN = np.array([0, 1e-6, 0.1, 0.25, 0.5, 1.0])  # ends of shares, of bins


def segmented(told: str, *, image: np.ndarray, segment: np.ndarray, names: Names) -> Draw:
    """Pictures, their masks, what was told, and its errors, a column each.

    To be seen: told masks are those that are there, and errors are thin lines along borders, and objects that others
    hide almost wholly.

    Args:
      told: the array "probe/name" `[N, H, W]` of classes.
      image: `[N, H, W, C]` uint8; of many, some.
      segment: `[N, H, W]` integers in 0 ... K - 1; what is beyond counts nowhere, and is white.
      names: K, of the classes.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        rows = evenly(np.arange(len(image)), SHOWN)
        seen, true = outcome.arrays[told][rows].astype(int), segment[rows]
        colors = np.concatenate([palette(len(names)), [[255] * 3]])
        counts = true < len(names)
        errors = np.array([matplotlib.colors.to_rgb(color) for color in (RIGHT, WRONG, "white")])
        kinds = np.where(counts, seen != true, 2)
        height, width = image.shape[1:3]
        figure, axes = panel(4, len(rows), size=(1.15, 1.15 * height / width))
        parts = {
            "picture": image[rows],
            "mask": colors[np.minimum(true, len(names))],
            "told": colors[seen],
            "wrong": errors[kinds],
        }
        for line, (title, pictures) in zip(axes, parts.items(), strict=True):
            for ax, picture in zip(line, pictures, strict=True):
                ax.imshow(viewed(picture), vmin=0, vmax=255, cmap="gray")
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            line[0].set_ylabel(title)
        for ax, row in zip(axes[-1], kinds, strict=True):
            ax.set_xlabel(f"{(row == 1).sum() / max((row < 2).sum(), 1):.1%}", fontsize="small")
        keys = [Patch(color=color / 255, label=name) for color, name in zip(colors, names, strict=False)]
        figure.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 9))
        return figure

    return draw


def class_overlap(names: Names, probes: Mapping[str, str], *, title: str = "IoU of each class, test split") -> Draw:
    """IoU of each class, and the mean IoU in the names of those who told.

    Args:
      names: K, of the classes.
      probes: whose metrics "PROBE/iou_NAME" they are, by what the figure calls them; the first as dots.
      title: of the figure.
    """

    def draw(outcome: Outcome) -> Figure:
        values = {
            f"{who}: mean {outcome.last(f'{probe}/miou'):.3f}": np.array(
                [outcome.last(f"{probe}/iou_{name}") for name in names]
            )
            for who, probe in probes.items()
        }
        shown = dots(list(names), values, x_label="IoU", x_lim=(-0.02, 1.02))
        return page([shown], size=(4.4, 0.9 + 0.24 * len(names)), title=title)(outcome)

    return draw


def object_overlap(probe: str, seen: np.ndarray) -> Draw:
    """IoU of objects by how large they are, and by how much of them others hide, with two standard errors.

    To be seen: it falls from large to small objects, and from those that nothing hides to those that are hardly there.

    Args:
      probe: that returned "object_iou" and "object_size" `[N, S]`.
      seen: `[N, S]` the share of each object that nothing hides.
    """

    def draw(outcome: Outcome) -> Figure:
        iou, size = (outcome.arrays[f"{probe}/{name}"] for name in ("object_iou", "object_size"))
        there = np.isfinite(iou)
        if not there.any():
            return page([lines(np.zeros(0), title="no objects")])(outcome)
        pixels = np.unique(np.quantile(size[there], np.linspace(0, 1, 9)))
        panels = [
            lines(*_binned(size[there], iou[there], pixels), x_label="pixels of the object"),
            lines(*_binned(1 - seen[there], iou[there], HIDDEN), x_label="share that is hidden"),
        ]
        return page(panels, size=(3.3, 2.7), y_label=["IoU of an object"], title="Objects of the test split")(outcome)

    return draw


def viewed(picture: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` of a picture in colour or of classes in theirs; of other numbers of channels their mean `[H, W]`."""
    return picture if picture.shape[-1] == 3 else picture.mean(-1)


def _binned(x: np.ndarray, y: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, Line]:
    """Means of `y` over bins of `x`: their places, and the line."""
    index = np.clip(np.searchsorted(ends, x, side="right") - 1, 0, max(len(ends) - 2, 0))
    there = np.unique(index)
    place, mean = (np.array([values[index == b].mean() for b in there]) for values in (x, y))
    error = np.array([y[index == b].std() / np.sqrt((index == b).sum()) for b in there])
    return place, Line(mean, style="o-", error=error)
