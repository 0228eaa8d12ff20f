"""Lines and dots over numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Unpack

import matplotlib
import numpy as np

from adl.show.panels import Frame, Panel, Source, framed
from adl.show.style import COLORS

DASHES = ("-", "--", ":")  # of the first seven of several lines, of the next seven ...
THIN = {"linewidth": 0.7, "alpha": 0.75}


class Line(NamedTuple):
    """One line, or several of a kind."""

    y: Source  # `[T]`, or `[K, T]`: K lines
    label: str | Sequence[str] = ""  # a format string, or K of them; empty: none
    style: str = "-"  # "-", "--" or ":", a marker, or both: "o", "o-"
    color: str | None = None  # None: the next of the house's; the name of a colour map: K shades of it
    x: Source | None = None  # `[T]` its own
    error: Source | None = None  # `[T]` standard errors, of which bars show two either way


def lines(x: Source, *ys: Line, **frame: Unpack[Frame]) -> Panel:
    """A panel of lines over `x`; several of one colour are thin and pale.

    Args:
      x: `[T]`.
      *ys: what is drawn over it.
      **frame: of the axes.
    """

    def draw(ax, reader):
        keys = {}
        for line in ys:
            place, rows = reader.array(x if line.x is None else line.x), np.atleast_2d(reader.array(line.y))
            labels = [line.label] * len(rows) if isinstance(line.label, str) else line.label
            error = None if line.error is None else 2 * reader.array(line.error)
            for label, row, look in zip(labels, rows, _looks(line, len(rows)), strict=True):
                artist = ax.errorbar(place, row, yerr=error, markersize=3.5, capsize=2, **look)
                if label:
                    keys[reader.text(label)] = artist
        return keys

    return framed(draw, frame)


def _looks(line: Line, count: int) -> list[dict[str, Any]]:
    """Colour and style of each line of a kind."""
    if line.color in matplotlib.colormaps:
        shades = matplotlib.colormaps[line.color](np.linspace(0.1, 1, count))
        return [{"color": shade, "fmt": line.style} for shade in shades]
    if line.color:
        return [{"color": line.color, "fmt": line.style, **(THIN if count > 1 else {})}] * count
    if count == 1:
        return [{"fmt": line.style}]
    return [{"color": COLORS[k % len(COLORS)], "fmt": DASHES[k // len(COLORS) % 3]} for k in range(count)]
