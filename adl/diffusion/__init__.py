"""Diffusion: generation by denoising. Schedule, preconditioner, solver and guidance are independent choices."""

from adl import submodules

__getattr__, __dir__ = submodules(__name__)
