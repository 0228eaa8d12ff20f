"""Numbers that belong to names: of measurements, of methods."""

from collections.abc import Mapping, Sequence
from typing import Unpack

import numpy as np

from adl.show.panels import Frame, Panel, Source, framed

Names = Sequence[str]  # K, what classes are called; empty: their numbers
MARKS = "os^Dv"
CROSS = {"marker": "x", "color": "black", "markersize": 5}  # of what is compared with


def called(label: Sequence[int], names: Names) -> list[str]:
    """What classes of these numbers are called."""
    return [names[k] if len(names) else str(k) for k in map(int, label)]


def evenly(x: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the entries of `x [N, ...]`, in their order and evenly through all, the first among them."""
    return x[np.linspace(0, len(x) - 1, min(most, len(x))).round().astype(int)]


def bars(names: Sequence[str], values: Source, **frame: Unpack[Frame]) -> Panel:
    """A panel with a bar for each name.

    Args:
      names: N, from the top.
      values: `[N]`.
      **frame: of the axes.
    """

    def draw(ax, reader):
        ax.barh(np.arange(len(names)), reader.array(values), height=0.6)
        _name(ax, names)
        return {}

    return framed(draw, frame)


def dots(
    names: Sequence[str],
    values: Mapping[str, Source],
    *,
    error: Source | None = None,
    **frame: Unpack[Frame],
) -> Panel:
    """A panel with a dot for each name, and crosses of what it is compared with.

    Args:
      names: N, from the top.
      values: `[N]` by who found them, the first as dots; nan where there is none.
      error: `[N]` standard errors of the first, of which bars show two either way; None: none.
      **frame: of the axes.
    """

    def draw(ax, reader):
        place, keys = np.arange(len(names)), {}
        ax.grid(axis="x", color="0.9")
        for who, source in values.items():
            style = CROSS if keys else {"marker": "o", "markersize": 4.5}
            bar = None if keys or error is None else 2 * reader.array(error)
            keys[who] = ax.errorbar(reader.array(source), place, xerr=bar, linestyle="", capsize=2, **style)
        _name(ax, names)
        return keys if len(keys) > 1 else {}

    return framed(draw, frame)


def marks(names: Sequence[str], values: Mapping[str, Source], **frame: Unpack[Frame]) -> Panel:
    """A panel with marks for each name, one a kind, each kind a little below the one before.

    Args:
      names: N, from the top.
      values: `[N]` by kind.
      **frame: of the axes.
    """

    def draw(ax, reader):
        place, keys = np.arange(len(names)), {}
        for k, (kind, source) in enumerate(values.items()):
            offset = 0.5 * (k - (len(values) - 1) / 2) / len(values)
            (keys[kind],) = ax.plot(reader.array(source), place + offset, MARKS[k % len(MARKS)], markersize=5)
        _name(ax, names)
        return keys

    return framed(draw, frame)


def _name(ax, names: Sequence[str]) -> None:
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)  # from the top, and with those that have no value
