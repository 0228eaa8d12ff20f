"""`python -m experiments.pixel` is `python -m experiments.pixel.image`."""

from adl import run

run.main("experiments.pixel.image")
