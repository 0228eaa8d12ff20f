"""Points of a plane: examples by class, features in the plane of their first two principal components."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from adl.show.style import panel, styled

COMPONENTS = ("first principal component", "second")


@styled
def embedding(points: np.ndarray, label: np.ndarray, *, title: str) -> Figure:
    """Features in the plane of their first two principal components, each class in its colour and under its number.

    Args:
      points: `[N, D]`, D >= 2.
      label: `[N]` integers >= 0.
      title: of the figure; below it stands the share of the variance that the plane shows.
    """
    centred = np.asarray(points, float) - np.mean(points, 0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    plane = centred @ directions[:, :-3:-1]
    share = values[-2:].sum() / max(values.sum(), 1e-12)
    return classes(plane, label, title=f"{title}\n({share:.0%} of the variance)", axes=COMPONENTS)


@styled
def classes(plane: np.ndarray, label: np.ndarray, *, title: str, axes: tuple[str, str]) -> Figure:
    """Points of a plane, each class in its colour and under its number.

    Args:
      plane: `[N, 2]`.
      label: `[N]` integers >= 0.
      title: of the figure.
      axes: what the coordinates are.
    """
    figure, panels = panel(size=(4.6, 4.4))
    ax = panels[0, 0]
    shades = matplotlib.colormaps["tab20"].colors
    for k in np.unique(label):
        own, shade = plane[label == k], shades[(2 * k + k // 10) % 20]
        ax.scatter(*own.T, s=8, color=shade, linewidths=0, alpha=0.8)
        frame = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": shade, "linewidth": 1}
        ax.text(*np.median(own, 0), str(k), ha="center", va="center", fontsize=8, bbox=frame)
    ax.set(xlabel=axes[0], ylabel=axes[1], title=title, xticks=[], yticks=[], aspect="equal")
    return figure
