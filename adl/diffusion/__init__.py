"""Diffusion: generation by denoising. Schedule, preconditioner, solver and guidance are independent choices."""

from adl.diffusion import guidance, preconditioner, schedule, solver
from adl.diffusion.denoising import drop_labels
from adl.diffusion.edm import denoiser, edm, weighted_errors
from adl.diffusion.guidance import classifier_free
from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.solver import Denoiser, Solver, churned, euler, heun, path, sample

__all__ = [
    "Denoiser",
    "Preconditioner",
    "Solver",
    "churned",
    "classifier_free",
    "denoiser",
    "drop_labels",
    "edm",
    "euler",
    "guidance",
    "heun",
    "path",
    "preconditioner",
    "sample",
    "schedule",
    "solver",
    "weighted_errors",
]
