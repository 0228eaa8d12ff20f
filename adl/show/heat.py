"""Fields: a number at each place of a plane, as shades, and points on it."""

from typing import Unpack

import numpy as np

from adl.show.panels import Frame, Panel, Source, framed, page
from adl.show.style import COLORS, Draw


def field(
    values: Source,
    limit: float,
    *,
    scale: Source | None = None,
    cmap: str = "Blues",
    points: Source | None = None,
    bar_label: str = "",
    **frame: Unpack[Frame],
) -> Panel:
    """A panel of a number over the square [-limit, limit]^2, grey where it is nan.

    Args:
      values: `[S, S]`, rows along the second coordinate, rising.
      limit: > 0, half a side.
      scale: array whose least and largest values are the ends of the shades; None: `values`.
      cmap: the shades.
      points: `[N, 2]` on top; None: none.
      bar_label: of a bar that says what the shades are; empty: no bar.
      **frame: of the axes.
    """

    def draw(ax, reader):
        ends = reader.array(values if scale is None else scale)
        shades = {"cmap": cmap, "vmin": np.nanmin(ends), "vmax": np.nanmax(ends), "interpolation": "bilinear"}
        ax.set_facecolor("0.9")
        image = ax.imshow(reader.array(values), origin="lower", extent=(-limit, limit) * 2, **shades)
        if points is not None:
            ax.scatter(*reader.array(points).T, s=2, c=COLORS[1], linewidths=0)
        if bar_label:
            ax.figure.colorbar(image, ax=ax, shrink=0.75, label=bar_label).ax.tick_params(labelsize="small")
        return {}

    return framed(draw, frame)


def densities(probe: str = "density", *, limit: float, drawn: float, points: str = "chains") -> Draw:
    """What `measure.plane.density_map` returned: the true and the learned density, and where the two differ.

    Args:
      probe: name of that probe; its "points" lie on the learned density.
      limit: half a side of the square that it saw.
      drawn: half a side of the square that is drawn.
      points: what the points are.
    """

    def shown(name: str, title: str, bar_label: str = "", **options) -> Panel:
        frame = {"title": title, "x_lim": (-drawn, drawn), "y_lim": (-drawn, drawn)}
        return field(f"{probe}/{name}", limit, bar_label=bar_label, **options, **frame)

    learned = {"scale": f"{probe}/true", "points": f"{probe}/points"}
    panels = [
        shown("true", "true density"),
        shown("learned", f"learned density, and {points}", "density", **learned),
        shown("log_ratio", "log p(model) - log p(true)", "nats", scale=(-1, 1), cmap="RdBu_r"),
    ]
    return page(panels, size=(3.3, 3.0), x_label="$x_1$", y_label="$x_2$")
