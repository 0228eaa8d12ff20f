"""Calibration: how often it came, when it was said how surely."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adl.show.panels import framed, page
from adl.show.style import COLORS, Draw


def reliability(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, event: str, words: tuple[str, str]) -> Draw:
    """A panel for each forecaster, with the diagonal of the calibrated, and crosses of what it is compared with.

    Args:
      ours: sources by name, with the fields of `measure.classification.OneClass`.
      theirs: the same, of some of the names.
      event: what is foretold.
      words: of the legend, for ours and for theirs.
    """
    cross = {"color": "black", "marker": "x", "markersize": 5, "linestyle": "", "zorder": 3}

    def panel(name, one, color):
        def draw(ax, reader):
            ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
            dots = {"color": color, "marker": "o", "markersize": 5}
            keys = {}
            for who, found, style in zip(words, (one, theirs.get(name)), (dots, cross), strict=True):
                if found is not None:
                    said, came = reader.array(found.said), reader.array(found.came)
                    seen = np.isfinite(said)
                    (keys[who],) = ax.plot(said[seen], came[seen], **style)
            ax.set_title(f"{name}\nECE {float(reader.array(one.ece)):.3f}")
            return keys

        return framed(draw, {"x_label": f"said p({event})", "aspect": "equal"})

    panels = [panel(name, one, color) for (name, one), color in zip(ours.items(), COLORS, strict=False)]
    return page(panels, size=(2.2, 3.0), y_label=f"share that is {event}")
