"""Saliency: maps over what they explain, what they point at, and what is left of them when layers are drawn anew."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.adversarial import framed_picture
from adl.show.names import Names, called
from adl.show.style import COLORS, Draw, panel, styled

SHARP = 99.5  # percentile of a map that is the brightest shade: one wild pixel must not darken all others


def heat_maps(probe: str, methods: Mapping[str, str], *, names: Names = (), title: str = "") -> Draw:
    """Pictures in a column, and beside each the maps of what was asked for, bright where it hangs.

    Args:
      probe: from `vision.explanation.pointing`.
      methods: texts by their names.
      names: of the classes.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of(probe)
        figure, axes = panel(len(seen["picture"]), 1 + len(methods), size=(1.15, 1.15))
        for i, row in enumerate(axes):
            framed_picture(row[0], seen["picture"][i])
            row[0].set_ylabel(f"{called([seen['asked'][i]], names)[0]}?", fontsize=8)
            for ax, name in zip(row[1:], methods, strict=True):
                heat = seen[f"map {name}"][i]
                shades = matplotlib.colormaps["inferno"](heat / max(np.percentile(heat, SHARP), 1e-30))[..., :3]
                grey = seen["picture"][i].mean(-1, keepdims=True)
                framed_picture(ax, 0.85 * shades + 0.15 * grey)
        for ax, text in zip(axes[0], ("picture", *methods.values()), strict=True):
            ax.set_title(text, fontsize=8)
        figure.suptitle(title)
        return figure

    return draw


def pointing_bars(probe: str, methods: Mapping[str, str], *, title: str = "") -> Draw:
    """How often each map's largest value lies on the thing, and how much of its sum in the thing's cell; and chance.

    Args:
      probe: from `vision.explanation.pointing`.
      methods: texts by their names.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 2, size=(3.4, 2.8))
        place = np.arange(len(methods))[::-1]
        for ax, what, text in zip(
            axes[0], ("pointing", "cell"), ("largest value on the thing", "sum in its cell"), strict=True
        ):
            values = [outcome.last(f"{probe}/{name}_{what}") for name in methods]
            ax.barh(place, values, color=[COLORS[0] if name != "edges" else "0.6" for name in methods])
            chance = outcome.last(f"{probe}/uniform_{what}")
            ax.axvline(chance, color="0.3", linestyle=":", linewidth=1)
            ax.text(chance, len(methods) - 0.45, f" chance {chance:.2f}", fontsize=7, color="0.3", va="bottom")
            ax.set(xlim=(0, 1), ylim=(-0.6, len(methods) - 0.1), xlabel=text)
            ax.set_yticks(place, methods.values() if what == "pointing" else [""] * len(methods))
            for at, value in zip(place, values, strict=True):
                ax.text(value, at, f" {value:.2f}", va="center", fontsize=7)
        figure.suptitle(title)
        return figure

    return draw


def randomisation(probe: str, methods: Mapping[str, str], layers: Sequence[str]) -> Draw:
    """How alike maps are to those of the learned network, as layers are drawn anew, from the last down.

    Args:
      probe: from `vision.explanation.randomised`.
      methods: texts by their names.
      layers: in the order in which they are drawn anew.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(5.6, 3.2))
        ax, place = axes[0, 0], np.arange(len(layers) + 1)
        for name, text in methods.items():
            ranks = outcome.arrays[f"{probe}/rank {name}"]
            ax.plot(place, [1, *ranks], marker="o", markersize=3.5, label=text.replace("\n", " "))
        ax.axhline(0, color="0.6", linewidth=0.7)
        ax.set_xticks(place, ["none", *layers], rotation=25, ha="right")
        title = "What is left of maps as layers are drawn anew, from the last down"
        ax.set(ylabel="rank correlation of maps", ylim=(min(-0.2, ax.get_ylim()[0]), 1.04), title=title)
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure

    return draw
