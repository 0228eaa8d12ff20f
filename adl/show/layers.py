"""Layers of a network: what is read in each, and what the first one looks for."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid
from adl.show.style import COLORS, Draw, panel, styled

MARKS = ("o-", "s--")


def by_layer(sides: Mapping[str, int], *, by_hand: Sequence[str] = ()) -> Draw:
    """What `vision.layers.read_in_layers`, as the probe "layers", read in layer after layer, before and after learning.

    Means over the runs, with two standard errors where there are several. The first place is that of pixels.

    Args:
      sides: of the pixels that a layer sees, by its name, from the first.
      by_hand: names of features that were made by hand, a dotted line each.
    """
    rows = {"after learning": "layers/", "before": "layers/untrained "}

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(size=(4.6, 3.3))
        ax, place = axes[0, 0], np.arange(1 + len(sides))
        for (what, prefix), color, mark in zip(rows.items(), COLORS, MARKS, strict=False):
            values = np.array([_last(outcome, name) for name in ["layers/pixels", *(prefix + name for name in sides)]])
            error = 2 * values.std(1, ddof=1) / values.shape[1] ** 0.5 if values.shape[1] > 1 else None
            ax.errorbar(place, values.mean(1), error, fmt=mark, color=color, label=what, markersize=4, capsize=2)
        for name in by_hand:
            value = _last(outcome, f"layers/{name}").mean()
            ax.axhline(value, color="0.6", linewidth=0.8, linestyle=":")
            beside = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "bottom", "color": "0.4"}
            ax.text(0.99, value, f"{name}, linear SVM {value:.1%}", fontsize=7, **beside)
        ax.set_xticks(place, ["pixels", *(f"{name}\n{side} x {side}" for name, side in sides.items())])
        ax.set(
            ylabel="accuracy of a linear classifier", title="What is read in each layer, and the pixels that it sees"
        )
        ax.legend()
        return figure

    return draw


def kernel_responses(kernels: np.ndarray, maps: np.ndarray, image: np.ndarray, *, names: Sequence[object]) -> Figure:
    """Kernels, and below what each makes of pictures: grey is nothing, white more, black less.

    Args:
      kernels: `[K, h, w, C]`, each drawn at a scale of its own; of other than three channels their mean.
      maps: `[P, K, H, W]`, each picture's and kernel's at a scale of its own.
      image: `[P, H, W, C]` in [0, 1], at the left.
      names: K, of the kernels.
    """
    sides = zip(image.shape[1:3], kernels.shape[1:3], strict=True)
    rows, cols = (np.arange(side) * taps // side for side, taps in sides)
    large = _colours(_about_grey(kernels, (1, 2, 3))[:, rows][:, :, cols])
    first = np.concatenate([np.ones_like(large[:1]), large])
    below = _about_grey(maps, (2, 3))[..., None].repeat(3, -1)
    grid = np.concatenate([first[None], np.concatenate([_colours(image)[:, None], below], 1)])
    return image_grid(grid, row_labels=["kernel", *["response"] * len(image)], col_labels=["picture", *names])


def _last(outcome: Outcome, name: str) -> np.ndarray:
    """`[runs]`, the last values of a metric."""
    return outcome.curve(name)[1][-1].reshape(-1)


def _about_grey(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """In [0, 1], 0 at 1/2, by the largest magnitude along the axes."""
    largest = np.abs(x).max(axes, keepdims=True)
    return 0.5 + 0.5 * x / np.where(largest > 0, largest, 1)


def _colours(x: np.ndarray) -> np.ndarray:
    """Of other than three channels their mean, as grey."""
    return x if x.shape[-1] == 3 else x.mean(-1, keepdims=True).repeat(3, -1)
