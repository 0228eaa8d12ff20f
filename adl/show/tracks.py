"""Tracks in the plane: where something was, where it is believed to be, and how far that is right."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel


def track(outcome: Outcome) -> Figure:
    """A track of the probe "errors": filter and smoother, with two deviations about every second's place."""
    seen = outcome.of("errors")
    figure, axes = panel(1, 2, size=(4.0, 4.0))
    for ax, name, color in zip(axes[0], ("filtered", "smoothed"), COLORS, strict=False):
        ax.plot(*seen["states"][:, ::2].T, color="black", linewidth=1, label="truth")
        ax.plot(*seen["x"][seen["mask"] > 0].T, ".", color="0.6", markersize=4, label="measured")
        ax.plot(*seen[name][:, ::2].T, color=color, label=f"{name} mean")
        for mean, covariance, is_seen in zip(seen[name], seen[f"{name} covariance"], seen["mask"], strict=True):
            variance, directions = np.linalg.eigh(covariance[::2, ::2])
            angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
            width, height = 4 * np.sqrt(variance[::-1])
            alpha = 0.1 if is_seen else 0.22
            ax.add_patch(Ellipse(mean[::2], width, height, angle=angle, color=color, alpha=alpha, linewidth=0))
        ax.set(xlabel="x (m)", ylabel="y (m)", title=f"{name.capitalize()}, ± 2 sd")
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(loc="best")
    return figure


def track_errors(gaps: Sequence[tuple[int, int]], num_tracks: int) -> Draw:
    """Errors of position over time, of the probe "errors", and what the posterior says that they should be.

    Args:
      gaps: first and last second, exclusive, of each time without a measurement.
      num_tracks: that the errors are of.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(5.6, 3.1))
        ax = axes[0, 0]
        for name, color in zip(("filter", "smoother"), COLORS, strict=False):
            error, expected = outcome.arrays[f"errors/rmse {name}"]
            ax.plot(expected, color=color, label=f"{name}, by its posterior")
            ax.plot(error, "o", color=color, markersize=3, label=f"{name}, of {num_tracks:,} tracks")
        for first, end in gaps:
            ax.axvspan(first - 0.5, end - 0.5, color="0.9", linewidth=0)
        ax.set(xlabel="time (s); grey: nothing is measured", ylabel="rms error of a coordinate (m)", ylim=(0, None))
        ax.set_title("Errors are as large as they are believed to be")
        ax.legend()
        return figure

    return draw
