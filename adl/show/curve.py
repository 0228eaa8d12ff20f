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
    y_lim: tuple[float | None, float | None] = (None, None),
    settled: float = 0.0,
    references: Mapping[str, float | str] = {},
    ticks: Mapping[float, str] = {},
    x_label: str = "step",
    x_unit: float = 1.0,
) -> Draw:
    """Metrics over steps: one line each; of several seeds their mean, in a band of one standard error.

    Runs that are not finite at a step are left out of its mean. In a sweep a colour is a setting, from dark to light
    in the sweep's order, and a line style is a metric.

    Args:
      metrics: `{label: name}`, the names as in `metrics.jsonl`.
      y_label: quantity and unit of the vertical axis.
      title: of the figure.
      y_scale: of the vertical axis.
      y_lim: of the vertical axis, which wins over what is drawn; None: open.
      settled: in [0, 1), share of the run whose curves may leave the axis, so that one sees where later ones differ.
      references: values to compare with, by name, or metrics whose last value it is: a dotted line each. A name is a
        format string of its value: "pixels {:.1%}".
      ticks: of the vertical axis, value and text; matplotlib's own by default.
      x_label: quantity of the horizontal axis.
      x_unit: of which a step is so many: examples in a batch.
    Returns:
      `draw(outcome)`, which raises KeyError if a metric was never written.
    """
    look = {"xlabel": x_label, "ylabel": y_label, "title": title, "yscale": y_scale}
    options = {"y_lim": y_lim, "settled": settled, "references": references, "ticks": ticks, "x_unit": x_unit}
    return functools.partial(_curves, metrics=metrics, look=look, **options)


def denoising_losses() -> Draw:
    """The loss of a denoiser, in training and by the probe "test"."""
    names = {"train": "train/loss", "test": "test/loss"}
    return curves(names, y_label="weighted denoising error", title="Denoising loss")


def rescaled(draw: Draw, factors: Mapping[str, float]) -> Draw:
    """The same figure, of metrics in other units than a run writes.

    Args:
      draw: of the metrics.
      factors: by which metrics are multiplied, by name.
    """

    def in_units(row):
        return {name: np.multiply(row[name], factors[name]) if name in factors else row[name] for name in row}

    return lambda outcome: draw(outcome._replace(history=[in_units(row) for row in outcome.history]))


@styled
def _curves(
    outcome: Outcome,
    *,
    metrics: Mapping[str, str],
    look: Mapping[str, str],
    y_lim: tuple[float | None, float | None],
    settled: float,
    references: Mapping[str, float | str],
    ticks: Mapping[float, str],
    x_unit: float,
) -> Figure:
    figure, axes = panel(size=(6.2 if outcome.settings else 4.4, 3.1))
    ax = axes[0, 0]
    shades = [tuple(shade) for shade in matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(outcome.settings)))]
    for name, color, line in zip(metrics.values(), COLORS * len(metrics), LINES * len(metrics), strict=False):
        steps, values = outcome.curve(name)
        steps = x_unit * steps
        if not steps.size:
            raise KeyError(f"no row of this run has {name!r}")
        if outcome.settings:
            for setting, shade in enumerate(shades):
                _curve(ax, steps, values[:, setting], shade, line)
        else:
            _curve(ax, steps, values, color, "-")
    ax.set(**look)
    ax.margins(x=0.02)
    if ticks:
        ax.set_yticks([*ticks], [*ticks.values()])
        ax.minorticks_off()
    values = {name: outcome.last(at) if isinstance(at, str) else at for name, at in references.items()}
    end = outcome.last(next(iter(metrics.values())))
    for name, value in values.items():
        ax.axhline(value, color="0.6", linewidth=0.8, linestyle=":")
        # At the right, for curves begin at the left; and away from where they end, if there is room below.
        side = "top" if settled and value < end else "bottom"
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": side}
        ax.text(0.99, value, name.format(value), color="0.4", fontsize=7, **place)
    if settled:
        curves = [outcome.curve(name)[1] for name in metrics.values()]
        _show_all(ax, np.concatenate([*(np.ravel(c[int(settled * len(c)) :]) for c in curves), list(values.values())]))
    ax.set_ylim(*y_lim)
    keys = _legend(outcome, list(metrics), shades)
    figure.legend(handles=keys, loc="outside right upper") if outcome.settings else ax.legend(handles=keys)
    return figure


def _show_all(ax: Axes, values: np.ndarray) -> None:
    """Sets the vertical axis so that it holds the values that are finite, and little else."""
    low, high = np.nanquantile(np.where(np.isfinite(values), values, np.nan), (0, 1))
    to, back = (np.log, np.exp) if ax.get_yscale() == "log" else (np.asarray, np.asarray)
    margin = 0.07 * (to(high) - to(low)) or 0.1
    ax.set_ylim(back(to(low) - margin), back(to(high) + margin))


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
