"""Figures: the only place that knows matplotlib. It draws what a run returns, one file a measure, in one style."""

from adl.show.curves import curves
from adl.show.densities import estimate, histograms
from adl.show.functions import forecasts, process
from adl.show.images import image_grid
from adl.show.lines import Line, lines
from adl.show.matrix import attention, heat_map, responsibilities
from adl.show.names import bars, dots
from adl.show.page import page
from adl.show.plane import landscape, probability, regions
from adl.show.points import classes, embedding
from adl.show.representation import linear_probe
from adl.show.samples import denoising, guidance, nearest, samples
from adl.show.style import COLORS, Draw, figures, of, panel

__all__ = [
    "COLORS",
    "Draw",
    "Line",
    "attention",
    "bars",
    "classes",
    "curves",
    "denoising",
    "dots",
    "embedding",
    "estimate",
    "figures",
    "forecasts",
    "guidance",
    "heat_map",
    "histograms",
    "image_grid",
    "landscape",
    "linear_probe",
    "lines",
    "nearest",
    "of",
    "page",
    "panel",
    "probability",
    "process",
    "regions",
    "responsibilities",
    "samples",
]
