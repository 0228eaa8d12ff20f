"""Functions that are believed in: means, bands and draws of a process, and forecasts of what came."""

from typing import Unpack

import numpy as np

from adl.show.panels import Frame, Panel, Source, framed
from adl.show.style import COLORS


def process(
    x: Source,
    mean: Source,
    scale: Source,
    samples: Source | None = None,
    *,
    points: tuple[Source, Source] | None = None,
    truth: Source | None = None,
    words: tuple[str, str, str] = ("mean", "next point, ± 2 sd", "draws of the posterior"),
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of what is believed of a function of a number.

    Args:
      x: `[G]`, rising.
      mean: `[G]`.
      scale: `[G]` > 0, half the half-width of the band.
      samples: `[S, G]`; None: none.
      points: x `[N]` and y `[N]` of what was seen; None: nothing.
      truth: `[G]`, dashed, nan where it is not drawn; None: none.
      words: of the legend, for the mean, the band and the draws.
      **frame: of the axes.
    """

    def draw(ax, reader):
        place, middle, half = (reader.array(source) for source in (x, mean, scale))
        band = ax.fill_between(place, middle - 2 * half, middle + 2 * half, color=COLORS[5], alpha=0.25, linewidth=0)
        keys = {}
        if samples is not None:
            style = {"color": COLORS[1], "linewidth": 0.6, "alpha": 0.6}
            keys[words[2]] = ax.plot(place, reader.array(samples).T, **style)[0]
        (line,) = ax.plot(place, middle, color=COLORS[0])
        keys = {words[0]: line, **keys, words[1]: band}
        if truth is not None:
            (keys["truth"],) = ax.plot(place, reader.array(truth), color="0.3", linestyle="--", linewidth=1)
        if points is not None:
            seen = (reader.array(source) for source in points)
            (keys["points"],) = ax.plot(*seen, "o", color="black", markersize=3, alpha=0.8, markeredgewidth=0)
        ax.set_xlim(place[0], place[-1])
        return keys

    return framed(draw, frame)


def forecasts(mean: Source, scale: Source, came: Source, **frame: Unpack[Frame]) -> Panel:
    """A panel of examples by what was expected of them, and what came; the title says how many were within the band.

    Args:
      mean: `[N]`.
      scale: `[N]` > 0, half the half-width of the band.
      came: `[N]`.
      **frame: of the axes.
    """

    def draw(ax, reader):
        middle, half, outcome = (reader.array(source) for source in (mean, scale, came))
        order, place = np.argsort(middle), np.arange(len(middle))
        ends = ((middle + sign * half)[order] for sign in (-2, 2))
        ax.fill_between(place, *ends, color=COLORS[5], alpha=0.3, linewidth=0)
        (line,) = ax.plot(place, middle[order], color=COLORS[0])
        (dots,) = ax.plot(place, outcome[order], "o", color="black", markersize=2.5)
        ax.set_title(f"{(np.abs(outcome - middle) < 2 * half).mean():.0%} within two deviations")
        return {"expected, ± 2 sd": line, "came": dots}

    return framed(draw, frame)
