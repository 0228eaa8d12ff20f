"""Choices of process, target and levels by the name of their papers: what `denoising` is told to be one of them."""

from typing import Literal, NamedTuple

from adl.diffusion import preconditioner, process, target
from adl.diffusion.denoising import Levels, log_normal, log_uniform, uniform
from adl.diffusion.process import Process
from adl.diffusion.target import Aim

Name = Literal["edm", "ve", "vp", "ddpm", "ddpm_cosine", "flow"]


class Formulation(NamedTuple):
    """Three arguments of `denoising`; a denoiser takes the former two."""

    process: Process
    target: Aim
    levels: Levels


def way_of(name: Name, sigma_data: float) -> Formulation:
    """The choices of that name, whose papers the table of `denoising` has.

    Args:
      name: `edm`, and `ve`, variance-exploding noise, both with the preconditioner `karras`; `vp`, variance-preserving
        noise; `ddpm`; `ddpm_cosine`; `flow`, flow matching. As published but for two: the levels of `edm` are higher
        and wider than those for pictures, log_normal(-1.2, 1.2), and `ve` had another preconditioner.
      sigma_data: > 0, root mean square of the data, for the preconditioner.
    """
    karras = target.preconditioned(preconditioner.karras(sigma_data))
    return {
        "edm": Formulation(process.exploding, karras, log_normal(-0.5, 1.5)),
        "ve": Formulation(process.exploding, karras, log_uniform(0.01, 50.0)),
        "vp": Formulation(process.preserving(), target.noise, uniform()),
        "ddpm": Formulation(process.discrete(), target.noise, uniform(1000)),
        "ddpm_cosine": Formulation(process.discrete_cosine(), target.noise, uniform(1000)),
        "flow": Formulation(process.straight, target.velocity, uniform()),
    }[name]
