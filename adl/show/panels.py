"""Pages: figures of panels in rows, each of which draws its part of what a run returned.

What a panel shows it takes from *sources*: arrays, or the names of arrays that probes returned, "probe/name". Its texts
are format strings whose fields are such names, of numbers, or those of metrics: "{fits/log_evidence:.1f} nats".
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from adl.run.experiment import Outcome
from adl.show.style import Draw, panel, styled

Source = Any  # an array, or the name of one, "probe/name"
Keys = Mapping[str, Artist]  # what a legend says
Panel = Callable[[Axes, Outcome], Keys]  # draws, and returns what the page's legend says of it

PLACES = {"below": "outside lower center", "above": "outside upper center", "right": "outside right center"}


class Frame(TypedDict, total=False):
    """What every panel can be told of its axes."""

    title: str  # a format string
    title_color: str
    x_label: str
    y_label: str
    x_lim: tuple[float | None, float | None]
    y_lim: tuple[float | None, float | None]
    x_scale: Literal["linear", "log"]
    y_scale: Literal["linear", "log"]
    x_ticks: Sequence[float]
    aspect: Literal["auto", "equal"]
    verticals: Mapping[str, Source]  # dotted lines by name, of which "" has none, and where they stand
    horizontals: Mapping[str, Source]
    legend: str  # where in the panel its keys are: "best", "lower left"; without they go to the page


class Reading(NamedTuple):
    """How a panel reads what a run returned."""

    outcome: Outcome

    def array(self, source: Source) -> np.ndarray:
        """The array that a source stands for."""
        return np.asarray(self.outcome.arrays[source] if isinstance(source, str) else source)

    def text(self, template: str) -> str:
        """A format string with arrays and metrics for its fields."""
        return template.format_map(_Fields(self.outcome))


class _Fields(dict):
    """What a format string finds: arrays first, then metrics."""

    def __init__(self, outcome: Outcome):
        super().__init__(outcome.arrays)
        self.outcome = outcome

    def __missing__(self, name: str) -> float:
        return self.outcome.last(name)


def framed(draw: Callable[[Axes, Reading], Keys], frame: Frame) -> Panel:
    """A panel: what is drawn on its axes, then its frame.

    Args:
      draw: `draw(ax, reader)`, returns artists by what a legend says of them.
      frame: of the axes.
    """

    def drawn(ax: Axes, outcome: Outcome) -> Keys:
        reader = Reading(outcome)
        keys = draw(ax, reader)
        _set(ax, reader, frame)
        if not frame.get("legend") or not keys:
            return keys
        ax.legend(keys.values(), keys, loc=frame["legend"])
        return {}

    return drawn


def page(
    *rows: Sequence[Panel],
    size: tuple[float, float] = (3.2, 2.6),
    x_label: str = "",
    y_label: str | Sequence[str] = "",
    title: str = "",
    legend: Literal["below", "above", "right"] = "below",
) -> Draw:
    """A figure of panels, with one legend of what they did not keep in legends of their own.

    Args:
      *rows: of panels, from the top; short rows leave their ends empty.
      size: width and height of one panel, in inches.
      x_label: of the panels of the last row.
      y_label: of the first panel of each row; several: of each row its own.
      title: of the whole, a format string.
      legend: where it is.
    """

    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(len(rows), max(map(len, rows)), size=size)
        keys: dict[str, Artist] = {}
        for line, row in zip(axes, rows, strict=True):
            for ax, drawn in itertools.zip_longest(line, row):
                new = drawn(ax, outcome) if drawn else ax.set_axis_off() or {}
                keys = {**keys, **new, **keys}
        for ax in axes[-1] if x_label else ():
            ax.set_xlabel(x_label)
        for ax, label in zip(axes[:, 0], [y_label] * len(rows) if isinstance(y_label, str) else y_label, strict=True):
            if label:
                ax.set_ylabel(label)
        if title:
            figure.suptitle(Reading(outcome).text(title))
        if keys:
            # Its marks would read as data, if no frame said that they are not.
            frame = {"frameon": True, "edgecolor": "0.8", "fancybox": False}
            figure.legend(keys.values(), keys, loc=PLACES[legend], ncols=_columns(legend, keys), **frame)
        return figure

    return styled(draw)


def _columns(legend: str, keys: Keys) -> int:
    """Of a legend: at the right one, or two of many; else all, or ten of many."""
    return min(len(keys), 10) if legend != "right" else 1 + (len(keys) > 20)


def _set(ax: Axes, reader: Reading, frame: Frame) -> None:
    """Scales first: lines and limits are of them."""
    for side in "xy":
        if f"{side}_scale" in frame:
            ax.set(**{f"{side}scale": frame[f"{side}_scale"]})
        if f"{side}_lim" in frame:
            ax.set(**{f"{side}lim": frame[f"{side}_lim"]})
        if f"{side}_label" in frame:
            ax.set(**{f"{side}label": frame[f"{side}_label"]})
    ax.set_aspect(frame.get("aspect", ax.get_aspect()))
    if "x_ticks" in frame:
        ax.set_xticks(frame["x_ticks"], [f"{tick:g}" for tick in frame["x_ticks"]])
        ax.xaxis.set_minor_locator(NullLocator())
    if "title" in frame:
        ax.set_title(reader.text(frame["title"]), color=frame.get("title_color", "black"))
    dotted = {"color": "0.4", "linestyle": ":", "linewidth": 1, "zorder": 0.5}
    for name, place in frame.get("verticals", {}).items():
        ax.axvline(float(reader.array(place)), **dotted)
        beside = {"transform": ax.get_xaxis_transform(), "ha": "left", "va": "top", "color": "0.4", "size": "small"}
        ax.text(float(reader.array(place)), 0.99, f" {name}", **beside)
    for name, place in frame.get("horizontals", {}).items():
        ax.axhline(float(reader.array(place)), **dotted)
        beside = {"transform": ax.get_yaxis_transform(), "ha": "left", "va": "bottom", "color": "0.4", "size": "small"}
        ax.text(0.01, float(reader.array(place)), name, **beside)
