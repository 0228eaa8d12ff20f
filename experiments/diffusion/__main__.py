"""`python -m experiments.diffusion` is `python -m experiments.diffusion.image`."""

from adl import run

run.main("experiments.diffusion.image")
