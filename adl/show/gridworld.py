"""Grid worlds: what each cell is worth, and where a policy goes from there."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import Draw, panel, styled

ARROWS = {"U": (0, 1), "R": (1, 0), "D": (0, -1), "L": (-1, 0)}  # right and up, by direction


def grid_policies(
    rows: Sequence[str], directions: str, kinds: Mapping[str, str], *, still: str, unit: str = "return"
) -> Draw:
    """A map for each table of worths: the best worth as a colour, arrows where the best actions go.

    What must be seen: on the cliff, whose row of C lies below, whether arrows run along its edge or a row above.

    Args:
      rows: of the map, letters of the cells.
      directions: of the actions: U, R, D, L.
      kinds: `{title: array}` of worths `[S, A]`.
      still: letters of the cells that nobody acts in.
      unit: of the worths.
    """

    def draw(outcome: Outcome) -> Figure:
        height, width = len(rows), len(rows[0])
        each = max(2.4, 0.32 * width), max(1.1, 0.32 * height) + 0.35
        down = width > 2 * height
        figure, axes = panel(*((len(kinds), 1) if down else (1, len(kinds))), size=each)
        acted = np.array([letter not in still for letter in "".join(rows)])
        worths = [np.where(acted[:, None], outcome.arrays[name], np.nan) for name in kinds.values()]
        found = np.concatenate([worth[acted].max(-1) for worth in worths])
        shades = {"cmap": "viridis", "vmin": found.min(), "vmax": found.max()}
        for ax, title, worth in zip(axes.flat, kinds, worths, strict=True):
            best = np.where(acted, worth.max(-1), np.nan)
            image = ax.imshow(best.reshape(height, width), **shades)
            _draw_arrows(ax, worth, width, directions)
            _draw_letters(ax, rows)
            ax.set(xticks=[], yticks=[], title=title, facecolor="0.88")
            ax.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label=f"{unit} from here on", shrink=0.9).ax.tick_params(labelsize=8)
        return figure

    return styled(draw)


def _draw_arrows(ax: Axes, worth: np.ndarray, width: int, directions: str) -> None:
    """To where the best action goes; several of equals."""
    near = np.isclose(worth, worth.max(-1, keepdims=True), rtol=1e-4, atol=1e-6)
    # Where all are alike nothing is known yet.
    state, action = np.nonzero(near & ~near.all(-1, keepdims=True))
    right, up = np.array([ARROWS[letter] for letter in directions]).T[:, action]
    look = {"pivot": "mid", "units": "xy", "scale": 1.7, "width": 0.07, "color": "white"}
    ax.quiver(state % width, state // width, right, up, edgecolor="black", linewidth=0.3, **look)


def _draw_letters(ax: Axes, rows: Sequence[str]) -> None:
    for y, row in enumerate(rows):
        for x, letter in enumerate(row):
            if letter not in ".F":
                ax.text(x - 0.42, y - 0.2, letter, fontsize=5, color="0.35" if letter != "S" else "white")
