"""Extrapolation: accuracy and confidence as pictures change, the pictures themselves, and those of other things."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.adversarial import framed_picture
from adl.show.ensembles import strip
from adl.show.names import Names, called
from adl.show.style import COLORS, Draw, panel, styled

LINES = {"right": "accuracy", "confident": "confidence", "entropy": "entropy / log K"}


def extrapolated(probe: str, ways: Mapping[str, tuple[str, np.ndarray]], *, names: Names = (), title: str = "") -> Draw:
    """Right answers, confidence and entropy for each change, a column a way; below, pictures and what is said of them.

    Where confidence stays above the right answers, the network does not know what it does not know.

    Args:
      probe: from `vision.extrapolation.changed`.
      ways: by name what the change is, and how much of it `[A]`, evenly spaced.
      names: of the classes.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of(probe)
        figure, axes = panel(2, len(ways), size=(5.0, 2.0))
        for k, (name, (text, amount)) in enumerate(ways.items()):
            top, bottom = axes[:, k]
            for color, (what, line) in zip(COLORS, LINES.items(), strict=False):
                top.plot(amount, seen[f"{name} {what}"], color=color, marker="o", markersize=2.5, label=line)
            strip(bottom, amount, seen[f"{name} image"], seen[f"{name} said"], names)
            bottom.set(xlabel=text)
            edge = 0.7 * (amount[1] - amount[0])  # below 0 where amounts fall
            for ax in (top, bottom):
                ax.set(xlim=(amount[0] - edge, amount[-1] + edge))
            top.set(ylim=(0, 1.02))
        axes[0, 0].get_gridspec().set_height_ratios([1, 0.8])
        axes[0, 0].set_ylabel("mean over pictures")
        axes[0, -1].legend(loc="best")
        figure.suptitle(title)
        return figure

    return draw


def strangers(probe: str, kinds: Mapping[str, str], *, names: Names = (), title: str = "") -> Draw:
    """Of each kind of foreign pictures those of which a network is surest, what it takes them for, and how sure it is.

    Args:
      probe: from `vision.extrapolation.foreign`.
      kinds: texts by their names.
      names: of the classes.
      title: of the figure.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        seen = outcome.of(probe)
        most = max(len(seen[f"{name} said"]) for name in kinds)
        figure, axes = panel(len(kinds), most, size=(1.1, 1.35))
        for row, (name, text) in zip(axes, kinds.items(), strict=True):
            for ax in row[len(seen[f"{name} said"]) :]:
                ax.axis("off")
            for ax, image, said in zip(row, seen[f"{name} image"], seen[f"{name} said"], strict=False):
                framed_picture(ax, image)
                ax.set_title(f"{called([said.argmax()], names)[0]} {said.max():.0%}", fontsize=7, color=COLORS[1])
            sure, area = (outcome.last(f"{probe}/{name}_{what}") for what in ("sure", "area"))
            row[0].set_ylabel(f"{text}\n{sure:.0%} at 90 %\nAUROC {area:.2f}", fontsize=7)
        figure.suptitle(title)
        return figure

    return draw
