"""The house style: colours, sizes, an empty panel, and figures that are drawn in it from what a run returns.

All are plain `matplotlib.figure.Figure`s, which `savefig` renders by Agg: no screen, no global state of pyplot.
"""

import functools
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

from adl.run.experiment import Outcome

Draw = Callable[[Outcome], Figure]  # what the runner draws when a run ends

# Distinct under the common colour-vision deficiencies. Source: Okabe & Ito 2008, "Color Universal Design".
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "font.size": 9,
    "figure.titlesize": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLORS),
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "image.interpolation": "nearest",
    "image.cmap": "gray",
}
DPI = 144  # an image grid is exact at this resolution: a pixel of the image is a square of whole dots


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """The same figure, wholly in the house style: what is put into a panel later, too.

    Titles that are wider than the figure take more lines.
    """

    @functools.wraps(draw)
    def drawn(*args: Any, **options: Any) -> Figure:
        with matplotlib.rc_context(STYLE):
            figure = draw(*args, **options)
        for text in (*figure.texts, *(ax.title for ax in figure.axes)):
            text.set_wrap(not text.get_rotation())  # matplotlib would move one that is turned
        return figure

    return drawn


def figures(**draws: Draw) -> dict[str, Draw]:
    """Figures by name, each in the house style.

    Args:
      **draws: `draw(outcome) -> Figure` by the name of its file.
    """
    return {name: _laid_out(styled(draw)) for name, draw in draws.items()}


def _laid_out(draw: Draw) -> Draw:
    """The same figure, its panels where they will be: `savefig` draws all once more for one that is to be laid out."""

    def drawn(outcome: Outcome) -> Figure:
        figure = draw(outcome)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            figure.set_layout_engine(None)
        return figure

    return drawn


def of(figure: Callable[..., Figure], *arrays: str, **options: Any) -> Draw:
    """A figure of arrays as one of what a run returns.

    Args:
      figure: `figure(*arrays, **options) -> Figure`.
      *arrays: names of what probes returned: "probe/name".
      **options: as they are.
    """
    return lambda outcome: figure(*(outcome.arrays[name] for name in arrays), **options)


def shades(num: int) -> list[tuple[float, float, float]]:
    """So many colours: the house's while they last, then those of tab20, beyond twenty around the circle of hues."""
    if num <= len(COLORS):
        return [matplotlib.colors.to_rgb(color) for color in COLORS[:num]]
    if num <= 20:
        return list(matplotlib.colormaps["tab20"].colors[:num])
    return [matplotlib.colors.hsv_to_rgb((k / num, (0.9, 0.5)[k % 2], (0.6, 0.85)[k % 2])) for k in range(num)]


def panel(
    rows: int = 1, cols: int = 1, *, size: tuple[float, float] = (3.2, 2.6), kind: type[Figure] = Figure
) -> tuple[Figure, np.ndarray]:
    """An empty figure, and its axes as an array `[rows, cols]`, also where there is only one.

    Args:
      rows: of axes, >= 1.
      cols: of axes, >= 1.
      size: width and height of one of the axes, in inches.
      kind: of the figure.
    """
    with matplotlib.rc_context(STYLE):
        figure = kind(figsize=(cols * size[0], rows * size[1]), dpi=DPI, layout="constrained")
        return figure, figure.subplots(rows, cols, squeeze=False)
