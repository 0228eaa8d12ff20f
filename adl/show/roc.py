"""What is found at which price: ROC and precision-recall curves."""

from collections.abc import Mapping
from typing import Any

from adl.show.panels import framed, page
from adl.show.style import COLORS, Draw

DOTTED = {"color": "black", "linestyle": ":", "linewidth": 1}  # over ours


def threshold_curves(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, title: str, corner: float = 0.31) -> Draw:
    """The corners of the ROC and of precision over recall, and the areas; what ours are compared with is dotted.

    Args:
      ours: sources by name, with the fields of `measure.classification.OneClass`.
      theirs: the same, of some of the names.
      title: of the figure.
      corner: the part of each axis that is drawn, in (0, 1].
    """

    def curves(x, y, number):
        def draw(ax, reader):
            keys = {}
            for (name, one), color in zip(ours.items(), COLORS, strict=False):
                label = f"{name}: {float(reader.array(getattr(one, number))):.4f}"
                (keys[label],) = ax.plot(*(reader.array(getattr(one, of)) for of in (x, y)), color=color)
                if name in theirs:
                    ax.plot(*(reader.array(getattr(theirs[name], of)) for of in (x, y)), **DOTTED)
            return keys

        return draw

    low, high = (-0.01, corner), (1 - corner, 1.005)
    both = {"y_lim": high, "legend": "lower center"}
    roc = {"title": "ROC, and its area", "x_label": "false positive rate", "y_label": "true positive rate"}
    precision = {"title": "Precision, and its average", "x_label": "recall", "y_label": "precision"}
    left = framed(curves("false_positive_rate", "recall", "area"), {**roc, **both, "x_lim": low})
    right = framed(curves("recall", "precision", "average_precision"), {**precision, **both, "x_lim": high})
    return page([left, right], size=(3.6, 3.4), title=title)
