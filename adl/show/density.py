"""Densities of a number: histograms of samples, and estimates beside the truth."""

from collections.abc import Mapping
from typing import Literal, Unpack

import numpy as np

from adl.show.panels import Frame, Panel, Source, framed
from adl.show.style import COLORS


def histograms(
    edges: np.ndarray, samples: Mapping[str, Source], reference: tuple[str, Source], **frame: Unpack[Frame]
) -> Panel:
    """A panel of histograms as outlines, and a density to compare with.

    Args:
      edges: `[B + 1]` of the bins.
      samples: `[N]` numbers by name, of which those outside of the bins are not drawn.
      reference: name and density `[B + 1]` at the edges, dashed.
      **frame: of the axes.
    """

    def draw(ax, reader):
        keys = {}
        for name, source in samples.items():
            heights, _ = np.histogram(reader.array(source), edges, density=True)
            keys[name] = ax.stairs(heights, edges, linewidth=1.1, baseline=None)
        name, density = reference
        (keys[name],) = ax.plot(edges, reader.array(density), "--", color="black", linewidth=1)
        return keys

    return framed(draw, frame)


def estimate(
    x: Source,
    density: Source,
    *,
    truth: Source,
    points: Source,
    steps: Literal["default", "steps-mid"] = "default",
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of an estimated density over the true one in grey, and what it was estimated from below.

    Args:
      x: `[G]`, rising.
      density: `[G]` >= 0.
      truth: `[G]` >= 0.
      points: `[N]` numbers.
      steps: how the estimate goes from place to place.
      **frame: of the axes.
    """

    def draw(ax, reader):
        place, seen = reader.array(x), reader.array(points)
        true = ax.fill_between(place, reader.array(truth), color="0.85", linewidth=0)
        (line,) = ax.plot(place, reader.array(density), color=COLORS[0], linewidth=1, drawstyle=steps)
        ax.plot(
            seen, np.full(len(seen), -0.03 * reader.array(truth).max()), "|", color="black", markersize=3, alpha=0.15
        )
        ax.set_xlim(place[0], place[-1])
        return {"truth": true, "estimate": line}

    return framed(draw, frame)
