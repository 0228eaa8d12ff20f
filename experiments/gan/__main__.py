"""`python -m experiments.gan` is `python -m experiments.gan.image`."""

from adl import run

run.main("experiments.gan.image")
