"""Detection: pictures with what was found in them, precision over recall of each class, and what is harder to find."""

from collections.abc import Mapping

import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.line import Line, lines
from adl.show.names import Names, called
from adl.show.panels import page
from adl.show.style import Draw, panel, shades


def detection(objects: Mapping[str, np.ndarray], names: Names = (), *, probe: str = "test") -> dict[str, Draw]:
    """All figures of `measure.detection.average_precisions`, by name.

    Args:
      objects: as in `detected`.
      names: of the classes.
      probe: as in `detected`.
    """
    found = {"mAP@.5": f"{probe}/map50", "mAP@[.5:.95]": f"{probe}/map"}
    return {
        "found": curves(found, y_label="average precision", title="Mean over the classes", y_lim=(0, 1)),
        "pictures": detected(objects, names, probe=probe),
        "precision": precision_by_class(names, probe=probe),
        "difficulty": by_difficulty(probe=probe),
    }


def detected(
    objects: Mapping[str, np.ndarray], names: Names = (), *, probe: str = "test", sure: float = 0.3, shape=(3, 6)
) -> Draw:
    """What `measure.detection.average_precisions` found in the first pictures: boxes in the colours of their classes,
    each with its score; what there is is dotted in white.

    Args:
      objects: columns of `data.boxes`, of the split that was judged.
      names: of the classes.
      probe: the name of the probe.
      sure: the score from which on a box is drawn.
      shape: rows and columns of pictures, at most.
    """

    def draw(outcome: Outcome) -> Figure:
        found, images = outcome.of(probe), objects["image"]
        rows, cols = shape[0], min(shape[1], len(images))
        height, width = images.shape[1:3]
        figure, axes = panel(rows, cols, size=(1.5 * (width / height) ** 0.5, 1.6 * (height / width) ** 0.5))
        colors = shades(max(len(names), 1 + objects["label"].max()))
        used = set()
        for ax, index in zip(axes.flat, range(len(images)), strict=False):
            image = images[index]
            ax.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, vmin=0, vmax=255, cmap="gray")
            for box in objects["box"][index][objects["present"][index] > 0]:
                _outline(ax, box, (height, width), "white", "", ":")
            for d in np.flatnonzero(found["mask"][index] * (found["score"][index] >= sure)):
                label = int(found["label"][index, d])
                used.add(label)
                score = f"{found['score'][index, d]:.1f}".lstrip("0")
                _outline(ax, found["box"][index, d], (height, width), colors[label], score, "-")
        for ax in axes.flat:
            ax.set_axis_off()
        keys = {
            called([label], names)[0]: Rectangle((0, 0), 1, 1, fill=False, ec=colors[label]) for label in sorted(used)
        }
        keys["there"] = Rectangle((0, 0), 1, 1, facecolor="0.6", edgecolor="white", linestyle=":")
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=min(len(keys), 9))
        figure.suptitle(f"Found with a score of {sure:g} or more")
        return figure

    return draw


def _outline(ax: Axes, box: np.ndarray, size: tuple[int, int], color, text: str, style: str) -> None:
    """A box that is relative to a picture of that size."""
    ymin, xmin, ymax, xmax = box * np.array([*size, *size]) - 0.5
    thick = 1.2 if text else 0.9
    ax.add_patch(Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False, ec=color, lw=thick, ls=style))
    if text:
        around = [matplotlib.patheffects.withStroke(linewidth=1.2, foreground="black")]
        ax.text(xmin, ymin, text, color=color, size=5, va="bottom", path_effects=around)


def precision_by_class(names: Names, *, probe: str = "test") -> Draw:
    """Precision over recall at an overlap of 0.5, of each class: as it is reached at this recall or beyond.

    Args:
      names: of the classes.
      probe: as in `detected`.
    """

    def draw(outcome: Outcome) -> Figure:
        precision = outcome.arrays[f"{probe}/precision"]
        there = np.flatnonzero(~np.isnan(precision[0]))
        labels = [f"{names[k]}: {precision[:, k].mean():.3f}" for k in there]
        line = Line(precision[:, there].T, labels)
        frame = {
            "x_label": "recall",
            "y_label": "precision",
            "y_lim": (0, 1.02),
            "title": "and its average, overlap 0.5",
        }
        recall = np.linspace(0, 1, len(precision))
        return page([lines(recall, line, **frame)], size=(4.2, 3.2), title="Precision by class", legend="right")(
            outcome
        )

    return draw


def by_difficulty(*, probe: str = "test") -> Draw:
    """What is harder to find: small objects, and those that others hide.

    Args:
      probe: as in `detected`.
    """

    def draw(outcome: Outcome) -> Figure:
        found = outcome.of(probe)
        shares = found["by_seen"]
        middle = (np.arange(len(shares)) + 0.5) / len(shares)
        left = {"title": "by size", "x_label": "side, in sides of the picture", "y_label": "mAP@.5", "y_lim": (0, 1.02)}
        right = {"title": "by how much is seen", "x_label": "share of the object that nothing hides"}
        right |= {"y_label": "share that is found", "y_lim": (0, 1.02), "x_lim": (0, 1)}
        return page(
            [
                lines(found["sizes"], Line(found["by_size"], style="o-"), **left),
                lines(middle, Line(shares, style="o-", error=found["error"]), **right),
            ],
            size=(3.2, 2.8),
            title="What is harder to find",
        )(outcome)

    return draw
