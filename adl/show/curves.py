"""Curves: metrics over the steps of a run, of many seeds, of a sweep."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled

LINES = ("-", "--", ":", "-.")  # of the metrics, where colours are the settings of a sweep


def curves(
    metrics: Mapping[str, str],
    *,
    y_label: str,
    title: str,
    y_scale: Literal["linear", "log"] = "linear",
    references: Mapping[str, float] = {},
    named_at: Literal["left", "right"] = "right",
    factors: Mapping[str, float] = {},
) -> Draw:
    """Metrics over steps: one line each; of several seeds their mean, in a band of one standard error.

    Runs that are not finite at a step are left out of its mean. In a sweep a colour is a setting, from dark to light
    in the sweep's order, and a line style is a metric.

    Args:
      metrics: `{label: name}`, the names as in `metrics.jsonl`.
      y_label: quantity and unit of the vertical axis.
      title: of the figure.
      y_scale: of the vertical axis.
      references: values to compare with, by name: a dotted line each.
      named_at: where the names of the references stand: at the left below their lines, for losses that fall to them; or
        at the right above.
      factors: by which metrics are multiplied, where they come in another unit than the axis has.
    Returns:
      `draw(outcome)`, which raises KeyError if a metric was never written.
    """
    return functools.partial(
        _curves,
        metrics=metrics,
        y_label=y_label,
        title=title,
        y_scale=y_scale,
        references=references,
        named_at=named_at,
        factors=factors,
    )


@styled
def _curves(
    outcome: Outcome,
    *,
    metrics: Mapping[str, str],
    y_label: str,
    title: str,
    y_scale: str,
    references: Mapping[str, float],
    named_at: str,
    factors: Mapping[str, float],
) -> Figure:
    figure, axes = panel(size=(6.2 if outcome.settings else 4.4, 3.1))
    ax = axes[0, 0]
    shades = [tuple(shade) for shade in matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(outcome.settings)))]
    for name, color, line in zip(metrics.values(), COLORS * len(metrics), LINES * len(metrics), strict=False):
        steps, values = outcome.curve(name)
        if not steps.size:
            raise KeyError(f"no row of this run has {name!r}")
        values = values * factors.get(name, 1.0)
        if outcome.settings:
            for setting, shade in enumerate(shades):
                _curve(ax, steps, values[:, setting], shade, line)
        else:
            _curve(ax, steps, values, color, "-")
    ax.set(xlabel="step", ylabel=y_label, title=title, yscale=y_scale)
    ax.margins(x=0.02)
    for name, value in references.items():
        ax.axhline(value, color="0.6", linewidth=0.8, linestyle=":")
        x, va = (0.01, "top") if named_at == "left" else (0.99, "bottom")
        ax.text(x, value, name, color="0.4", fontsize=7, ha=named_at, va=va, transform=ax.get_yaxis_transform())
    keys = _legend(outcome, list(metrics), shades)
    figure.legend(handles=keys, loc="outside right upper") if outcome.settings else ax.legend(handles=keys)
    return figure


def _legend(outcome: Outcome, metrics: Sequence[str], shades: Sequence[Any]) -> list[Line2D]:
    """A line for each metric, and in a sweep for each setting."""
    if not outcome.settings:
        return [
            Line2D([], [], color=color, label=label)
            for label, color in zip(metrics, COLORS * len(metrics), strict=False)
        ]
    keys = [Line2D([], [], color=shade, label=label) for label, shade in zip(outcome.settings, shades, strict=True)]
    lines = zip(metrics, LINES * len(metrics), strict=False)
    return keys + [Line2D([], [], color="0.4", linestyle=line, label=label) for label, line in lines]


def _curve(ax: Axes, steps: np.ndarray, values: np.ndarray, color: Any, line: str) -> None:
    """Draws values `[T]` or `[T, seeds]` in one colour."""
    runs = np.ma.masked_invalid(values.reshape(len(steps), -1))
    mean, count = runs.mean(-1), runs.shape[1]
    ax.plot(steps, mean, color=color, linestyle=line, marker="o" if len(steps) <= 25 else None, markersize=2.5)
    if count > 1:
        error = runs.std(-1, ddof=1) / np.sqrt(runs.count(-1))
        ax.fill_between(steps, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)
