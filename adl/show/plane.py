"""What depends on two numbers: classes and their probabilities over a plane, heights and the ways up."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from adl.show.panels import Frame, Panel, Source, framed
from adl.show.style import COLORS, shades

BELOW = (16, 11, 8, 6, 4.5, 3.4, 2.5, 1.8, 1.2, 0.8, 0.45, 0.2, 0.05, 0)  # the top, in the unit of the height


def regions(
    sides: tuple[np.ndarray, np.ndarray],
    probability: Source,
    x: Source,
    label: Source,
    names: Sequence[str],
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of decision regions, paler where a classifier is less sure, and the examples on top.

    Args:
      sides: `[G]` places along x and `[H]` along y.
      probability: `[H, G, K]` of the classes; 0 and 1 of a classifier that only decides.
      x: `[N, 2]` examples.
      label: `[N]` integers in 0 ... K - 1.
      names: K, of the classes.
      **frame: of the axes.
    """

    def draw(ax, reader):
        p, colors = reader.array(probability), np.array(shades(len(names)))
        winner, sure = p.argmax(-1), (p.max(-1) * p.shape[-1] - 1) / (p.shape[-1] - 1)
        shade = 0.12 + 0.28 * sure[..., None]
        image = {"origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
        ax.imshow(1 - shade * (1 - colors[winner]), extent=_extent(sides), **image)
        keys = {}
        for k, name in enumerate(names):
            own = reader.array(x)[reader.array(label) == k]
            (keys[name],) = ax.plot(*own.T, "o", color=colors[k], markersize=2.5, markeredgewidth=0)
            if 0 < (winner == k).mean() < 1:
                ax.contour(*sides, winner == k, [0.5], colors="black", linewidths=0.7)
        return keys

    return framed(draw, frame)


def probability(
    sides: tuple[np.ndarray, np.ndarray],
    height: Source,
    x: Source,
    label: Source,
    *,
    bar_label: str = "",
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of the probability of the second of two classes, its lines at 0.1, 0.5 and 0.9, and the examples.

    Args:
      sides: `[G]` places along x and `[H]` along y, in one unit.
      height: `[H, G]` in [0, 1].
      x: `[N, 2]` examples.
      label: `[N]` of 0 and 1.
      bar_label: of a bar that says what the colours are; empty: no bar.
      **frame: of the axes.
    """

    def draw(ax, reader):
        p = reader.array(height)
        range_ = {"cmap": "RdBu_r", "vmin": 0, "vmax": 1, "alpha": 0.7}
        image = ax.imshow(p, origin="lower", extent=_extent(sides), **range_)
        ax.contour(*sides, p, [0.1, 0.5, 0.9], colors="black", linewidths=[0.6, 1.3, 0.6])
        for k in range(2):
            own = reader.array(x)[reader.array(label) == k]
            ax.plot(*own.T, "o", color=COLORS[k], markersize=3.2, markeredgecolor="white", markeredgewidth=0.8)
        if bar_label:
            ax.figure.colorbar(image, ax=ax, label=bar_label)
        return {}

    return framed(draw, frame)


def landscape(
    sides: tuple[np.ndarray, np.ndarray],
    height: Source,
    ways: Sequence[tuple[Source, Source]],
    *,
    below: Sequence[float] = BELOW,
    bar_label: str,
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of a height over a plane, by its lines, and ways up from a dot to a star.

    Args:
      sides: `[G]` places along x and `[H]` along y.
      height: `[H, G]`.
      ways: x `[T]` and y `[T]` of each, in the second colour of the house, the third ...
      below: how far below the top each line is, falling to 0, in the unit of the height.
      bar_label: quantity and unit of the height.
      **frame: of the axes.
    """

    def draw(ax, reader):
        z = reader.array(height)
        levels = z.max() - np.asarray(below)
        filled = ax.contourf(*sides, z, levels, cmap="Blues", extend="min")
        ax.contour(*sides, z, levels[:-1], colors="0.4", linewidths=0.4)
        ax.figure.colorbar(filled, ax=ax, label=bar_label, format="%.1f")
        for way, color in zip(ways, COLORS[1:], strict=False):
            x, y = map(reader.array, way)
            ax.plot(x, y, color=color)
            ax.plot(x[0], y[0], "o", color=color, markersize=4)
            ax.plot(x[-1], y[-1], "*", color=color, markersize=10, markeredgecolor="black", markeredgewidth=0.6)
        return {}

    return framed(draw, frame)


def _extent(sides: tuple[np.ndarray, np.ndarray]) -> tuple[float, float, float, float]:
    return tuple(float(side[end]) for side in sides for end in (0, -1))
