"""Modes of a mixture, whose places are known: which of them samples reach, and how many reach each."""

from typing import Unpack

import numpy as np
from matplotlib.patches import Circle

from adl.show.panels import Frame, Panel, Source, framed
from adl.show.style import COLORS


def at_modes(
    points: Source, modes: Source, counts: Source, *, radius: float, num_needed: int, **frame: Unpack[Frame]
) -> Panel:
    """A panel of samples, and a circle around each mode; the title says how many were reached.

    Args:
      points: `[N, 2]` samples.
      modes: `[K, 2]`.
      counts: `[K]` samples within the circle of each mode.
      radius: > 0, of the circles.
      num_needed: >= 1, of the samples that a mode needs to be reached.
      **frame: of the axes.
    """

    def draw(ax, reader):
        x, centers, count = map(reader.array, (points, modes, counts))
        for center in centers:
            ax.add_patch(Circle(center, radius, fill=False, edgecolor=COLORS[1], linewidth=0.8))
        ax.scatter(*x.T, s=2, color=COLORS[0], alpha=0.5, linewidths=0)
        reached = f"{(count >= num_needed).sum()} of {len(centers)} modes"
        ax.set(title=f"Samples: {reached}, {count.sum() / len(x):.0%} near one", aspect="equal")
        return {}

    return framed(draw, frame)


def mode_counts(counts: Source, places: np.ndarray, *, fair: float, **frame: Unpack[Frame]) -> Panel:
    """A panel of how many samples each mode of a square grid gets: brown too few, violet too many.

    Args:
      counts: `[S^2]`, rows along the second coordinate, rising.
      places: `[S]` of the modes along a side.
      fair: > 0, samples that each should have.
      **frame: of the axes.
    """

    def draw(ax, reader):
        count = reader.array(counts).reshape(len(places), -1)
        picture = ax.imshow(count, origin="lower", cmap="PuOr", vmin=0, vmax=2 * fair)
        for (row, column), number in np.ndenumerate(count):
            color = "black" if 0.4 < number / fair < 1.6 else "white"
            ax.text(column, row, number, ha="center", va="center", size="small", color=color)
        ax.set_xticks(range(len(places)), [f"{place:g}" for place in places])
        ax.set_yticks(range(len(places)), [f"{place:g}" for place in places])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        label = f"samples (fair share: {fair:.0f})"
        ax.figure.colorbar(picture, ax=ax, shrink=0.8, label=label).ax.tick_params(labelsize="small")
        return {}

    return framed(draw, frame)
