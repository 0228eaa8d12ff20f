"""Depth: how far away each pixel is, and is told to be."""

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.line import Line, lines
from adl.show.names import evenly
from adl.show.panels import page
from adl.show.segmentation import SHOWN, viewed
from adl.show.style import COLORS, Draw, panel, styled

WORST = 0.5  # relative error from which on shades are the same


def depth_maps(told: str, *, image: np.ndarray, depth: np.ndarray) -> Draw:
    """Pictures, their depths, those that were told, and the relative error, with bars that say metres and shares.

    To be seen: near objects are dark in both maps alike, edges are where the objects' are, and what is wrong is thin.

    Args:
      told: the array "probe/name" `[N, H, W]` in metres.
      image: `[N, H, W, C]` uint8; of many, some.
      depth: `[N, H, W]` in metres; what is not > 0 is unknown, and white.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        rows = evenly(np.arange(len(image)), SHOWN)
        known = (depth[rows] > 0) & np.isfinite(depth[rows])
        true, seen = np.where(known, depth[rows], np.nan), outcome.arrays[told][rows]
        error = (seen - true) / true
        low, high = np.nanquantile(true, (0, 1)) if known.any() else (0.0, 1.0)
        metres = {"cmap": "viridis", "vmin": low, "vmax": high}
        height, width = image.shape[1:3]
        figure, axes = panel(4, len(rows), size=(1.15, 1.15 * height / width))
        parts = [
            ("picture", [*map(viewed, image[rows])], {"cmap": "gray", "vmin": 0, "vmax": 255}, ""),
            ("depth", true, metres, "metres"),
            ("told", seen, metres, "metres"),
            ("error", error, {"cmap": "RdBu_r", "vmin": -WORST, "vmax": WORST}, "(told - true) / true"),
        ]
        for line, (title, pictures, shades, unit) in zip(axes, parts, strict=True):
            for ax, picture in zip(line, pictures, strict=True):
                shown = ax.imshow(picture, **shades)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            line[0].set_ylabel(title)
            if unit:
                figure.colorbar(shown, ax=line.tolist(), label=unit, pad=0.01).ax.tick_params(labelsize="small")
        for ax, row in zip(axes[-1], np.abs(error), strict=True):
            ax.set_xlabel(f"{np.nanmean(row):.1%}" if np.isfinite(row).any() else "unknown", fontsize="small")
        return figure

    return draw


def error_by_depth(probe: str, baselines: dict[str, str]) -> Draw:
    """Relative error by how far away pixels are, beside baselines.

    To be seen: the learned line lies below the others at every depth; a constant is right at one depth only.

    Args:
      probe: that returned "depth" `[T]` in metres, the middles of bins, and "error" `[T]`, nan of empty ones.
      baselines: probes that returned the same, by what the figure calls them.
    """

    def draw(outcome: Outcome) -> Figure:
        found = {"network": probe, **baselines}
        shown = [
            Line(f"{name}/error", label=f"{who}: {outcome.last(f'{name}/relative'):.3f}", style="o-", color=color)
            for (who, name), color in zip(found.items(), COLORS, strict=False)
        ]
        frame = {"x_label": "depth (metres)", "y_label": "mean |told - true| / true", "y_scale": "log"}
        return page([lines(f"{probe}/depth", *shown, **frame, legend="best")], size=(4.4, 3.1))(outcome)

    return draw
