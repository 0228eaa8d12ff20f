"""Figures: the only place that knows matplotlib. It draws what a run returns, one file a measure, in one style."""

from adl.show.clustering import (
    ascent,
    component_weights,
    likeliest,
    mixture_density,
    mixture_steps,
    prototypes,
)
from adl.show.components import component_numbers, components_plane, eigenpictures, reconstructions
from adl.show.curves import curves
from adl.show.images import image_grid, in_rows, inked
from adl.show.matrix import attention, heat_map, responsibilities
from adl.show.points import classes, embedding
from adl.show.representation import linear_probe
from adl.show.samples import beside_data, denoising, guidance, nearest, samples
from adl.show.style import COLORS, Draw, figures, of, panel

__all__ = [
    "COLORS",
    "Draw",
    "ascent",
    "attention",
    "beside_data",
    "classes",
    "component_numbers",
    "component_weights",
    "components_plane",
    "curves",
    "denoising",
    "eigenpictures",
    "embedding",
    "figures",
    "guidance",
    "heat_map",
    "image_grid",
    "in_rows",
    "inked",
    "likeliest",
    "linear_probe",
    "mixture_density",
    "mixture_steps",
    "nearest",
    "of",
    "panel",
    "prototypes",
    "reconstructions",
    "responsibilities",
    "samples",
]
