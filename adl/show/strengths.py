"""What becomes of a metric as something is made stronger: points of many metrics, with their errors over seeds."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled

PALE = "0.85"


def by_strength(
    x: Sequence[float],
    rows: Mapping[str, Sequence[str]],
    *,
    x_label: str,
    y_label: str,
    title: str,
    x_scale: Literal["linear", "log"] = "linear",
    size: tuple[float, float] = (2.1, 1.9),
) -> Draw:
    """A panel a row of metrics, over x, with all others behind it in grey; bars are two standard errors over seeds.

    Of a sweep each setting has a colour.

    What must be seen: which lines fall, and how far below the others they end.

    Args:
      x: `[A]`.
      rows: A names of metrics, by the name of what they vary.
      x_label: of x, with its unit.
      y_label: of the metrics.
      title: of the figure.
      x_scale: of the horizontal axis.
      size: width and height of one panel, in inches.
    """

    def draw(outcome: Outcome) -> Figure:
        cols = min(len(rows), 4)
        figure, axes = panel(-(-len(rows) // cols), cols, size=size)
        kinds = max(len(outcome.settings), 1)
        last = [np.stack([np.reshape(outcome.curve(at)[1][-1], (kinds, -1)) for at in row], 1) for row in rows.values()]
        means = np.stack([values.mean(-1) for values in last])  # [rows, settings, A]
        for ax in axes.flat[len(rows) :]:
            ax.set_axis_off()
        for ax, name, values in zip(axes.flat, rows, last, strict=False):
            ax.plot(x, means.reshape(-1, len(x)).T, color=PALE, linewidth=0.8)
            for each, color in zip(values, COLORS * kinds, strict=False):
                num = each.shape[-1]
                error = 2 * each.std(-1, ddof=1) / np.sqrt(num) if num > 1 else None
                ax.errorbar(x, each.mean(-1), yerr=error, fmt="o-", color=color, markersize=3.5, capsize=2)
            ax.set(title=name, xscale=x_scale, ylim=(max(0.0, means.min() - 0.05), min(1.02, means.max() + 0.03)))
            if x_scale == "log":
                ax.set_xticks(x, [f"{tick:g}" for tick in x])
                ax.minorticks_off()
        if outcome.settings:
            figure.legend(axes[0, 0].containers, outcome.settings, loc="outside right upper")
        figure.supxlabel(x_label, fontsize=9)
        figure.supylabel(y_label, fontsize=9)
        figure.suptitle(title)
        return figure

    return styled(draw)
