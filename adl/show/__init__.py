"""Figures: the only place that knows matplotlib. It draws what a run returns, one file a measure, in one style."""

from adl.show.calibration import reliability
from adl.show.clustering import ascent, component_weights, likeliest, mixture_density, mixture_steps, prototypes
from adl.show.curves import curves
from adl.show.densities import estimate, histograms
from adl.show.functions import forecasts, process
from adl.show.game import players
from adl.show.images import image_grid, in_rows, inked
from adl.show.lines import Line, lines
from adl.show.matrix import attention, heat_map, responsibilities
from adl.show.names import bars, dots
from adl.show.page import page
from adl.show.plane import landscape, probability, regions
from adl.show.points import classes, embedding
from adl.show.representation import linear_probe
from adl.show.roc import threshold_curves
from adl.show.samples import beside_data, denoising, fidelity, guidance, interpolation, nearest, samples
from adl.show.style import COLORS, Draw, figures, of, panel

__all__ = [
    "COLORS",
    "Draw",
    "Line",
    "ascent",
    "attention",
    "bars",
    "beside_data",
    "classes",
    "component_weights",
    "curves",
    "denoising",
    "dots",
    "embedding",
    "estimate",
    "fidelity",
    "figures",
    "forecasts",
    "guidance",
    "heat_map",
    "histograms",
    "image_grid",
    "in_rows",
    "inked",
    "interpolation",
    "landscape",
    "likeliest",
    "linear_probe",
    "lines",
    "mixture_density",
    "mixture_steps",
    "nearest",
    "of",
    "page",
    "panel",
    "players",
    "probability",
    "process",
    "prototypes",
    "regions",
    "reliability",
    "responsibilities",
    "samples",
    "threshold_curves",
]
