"""Points of a plane: examples by class, features in the plane of their first two principal components."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from adl.show.names import Names, called, evenly
from adl.show.style import panel, shades, styled

NAMED = 20  # classes whose names are written
COMPONENTS = ("first principal component", "second")


@styled
def embedding(points: np.ndarray, label: np.ndarray, *, title: str, names: Names = ()) -> Figure:
    """Features in the plane of their first two principal components, each class in its colour and under its name.

    Args:
      points: `[N, D]`, D >= 2.
      label: `[N]` integers >= 0.
      title: of the figure; below it stands the share of the variance that the plane shows.
      names: of the classes.
    """
    centred = np.asarray(points, float) - np.mean(points, 0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    plane = centred @ directions[:, :-3:-1]
    share = values[-2:].sum() / max(values.sum(), 1e-12)
    return classes(plane, label, title=f"{title}\n({share:.0%} of the variance)", axes=COMPONENTS, names=names)


@styled
def classes(plane: np.ndarray, label: np.ndarray, *, title: str, axes: tuple[str, str], names: Names = ()) -> Figure:
    """Points of a plane, each class in its colour and under its name.

    Args:
      plane: `[N, 2]`.
      label: `[N]` integers >= 0.
      title: of the figure.
      axes: what the coordinates are.
      names: of the classes, of which `NAMED` are written, evenly through all.
    """
    figure, panels = panel(size=(4.6, 4.4))
    ax = panels[0, 0]
    present, tab = np.unique(label), matplotlib.colormaps["tab20"].colors
    num = int(label.max()) + 1
    colors = shades(num) if num > 20 else [tab[(2 * k + k // 10) % 20] for k in range(num)]
    written = called(evenly(present, NAMED), names)
    shape = "circle,pad=0.2" if max(map(len, written)) == 1 else "round,pad=0.2"
    for k in present:
        ax.scatter(*plane[label == k].T, s=8, color=[colors[k]], linewidths=0, alpha=0.8)
    for k, name in zip(evenly(present, NAMED), written, strict=True):
        frame = {"boxstyle": shape, "facecolor": "white", "edgecolor": colors[k], "linewidth": 1}
        ax.text(*np.median(plane[label == k], 0), name, ha="center", va="center", fontsize=8, bbox=frame)
    ax.set(xlabel=axes[0], ylabel=axes[1], title=title, xticks=[], yticks=[], aspect="equal")
    return figure
