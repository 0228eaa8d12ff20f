"""What becomes of a metric as something is made stronger: points of many metrics, with their errors over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled

PALE = "0.85"


def by_strength(
    x: Sequence[float], rows: Mapping[str, Sequence[str]], *, x_label: str, y_label: str, title: str
) -> Draw:
    """A panel a row of metrics, over x, with all others behind it in grey; bars are two standard errors over seeds.

    What must be seen: which lines fall, and how far below the others they end.

    Args:
      x: `[A]`.
      rows: A names of metrics, by the name of what they vary.
      x_label: of x, with its unit.
      y_label: of the metrics.
      title: of the figure.
    """

    def draw(outcome: Outcome) -> Figure:
        cols = min(len(rows), 4)
        figure, axes = panel(-(-len(rows) // cols), cols, size=(2.1, 1.9))
        last = {name: np.stack([np.atleast_1d(outcome.curve(at)[1][-1]) for at in row]) for name, row in rows.items()}
        for ax in axes.flat[len(rows) :]:
            ax.set_axis_off()
        means = np.stack([values.mean(-1) for values in last.values()])
        for ax, (name, values) in zip(axes.flat, last.items(), strict=False):
            ax.plot(x, means.T, color=PALE, linewidth=0.8)
            num = values.shape[-1]
            error = 2 * values.std(-1, ddof=1) / np.sqrt(num) if num > 1 else None
            ax.errorbar(x, values.mean(-1), yerr=error, fmt="o-", color=COLORS[0], markersize=3.5, capsize=2)
            ax.set(title=name, ylim=(max(0.0, means.min() - 0.05), min(1.02, means.max() + 0.03)))
        figure.supxlabel(x_label, fontsize=9)
        figure.supylabel(y_label, fontsize=9)
        figure.suptitle(title)
        return figure

    return styled(draw)
