"""Figures: the only place that knows matplotlib. It draws what a run returns, one file a measure, in one style."""

from adl.show.curves import curves
from adl.show.images import image_grid
from adl.show.matrix import attention, heat_map, responsibilities
from adl.show.points import classes, embedding
from adl.show.representation import linear_probe
from adl.show.samples import denoising, guidance, nearest, samples
from adl.show.style import COLORS, Draw, figures, of, panel

__all__ = [
    "COLORS",
    "Draw",
    "attention",
    "classes",
    "curves",
    "denoising",
    "embedding",
    "figures",
    "guidance",
    "heat_map",
    "image_grid",
    "linear_probe",
    "nearest",
    "of",
    "panel",
    "responsibilities",
    "samples",
]
