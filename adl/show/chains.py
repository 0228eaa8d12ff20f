"""Chains of draws `[C, N, D]`: where they went, whether they agree, and what their draws are worth."""

from collections.abc import Callable, Sequence
from typing import Unpack

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.names import bars, evenly
from adl.show.panels import Frame, Panel, Reading, Source, framed, page
from adl.show.style import COLORS, Draw

BELOW = (9.0, 6.0, 4.0, 2.0, 0.7)  # the top of a log-density, where its lines are, in nats
AGREED = 1.01  # R-hat below which chains may be pooled
MOST = 0.002, 0.998  # quantiles that bound what is shown of long tails


def trace(
    draws: Source,
    index: int = 0,
    *,
    num_chains: int | None = None,
    num_draws: int | None = None,
    note: str = "",
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of one coordinate of each chain, draw after draw; chains that agree cannot be told apart.

    Args:
      draws: `[C, N, D]`.
      index: of the coordinate.
      num_chains: that are drawn; None: all.
      num_draws: of each, from its first; None: all.
      note: in the upper right corner, a format string.
      **frame: of the axes.
    """

    def draw(ax, reader):
        ax.plot(reader.array(draws)[:num_chains, :num_draws, index].T, linewidth=0.5, alpha=0.8)
        ax.text(0.995, 0.97, reader.text(note), transform=ax.transAxes, ha="right", va="top", size="small")
        ax.margins(x=0.005)
        ax.label_outer()
        return {}

    return framed(draw, frame)


def traces(draws: Source, rhat: Source, names: Sequence[str], *, num: int = 4) -> Draw:
    """All chains, draw after draw, in the coordinates on which they agree least.

    Args:
      draws: `[C, N, D]`.
      rhat: `[D]`.
      names: D, of the coordinates.
      num: of coordinates.
    """

    def draw(outcome: Outcome) -> Figure:
        x, r = (Reading(outcome).array(source) for source in (draws, rhat))
        worst = np.argsort(-r)[:num]
        rows = [[trace(x, i, y_label=names[i], title=f"R-hat {r[i]:.3f}")] for i in worst]
        title = f"Where the {len(x)} chains agree least"
        return page(*rows, size=(6.4, 1.35), x_label="draw after the warm-up", title=title)(outcome)

    return draw


def marginal(values: Source, known: tuple[float, float] | None = None, **frame: Unpack[Frame]) -> Panel:
    """A panel of a histogram of draws and their mean, beside the mean and the deviation that are known.

    Args:
      values: `[...]`, of whose tails the last 0.2 % are not drawn.
      known: mean and standard deviation; None: they are not.
      **frame: of the axes.
    """

    def draw(ax, reader):
        x, keys = reader.array(values).ravel(), {}
        ends = np.quantile(x, MOST)
        ax.hist(x, bins=40, range=tuple(ends), density=True, color=COLORS[0], alpha=0.55)
        if known:
            mean, std = known
            keys["reference: mean"] = ax.axvline(mean, color=COLORS[1], linewidth=1)
            keys["± 1 sd"] = ax.axvspan(mean - std, mean + std, color="0.5", alpha=0.15, linewidth=0)
        keys["mean of the draws"] = ax.axvline(x.mean(), color=COLORS[6], linewidth=1, linestyle=":")
        ax.set(xlim=ends, yticks=[])
        ax.spines["left"].set_visible(False)
        return keys

    return framed(draw, frame)


def marginals(
    draws: Source,
    names: Sequence[str],
    *,
    mean: np.ndarray | None = None,
    std: np.ndarray | None = None,
    num: int = 12,
    columns: int = 4,
) -> Draw:
    """Histograms of all chains' draws, coordinate by coordinate.

    Args:
      draws: `[C, N, D]`.
      names: D, of the coordinates.
      mean: `[D]` that is known; None: it is not.
      std: `[D]` the same.
      num: of coordinates, evenly through all.
      columns: of panels.
    """
    shown = evenly(np.arange(len(names)), num)

    def draw(outcome: Outcome) -> Figure:
        x = Reading(outcome).array(draws)
        panels = [
            marginal(x[..., i], None if mean is None else (mean[i], std[i]), title=names[i]) for i in map(int, shown)
        ]
        rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
        return page(*rows, size=(1.75, 1.5), title="Marginals")(outcome)

    return draw


def cloud(
    points: Source,
    contours: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    *,
    below: Sequence[float] = BELOW,
    num: int | None = None,
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of draws in the plane, over the lines of a log-density.

    Args:
      points: `[..., 2]`.
      contours: places `[G]` along x, `[H]` along y, and the log-density `[H, G]` there; None: no lines.
      below: how far below the top each line is, falling, in nats.
      num: of points that are drawn, evenly through all; None: all.
      **frame: of the axes.
    """

    def draw(ax, reader):
        xy = reader.array(points).reshape(-1, 2)
        xy = xy[:: max(1, len(xy) // (num or len(xy)))]
        ax.plot(*xy.T, ".", color=COLORS[0], markersize=2.3, markeredgewidth=0, alpha=0.3, rasterized=True)
        if contours is not None:
            x, y, height = contours
            lines = {"colors": "0.25", "linewidths": 0.5, "linestyles": "solid"}
            ax.contour(x, y, height, height.max() - np.asarray(below), **lines)
            ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        ax.label_outer()
        return {}

    return framed(draw, frame)


def first_two(
    draws: Source, names: Sequence[str], log_density: Callable[[np.ndarray], np.ndarray], *, reach: np.ndarray
) -> Draw:
    """Draws of the first two coordinates, the second across, over the lines of their log-density.

    Args:
      draws: `[C, N, D]`.
      names: D, of the coordinates.
      log_density: of points `[H, G, 2]` of these two, `[H, G]` up to a constant.
      reach: `[2, 2]` least and largest of both that are drawn in any case, whether draws went there or not.
    """

    def draw(outcome: Outcome) -> Figure:
        x = Reading(outcome).array(draws).reshape(-1, len(names))[:, :2]
        low, high = np.quantile(x, MOST, axis=0)
        ends = zip(np.minimum(low, reach[0]), np.maximum(high, reach[1]), strict=True)
        first, second = (np.linspace(*end, 400, dtype=np.float32) for end in ends)
        height = log_density(np.stack(np.meshgrid(first, second, indexing="ij"), -1))
        contours = (second, first, np.asarray(height))
        frame = {"x_label": names[1], "y_label": names[0]}
        panel = cloud(x[:, ::-1], contours, below=(8, 6, 4.5, 3, 2, 1, 0.3), **frame)
        return page([panel], size=(4.4, 3.8), title=f"{len(x):,} draws, and contours of the density")(outcome)

    return draw


def most_correlated(draws: Source, names: Sequence[str]) -> Draw:
    """Draws of the two coordinates that say most about each other.

    Args:
      draws: `[C, N, D]`.
      names: D, of the coordinates.
    """

    def draw(outcome: Outcome) -> Figure:
        x = Reading(outcome).array(draws).reshape(-1, len(names))
        correlation = abs(np.corrcoef(x, rowvar=False)) - np.eye(len(names))
        upright, across = map(int, np.unravel_index(correlation.argmax(), correlation.shape))
        shown = x[:, [across, upright]]
        limits = zip(("x_lim", "y_lim"), map(tuple, np.quantile(shown, MOST, axis=0).T), strict=True)
        panel = cloud(shown, None, **dict(limits), x_label=names[across], y_label=names[upright])
        return page([panel], size=(4.4, 3.8), title=f"{len(x):,} draws of the two most correlated")(outcome)

    return draw


def agreement(rhat: Source, size: Source, names: Sequence[str], *, num_draws: int) -> Draw:
    """Whether chains agree in each coordinate, in another colour where they do not, and what their draws are worth.

    Args:
      rhat: `[D]`, about 1 of chains that agree, nan of chains that never moved; it is drawn up to 2.
      size: `[D]` effective sample sizes.
      names: D, of the coordinates.
      num_draws: of all chains.
    """

    def reductions(ax, reader):
        r = np.clip(np.nan_to_num(reader.array(rhat), nan=np.inf), 0, 2)
        # Dots: a bar's length would say how far it is from where the axis begins.
        ax.grid(axis="y", color="0.93")
        ax.scatter(r, np.arange(len(r)), s=14, color=np.where(r < AGREED, COLORS[0], COLORS[1]), zorder=2)
        ax.axvline(AGREED, color="0.4", linewidth=0.8, linestyle=":")
        ax.margins(x=0.08)
        ax.set_yticks(np.arange(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        return {}

    left = framed(reductions, {"x_label": "split R-hat"})
    worth = {"x_label": "effective sample size", "verticals": {"": num_draws}, "y_lim": (len(names) - 0.5, -0.5)}
    right = bars([""] * len(names), size, **worth, title=f"dotted: {num_draws:,} draws")
    title = "Agreement of the chains, and worth of their draws"
    return page([left, right], size=(3.2, 0.9 + 0.14 * len(names)), title=title)
